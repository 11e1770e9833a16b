//! Is a lake, or a backup of one, whole: every table opens, every file of its log is there with its
//! bytes, its rows and, read deep, its pages.
//!
//! A fault becomes a [`Finding`] with what to do about it, and the rest is looked at all the same.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::ExecutionPlan;
use futures::TryStreamExt;
use object_store::ObjectStoreExt;

use super::backup::Manifest;
use super::copy::content;
use super::history::{Log, place_of};
use super::snapshot::{DataFile, Snapshot};
use super::{Lake, TableName};
use crate::error::{Error, Result};

/// Columns that say which batch a row came with, and from where.
const LINEAGE: [&str; 2] = ["_batch_id", "source_system"];
/// What to do about a file or table that is damaged.
const FROM_BACKUP: &str =
    "restore a backup into an empty place (`runrate restore BACKUP --to DIR`)";

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Table or file.
    pub place: String,
    /// What is wrong.
    pub fault: String,
    /// What to do.
    pub advice: String,
}

/// A table that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// Its name.
    pub name: TableName,
    /// The version.
    pub version: i64,
    /// Its files (count).
    pub files: usize,
    /// Bytes of them.
    pub bytes: u64,
    /// Rows that were found in them.
    pub rows: u64,
    /// Rows by batch and source system, if it says which its rows came with.
    pub batches: BTreeMap<(String, String), u64>,
}

/// What was looked at, and what was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verified {
    /// The tables that could be opened.
    pub tables: Vec<Checked>,
    /// What is wrong; empty if all is well.
    pub findings: Vec<Finding>,
    /// When it was made, of a backup.
    pub made_at: Option<chrono::DateTime<chrono::Utc>>,
}

impl Verified {
    fn find(&mut self, place: impl ToString, fault: impl ToString, advice: &str) {
        self.findings.push(Finding {
            place: place.to_string(),
            fault: fault.to_string(),
            advice: advice.to_owned(),
        });
    }
}

/// Rows of `rows` by batch and source system; none if they do not say.
///
/// # Errors
/// [`Error::Query`] if they are no texts.
pub fn by_batch(rows: &RecordBatch) -> Result<BTreeMap<(String, String), u64>> {
    let mut counts = BTreeMap::new();
    let columns = LINEAGE.map(|name| rows.column_by_name(name));
    let [Some(batches), Some(systems)] = columns else { return Ok(counts) };
    let (batches, systems) = (cast(batches, &DataType::Utf8)?, cast(systems, &DataType::Utf8)?);
    let (batches, systems) = (batches.as_string::<i32>(), systems.as_string::<i32>());
    // Rows of a batch are mostly beside each other: a text is made once for all of them.
    let mut run: Option<(&str, &str, u64)> = None;
    for (batch, system) in batches.iter().flatten().zip(systems.iter().flatten()) {
        match &mut run {
            Some((of, from, count)) if *of == batch && *from == system => *count += 1,
            _ => {
                add(&mut counts, run);
                run = Some((batch, system, 1));
            }
        }
    }
    add(&mut counts, run);
    Ok(counts)
}

fn add(counts: &mut BTreeMap<(String, String), u64>, run: Option<(&str, &str, u64)>) {
    if let Some((batch, system, count)) = run {
        *counts.entry((batch.to_owned(), system.to_owned())).or_default() += count;
    }
}

impl Lake {
    /// Looks at every table, in a backup at every file; `deep` reads all of each.
    ///
    /// The lock is held while the versions to look at are noted, and not longer.
    ///
    /// # Errors
    /// Only what keeps it from looking at all; faults of tables and files are findings.
    pub async fn verify(&self, deep: bool) -> Result<Verified> {
        let root = &self.inner.root;
        let mut verified = Verified::default();
        let manifest = Manifest::read(root).await?;
        let mut tables: Vec<(TableName, i64)> = vec![];
        if let Some(manifest) = &manifest {
            verified.made_at = Some(manifest.made_at);
            self.verify_backup(manifest, deep, &mut verified).await?;
            let named = manifest.tables.iter();
            tables.extend(named.map(|t| (TableName::new(&t.schema, &t.table), t.version)));
        } else {
            // At one moment: a batch that is just being written is in no ledger yet.
            let pinned = self.pin_all("verify").await?.tables.into_iter();
            tables.extend(pinned.map(|(t, _)| (TableName::new(t.schema, t.table), t.version)));
        }
        for (name, version) in tables {
            match Box::pin(self.verify_table(&name, version, deep, &mut verified)).await {
                Ok(checked) => verified.tables.push(checked),
                Err(error) => verified.find(&name, error.chain(), FROM_BACKUP),
            }
        }
        Ok(verified)
    }

    /// Compares the files of a backup with what it says of them.
    async fn verify_backup(
        &self,
        manifest: &Manifest,
        deep: bool,
        verified: &mut Verified,
    ) -> Result<()> {
        let root = &self.inner.root;
        let again = "remove the file and run `runrate backup` again";
        let there = root.files("").await?;
        for (path, file) in &manifest.files {
            match there.get(path) {
                None => verified.find(path, "is missing", "run `runrate backup` again"),
                Some(meta) if meta.size != file.content.size => {
                    let fault = format!("has {} bytes instead of {}", meta.size, file.content.size);
                    verified.find(path, fault, again);
                }
                Some(_) if deep => match content(root, path).await {
                    Ok(found) if found == file.content => {}
                    Ok(_) => verified.find(path, "its checksum is another", again),
                    Err(error) => verified.find(path, error.chain(), again),
                },
                Some(_) => {}
            }
        }
        Ok(())
    }

    async fn verify_table(
        &self,
        name: &TableName,
        version: i64,
        deep: bool,
        verified: &mut Verified,
    ) -> Result<Checked> {
        let root = &self.inner.root;
        let made = self.made().await?;
        let log = Log::list(root, &place_of(name, &made)).await?;
        let snapshot = log.snapshot(root, name, version).await?;
        let mut checked = Checked {
            name: name.clone(),
            version,
            files: snapshot.files.len(),
            bytes: snapshot.files.iter().map(|file| file.meta.size).sum(),
            rows: 0,
            batches: BTreeMap::new(),
        };
        for file in &snapshot.files {
            if let Err(fault) = self.verify_file(&snapshot, file, deep, &mut checked).await {
                let place = format!("{name} version {version}: {}", file.relative);
                verified.find(place, fault, FROM_BACKUP);
            }
        }
        Ok(checked)
    }

    /// Counts the rows of `file` into `checked`; what is wrong with it otherwise.
    async fn verify_file(
        &self,
        snapshot: &Snapshot,
        file: &DataFile,
        deep: bool,
        checked: &mut Checked,
    ) -> std::result::Result<(), String> {
        let meta = match self.inner.root.store.head(&file.meta.location).await {
            Ok(meta) => meta,
            Err(object_store::Error::NotFound { .. }) => return Err("is missing".to_owned()),
            Err(error) => return Err(error.to_string()),
        };
        if meta.size != file.meta.size {
            return Err(format!("has {} bytes, and the log says {}", meta.size, file.meta.size));
        }
        let counted = self.count(snapshot, file, deep, checked).await;
        let (rows, nulls) = counted.map_err(|error| format!("is damaged: {}", error.chain()))?;
        checked.rows += rows;
        if rows != file.rows {
            return Err(format!("has {rows} rows, and the log says {}", file.rows));
        }
        for (index, nulls) in nulls.into_iter().enumerate() {
            let said = file.statistics.column_statistics[index].null_count;
            let column = snapshot.schema.field(index).name();
            if said.get_value().is_some_and(|said| *said != nulls) {
                return Err(format!("has {nulls} NULLs in {column}, and the log says {said}"));
            }
        }
        Ok(())
    }

    /// Rows of `file`, and if `deep` the NULLs of each column, all pages of which are read for it.
    async fn count(
        &self,
        snapshot: &Snapshot,
        file: &DataFile,
        deep: bool,
        checked: &mut Checked,
    ) -> Result<(u64, Vec<usize>)> {
        let all: Vec<usize> = (0..snapshot.schema.fields().len()).collect();
        let lineage = LINEAGE.iter().filter_map(|name| snapshot.schema.index_of(name).ok());
        let columns = if deep { all } else { lineage.collect() };
        let mut nulls = vec![0; if deep { columns.len() } else { 0 }];
        let mut rows = 0;
        let mut batches = self.scan(snapshot, file, columns)?;
        while let Some(batch) = batches.try_next().await? {
            rows += batch.num_rows() as u64;
            for (sum, column) in nulls.iter_mut().zip(batch.columns()) {
                *sum += column.null_count();
            }
            for (origin, count) in by_batch(&batch)? {
                *checked.batches.entry(origin).or_default() += count;
            }
        }
        Ok((rows, nulls))
    }

    fn scan(
        &self,
        snapshot: &Snapshot,
        file: &DataFile,
        columns: Vec<usize>,
    ) -> Result<SendableRecordBatchStream> {
        let source = Arc::new(ParquetSource::new(snapshot.schema.clone()));
        let store = ObjectStoreUrl::parse(self.inner.root.store_url.as_str())?;
        let config = FileScanConfigBuilder::new(store, source)
            .with_file(PartitionedFile::new_from_meta(file.meta.clone()))
            .with_projection_indices(Some(columns))?
            .build();
        let task = TaskContext::default().with_runtime(self.inner.runtime.clone());
        Ok(DataSourceExec::from_data_source(config).execute(0, Arc::new(task))?)
    }

    /// The rows of version `version` of `name` with those of `columns` that it has; none if it
    /// cannot be read any more.
    ///
    /// # Errors
    /// [`Error::Delta`] or [`Error::Query`] if the log or a file is damaged.
    pub async fn rows(
        &self,
        name: &TableName,
        version: i64,
        columns: &[&str],
    ) -> Result<Option<Vec<RecordBatch>>> {
        let root = &self.inner.root;
        let log = Log::list(root, &place_of(name, self.made().await?.as_ref())).await?;
        if !log.is_readable(version) {
            return Ok(None);
        }
        let snapshot = log.snapshot(root, name, version).await?;
        let found = columns.iter().filter_map(|column| snapshot.schema.index_of(column).ok());
        let columns: Vec<usize> = found.collect();
        let mut rows = vec![];
        for file in &snapshot.files {
            match root.store.head(&file.meta.location).await {
                Ok(_) => {}
                Err(object_store::Error::NotFound { .. }) => return Ok(None),
                Err(source) => {
                    let path = file.meta.location.to_string();
                    return Err(Error::Store { action: "inspect", path, source });
                }
            }
            rows.extend(
                self.scan(&snapshot, file, columns.clone())?.try_collect::<Vec<_>>().await?,
            );
        }
        Ok(Some(rows))
    }
}
