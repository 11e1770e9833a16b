//! Reads of the lake as it was.

use chrono::{DateTime, SecondsFormat, Utc};
use futures::TryStreamExt;

use crate::ingest::Bench;

/// The only value of `sql` for a session that reads the lake at `instant`.
async fn at(bench: &Bench, instant: &str, sql: &str) -> String {
    let session = bench.engine.session("test");
    session.set("runrate.lake_at", instant).expect("an instant");
    let rows: Vec<_> = session.query(sql).await.expect("plans").try_collect().await.expect("runs");
    let column = rows.iter().find(|rows| rows.num_rows() > 0).expect("a row").column(0).clone();
    datafusion::arrow::util::display::array_value_to_string(&column, 0).expect("a text")
}

fn text(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(SecondsFormat::Millis, true)
}

#[tokio::test]
async fn a_session_can_read_the_tables_as_they_were() {
    let bench = Bench::new().await;
    let before = text(Utc::now());
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    let products = "product_id,name\na,Alpha\n";
    bench.crm("template", bench.write("1/products.csv", products)).await;
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    let between = text(Utc::now());
    let products = "product_id,name\na,Beta\nb,Gamma\n";
    bench.crm("template", bench.write("2/products.csv", products)).await;
    let names = "SELECT coalesce(string_agg(name, ' ' ORDER BY name), 'none') FROM crm.products";
    assert_eq!(at(&bench, &before, names).await, "none", "there was no table yet");
    assert_eq!(at(&bench, &between, names).await, "Alpha");
    assert_eq!(at(&bench, &between.replace('T', " "), names).await, "Alpha");
    assert_eq!(at(&bench, "", names).await, "Beta Gamma");
    let session = bench.engine.session("test");
    for wrong in ["yesterday", "2026-01-01", "2026-01-01 10:00:00"] {
        let error = session.set("runrate.lake_at", wrong).expect_err(wrong);
        assert_eq!(error.sqlstate(), "22023", "{wrong}");
    }
}
