//! A backup copied back into an empty place.
//!
//! The file `_restoring` is there from the first copied byte to the last: while it is, no command
//! opens the lake, and a restore of the same backup goes on where a killed one stopped.
//! Every file is compared with its checksum as it is copied.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use futures::TryStreamExt;

use super::backup::{File, Manifest};
use super::copy::{content, copy};
use super::store::Root;
use super::{format, limit, lock, made};
use crate::config::Config;
use crate::error::{Error, Result};

/// In a store that sets the time of files itself: since when versions can be told apart by time.
const RESTORED: &str = "_restored";

/// What a restore did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// When the backup was made.
    pub made_at: DateTime<Utc>,
    /// Tables of it (count).
    pub tables: usize,
    /// Files of it (count).
    pub files: usize,
    /// Bytes of them.
    pub bytes: u64,
    /// Files that a restore before this one had copied (count).
    pub files_there: usize,
}

/// Copies the backup at `from` to `to`, which must be empty or the beginning of the same restore.
///
/// # Errors
/// [`Error::Place`] if `from` is no backup, is damaged, or `to` is not empty;
/// [`Error::LakeFormat`] if a newer version made it; [`Error::Store`] if a file cannot be copied.
pub async fn restore(config: &Config, from: &str, to: &str) -> Result<Restored> {
    let is_remote = from.contains("://");
    if !is_remote && !std::path::Path::new(from).is_dir() {
        return Err(refused(from, "there is no such directory"));
    }
    let source = Root::open(from, limit(config))?;
    let Some(manifest) = Manifest::read(&source).await? else {
        return Err(refused(from, "it is no backup: it has no file _backup.json"));
    };
    if !format::is_readable(&manifest.lake_format) {
        let found = manifest.lake_format;
        let known = format::FORMAT.to_owned();
        return Err(Error::LakeFormat { root: from.to_owned(), found, known });
    }
    let target = Root::open(to, limit(config))?;
    let mark = format!("backup of {}\n", manifest.made_at.to_rfc3339());
    check_target(&target, &mark).await?;
    let wait = Duration::from_millis(config.lock_timeout_ms);
    let _lock = lock::take(&target, Arc::default(), "restore", wait).await?;
    let restoring = target.path(format::RESTORING)?;
    target.write_small(&restoring, mark.into_bytes()).await?;
    let files_there = copy_all(&source, &target, &manifest).await?;
    if let Some(relations) = &manifest.relations {
        target.write_small(&target.path(made::FILE)?, relations.clone().into_bytes()).await?;
    }
    if target.local.is_none() {
        let text = manifest.made_at.max(Utc::now()).to_rfc3339();
        target.write_small(&target.path(RESTORED)?, text.into_bytes()).await?;
    }
    let text = format!("{}\n", manifest.lake_format).into_bytes();
    target.write_small(&target.path("FORMAT")?, text).await?;
    target.remove(&restoring).await?;
    Ok(Restored {
        made_at: manifest.made_at,
        tables: manifest.tables.len(),
        files: manifest.files.len(),
        bytes: manifest.bytes(),
        files_there,
    })
}

/// Since when versions of the lake at `root` can be told apart by time, if not from their beginning.
pub(super) async fn began_at(root: &Root) -> Result<Option<DateTime<Utc>>> {
    if root.local.is_some() {
        return Ok(None);
    }
    let Some(bytes) = root.read_small(&root.path(RESTORED)?).await? else { return Ok(None) };
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let instant = DateTime::parse_from_rfc3339(text.trim());
    let instant =
        instant.map_err(|_| refused(RESTORED, "is no instant; restore the lake again"))?;
    Ok(Some(instant.to_utc()))
}

/// Refuses a place that holds anything but the beginning of this restore.
async fn check_target(target: &Root, mark: &str) -> Result<()> {
    let place = target.url.to_string();
    if let Some(begun) = target.read_small(&target.path(format::RESTORING)?).await? {
        if begun == mark.as_bytes() {
            return Ok(());
        }
        let reason = "it holds the beginning of a restore of another backup; empty it first";
        return Err(refused(&place, reason));
    }
    let base = target.path("")?;
    let failed = |e| Error::Store { action: "list", path: base.to_string(), source: e };
    let mut files = target.store.list(Some(&base));
    while let Some(file) = files.try_next().await.map_err(failed)? {
        if file.location.filename() != Some("_lock") {
            return Err(refused(
                &place,
                "it is not empty; a backup is restored into an empty place",
            ));
        }
    }
    Ok(())
}

/// Copies what is not there yet, data before logs; how many files were there.
async fn copy_all(source: &Root, target: &Root, manifest: &Manifest) -> Result<usize> {
    let there = target.files("").await?;
    let is_log = |path: &&String| path.contains("/_delta_log/");
    let data = manifest.files.keys().filter(|path| !is_log(path));
    let mut files_there = 0;
    for path in data.chain(manifest.files.keys().filter(is_log)) {
        let file = &manifest.files[path];
        let has_size = there.get(path).is_some_and(|meta| meta.size == file.content.size);
        if has_size && content(target, path).await? == file.content {
            files_there += 1;
        } else {
            let copied = copy(source, target, path).await?;
            if copied != file.content {
                target.remove(&target.exact(path)?).await?;
                let reason = format!("{path} is damaged: its checksum is not that of the backup");
                return Err(refused(source.url.as_str(), &reason));
            }
        }
        set_time(target, path, file)?;
    }
    Ok(files_there)
}

/// Gives a local file the time it had in the lake, by which `runrate.lake_at` finds versions.
fn set_time(target: &Root, path: &str, file: &File) -> Result<()> {
    let Some(dir) = &target.local else { return Ok(()) };
    let local = dir.join(path);
    let micros = u64::try_from(file.modified_at.timestamp_micros()).unwrap_or_default();
    let time = SystemTime::UNIX_EPOCH + Duration::from_micros(micros);
    let opened = std::fs::File::open(&local);
    let set = opened.and_then(|opened| opened.set_modified(time));
    set.map_err(|e| Error::file("set the time of", &local, e))
}

fn refused(subject: &str, reason: &str) -> Error {
    Error::Place { place: subject.to_owned(), reason: reason.to_owned() }
}
