//! What is written down, and what others see: the audit file, `ops.queries`, `ops.sessions`.

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use runrate::server::roles;
use serde_json::Value;
use tokio_postgres::error::SqlState;

use crate::child::{Served, get};
use crate::harness::{Company, PASSWORD, PATIENCE, ROLE, until};
use crate::raw::{Raw, faults, startup};

/// Computes for minutes, and reads nothing.
const LONG: &str = "SELECT count(*) FROM generate_series(1, 100000) a(value) \
                    CROSS JOIN generate_series(1, 100000) b(value) WHERE a.value::int8 * b.value % 7 = 3";

fn code(error: &tokio_postgres::Error) -> String {
    error.code().map_or("none", SqlState::code).to_owned()
}

async fn client_of(company: &Company, role: &str) -> tokio_postgres::Client {
    let config = company.connection(PASSWORD).replace(ROLE, role);
    let connected = tokio_postgres::connect(&config, tokio_postgres::NoTls).await;
    let (client, connection) = connected.expect("a connection");
    tokio::spawn(connection);
    client
}

/// Lines of the audit file, once one of them holds `mark`.
async fn lines(company: &Company, mark: &str) -> Vec<Value> {
    let path = company.engine.config().audit_path();
    let text = || std::fs::read_to_string(&path).unwrap_or_default();
    let text = until(mark, async || Some(text()).filter(|text| text.contains(mark))).await;
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_statement_and_login_is_a_line_without_values() {
    let company = Company::open().await;
    let mut raw = Raw::connect(company.address).await;
    raw.send(&startup(ROLE, "runrate")).await;
    raw.scram("canary password").await;
    assert_eq!(faults(&raw.rest().await)[0].1, "28P01");
    let client = company.driver().await;
    client.simple_query("SET application_name = 'auditor'").await.expect("set");
    client
        .simple_query(
            "WITH w AS (SELECT * FROM crm.accounts) SELECT name FROM w WHERE name <> 'canary'",
        )
        .await
        .expect("answered");
    client
        .query("SELECT count(*) FROM demand.bookings_quarter WHERE $1 <> 'x'", &[&"canary"])
        .await
        .expect("ok");
    client.simple_query("SELECT 'canary' FROM crm.no_such_table").await.expect_err("none");
    client.simple_query("SELEC 'canary'").await.expect_err("syntax");
    client.simple_query("BEGIN; SELECT CAST('canary' AS int) -- canary").await.expect_err("no int");
    client.simple_query("ROLLBACK").await.expect("ends");
    let lines = lines(&company, "\"text\":\"ROLLBACK\"").await;
    let path = company.engine.config().audit_path();
    assert_eq!(std::fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o600);
    let whole = std::fs::read_to_string(&path).expect("text");
    assert!(!whole.contains("canary"), "{whole}");
    let of = |event: &str| lines.iter().filter(|l| l["event"] == event).collect::<Vec<_>>();
    let logins: Vec<_> = of("login").iter().map(|l| l["result"].clone()).collect();
    assert_eq!(logins, ["failed", "ok"]);
    let said: Vec<(&str, &str)> = of("statement")
        .iter()
        .map(|l| (l["text"].as_str().expect("text"), l["sqlstate"].as_str().expect("a state")))
        .collect();
    assert_eq!(
        said,
        [
            ("SET application_name = ?", "00000"),
            ("WITH w AS (SELECT * FROM crm.accounts) SELECT name FROM w WHERE name <> ?", "00000"),
            ("SELECT count(*) FROM demand.bookings_quarter WHERE $1 <> ?", "00000"),
            ("SELECT ? FROM crm.no_such_table", "42P01"),
            ("SELEC ?", "42601"),
            ("BEGIN", "00000"),
            ("SELECT CAST(? AS INT)", "22P02"),
            ("ROLLBACK", "00000"),
        ]
    );
    let query = of("statement")[1];
    assert_eq!((&query["role"], &query["application_name"]), (&ROLE.into(), &"auditor".into()));
    assert_eq!(query["relations"], serde_json::json!(["crm.accounts"]));
    let columns = query["columns"].as_array().expect("columns");
    assert!(columns.contains(&"crm.accounts.name".into()), "{columns:?}");
    assert!(query["rows"].as_u64().expect("rows") > 0 && query["bytes"].as_u64() > Some(0));
    assert!(query["client"].as_str().expect("an address").starts_with("127.0.0.1:"));
    for name in ["plan_ms", "queue_ms", "exec_ms", "peak_mem_bytes", "spill_bytes"] {
        assert!(query[name].is_number(), "{name}");
    }
    // A view is named as it was, with the columns of the tables below it.
    let view = of("statement")[2];
    assert_eq!(view["relations"], serde_json::json!(["demand.bookings_quarter"]));
    let columns = view["columns"].to_string();
    assert!(columns.contains("crm.opportunities."), "{columns}");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_nothing_can_be_written_down_nothing_runs() {
    for is_required in [true, false] {
        let company = Company::serve(|config, folder| {
            config.audit_file = Some(folder.join("audit/audit.jsonl"));
            config.audit_required = is_required;
        })
        .await;
        let client = company.driver().await;
        client.simple_query("SELECT 1").await.expect("written down");
        let audit = company.engine.config().audit_path();
        let folder = audit.parent().expect("a folder");
        std::fs::remove_dir_all(folder).expect("removed");
        // A file in the place of its folder.
        std::fs::write(folder, "").expect("written");
        let begun = Instant::now();
        let limit = if is_required { PATIENCE } else { Duration::from_secs(4) };
        let outcome = loop {
            let outcome = client.simple_query("SELECT 1").await;
            if outcome.is_err() || begun.elapsed() > limit {
                break outcome;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        let ready = get(company.http, "/readyz").expect("an answer");
        if !is_required {
            outcome.expect("allowed to go on");
            assert!(ready.starts_with("HTTP/1.1 200"), "{ready}");
            continue;
        }
        assert_eq!(code(&outcome.expect_err("refused")), "58030");
        assert!(ready.starts_with("HTTP/1.1 503") && ready.contains("audit"), "{ready}");
        std::fs::remove_file(folder).expect("removed");
        std::fs::create_dir(folder).expect("made");
        until("taken again", async || client.simple_query("SELECT 1").await.ok()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_see_and_stop_those_of_their_role_only() {
    let company = Company::serve(|_, _| {}).await;
    roles::add(&company.engine.config().roles_path(), "other", PASSWORD).expect("a role");
    let (busy, watcher) = (company.driver().await, company.driver().await);
    let other = client_of(&company, "other").await;
    let row = busy.query_one("SELECT pg_backend_pid()", &[]).await.expect("a number");
    let process: i32 = row.get(0);
    let watching = async {
        let running = format!(
            "SELECT q.query, q.state, s.state FROM ops.queries q JOIN ops.sessions s USING (pid) \
             WHERE q.pid = {process} AND q.ended_at IS NULL"
        );
        let found = until("it runs", async || {
            let rows = watcher.query(&running, &[]).await.expect("answered");
            rows.first().map(|row| (row.get::<_, String>(0), row.get::<_, String>(2)))
        });
        let found = found.await;
        assert!(found.0.contains("generate_series(?...) a(value) CROSS JOIN"), "{}", found.0);
        assert_eq!(found.1, "active");
        let seen = other.query("SELECT DISTINCT role FROM ops.queries", &[]).await.expect("ok");
        assert!(seen.iter().all(|row| row.get::<_, &str>(0) == "other"), "{seen:?}");
        let seen = other.query("SELECT pid FROM ops.sessions", &[]).await.expect("ok");
        assert_eq!(seen.len(), 1);
        let cancel = format!("SELECT pg_cancel_backend({process})");
        let refused = other.simple_query(&cancel).await.expect_err("another role's");
        assert_eq!(code(&refused), "42501");
        let none = other.query_one("SELECT pg_cancel_backend(1234567)", &[]).await.expect("none");
        assert!(!none.get::<_, bool>(0));
        let done = watcher.query_one(&cancel, &[]).await.expect("its own role's");
        assert!(done.get::<_, bool>(0));
    };
    let (stopped, ()) = tokio::join!(busy.simple_query(LONG), watching);
    assert_eq!(code(&stopped.expect_err("cancelled")), "57014");
    busy.simple_query("SELECT 1").await.expect("the session goes on");
    let row = watcher
        .query_one(
            "SELECT state, sqlstate, exec_ms FROM ops.queries WHERE query LIKE '%CROSS JOIN%' \
             AND query NOT LIKE '%ops.%' ORDER BY query_id DESC LIMIT 1",
            &[],
        )
        .await
        .expect("remembered");
    assert_eq!((row.get::<_, &str>(0), row.get::<_, &str>(1)), ("failed", "57014"));
    assert!(row.get::<_, f64>(2) > 0.0);
    let end = format!("SELECT pg_terminate_backend({process})");
    watcher.simple_query(&end).await.expect("ended");
    until("its end", async || busy.simple_query("SELECT 1").await.err()).await;
    let lines = lines(&company, "\"event\":\"terminate\"").await;
    assert!(lines.iter().any(|line| line["event"] == "cancel"));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_value_and_no_password_is_in_any_log() {
    let served = Served::start(&[("log_format", "json")]);
    let client = served.client(ROLE).await;
    client.simple_query("SELECT 'canary'::int").await.expect_err("no number");
    client.query("SELECT length($1)", &[&"canary"]).await.expect("answered");
    client.simple_query("SELECT 'canary").await.expect_err("no end");
    client.simple_query("SELECT 1/0, 'canary'").await.expect_err("division");
    let log = served.log();
    assert!(log.contains("\"query\""), "something is logged: {log}");
    let audit = served.audited("\"sqlstate\":\"22012\"").await;
    for secret in ["canary", PASSWORD, "StoredKey"] {
        assert!(!log.contains(secret) && !audit.contains(secret), "{secret}: {log}");
    }
}
