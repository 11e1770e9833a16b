//! Writing over the protocol: scratch schemas, temporary tables, COPY, transactions.

use bytes::Bytes;
use futures::SinkExt;
use runrate::server::roles::rights::Rights;
use runrate::session::Profile;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, SimpleQueryMessage};

use crate::harness::{Company, PASSWORD};
use crate::raw::{Raw, message, query, untyped};

fn owning_ana(rights: &mut Rights) {
    rights.owned.insert("ana".into());
}

pub(crate) async fn company() -> Company {
    Company::serve_with(|_, _| {}, owning_ana).await
}

fn code(error: &tokio_postgres::Error) -> String {
    error.code().map_or("none", SqlState::code).to_owned()
}

/// Rows as text, with `|` between columns.
pub(crate) async fn rows(client: &Client, sql: &str) -> Vec<String> {
    let messages = client.simple_query(sql).await.expect(sql);
    let row = |message: SimpleQueryMessage| match message {
        SimpleQueryMessage::Row(row) => {
            let values = (0..row.len()).map(|at| row.get(at).unwrap_or("NULL"));
            Some(values.collect::<Vec<_>>().join("|"))
        }
        _ => None,
    };
    messages.into_iter().filter_map(row).collect()
}

pub(crate) async fn refused(client: &Client, sql: &str) -> String {
    code(&client.simple_query(sql).await.expect_err(sql))
}

/// Tags of the answers, as psql prints them, and the notices among them.
pub(crate) async fn told(raw: &mut Raw, sql: &str) -> Vec<String> {
    raw.send(&query(sql)).await;
    let messages = raw.until(b'Z').await;
    let text = |message: &crate::raw::Message| {
        let end = message.body.iter().position(|byte| *byte == 0).unwrap_or(message.body.len());
        String::from_utf8_lossy(&message.body[..end]).into_owned()
    };
    let field = |message: &crate::raw::Message, wanted: u8| {
        let mut fields = message.body.split(|byte| *byte == 0);
        let found = fields.find(|field| field.first() == Some(&wanted));
        found.map(|field| String::from_utf8_lossy(&field[1..]).into_owned())
    };
    messages
        .iter()
        .filter_map(|message| match message.kind {
            b'C' => Some(text(message)),
            b'N' => Some(format!("{} {}", field(message, b'S')?, field(message, b'M')?)),
            b'E' => Some(format!("{} {}", field(message, b'C')?, field(message, b'M')?)),
            _ => None,
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_are_made_filled_changed_and_dropped() {
    let company = company().await;
    let mut raw = Raw::logged_in(company.address).await;
    let client = company.driver().await;
    let create = "CREATE TABLE ana.t (id int8 NOT NULL, name varchar(5), amount numeric(10,2), \
                  at timestamptz, day date, is_won bool, n int2, f float4, tags text[], doc json)";
    for (sql, tags) in [
        (
            "CREATE SCHEMA IF NOT EXISTS ana",
            vec!["NOTICE schema \"ana\" already exists, skipping", "CREATE SCHEMA"],
        ),
        (create, vec!["CREATE TABLE"]),
        (
            "CREATE TABLE IF NOT EXISTS ana.t (a int)",
            vec!["NOTICE relation \"t\" already exists, skipping", "CREATE TABLE"],
        ),
        (
            "INSERT INTO ana.t (id, name, amount) VALUES (1, 'one', 10.5), (2, 'two', 20)",
            vec!["INSERT 0 2"],
        ),
        (
            "INSERT INTO ana.t VALUES (3, 'tri', '3.1', '2026-01-02 03:04:05+00', '2026-01-02', \
          true, 7, 1.5, ARRAY['a','b'], '{}')",
            vec!["INSERT 0 1"],
        ),
        ("UPDATE ana.t SET amount = amount * 2 WHERE id < 3", vec!["UPDATE 2"]),
        ("DELETE FROM ana.t WHERE id IN (SELECT 2)", vec!["DELETE 1"]),
        ("CREATE TABLE ana.u AS SELECT id, count(*) FROM ana.t GROUP BY id", vec!["SELECT 2"]),
        ("SELECT id INTO ana.v FROM ana.t", vec!["SELECT 2"]),
        ("DELETE FROM ana.v USING ana.u WHERE v.id = u.id AND u.id = 3", vec!["DELETE 1"]),
        ("ALTER TABLE ana.v RENAME TO w", vec!["ALTER TABLE"]),
        ("CREATE VIEW ana.seen AS SELECT count(*) FROM ana.w", vec!["CREATE VIEW"]),
        ("COMMENT ON TABLE ana.w IS 'some'", vec!["COMMENT"]),
        (
            "ANALYZE ana.w",
            vec![
                "NOTICE statistics are kept with every commit; there is nothing to analyze",
                "ANALYZE",
            ],
        ),
    ] {
        assert_eq!(told(&mut raw, sql).await, tags, "{sql}");
    }
    // Committed: another session sees all of it, under Postgres' names.
    let found = rows(&client, "SELECT id, name, amount, tags, is_won FROM ana.t ORDER BY id").await;
    assert_eq!(found, ["1|one|21.00|NULL|NULL", "3|tri|3.10|{a,b}|t"]);
    assert_eq!(rows(&client, "SELECT \"count\" FROM ana.u ORDER BY id").await, ["1", "1"]);
    assert_eq!(rows(&client, "SELECT count FROM ana.seen").await, ["1"]);
    assert_eq!(rows(&client, "SELECT id FROM w").await, ["1"], "found without a schema");
    for (sql, state) in [
        ("SELECT * FROM ana.v", "42P01"),
        ("INSERT INTO ana.t (id) VALUES (NULL)", "23502"),
        ("INSERT INTO ana.t (id, name) VALUES (1, 'too long')", "22001"),
        ("INSERT INTO ana.t (id, nope) VALUES (1, 1)", "42703"),
        ("INSERT INTO ana.t (id) VALUES (1, 2)", "42601"),
        ("INSERT INTO ana.nope VALUES (1)", "42P01"),
        ("CREATE TABLE ana.t (a int)", "42P07"),
        ("CREATE TABLE ana.x (a int CHECK (a > 0))", "0A000"),
        ("CREATE TABLE ana.x (a int, a int)", "42701"),
        ("CREATE TABLE ana.x AS SELECT interval '1 day' AS i", "0A000"),
        ("DROP TABLE ana.w", "2BP01"),
        ("DROP VIEW ana.w", "42809"),
        ("DROP TABLE ana.nope", "42P01"),
        ("UPDATE ana.t SET id = 1 WHERE random() < 0.5", "0A000"),
        ("CREATE OR REPLACE VIEW ana.seen AS SELECT * FROM ana.seen", "42P17"),
        ("CREATE TABLE crm.x (a int)", "42501"),
        ("INSERT INTO crm.accounts (account_id) VALUES ('x')", "42501"),
        ("CREATE TABLE mart.x AS SELECT 1 AS a", "42501"),
        ("CREATE TABLE pg_catalog.x (a int)", "42501"),
    ] {
        assert_eq!(refused(&client, sql).await, state, "{sql}");
    }
    let dropped = told(&mut raw, "DROP TABLE ana.w CASCADE").await;
    assert_eq!(dropped, ["NOTICE drop cascades to view ana.seen", "DROP TABLE"]);
    let gone = told(&mut raw, "DROP VIEW IF EXISTS ana.seen").await;
    assert_eq!(gone, ["NOTICE view \"seen\" does not exist, skipping", "DROP VIEW"]);
    assert_eq!(told(&mut raw, "TRUNCATE ana.t").await, ["TRUNCATE TABLE"]);
    assert!(rows(&client, "SELECT * FROM ana.t").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_is_seen_whole_or_not_at_all() {
    let company = company().await;
    let (one, other) = (company.driver().await, company.driver().await);
    one.simple_query("CREATE TABLE ana.t AS SELECT 1 AS a").await.expect("made");
    one.simple_query(
        "BEGIN; INSERT INTO ana.t VALUES (2); CREATE TABLE ana.u AS SELECT a FROM ana.t",
    )
    .await
    .expect("written");
    assert_eq!(rows(&one, "SELECT a FROM ana.t ORDER BY a").await, ["1", "2"], "its own writes");
    assert_eq!(rows(&one, "SELECT count(*) FROM ana.u").await, ["2"]);
    assert_eq!(rows(&other, "SELECT a FROM ana.t").await, ["1"], "not those of another");
    assert_eq!(refused(&other, "SELECT * FROM ana.u").await, "42P01");
    one.simple_query("SAVEPOINT s; DELETE FROM ana.t").await.expect("deleted");
    assert!(rows(&one, "SELECT * FROM ana.t").await.is_empty());
    one.simple_query("ROLLBACK TO s").await.expect("back");
    assert_eq!(rows(&one, "SELECT count(*) FROM ana.t").await, ["2"]);
    assert_eq!(refused(&one, "ROLLBACK TO nowhere").await, "3B001");
    assert_eq!(refused(&one, "SELECT 1").await, "25P02");
    one.simple_query("ROLLBACK TO s; COMMIT").await.expect("committed");
    assert_eq!(rows(&other, "SELECT a FROM ana.t ORDER BY a").await, ["1", "2"]);
    assert_eq!(rows(&other, "SELECT count(*) FROM ana.u").await, ["2"]);
    // Taken back.
    one.simple_query("BEGIN; DROP TABLE ana.u; INSERT INTO ana.t VALUES (3); ROLLBACK")
        .await
        .expect("taken back");
    assert_eq!(rows(&one, "SELECT count(*) FROM ana.t").await, ["2"]);
    assert_eq!(rows(&one, "SELECT count(*) FROM ana.u").await, ["2"]);
    // Several statements in one text are one transaction.
    let text = "INSERT INTO ana.t VALUES (4); INSERT INTO ana.t VALUES ('x')";
    assert_eq!(refused(&one, text).await, "22P02");
    assert_eq!(rows(&other, "SELECT count(*) FROM ana.t").await, ["2"]);
    // Rows added by two at once are both kept; what was changed by another is not overwritten.
    one.simple_query("BEGIN; INSERT INTO ana.t VALUES (5)").await.expect("begun");
    other.simple_query("INSERT INTO ana.t VALUES (6)").await.expect("added");
    one.simple_query("COMMIT").await.expect("both");
    assert_eq!(rows(&other, "SELECT a FROM ana.t ORDER BY a").await, ["1", "2", "5", "6"]);
    one.simple_query("BEGIN; DELETE FROM ana.t WHERE a = 1").await.expect("begun");
    other.simple_query("INSERT INTO ana.t VALUES (7)").await.expect("added");
    assert_eq!(refused(&one, "COMMIT").await, "40001");
    assert_eq!(rows(&one, "SELECT count(*) FROM ana.t").await, ["5"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn transactions_that_only_read_refuse_writes() {
    let company = company().await;
    let client = company.driver().await;
    client.simple_query("CREATE TEMP TABLE mine (a int)").await.expect("made");
    client.simple_query("BEGIN READ ONLY; INSERT INTO mine VALUES (1)").await.expect("its own");
    assert_eq!(refused(&client, "CREATE TABLE ana.t (a int)").await, "25006");
    client.simple_query("ROLLBACK; BEGIN; SET TRANSACTION READ ONLY").await.expect("set");
    assert_eq!(refused(&client, "CREATE TABLE ana.t (a int)").await, "25006");
    client.simple_query("ROLLBACK").await.expect("ends");
    let session = "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY";
    client.simple_query(session).await.expect("set");
    assert_eq!(refused(&client, "CREATE TABLE ana.t (a int)").await, "25006");
    client
        .simple_query("BEGIN READ WRITE; CREATE TABLE ana.t (a int); COMMIT")
        .await
        .expect("made");
}

#[tokio::test(flavor = "multi_thread")]
async fn dbt_replaces_a_table_in_one_transaction() {
    let company = company().await;
    let client = company.driver().await;
    for round in ["1", "2"] {
        let model = format!(
            "BEGIN; \
             CREATE TABLE \"runrate\".\"ana\".\"m__dbt_tmp\" AS (SELECT {round} AS a); \
             ALTER TABLE IF EXISTS \"runrate\".\"ana\".\"m\" RENAME TO \"m__dbt_backup\"; \
             ALTER TABLE \"runrate\".\"ana\".\"m__dbt_tmp\" RENAME TO \"m\"; \
             COMMIT; \
             DROP TABLE IF EXISTS \"runrate\".\"ana\".\"m__dbt_backup\" CASCADE"
        );
        client.simple_query(&model).await.expect("replaced");
        assert_eq!(rows(&client, "SELECT a FROM ana.m").await, [round]);
        assert_eq!(refused(&client, "SELECT * FROM ana.m__dbt_backup").await, "42P01");
    }
    let view = "CREATE VIEW ana.v__tmp AS (SELECT a FROM ana.m); \
                ALTER VIEW ana.v__tmp RENAME TO v";
    client.simple_query(view).await.expect("a view");
    assert_eq!(rows(&client, "SELECT a FROM ana.v").await, ["2"]);
    let listed = "SELECT table_name, table_type FROM information_schema.tables \
                  WHERE table_schema = 'ana' ORDER BY 1";
    assert_eq!(rows(&client, listed).await, ["m|BASE TABLE", "v|VIEW"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn temporary_tables_are_of_their_session() {
    let company =
        Company::serve_with(|config, _| config.temporary_bytes_max = 1 << 20, owning_ana).await;
    let (one, other) = (company.driver().await, company.driver().await);
    one.simple_query("CREATE TEMPORARY TABLE t (a int) ON COMMIT PRESERVE ROWS").await.expect("t");
    one.simple_query("INSERT INTO t VALUES (1), (2)").await.expect("filled");
    one.simple_query("SELECT a + 1 AS b INTO TEMPORARY u FROM t").await.expect("into");
    assert_eq!(rows(&one, "SELECT t.a, u.b FROM t JOIN u ON u.b = t.a").await, ["2|2"]);
    assert_eq!(refused(&other, "SELECT * FROM t").await, "42P01");
    // A name that WITH gives comes first.
    assert_eq!(rows(&one, "WITH t AS (SELECT 9 AS a) SELECT a FROM t").await, ["9"]);
    let much = "INSERT INTO t SELECT n FROM generate_series(1, 1000000) AS g(n)";
    assert_eq!(refused(&one, much).await, "53200");
    one.simple_query("BEGIN; CREATE TEMP TABLE d ON COMMIT DROP AS SELECT 1 AS a")
        .await
        .expect("d");
    assert_eq!(rows(&one, "SELECT a FROM d").await, ["1"]);
    one.simple_query("COMMIT").await.expect("ends");
    assert_eq!(refused(&one, "SELECT a FROM d").await, "42P01");
    one.simple_query("DROP TABLE u").await.expect("dropped");
    one.simple_query("DISCARD TEMP").await.expect("discarded");
    assert_eq!(refused(&one, "SELECT a FROM t").await, "42P01");
    let reading = Company::serve(|_, _| {}).await;
    let client = reading.driver().await;
    assert_eq!(refused(&client, "CREATE TEMP TABLE t (a int)").await, "42501");
}

async fn copied(client: &Client, sql: &str, data: &[u8]) -> Result<u64, tokio_postgres::Error> {
    let sink = client.copy_in::<_, Bytes>(sql).await?;
    let mut sink = std::pin::pin!(sink);
    // In pieces that end anywhere.
    for piece in data.chunks(7) {
        sink.send(Bytes::copy_from_slice(piece)).await?;
    }
    sink.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn copy_takes_text_csv_and_binary() {
    let company = company().await;
    let client = company.driver().await;
    client.simple_query("CREATE TABLE ana.t (n int, s text, at timestamp)").await.expect("made");
    let text = b"1\ta\\tb\t2026-01-01 10:00:00\n2\t\\N\t\\N\n\\.\n";
    assert_eq!(copied(&client, "COPY ana.t FROM STDIN", text).await.expect("text"), 2);
    let csv = b"s,n\r\n\"x, \"\"y\"\"\nz\",3\r\n,4\r\n\"\",5\r\n";
    let sql = "COPY ana.t (s, n) FROM STDIN WITH (FORMAT csv, HEADER true)";
    assert_eq!(copied(&client, sql, csv).await.expect("csv"), 3);
    let found = rows(&client, "SELECT n, s, at FROM ana.t ORDER BY n").await;
    let wanted = [
        "1|a\tb|2026-01-01 10:00:00",
        "2|NULL|NULL",
        "3|x, \"y\"\nz|NULL",
        "4|NULL|NULL",
        "5||NULL",
    ];
    assert_eq!(found, wanted);
    // What COPY TO gives in binary, COPY FROM takes.
    let parts: Vec<Bytes> = {
        use futures::TryStreamExt;
        let out = client.copy_out("COPY ana.t TO STDOUT (FORMAT binary)").await.expect("out");
        out.try_collect().await.expect("all")
    };
    client.simple_query("CREATE TABLE ana.u (n int, s text, at timestamp)").await.expect("made");
    let sql = "COPY ana.u FROM STDIN (FORMAT binary)";
    assert_eq!(copied(&client, sql, &parts.concat()).await.expect("binary"), 5);
    assert_eq!(rows(&client, "SELECT n, s, at FROM ana.u ORDER BY n").await, wanted);
    for (data, state, place) in [
        (&b"1\ta\t\\N\nx\tb\t\\N\n"[..], "22P02", "COPY t, line 2, column n: \"x\""),
        (b"1\ta\n", "22P04", "COPY t, line 1: \"1\ta\""),
        (b"1\ta\t\\N\textra\n", "22P04", "COPY t, line 1: \"1\ta\t\\N\textra\""),
        (b"99999999999\ta\t\\N\n", "22003", "COPY t, line 1, column n: \"99999999999\""),
    ] {
        let error = copied(&client, "COPY ana.t FROM STDIN", data).await.expect_err(place);
        let told = error.as_db_error().expect("from the server");
        assert_eq!((told.code().code(), told.where_()), (state, Some(place)), "{}", told.message());
    }
    // Nothing of a COPY that failed is kept, and the session goes on.
    assert_eq!(rows(&client, "SELECT count(*) FROM ana.t").await, ["5"]);
    let sql = "COPY crm.accounts FROM STDIN";
    // Another client: the driver does not go on well after a COPY that did not begin.
    let another = company.driver().await;
    assert_eq!(code(&copied(&another, sql, b"").await.expect_err("not owned")), "42501");
    // Within a transaction it is taken back with it.
    client.simple_query("BEGIN").await.expect("begun");
    copied(&client, "COPY ana.t (n) FROM STDIN", b"6\n").await.expect("copied");
    assert_eq!(rows(&client, "SELECT count(*) FROM ana.t").await, ["6"]);
    client.simple_query("ROLLBACK").await.expect("ended");
    assert_eq!(rows(&client, "SELECT count(*) FROM ana.t").await, ["5"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_its_client_gives_up_leaves_nothing() {
    let company = company().await;
    let mut raw = Raw::logged_in(company.address).await;
    told(&mut raw, "CREATE TABLE ana.t (a int)").await;
    raw.send(&query("COPY ana.t FROM STDIN")).await;
    raw.until(b'G').await;
    raw.send(&message(b'd', b"1\n")).await;
    raw.send(&message(b'f', b"changed my mind\0")).await;
    let answer = raw.until(b'Z').await;
    assert_eq!(crate::raw::faults(&answer), [("ERROR".to_owned(), "57014".to_owned())]);
    assert_eq!(told(&mut raw, "INSERT INTO ana.t SELECT a FROM ana.t").await, ["INSERT 0 0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn prepared_writes_take_values_of_their_columns() {
    let company = company().await;
    let mut client = company.driver().await;
    client
        .simple_query("CREATE TABLE ana.t (n int, amount numeric(10,2), day date, s text)")
        .await
        .expect("made");
    let insert = client.prepare("INSERT INTO ana.t (n, s) VALUES ($1, $2)").await.expect("parsed");
    let types: Vec<&str> = insert.params().iter().map(|kind| kind.name()).collect();
    assert_eq!(types, ["int4", "text"]);
    assert_eq!(client.execute(&insert, &[&1_i32, &"it's"]).await.expect("inserted"), 1);
    let batch = client.transaction().await.expect("begun");
    for n in 2..5_i32 {
        batch.execute(&insert, &[&n, &"more"]).await.expect("inserted");
    }
    batch.commit().await.expect("committed");
    let update = "UPDATE ana.t SET s = $1 WHERE n = $2";
    assert_eq!(client.execute(update, &[&"new", &2_i32]).await.expect("updated"), 1);
    assert_eq!(client.execute("DELETE FROM ana.t WHERE n > $1", &[&3_i32]).await.expect("gone"), 1);
    client.simple_query("PREPARE p (int) AS DELETE FROM ana.t WHERE n = $1").await.expect("ready");
    client.simple_query("EXECUTE p(3)").await.expect("run");
    let found = rows(&client, "SELECT n, s FROM ana.t ORDER BY n").await;
    assert_eq!(found, ["1|it's", "2|new"]);
    let error =
        client.prepare("INSERT INTO ana.t (nope) VALUES ($1)").await.expect_err("no column");
    assert_eq!(code(&error), "42703");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_of_writes_is_one_transaction() {
    let company = company().await;
    let mut raw = Raw::logged_in(company.address).await;
    told(&mut raw, "CREATE TABLE ana.t (a int)").await;
    let step = |sql: &str| {
        let mut bytes = message(b'P', format!("\0{sql}\0\0\0").as_bytes());
        bytes.extend(message(b'B', &[0; 8]));
        bytes.extend(message(b'E', &[0; 5]));
        bytes
    };
    let mut bytes = step("INSERT INTO ana.t VALUES (1)");
    bytes.extend(step("INSERT INTO ana.t VALUES ('x')"));
    bytes.extend(message(b'S', b""));
    raw.send(&bytes).await;
    let answer = raw.until(b'Z').await;
    assert_eq!(crate::raw::faults(&answer), [("ERROR".to_owned(), "22P02".to_owned())]);
    assert_eq!(told(&mut raw, "DELETE FROM ana.t").await, ["DELETE 0"]);
    let mut bytes = step("INSERT INTO ana.t VALUES (1)");
    bytes.extend(step("INSERT INTO ana.t VALUES (2)"));
    bytes.extend(message(b'S', b""));
    raw.send(&bytes).await;
    assert!(crate::raw::faults(&raw.until(b'Z').await).is_empty());
    assert_eq!(told(&mut raw, "DELETE FROM ana.t").await, ["DELETE 2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_keeps_to_its_quota() {
    let company = Company::serve_with(
        |_, _| {},
        |rights| {
            owning_ana(rights);
            rights.limits.scratch_bytes_max = Some(20_000);
        },
    )
    .await;
    let client = company.driver().await;
    client.simple_query("CREATE TABLE ana.small AS SELECT 1 AS a").await.expect("fits");
    let much = "CREATE TABLE ana.much AS SELECT n, md5(n::text) AS s \
                FROM generate_series(1, 20000) AS g(n)";
    let error = client.simple_query(much).await.expect_err("too much");
    let told = error.as_db_error().expect("from the server");
    assert_eq!(told.code().code(), "53100");
    assert!(told.message().contains("its quota is 20000 bytes"), "{}", told.message());
    assert_eq!(refused(&client, "SELECT * FROM ana.much").await, "42P01");
    client.simple_query("DROP TABLE ana.small").await.expect("what makes it smaller is taken");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_made_is_there_after_a_start() {
    let company = company().await;
    let client = company.driver().await;
    client.simple_query("CREATE TABLE ana.t AS SELECT 1 AS a").await.expect("made");
    client.simple_query("CREATE VIEW ana.v AS SELECT a + 1 AS b FROM ana.t").await.expect("made");
    let config = company.engine.config().clone();
    let again = runrate::session::Engine::open(config, vec![], vec![]).await.expect("opens");
    let mut stream = again.session("slt").query("SELECT b FROM ana.v").await.expect("plans");
    let batch = futures::StreamExt::next(&mut stream).await.expect("a batch").expect("a row");
    assert_eq!(batch.num_rows(), 1);
    let tables = again.lake().tables().await.expect("listed");
    assert!(tables.iter().any(|table| table.to_string() == "ana.t"), "{tables:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_are_written_by_those_who_may() {
    let company = Company::serve_with(|_, _| {}, |rights| rights.profile = Profile::Batch).await;
    let mut raw = Raw::logged_in(company.address).await;
    let report = {
        let view = &company.engine.views()[0];
        (view.schema.clone(), view.name.clone())
    };
    let call = format!("CALL materialize('{}.{}')", report.0, report.1);
    let answer = told(&mut raw, &call).await;
    assert_eq!(answer.last().map(String::as_str), Some("CALL"), "{answer:?}");
    let refresh = format!("REFRESH MATERIALIZED VIEW mart.{}_{}", report.0, report.1);
    let answer = told(&mut raw, &refresh).await;
    assert_eq!(answer.last().map(String::as_str), Some("REFRESH MATERIALIZED VIEW"), "{answer:?}");
    let inside = told(&mut raw, &format!("BEGIN; {call}")).await;
    assert!(inside[1].starts_with("25001"), "{inside:?}");
    let unknown = told(&mut raw, "ROLLBACK; CALL materialize('no.report')").await;
    assert!(unknown[1].starts_with("42P01"), "{unknown:?}");
    let reading = Company::serve(|_, _| {}).await;
    let mut raw = Raw::logged_in(reading.address).await;
    assert!(told(&mut raw, &call).await[0].starts_with("42501"));
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_point_at_their_place() {
    let company = company().await;
    let client = company.driver().await;
    for (sql, position) in [
        ("SELECT nothing FROM crm.accounts", 8),
        ("SELECT 'é', nothing(1)", 13),
        ("SELECT * FROM crm.nope", 15),
        ("SELECT 1 FRM crm.accounts x y", 0),
    ] {
        let error = client.simple_query(sql).await.expect_err(sql);
        let told = error.as_db_error().expect("from the server");
        let found = match told.position() {
            Some(tokio_postgres::error::ErrorPosition::Original(at)) => *at,
            _ => panic!("{sql}: no position in {}", told.message()),
        };
        assert!(position == 0 || found == position, "{sql}: {found}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn earlier_answers_are_sent_before_the_error() {
    let company = company().await;
    let mut raw = Raw::logged_in(company.address).await;
    raw.send(&query("SELECT 1; SELECT 1/0; SELECT 3")).await;
    let kinds: Vec<u8> = raw.until(b'Z').await.iter().map(|message| message.kind).collect();
    assert_eq!(kinds, *b"TDCTEZ");
    raw.send(&query(" ; ")).await;
    let kinds: Vec<u8> = raw.until(b'Z').await.iter().map(|message| message.kind).collect();
    assert_eq!(kinds, *b"IZ");
    // Bind with a wrong number of formats or values is a violation, and the session goes on.
    let mut bytes = message(b'P', b"\0SELECT 1, 2, 3\0\0\0");
    bytes.extend(message(b'B', b"\0\0\0\0\0\0\0\x02\0\0\0\0"));
    bytes.extend(message(b'S', b""));
    bytes.extend(message(b'P', b"\0SELECT $1::int\0\0\0"));
    bytes.extend(message(b'B', &[0; 8]));
    bytes.extend(message(b'S', b""));
    raw.send(&bytes).await;
    for _ in 0..2 {
        let answer = raw.until(b'Z').await;
        assert_eq!(crate::raw::faults(&answer), [("ERROR".to_owned(), "08P01".to_owned())]);
    }
    assert_eq!(told(&mut raw, "DISCARD ALL").await, ["DISCARD ALL"]);
    assert_eq!(told(&mut raw, "DISCARD PLANS").await, ["DISCARD PLANS"]);
    assert_eq!(told(&mut raw, "DISCARD SEQUENCES").await, ["DISCARD SEQUENCES"]);
    let commit = told(&mut raw, "COMMIT").await;
    assert_eq!(commit, ["WARNING there is no transaction in progress", "COMMIT"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_changed_its_type_is_refused() {
    let company = company().await;
    let client = company.driver().await;
    client.simple_query("CREATE TABLE ana.t AS SELECT 1 AS a").await.expect("made");
    let statement = client.prepare("SELECT * FROM ana.t").await.expect("parsed");
    client.simple_query("INSERT INTO ana.t VALUES (2)").await.expect("added");
    assert_eq!(client.query(&statement, &[]).await.expect("fresh rows").len(), 2);
    client
        .simple_query("DROP TABLE ana.t; CREATE TABLE ana.t AS SELECT 'x' AS a")
        .await
        .expect("made anew");
    assert_eq!(code(&client.query(&statement, &[]).await.expect_err("another type")), "0A000");
}

#[tokio::test(flavor = "multi_thread")]
async fn newer_protocols_and_unknown_options_are_negotiated() {
    let company = company().await;
    let mut raw = Raw::connect(company.address).await;
    // 3.9, and an option that nobody knows.
    let mut body = 196_617_i32.to_be_bytes().to_vec();
    body.extend_from_slice(b"user\0slt\0database\0runrate\0_pq_.wishes\0yes\0\0");
    raw.send(&untyped(&body)).await;
    let first = raw.next().await.expect("an answer");
    assert_eq!(first.kind, b'v');
    assert_eq!(first.body[..8], [0, 3, 0, 2, 0, 0, 0, 1]);
    assert_eq!(&first.body[8..], b"_pq_.wishes\0");
    raw.scram(PASSWORD).await;
    let start = raw.until(b'Z').await;
    let key = start.iter().find(|message| message.kind == b'K').expect("a key");
    assert_eq!(key.body.len(), 4 + 32, "the long secret of 3.2");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_that_is_held_outlives_its_transaction() {
    let company = company().await;
    let client = company.driver().await;
    client.simple_query("CREATE TABLE ana.t AS SELECT 1::int AS a").await.expect("made");
    let held = "BEGIN; INSERT INTO ana.t VALUES (2); \
                DECLARE h CURSOR WITH HOLD FOR SELECT a FROM ana.t ORDER BY a; COMMIT";
    client.simple_query(held).await.expect("declared");
    assert_eq!(rows(&client, "FETCH 1 FROM h").await, ["1"]);
    let found = client.query("FETCH ALL FROM h", &[]).await.expect("by the extended protocol");
    assert_eq!(found.iter().map(|row| row.get::<_, i32>(0)).collect::<Vec<_>>(), [2]);
    assert_eq!(refused(&client, "FETCH 1 FROM nowhere").await, "34000");
    let lost = "BEGIN; DECLARE l CURSOR WITH HOLD FOR SELECT 1; ROLLBACK";
    client.simple_query(lost).await.expect("taken back");
    assert_eq!(refused(&client, "FETCH 1 FROM l").await, "34000");
}
