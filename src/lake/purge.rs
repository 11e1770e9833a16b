//! Rows taken out of a table so that nothing of them stays: no file, no old version, no bound in the log.

use std::collections::BTreeSet;

use chrono::{Duration, Utc};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::error::ArrowError;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use deltalake::operations::vacuum::VacuumMode;
use deltalake::protocol::{SaveMode, checkpoints};
use futures::{StreamExt, TryStreamExt};

use super::snapshot::Snapshot;
use super::write::removes;
use super::{Batch, TableName, Writer};
use crate::error::{Error, Result};

impl Writer {
    /// Shows every stored row of `name` to `look`, a batch at a time; the files in which it found
    /// something.
    ///
    /// # Errors
    /// [`Error::Delta`] if the table cannot be read, and those of `look`.
    pub async fn look_through(
        &self,
        name: &TableName,
        mut look: impl FnMut(&RecordBatch) -> Result<bool>,
    ) -> Result<BTreeSet<String>> {
        let table = self.open(name).await?;
        let snapshot = Snapshot::of(name, &table)?;
        let mut found = BTreeSet::new();
        for file in &snapshot.files {
            let mut batches = self.merged(&snapshot, &[file])?;
            while let Some(batch) = batches.try_next().await? {
                if look(&batch)? {
                    found.insert(file.relative.clone());
                }
            }
        }
        Ok(found)
    }

    /// Writes `files` of `name`, which [`Writer::look_through`] has found, again: each batch as
    /// `change` gives it.
    ///
    /// # Errors
    /// [`Error::Delta`] if the table cannot be read or committed, or `change` fails.
    pub async fn change<F>(
        &self,
        name: &TableName,
        files: &BTreeSet<String>,
        batch: &Batch,
        change: F,
    ) -> Result<()>
    where
        F: Fn(RecordBatch) -> std::result::Result<RecordBatch, ArrowError> + Clone + Send + 'static,
    {
        let table = self.open(name).await?;
        let snapshot = Snapshot::of(name, &table)?;
        let mut adds = vec![];
        for file in snapshot.files.iter().filter(|file| files.contains(&file.relative)) {
            let change = change.clone();
            let changed = self.merged(&snapshot, &[file])?.map(move |stored| Ok(change(stored?)?));
            let rows = RecordBatchStreamAdapter::new(snapshot.schema.clone(), changed);
            adds.extend(self.write_files(&table, &snapshot, Box::pin(rows)).await?.0);
        }
        let gone = removes(&table, |path| files.contains(path))?;
        self.commit(name, &table, adds, gone, batch, SaveMode::Append).await?;
        Ok(())
    }

    /// Removes every version of `name` but the newest: its files, and what the log said of them.
    ///
    /// A query that still reads an older version fails.
    ///
    /// # Errors
    /// [`Error::Delta`] if the table cannot be read, checkpointed or cleaned.
    pub async fn purge(&self, name: &TableName) -> Result<()> {
        let failed = |action| move |e| Error::delta(name, action, e);
        let table = self.open(name).await?;
        self.check_held()?;
        let (mut table, _) = table
            .vacuum()
            .with_retention_period(Duration::zero())
            .with_enforce_retention_duration(false)
            .with_mode(VacuumMode::Full)
            .await
            .map_err(failed("vacuum"))?;
        table.update_state().await.map_err(failed("read"))?;
        let version = table.version().unwrap_or_default();
        checkpoints::create_checkpoint(&table, None).await.map_err(failed("checkpoint"))?;
        // Removing files is a commit too: of a table made over SQL it has to be the one that counts.
        self.follow(name, version as i64).await?;
        // The files of the log have the time of the disk, which may be a little ahead.
        let until = (Utc::now() + Duration::hours(1)).timestamp_millis();
        let log = table.log_store();
        checkpoints::cleanup_expired_logs_for(version, log.as_ref(), until, None)
            .await
            .map_err(failed("clean the log of"))?;
        self.mark().await
    }
}
