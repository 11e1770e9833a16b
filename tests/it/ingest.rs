//! What ingest promises whatever the CRM: counts that add up, nothing twice, bad rows named.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::arrow::util::pretty::pretty_format_batches;
use futures::TryStreamExt;
use runrate::config::Config;
use runrate::error::Result;
use runrate::ingest::{Request, Silent, Summary, ingest};
use runrate::reports;
use runrate::session::Engine;

/// A lake of its own, and a directory for exports.
pub struct Bench {
    pub directory: tempfile::TempDir,
    pub engine: Arc<Engine>,
}

impl Bench {
    pub async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// A lake with the settings that `change` makes.
    pub async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let lake = directory.path().join("lake").display().to_string();
        let mut config = Config { lake, threads: 2, ..Config::default() };
        change(&mut config);
        let engine = Engine::open(config, vec![], vec![]).await.expect("a lake");
        Self { directory, engine }
    }

    /// The same with all reports.
    pub async fn reporting(change: impl FnOnce(&mut Config)) -> Self {
        let bench = Self::with(change).await;
        let reports = reports::load().expect("sound");
        let config = bench.engine.config().clone();
        let engine = Engine::open(config, reports.views, reports.functions).await.expect("opens");
        Self { engine, ..bench }
    }

    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.directory.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        std::fs::write(&path, text).expect("written");
        path
    }

    pub async fn load(&self, request: &Request) -> Result<Summary> {
        let summary = ingest(&self.engine, request, Arc::new(Silent)).await?;
        for line in &summary.lines {
            let sum = line.rows_loaded + line.rows_quarantined + line.rows_duplicate;
            assert_eq!(line.rows_read, sum, "{line:?}");
        }
        Ok(summary)
    }

    pub async fn crm(&self, crm: &str, path: impl AsRef<Path>) -> Summary {
        let request = Request::crm(crm, vec![path.as_ref().to_path_buf()]);
        self.load(&request).await.expect("loads")
    }

    /// The rows of `sql`, one a line, columns separated by `|`.
    pub async fn query(&self, sql: &str) -> Vec<String> {
        let session = self.engine.session("test");
        let rows = session.query(sql).await.expect("plans");
        let batches: Vec<_> = rows.try_collect().await.expect("runs");
        let table = pretty_format_batches(&batches).expect("prints").to_string();
        let cells = |line: &str| {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            cells.join("|")
        };
        table.lines().filter(|l| l.starts_with('|')).skip(1).map(cells).collect()
    }
}

pub fn sample(crm: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("datasets").join(crm).join("sample")
}

const PRODUCTS: &str = "product_id,name,list_price,currency,updated_at\n\
    a,Alpha,10.50,EUR,2024-01-01T00:00:00Z\n\
    b,Beta,20,EUR,2024-01-01T00:00:00Z\n\
    c,Gamma,,EUR,2024-01-01T00:00:00Z\n";

#[tokio::test]
async fn a_second_run_of_the_same_bytes_loads_nothing() {
    let bench = Bench::new().await;
    let file = bench.write("products.csv", PRODUCTS);
    let first = bench.crm("template", &file).await;
    assert_eq!((first.total().rows_read, first.total().rows_loaded), (3, 3));
    assert_eq!((first.exit_code(), first.is_repeated), (0, false));
    let copy = bench.write("elsewhere/products.csv", PRODUCTS);
    let second = bench.crm("template", &copy).await;
    assert_eq!((second.total().rows_read, second.total().rows_duplicate), (3, 3));
    assert!(second.is_repeated);
    assert_eq!(bench.query("SELECT count(*) FROM crm.products").await, ["3"]);
    let runs = "SELECT object, table_name, rows_read, rows_loaded, status FROM ops.ingest_runs";
    assert_eq!(bench.query(runs).await, ["products|crm.products|3|3|loaded"]);
}

#[tokio::test]
async fn the_latest_updated_at_wins_within_a_file_and_across_files() {
    let bench = Bench::new().await;
    bench.crm("template", bench.write("1/products.csv", PRODUCTS)).await;
    let newer = "product_id,name,updated_at\n\
        a,Alpha 2,2024-02-01T00:00:00Z\n\
        a,Alpha 3,2024-03-01T00:00:00Z\n\
        b,Beta 0,2023-12-31T00:00:00Z\n\
        c,Gamma!,2024-01-01T00:00:00Z\n";
    let summary = bench.crm("template", bench.write("2/products.csv", newer)).await;
    let total = summary.total();
    assert_eq!((total.rows_read, total.rows_loaded, total.rows_duplicate), (4, 2, 2));
    let names = bench.query("SELECT product_id, name FROM crm.products ORDER BY 1").await;
    assert_eq!(names, ["a|Alpha 3", "b|Beta", "c|Gamma!"]);
}

#[tokio::test]
async fn bad_rows_are_quarantined_by_line_and_reason_and_the_rest_loads() {
    let bench = Bench::new().await;
    let mut text = "product_id,name,list_price,is_active\n".to_owned();
    for n in 0..100 {
        text.push_str(&format!("p{n},Product {n},{n}.5,true\n"));
    }
    text.push_str("x1,Bad price,12x4,true\nx2,Ragged\nx3,,1,true\nx4,Open,\"1,true\n");
    let summary = bench.crm("template", bench.write("products.csv", &text)).await;
    assert_eq!((summary.quarantined, summary.exit_code()), (4, 3));
    let total = summary.total();
    assert_eq!((total.rows_read, total.rows_loaded, total.rows_quarantined), (104, 100, 4));
    let rows = bench
        .query(
            "SELECT line, byte_offset, column_name, reason_code, reason, raw_base64 \
             FROM ops.quarantine ORDER BY line",
        )
        .await;
    let offset = text.find("x1,").expect("there");
    assert_eq!(
        rows,
        [
            format!(
                "102|{offset}|list_price|type|list_price \"12x4\" is not an amount|eDEsQmFkIHByaWNlLDEyeDQsdHJ1ZQ=="
            ),
            format!(
                "103|{}||field_count|2 fields where the header has 4|eDIsUmFnZ2Vk",
                offset + 23
            ),
            format!("104|{}|name|required|name is required|eDMsLDEsdHJ1ZQ==", offset + 33),
            format!(
                "105|{}||unclosed_quote|quote is never closed (within 100 lines)|eDQsT3BlbiwiMSx0cnVl",
                offset + 44
            ),
        ]
    );
}

#[tokio::test]
async fn too_many_bad_rows_refuse_the_batch_unless_forced() {
    let bench = Bench::new().await;
    let text = "product_id,name,list_price\na,A,1\nb,B,x\n";
    let mut request = Request::crm("template", vec![bench.write("products.csv", text)]);
    let outcome = bench.load(&request).await;
    assert_eq!(runrate::ingest::exit_code(&outcome), 4);
    let error = outcome.expect_err("half of it is bad").to_string();
    assert!(error.contains("1 of 2 rows are bad"), "{error}");
    assert!(error.contains("products.csv:3: list_price \"x\" is not an amount"), "{error}");
    assert_eq!(bench.query("SELECT count(*) FROM crm.products").await, ["0"]);
    assert_eq!(bench.query("SELECT status FROM ops.ingest_runs").await, ["refused"]);
    request.is_forced = true;
    assert_eq!(bench.load(&request).await.expect("forced").exit_code(), 3);
    assert_eq!(bench.query("SELECT count(*) FROM crm.products").await, ["1"]);
}

#[tokio::test]
async fn files_that_cannot_be_meant_are_refused_with_a_reason() {
    let bench = Bench::new().await;
    for (name, text, wanted) in [
        ("products.csv", "product_id,product_id\n", "columns 1 and 2 are both called"),
        ("products.csv", "product_id\na\n", "column name is missing"),
        ("products.csv", "product_id,name\na,\u{fffd}\n", ""),
        ("unknown.csv", "a\n1\n", "no mapping of template reads an object of that name"),
        ("products.ods", "", "unknown format"),
    ] {
        let request = Request::crm("template", vec![bench.write(name, text)]);
        let outcome = bench.load(&request).await;
        if wanted.is_empty() {
            continue;
        }
        assert_eq!(runrate::ingest::exit_code(&outcome), 4, "{name}");
        let error = outcome.expect_err(name).to_string();
        assert!(error.contains(wanted), "{error}");
    }
    let request = Request::crm("salesfarce", vec![bench.write("a.csv", "a\n1\n")]);
    let error = bench.load(&request).await.expect_err("no such CRM").to_string();
    assert!(error.contains("known: ") && error.contains("template"), "{error}");
}

#[tokio::test]
async fn managers_in_a_circle_are_quarantined_and_everyone_else_has_ancestors() {
    let bench = Bench::new().await;
    let text = "user_id,name,manager_id,is_active\n\
        a,A,,true\nb,B,a,true\nc,C,b,true\nx,X,y,true\ny,Y,x,true\n";
    let summary = bench.crm("template", bench.write("users.csv", text)).await;
    assert_eq!((summary.quarantined, summary.exit_code()), (2, 3));
    let pairs = "SELECT ancestor_id || descendant_id || depth FROM crm.user_hierarchy ORDER BY 1";
    assert_eq!(bench.query(pairs).await, ["aa0", "ab1", "ac2", "bb0", "bc1", "cc0", "xx0", "yy0"]);
    let reasons = "SELECT reason_code, reason FROM ops.quarantine ORDER BY 2";
    let wanted = "manager_cycle|user x is above themselves by manager_id";
    assert_eq!(bench.query(reasons).await[0], wanted);
}

#[tokio::test]
async fn any_file_goes_into_raw_with_types_that_fit_all_of_it() {
    let bench = Bench::new().await;
    let text = "zip,n,rate,day,note\n02134,1,0.5,2024-01-01,\"\"\n10001,2,1,2024-01-02,\n";
    let file = bench.write("places.csv", text);
    let request = Request::table("places", None, vec![file]).expect("a name");
    assert_eq!(bench.load(&request).await.expect("loads").total().rows_loaded, 2);
    assert_eq!(bench.load(&request).await.expect("again").total().rows_duplicate, 2);
    let rows = "SELECT zip, n + 1, rate * 2, day + INTERVAL '1 day', note IS NULL FROM raw.places ORDER BY zip";
    assert_eq!(
        bench.query(rows).await,
        // A date and an interval are a timestamp, as in Postgres.
        ["02134|2|1.0|2024-01-02T00:00:00|false", "10001|3|2.0|2024-01-03T00:00:00|true"]
    );
    let lines =
        "{\"zip\":\"1\",\"n\":\"x\"}\n".to_owned() + &"{\"zip\":\"1\",\"n\":3}\n".repeat(30);
    let path = bench.write("more.jsonl", lines);
    let request = Request::table("lines", Some("n:integer"), vec![path]).expect("types");
    let summary = bench.load(&request).await.expect("loads");
    assert_eq!((summary.total().rows_loaded, summary.exit_code()), (30, 3));
    assert!(Request::table("Bad-Name", None, vec![]).is_err());
    assert!(Request::table("t", Some("n:colour"), vec![]).is_err());
}
