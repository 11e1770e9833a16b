//! Tables made over SQL, and what a crash in the middle of a commit leaves of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;

use super::*;

#[tokio::test]
async fn a_commit_that_did_not_end_is_not_seen_and_is_taken_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let lake = made_lake(&folder).await;
    let name = TableName::new("ana", "t");
    let layout = Layout { schema: numbers().schema(), key: vec![], meaning: String::new() };
    let mut draft = lake.draft_new(&name, &layout).await.expect("made");
    lake.draft_add(&name, &mut draft, stream(numbers())).await.expect("written");
    assert!(lake.table(&name, At::Latest).await.expect("read").is_none(), "not committed");
    let change =
        |before, draft| [Change { name: name.clone(), before, after: Some(Drafted::Table(draft)) }];
    let writer = lake.writer("test").await.expect("the lock");
    let none = BTreeMap::new();
    writer.settle(&change(None, draft), &none, "one").await.expect("committed");
    let rows = async || lake.table(&name, At::Latest).await.expect("read").expect("there").rows();
    assert_eq!(rows().await, 3);
    // A crash after the table's log and before the file that counts.
    let made = lake.made().await.expect("read");
    let table = made.table(&name).expect("a table").clone();
    let mut lost = lake.draft_of(&name, &table).await.expect("opened");
    lake.draft_add(&name, &mut lost, stream(numbers())).await.expect("written");
    let before = made.relation(&name).cloned();
    let [cut] = change(before.clone(), lost.clone());
    writer.settle_table(&made, &cut, &lost, "two").await.expect("half a commit");
    assert_eq!(rows().await, 3, "not seen");
    // The next transaction takes it back, and a new process sees the same.
    let mut next = lake.draft_of(&name, &table).await.expect("opened");
    lake.draft_add(&name, &mut next, stream(numbers())).await.expect("written");
    writer.settle(&change(before.clone(), next), &none, "three").await.expect("committed");
    assert_eq!(rows().await, 6);
    let again = made_lake(&folder).await;
    let seen = again.table(&name, At::Latest).await.expect("read").expect("there");
    assert_eq!(seen.rows(), 6);
    // What changed meanwhile is not overwritten.
    let mut stale = lake.draft_of(&name, &table).await.expect("opened");
    stale.clear();
    let refused = writer.settle(&change(before, stale), &none, "four").await.expect_err("stale");
    assert_eq!(refused.sqlstate(), "40001");
    // A maintained table keeps its rows, and the version that counts is its new one.
    writer.maintain(&name).await.expect("maintained");
    assert_eq!(rows().await, 6);
}

async fn made_lake(folder: &tempfile::TempDir) -> Lake {
    let lake = folder.path().join("lake").to_string_lossy().into_owned();
    Lake::open(&Config { lake, ..Config::default() }).await.expect("opens")
}

fn stream(batch: RecordBatch) -> SendableRecordBatchStream {
    let rows = futures::stream::iter([Ok(batch.clone())]);
    Box::pin(RecordBatchStreamAdapter::new(batch.schema(), rows))
}

fn numbers() -> RecordBatch {
    let values: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
    RecordBatch::try_from_iter_with_nullable([("n", values, true)]).expect("a batch")
}
