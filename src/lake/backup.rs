//! A consistent copy of a whole lake, in a directory or a bucket; a second one copies what is new.
//!
//! A backup has the layout of a lake, and `_backup.json` beside: which version of each table it
//! holds, and every file with its size and checksum.
//! That file is written last and is the backup: what a killed run has copied beyond it counts for
//! nothing but the time of the next run.
//! Files of a table never change, so a file that is there already is not copied again; commits are
//! compared by content, because those of two lakes have the same names.
//!
//! The writer lock is held while versions are pinned, not while files are copied: writers go on, and
//! files of the pinned versions stay for as long as the horizon says. An erasure meanwhile takes
//! files away; then all begins again from new versions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use serde::{Deserialize, Serialize};

use super::copy::{Content, content, copy};
use super::history::{Log, place_of};
use super::made;
use super::store::Root;
use super::{Lake, TableName, lock};
use crate::error::{Error, Result};

/// The file that makes a directory a backup.
pub(super) const MANIFEST: &str = "_backup.json";
/// What a backup that has not come to its end has copied.
pub(super) const PARTIAL: &str = "_backup.partial.json";
/// Version of the layout of [`Manifest`].
const MANIFEST_VERSION: u32 = 1;
/// How often a backup begins again if files go while it copies.
const ATTEMPTS: usize = 3;

/// What a backup holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    pub manifest: u32,
    pub lake_format: String,
    pub made_at: DateTime<Utc>,
    pub tables: Vec<Table>,
    /// The text of `_tables.json`, if the lake has one.
    pub relations: Option<String>,
    /// Every other file, by its path below the root.
    pub files: BTreeMap<String, File>,
}

/// One table of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    pub schema: String,
    pub table: String,
    /// The version that counts.
    pub version: i64,
}

/// One file of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct File {
    #[serde(flatten)]
    pub content: Content,
    /// When it was written in the lake, by which `runrate.lake_at` finds versions.
    pub modified_at: DateTime<Utc>,
}

/// What a backup did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackedUp {
    /// Tables of the backup (count).
    pub tables: usize,
    /// Files of the backup (count).
    pub files: usize,
    /// Bytes of them.
    pub bytes: u64,
    /// Files that were copied now (count).
    pub files_copied: usize,
    /// Bytes of them.
    pub bytes_copied: u64,
    /// Files that were removed because the lake has them no more (count).
    pub files_removed: usize,
}

/// A version of every table, pinned at one moment.
pub(super) struct Pinned {
    made_at: DateTime<Utc>,
    lake_format: String,
    relations: Option<String>,
    pub tables: Vec<(Table, Log)>,
}

impl Manifest {
    /// The manifest at `root`, if it is a backup.
    pub(super) async fn read(root: &Root) -> Result<Option<Self>> {
        let Some(manifest) = parsed(root, MANIFEST).await? else { return Ok(None) };
        Ok(Some(manifest))
    }

    async fn write(&self, root: &Root, name: &str) -> Result<()> {
        let bytes = serde_json::to_vec_pretty(self).map_err(|e| Error::Definition {
            name: name.to_owned(),
            reason: format!("cannot be written: {e}"),
        })?;
        root.write_small(&root.path(name)?, bytes).await
    }

    pub(super) fn bytes(&self) -> u64 {
        self.files.values().map(|file| file.content.size).sum()
    }
}

async fn parsed(root: &Root, name: &str) -> Result<Option<Manifest>> {
    let Some(bytes) = root.read_small(&root.path(name)?).await? else { return Ok(None) };
    let refused = |reason: String| Error::Place { place: format!("{}{name}", root.url), reason };
    let manifest: Manifest = serde_json::from_slice(&bytes)
        .map_err(|e| refused(format!("is not understood by this version: {e}")))?;
    if manifest.manifest != MANIFEST_VERSION {
        let reason =
            format!("has version {}, this one knows {MANIFEST_VERSION}", manifest.manifest);
        return Err(refused(reason));
    }
    Ok(Some(manifest))
}

impl Lake {
    /// Copies the lake to `to`, a directory or URL that is empty or holds its earlier backup.
    ///
    /// Old versions go with it as far back as the horizon.
    ///
    /// # Errors
    /// [`Error::Place`] if `to` holds something else; [`Error::LakeLocked`]; [`Error::Store`] if a
    /// file cannot be copied, when an earlier backup stays what it was.
    pub async fn backup(&self, to: &str) -> Result<BackedUp> {
        let target = Root::open(to, self.inner.store_limit)?;
        self.check_target(&target).await?;
        let wait = self.inner.lock_timeout;
        let _lock = lock::take(&target, Arc::default(), "backup", wait).await?;
        let since = Utc::now() - self.inner.horizon;
        let mut attempt = 1;
        loop {
            let pinned = self.pin_all("backup").await?;
            match Box::pin(self.copy_all(&target, pinned, since)).await {
                Err(Error::Store {
                    source: object_store::Error::NotFound { path, .. }, ..
                }) if attempt < ATTEMPTS => {
                    tracing::info!(path, "a file went while it was copied; beginning again");
                    attempt += 1;
                }
                outcome => return outcome,
            }
        }
    }

    /// Refuses a place where something else than a backup is.
    async fn check_target(&self, target: &Root) -> Result<()> {
        let refused =
            |reason: &str| Error::Place { place: target.url.to_string(), reason: reason.into() };
        let (own, other) = (self.inner.root.url.as_str(), target.url.as_str());
        if own.starts_with(other) || other.starts_with(own) {
            return Err(refused("a backup lies neither in its lake nor around it"));
        }
        if self.inner.is_backup {
            return Err(refused("the lake is a backup itself; copy its files instead"));
        }
        for name in [MANIFEST, PARTIAL] {
            if parsed(target, name).await?.is_some() {
                return Ok(());
            }
        }
        let base = target.path("")?;
        let failed = |e| Error::Store { action: "list", path: base.to_string(), source: e };
        let mut files = target.store.list(Some(&base));
        while let Some(file) = files.try_next().await.map_err(failed)? {
            if file.location.filename() != Some("_lock") {
                return Err(refused("it is not empty and holds no backup; give another place"));
            }
        }
        Ok(())
    }

    /// Which version of each table counts, at one moment, for which `command` holds the lock.
    pub(super) async fn pin_all(&self, command: &str) -> Result<Pinned> {
        let _writer = self.writer(command).await?;
        let root = &self.inner.root;
        let made = self.made().await?;
        let relations = root.read_small(&root.path(made::FILE)?).await?;
        let mut tables = vec![];
        for name in self.tables().await? {
            let log = Log::list(root, &place_of(&name, &made)).await?;
            let counted = made.table(&name).map(|table| table.version);
            let newest = log.commits.keys().chain(log.checkpoints.keys()).max().copied();
            let Some(version) = counted.or(newest) else { continue };
            tables.push((Table { schema: name.schema, table: name.table, version }, log));
        }
        Ok(Pinned {
            made_at: Utc::now(),
            lake_format: self.format().await?,
            relations: relations.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
            tables,
        })
    }

    async fn copy_all(
        &self,
        target: &Root,
        pinned: Pinned,
        since: DateTime<Utc>,
    ) -> Result<BackedUp> {
        let before = parsed(target, MANIFEST).await?;
        let partial = parsed(target, PARTIAL).await?;
        let manifest = Manifest {
            manifest: MANIFEST_VERSION,
            lake_format: pinned.lake_format.clone(),
            made_at: pinned.made_at,
            tables: pinned.tables.iter().map(|(table, _)| table.clone()).collect(),
            relations: pinned.relations.clone(),
            files: BTreeMap::new(),
        };
        let mut known = before.map(|before| before.files).unwrap_or_default();
        known.extend(partial.map(|partial| partial.files).unwrap_or_default());
        let there = target.files("").await?.into_iter().map(|(path, meta)| (path, meta.size));
        let mut copying = Copying {
            from: &self.inner.root,
            to: target,
            known,
            there: there.collect(),
            manifest,
            files_copied: 0,
            bytes_copied: 0,
        };
        copying.note().await?;
        for (table, log) in &pinned.tables {
            let name = TableName::new(table.schema.clone(), table.table.clone());
            Box::pin(copying.table(&name, table.version, log, since)).await?;
            copying.note().await?;
            tracing::debug!(table = %name, version = table.version, "table copied");
        }
        copying.finish().await
    }
}

/// A backup that is being made.
struct Copying<'a> {
    from: &'a Root,
    to: &'a Root,
    /// Files of an earlier backup, or of one that was killed.
    known: BTreeMap<String, File>,
    /// Bytes of what is at the target.
    there: BTreeMap<String, u64>,
    manifest: Manifest,
    files_copied: usize,
    bytes_copied: u64,
}

impl Copying<'_> {
    /// Data files first, then the log: a commit never comes before what it names.
    async fn table(
        &mut self,
        name: &TableName,
        version: i64,
        log: &Log,
        since: DateTime<Utc>,
    ) -> Result<()> {
        let live: BTreeSet<String> =
            log.live(self.from, name, version).await?.into_iter().map(|(path, _)| path).collect();
        let base = log.base(since).unwrap_or(version).min(version);
        let mut wanted = match log.is_readable(base) {
            true => log.needed(self.from, name, base, version).await?,
            false => BTreeSet::new(),
        };
        let stored = log.stored(self.from).await?;
        // Of old versions that what upkeep has left; of the version itself all.
        wanted.retain(|path| stored.contains_key(path));
        wanted.extend(live);
        for path in wanted {
            let modified_at = stored.get(&path).map_or_else(Utc::now, |meta| meta.last_modified);
            self.file(path, modified_at).await?;
        }
        let root = self.from.path("")?;
        let below = |meta: &object_store::ObjectMeta| {
            let path = meta.location.as_ref().strip_prefix(root.as_ref()).unwrap_or_default();
            path.trim_start_matches('/').to_owned()
        };
        for meta in log.checkpoints.range(..=version).flat_map(|(_, files)| files) {
            self.file(below(meta), meta.last_modified).await?;
        }
        for (_, meta) in log.commits.range(..=version) {
            self.commit(below(meta), meta.last_modified).await?;
        }
        Ok(())
    }

    /// A file whose name says what it holds.
    async fn file(&mut self, path: String, modified_at: DateTime<Utc>) -> Result<()> {
        let known = self.known.get(&path);
        let is_there =
            known.is_some_and(|known| self.there.get(&path) == Some(&known.content.size));
        let content = match known {
            Some(known) if is_there => known.content.clone(),
            _ => {
                let content = copy(self.from, self.to, &path).await?;
                self.files_copied += 1;
                self.bytes_copied += content.size;
                content
            }
        };
        self.manifest.files.insert(path, File { content, modified_at });
        Ok(())
    }

    /// A commit, whose name another lake has as well.
    async fn commit(&mut self, path: String, modified_at: DateTime<Utc>) -> Result<()> {
        if let Some(known) = self.known.get(&path)
            && content(self.from, &path).await? != known.content
        {
            let reason =
                format!("it holds the backup of another lake ({path} differs); give another place");
            return Err(Error::Place { place: self.to.url.to_string(), reason });
        }
        self.file(path, modified_at).await
    }

    /// Keeps what was copied so far, for the run after a kill.
    async fn note(&self) -> Result<()> {
        let mut noted = self.manifest.clone();
        for (path, file) in &self.known {
            noted.files.entry(path.clone()).or_insert_with(|| file.clone());
        }
        noted.write(self.to, PARTIAL).await
    }

    /// Makes what was copied the backup, and removes what it does not hold.
    async fn finish(self) -> Result<BackedUp> {
        let (to, manifest) = (self.to, &self.manifest);
        let relations = to.path(made::FILE)?;
        match &manifest.relations {
            Some(text) => to.write_small(&relations, text.clone().into_bytes()).await?,
            None => to.remove(&relations).await?,
        }
        let format = format!("{}\n", manifest.lake_format).into_bytes();
        to.write_small(&to.path("FORMAT")?, format).await?;
        manifest.write(to, MANIFEST).await?;
        to.remove(&to.path(PARTIAL)?).await?;
        let mut files_removed = 0;
        for path in to.files("").await?.into_keys() {
            // Files of the root are those of the backup itself.
            if path.contains('/') && !manifest.files.contains_key(&path) {
                to.remove(&to.exact(&path)?).await?;
                files_removed += 1;
            }
        }
        Ok(BackedUp {
            tables: manifest.tables.len(),
            files: manifest.files.len(),
            bytes: manifest.bytes(),
            files_copied: self.files_copied,
            bytes_copied: self.bytes_copied,
            files_removed,
        })
    }
}
