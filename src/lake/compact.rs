//! Small files into larger ones, and files whose keys overlap into files that follow one another.
//!
//! The order is the key of the table (`schema::Table::key`), in every file and, after this, from one
//! file to the next: merges and look-ups then open the few files that can hold a key.
//! Files are merged as streams, so the memory it takes is some batches a file, whatever their size.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use deltalake::protocol::SaveMode;

use super::provider::ordering;
use super::snapshot::{DataFile, Snapshot};
use super::write::removes;
use super::{Batch, TableName, Writer};
use crate::error::Result;

/// Files below this size are worth joining.
const SMALL_BYTES: u64 = 32 << 20;
/// Most files that are merged at once, each of which holds batches in memory.
const FILES_MAX: usize = 64;
/// Most bytes that one commit writes again.
const BYTES_MAX: u64 = 1 << 30;
/// Texts from this length on may be cut in the log, so they bound nothing.
const BOUND_TEXT_MAX: usize = 32;

/// The files of `snapshot` that are to be written again together; none if nothing is to be gained.
///
/// Small files come first, if there are `small_min` of them; then a chain of files whose keys
/// overlap, if all but its largest are an eighth of it: so a large file is written again only when
/// what overlaps it has grown to matter.
pub(super) fn worth_joining(snapshot: &Snapshot, small_min: usize) -> Vec<&DataFile> {
    let mut small: Vec<&DataFile> =
        snapshot.files.iter().filter(|file| file.meta.size < SMALL_BYTES).collect();
    small.sort_by_key(|file| file.meta.size);
    let small = limited(small.into_iter());
    if small.len() >= small_min.max(2) {
        return small;
    }
    let mut ranges: Vec<(ScalarValue, ScalarValue, &DataFile)> =
        snapshot.files.iter().filter_map(|file| range(snapshot, file)).collect();
    ranges.sort_by(|a, b| a.0.partial_cmp(&b.0).unwrap_or(std::cmp::Ordering::Equal));
    let mut chain: Vec<&DataFile> = vec![];
    let mut end: Option<ScalarValue> = None;
    for (low, high, file) in ranges {
        if end.as_ref().is_some_and(|end| low >= *end) {
            if is_worth(&chain) {
                break;
            }
            chain.clear();
            end = None;
        }
        end = match end {
            Some(end) if end > high => Some(end),
            _ => Some(high),
        };
        chain.push(file);
    }
    if is_worth(&chain) { limited(chain.into_iter()) } else { vec![] }
}

/// As many of `files` as one commit may write again.
fn limited<'a>(files: impl Iterator<Item = &'a DataFile>) -> Vec<&'a DataFile> {
    let mut bytes = 0;
    let within = |file: &&DataFile| {
        bytes += file.meta.size;
        bytes <= BYTES_MAX
    };
    files.take(FILES_MAX).take_while(within).collect()
}

fn is_worth(chain: &[&DataFile]) -> bool {
    let bytes: u64 = chain.iter().map(|file| file.meta.size).sum();
    let largest = chain.iter().map(|file| file.meta.size).max().unwrap_or_default();
    chain.len() > 1 && (bytes - largest) * 8 >= bytes
}

/// The first and last key of `file`, if the log knows them whole.
fn range<'a>(
    snapshot: &Snapshot,
    file: &'a DataFile,
) -> Option<(ScalarValue, ScalarValue, &'a DataFile)> {
    let first = *snapshot.key_indices().first()?;
    let bounds = &file.statistics.column_statistics[first];
    let (low, high) = (bounds.min_value.get_value()?, bounds.max_value.get_value()?);
    let is_whole = |value: &ScalarValue| match value {
        ScalarValue::Utf8(Some(text)) => text.len() < BOUND_TEXT_MAX,
        other => other.data_type() != DataType::Utf8 && !other.is_null(),
    };
    (is_whole(low) && is_whole(high)).then(|| (low.clone(), high.clone(), file))
}

impl Writer {
    /// Writes files of `name` again, if that is worth it: how many there were and are; none if not.
    pub(super) async fn compact(
        &self,
        name: &TableName,
        small_min: usize,
    ) -> Result<Option<(usize, usize)>> {
        let table = self.open(name).await?;
        let snapshot = Snapshot::of(name, &table)?;
        let files = worth_joining(&snapshot, small_min);
        if files.is_empty() {
            return Ok(None);
        }
        let rows_before: u64 = files.iter().map(|file| file.rows).sum();
        let rows = self.merged(&snapshot, &files)?;
        let (mut adds, rows_after) = self.write_files(&table, &snapshot, rows).await?;
        if rows_before != rows_after {
            return Err(crate::error::Error::Definition {
                name: name.to_string(),
                reason: format!(
                    "the log says {rows_before} rows of files that have {rows_after}; nothing was changed; see `runrate verify`"
                ),
            });
        }
        for add in &mut adds {
            add.data_change = false;
        }
        let mut gone = removes(&table, |path| files.iter().any(|file| file.relative == path))?;
        for remove in &mut gone {
            remove.data_change = false;
        }
        let counts = (gone.len(), adds.len());
        let batch = Batch {
            id: format!("compact-{name}-{}", snapshot.version),
            command: "compact".to_owned(),
        };
        self.commit(name, &table, adds, gone, &batch, SaveMode::Append).await?;
        Ok(Some(counts))
    }

    /// The rows of `files`, with the columns of the table, in the order of the key; one file after
    /// the other if there is none.
    pub(super) fn merged(
        &self,
        snapshot: &Snapshot,
        files: &[&DataFile],
    ) -> Result<SendableRecordBatchStream> {
        let inner = &self.lake.inner;
        let ordering = ordering(snapshot);
        let parts = files.iter().map(|file| PartitionedFile::new_from_meta(file.meta.clone()));
        let groups: Vec<FileGroup> = match &ordering {
            Some(_) => parts.map(|part| FileGroup::new(vec![part])).collect(),
            None => vec![FileGroup::new(parts.collect())],
        };
        let source = Arc::new(ParquetSource::new(snapshot.schema.clone()));
        let store = ObjectStoreUrl::parse(inner.root.store_url.as_str())?;
        let config = FileScanConfigBuilder::new(store, source)
            .with_file_groups(groups)
            .with_output_ordering(ordering.clone().into_iter().collect())
            .build();
        let scan: Arc<dyn ExecutionPlan> = DataSourceExec::from_data_source(config);
        let plan: Arc<dyn ExecutionPlan> = match ordering {
            Some(ordering) => Arc::new(SortPreservingMergeExec::new(ordering, scan)),
            None => scan,
        };
        let task = TaskContext::default().with_runtime(inner.runtime.clone());
        Ok(plan.execute(0, Arc::new(task))?)
    }
}
