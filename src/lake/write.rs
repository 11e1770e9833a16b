//! Commits: data files written sorted and fsynced, then one log entry with the batch that caused it.

use std::num::NonZeroU64;
use std::panic::AssertUnwindSafe;

use datafusion::arrow::array::{RecordBatch, new_null_array};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::execution::SendableRecordBatchStream;
use deltalake::datafile::writer::{DeltaWriter, WriterConfig};
use deltalake::kernel::engine::arrow_conversion::TryIntoKernel;
use deltalake::kernel::transaction::{CommitBuilder, CommitProperties, TransactionError};
use deltalake::kernel::{Action, Add, Remove, StructField, StructType, Transaction};
use deltalake::operations::create::CreateBuilder;
use deltalake::parquet::basic::Compression;
use deltalake::parquet::file::metadata::SortingColumn;
use deltalake::parquet::file::properties::{EnabledStatistics, WriterProperties};
use deltalake::protocol::{DeltaOperation, SaveMode};
use deltalake::{DeltaTable, DeltaTableError};
use futures::{FutureExt, StreamExt};
use object_store::ObjectStoreExt;
use object_store::path::Path;
use serde_json::json;

use super::format::LOG_CLEANUP_PROPERTY;
use super::lock::Lock;
use super::patch::Patched;
use super::snapshot::{DataFile, KEY_PROPERTY, Snapshot};
use super::store::files_of;
use super::{Batch, Committed, Lake, Layout, TableName};
use crate::error::{Error, Result};

/// Size at which a data file is closed and the next one begun.
const FILE_BYTES: u64 = 128 << 20;
/// Rows of a row group: small enough to prune by, large enough to compress.
const ROW_GROUP_ROWS: usize = 256 << 10;

/// The one writer of a lake; dropping it gives the lock back.
#[derive(Debug)]
pub struct Writer {
    pub(super) lake: Lake,
    command: String,
    lock: Lock,
}

impl Writer {
    pub(super) fn new(lake: Lake, lock: Lock, command: &str) -> Self {
        Self { lake, command: command.to_owned(), lock }
    }

    /// Refuses to go on once another writer may have taken this one for dead.
    ///
    /// # Errors
    /// [`Error::LakeLocked`].
    pub(super) fn check_held(&self) -> Result<()> {
        match self.lock.is_held() {
            true => Ok(()),
            false => Err(Error::LakeLocked {
                holder: "another writer: the lease was not renewed in time".into(),
                waited_ms: 0,
            }),
        }
    }

    /// The table `name` at its newest version.
    pub(super) async fn open(&self, name: &TableName) -> Result<DeltaTable> {
        if let Some(made) = self.lake.made().await?.table(name) {
            return self.at_version(name, &made.place, made.version).await;
        }
        let mut table = self.lake.inner.root.delta(name)?;
        match table.load().await {
            Ok(()) => Ok(table),
            Err(DeltaTableError::NotATable(_)) => {
                let reason = "does not exist".to_owned();
                Err(Error::NoTable { table: name.to_string(), reason })
            }
            Err(e) => Err(Error::delta(name, "open", e)),
        }
    }

    /// Makes `name` with `layout` if it does not exist; adds columns that `layout` has and the
    /// table lacks.
    ///
    /// # Errors
    /// [`Error::Definition`] if a column exists with another type; [`Error::Delta`] if the table
    /// cannot be made.
    pub async fn ensure(&self, name: &TableName, layout: &Layout) -> Result<()> {
        let failed = |e| Error::delta(name, "create", e);
        let mut table = self.lake.inner.root.delta(name)?;
        let wanted: StructType = layout
            .schema
            .as_ref()
            .try_into_kernel()
            .map_err(|e: datafusion::arrow::error::ArrowError| Error::from(e))?;
        if !super::exists(name, &table).await? {
            create(name, table, layout).await?;
            return self.mark().await;
        }
        table.load().await.map_err(failed)?;
        let stored = Snapshot::of(name, &table)?.schema;
        let mut added: Vec<StructField> = vec![];
        for field in layout.schema.fields() {
            match stored.field_with_name(field.name()) {
                Ok(existing) if existing.data_type() == field.data_type() => {}
                Ok(existing) => {
                    let reason = format!(
                        "column {} is {} in the lake and {} here",
                        field.name(),
                        existing.data_type(),
                        field.data_type()
                    );
                    return Err(Error::Definition { name: name.to_string(), reason });
                }
                Err(_) => {
                    let field = wanted.field(field.name()).cloned();
                    // Rows already stored have no value for it.
                    added.extend(field.map(|f| StructField { nullable: true, ..f }));
                }
            }
        }
        if !added.is_empty() {
            table.add_columns().with_fields(added).await.map_err(failed)?;
            self.mark().await?;
        }
        Ok(())
    }

    /// The version in which `batch_id` was committed to `name`, if it was.
    ///
    /// # Errors
    /// [`Error::Delta`] if the log cannot be read.
    pub async fn committed(&self, name: &TableName, batch_id: &str) -> Result<Option<i64>> {
        let table = self.open(name).await?;
        committed(name, &table, batch_id).await
    }

    /// Adds `rows`.
    ///
    /// # Errors
    /// Those of `rows`, and [`Error::Delta`] or [`Error::Conflict`] if they cannot be committed.
    pub async fn append(
        &self,
        name: &TableName,
        rows: SendableRecordBatchStream,
        batch: &Batch,
    ) -> Result<Committed> {
        let table = self.open(name).await?;
        if let Some(version) = committed(name, &table, &batch.id).await? {
            return all_duplicate(rows, version).await;
        }
        let snapshot = Snapshot::of(name, &table)?;
        let (adds, rows_loaded) = self.write_files(&table, &snapshot, rows).await?;
        let version = self.commit(name, &table, adds, vec![], batch, SaveMode::Append).await?;
        Ok(Committed { version, rows_loaded, rows_duplicate: 0 })
    }

    /// Puts `rows` in the place of everything the table holds; there need not be a table, and one
    /// of other columns gets those of `layout`.
    ///
    /// It is one commit: no reader finds the table without its rows.
    ///
    /// # Errors
    /// As [`Writer::append`].
    pub async fn replace(
        &self,
        name: &TableName,
        layout: &Layout,
        rows: SendableRecordBatchStream,
        batch: &Batch,
    ) -> Result<Committed> {
        let mut table = self.lake.inner.root.delta(name)?;
        let mut stored = None;
        if super::exists(name, &table).await? {
            table.load().await.map_err(|e| Error::delta(name, "open", e))?;
            if let Some(version) = committed(name, &table, &batch.id).await? {
                return all_duplicate(rows, version).await;
            }
            stored = Some(Snapshot::of(name, &table)?).filter(|stored| stored.is_of(layout));
        }
        if let Some(stored) = stored {
            let (adds, rows_loaded) = self.write_files(&table, &stored, rows).await?;
            let gone = removes(&table, |_| true)?;
            let version = self.commit(name, &table, adds, gone, batch, SaveMode::Overwrite).await?;
            return Ok(Committed { version, rows_loaded, rows_duplicate: 0 });
        }
        let planned = Snapshot::planned(name, layout);
        let (adds, rows_loaded) = self.write_files(&table, &planned, rows).await?;
        let done = creation(name, table.clone(), layout)?
            .with_save_mode(SaveMode::Overwrite)
            .with_actions(adds.into_iter().map(Action::Add))
            .with_commit_properties(self.properties(batch))
            .await
            .map(|made| made.version().unwrap_or_default() as i64);
        let version = settled(name, &table, batch, done).await?;
        self.mark().await?;
        Ok(Committed { version, rows_loaded, rows_duplicate: 0 })
    }

    /// Writes `rows` to new data files; nothing sees them until they are committed.
    pub(super) async fn write_files(
        &self,
        table: &DeltaTable,
        snapshot: &Snapshot,
        rows: SendableRecordBatchStream,
    ) -> Result<(Vec<Add>, u64)> {
        write_guarded(table, snapshot, rows).await
    }

    /// As [`Writer::commit_files`]; of a table made over SQL the new version counts from now on.
    pub(super) async fn commit(
        &self,
        name: &TableName,
        table: &DeltaTable,
        adds: Vec<Add>,
        removes: Vec<Remove>,
        batch: &Batch,
        mode: SaveMode,
    ) -> Result<i64> {
        let version = self.commit_files(name, table, adds, removes, batch, mode).await?;
        self.follow(name, version).await?;
        self.mark().await?;
        Ok(version)
    }

    /// Commits files added and removed to the log, with the batch that caused it.
    pub(super) async fn commit_files(
        &self,
        name: &TableName,
        table: &DeltaTable,
        adds: Vec<Add>,
        removes: Vec<Remove>,
        batch: &Batch,
        mode: SaveMode,
    ) -> Result<i64> {
        self.check_held()?;
        let actions: Vec<Action> = removes
            .into_iter()
            .map(Action::Remove)
            .chain(adds.into_iter().map(Action::Add))
            .collect();
        let operation = DeltaOperation::Write { mode, partition_by: None, predicate: None };
        let state = table.snapshot().map_err(|e| Error::delta(name, "commit", e))?;
        let outcome = CommitBuilder::from(self.properties(batch))
            .with_actions(actions)
            .build(Some(state), table.log_store(), operation)
            .await;
        settled(name, table, batch, outcome.map(|done| done.version() as i64)).await
    }

    /// What the log says of a commit: the batch, by which it is known again, and the command.
    ///
    /// Nothing but upkeep cleans the log, because nothing else knows the horizon.
    pub(super) fn properties(&self, batch: &Batch) -> CommitProperties {
        let metadata = [("runrate.batch", &batch.id), ("runrate.command", &self.command)]
            .map(|(key, text)| (key.to_owned(), serde_json::Value::String(text.clone())));
        // What was read is what is committed upon: a commit that came in between may hold the same
        // keys, which the log cannot see.
        CommitProperties::default()
            .with_max_retries(0)
            .with_metadata(metadata)
            .with_cleanup_expired_logs(Some(false))
            .with_application_transaction(known(batch))
    }

    /// Tells readers of an object store that something was committed.
    pub(super) async fn mark(&self) -> Result<()> {
        let root = &self.lake.inner.root;
        if root.local.is_some() {
            return Ok(());
        }
        let token = chrono::Utc::now().timestamp_micros().to_string();
        root.write_small(&root.path("_commits")?, token.into_bytes()).await
    }
}

/// What a log says of a batch that its table holds.
pub(super) fn known(batch: &Batch) -> Transaction {
    Transaction::new(app_id(&batch.id), 1)
}

/// The name under which a batch is remembered in a table's log.
fn app_id(batch_id: &str) -> String {
    format!("runrate:{batch_id}")
}

/// The version of `table` that holds the batch, if one does.
pub(super) async fn committed(
    name: &TableName,
    table: &DeltaTable,
    batch_id: &str,
) -> Result<Option<i64>> {
    let failed = |e| Error::delta(name, "read", e);
    let log = table.log_store();
    let state = table.snapshot().map_err(failed)?;
    let found = state.transaction_version(log.as_ref(), app_id(batch_id)).await.map_err(failed)?;
    // 0 takes back what was said before: the table was restored to a version without the batch.
    let held = found.filter(|version| *version > 0);
    Ok(held.and(table.version()).map(|version| version as i64))
}

/// The version that holds `batch`: that of `outcome`, or what the log knows after an error, as the
/// entry may have landed all the same.
async fn settled(
    name: &TableName,
    table: &DeltaTable,
    batch: &Batch,
    outcome: Result<i64, DeltaTableError>,
) -> Result<i64> {
    let error = match outcome {
        Ok(version) => return Ok(version),
        Err(error) => error,
    };
    let mut newest = table.clone();
    drop(newest.update_state().await);
    match committed(name, &newest, &batch.id).await {
        Ok(Some(version)) => Ok(version),
        _ if is_conflict(&error) => Err(Error::Conflict { table: name.to_string(), attempts: 1 }),
        _ => Err(Error::delta(name, "commit", error)),
    }
}

/// Whether another commit came in between.
fn is_conflict(error: &DeltaTableError) -> bool {
    use TransactionError as T;
    let DeltaTableError::Transaction { source } = error else { return false };
    matches!(source, T::VersionAlreadyExists(_) | T::CommitConflict(_) | T::MaxCommitAttempts(_))
}

/// The outcome for a batch that is in the table already.
pub(super) async fn all_duplicate(
    mut rows: SendableRecordBatchStream,
    version: i64,
) -> Result<Committed> {
    let mut rows_duplicate = 0;
    while let Some(batch) = rows.next().await.transpose()? {
        rows_duplicate += batch.num_rows() as u64;
    }
    Ok(Committed { version, rows_loaded: 0, rows_duplicate })
}

/// Remove actions for the files that `wanted` names by their path in the log.
pub(super) fn removes(table: &DeltaTable, wanted: impl Fn(&str) -> bool) -> Result<Vec<Remove>> {
    let name = table.table_url().to_string();
    let state = table.snapshot().map_err(|e| Error::delta(name, "read", e))?;
    let files = state.log_data().into_iter().filter(|file| wanted(&file.path()));
    Ok(files.map(|file| file.remove_action(true)).collect())
}

/// Makes the table at the place of `table`.
pub(super) async fn create(name: &TableName, table: DeltaTable, layout: &Layout) -> Result<()> {
    let made = creation(name, table, layout)?.await;
    made.map(drop).map_err(|e| Error::delta(name, "create", e))
}

fn creation(name: &TableName, table: DeltaTable, layout: &Layout) -> Result<CreateBuilder> {
    let wanted: StructType = layout
        .schema
        .as_ref()
        .try_into_kernel()
        .map_err(|e: datafusion::arrow::error::ArrowError| Error::from(e))?;
    Ok(table
        .create()
        .with_table_name(name.to_string())
        .with_comment(layout.meaning.clone())
        .with_columns(wanted.fields().cloned())
        .with_raise_if_key_not_exists(false)
        .with_configuration([
            (KEY_PROPERTY.to_owned(), Some(layout.key.join(","))),
            (LOG_CLEANUP_PROPERTY.to_owned(), Some("false".to_owned())),
        ]))
}

/// Writes `rows` to new data files; a panic of the store is an error.
pub(super) async fn write_guarded(
    table: &DeltaTable,
    snapshot: &Snapshot,
    rows: SendableRecordBatchStream,
) -> Result<(Vec<Add>, u64)> {
    let work = write_files(table, snapshot, rows);
    // object_store 0.13 panics ("Already shut down") where a disk is full.
    match AssertUnwindSafe(work).catch_unwind().await {
        Ok(outcome) => outcome,
        Err(_) => Err(Error::Store {
            action: "write",
            path: snapshot.name.to_string(),
            source: object_store::Error::Generic {
                store: "lake",
                source: "a data file could not be finished; is the disk full?".into(),
            },
        }),
    }
}

async fn write_files(
    table: &DeltaTable,
    snapshot: &Snapshot,
    mut rows: SendableRecordBatchStream,
) -> Result<(Vec<Add>, u64)> {
    let failed = |e| Error::delta(&snapshot.name, "write", e);
    let schema = snapshot.schema.clone();
    let config = WriterConfig::new(
        schema.clone(),
        vec![],
        Some(properties(snapshot)),
        NonZeroU64::new(FILE_BYTES),
        None,
        // The columns named next go before it.
        Default::default(),
        Some(statistics_columns(snapshot)),
    );
    let mut writer = DeltaWriter::new(files_of(&table.log_store()), config);
    let mut count = 0;
    while let Some(batch) = rows.next().await.transpose()? {
        count += batch.num_rows() as u64;
        writer.write(&conform(&batch, &schema)?).await.map_err(failed)?;
    }
    let adds = writer.close().await.map_err(failed)?;
    Ok((adds, count))
}

/// How the files of a table are written.
///
/// Snappy: against Zstandard a read takes a fifth less time, and files half as much room again
/// (the demo's tables, 9.7 MB plain: 27 and 33 ms, 4.4 and 3.0 MB), and all that reads Parquet
/// knows it.
pub(super) fn properties(snapshot: &Snapshot) -> WriterProperties {
    let sorted = snapshot.key_indices().into_iter().map(|index| SortingColumn {
        column_idx: index as i32,
        descending: false,
        nulls_first: false,
    });
    WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_sorting_columns(Some(sorted.collect()))
        .build()
}

/// Columns whose bounds go into the log: keys, ids and everything that is not free text.
///
/// Free text is left out because the log outlives a deletion, and a name or an address in it would too.
fn statistics_columns(snapshot: &Snapshot) -> Vec<String> {
    let fields = snapshot.schema.fields().iter();
    let kept = fields.filter(|field| {
        let is_text = matches!(field.data_type(), DataType::Utf8 | DataType::LargeUtf8);
        !is_text || field.name().ends_with("_id") || snapshot.key.contains(field.name())
    });
    kept.map(|field| field.name().clone()).collect()
}

/// Stores `patched`, which takes the place of `file`, and says what the log is to hold of it.
pub(super) async fn add_patched(
    table: &DeltaTable,
    snapshot: &Snapshot,
    file: &DataFile,
    patched: Patched,
) -> Result<Add> {
    let state = table.snapshot().map_err(|e| Error::delta(&snapshot.name, "read", e))?;
    let before = state.log_data().into_iter().find(|view| view.path() == file.relative);
    let before = before.and_then(|view| serde_json::from_str(view.stats()?.as_ref()).ok());
    let mut statistics = before.unwrap_or_else(|| json!({ "numRecords": file.rows }));
    let kept = statistics_columns(snapshot);
    for (name, bounds) in patched.bounds.iter().filter(|(name, _)| kept.contains(name)) {
        bounds.put(&mut statistics, name);
    }
    let mut random = [0; 16];
    getrandom::fill(&mut random)
        .map_err(|e| Error::file("draw a name for", &file.relative, e.into()))?;
    let path = format!("part-00000-{:032x}-c000.snappy.parquet", u128::from_be_bytes(random));
    let size = patched.bytes.len() as i64;
    let store = files_of(&table.log_store());
    store.put(&Path::from(path.as_str()), patched.bytes.into()).await.map_err(|source| {
        Error::Store { action: "write", path: format!("{}/{path}", snapshot.name), source }
    })?;
    Ok(Add {
        path,
        size,
        partition_values: Default::default(),
        modification_time: chrono::Utc::now().timestamp_millis(),
        data_change: true,
        stats: Some(statistics.to_string()),
        tags: None,
        deletion_vector: None,
        base_row_id: None,
        default_row_commit_version: None,
        clustering_provider: None,
    })
}

/// `batch` with the columns of `schema`, by name; a column it lacks is NULL.
pub(super) fn conform(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let mut columns = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        columns.push(match batch.column_by_name(field.name()) {
            Some(column) if column.data_type() == field.data_type() => column.clone(),
            Some(column) => cast(column, field.data_type())?,
            None => new_null_array(field.data_type(), batch.num_rows()),
        });
    }
    Ok(RecordBatch::try_new(schema.clone(), columns)?)
}
