//! Merge by key: incoming rows take the place of older stored ones, in one commit.
//!
//! The incoming rows are held in memory and looked up by key from the stored files.
//! Only files that lose a row are rewritten, without it and otherwise in their order; the incoming
//! rows go to new files. An empty table takes the rows as they stream, whatever their number.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, BooleanBuilder, RecordBatch, UInt32Array,
};
use datafusion::arrow::compute::{concat_batches, filter_record_batch, take_record_batch};
use datafusion::arrow::datatypes::TimestampMicrosecondType;
use datafusion::arrow::row::{OwnedRow, RowConverter, SortField};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use deltalake::DeltaTable;
use deltalake::kernel::Add;
use deltalake::protocol::SaveMode;
use futures::{StreamExt, TryStreamExt};

use super::snapshot::{DataFile, Snapshot};
use super::write::{all_duplicate, conform, removes};
use super::{Batch, Committed, TableName, Writer};
use crate::error::{Error, Result};

/// Column that says which of two rows is newer.
const UPDATED_AT: &str = "updated_at";
/// Columns that differ between two loads of the same row.
const STAMPED: &[&str] = &["_ingested_at", "_batch_id"];

impl Writer {
    /// Adds `rows` (sorted by key, one row a key) and replaces rows of the same key that are older.
    ///
    /// A row is newer if its `updated_at` is later; NULL is older than any instant.
    /// At the same `updated_at` it replaces the stored row only if another column differs
    /// (`_ingested_at` and `_batch_id` aside).
    ///
    /// # Errors
    /// Those of `rows`; [`Error::Definition`] if the table has no key; [`Error::Delta`] if it cannot
    /// be read or committed.
    pub async fn upsert(
        &self,
        name: &TableName,
        rows: SendableRecordBatchStream,
        batch: &Batch,
    ) -> Result<Committed> {
        let table = self.open(name).await?;
        let snapshot = Snapshot::of(name, &table)?;
        if snapshot.key_indices().is_empty() {
            let reason = "has no key to merge by".to_owned();
            return Err(Error::Definition { name: name.to_string(), reason });
        }
        if let Some(version) = self.committed(name, &batch.id).await? {
            return all_duplicate(rows, version).await;
        }
        if snapshot.files.is_empty() {
            let (adds, rows_loaded) = self.write_files(&table, &snapshot, rows).await?;
            let version = self.commit(name, &table, adds, vec![], batch, SaveMode::Append).await?;
            return Ok(Committed { version, rows_loaded, rows_duplicate: 0 });
        }
        let mut incoming = Incoming::collect(&snapshot, rows).await?;
        if incoming.rows() == 0 {
            let version = snapshot.version;
            return Ok(Committed { version, rows_loaded: 0, rows_duplicate: 0 });
        }
        let (mut adds, mut rewritten) = (vec![], vec![]);
        for file in &snapshot.files {
            let keep = incoming.meet(self, &snapshot, file).await?;
            if keep.iter().any(|mask| mask.true_count() < mask.len()) {
                adds.extend(self.rewrite(&table, &snapshot, file, keep).await?);
                rewritten.push(file.relative.clone());
            }
        }
        let rows_duplicate = incoming.stale_count();
        let rows_loaded = incoming.rows() - rows_duplicate;
        if rows_loaded == 0 {
            return Ok(Committed { version: snapshot.version, rows_loaded, rows_duplicate });
        }
        let (new, _) = self.write_files(&table, &snapshot, incoming.into_fresh()?).await?;
        adds.extend(new);
        let gone = removes(&table, |path| rewritten.iter().any(|r| r == path))?;
        let version = self.commit(name, &table, adds, gone, batch, SaveMode::Append).await?;
        Ok(Committed { version, rows_loaded, rows_duplicate })
    }

    /// Writes `file` again without the rows that `keep` drops.
    async fn rewrite(
        &self,
        table: &DeltaTable,
        snapshot: &Snapshot,
        file: &DataFile,
        keep: Vec<BooleanArray>,
    ) -> Result<Vec<Add>> {
        let batches = read(self, snapshot, file)?;
        let kept = batches
            .zip(futures::stream::iter(keep))
            .map(|(batch, mask)| Ok(filter_record_batch(&batch?, &mask)?));
        let rows = Box::pin(RecordBatchStreamAdapter::new(snapshot.schema.clone(), kept));
        Ok(self.write_files(table, snapshot, rows).await?.0)
    }
}

/// The rows to merge, by key.
struct Incoming {
    batch: RecordBatch,
    places: HashMap<OwnedRow, u32>,
    is_stale: Vec<bool>,
    keys: RowConverter,
    key_indices: Vec<usize>,
    /// Columns that make two rows the same.
    content: Vec<usize>,
    updated_at: Option<usize>,
}

impl Incoming {
    async fn collect(snapshot: &Snapshot, rows: SendableRecordBatchStream) -> Result<Self> {
        let schema = snapshot.schema.clone();
        let batches: Vec<RecordBatch> = rows.try_collect().await?;
        let batches: Result<Vec<RecordBatch>> =
            batches.iter().map(|batch| conform(batch, &schema)).collect();
        let batch = concat_batches(&schema, &batches?)?;
        let key_indices = snapshot.key_indices();
        let fields =
            key_indices.iter().map(|i| SortField::new(schema.field(*i).data_type().clone()));
        let keys = RowConverter::new(fields.collect())?;
        let rows = keys.convert_columns(&columns(&batch, &key_indices))?;
        let mut places = HashMap::with_capacity(batch.num_rows());
        for (place, row) in rows.iter().enumerate() {
            if places.insert(row.owned(), place as u32).is_some() {
                let reason = "a batch to merge holds a key twice".to_owned();
                return Err(Error::Definition { name: snapshot.name.to_string(), reason });
            }
        }
        let content = (0..schema.fields().len())
            .filter(|i| !STAMPED.contains(&schema.field(*i).name().as_str()))
            .collect();
        let is_stale = vec![false; batch.num_rows()];
        let updated_at = schema.index_of(UPDATED_AT).ok();
        Ok(Self { batch, places, is_stale, keys, key_indices, content, updated_at })
    }

    fn rows(&self) -> u64 {
        self.batch.num_rows() as u64
    }

    fn stale_count(&self) -> u64 {
        self.is_stale.iter().filter(|stale| **stale).count() as u64
    }

    /// Compares with the rows of `file`: which of them stay, a mask a batch.
    async fn meet(
        &mut self,
        writer: &Writer,
        snapshot: &Snapshot,
        file: &DataFile,
    ) -> Result<Vec<BooleanArray>> {
        if self.is_beyond(file) {
            return Ok(vec![]);
        }
        let mut masks = vec![];
        let mut batches = read(writer, snapshot, file)?;
        while let Some(batch) = batches.next().await {
            masks.push(self.meet_batch(&batch?)?);
        }
        Ok(masks)
    }

    fn meet_batch(&mut self, stored: &RecordBatch) -> Result<BooleanArray> {
        let rows = self.keys.convert_columns(&columns(stored, &self.key_indices))?;
        let (mut ours, mut theirs) = (vec![], vec![]);
        for (place, row) in rows.iter().enumerate() {
            if let Some(own) = self.places.get(&row.owned()) {
                ours.push(*own);
                theirs.push(place as u32);
            }
        }
        let mut keep = vec![true; stored.num_rows()];
        if !ours.is_empty() {
            let wins = self.wins(stored, &ours, &theirs)?;
            for ((own, place), wins) in ours.iter().zip(&theirs).zip(wins) {
                keep[*place as usize] = !wins;
                self.is_stale[*own as usize] |= !wins;
            }
        }
        let mut mask = BooleanBuilder::with_capacity(keep.len());
        mask.append_slice(&keep);
        Ok(mask.finish())
    }

    /// For each pair of an incoming and a stored row of the same key: does the incoming one win?
    fn wins(&self, stored: &RecordBatch, ours: &[u32], theirs: &[u32]) -> Result<Vec<bool>> {
        let own = take_record_batch(&self.batch, &UInt32Array::from(ours.to_vec()))?;
        let old = take_record_batch(stored, &UInt32Array::from(theirs.to_vec()))?;
        let schema = own.schema();
        let fields =
            self.content.iter().map(|i| SortField::new(schema.field(*i).data_type().clone()));
        let content = RowConverter::new(fields.collect())?;
        let own_rows = content.convert_columns(&columns(&own, &self.content))?;
        let old_rows = content.convert_columns(&columns(&old, &self.content))?;
        let instant = |batch: &RecordBatch, row: usize| -> Option<i64> {
            let column = batch.column(self.updated_at?);
            let column = column.as_primitive_opt::<TimestampMicrosecondType>()?;
            column.is_valid(row).then(|| column.value(row))
        };
        let decide = |row: usize| match instant(&own, row).cmp(&instant(&old, row)) {
            std::cmp::Ordering::Greater => true,
            std::cmp::Ordering::Less => false,
            std::cmp::Ordering::Equal => own_rows.row(row) != old_rows.row(row),
        };
        Ok((0..own.num_rows()).map(decide).collect())
    }

    /// True if the bounds of `file` show that it holds none of these keys.
    fn is_beyond(&self, file: &DataFile) -> bool {
        use datafusion::common::ScalarValue;
        let first = self.key_indices[0];
        let column = self.batch.column(first);
        let bounds = &file.statistics.column_statistics[first];
        let (Some(low), Some(high)) = (bounds.min_value.get_value(), bounds.max_value.get_value())
        else {
            return false;
        };
        let (Ok(smallest), Ok(largest)) = (
            ScalarValue::try_from_array(column, 0),
            ScalarValue::try_from_array(column, column.len() - 1),
        ) else {
            return false;
        };
        // Sorted by key, so the ends are the bounds.
        smallest > *high || largest < *low
    }

    /// The rows that are new or newer, in key order.
    fn into_fresh(self) -> Result<SendableRecordBatchStream> {
        let fresh = BooleanArray::from_iter(self.is_stale.iter().map(|stale| Some(!stale)));
        let batch = filter_record_batch(&self.batch, &fresh)?;
        let schema = batch.schema();
        let stream = futures::stream::iter([Ok(batch)]);
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, stream)))
    }
}

fn columns(batch: &RecordBatch, indices: &[usize]) -> Vec<ArrayRef> {
    indices.iter().map(|index| batch.column(*index).clone()).collect()
}

/// The rows of `file`, in their order, with the columns of the table.
pub(super) fn read(
    writer: &Writer,
    snapshot: &Snapshot,
    file: &DataFile,
) -> Result<SendableRecordBatchStream> {
    let inner = &writer.lake.inner;
    let source = Arc::new(ParquetSource::new(snapshot.schema.clone()));
    let store = ObjectStoreUrl::parse(inner.root.store_url.as_str())?;
    let config = FileScanConfigBuilder::new(store, source)
        .with_file(PartitionedFile::new_from_meta(file.meta.clone()))
        .build();
    let task = TaskContext::default().with_runtime(inner.runtime.clone());
    Ok(DataSourceExec::from_data_source(config).execute(0, Arc::new(task))?)
}
