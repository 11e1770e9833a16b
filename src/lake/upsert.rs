//! Merge by key: incoming rows take the place of older stored ones, in one commit.
//!
//! The incoming rows are held in memory and looked up by key from the stored files.
//! Only files in which a row is replaced are written again, each row in its place and only the
//! columns that change ([`super::patch`]); rows of new keys go to new files.
//! An empty table takes the rows as they stream, whatever their number.

use std::cmp::Ordering;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, RecordBatch, UInt32Array, make_comparator,
};
use datafusion::arrow::compute::{
    SortOptions, concat_batches, filter_record_batch, take_record_batch,
};
use datafusion::arrow::datatypes::{SchemaRef, TimestampMicrosecondType};
use datafusion::arrow::row::{RowConverter, SortField};
use datafusion::common::HashMap;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use deltalake::DeltaTable;
use deltalake::kernel::Add;
use deltalake::protocol::SaveMode;
use futures::{StreamExt, TryStreamExt};
use object_store::ObjectStoreExt;

use super::patch::{Patch, Patched, Stored};
use super::snapshot::{DataFile, Snapshot};
use super::write::{add_patched, all_duplicate, committed, conform, removes};
use super::{Batch, Committed, TableName, Writer};
use crate::error::{Error, Result};

/// Column that says which of two rows is newer.
const UPDATED_AT: &str = "updated_at";
/// Columns that differ between two loads of the same row.
const STAMPED: &[&str] = &["_ingested_at", "_batch_id"];
/// Files that are written again at the same time; each is held in memory.
const FILES_AT_ONCE: usize = 2;

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
        if let Some(version) = committed(name, &table, &batch.id).await? {
            return all_duplicate(rows, version).await;
        }
        if snapshot.files.is_empty() {
            let (adds, rows_loaded) = self.write_files(&table, &snapshot, rows).await?;
            let version = self.commit(name, &table, adds, vec![], batch, SaveMode::Append).await?;
            return Ok(Committed { version, rows_loaded, rows_duplicate: 0 });
        }
        let snapshot = Arc::new(snapshot);
        let incoming = Arc::new(Incoming::collect(&snapshot, rows).await?);
        if incoming.batch.num_rows() == 0 {
            let version = snapshot.version;
            return Ok(Committed { version, rows_loaded: 0, rows_duplicate: 0 });
        }
        let (mut adds, mut rewritten) = (vec![], vec![]);
        let mut states = vec![State::New; incoming.batch.num_rows()];
        let files = snapshot.files.iter().filter(|file| !incoming.is_beyond(file));
        let met = files.map(|file| self.meet(&table, &snapshot, &incoming, file));
        let mut met = futures::stream::iter(met).buffered(FILES_AT_ONCE);
        while let Some((file, found, add)) = met.try_next().await? {
            found.into_iter().for_each(|(own, state)| states[own as usize] = state);
            if let Some(add) = add {
                adds.push(add);
                rewritten.push(file.relative.clone());
            }
        }
        let count = |wanted| states.iter().filter(|state| **state == wanted).count() as u64;
        let rows_duplicate = count(State::Stale);
        let rows_loaded = states.len() as u64 - rows_duplicate;
        if rows_loaded == 0 {
            return Ok(Committed { version: snapshot.version, rows_loaded, rows_duplicate });
        }
        if count(State::New) > 0 {
            let rows = incoming.of_new_keys(&states)?;
            adds.extend(self.write_files(&table, &snapshot, rows).await?.0);
        }
        let gone = removes(&table, |path| rewritten.iter().any(|r| r == path))?;
        let version = self.commit(name, &table, adds, gone, batch, SaveMode::Append).await?;
        Ok(Committed { version, rows_loaded, rows_duplicate })
    }

    /// Compares `incoming` with the rows of `file`, and writes the file again if one of them wins:
    /// which were met, and the new file.
    async fn meet<'a>(
        &self,
        table: &DeltaTable,
        snapshot: &Arc<Snapshot>,
        incoming: &Arc<Incoming>,
        file: &'a DataFile,
    ) -> Result<(&'a DataFile, Vec<(u32, State)>, Option<Add>)> {
        let path = &file.meta.location;
        let failed = |source| Error::Store { action: "read", path: path.to_string(), source };
        let bytes = self.lake.inner.root.store.get(path).await.map_err(failed)?;
        let bytes = bytes.bytes().await.map_err(failed)?;
        let (snapshot_of, incoming) = (snapshot.clone(), incoming.clone());
        let work = move || incoming.meet(&snapshot_of, &Stored::new(bytes)?);
        let (found, patched) = match tokio::task::spawn_blocking(work).await {
            Ok(outcome) => outcome?,
            Err(stopped) => std::panic::resume_unwind(stopped.into_panic()),
        };
        let add = match patched {
            Some(patched) => Some(add_patched(table, snapshot, file, patched).await?),
            None => None,
        };
        Ok((file, found, add))
    }
}

/// What became of an incoming row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// No stored row has its key.
    New,
    /// It takes the place of a stored row.
    Newer,
    /// The stored row stays.
    Stale,
}

/// The rows to merge, by key.
struct Incoming {
    batch: RecordBatch,
    places: HashMap<Box<[u8]>, u32>,
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
            if places.insert(row.as_ref().into(), place as u32).is_some() {
                let reason = "a batch to merge holds a key twice".to_owned();
                return Err(Error::Definition { name: snapshot.name.to_string(), reason });
            }
        }
        let content = (0..schema.fields().len())
            .filter(|i| !STAMPED.contains(&schema.field(*i).name().as_str()))
            .collect();
        let updated_at = schema.index_of(UPDATED_AT).ok();
        Ok(Self { batch, places, keys, key_indices, content, updated_at })
    }

    /// Compares with the rows of `stored`: which were met, and the file with those that win.
    fn meet(
        &self,
        snapshot: &Snapshot,
        stored: &Stored,
    ) -> Result<(Vec<(u32, State)>, Option<Patched>)> {
        let (own, places) = self.find(&snapshot.schema, stored)?;
        if own.is_empty() {
            return Ok((vec![], None));
        }
        let new = take_record_batch(&self.batch, &UInt32Array::from(own.clone()))?;
        let old = stored.take(&snapshot.schema, &places)?;
        let differ = new.columns().iter().zip(old.columns()).map(|(new, old)| differ(new, old));
        let differ: Vec<Vec<bool>> = differ.collect::<Result<_>>()?;
        let wins = self.wins(&new, &old, &differ);
        let state = |wins: &bool| if *wins { State::Newer } else { State::Stale };
        let found = own.into_iter().zip(wins.iter().map(state)).collect();
        let won: Vec<usize> = (0..wins.len()).filter(|row| wins[*row]).collect();
        if won.is_empty() {
            return Ok((found, None));
        }
        let patch = Patch {
            places: &won.iter().map(|row| places[*row]).collect::<Vec<_>>(),
            rows: &filter_record_batch(&new, &BooleanArray::from(wins))?,
            changed: &differ.iter().map(|c| won.iter().any(|r| c[*r])).collect::<Vec<_>>(),
        };
        Ok((found, Some(stored.patched(snapshot, &patch)?)))
    }

    /// The incoming rows whose key is in `stored`, and where it is there, in the order of the file.
    fn find(&self, schema: &SchemaRef, stored: &Stored) -> Result<(Vec<u32>, Vec<usize>)> {
        let part = Arc::new(schema.project(&self.key_indices)?);
        let (mut own, mut places, mut first) = (vec![], vec![], 0);
        for batch in stored.read(&part, None)? {
            let batch = batch?;
            let rows = self.keys.convert_columns(batch.columns())?;
            for (row, key) in rows.iter().enumerate() {
                if let Some(place) = self.places.get(key.as_ref()) {
                    own.push(*place);
                    places.push(first + row);
                }
            }
            first += batch.num_rows();
        }
        Ok((own, places))
    }

    /// For each row of `new` and the stored one of its key: does the new one win?
    fn wins(&self, new: &RecordBatch, old: &RecordBatch, differ: &[Vec<bool>]) -> Vec<bool> {
        let instant = |batch: &RecordBatch, row: usize| -> Option<i64> {
            let column = batch.column(self.updated_at?);
            let column = column.as_primitive_opt::<TimestampMicrosecondType>()?;
            column.is_valid(row).then(|| column.value(row))
        };
        let decide = |row: usize| match instant(new, row).cmp(&instant(old, row)) {
            Ordering::Greater => true,
            Ordering::Less => false,
            Ordering::Equal => self.content.iter().any(|column| differ[*column][row]),
        };
        (0..new.num_rows()).map(decide).collect()
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

    /// The rows whose key no stored row has, in key order.
    fn of_new_keys(&self, states: &[State]) -> Result<SendableRecordBatchStream> {
        let new = BooleanArray::from_iter(states.iter().map(|state| Some(*state == State::New)));
        let batch = filter_record_batch(&self.batch, &new)?;
        let schema = batch.schema();
        let stream = futures::stream::iter([Ok(batch)]);
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, stream)))
    }
}

/// For each row: is the value of one not that of the other? NULL is the same as NULL.
fn differ(new: &ArrayRef, old: &ArrayRef) -> Result<Vec<bool>> {
    let compare = make_comparator(new, old, SortOptions::default())?;
    Ok((0..new.len()).map(|row| compare(row, row) != Ordering::Equal).collect())
}

fn columns(batch: &RecordBatch, indices: &[usize]) -> Vec<ArrayRef> {
    indices.iter().map(|index| batch.column(*index).clone()).collect()
}
