//! Upkeep of a table: its files joined and in order, a checkpoint, and what no reader can need away.
//!
//! A version is kept for as long as some instant within the horizon (`versions_kept_days`) has it:
//! that is every version committed within it, and the one before them.
//! Its data files and the log that leads to it stay; older files, files that no version has, and the
//! log before the checkpoint that the oldest kept version needs go.

use chrono::{DateTime, Utc};
use deltalake::protocol::checkpoints;
use object_store::ObjectMeta;
use object_store::path::Path;

use super::compact::worth_joining;
use super::history::{Log, place_of};
use super::snapshot::Snapshot;
use super::{TableName, Writer};
use crate::error::{Error, Result};

/// Fewer small files than this are left alone by upkeep that nobody asked for.
const SMALL_FILES_MIN: usize = 8;
/// Commits since the last checkpoint that make a table due for upkeep.
const COMMITS_DUE: i64 = 10;
/// Most times that one upkeep joins files of a table.
const JOINS_MAX: usize = 100;

/// What upkeep did to a table, or would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Maintained {
    /// The table.
    pub name: TableName,
    /// Files of its newest version, before and after (count); of a dry run both are before.
    pub files: (usize, usize),
    /// Bytes of them.
    pub bytes: (u64, u64),
    /// Files that were written again, or would be (count).
    pub files_joined: usize,
    /// Files of old versions that were removed, or would be (count).
    pub files_removed: usize,
    /// Bytes of them.
    pub bytes_removed: u64,
    /// Files of the log that were removed, or would be (count).
    pub log_files_removed: usize,
    /// Whether a checkpoint was written, or would be.
    pub is_checkpointed: bool,
}

/// What no reader can need.
struct Expired {
    data: Vec<ObjectMeta>,
    log: Vec<ObjectMeta>,
}

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
                Ok(true) => Box::pin(self.maintain(&name)).await,
                Err(error) => Err(error),
            };
            match outcome {
                Ok(_) => tracing::info!(table = %name, "table maintained"),
                Err(error) => tracing::warn!(table = %name, error = error.chain(), "upkeep failed"),
            }
        }
    }

    /// Whether `name` has many commits that no checkpoint holds.
    ///
    /// # Errors
    /// [`Error::Store`] if its log cannot be listed.
    pub async fn is_due(&self, name: &TableName) -> Result<bool> {
        let log = self.log(name).await?;
        let newest = |versions: Option<i64>| versions.unwrap_or(-1);
        let commits = newest(log.commits.keys().next_back().copied());
        let checkpoints = newest(log.checkpoints.keys().next_back().copied());
        Ok(commits - checkpoints >= COMMITS_DUE)
    }

    /// Joins files of `name` where that is worth it, checkpoints its log and removes what no reader
    /// of the last `versions_kept_days` needs.
    ///
    /// # Errors
    /// [`Error::Delta`] if the table cannot be read or committed; [`Error::Store`] if files cannot
    /// be removed.
    pub async fn maintain(&self, name: &TableName) -> Result<Maintained> {
        self.maintain_from(name, SMALL_FILES_MIN).await
    }

    /// As [`Writer::maintain`], when somebody asked for it: two small files are enough to join.
    ///
    /// # Errors
    /// Those of [`Writer::maintain`].
    pub async fn maintain_now(&self, name: &TableName) -> Result<Maintained> {
        self.maintain_from(name, 2).await
    }

    async fn maintain_from(&self, name: &TableName, small_min: usize) -> Result<Maintained> {
        // Opening it takes back what a crash has left above the version that counts.
        let before = Snapshot::of(name, &self.open(name).await?)?;
        let mut files_joined = 0;
        for _ in 0..JOINS_MAX {
            let Some((joined, made)) = Box::pin(self.compact(name, small_min)).await? else {
                break;
            };
            files_joined += joined;
            if made >= joined {
                break; // nothing to be gained by going on
            }
        }
        let table = self.open(name).await?;
        let after = Snapshot::of(name, &table)?;
        let mut log = self.log(name).await?;
        let is_checkpointed = !log.checkpoints.contains_key(&after.version);
        if is_checkpointed {
            let made = checkpoints::create_checkpoint(&table, None).await;
            made.map_err(|e| Error::delta(name, "checkpoint", e))?;
            log = self.log(name).await?;
        }
        let expired = self.expired(name, &log).await?;
        self.check_held()?;
        for file in expired.data.iter().chain(&expired.log) {
            self.lake.inner.root.remove(&file.location).await?;
        }
        let mut done = report(&before, &after, &expired);
        (done.files_joined, done.is_checkpointed) = (files_joined, is_checkpointed);
        Ok(done)
    }

    /// What [`Writer::maintain_now`] would do first; what it would join again after that is not told.
    ///
    /// # Errors
    /// [`Error::Delta`] if the table cannot be read.
    pub async fn plan_upkeep(&self, name: &TableName) -> Result<Maintained> {
        let log = self.log(name).await?;
        let counted = self.lake.made().await?.table(name).map(|table| table.version);
        let newest = log.commits.keys().chain(log.checkpoints.keys()).max().copied();
        let version = counted.or(newest).unwrap_or_default();
        let snapshot = log.snapshot(&self.lake.inner.root, name, version).await?;
        let expired = self.expired(name, &log).await?;
        let mut planned = report(&snapshot, &snapshot, &expired);
        planned.files_joined = worth_joining(&snapshot, 2).len();
        planned.is_checkpointed =
            planned.files_joined > 0 || !log.checkpoints.contains_key(&version);
        Ok(planned)
    }

    async fn log(&self, name: &TableName) -> Result<Log> {
        let made = self.lake.made().await?;
        Log::list(&self.lake.inner.root, &place_of(name, &made)).await
    }

    /// What no version that is kept needs, and nothing younger than the horizon: a transaction may
    /// still commit that.
    async fn expired(&self, name: &TableName, log: &Log) -> Result<Expired> {
        let root = &self.lake.inner.root;
        let since: DateTime<Utc> = Utc::now() - self.lake.inner.horizon;
        let newest = log.commits.keys().next_back().copied();
        let (Some(base), Some(newest)) = (log.base(since), newest) else {
            return Ok(Expired { data: vec![], log: vec![] });
        };
        let mut needed = log.needed(root, name, base, newest).await?;
        if let Some(counted) = self.lake.made().await?.table(name).map(|table| table.version) {
            needed.extend(log.live(root, name, counted).await?.into_iter().map(|(path, _)| path));
        }
        // Paths that are written in another way than they are stored cannot be told apart surely.
        let is_plain = |path: &String| Path::parse(path).is_ok_and(|p| p.as_ref() == path);
        if !needed.iter().all(is_plain) || needed.iter().any(|path| path.contains('%')) {
            tracing::info!(table = %name, "old files stay: the log names files in a foreign way");
            return Ok(Expired { data: vec![], log: vec![] });
        }
        let stored = log.stored(root).await?.into_iter();
        let data = stored.filter(|(path, file)| {
            path.ends_with(".parquet") && file.last_modified < since && !needed.contains(path)
        });
        let old = log.expired(base).into_iter().filter(|file| file.last_modified < since);
        Ok(Expired { data: data.map(|(_, file)| file).collect(), log: old.collect() })
    }
}

fn report(before: &Snapshot, after: &Snapshot, expired: &Expired) -> Maintained {
    let bytes = |snapshot: &Snapshot| snapshot.files.iter().map(|file| file.meta.size).sum();
    Maintained {
        name: before.name.clone(),
        files: (before.files.len(), after.files.len()),
        bytes: (bytes(before), bytes(after)),
        files_joined: 0,
        files_removed: expired.data.len(),
        bytes_removed: expired.data.iter().map(|file| file.size).sum(),
        log_files_removed: expired.log.len(),
        is_checkpointed: false,
    }
}
