//! From the first signal to the last: draining, reloading, health.

use std::time::{Duration, Instant};

use runrate::config::Config;
use runrate::server::roles;
use tokio::io::AsyncReadExt;
use tokio_postgres::NoTls;
use tokio_postgres::error::SqlState;

use crate::child::{Served, get};
use crate::harness::{PASSWORD, PATIENCE, ROLE, until, until_another_runs};
use crate::raw::{Raw, ssl_request};
use crate::wire_login::{certify, connector};

/// Computes for minutes, and reads nothing.
const LONG: &str = "SELECT count(*) FROM generate_series(1, 100000) a(value) \
                    CROSS JOIN generate_series(1, 100000) b(value) WHERE a.value::int8 * b.value % 7 = 3";

#[tokio::test(flavor = "multi_thread")]
async fn at_the_first_signal_what_runs_may_end() {
    let mut served = Served::start(&[]);
    let client = served.client(ROLE).await;
    let idle = served.client(ROLE).await;
    assert!(served.get("/readyz").starts_with("HTTP/1.1 200"));
    let slow = client.simple_query("SELECT count(*) FROM generate_series(1, 20000000)");
    let stopping = async {
        until_another_runs(&idle).await;
        served.signal("TERM");
        // It is not ready, or already gone.
        let is_ready = || get(served.http, "/readyz").is_some_and(|a| a.contains(" 200 "));
        until("not ready", async || (!is_ready()).then_some(())).await;
        let connect = async || tokio::net::TcpStream::connect(served.address).await;
        until("nobody new is taken", async || connect().await.err()).await;
        idle.simple_query("SELECT 1").await.expect_err("nothing new is begun");
    };
    let (counted, ()) = tokio::join!(slow, stopping);
    counted.expect("what ran came to its end");
    assert_eq!(served.ended(PATIENCE), Some(0));
    let audit = served.audit();
    assert!(audit.ends_with('\n') && audit.contains("\"event\":\"stop\""), "{audit}");
    assert!(audit.contains("generate_series"), "what ran is written down");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_end_in_time_is_ended_and_a_second_signal_does_not_wait() {
    for (drain_ms, signals) in [("1000", 1), ("60000", 2)] {
        let mut served = Served::start(&[("drain_timeout_ms", drain_ms)]);
        let (client, watcher) = (served.client(ROLE).await, served.client(ROLE).await);
        let stopping = async {
            until_another_runs(&watcher).await;
            for _ in 0..signals {
                served.signal("TERM");
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
            Instant::now()
        };
        let (stopped, begun) = tokio::join!(client.simple_query(LONG), stopping);
        let error = stopped.expect_err("ended");
        assert_eq!(error.code().map(SqlState::code), Some("57P01"), "{error:?}");
        assert_eq!(served.ended(PATIENCE), Some(0));
        assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
        assert!(served.audit().contains("\"sqlstate\":\"57P01\""));
    }
}

/// Whether a client that trusts `pem` alone gets an encrypted connection.
async fn trusts(served: &Served, pem: &str) -> bool {
    let mut raw = Raw::connect(served.address).await;
    raw.send(&ssl_request()).await;
    assert_eq!(raw.0.read_u8().await.expect("an answer"), b'S');
    connector(pem).connect("localhost".try_into().expect("a name"), raw.0).await.is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_and_certificates_are_read_again_and_bad_ones_are_not_taken() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut config = Config::default();
    let first = certify(folder.path(), &mut config);
    let (chain, key) = (folder.path().join("chain.pem"), folder.path().join("key.pem"));
    let (chain, key) = (chain.to_string_lossy().into_owned(), key.to_string_lossy().into_owned());
    let served = Served::start_in(folder, &[("tls_certificate", &chain), ("tls_key", &key)]);
    let open = served.client(ROLE).await;
    assert!(trusts(&served, &first).await);
    let reload = async |wanted: usize| {
        served.signal("HUP");
        let count = || served.audit().matches("\"event\":\"reload\"").count();
        until("a reload", async || (count() >= wanted).then_some(())).await;
    };
    let second = certify(served.folder.path(), &mut config);
    roles::add(&served.folder.path().join("lake/_roles"), "late", PASSWORD).expect("a role");
    assert!(trusts(&served, &first).await, "not before the signal");
    reload(1).await;
    assert!(trusts(&served, &second).await && !trusts(&served, &first).await);
    served.client("late").await.simple_query("SELECT 1").await.expect("a new role");
    open.simple_query("SELECT 1").await.expect("who was there stays");
    std::fs::write(&chain, "no certificate").expect("written");
    reload(2).await;
    assert!(trusts(&served, &second).await, "the old one stays");
    assert!(served.audit().contains("\"is_ok\":false"));
    assert!(served.log().contains("cannot be read again"), "{}", served.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ingest_did_is_in_the_metrics() {
    let company = crate::harness::Company::open().await;
    let text = get(company.http, "/metrics").expect("an answer");
    let row = "runrate_ingest_rows_total{source=\"template\",outcome=\"loaded\"} ";
    let loaded = text.lines().find_map(|line| line.strip_prefix(row)).expect("a line");
    assert!(loaded.parse::<f64>().expect("a number") > 50.0, "{loaded}");
    let end = "runrate_ingest_batch_timestamp_seconds{source=\"template\"} ";
    let end = text.lines().find_map(|line| line.strip_prefix(end)).expect("a line");
    assert!(end.parse::<f64>().expect("seconds") > 1.7e9, "{end}");
    assert!(text.contains("runrate_table_version{table=\"crm.accounts\"}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_have_their_names() {
    let served = Served::start(&[]);
    let client = served.client(ROLE).await;
    client.simple_query("SELECT count(*) FROM generate_series(1, 10)").await.expect("answered");
    client.simple_query("SELECT nothing").await.expect_err("no column");
    let wrong = format!(
        "host=127.0.0.1 port={} user={ROLE} password=wrong dbname=runrate",
        served.address.port()
    );
    assert!(tokio_postgres::connect(&wrong, NoTls).await.is_err());
    let text = served.get("/metrics");
    for wanted in [
        "runrate_build_info{version=",
        "runrate_connections{state=\"logged_in\"} 1",
        "runrate_connections{state=\"opening\"} 0",
        "runrate_logins_total{result=\"ok\"} 1",
        "runrate_logins_total{result=\"failed\"} 1",
        "runrate_queries_total{role=\"slt\",status=\"ok\"} 1",
        "runrate_queries_total{role=\"slt\",status=\"error\"} 1",
        "runrate_query_duration_seconds_bucket{role=\"slt\",phase=\"exec\",le=\"+Inf\"} 2",
        "runrate_query_duration_seconds_sum{role=\"slt\",phase=\"queue\"}",
        "runrate_query_queue_depth 0",
        "runrate_memory_pool_bytes ",
        "runrate_spill_bytes_total 0",
        "runrate_rows_returned_total 1",
        "# TYPE runrate_ingest_rows_total counter",
        "# TYPE runrate_ingest_batch_timestamp_seconds gauge",
        "# TYPE runrate_table_version gauge",
        "runrate_panics_total 0",
        "process_resident_memory_bytes ",
        "process_cpu_seconds_total ",
        "process_open_fds ",
        "process_start_time_seconds ",
    ] {
        assert!(text.contains(&format!("\n{wanted}")), "{wanted} in {text}");
    }
}
