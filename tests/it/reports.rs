//! Reports as tables, and commits of one process seen by another.

use std::sync::Arc;

use runrate::ingest::{Request, Silent, ingest};
use runrate::reports;
use runrate::session::Engine;

use crate::harness::{Company, until};

#[tokio::test(flavor = "multi_thread")]
async fn every_report_becomes_a_table_and_is_served_without_a_restart() {
    let company = Company::open().await;
    // As `runrate materialize` beside `runrate serve`: an engine of its own on the same lake.
    let reports = reports::load().expect("sound");
    let config = company.engine.config().clone();
    let other = Engine::open(config, reports.views, reports.functions).await.expect("opens");
    let names = ["collect.win_loss", "demand.bookings_quarter"];
    for name in names {
        let outcome = reports::materialize(&other, Some(name), None).await.expect("runs");
        assert_eq!((outcome.reports.len(), outcome.failures()), (1, 0), "{outcome}");
    }
    let client = company.driver().await;
    let sql = "SELECT count(*) FROM mart.demand_bookings_quarter WHERE as_of = DATE '2026-05-15'";
    let row = until("the report", async || client.query_one(sql, &[]).await.ok()).await;
    assert_eq!(row.get::<_, i64>(0), 1, "never without its rows");
    // Written again for another day, the table holds that day only.
    let day = "2026-03-31".parse().expect("a day");
    let outcome = reports::materialize(&other, Some(names[1]), Some(day)).await.expect("runs");
    assert_eq!(outcome.failures(), 0, "{outcome}");
    let error = reports::materialize(&other, Some("collect.nothing"), None).await;
    assert_eq!(error.expect_err("no such report").sqlstate(), "42P01");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_reads_one_snapshot_while_others_commit() {
    let company = Company::open().await;
    let client = company.driver().await;
    let count = "SELECT count(*) FROM crm.accounts";
    let counted = async || client.query_one(count, &[]).await.expect("counts").get::<_, i64>(0);
    client.simple_query("BEGIN").await.expect("begins");
    assert_eq!(counted().await, 2);
    let file = tempfile::tempdir().expect("a folder");
    let path = file.path().join("accounts.csv");
    std::fs::write(&path, "account_id,name,created_at\ncora,Cora Cafe,2026-05-01T00:00:00Z\n")
        .expect("writes");
    let request = Request::crm("template".to_owned(), vec![path]);
    ingest(&company.engine, &request, Arc::new(Silent)).await.expect("loads");
    company.engine.refresh().await.expect("refreshes");
    assert_eq!(counted().await, 2, "the snapshot of the transaction");
    client.simple_query("COMMIT").await.expect("commits");
    assert_eq!(counted().await, 3);
}
