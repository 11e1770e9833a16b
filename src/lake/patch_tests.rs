//! A file with rows replaced in place is the file that a writer of the same rows would make.

use std::sync::Arc;

use datafusion::arrow::array::*;
use datafusion::arrow::compute::concat_batches;
use datafusion::arrow::datatypes::*;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::prelude::SessionContext;
use serde_json::Value;

use super::*;

/// More than one row group.
const ROWS: i64 = 270_000;
/// One row in so many is replaced.
const STEP: i64 = 97;

fn layout() -> Layout {
    let utc = Some("UTC".into());
    let schema = Arc::new(Schema::new(vec![
        Field::new("deal_id", DataType::Utf8, false),
        Field::new("owner_id", DataType::Utf8, true),
        Field::new("amount", DataType::Decimal128(18, 2), true),
        Field::new("rate", DataType::Decimal128(38, 10), true),
        Field::new("share", DataType::Float64, true),
        Field::new("units", DataType::Int32, true),
        Field::new("is_won", DataType::Boolean, true),
        Field::new("close_date", DataType::Date32, true),
        Field::new("tags", DataType::new_list(DataType::Utf8, true), true),
        Field::new("updated_at", DataType::Timestamp(TimeUnit::Microsecond, utc), true),
    ]));
    Layout { schema, key: vec!["deal_id".into()], meaning: "one deal".into() }
}

/// The rows `keys`; `turn` changes every column but the owner, `turn` 0 and 1 differ in all.
fn deals(keys: impl Iterator<Item = i64> + Clone, turn: i64) -> RecordBatch {
    let of = |factor: i64| keys.clone().map(move |key| (key % 1_000) * factor - turn * 7);
    let known = |value: i64| (value % 11 != 0).then_some(value);
    let mut tags = ListBuilder::new(StringBuilder::new());
    for value in of(1) {
        (0..value.rem_euclid(3)).for_each(|at| tags.values().append_value(format!("t{at}{turn}")));
        tags.append(value % 5 != 0);
    }
    let money = |precision, scale, factor| {
        let units = of(factor).map(known).map(|v| v.map(i128::from));
        let units: Decimal128Array = units.collect();
        Arc::new(units.with_precision_and_scale(precision, scale).expect("fits"))
    };
    let columns: Vec<ArrayRef> = vec![
        Arc::new(keys.clone().map(|key| Some(format!("d{key:07}"))).collect::<StringArray>()),
        Arc::new(keys.clone().map(|key| Some(format!("u{}", key % 50))).collect::<StringArray>()),
        money(18, 2, 12_345),
        money(38, 10, 7_000_000_000),
        Arc::new(of(3).map(known).map(|v| v.map(|v| v as f64 / 8.0)).collect::<Float64Array>()),
        Arc::new(of(2).map(known).map(|v| v.map(|v| v as i32)).collect::<Int32Array>()),
        Arc::new(of(1).map(|v| known(v).map(|v| v % 2 == 0)).collect::<BooleanArray>()),
        Arc::new(of(1).map(known).map(|v| v.map(|v| v as i32 + 20_000)).collect::<Date32Array>()),
        Arc::new(tags.finish()),
        Arc::new(
            of(1_234_567)
                .map(|v| Some(1_700_000_000_000_000 + v.abs() + turn * 10_000_000_000))
                .collect::<TimestampMicrosecondArray>()
                .with_timezone("UTC"),
        ),
    ];
    RecordBatch::try_new(layout().schema, columns).expect("a batch of the schema")
}

fn stream(batch: RecordBatch) -> SendableRecordBatchStream {
    let schema = batch.schema();
    Box::pin(RecordBatchStreamAdapter::new(schema, futures::stream::iter([Ok(batch)])))
}

async fn rows(lake: &Lake, name: &TableName, sql: &str) -> RecordBatch {
    let context = SessionContext::new();
    let (url, store) = lake.object_store();
    context.register_object_store(&url, store);
    let table = lake.table(name, At::Latest).await.expect("read").expect("exists");
    context.register_table("deals", table.provider()).expect("registered");
    let frame = context.sql(sql).await.expect(sql);
    let schema = Arc::new(frame.schema().as_arrow().clone());
    concat_batches(&schema, &frame.collect().await.expect(sql)).expect("one schema")
}

/// What the log says of the only file of `name`.
async fn told(writer: &Writer, name: &TableName) -> Value {
    let table = writer.open(name).await.expect("opens");
    let state = table.snapshot().expect("loaded");
    let files: Vec<_> = state.log_data().into_iter().collect();
    assert_eq!(files.len(), 1);
    serde_json::from_str(files[0].stats().expect("statistics").as_ref()).expect("JSON")
}

#[tokio::test]
async fn a_patched_file_holds_and_tells_what_a_new_one_would() {
    let dir = tempfile::tempdir().expect("a directory");
    let config = Config { lake: dir.path().display().to_string(), ..Config::default() };
    let lake = Lake::open(&config).await.expect("a new lake");
    let writer = lake.writer("test").await.expect("free");
    let (patched, fresh) = (TableName::new("crm", "patched"), TableName::new("crm", "fresh"));
    for name in [&patched, &fresh] {
        writer.ensure(name, &layout()).await.expect("made");
    }
    let batch = |id: &str| Batch { id: id.into(), command: "test".into() };
    let changed = (0..ROWS).step_by(STEP as usize);
    writer.upsert(&patched, stream(deals(0..ROWS, 0)), &batch("a")).await.expect("loaded");
    let done = writer.upsert(&patched, stream(deals(changed.clone(), 1)), &batch("b")).await;
    let count = changed.clone().count() as u64;
    assert_eq!(
        (done.as_ref().expect("merged").rows_loaded, done.expect("merged").rows_duplicate),
        (count, 0)
    );
    // The same rows, written whole.
    let (old, new) = (deals(0..ROWS, 0), deals(changed, 1));
    let places: Vec<(usize, usize)> = (0..ROWS as usize)
        .map(|row| if row % STEP as usize == 0 { (1, row / STEP as usize) } else { (0, row) })
        .collect();
    let whole = datafusion::arrow::compute::interleave_record_batch(&[&old, &new], &places);
    writer.upsert(&fresh, stream(whole.expect("woven")), &batch("c")).await.expect("loaded");
    assert_eq!(told(&writer, &patched).await, told(&writer, &fresh).await);
    for sql in [
        "SELECT * FROM deals ORDER BY deal_id",
        "SELECT * FROM deals WHERE deal_id IN ('d0000097', 'd0200000', 'd0269951') ORDER BY deal_id",
        "SELECT * FROM deals WHERE owner_id = 'u7' AND units < 200 ORDER BY deal_id",
        "SELECT min(updated_at), max(updated_at), min(close_date), max(units), count(share) FROM deals",
        "SELECT count(*) FROM deals WHERE updated_at >= '2023-11-15T01:00:00Z'",
    ] {
        let (ours, theirs) = (rows(&lake, &patched, sql).await, rows(&lake, &fresh, sql).await);
        assert!(ours.num_rows() > 0, "{sql}");
        assert_eq!(ours, theirs, "{sql}");
    }
}

#[tokio::test]
async fn a_column_that_a_file_lacks_gets_its_values() {
    let dir = tempfile::tempdir().expect("a directory");
    let config = Config { lake: dir.path().display().to_string(), ..Config::default() };
    let lake = Lake::open(&config).await.expect("a new lake");
    let writer = lake.writer("test").await.expect("free");
    let name = TableName::new("crm", "deals");
    let batch = |id: &str| Batch { id: id.into(), command: "test".into() };
    let few = Arc::new(layout().schema.project(&[0, 1, 9]).expect("three"));
    let first = deals(0..10, 0).project(&[0, 1, 9]).expect("three columns");
    writer.ensure(&name, &Layout { schema: few, ..layout() }).await.expect("made");
    writer.upsert(&name, stream(first), &batch("a")).await.expect("loaded");
    writer.ensure(&name, &layout()).await.expect("wider");
    writer.upsert(&name, stream(deals(3..5, 1)), &batch("b")).await.expect("merged");
    let found = rows(&lake, &name, "SELECT deal_id, units, tags FROM deals ORDER BY deal_id").await;
    let wanted = deals(3..5, 1).project(&[0, 5, 8]).expect("three columns");
    assert_eq!(found.num_rows(), 10);
    assert_eq!(found.slice(3, 2).column(1), wanted.column(1));
    let tags = |batch: &RecordBatch| format!("{:?}", batch.column(2));
    assert_eq!(tags(&found.slice(3, 2)), tags(&wanted));
    assert_eq!(found.column(1).null_count(), 8 + wanted.column(1).null_count());
}
