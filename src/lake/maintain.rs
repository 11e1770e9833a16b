//! Upkeep of a table: small files into sorted larger ones, a checkpoint, old files away.

use chrono::Duration;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::compute::{
    SortColumn, concat_batches, lexsort_to_indices, take_record_batch,
};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use deltalake::operations::vacuum::VacuumMode;
use deltalake::protocol::{SaveMode, checkpoints};
use futures::TryStreamExt;

use super::snapshot::{DataFile, Snapshot};
use super::upsert::read;
use super::write::removes;
use super::{Batch, TableName, Writer};
use crate::error::{Error, Result};

/// Files below this size are worth joining.
const SMALL_BYTES: u64 = 32 << 20;
/// Fewer small files than this are left alone.
const SMALL_FILES_MIN: usize = 8;
/// Most bytes of small files that are joined at once, which bounds the memory it takes.
const JOIN_BYTES_MAX: u64 = 128 << 20;
/// Commits since the last checkpoint that make a table due for upkeep.
const COMMITS_DUE: i64 = 10;
/// How long old versions can be read, and how old an orphan must be to go.
const HORIZON_DAYS: i64 = 7;

impl Writer {
    /// Maintains the tables whose log has grown since they were last maintained.
    ///
    /// A failure is logged: what was committed before stands, and the next upkeep tries again.
    pub async fn upkeep(&self) {
        let names = self.lake.tables().await.unwrap_or_else(|error| {
            tracing::warn!(error = error.chain(), "tables cannot be listed for upkeep");
            vec![]
        });
        for name in names {
            let outcome = match self.is_due(&name).await {
                Ok(false) => continue,
                Ok(true) => self.maintain(&name).await,
                Err(error) => Err(error),
            };
            match outcome {
                Ok(()) => tracing::info!(table = %name, "table maintained"),
                Err(error) => tracing::warn!(table = %name, error = error.chain(), "upkeep failed"),
            }
        }
    }

    /// Whether `name` has many commits that no checkpoint holds.
    ///
    /// # Errors
    /// [`Error::Store`] if its log cannot be listed.
    pub async fn is_due(&self, name: &TableName) -> Result<bool> {
        let root = &self.lake.inner.root;
        let stored = match self.lake.made().await?.table(name) {
            Some(made) => format!("{}/{}", super::made::FOLDER, made.place),
            None => format!("{}/{}", name.schema, name.table),
        };
        let log = root.path(&format!("{stored}/_delta_log"))?;
        let failed = |e| Error::Store { action: "list", path: log.to_string(), source: e };
        let files: Vec<_> = root.store.list(Some(&log)).try_collect().await.map_err(failed)?;
        let newest = |ending: &str| {
            let versions = files.iter().filter_map(|file| {
                let file = file.location.filename()?;
                file.strip_suffix(ending)?.split('.').next()?.parse::<i64>().ok()
            });
            versions.max().unwrap_or(-1)
        };
        Ok(newest(".json") - newest(".checkpoint.parquet") >= COMMITS_DUE)
    }

    /// Joins small files of `name` into sorted larger ones, checkpoints its log and removes files
    /// that no version of the last seven days needs.
    ///
    /// # Errors
    /// [`Error::Delta`] if the table cannot be read or committed.
    pub async fn maintain(&self, name: &TableName) -> Result<()> {
        self.compact(name).await?;
        let failed = |action| move |e| Error::delta(name, action, e);
        let table = self.open(name).await?;
        checkpoints::create_checkpoint(&table, None).await.map_err(failed("checkpoint"))?;
        self.check_held()?;
        // Full mode also removes what killed writers left; the lock keeps writers out meanwhile.
        table
            .vacuum()
            .with_retention_period(Duration::days(HORIZON_DAYS))
            .with_mode(VacuumMode::Full)
            .await
            .map_err(failed("vacuum"))?;
        Ok(())
    }

    /// Joins small files if there are many; true if it did.
    pub(super) async fn compact(&self, name: &TableName) -> Result<bool> {
        let table = self.open(name).await?;
        let snapshot = Snapshot::of(name, &table)?;
        let mut bytes = 0;
        let small: Vec<&DataFile> = snapshot
            .files
            .iter()
            .filter(|file| file.meta.size < SMALL_BYTES)
            .take_while(|file| {
                bytes += file.meta.size;
                bytes <= JOIN_BYTES_MAX
            })
            .collect();
        if small.len() < SMALL_FILES_MIN {
            return Ok(false);
        }
        let mut batches: Vec<RecordBatch> = vec![];
        for file in &small {
            batches.extend(read(self, &snapshot, file)?.try_collect::<Vec<_>>().await?);
        }
        let joined = sorted(concat_batches(&snapshot.schema, &batches)?, &snapshot.key_indices())?;
        let rows = RecordBatchStreamAdapter::new(
            snapshot.schema.clone(),
            futures::stream::iter([Ok(joined)]),
        );
        let (mut adds, _) = self.write_files(&table, &snapshot, Box::pin(rows)).await?;
        for add in &mut adds {
            add.data_change = false;
        }
        let mut gone = removes(&table, |path| small.iter().any(|file| file.relative == path))?;
        for remove in &mut gone {
            remove.data_change = false;
        }
        let batch = Batch {
            id: format!("compact-{name}-{}", snapshot.version),
            command: "compact".to_owned(),
        };
        self.commit(name, &table, adds, gone, &batch, SaveMode::Append).await?;
        Ok(true)
    }
}

fn sorted(batch: RecordBatch, key: &[usize]) -> Result<RecordBatch> {
    if key.is_empty() {
        return Ok(batch);
    }
    let columns: Vec<SortColumn> = key
        .iter()
        .map(|index| SortColumn { values: batch.column(*index).clone(), options: None })
        .collect();
    let order = lexsort_to_indices(&columns, None)?;
    Ok(take_record_batch(&batch, &order)?)
}
