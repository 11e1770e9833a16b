//! Delta tables on an object store: the only room that writes them.
//!
//! A lake is a directory (or `s3://` prefix) with a `FORMAT` file and one Delta table at
//! `<root>/<schema>/<table>/`.
//! Reading never locks: a [`LakeTable`] is a snapshot pinned to one version.
//! Writing goes through a [`Writer`], which holds the lake's writer lock from its making to its drop.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::execution::SendableRecordBatchStream;

use crate::config::Config;
use crate::error::Result;

/// `schema.table` of the lake.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TableName {
    /// First directory below the root.
    pub schema: String,
    /// Second directory below the root.
    pub table: String,
}

impl TableName {
    /// `schema.table`.
    pub fn new(schema: impl Into<String>, table: impl Into<String>) -> Self {
        Self { schema: schema.into(), table: table.into() }
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.schema, self.table)
    }
}

/// Which version of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// The newest.
    Latest,
    /// This one.
    Version(i64),
    /// The newest that was committed at or before this instant.
    Timestamp(DateTime<Utc>),
}

/// How a table's rows are identified and stored.
#[derive(Debug, Clone)]
pub struct Layout {
    /// Columns and types.
    pub schema: SchemaRef,
    /// Primary key, and the order of rows in every file; empty for a table that only appends.
    pub key: Vec<String>,
    /// Comment of the table.
    pub meaning: String,
}

/// What a commit says of itself in the Delta log.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Identity of the input (hash of source bytes and mapping): committing it twice is refused.
    pub id: String,
    /// The command that wrote it, such as `ingest salesforce`.
    pub command: String,
}

/// What a commit did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    /// Version of the table after it.
    pub version: i64,
    /// Rows that are new or took the place of an older one.
    pub rows_loaded: u64,
    /// Rows left out because the table holds the same or a newer one.
    pub rows_duplicate: u64,
}

/// An open lake; cheap to clone.
#[derive(Debug, Clone)]
pub struct Lake {}

impl Lake {
    /// Opens the lake that `config` names, making it if it does not exist.
    pub async fn open(_config: &Config) -> Result<Self> {
        Ok(Self {})
    }

    /// A token that changes with every commit of any writer of this kind; cheap enough to poll.
    pub async fn change_token(&self) -> Result<String> {
        Ok(String::new())
    }

    /// The store that scans read from, and the URL to register it under.
    pub fn object_store(&self) -> (url::Url, Arc<dyn object_store::ObjectStore>) {
        unreachable!("lake stub")
    }

    /// Every table, sorted.
    pub async fn tables(&self) -> Result<Vec<TableName>> {
        Ok(vec![])
    }

    /// A snapshot of `name`, or `None` if there is no such table.
    pub async fn table(&self, _name: &TableName, _at: At) -> Result<Option<Arc<LakeTable>>> {
        Ok(None)
    }

    /// Takes the writer lock for `command`, waiting up to the configured time.
    pub async fn writer(&self, _command: &str) -> Result<Writer> {
        Ok(Writer {})
    }
}

/// One version of one table, ready to scan.
#[derive(Debug)]
pub struct LakeTable {}

impl LakeTable {
    /// Version of the snapshot.
    pub fn version(&self) -> i64 {
        0
    }
    /// When that version was committed.
    pub fn committed_at(&self) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH
    }
    /// Exact number of rows.
    pub fn rows(&self) -> u64 {
        0
    }
    /// The provider that scans it.
    pub fn provider(self: &Arc<Self>) -> Arc<dyn TableProvider> {
        unreachable!("lake stub")
    }
}

/// The one writer of a lake; dropping it gives the lock back.
#[derive(Debug)]
pub struct Writer {}

impl Writer {
    /// Makes `name` with `layout` if it does not exist; adds columns that `layout` has and the table lacks.
    pub async fn ensure(&self, _name: &TableName, _layout: &Layout) -> Result<()> {
        Ok(())
    }

    /// The version in which `batch_id` was committed to `name`, if it was.
    pub async fn committed(&self, _name: &TableName, _batch_id: &str) -> Result<Option<i64>> {
        Ok(None)
    }

    /// Adds `rows`.
    pub async fn append(
        &self,
        _name: &TableName,
        _rows: SendableRecordBatchStream,
        _batch: &Batch,
    ) -> Result<Committed> {
        Ok(Committed { version: 0, rows_loaded: 0, rows_duplicate: 0 })
    }

    /// Adds `rows` (sorted by key, one row a key) and replaces rows of the same key that are older.
    ///
    /// A row is newer if its `updated_at` is later; NULL is older than any instant.
    /// At the same `updated_at` it replaces the stored row only if another column differs
    /// (`_ingested_at` and `_batch_id` aside).
    pub async fn upsert(
        &self,
        _name: &TableName,
        _rows: SendableRecordBatchStream,
        _batch: &Batch,
    ) -> Result<Committed> {
        Ok(Committed { version: 0, rows_loaded: 0, rows_duplicate: 0 })
    }

    /// Puts `rows` in the place of everything the table holds.
    pub async fn replace(
        &self,
        _name: &TableName,
        _rows: SendableRecordBatchStream,
        _batch: &Batch,
    ) -> Result<Committed> {
        Ok(Committed { version: 0, rows_loaded: 0, rows_duplicate: 0 })
    }

    /// Rewrites small files into sorted larger ones, checkpoints the log and removes old files.
    pub async fn maintain(&self, _name: &TableName) -> Result<()> {
        Ok(())
    }
}
