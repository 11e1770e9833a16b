//! The log of one table as files: which versions can be read, since when each counts, and which data
//! files they need.
//!
//! A version is current from the time of its commit file to that of the next one.
//! To read it takes the newest checkpoint up to it and every commit after that.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use deltalake::kernel::Action;
use futures::TryStreamExt;
use object_store::ObjectMeta;
use object_store::path::Path;

use super::snapshot::Snapshot;
use super::store::Root;
use super::{TableName, made};
use crate::error::{Error, Result};

/// The files of a table's log.
#[derive(Debug)]
pub(super) struct Log {
    /// Where the table is, below the lake.
    place: String,
    pub commits: BTreeMap<i64, ObjectMeta>,
    pub checkpoints: BTreeMap<i64, Vec<ObjectMeta>>,
}

/// Where the files of `name` are below the lake: of a table made over SQL, by its place.
pub(super) fn place_of(name: &TableName, made: &made::Made) -> TableName {
    match made.table(name) {
        Some(made) => TableName::new(made::FOLDER, made.place.clone()),
        None => name.clone(),
    }
}

impl Log {
    /// Lists the log of the table stored as `stored`.
    pub(super) async fn list(root: &Root, stored: &TableName) -> Result<Self> {
        let place = format!("{}/{}", stored.schema, stored.table);
        let folder = root.path(&format!("{place}/_delta_log"))?;
        let failed = |e| Error::Store { action: "list", path: folder.to_string(), source: e };
        let mut log = Self { place, commits: BTreeMap::new(), checkpoints: BTreeMap::new() };
        let mut files = root.store.list(Some(&folder));
        while let Some(file) = files.try_next().await.map_err(failed)? {
            let name = file.location.filename().unwrap_or_default().to_owned();
            let Some((number, ending)) = name.split_once('.') else { continue };
            let Ok(version) = number.parse::<i64>() else { continue };
            if ending == "json" {
                log.commits.insert(version, file);
            } else if ending.starts_with("checkpoint") && ending.ends_with("parquet") {
                log.checkpoints.entry(version).or_default().push(file);
            }
        }
        Ok(log)
    }

    /// Whether version `version` can be read.
    pub(super) fn is_readable(&self, version: i64) -> bool {
        let checkpoint = self.checkpoints.range(..=version).next_back().map(|(v, _)| *v);
        let first = checkpoint.map_or(0, |checkpoint| checkpoint + 1);
        (first..=version).all(|version| self.commits.contains_key(&version))
    }

    /// The oldest version that can be read.
    pub(super) fn oldest(&self) -> Option<i64> {
        let first = self.checkpoints.keys().next().copied();
        if self.commits.contains_key(&0) { Some(0) } else { first }
    }

    /// The version that was current at `instant`; none if the first commit came later.
    pub(super) fn at(&self, instant: DateTime<Utc>) -> Option<i64> {
        let commits = self.commits.iter().rev();
        commits
            .filter(|(_, file)| file.last_modified <= instant)
            .map(|(version, _)| *version)
            .next()
    }

    /// When the oldest version that can be read was committed.
    pub(super) fn begins(&self) -> Option<DateTime<Utc>> {
        let oldest = self.oldest()?;
        self.commits.range(oldest..).next().map(|(_, file)| file.last_modified)
    }

    /// The oldest readable version that a reader of an instant after `since` needs; none if that
    /// cannot be told, because commits after it are gone: then nothing may be removed.
    pub(super) fn base(&self, since: DateTime<Utc>) -> Option<i64> {
        let newest = *self.commits.keys().next_back()?;
        let mut first = newest;
        while self.commits.contains_key(&(first - 1)) {
            first -= 1;
        }
        match self.at(since) {
            Some(version) if self.is_readable(version) => (version >= first - 1).then_some(version),
            _ if first == 0 => Some(0),
            _ => self.checkpoints.range(first - 1..).next().map(|(version, _)| *version),
        }
    }

    /// The commits after version `base`, up to `newest`.
    pub(super) fn between(
        &self,
        base: i64,
        newest: i64,
    ) -> impl Iterator<Item = (&i64, &ObjectMeta)> {
        let after = self.commits.range(base.saturating_add(1)..);
        after.take_while(move |(version, _)| **version <= newest)
    }

    /// Paths below the lake of every data file that a version from `base` to `newest` has.
    ///
    /// # Errors
    /// [`Error::Delta`] if `base` cannot be read, [`Error::Definition`] for a commit that is not
    /// understood: then nothing may be removed.
    pub(super) async fn needed(
        &self,
        root: &Root,
        name: &TableName,
        base: i64,
        newest: i64,
    ) -> Result<BTreeSet<String>> {
        let mut needed: BTreeSet<String> =
            self.live(root, name, base).await?.iter().map(|(path, _)| path.clone()).collect();
        for (version, file) in self.between(base, newest) {
            for action in actions(root, file, name, *version).await? {
                if let Action::Add(add) = action {
                    needed.insert(format!("{}/{}", self.place, add.path));
                }
            }
        }
        Ok(needed)
    }

    /// Paths below the lake of the data files of `version`, with their bytes.
    pub(super) async fn live(
        &self,
        root: &Root,
        name: &TableName,
        version: i64,
    ) -> Result<Vec<(String, u64)>> {
        let snapshot = self.snapshot(root, name, version).await?;
        let base = root.path(&self.place)?;
        let files = snapshot.files.iter().map(|file| {
            let below = file.meta.location.as_ref().strip_prefix(base.as_ref());
            let below = below.unwrap_or(&file.relative).trim_start_matches('/');
            (format!("{}/{below}", self.place), file.meta.size)
        });
        Ok(files.collect())
    }

    /// Version `version` as a snapshot.
    pub(super) async fn snapshot(
        &self,
        root: &Root,
        name: &TableName,
        version: i64,
    ) -> Result<Snapshot> {
        let (schema, table) = self.place.split_once('/').unwrap_or_default();
        let mut delta = root.delta(&TableName::new(schema, table))?;
        let wanted = u64::try_from(version).unwrap_or_default();
        delta.load_version(wanted).await.map_err(|e| Error::delta(name, "read", e))?;
        Snapshot::of(name, &delta)
    }

    /// The data files that are there, by their path below the lake.
    pub(super) async fn stored(&self, root: &Root) -> Result<BTreeMap<String, ObjectMeta>> {
        let mut files = root.files(&self.place).await?;
        let log = format!("{}/_", self.place);
        files.retain(|path, _| !path.starts_with(&log));
        Ok(files)
    }

    /// Log files that no version from `base` on needs, oldest first.
    pub(super) fn expired(&self, base: i64) -> Vec<ObjectMeta> {
        let Some((kept, _)) = self.checkpoints.range(..=base).next_back() else { return vec![] };
        let commits = self.commits.range(..kept).map(|(_, file)| file.clone());
        let checkpoints = self.checkpoints.range(..kept).flat_map(|(_, files)| files.clone());
        commits.chain(checkpoints).collect()
    }
}

/// What the commit of `version` did.
pub(super) async fn actions(
    root: &Root,
    file: &ObjectMeta,
    name: &TableName,
    version: i64,
) -> Result<Vec<Action>> {
    let path: &Path = &file.location;
    let bytes = root.read_small(path).await?.ok_or_else(|| Error::NoTable {
        table: name.to_string(),
        reason: format!("has lost the commit of version {version} ({path})"),
    })?;
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let parsed = lines.map(serde_json::from_slice);
    parsed.collect::<std::result::Result<_, _>>().map_err(|e| Error::Definition {
        name: path.to_string(),
        reason: format!("is not understood: {e}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meta(name: &str, hour: i64) -> ObjectMeta {
        ObjectMeta {
            location: Path::from(name),
            last_modified: DateTime::UNIX_EPOCH + chrono::Duration::hours(hour),
            size: 1,
            e_tag: None,
            version: None,
        }
    }

    /// A log of `commits`, of which each came an hour after the one before, and `checkpoints`.
    fn log(commits: &[i64], checkpoints: &[i64]) -> Log {
        Log {
            place: "crm/deals".to_owned(),
            commits: commits.iter().map(|v| (*v, meta(&format!("{v}.json"), *v))).collect(),
            checkpoints: checkpoints.iter().map(|v| (*v, vec![meta("checkpoint", *v)])).collect(),
        }
    }

    fn hour(hour: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + chrono::Duration::hours(hour) + chrono::Duration::minutes(1)
    }

    #[test]
    fn a_version_counts_until_the_next_one() {
        let log = log(&[0, 1, 2, 3], &[]);
        assert_eq!((log.at(hour(-1)), log.at(hour(1)), log.at(hour(99))), (None, Some(1), Some(3)));
        assert_eq!((log.base(hour(1)), log.base(hour(-1))), (Some(1), Some(0)));
        assert!(log.expired(1).is_empty(), "without a checkpoint all of the log is needed");
    }

    #[test]
    fn the_log_before_the_checkpoint_that_is_needed_may_go() {
        let log = log(&[0, 1, 2, 3, 4, 5], &[2, 5]);
        let gone = |base| log.expired(base).len();
        assert_eq!((gone(1), gone(2), gone(4), gone(5)), (0, 2, 2, 6));
    }

    #[test]
    fn where_commits_are_missing_nothing_is_taken_for_old() {
        let broken = log(&[0, 1, 4, 5], &[1, 3]);
        assert!(broken.is_readable(1) && !broken.is_readable(2) && broken.is_readable(5));
        // Version 1 can be read, but not which files came between it and version 4.
        assert_eq!(broken.base(hour(2)), None);
        assert_eq!(broken.base(hour(4)), Some(4));
        let begun = log(&[3, 4, 5], &[3]);
        assert_eq!((begun.base(hour(-1)), begun.oldest()), (Some(3), Some(3)));
        assert_eq!(log(&[4, 5], &[]).base(hour(9)), None);
    }
}
