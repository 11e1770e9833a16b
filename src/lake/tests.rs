//! The lake from outside its files: commits, merges, versions, pruning, locks.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::array::{Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::prelude::SessionContext;
use proptest::prelude::*;

use super::*;

fn schema() -> SchemaRef {
    let utc = Some("UTC".into());
    Arc::new(Schema::new(vec![
        Field::new("deal_id", DataType::Utf8, false),
        Field::new("amount", DataType::Int64, true),
        Field::new("updated_at", DataType::Timestamp(TimeUnit::Microsecond, utc), true),
    ]))
}

/// Rows of (key number, amount, updated_at), sorted by key.
fn rows(values: &[(i64, i64, Option<i64>)]) -> SendableRecordBatchStream {
    let keys = values.iter().map(|v| Some(format!("d{:06}", v.0)));
    let batch = RecordBatch::try_new(
        schema(),
        vec![
            Arc::new(keys.collect::<StringArray>()),
            Arc::new(values.iter().map(|v| Some(v.1)).collect::<Int64Array>()),
            Arc::new(
                values
                    .iter()
                    .map(|v| v.2)
                    .collect::<TimestampMicrosecondArray>()
                    .with_timezone("UTC"),
            ),
        ],
    )
    .expect("a batch of the schema");
    Box::pin(RecordBatchStreamAdapter::new(schema(), futures::stream::iter([Ok(batch)])))
}

fn batch(id: &str) -> Batch {
    Batch { id: id.into(), command: "test".into() }
}

struct Home {
    _dir: tempfile::TempDir,
    lake: Lake,
    name: TableName,
}

fn config(dir: &std::path::Path) -> Config {
    Config { lake: dir.display().to_string(), lock_timeout_ms: 200, ..Config::default() }
}

fn layout() -> Layout {
    Layout { schema: schema(), key: vec!["deal_id".into()], meaning: "one deal".into() }
}

async fn home() -> Home {
    let dir = tempfile::tempdir().expect("a directory");
    let lake = Lake::open(&config(dir.path())).await.expect("a new lake");
    let name = TableName::new("crm", "deals");
    lake.writer("test").await.expect("free").ensure(&name, &layout()).await.expect("made");
    Home { _dir: dir, lake, name }
}

impl Home {
    async fn upsert(&self, id: &str, values: &[(i64, i64, Option<i64>)]) -> Committed {
        let writer = self.lake.writer("test").await.expect("free");
        writer.upsert(&self.name, rows(values), &batch(id)).await.expect("merged")
    }

    async fn context(&self, at: At) -> SessionContext {
        let context = SessionContext::new();
        let (url, store) = self.lake.object_store();
        context.register_object_store(&url, store);
        let table = self.lake.table(&self.name, at).await.expect("read").expect("exists");
        context.register_table("deals", table.provider()).expect("registered");
        context
    }

    async fn text(&self, at: At, sql: &str) -> String {
        let frame = self.context(at).await.sql(sql).await.expect(sql);
        pretty_format_batches(&frame.collect().await.expect(sql)).expect("text").to_string()
    }

    async fn amounts(&self) -> BTreeMap<String, i64> {
        let frame = self.context(At::Latest).await.sql("SELECT * FROM deals").await.expect("sql");
        let mut found = BTreeMap::new();
        for batch in frame.collect().await.expect("rows") {
            let keys = datafusion::arrow::compute::cast(batch.column(0), &DataType::Utf8);
            let keys = keys.expect("text");
            let keys = keys.as_any().downcast_ref::<StringArray>().expect("text");
            let amounts = batch.column(1).as_any().downcast_ref::<Int64Array>().expect("int");
            for row in 0..batch.num_rows() {
                let before = found.insert(keys.value(row).to_owned(), amounts.value(row));
                assert!(before.is_none(), "{} is there twice", keys.value(row));
            }
        }
        found
    }
}

#[tokio::test]
async fn newer_rows_win_older_and_equal_ones_are_duplicates() {
    let home = home().await;
    let first = home.upsert("a", &[(1, 10, Some(5)), (2, 20, Some(5)), (3, 30, None)]).await;
    assert_eq!((first.rows_loaded, first.rows_duplicate), (3, 0));
    let second =
        home.upsert("b", &[(1, 11, Some(6)), (2, 21, Some(4)), (3, 31, None), (4, 40, None)]).await;
    assert_eq!((second.rows_loaded, second.rows_duplicate), (3, 1));
    let amounts: Vec<i64> = home.amounts().await.into_values().collect();
    assert_eq!(amounts, [11, 20, 31, 40]);
    let same = home.upsert("c", &[(1, 11, Some(6)), (3, 31, None)]).await;
    assert_eq!((same.rows_loaded, same.rows_duplicate), (0, 2));
    assert_eq!(same.version, second.version, "nothing to say, nothing committed");
}

#[tokio::test]
async fn a_batch_is_committed_once() {
    let home = home().await;
    let first = home.upsert("a", &[(1, 10, None)]).await;
    let again = home.upsert("a", &[(1, 99, Some(9)), (2, 20, None)]).await;
    assert_eq!((again.rows_loaded, again.rows_duplicate), (0, 2));
    let writer = home.lake.writer("test").await.expect("free");
    let found = writer.committed(&home.name, "a").await.expect("read");
    assert_eq!(found, Some(first.version));
    let appended = writer.append(&home.name, rows(&[(7, 1, None)]), &batch("a")).await;
    assert_eq!(appended.expect("refused quietly").rows_loaded, 0);
    assert_eq!(writer.committed(&home.name, "b").await.expect("read"), None);
}

#[tokio::test]
async fn every_version_can_be_read() {
    let home = home().await;
    let first = home.upsert("a", &[(1, 10, Some(1))]).await;
    home.upsert("b", &[(1, 20, Some(2))]).await;
    let sum = "SELECT sum(amount) AS s FROM deals";
    assert!(home.text(At::Version(first.version), sum).await.contains("10"));
    assert!(home.text(At::Latest, sum).await.contains("20"));
    let missing = home.lake.table(&home.name, At::Version(99)).await;
    assert_eq!(missing.expect_err("no such version").sqlstate(), "42P01");
    let none = home.lake.table(&TableName::new("crm", "none"), At::Latest).await;
    assert!(none.expect("read").is_none());
}

#[tokio::test]
async fn replace_leaves_only_the_new_rows_and_readers_keep_theirs() {
    let home = home().await;
    home.upsert("a", &[(1, 10, None), (2, 20, None)]).await;
    let before = home.context(At::Latest).await;
    let writer = home.lake.writer("test").await.expect("free");
    let replace = async |values: &[_], id| {
        writer.replace(&home.name, &layout(), rows(values), &batch(id)).await.expect("replaced")
    };
    replace(&[(3, 30, None)], "b").await;
    let old = before.sql("SELECT count(*) FROM deals").await.expect("sql").collect().await;
    assert!(pretty_format_batches(&old.expect("rows")).expect("text").to_string().contains('2'));
    assert_eq!(home.amounts().await.len(), 1);
    replace(&[], "c").await;
    assert!(home.amounts().await.is_empty());
}

#[tokio::test]
async fn a_table_is_there_with_its_rows_or_not_at_all() {
    let mut home = home().await;
    home.name = TableName::new("mart", "deals");
    let writer = home.lake.writer("test").await.expect("free");
    let replace = async |layout: &Layout, rows, id| {
        writer.replace(&home.name, layout, rows, &batch(id)).await.expect("replaced")
    };
    let made = replace(&layout(), rows(&[(1, 10, None)]), "a").await;
    assert_eq!((made.version, made.rows_loaded), (0, 1), "made and filled in one commit");
    let again = replace(&layout(), rows(&[(1, 10, None)]), "a").await;
    assert_eq!((again.version, again.rows_loaded, again.rows_duplicate), (0, 0, 1));
    // Another shape comes with its rows as well, and nothing of the old one is left.
    let wider = Arc::new(Schema::new(vec![Field::new("deal_id", DataType::Utf8, true)]));
    let texts = RecordBatch::try_new(wider.clone(), vec![Arc::new(StringArray::from(vec!["x"]))]);
    let layout = Layout { schema: wider.clone(), ..layout() };
    let rows = Box::pin(RecordBatchStreamAdapter::new(
        wider,
        futures::stream::iter([Ok(texts.expect("one row"))]),
    ));
    assert_eq!(replace(&layout, rows, "b").await.version, 1);
    let table = home.lake.table(&home.name, At::Latest).await.expect("read").expect("exists");
    assert_eq!((table.rows(), table.schema().fields().len()), (1, 1));
}

#[tokio::test]
async fn bounds_prune_files_and_answer_min_and_max() {
    let home = home().await;
    for part in 0..4 {
        let values: Vec<_> = (0..50).map(|n| (part * 50 + n, n, None)).collect();
        home.upsert(&format!("p{part}"), &values).await;
    }
    let plan = home.text(At::Latest, "EXPLAIN SELECT * FROM deals WHERE deal_id = 'd000120'").await;
    assert_eq!(plan.matches(".parquet").count(), 1, "{plan}");
    let plan = home.text(At::Latest, "EXPLAIN SELECT min(amount), count(*) FROM deals").await;
    assert!(!plan.contains("DataSourceExec"), "answered from the log: {plan}");
    let plan = home.text(At::Latest, "EXPLAIN SELECT * FROM deals ORDER BY deal_id").await;
    assert!(!plan.contains("SortExec"), "files are in order: {plan}");
}

#[tokio::test]
async fn upkeep_joins_small_files_and_loses_nothing() {
    let home = home().await;
    for part in 0..12 {
        home.upsert(&format!("p{part}"), &[(part, part, None), (100 - part, part, None)]).await;
    }
    let before = home.amounts().await;
    let writer = home.lake.writer("test").await.expect("free");
    writer.upkeep().await;
    assert_eq!(home.amounts().await, before);
    let version =
        home.lake.table(&home.name, At::Latest).await.expect("opens").expect("is").version();
    writer.upkeep().await;
    let again =
        home.lake.table(&home.name, At::Latest).await.expect("opens").expect("is").version();
    assert_eq!(version, again, "nothing is due a second time");
    let plan = home.text(At::Latest, "EXPLAIN SELECT * FROM deals").await;
    assert_eq!(plan.matches(".parquet").count(), 1, "{plan}");
}

#[tokio::test]
async fn a_second_writer_waits_and_is_told_who_writes() {
    let home = home().await;
    let token = home.lake.change_token().await.expect("read");
    let held = home.lake.writer("ingest salesforce").await.expect("free");
    let other = Lake::open(&config(home._dir.path())).await.expect("the same lake");
    let error = other.writer("materialize").await.expect_err("held");
    let text = error.to_string();
    assert!(text.contains("ingest salesforce") && text.contains("pid"), "{text}");
    assert_eq!(home.lake.change_token().await.expect("read"), token, "a lock is no news");
    drop(held);
    other.writer("materialize").await.expect("given back");
    home.upsert("a", &[(1, 1, None)]).await;
    assert_ne!(home.lake.change_token().await.expect("read"), token, "a commit is");
}

#[tokio::test]
async fn a_newer_format_is_refused() {
    let home = home().await;
    std::fs::write(home._dir.path().join("FORMAT"), "2.0\n").expect("written");
    let error = Lake::open(&config(home._dir.path())).await.expect_err("too new");
    assert!(matches!(error, Error::LakeFormat { .. }), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Any sequence of merges leaves what a map would hold.
    #[test]
    fn merges_agree_with_a_map(
        merges in prop::collection::vec(
            prop::collection::btree_map(
                0_i64..40,
                (0_i64..1000, prop::option::of(0_i64..5)),
                1..20,
            ),
            1..8,
        ),
    ) {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(async {
            let home = home().await;
            let mut model: BTreeMap<i64, (i64, Option<i64>)> = BTreeMap::new();
            for (turn, merge) in merges.iter().enumerate() {
                let values: Vec<_> = merge.iter().map(|(k, (a, at))| (*k, *a, *at)).collect();
                let mut loaded = 0;
                for (key, amount, at) in &values {
                    let wins = model.get(key).is_none_or(|(old, old_at)| {
                        at > old_at || (at == old_at && amount != old)
                    });
                    if wins {
                        loaded += 1;
                        model.insert(*key, (*amount, *at));
                    }
                }
                let done = home.upsert(&format!("t{turn}"), &values).await;
                assert_eq!(done.rows_loaded, loaded);
                assert_eq!(done.rows_loaded + done.rows_duplicate, values.len() as u64);
            }
            let wanted: BTreeMap<String, i64> =
                model.iter().map(|(k, (a, _))| (format!("d{k:06}"), *a)).collect();
            assert_eq!(home.amounts().await, wanted);
        });
    }
}
