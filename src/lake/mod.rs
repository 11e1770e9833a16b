//! Delta tables on an object store: the only room that writes them.
//!
//! A lake is a directory (or `s3://` prefix) with a `FORMAT` file and one Delta table at
//! `<root>/<schema>/<table>/`.
//! Reading never locks: a [`LakeTable`] is a snapshot pinned to one version.
//! Writing goes through a [`Writer`], which holds the lake's writer lock from its making to its drop.

mod bounds;
mod draft;
mod durable;
mod lock;
mod made;
mod maintain;
mod patch;
mod provider;
mod purge;
mod snapshot;
mod store;
mod upsert;
mod write;

#[cfg(test)]
mod made_tests;
#[cfg(test)]
mod patch_tests;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::RuntimeEnv;
use deltalake::DeltaTable;
use futures::TryStreamExt;
use object_store::ObjectStore;
use parking_lot::Mutex;
use url::Url;

use crate::config::Config;
use crate::error::{Error, Result};
pub use draft::{Change, Draft, Drafted, over_quota};
pub use made::{Made, MadeRelation, MadeTable, MadeView, Rules, TableKey};
use snapshot::Snapshot;
use store::Root;
pub use write::Writer;

/// Version of the layout on disk that this binary writes; the same major number opens.
const FORMAT: &str = "1.0";

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
pub struct Lake {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    root: Root,
    lock_timeout: Duration,
    tasks: Arc<tokio::sync::Mutex<()>>,
    /// What merges and compactions read stored files with.
    runtime: Arc<RuntimeEnv>,
    /// The last state of each table, so that a look for news reads only what is new.
    loaded: Mutex<BTreeMap<TableName, (DeltaTable, Arc<LakeTable>)>>,
}

impl Lake {
    /// Opens the lake that `config` names, making it if it does not exist.
    ///
    /// # Errors
    /// [`Error::LakeFormat`] if a newer version wrote it; [`Error::Store`] if it cannot be reached.
    pub async fn open(config: &Config) -> Result<Self> {
        let root = Root::open(&config.lake)?;
        check_format(&root).await?;
        let runtime = Arc::new(RuntimeEnv::default());
        runtime.register_object_store(&root.store_url, root.store.clone());
        Ok(Self {
            inner: Arc::new(Inner {
                root,
                lock_timeout: Duration::from_millis(config.lock_timeout_ms),
                tasks: Arc::default(),
                runtime,
                loaded: Mutex::default(),
            }),
        })
    }

    /// The store that scans read from, and the URL to register it under.
    pub fn object_store(&self) -> (Url, Arc<dyn ObjectStore>) {
        (self.inner.root.store_url.clone(), self.inner.root.store.clone())
    }

    /// Where the lake is within its store, as paths of its files begin.
    ///
    /// # Errors
    /// If its URL is no path.
    pub fn prefix(&self) -> Result<String> {
        Ok(format!("{}/", self.inner.root.path("")?))
    }

    /// A token that changes with every commit of any writer; cheap enough to poll.
    ///
    /// On a local disk it is drawn from the times of the log directories, which any writer changes.
    /// On an object store it is the object `_commits`, which Runrate's writers rewrite.
    ///
    /// # Errors
    /// [`Error::File`] or [`Error::Store`] if the lake cannot be read.
    pub async fn change_token(&self) -> Result<String> {
        let root = &self.inner.root;
        let Some(dir) = &root.local else {
            let bytes = root.read_small(&root.path("_commits")?).await?.unwrap_or_default();
            return Ok(String::from_utf8_lossy(&bytes).into_owned());
        };
        let mut hasher = DefaultHasher::new();
        // What was made over SQL is all in one small file.
        root.read_small(&root.path("_tables.json")?).await?.hash(&mut hasher);
        for name in local_tables(dir)? {
            let log = dir.join(&name.schema).join(&name.table).join("_delta_log");
            let meta = std::fs::metadata(&log).map_err(|e| Error::file("inspect", &log, e))?;
            name.hash(&mut hasher);
            meta.modified().map_err(|e| Error::file("inspect", &log, e))?.hash(&mut hasher);
        }
        Ok(format!("{:016x}", hasher.finish()))
    }

    /// Every table, sorted.
    ///
    /// # Errors
    /// [`Error::File`] or [`Error::Store`] if the lake cannot be listed.
    pub async fn tables(&self) -> Result<Vec<TableName>> {
        let mut names = self.listed().await?;
        let made = self.made().await?;
        let tables = made.relations().map(|(name, _)| name);
        names.extend(tables.filter(|name| made.table(name).is_some()));
        names.sort();
        Ok(names)
    }

    /// The tables that have a directory of their name.
    async fn listed(&self) -> Result<Vec<TableName>> {
        let root = &self.inner.root;
        if let Some(dir) = &root.local {
            return local_tables(dir);
        }
        let base = root.path("")?;
        let failed = |e| Error::Store { action: "list", path: base.to_string(), source: e };
        let mut names = vec![];
        let schemas = root.store.list_with_delimiter(Some(&base)).await.map_err(failed)?;
        for schema in schemas.common_prefixes {
            if schema.filename().is_some_and(|name| name.starts_with(['_', '.'])) {
                continue;
            }
            let tables = root.store.list_with_delimiter(Some(&schema)).await.map_err(failed)?;
            for table in tables.common_prefixes {
                let mut log = root.store.list(Some(&table.clone().join("_delta_log")));
                let is_table = log.try_next().await.map_err(failed)?.is_some();
                if let (true, Some(s), Some(t)) = (is_table, schema.filename(), table.filename()) {
                    names.push(TableName::new(s, t));
                }
            }
        }
        Ok(names)
    }

    /// A snapshot of `name`, or `None` if there is no such table.
    ///
    /// # Errors
    /// [`Error::NoTable`] for a version that is gone or never was; [`Error::Delta`] if the log
    /// cannot be read.
    pub async fn table(&self, name: &TableName, at: At) -> Result<Option<Arc<LakeTable>>> {
        let made = self.made().await?.table(name).cloned();
        let stored = match &made {
            Some(made) => TableName::new(made::FOLDER, made.place.clone()),
            None => name.clone(),
        };
        let mut delta = self.inner.root.delta(&stored)?;
        match at {
            At::Latest => return self.latest(name, made.as_ref()).await,
            At::Version(version) => {
                if !exists(name, &delta).await? {
                    return Ok(None);
                }
                let wanted = u64::try_from(version).unwrap_or(u64::MAX);
                delta.load_version(wanted).await.map_err(|e| gone(name, &version, e))?;
            }
            At::Timestamp(instant) => {
                if !exists(name, &delta).await? {
                    return Ok(None);
                }
                delta.load_with_datetime(instant).await.map_err(|e| gone(name, &instant, e))?;
            }
        }
        Ok(Some(self.pin(name, &delta)?))
    }

    async fn latest(
        &self,
        name: &TableName,
        made: Option<&MadeTable>,
    ) -> Result<Option<Arc<LakeTable>>> {
        // A table made over SQL may change its name: it is remembered by its place.
        let stored = match made {
            Some(made) => TableName::new(made::FOLDER, made.place.clone()),
            None => name.clone(),
        };
        let known = self.loaded().get(&stored).cloned();
        let (mut delta, before) = match known {
            Some((delta, table)) => (delta, Some(table)),
            None => (self.inner.root.delta(&stored)?, None),
        };
        let wanted = made.map(|made| made.version);
        if let (Some(table), Some(wanted)) = (&before, wanted)
            && table.version() == wanted
        {
            return Ok(Some(table.clone()));
        }
        if before.is_none() && !exists(name, &delta).await? {
            return Ok(None);
        }
        delta.update_state().await.map_err(|e| Error::delta(name, "read", e))?;
        if let Some(wanted) = wanted.and_then(|version| u64::try_from(version).ok())
            && delta.version() != Some(wanted)
        {
            delta.load_version(wanted).await.map_err(|e| Error::delta(name, "read", e))?;
        }
        if let Some(table) = before
            && delta.version() == Some(table.version() as u64)
        {
            return Ok(Some(table));
        }
        let table = self.pin(name, &delta)?;
        self.loaded().insert(stored, (delta, table.clone()));
        Ok(Some(table))
    }

    fn loaded(
        &self,
    ) -> parking_lot::MutexGuard<'_, BTreeMap<TableName, (DeltaTable, Arc<LakeTable>)>> {
        self.inner.loaded.lock()
    }

    fn pin(&self, name: &TableName, delta: &DeltaTable) -> Result<Arc<LakeTable>> {
        let snapshot = Arc::new(Snapshot::of(name, delta)?);
        let store = ObjectStoreUrl::parse(self.inner.root.store_url.as_str())?;
        Ok(Arc::new(LakeTable { snapshot, store }))
    }

    /// Takes the writer lock for `command`, waiting up to the configured time.
    ///
    /// # Errors
    /// [`Error::LakeLocked`] naming the holder if it is still held then.
    pub async fn writer(&self, command: &str) -> Result<Writer> {
        let inner = &self.inner;
        let held = lock::take(&inner.root, inner.tasks.clone(), command, inner.lock_timeout);
        Ok(Writer::new(self.clone(), held.await?, command))
    }
}

/// One version of one table, ready to scan.
#[derive(Debug)]
pub struct LakeTable {
    snapshot: Arc<Snapshot>,
    store: ObjectStoreUrl,
}

impl LakeTable {
    /// Version of the snapshot.
    pub fn version(&self) -> i64 {
        self.snapshot.version
    }

    /// When that version was committed.
    pub fn committed_at(&self) -> DateTime<Utc> {
        self.snapshot.committed_at
    }

    /// Exact number of rows.
    pub fn rows(&self) -> u64 {
        self.snapshot.rows()
    }

    /// Columns and types.
    pub fn schema(&self) -> SchemaRef {
        self.snapshot.schema.clone()
    }

    /// The provider that scans it.
    pub fn provider(&self) -> Arc<dyn TableProvider> {
        let (snapshot, store) = (self.snapshot.clone(), self.store.clone());
        Arc::new(provider::Provider { snapshot, store })
    }
}

async fn exists(name: &TableName, delta: &DeltaTable) -> Result<bool> {
    delta.verify_deltatable_existence().await.map_err(|e| Error::delta(name, "find", e))
}

fn gone(name: &TableName, wanted: &dyn fmt::Display, source: deltalake::DeltaTableError) -> Error {
    let reason = format!("has no version {wanted}: {source}");
    Error::NoTable { table: name.to_string(), reason }
}

/// Writes `FORMAT` into a new lake, and refuses one of another major version.
async fn check_format(root: &Root) -> Result<()> {
    let path = root.path("FORMAT")?;
    let Some(bytes) = root.read_small(&path).await? else {
        return root.write_small(&path, format!("{FORMAT}\n").into_bytes()).await;
    };
    let found = String::from_utf8_lossy(&bytes).trim().to_owned();
    let parts = |text: &str| -> Option<(u32, u32)> {
        let (major, minor) = text.split_once('.')?;
        Some((major.parse().ok()?, minor.parse().ok()?))
    };
    match (parts(&found), parts(FORMAT)) {
        (Some(old), Some(known)) if old.0 == known.0 && old.1 <= known.1 => Ok(()),
        _ => Err(Error::LakeFormat { root: root.url.to_string(), found, known: FORMAT.to_owned() }),
    }
}

/// Tables of a local lake: directories with at least one commit.
fn local_tables(dir: &std::path::Path) -> Result<Vec<TableName>> {
    let mut names = vec![];
    for schema in folders(dir)? {
        for table in folders(&dir.join(&schema))? {
            let log = dir.join(&schema).join(&table).join("_delta_log");
            let has_commit = std::fs::read_dir(&log).is_ok_and(|entries| {
                entries.flatten().any(|entry| {
                    entry.path().extension().is_some_and(|e| e == "json" || e == "parquet")
                })
            });
            if has_commit {
                names.push(TableName::new(schema.clone(), table));
            }
        }
    }
    names.sort();
    Ok(names)
}

fn folders(dir: &std::path::Path) -> Result<Vec<String>> {
    let failed = |e| Error::file("list", dir, e);
    let mut names = vec![];
    for entry in std::fs::read_dir(dir).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.path().is_dir() && !name.starts_with(['_', '.']) {
            names.push(name);
        }
    }
    Ok(names)
}
