//! Limits of connections, turns, results, messages and time.

use std::time::{Duration, Instant};

use tokio_postgres::NoTls;
use tokio_postgres::error::SqlState;

use crate::harness::{Company, PASSWORD, until};
use crate::raw::{Raw, faults, message, query, ssl_request, startup};
use tokio::io::AsyncReadExt;

/// Computes for minutes, and reads nothing.
const LONG: &str = "SELECT count(*) FROM generate_series(1, 100000) a(value) \
                    CROSS JOIN generate_series(1, 100000) b(value) WHERE a.value::int8 * b.value % 7 = 3";

fn code(error: &tokio_postgres::Error) -> String {
    error.code().map_or("none", SqlState::code).to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_server_says_so_and_still_takes_cancels() {
    let company = Company::serve(|config, _| {
        config.connections_max = 3;
        config.connections_admin_reserved = 1;
    })
    .await;
    let client = company.driver().await;
    let token = client.cancel_token();
    let mut silent = [Raw::connect(company.address).await, Raw::connect(company.address).await];
    tokio::time::sleep(Duration::from_millis(100)).await;
    // Full: the answer comes where a driver expects it, after the question of encryption.
    let mut raw = Raw::connect(company.address).await;
    raw.send(&ssl_request()).await;
    assert_eq!(raw.0.read_u8().await.expect("an answer"), b'N');
    raw.send(&startup(crate::harness::ROLE, "runrate")).await;
    let answer = raw.rest().await;
    assert_eq!(faults(&answer), [("FATAL".to_owned(), "53300".to_owned())]);
    let connected = tokio_postgres::connect(&company.connection(PASSWORD), NoTls).await;
    let Err(error) = connected else { panic!("a full server took one more") };
    assert_eq!(code(&error), "53300");
    // What comes before the query runs stops nothing.
    let cancelling = async {
        loop {
            tokio::time::sleep(Duration::from_millis(300)).await;
            token.cancel_query(NoTls).await.expect("cancels");
        }
    };
    let stopped = tokio::select! {
        stopped = client.simple_query(LONG) => stopped,
        () = cancelling => unreachable!(),
    };
    assert_eq!(code(&stopped.expect_err("cancelled")), "57014");
    // One is left free again, but it is kept for admins.
    drop(std::mem::replace(&mut silent[0], Raw::connect(company.address).await));
    client.simple_query("SELECT 1").await.expect("who is in stays in");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_over_at_once_waits_for_nobody() {
    let company = Company::serve(|config, _| {
        config.queries_running_max = 1;
        config.queue_timeout_ms = 400;
        config.statement_timeout_ms = 120_000;
    })
    .await;
    let (busy, client) = (company.driver().await, company.driver().await);
    let token = busy.cancel_token();
    let asking = async {
        let ask = async || client.simple_query("SELECT count(*) FROM crm.accounts").await.err();
        until("the one turn is taken", ask).await;
        for sql in [
            "SELECT 1",
            "SHOW server_version",
            "SELECT count(*) FROM pg_catalog.pg_class",
            "SELECT n.nspname, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n \
             ON n.oid = c.relnamespace",
            "SELECT count(*) FROM information_schema.tables",
        ] {
            client.simple_query(sql).await.expect(sql);
        }
        // What reads or makes rows has to wait, and is told so.
        for sql in [
            "SELECT count(*) FROM crm.accounts",
            "SELECT count(*) FROM generate_series(1, 10)",
            "SELECT * FROM (VALUES (1), (2)) a CROSS JOIN (VALUES (1)) b",
            "SELECT unnest(ARRAY[1, 2])",
        ] {
            let refused = client.simple_query(sql).await.expect_err(sql);
            assert_eq!(code(&refused), "53400", "{sql}");
        }
        token.cancel_query(NoTls).await.expect("cancels");
    };
    let (stopped, ()) = tokio::join!(busy.simple_query(LONG), asking);
    assert_eq!(code(&stopped.expect_err("cancelled")), "57014");
    client.simple_query("SELECT count(*) FROM crm.accounts").await.expect("its turn");
}

#[tokio::test(flavor = "multi_thread")]
async fn short_queries_go_between_the_rows_of_an_export() {
    let company = Company::serve(|config, _| config.queries_running_max = 1).await;
    let (exporting, client) = (company.driver().await, company.driver().await);
    let export = tokio::spawn(async move {
        let sql = "SELECT value, md5(value::text) FROM generate_series(1, 3000000) g(value)";
        let rows = exporting.query_raw(sql, Vec::<i32>::new()).await.expect("begins");
        let begun = Instant::now();
        let rows = futures::StreamExt::fold(rows, 0_u64, |count, row| async move {
            row.expect("a row");
            count + 1
        });
        (rows.await, begun.elapsed())
    });
    tokio::time::sleep(Duration::from_millis(500)).await;
    let (mut count, mut slowest) = (0, Duration::ZERO);
    while !export.is_finished() {
        let begun = Instant::now();
        client.simple_query("SELECT count(*) FROM generate_series(1, 100)").await.expect("a turn");
        slowest = slowest.max(begun.elapsed());
        count += 1;
    }
    let (rows, elapsed) = export.await.expect("no panic");
    assert_eq!(rows, 3_000_000);
    assert!(count > 3, "{count} short ones in {elapsed:?}");
    assert!(slowest < elapsed / 2, "{slowest:?} of {elapsed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_may_have_so_many_rows_and_bytes() {
    let company = Company::serve(|config, _| {
        config.result_rows_max = 10_000;
        config.result_bytes_max = 1 << 20;
    })
    .await;
    let client = company.driver().await;
    let fits = client.query("SELECT * FROM generate_series(1, 10000)", &[]).await;
    assert_eq!(fits.expect("as many as it may have").len(), 10_000);
    let many = "SELECT * FROM generate_series(1, 10001)";
    assert_eq!(code(&client.simple_query(many).await.expect_err("too many")), "54000");
    let wide = "SELECT repeat('x', 1000) FROM generate_series(1, 5000)";
    assert_eq!(code(&client.query(wide, &[]).await.expect_err("too wide")), "54000");
    let copied = client.copy_out(&format!("COPY ({many}) TO STDOUT")).await.expect("begins");
    let copied: Result<Vec<_>, _> = futures::TryStreamExt::try_collect(copied).await;
    assert_eq!(code(&copied.expect_err("too many")), "54000");
    // A cursor's parts are parts of one result.
    client.simple_query(&format!("BEGIN; DECLARE c CURSOR FOR {many}")).await.expect("open");
    client.simple_query("FETCH 6000 FROM c").await.expect("the first part");
    let error = client.simple_query("FETCH 6000 FROM c").await.expect_err("together too many");
    assert_eq!(code(&error), "54000");
    client.simple_query("ROLLBACK").await.expect("usable");
    let error = client.simple_query("SELECT count(*) FROM generate_series(1, 20000)").await;
    error.expect("what is only read is not counted");
}

#[tokio::test(flavor = "multi_thread")]
async fn spilled_data_has_a_limit() {
    let sort = "SELECT max(r) FROM (SELECT row_number() OVER (ORDER BY md5(value::text)) AS r \
                FROM generate_series(1, 3000000) g(value)) q";
    let company = Company::serve(|config, folder| {
        config.memory_query_bytes_max = 64 << 20;
        config.memory_pool_bytes_max = 128 << 20;
        config.spill_bytes_max = 1 << 20;
        config.spill_dir = Some(folder.join("spill"));
    })
    .await;
    let client = company.driver().await;
    let error = client.simple_query(sort).await.expect_err("too much");
    assert_eq!(code(&error), "53200");
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_sessions_and_stalled_readers_are_let_go() {
    let company = Company::serve(|config, _| {
        config.idle_timeout_ms = 4_000;
        config.idle_in_transaction_timeout_ms = 1_000;
        config.write_stall_timeout_ms = 1_000;
    })
    .await;
    let mut idle = Raw::logged_in(company.address).await;
    let mut open = Raw::logged_in(company.address).await;
    open.send(&query("BEGIN")).await;
    open.until(b'Z').await;
    let answer = open.rest().await;
    assert_eq!(faults(&answer), [("FATAL".to_owned(), "25P03".to_owned())]);
    let answer = idle.rest().await;
    assert_eq!(faults(&answer), [("FATAL".to_owned(), "57P05".to_owned())]);
    // Reads nothing of a result that does not fit into any buffer.
    let mut stalled = Raw::logged_in(company.address).await;
    stalled.send(&query("SELECT repeat('x', 1000) FROM generate_series(1, 1000000)")).await;
    let client = company.driver().await;
    until("the stalled one is let go", async || {
        let row = client.query_one("SELECT count(*) FROM ops.sessions", &[]).await.expect("ok");
        (row.get::<_, i64>(0) == 1).then_some(())
    })
    .await;
    drop(stalled);
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_texts_and_prepared_statements_have_limits() {
    let company = Company::serve(|config, _| {
        config.message_bytes_max = 65_536;
        config.statement_bytes_max = 20_000;
    })
    .await;
    let client = company.driver().await;
    let long = format!("SELECT '{}'", "x".repeat(30_000));
    assert_eq!(code(&client.simple_query(&long).await.expect_err("too long")), "54000");
    let mut raw = Raw::logged_in(company.address).await;
    raw.send(&message(b'Q', &vec![b'x'; 70_000])).await;
    assert_eq!(faults(&raw.rest().await), [("FATAL".to_owned(), "08P01".to_owned())]);
    let mut kept = vec![];
    for at in 0..256 {
        let prepared = client.prepare(&format!("SELECT {at}")).await;
        kept.push(prepared.expect("room"));
    }
    let refused = client.prepare("SELECT 256").await.expect_err("full");
    assert_eq!(code(&refused), "53400");
    drop(kept.pop());
    until("room again", async || client.prepare("SELECT 257").await.ok()).await;
}
