//! What a role does not see is not there: tables, columns, rows, values; by question or by trick.

use futures::StreamExt;
use runrate::error::Error;
use runrate::lake::TableName;
use runrate::server::encode::text_value;
use runrate::server::roles;
use runrate::server::roles::rights::{Rights, scope};
use runrate::session::{Access, Mask, Policies, Profile, Scope, Session, Sight};
use std::sync::Arc;
use tokio_postgres::{Client, NoTls};

use crate::harness::{Company, PASSWORD, until};

/// Rows as text, columns joined by `|`.
async fn rows(session: &Session, sql: &str) -> Result<Vec<String>, Error> {
    let mut stream = session.query(sql).await?;
    let mut found = vec![];
    while let Some(batch) = stream.next().await {
        let batch = batch?;
        for row in 0..batch.num_rows() {
            let values = batch.columns().iter();
            let values = values.map(|c| text_value(c, row).unwrap_or_else(|| "NULL".into()));
            found.push(values.collect::<Vec<_>>().join("|"));
        }
    }
    found.sort();
    Ok(found)
}

/// A session of `eva`, an analyst with `sight` and `policies`.
fn session(company: &Company, sight: Sight, policies: Policies) -> Session {
    let access = Access::seeing("eva", Profile::Analyst, vec![sight], policies);
    company.engine.session_with(Arc::new(access))
}

/// The standard rights, and of the deals those of ben.
fn of_ben(company: &Company) -> Session {
    let mut policies = Policies::new("eva", b"0123456789abcdef0123456789abcdef");
    policies.add_rows(TableName::new("crm", "opportunities"), "owner_id = 'ben'");
    session(company, Sight::standard(true), policies)
}

fn reading(scopes: impl IntoIterator<Item = Scope>) -> Sight {
    Sight { reads: scopes.into_iter().collect(), hides: vec![] }
}

async fn state(session: &Session, sql: &str) -> (String, String) {
    let error = rows(session, sql).await.expect_err(sql);
    (error.sqlstate().to_owned(), error.to_string())
}

/// Questions whose answer, or failure, would tell of a deal of somebody else's.
const TRICKS: &[&str] = &[
    "SELECT count(*) FROM {t} WHERE CASE WHEN amount = 9999 THEN CAST(name AS int) ELSE 1 END = 1",
    "SELECT count(*) FROM {t} WHERE 10 / (amount - 9999) IS NOT NULL",
    "SELECT count(*) FROM {t} WHERE CAST(opportunity_id || 'x' AS int) = 1 AND owner_id <> 'ben'",
    "SELECT sum(CASE WHEN amount = 9999 THEN CAST(name AS int) ELSE 1 END) FROM {t}",
    "SELECT opportunity_id FROM {t} ORDER BY CASE WHEN amount = 9999 THEN CAST(name AS int) END LIMIT 1",
    "SELECT u.user_id FROM crm.users u JOIN {t} o ON o.owner_id = u.user_id \
     AND CASE WHEN o.amount = 9999 THEN CAST(o.name AS int) ELSE 1 END = 1",
    "SELECT (SELECT max(CAST(name AS int)) FROM {t} WHERE amount = 9999)",
];

#[tokio::test(flavor = "multi_thread")]
async fn hidden_rows_are_not_told_by_failure() {
    let company = Company::open().await;
    let everything = company.engine.session("root");
    let mine = of_ben(&company);
    for trick in TRICKS {
        let sql = trick.replace("{t}", "crm.opportunities");
        rows(&mine, &sql).await.expect(&sql);
    }
    // Filters that the engine may run in any order tell: this is what the barrier is for.
    let mut told = 0;
    for trick in &TRICKS[..3] {
        // Most rows pass, so that the engine does not narrow them down before it goes on.
        let filtered = "(SELECT * FROM crm.opportunities WHERE amount <> 9999)";
        let sql = trick.replace("{t}", &format!("{filtered} AS o"));
        told += usize::from(rows(&everything, &sql).await.is_err());
    }
    assert!(told > 0, "the tricks do not work even without a barrier");
    // What one does see may still fail, and then quotes nothing.
    let (sqlstate, text) = state(&mine, "SELECT CAST(name AS int) FROM crm.opportunities").await;
    assert_eq!(sqlstate, "22P02");
    assert!(!text.contains("proposal") && !text.contains("loss"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn hidden_rows_are_in_no_count_and_no_plan() {
    let company = Company::open().await;
    let mine = of_ben(&company);
    for (sql, answer) in [
        ("SELECT opportunity_id FROM crm.opportunities", "d3 d5"),
        ("SELECT count(*) FROM crm.opportunities", "2"),
        ("SELECT max(amount), min(amount) FROM crm.opportunities", "300.00|200.00"),
        ("SELECT count(*) FROM crm.opportunities WHERE owner_id = 'ana'", "0"),
        ("SELECT count(*) FROM crm.opportunities WHERE amount IN (9999, 200)", "1"),
        ("SELECT count(*) FROM crm.opportunities WHERE owner_id IS NULL OR amount > 250", "1"),
        ("SELECT opportunity_id FROM crm.opportunities ORDER BY 1 DESC LIMIT 1", "d5"),
        // Views of the system, and functions, read through the same policy.
        ("SELECT DISTINCT owner_id FROM collect.closed_deals", "ben"),
        ("SELECT DISTINCT owner_id FROM collect.open_pipeline", "ben"),
        ("SELECT opportunity_id FROM deals_asof(DATE '2026-06-01')", "d3 d5"),
        ("SELECT count(*) FROM crm.users WHERE user_id = 'ana'", "1"),
    ] {
        let found = rows(&mine, sql).await.expect(sql);
        assert_eq!(found.join(" "), answer, "{sql}");
    }
    // The same views, for somebody without a policy, before and after.
    let all = company.engine.session("root");
    let owners = rows(&all, "SELECT DISTINCT owner_id FROM collect.closed_deals").await;
    assert_eq!(owners.expect("reads").join(" "), "ana ben cai");
    for sql in [
        "EXPLAIN SELECT name FROM crm.opportunities WHERE amount > 1",
        "EXPLAIN VERBOSE SELECT name FROM crm.opportunities WHERE amount > 1",
        "EXPLAIN ANALYZE SELECT name FROM crm.opportunities WHERE amount > 1",
        "EXPLAIN ANALYZE SELECT * FROM collect.closed_deals",
    ] {
        let plan = rows(&mine, sql).await.expect(sql).join("\n");
        assert!(plan.contains("Barrier: relation=crm.opportunities"), "{plan}");
        assert!(!plan.contains("ben"), "the policy: {plan}");
        assert!(!plan.contains(".parquet"), "files: {plan}");
        if !sql.contains("collect") {
            let counts = ["output_rows=11", "pruning", "file_groups", "bytes_scanned"];
            assert!(counts.iter().all(|count| !plan.contains(count)), "{plan}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn masked_values_are_masked_wherever_they_are_read() {
    let company = Company::open().await;
    let mut policies = Policies::new("eva", b"0123456789abcdef0123456789abcdef");
    let table = TableName::new("crm", "opportunities");
    policies.add_mask(table.clone(), "name", Mask::Partial);
    policies.add_mask(table.clone(), "owner_id", Mask::Hash);
    policies.add_mask(table, "amount", Mask::Null);
    let masked = session(&company, Sight::standard(true), policies);
    let sql = "SELECT name, amount FROM crm.opportunities WHERE opportunity_id = 'd5'";
    assert_eq!(rows(&masked, sql).await.expect("reads"), ["***osal|NULL"]);
    for (sql, answer) in [
        // The filter sees what its author sees.
        ("SELECT count(*) FROM crm.opportunities WHERE name = 'open proposal'", "0"),
        ("SELECT count(*) FROM crm.opportunities WHERE owner_id = 'ben'", "0"),
        ("SELECT count(*) FROM crm.opportunities WHERE amount > 0", "0"),
        ("SELECT count(DISTINCT owner_id) FROM crm.opportunities", "3"),
        ("SELECT count(*) FROM collect.closed_deals WHERE owner_id IN ('ana', 'ben')", "0"),
        ("SELECT count(amount) FROM collect.closed_deals", "0"),
    ] {
        assert_eq!(rows(&masked, sql).await.expect(sql), [answer], "{sql}");
    }
    let hashes = rows(&masked, "SELECT DISTINCT owner_id FROM crm.opportunities").await;
    assert!(hashes.expect("reads").iter().all(|hash| hash.len() == 32));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_granted_does_not_exist() {
    let company = Company::open().await;
    let some = Scope::relation("crm", "opportunities").only(["opportunity_id", "amount"]);
    let mine =
        session(&company, reading([some, Scope::relation("ops", "as_of")]), Policies::default());
    let sql = "SELECT * FROM crm.opportunities ORDER BY 1 LIMIT 1";
    assert_eq!(rows(&mine, sql).await.expect("reads"), ["d1|100.01"]);
    let of = |text: &str, name: &str| text.replace(name, "NAME");
    for (hidden, missing) in [("crm.users", "crm.nobody"), ("collect.win_loss", "nowhere.at_all")] {
        let (a, b) = (
            state(&mine, &format!("SELECT * FROM {hidden}")).await,
            state(&mine, &format!("SELECT * FROM {missing}")).await,
        );
        assert_eq!((a.0.as_str(), b.0.as_str()), ("42P01", "42P01"));
        let last = |name: &str| name.split('.').next_back().expect("a name").to_owned();
        let (first_a, first_b) = (hidden.split('.').next(), missing.split('.').next());
        let a = of(&of(&a.1, &last(hidden)), first_a.expect("a schema"));
        let b = of(&of(&b.1, &last(missing)), first_b.expect("a schema"));
        assert_eq!(a, b);
    }
    let (hidden, missing) = (
        state(&mine, "SELECT owner_id FROM crm.opportunities").await,
        state(&mine, "SELECT nobodys FROM crm.opportunities").await,
    );
    assert_eq!((hidden.0.as_str(), missing.0.as_str()), ("42703", "42703"));
    assert_eq!(of(&hidden.1, "owner_id"), of(&missing.1, "nobodys"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_shows_what_its_tables_do_not() {
    let company = Company::open().await;
    let view = Scope::relation("collect", "closed_deals");
    let mine = session(&company, reading([view]), Policies::default());
    let all = rows(&mine, "SELECT opportunity_id FROM collect.closed_deals").await.expect("reads");
    assert!(all.contains(&"d1".to_owned()) && !all.contains(&"d5".to_owned()), "{all:?}");
    assert_eq!(state(&mine, "SELECT 1 FROM crm.opportunities").await.0, "42P01");
    // d11 is deleted and the view leaves it out: nothing about it can be found out through the view.
    for sql in [
        "SELECT count(*) FROM collect.closed_deals WHERE 10 / (amount - 9999) IS NOT NULL",
        "SELECT count(*) FROM collect.closed_deals WHERE amount > 1 AND is_won",
    ] {
        rows(&mine, sql).await.expect(sql);
    }
    let sql = "EXPLAIN ANALYZE SELECT * FROM collect.closed_deals WHERE amount > 1";
    let plan = rows(&mine, sql).await.expect("explains").join("\n");
    assert!(plan.contains("Barrier: relation=collect.closed_deals"), "{plan}");
    assert!(!plan.contains("opportunities"), "{plan}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_does_not_fit_lets_nobody_read() {
    let company = Company::open().await;
    let refused = [
        ("no_such_column = 1", "42703"),
        ("amount", "42804"),
        ("sum(amount) > 1", "0A000"),
        ("random() > 0.5", "0A000"),
        ("no_such_function(amount)", "42883"),
    ];
    for (condition, _) in refused {
        let mut policies = Policies::new("eva", b"");
        policies.add_rows(TableName::new("crm", "opportunities"), condition);
        let checked = company.engine.check_policies(&Arc::new(policies.clone())).await;
        let error = checked.expect_err(condition);
        assert!(error.to_string().contains("crm.opportunities"), "{error}");
        let mine = session(&company, Sight::standard(true), policies);
        let (sqlstate, text) = state(&mine, "SELECT 1 FROM crm.opportunities").await;
        assert_eq!(sqlstate, "42501", "{condition}: {text}");
        assert!(!text.contains("no_such"), "{text}");
        rows(&mine, "SELECT 1 FROM crm.users").await.expect("the others are read");
    }
    // One that fails on a row says nothing of the row.
    let mut policies = Policies::new("eva", b"");
    policies.add_rows(TableName::new("crm", "opportunities"), "10 / (amount - 9999) < 0");
    let checked = company.engine.check_policies(&Arc::new(policies.clone())).await;
    checked.expect("it fits");
    let mine = session(&company, Sight::standard(true), policies);
    let (sqlstate, text) = state(&mine, "SELECT name FROM crm.opportunities").await;
    assert_eq!(sqlstate, "42501");
    assert!(!text.contains("zero") && !text.contains("9999"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_role_reads_every_report_and_no_rejected_bytes() {
    let company = Company::open().await;
    let mine = session(&company, Sight::standard(false), Policies::default());
    for view in company.engine.views() {
        let sql = format!("EXPLAIN SELECT * FROM {}.{}", view.schema, view.name);
        rows(&mine, &sql).await.expect(&sql);
    }
    rows(&mine, "SELECT reason FROM ops.quarantine").await.expect("reads");
    let sql = "SELECT raw_base64 FROM ops.quarantine";
    assert_eq!(state(&mine, sql).await.0, "42703");
    assert_eq!(state(&mine, "SELECT * FROM raw.anything").await.0, "42P01");
    rows(&company.engine.session("root"), sql).await.expect("an operator reads them");
}

/// A client of `role`.
async fn connect(company: &Company, role: &str) -> Result<Client, tokio_postgres::Error> {
    let port = company.address.port();
    let text =
        format!("host=127.0.0.1 port={port} user={role} password='{PASSWORD}' dbname=runrate");
    let (client, connection) = tokio_postgres::connect(&text, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

fn add(company: &Company, role: &str, lines: &[&str]) {
    let mut rights = Rights::none();
    for line in lines {
        let (word, rest) = line.split_once(' ').expect("a right");
        match word {
            "read" => rights.reads.push(scope(rest).expect("a scope")),
            "hide" => rights.hides.push(scope(rest).expect("a scope")),
            "profile" => rights.profile = Profile::named(rest).expect("a profile"),
            "rows" => {
                let (relation, condition) = rest.split_once(' ').expect("a condition");
                let (schema, table) = relation.split_once('.').expect("a relation");
                rights.rows.insert(TableName::new(schema, table), condition.to_owned());
            }
            "own" => rights.owned.extend([rest.to_owned()]),
            _ => panic!("{line}"),
        }
    }
    let path = company.engine.config().roles_path();
    roles::add_with(&path, role, Some(PASSWORD), Some(rights)).expect("a role");
}

async fn texts(client: &Client, sql: &str) -> Vec<String> {
    let mut found = vec![];
    for message in client.simple_query(sql).await.expect(sql) {
        if let tokio_postgres::SimpleQueryMessage::Row(row) = message {
            let values = (0..row.len()).map(|at| row.get(at).unwrap_or("NULL"));
            found.push(values.collect::<Vec<_>>().join("|"));
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn the_catalog_lists_and_says_what_is_granted() {
    let company = Company::open().await;
    add(
        &company,
        "eva",
        &[
            "read crm.opportunities (name, opportunity_id, amount)",
            "read crm.users",
            "read collect.win_loss",
            "hide crm.users (name)",
            "own lab",
        ],
    );
    let eva = connect(&company, "eva").await.expect("logs in");
    for (sql, answer) in [
        (
            "SELECT table_schema, table_name FROM information_schema.tables ORDER BY 1, 2",
            "collect|win_loss crm|opportunities crm|users",
        ),
        (
            "SELECT column_name FROM information_schema.columns WHERE table_name = 'opportunities' \
          ORDER BY ordinal_position",
            "opportunity_id name amount",
        ),
        (
            "SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace \
          WHERE nspname IN ('crm', 'collect', 'raw') ORDER BY 1",
            "opportunities opportunities_pkey users users_pkey win_loss",
        ),
        (
            "SELECT table_name FROM information_schema.table_constraints ORDER BY 1",
            "opportunities users users",
        ),
        (
            "SELECT DISTINCT table_name, privilege_type, grantee \
          FROM information_schema.role_table_grants ORDER BY 1",
            "opportunities|SELECT|eva users|SELECT|eva win_loss|SELECT|eva",
        ),
        (
            "SELECT DISTINCT column_name FROM information_schema.column_privileges \
          WHERE table_name = 'opportunities' ORDER BY 1",
            "amount name opportunity_id",
        ),
        ("SELECT view_definition LIKE '%SELECT%' FROM information_schema.views", "t"),
        (
            "SELECT relacl FROM pg_class WHERE relname = 'users'",
            "{runrate=arwdDxt/runrate,eva=r/runrate}",
        ),
        (
            "SELECT col_description('crm.opportunities'::regclass, 3) = col_description(\
          'crm.opportunities'::regclass, 2)",
            "f",
        ),
        ("SELECT conkey FROM pg_constraint WHERE conname = 'opportunities_pkey'", "{1}"),
    ] {
        assert_eq!(texts(&eva, sql).await.join(" "), answer, "{sql}");
    }
    for (call, answer) in [
        ("has_table_privilege('crm.users', 'SELECT')", "t"),
        ("has_table_privilege('users', 'select, insert')", "t"),
        ("has_table_privilege('crm.users', 'INSERT')", "f"),
        ("has_table_privilege('eva', 'crm.users', 'SELECT')", "t"),
        ("has_table_privilege('eva', 'crm.users', 'SELECT WITH GRANT OPTION')", "f"),
        ("has_table_privilege('slt', 'crm.users', 'SELECT')", "NULL"),
        ("has_table_privilege('crm.leads', 'SELECT')", "NULL"),
        ("has_table_privilege('crm.nothing', 'SELECT')", "NULL"),
        ("has_table_privilege('crm.users'::regclass, 'SELECT')", "t"),
        ("has_any_column_privilege('crm.users', 'SELECT')", "t"),
        ("has_column_privilege('crm.users', 'role', 'SELECT')", "t"),
        ("has_column_privilege('crm.users', 'name', 'SELECT')", "NULL"),
        ("has_schema_privilege('crm', 'USAGE')", "t"),
        ("has_schema_privilege('crm', 'CREATE')", "f"),
        ("has_schema_privilege('raw', 'USAGE')", "NULL"),
        ("has_schema_privilege('pg_catalog', 'USAGE')", "t"),
        ("has_database_privilege('runrate', 'CREATE')", "f"),
        ("has_database_privilege('runrate', 'CONNECT')", "t"),
        ("pg_has_role('eva', 'MEMBER')", "t"),
        ("pg_has_role('runrate', 'MEMBER')", "f"),
    ] {
        assert_eq!(texts(&eva, &format!("SELECT {call}")).await, [answer], "{call}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn views_made_over_sql_show_each_reader_what_is_his() {
    let company = Company::open().await;
    add(&company, "owner", &["read crm", "own lab"]);
    let owner = connect(&company, "owner").await.expect("logs in");
    let sql = "CREATE VIEW lab.v AS SELECT opportunity_id, owner_id, name FROM crm.opportunities";
    owner.simple_query(sql).await.expect("makes a view");
    assert_eq!(texts(&owner, "SELECT count(*) FROM lab.v").await, ["11"]);
    let mine = ["read crm", "read lab.v (opportunity_id, owner_id)", "rows lab.v owner_id = 'ben'"];
    add(&company, "eva", &mine);
    add(&company, "kim", &["read lab.v", "read crm.users"]);
    let code = |error: tokio_postgres::Error| error.code().expect("a code").code().to_owned();
    let eva = connect(&company, "eva").await.expect("logs in");
    assert_eq!(texts(&eva, "SELECT * FROM lab.v ORDER BY 1").await, ["d3|ben", "d5|ben"]);
    assert_eq!(
        code(eva.simple_query("SELECT name FROM lab.v").await.expect_err("hidden")),
        "42703"
    );
    // The owner gives away no more than a reader has: whoever does not see the table sees no row.
    let kim = connect(&company, "kim").await.expect("logs in");
    assert_eq!(code(kim.simple_query("SELECT * FROM lab.v").await.expect_err("hidden")), "42P01");
    assert!(texts(&kim, "SELECT relname FROM pg_class").await.contains(&"users".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_follow_their_role() {
    let company = Company::open().await;
    let path = company.engine.config().roles_path();
    add(&company, "eva", &["read crm.users"]);
    let eva = connect(&company, "eva").await.expect("logs in");
    assert_eq!(texts(&eva, "SELECT count(*) > 0 FROM crm.users").await, ["t"]);
    let code = |error: tokio_postgres::Error| error.code().expect("a code").code().to_owned();
    let sql = "SELECT count(*) FROM crm.opportunities";
    assert_eq!(code(eva.simple_query(sql).await.expect_err("hidden")), "42P01");
    let deals = TableName::new("crm", "opportunities");
    roles::change(&path, "eva", |rights| {
        rights.reads.push(Scope::relation("crm", "opportunities"));
        rights.rows.insert(deals, "owner_id = 'ben' AND current_user = 'eva'".into());
        Ok(())
    })
    .expect("changes");
    let seen = until("the rights", async || eva.simple_query(sql).await.ok()).await;
    let seen = format!("{seen:?}");
    assert!(seen.contains('2'), "{seen}");
    // A file that is wrong changes nothing, and one that is right again does.
    let text = std::fs::read_to_string(&path).expect("reads");
    std::fs::write(&path, format!("{text}  rows crm.opportunities no_such = 1\n")).expect("writes");
    tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
    assert_eq!(texts(&eva, sql).await, ["2"]);
    std::fs::write(&path, text).expect("writes");
    roles::remove(&path, "eva").expect("removes");
    let ended = until("the end", async || eva.simple_query(sql).await.err()).await;
    let ended = ended.code().map_or_else(|| "closed".to_owned(), |c| c.code().to_owned());
    assert_eq!(ended, "57P01");
    assert!(connect(&company, "eva").await.is_err());
}

/// The statements of rule R1, a few of each family.
const FAMILIES: &[&str] = &[
    "INSERT INTO crm.accounts (account_id) VALUES ('x')",
    "INSERT INTO crm.accounts SELECT * FROM crm.accounts",
    "UPDATE crm.accounts SET name = 'x'",
    "DELETE FROM crm.accounts",
    "TRUNCATE crm.accounts",
    "MERGE INTO crm.accounts a USING crm.leads l ON a.account_id = l.lead_id WHEN MATCHED THEN DELETE",
    "CREATE TABLE crm.t (a int)",
    "CREATE TABLE crm.t AS SELECT 1 AS a",
    "CREATE VIEW crm.v AS SELECT 1 AS a",
    "CREATE SCHEMA s",
    "CREATE DATABASE d",
    "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'",
    "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE ROLE intruder",
    "ALTER TABLE crm.accounts ADD COLUMN x int",
    "DROP TABLE crm.accounts",
    "DROP VIEW collect.win_loss",
    "DROP SCHEMA crm",
    "GRANT ALL ON crm.accounts TO public",
    "REVOKE ALL ON crm.accounts FROM public",
    "COPY crm.accounts TO '/tmp/runrate-refused.csv'",
    "COPY (SELECT 1) TO '/tmp/runrate-refused.csv'",
    "COPY crm.accounts TO PROGRAM 'cat'",
    "COPY crm.accounts FROM '/etc/passwd'",
    "COPY crm.accounts FROM PROGRAM 'id'",
    "SELECT 1 AS a INTO crm.t",
    "SELECT * FROM crm.accounts FOR UPDATE",
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM \"/etc/passwd\"",
    "SELECT * FROM 'https://example.com/x.parquet'",
    "SELECT input_file_name() FROM crm.accounts",
    "WITH gone AS (DELETE FROM crm.accounts RETURNING account_id) SELECT * FROM gone",
    "WITH x AS (SELECT 1) INSERT INTO crm.accounts (account_id) SELECT 'x' FROM x",
    "EXPLAIN DELETE FROM crm.accounts",
    "EXPLAIN ANALYZE INSERT INTO crm.accounts (account_id) VALUES ('x')",
    "EXPLAIN ANALYZE COPY (SELECT 1) TO '/tmp/runrate-refused.csv'",
    "EXPLAIN ANALYZE CREATE TABLE crm.t AS SELECT 1",
    "SET datafusion.runtime.memory_limit = '900G'",
    "SET datafusion.execution.batch_size = 1",
    "SET ROLE runrate",
    "SET SESSION AUTHORIZATION runrate",
    "VACUUM",
    "ANALYZE",
    "LOAD 'library'",
    "CALL anything()",
    "DO $$ BEGIN END $$",
    "LOCK TABLE crm.accounts",
    "NOTIFY channel",
];

#[tokio::test(flavor = "multi_thread")]
async fn what_does_more_than_read_is_refused_to_every_role_on_every_way() {
    let company = Company::open().await;
    add(&company, "eva", &["read crm", "read collect"]);
    add(&company, "dash", &["profile bi", "read crm", "read collect"]);
    add(&company, "root", &["profile admin", "read crm"]);
    let refusals = ["42501", "0A000", "42601", "42704", "42P01", "42883", "42P02"];
    let mut faults = vec![];
    for role in ["eva", "dash", "root"] {
        let client = connect(&company, role).await.expect("logs in");
        for family in FAMILIES {
            let ways = [
                family.to_string(),
                format!("EXPLAIN {family}"),
                format!("EXPLAIN ANALYZE {family}"),
                format!("PREPARE p AS {family}"),
                format!("BEGIN; DECLARE c CURSOR FOR {family}"),
                format!("COPY ({family}) TO STDOUT"),
            ];
            for sql in ways {
                let outcome = client.simple_query(&sql).await.map(drop);
                let code = outcome.err().and_then(|e| e.code().map(|c| c.code().to_owned()));
                if !code.as_deref().is_some_and(|code| refusals.contains(&code)) {
                    faults.push(format!("{role}: {code:?} {sql}"));
                }
                client.simple_query("ROLLBACK; DEALLOCATE ALL").await.expect("usable");
            }
            let extended = async { client.query(&client.prepare(family).await?, &[]).await };
            let code = extended.await.err().and_then(|e| e.code().map(|c| c.code().to_owned()));
            if !code.as_deref().is_some_and(|code| refusals.contains(&code)) {
                faults.push(format!("{role}: {code:?} extended {family}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(!std::path::Path::new("/tmp/runrate-refused.csv").exists());
    assert_eq!(
        texts(
            &connect(&company, "eva").await.expect("logs in"),
            "SELECT count(*) FROM crm.accounts"
        )
        .await
        .len(),
        1
    );
}
