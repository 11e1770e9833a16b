//! The protocol after login: results, errors, transactions, cancel, limits.

use std::time::{Duration, Instant};

use tokio_postgres::error::SqlState;
use tokio_postgres::{NoTls, SimpleQueryMessage};

use crate::harness::{Company, PASSWORD, PATIENCE, until_another_runs};
use crate::raw::{Raw, faults, message, query};

/// Computes for minutes, and reads nothing.
const LONG: &str = "SELECT count(*) FROM generate_series(1, 100000) a \
                    CROSS JOIN generate_series(1, 100000) b WHERE a.a::int8 * b.b % 7 = 3";

fn code(error: &tokio_postgres::Error) -> String {
    error.code().map_or("none", SqlState::code).to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_stops_what_runs_and_the_session_goes_on() {
    let company = Company::serve(|_, _| {}).await;
    let (client, watcher) = (company.driver().await, company.driver().await);
    for sql in [LONG, "SELECT value FROM generate_series(1, 1000000000) g(value)"] {
        let token = client.cancel_token();
        let begun = Instant::now();
        let cancelling = async {
            until_another_runs(&watcher).await;
            token.cancel_query(NoTls).await.expect("cancels");
        };
        let (outcome, ()) = tokio::join!(client.simple_query(sql), cancelling);
        assert_eq!(code(&outcome.expect_err("cancelled")), "57014");
        assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
        client.simple_query("SELECT 1").await.expect("usable");
    }
    // Somebody else's secret stops nothing: the process number alone is not enough.
    let mut raw = Raw::connect(company.address).await;
    let mut body = 80_877_102_i32.to_be_bytes().to_vec();
    body.extend_from_slice(&[0, 0, 0, 1, 9, 9, 9, 9]);
    raw.send(&crate::raw::untyped(&body)).await;
    assert!(raw.rest().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_end_at_their_deadline() {
    let company = Company::serve(|config, _| config.statement_timeout_ms = 2_000).await;
    let client = company.driver().await;
    client.simple_query("SET statement_timeout = '300ms'").await.expect("set");
    let begun = Instant::now();
    let error = client.simple_query(LONG).await.expect_err("too long");
    assert_eq!(code(&error), "57014");
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
    // A session cannot raise the limit above the server's, nor end it.
    client.simple_query("SET statement_timeout = 0").await.expect("set");
    let begun = Instant::now();
    let error = client.query_one(LONG, &[]).await.expect_err("too long");
    assert_eq!(code(&error), "57014");
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
    let error = client.simple_query("SET statement_timeout = 'soon'").await.expect_err("no time");
    assert_eq!(code(&error), "22023");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_takes_its_query_with_it() {
    let company = Company::serve(|config, _| {
        config.queries_running_max = 1;
        config.threads = 1;
    })
    .await;
    let mut raw = Raw::logged_in(company.address).await;
    raw.send(&query(LONG)).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    drop(raw);
    // The one turn, and the one thread, are free again.
    let client = company.driver().await;
    let begun = Instant::now();
    client.simple_query("SELECT count(*) FROM generate_series(1, 10)").await.expect("its turn");
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_holds_up_nobody_and_fills_no_memory() {
    let company = Company::serve(|config, _| config.queries_running_max = 1).await;
    let mut slow = Raw::logged_in(company.address).await;
    slow.send(&query("SELECT value, repeat('x', 1000) FROM generate_series(1, 1000000) g(value)"))
        .await;
    tokio::time::sleep(Duration::from_millis(800)).await;
    let client = company.driver().await;
    let counted = client.simple_query("SELECT count(*) FROM generate_series(1, 10)").await;
    counted.expect("the turn is free while the reader sleeps");
    // What the reader did not take was not made.
    let rows = |message: &crate::raw::Message| u64::from(message.kind == b'D');
    let mut count = 0;
    while let Some(message) = slow.next().await {
        count += rows(&message);
        if message.kind == b'Z' {
            break;
        }
    }
    assert_eq!(count, 1_000_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_that_would_end_the_process_are_refused() {
    let company = Company::serve(|config, _| config.plan_timeout_ms = 3_000).await;
    let client = company.driver().await;
    let chain = |term: &str, count| vec![term; count].join(" ");
    let mut doubling = "WITH a0 AS (SELECT 1 AS x)".to_owned();
    for level in 1..=24 {
        let below = level - 1;
        doubling
            .push_str(&format!(", a{level} AS (SELECT l.x FROM a{below} l CROSS JOIN a{below} r)"));
    }
    doubling.push_str(" SELECT count(*) FROM a24");
    let cases = [
        format!("SELECT 1 {}", chain("+ 1", 10_000)),
        format!("SELECT true {}", chain("OR true", 10_000)),
        format!("SELECT 'a' {}", chain("|| 'a'", 10_000)),
        format!("SELECT 1 {}", chain("UNION ALL SELECT 1", 10_000)),
        format!("SELECT 1 FROM (VALUES (1)) t {}", chain("CROSS JOIN (VALUES (1)) u", 1_000)),
        format!("SELECT {}1{}", "(".repeat(5_000), ")".repeat(5_000)),
        format!("SELECT '{}'", "x".repeat(300_000)),
        doubling,
    ];
    for sql in cases {
        let begun = Instant::now();
        let error = client.simple_query(&sql).await.expect_err("refused");
        let code = code(&error);
        assert!(["54000", "54001", "42601"].contains(&code.as_str()), "{code}: {error}");
        assert!(begun.elapsed() < PATIENCE, "{:.60}", sql);
        client.simple_query("SELECT 1").await.expect("the server lives");
    }
}

/// What only reads is allowed; everything else is refused, over both protocols.
const REFUSED: &[(&str, &str)] = &[
    ("INSERT INTO crm.accounts (account_id) VALUES ('x')", "42501"),
    ("UPDATE crm.accounts SET name = 'x'", "42501"),
    ("DELETE FROM crm.accounts", "42501"),
    ("TRUNCATE crm.accounts", "42501"),
    ("CREATE TABLE t (a int)", "42501"),
    ("CREATE TABLE t AS SELECT 1 AS a", "42501"),
    ("SELECT 1 AS a INTO t", "42501"),
    ("CREATE VIEW v AS SELECT 1 AS a", "42501"),
    ("CREATE SCHEMA s", "42501"),
    ("CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'", "42601"),
    ("DROP TABLE crm.accounts", "42501"),
    ("ALTER TABLE crm.accounts ADD COLUMN x int", "42501"),
    ("COPY crm.accounts TO '/tmp/accounts.csv'", "42501"),
    ("COPY crm.accounts FROM '/etc/passwd'", "42501"),
    ("EXPLAIN ANALYZE COPY (SELECT 1) TO '/tmp/one.csv'", "42501"),
    ("WITH gone AS (DELETE FROM crm.accounts RETURNING account_id) SELECT * FROM gone", "42501"),
    ("GRANT ALL ON crm.accounts TO public", "42501"),
    ("VACUUM", "42501"),
    ("SET datafusion.runtime.memory_limit = '900G'", "42704"),
    ("SET datafusion.execution.batch_size = 1", "42704"),
    ("SELECT * FROM '/etc/passwd'", "42P01"),
    ("SELECT * FROM 'file:///etc/passwd'", "42P01"),
];

#[tokio::test(flavor = "multi_thread")]
async fn statements_that_do_not_only_read_are_refused() {
    let company = Company::serve(|_, _| {}).await;
    let client = company.driver().await;
    for (sql, sqlstate) in REFUSED {
        let error = client.simple_query(sql).await.expect_err(sql);
        assert_eq!(&code(&error), sqlstate, "simple: {sql}");
        let error = client.execute(*sql, &[]).await.expect_err(sql);
        assert_eq!(&code(&error), sqlstate, "extended: {sql}");
        let prepared = format!("PREPARE p AS {sql}");
        assert!(client.simple_query(&prepared).await.is_err(), "PREPARE: {sql}");
    }
}

async fn show(client: &tokio_postgres::Client, name: &str) -> String {
    let answer = client.simple_query(&format!("SHOW {name}")).await.expect("shows");
    let value = answer.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    });
    value.expect("a row")
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_share_no_settings_and_transactions_have_theirs() {
    let company = Company::serve(|_, _| {}).await;
    let (one, other) = (company.driver().await, company.driver().await);
    one.simple_query("SET TimeZone = 'Asia/Kathmandu'").await.expect("set");
    one.simple_query("SET runrate.as_of = '2026-03-31'").await.expect("set");
    assert_eq!(show(&one, "timezone").await, "Asia/Kathmandu");
    assert_eq!(show(&other, "timezone").await, "UTC");
    assert_eq!(show(&other, "runrate.as_of").await, "");
    one.simple_query("BEGIN; SET LOCAL TimeZone = 'Europe/Madrid'").await.expect("set");
    assert_eq!(show(&one, "timezone").await, "Europe/Madrid");
    one.simple_query("COMMIT").await.expect("commits");
    assert_eq!(show(&one, "timezone").await, "Asia/Kathmandu");
    one.simple_query("BEGIN; SET TimeZone = 'Europe/Madrid'; ROLLBACK").await.expect("undone");
    assert_eq!(show(&one, "timezone").await, "Asia/Kathmandu");
    // A failed transaction takes nothing but its end.
    one.simple_query("BEGIN").await.expect("begins");
    let error =
        one.simple_query("SELECT no_such_column FROM crm.accounts").await.expect_err("none");
    assert_eq!(code(&error), "42703");
    assert_eq!(code(&one.simple_query("SELECT 1").await.expect_err("failed")), "25P02");
    one.simple_query("ROLLBACK").await.expect("ends");
    one.simple_query("SELECT 1").await.expect("usable");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_fails_up_to_its_sync_and_no_further() {
    let company = Company::serve(|_, _| {}).await;
    let mut raw = Raw::logged_in(company.address).await;
    let parse = |sql: &str| message(b'P', format!("\0{sql}\0\0\0").as_bytes());
    let bind = message(b'B', &[0; 8]);
    let execute = message(b'E', &[0; 5]);
    let sync = message(b'S', b"");
    let mut bytes = vec![];
    for sql in ["SELECT 1", "SELECT 1/0", "SELECT 3"] {
        bytes.extend_from_slice(&parse(sql));
        bytes.extend_from_slice(&bind);
        bytes.extend_from_slice(&execute);
    }
    bytes.extend_from_slice(&sync);
    bytes.extend_from_slice(&parse("SELECT 4"));
    bytes.extend_from_slice(&bind);
    bytes.extend_from_slice(&execute);
    bytes.extend_from_slice(&sync);
    raw.send(&bytes).await;
    let first = raw.until(b'Z').await;
    assert_eq!(faults(&first), [("ERROR".to_owned(), "22012".to_owned())]);
    assert_eq!(first.iter().filter(|m| m.kind == b'C').count(), 1, "one statement of three");
    let second = raw.until(b'Z').await;
    assert!(second.iter().any(|m| m.kind == b'D' && m.body.ends_with(b"4")));
}

#[tokio::test(flavor = "multi_thread")]
async fn portals_give_rows_in_parts() {
    let company = Company::serve(|_, _| {}).await;
    let mut client = company.driver().await;
    let transaction = client.transaction().await.expect("begins");
    let portal = transaction
        .bind("SELECT value FROM generate_series(1, 10) g(value) ORDER BY value", &[])
        .await
        .expect("binds");
    let mut parts = vec![];
    loop {
        let rows = transaction.query_portal(&portal, 4).await.expect("rows");
        if rows.is_empty() {
            break;
        }
        parts.push(rows.iter().map(|row| row.get::<_, i32>(0)).collect::<Vec<_>>());
    }
    assert_eq!(parts, [vec![1, 2, 3, 4], vec![5, 6, 7, 8], vec![9, 10]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_connections_are_told_so() {
    let company = Company::serve(|config, _| {
        (config.connections_max, config.connections_admin_reserved) = (2, 0);
    })
    .await;
    let (_one, _other) = (company.driver().await, company.driver().await);
    let config = company.connection(PASSWORD);
    let error = tokio_postgres::connect(&config, NoTls).await.err().expect("full");
    assert_eq!(code(&error), "53300");
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_say_what_is_wrong_and_nothing_of_the_machine() {
    let company = Company::serve(|_, _| {}).await;
    let client = company.driver().await;
    let lake = company.engine.config().lake.clone();
    for (sql, sqlstate) in [
        ("SELEC 1", "42601"),
        ("SELECT * FROM crm.nothing", "42P01"),
        ("SELECT nothing FROM crm.accounts", "42703"),
        ("SELECT nothing(1)", "42883"),
        ("SELECT 1/0", "22012"),
        ("SELECT 'x'::int", "22P02"),
        ("SELECT lead_score(200, 1)", "22023"),
        ("SELECT lead_score(1)", "42883"),
        ("SELECT account_id, count(*) FROM crm.accounts", "42803"),
        ("SHOW no.such_setting", "42704"),
        ("EXECUTE nothing", "26000"),
    ] {
        let error = client.simple_query(sql).await.expect_err(sql);
        let told = error.as_db_error().expect("from the server");
        assert_eq!(told.code().code(), sqlstate, "{sql}: {}", told.message());
        for word in [lake.as_str(), "DataFusion", "bug report", "backtrace", "/root", "Execution"] {
            assert!(!told.message().contains(word), "{sql}: {}", told.message());
        }
        let first = told.message().chars().next().expect("a message");
        assert!(!first.is_uppercase(), "{}", told.message());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn explain_does_not_say_where_the_lake_is() {
    let company = Company::open().await;
    let client = company.driver().await;
    let lake = company.engine.config().lake.trim_start_matches('/').to_owned();
    for explain in ["EXPLAIN", "EXPLAIN ANALYZE", "EXPLAIN VERBOSE"] {
        let sql = format!("{explain} SELECT name FROM crm.accounts WHERE name > 'A'");
        let mut text = String::new();
        for message in client.simple_query(&sql).await.expect(explain) {
            if let SimpleQueryMessage::Row(row) = message {
                text.extend((0..row.len()).filter_map(|at| row.get(at)));
            }
        }
        assert!(text.contains("file_groups={1 group}"), "{explain}: {text}");
        assert!(!text.contains(&lake), "{explain}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn copy_sends_text_csv_and_binary() {
    use futures::TryStreamExt;
    let company = Company::serve(|_, _| {}).await;
    let client = company.driver().await;
    let copied = async |sql: &str| -> Vec<u8> {
        let parts: Vec<bytes::Bytes> =
            client.copy_out(sql).await.expect(sql).try_collect().await.expect(sql);
        parts.concat()
    };
    let rows = "(SELECT * FROM (VALUES (1, 'a,b'), (2, NULL)) AS t(n, s) ORDER BY n)";
    assert_eq!(copied(&format!("COPY {rows} TO STDOUT")).await, b"1\ta,b\n2\t\\N\n");
    let csv = format!("COPY {rows} TO STDOUT WITH (FORMAT csv, HEADER)");
    assert_eq!(copied(&csv).await, b"n,s\n1,\"a,b\"\n2,\n");
    let binary = copied(&format!("COPY {rows} TO STDOUT (FORMAT binary)")).await;
    assert!(binary.starts_with(b"PGCOPY\n\xff\r\n\0") && binary.ends_with(&[0xff, 0xff]));
    let none = copied("COPY (SELECT 1 WHERE false) TO STDOUT (FORMAT binary)").await;
    assert_eq!(none.len(), 21);
    for (sql, state) in [
        ("COPY (SELECT 1) TO STDOUT (FORMAT excel)", "22023"),
        ("COPY (SELECT 1) TO STDOUT (QUOTE 'x')", "0A000"),
        ("COPY (SELECT 1) TO '/tmp/one.csv'", "42501"),
        ("COPY crm.accounts FROM STDIN", "42501"),
        ("COPY (DELETE FROM crm.accounts) TO STDOUT", "42501"),
    ] {
        assert_eq!(code(&client.simple_query(sql).await.expect_err(sql)), state, "{sql}");
    }
    client.simple_query("SELECT 1").await.expect("usable");
}

#[tokio::test(flavor = "multi_thread")]
async fn cursors_go_forward_and_end_with_their_transaction() {
    let company = Company::serve(|_, _| {}).await;
    let client = company.driver().await;
    let rows = async |sql: &str| -> Vec<String> {
        let messages = client.simple_query(sql).await.expect(sql);
        let row = |message: SimpleQueryMessage| match message {
            SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        };
        messages.into_iter().filter_map(row).collect()
    };
    let declare = "CURSOR FOR SELECT value FROM generate_series(1, 20000) g(value) ORDER BY value";
    let refused = client.simple_query(&format!("DECLARE c {declare}")).await.expect_err("no block");
    assert_eq!(code(&refused), "25P01");
    rows(&format!("BEGIN; DECLARE c {declare}")).await;
    assert_eq!(rows("FETCH 2 FROM c").await, ["1", "2"]);
    rows("MOVE 10000 IN c").await;
    assert_eq!(rows("FETCH NEXT FROM c").await, ["10003"]);
    assert_eq!(rows("FETCH ABSOLUTE 7 FROM c").await, ["7"]);
    rows("MOVE BACKWARD ALL IN c").await;
    assert_eq!(rows("FETCH ALL FROM c").await.len(), 20_000);
    assert!(rows("FETCH c").await.is_empty());
    // By the extended protocol too, with a parameter.
    client.execute("DECLARE d CURSOR FOR SELECT $1::int + 1 AS n", &[&41_i32]).await.expect("d");
    let found = client.query("FETCH 1 FROM d", &[]).await.expect("fetched");
    assert_eq!(found[0].get::<_, i32>(0), 42);
    let error = client.simple_query("FETCH BACKWARD 1 FROM d").await.expect_err("only forward");
    assert_eq!(code(&error), "55000");
    rows("ROLLBACK").await;
    let error = client.simple_query("FETCH c").await.expect_err("gone");
    assert_eq!(code(&error), "34000");
    rows("BEGIN; DECLARE h CURSOR WITH HOLD FOR SELECT 5; COMMIT").await;
    assert_eq!(rows("FETCH h").await, ["5"]);
    rows("CLOSE h").await;
    let error = client.simple_query("DECLARE w CURSOR WITH HOLD FOR DELETE FROM crm.accounts");
    assert!(["42501", "42601"].contains(&code(&error.await.expect_err("writes")).as_str()));
}
