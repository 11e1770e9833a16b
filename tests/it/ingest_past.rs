//! Reads of the lake as it was.

use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, Utc};
use futures::TryStreamExt;
use runrate::ingest::{Request, Silent, ingest};

use crate::harness::Company;
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

#[tokio::test]
async fn one_table_of_a_statement_can_be_read_as_it_was() {
    let bench = Bench::reporting(|_| {}).await;
    let pause = std::time::Duration::from_millis(1_100);
    let before = text(Utc::now());
    tokio::time::sleep(pause).await;
    let products = "product_id,name\na,Alpha\nb,Beta\n";
    bench.crm("template", bench.write("1/products.csv", products)).await;
    tokio::time::sleep(pause).await;
    let between = text(Utc::now());
    bench.crm("template", bench.write("2/products.csv", "product_id,name\na,Omega\n")).await;
    let changed = format!(
        "SELECT o.name, n.name FROM crm.products FOR SYSTEM_TIME AS OF TIMESTAMP '{between}' o \
         JOIN crm.products n USING (product_id) WHERE o.name <> n.name"
    );
    assert_eq!(bench.query(&changed).await, ["Alpha|Omega"]);
    let own_name = format!(
        "SELECT products.name FROM products TIMESTAMP AS OF '{between}' ORDER BY products.name"
    );
    assert_eq!(bench.query(&own_name).await, ["Alpha", "Beta"]);
    let none = format!("SELECT count(*) FROM crm.products FOR SYSTEM_TIME AS OF '{before}'");
    assert_eq!(bench.query(&none).await, ["0"], "there was no table yet");
    // A view at an instant reads what the tables below it held then.
    let runs =
        format!("SELECT sum(runs_count) FROM ops.freshness FOR SYSTEM_TIME AS OF '{between}'");
    assert_eq!(bench.query(&runs).await, ["1"]);
    assert_eq!(bench.query("SELECT sum(runs_count) FROM ops.freshness").await, ["2"]);
    let session = bench.engine.session("test");
    let missing = format!("SELECT * FROM crm.nothing FOR SYSTEM_TIME AS OF '{between}'");
    let error = session.query(&missing).await.err().expect("no such table");
    assert_eq!(error.sqlstate(), "42P01", "{error}");
}

#[tokio::test]
async fn a_session_that_reads_the_past_writes_nothing() {
    let company = Company::serve_with(
        |_, _| {},
        |rights| {
            rights.owned.insert("ana".into());
        },
    )
    .await;
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/slt/company");
    let request = Request::crm("template", vec![folder]);
    ingest(&company.engine, &request, Arc::new(Silent)).await.expect("loads");
    company.engine.refresh().await.expect("refreshes");
    let client = company.driver().await;
    client.batch_execute("CREATE TABLE ana.notes (n bigint)").await.expect("writes now");
    client.batch_execute("SET runrate.lake_at = '2026-01-01T00:00:00Z'").await.expect("goes back");
    for sql in [
        "INSERT INTO ana.notes VALUES (1)",
        "CREATE TABLE ana.others (n bigint)",
        "DROP TABLE ana.notes",
        "DELETE FROM ana.notes",
    ] {
        let error = client.batch_execute(sql).await.expect_err(sql);
        assert_eq!(error.code().map(|code| code.code()), Some("25006"), "{sql}: {error}");
    }
    let count = "SELECT count(*) FROM crm.opportunities";
    let counted = async || client.query_one(count, &[]).await.expect("counts").get::<_, i64>(0);
    assert_eq!(counted().await, 0, "nothing was loaded then");
    client.batch_execute("BEGIN").await.expect("begins");
    assert_eq!(counted().await, 0, "nor is it in a transaction");
    client.batch_execute("COMMIT").await.expect("ends");
    client.batch_execute("SET runrate.lake_at = ''").await.expect("comes back");
    client.batch_execute("INSERT INTO ana.notes VALUES (1)").await.expect("writes again");
    assert!(counted().await > 0);
    // A transaction keeps the tables it began with: it would read others than it says.
    client.batch_execute("BEGIN").await.expect("begins");
    let set = "SET runrate.lake_at = '2026-01-01T00:00:00Z'";
    let error = client.batch_execute(set).await.expect_err("a snapshot");
    assert_eq!(error.code().map(|code| code.code()), Some("25001"), "{error}");
    client.batch_execute("ROLLBACK").await.expect("ends");
}
