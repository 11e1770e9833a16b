//! The layout on disk: what `FORMAT` says, which of it this binary opens, and how an older one is
//! brought up to date.
//!
//! `FORMAT` in the root of a lake holds `MAJOR.MINOR`. The rules:
//!
//! - The same major number and a minor one that is not newer opens, for reading and writing: what a
//!   minor step adds may be absent. `runrate upgrade` adds it.
//! - A newer number is refused by every command: this binary cannot know what it would break.
//! - A new major number comes with a step of [`STEPS`] from the one before; until `runrate upgrade`
//!   has taken it, other commands refuse the lake and name that command.
//! - There is no way back: a lake is never written in an older layout. A backup made before is it.
//! - An upgrade changes tables first and `FORMAT` last, and every step can be taken again, so that a
//!   kill in the middle costs a second run.
//!
//! | format | what it added |
//! |---|---|
//! | 1.0 | the first |
//! | 1.1 | each table says that only `runrate upkeep` cleans its log: the horizon of the configuration is kept even beyond the 30 days after which other Delta writers would clean |

use std::collections::HashMap;

use super::backup::PARTIAL;
use super::store::Root;
use super::{Lake, Writer};
use crate::error::{Error, Result};

/// The layout that this binary writes.
pub(super) const FORMAT: &str = "1.1";
/// Layouts that [`Writer::upgrade`] brings up to date, oldest first.
const STEPS: &[&str] = &["1.0"];
/// The property that keeps other writers from cleaning a table's log.
pub(super) const LOG_CLEANUP_PROPERTY: &str = "delta.enableExpiredLogCleanup";
/// A lake that a restore is still being copied into.
pub(super) const RESTORING: &str = "_restoring";

/// What an upgrade did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upgraded {
    /// The format before.
    pub from: String,
    /// The format now.
    pub to: String,
    /// Tables that were changed (count).
    pub tables: usize,
}

/// The format of the lake at `root`, which this binary can open; a new lake is given `FORMAT` if
/// `makes`.
///
/// # Errors
/// [`Error::LakeFormat`] for another format; [`Error::Place`] if there is no lake and none is to
/// be made, or one that is not whole.
pub(super) async fn check(root: &Root, makes: bool) -> Result<String> {
    let refused =
        |reason: &str| Error::Place { place: root.url.to_string(), reason: reason.to_owned() };
    if root.read_small(&root.path(RESTORING)?).await?.is_some() {
        let reason = "a restore into it has not come to its end; run `runrate restore` again";
        return Err(refused(reason));
    }
    let Some(found) = read(root).await? else {
        if root.read_small(&root.path(PARTIAL)?).await?.is_some() {
            let reason = "a backup into it has not come to its end; run `runrate backup` again";
            return Err(refused(reason));
        }
        if !makes {
            return Err(refused("there is no lake: no file FORMAT"));
        }
        let text = format!("{FORMAT}\n").into_bytes();
        root.write_small(&root.path("FORMAT")?, text).await?;
        return Ok(FORMAT.to_owned());
    };
    if is_readable(&found) { Ok(found) } else { Err(unreadable(root, found)) }
}

/// What `FORMAT` says.
async fn read(root: &Root) -> Result<Option<String>> {
    let bytes = root.read_small(&root.path("FORMAT")?).await?;
    Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).trim().to_owned()))
}

fn unreadable(root: &Root, found: String) -> Error {
    Error::LakeFormat { root: root.url.to_string(), found, known: FORMAT.to_owned() }
}

fn parts(format: &str) -> Option<(u32, u32)> {
    let (major, minor) = format.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// Whether a lake of format `found` opens.
pub(super) fn is_readable(found: &str) -> bool {
    match (parts(found), parts(FORMAT)) {
        (Some(found), Some(known)) => found.0 == known.0 && found.1 <= known.1,
        _ => false,
    }
}

impl Lake {
    /// The format of the lake on disk.
    ///
    /// # Errors
    /// [`Error::Store`] if it cannot be read.
    pub async fn format(&self) -> Result<String> {
        Ok(read(&self.inner.root).await?.unwrap_or_default())
    }
}

impl Writer {
    /// Brings the lake to the newest format; does nothing if it has it.
    ///
    /// # Errors
    /// [`Error::LakeFormat`] for a format that is not a known older one; [`Error::Delta`] if a table
    /// cannot be changed, when `FORMAT` stays as it was.
    pub async fn upgrade(&self) -> Result<Upgraded> {
        let root = &self.lake.inner.root;
        let from = read(root).await?.unwrap_or_default();
        let to = FORMAT.to_owned();
        if from == to {
            return Ok(Upgraded { from, to, tables: 0 });
        }
        if !STEPS.contains(&from.as_str()) {
            return Err(unreadable(root, from));
        }
        let mut tables = 0;
        for name in self.lake.tables().await? {
            tables += usize::from(self.keep_log(&name).await?);
        }
        root.write_small(&root.path("FORMAT")?, format!("{to}\n").into_bytes()).await?;
        self.mark().await?;
        Ok(Upgraded { from, to, tables })
    }

    /// 1.0 to 1.1: the table `name` says that other writers leave its log; true if it did not.
    async fn keep_log(&self, name: &super::TableName) -> Result<bool> {
        let failed = |action| move |e| Error::delta(name, action, e);
        let table = self.open(name).await?;
        let metadata = table.snapshot().map_err(failed("read"))?.metadata();
        if metadata.configuration().get(LOG_CLEANUP_PROPERTY).is_some_and(|set| set == "false") {
            return Ok(false);
        }
        let properties = HashMap::from([(LOG_CLEANUP_PROPERTY.to_owned(), "false".to_owned())]);
        let setting = table.set_tbl_properties().with_properties(properties);
        let changed = setting.await.map_err(failed("upgrade"))?;
        self.follow(name, changed.version().unwrap_or_default() as i64).await?;
        Ok(true)
    }
}
