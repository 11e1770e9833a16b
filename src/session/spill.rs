//! Where queries spill: a folder for this process, and none for processes that are gone.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Folder of all processes below the system's temporary directory.
const FOLDER: &str = "runrate-spill";

/// A folder of this process; removed when dropped.
#[derive(Debug)]
pub(super) struct SpillFolder(PathBuf);

impl SpillFolder {
    /// Makes one in `root` and removes what processes left behind that were killed.
    ///
    /// # Errors
    /// [`Error::File`] if it cannot be made.
    pub(super) fn open(root: Option<&Path>) -> Result<Self> {
        let root = root.map_or_else(|| std::env::temp_dir().join(FOLDER), Path::to_owned);
        fs::create_dir_all(&root).map_err(|e| Error::file("create", &root, e))?;
        for entry in fs::read_dir(&root).map_err(|e| Error::file("read", &root, e))?.flatten() {
            if is_abandoned(&entry.file_name().to_string_lossy()) {
                // Another process may be removing it too.
                drop(fs::remove_dir_all(entry.path()));
            }
        }
        // A process may have more than one engine, as tests do.
        static LAST: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        let number = LAST.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let own = root.join(format!("{}-{number}", std::process::id()));
        drop(fs::remove_dir_all(&own));
        fs::create_dir_all(&own).map_err(|e| Error::file("create", &own, e))?;
        Ok(Self(own))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

/// Whether `name` is the folder of a process that does not run any more.
fn is_abandoned(name: &str) -> bool {
    let Some((process, number)) = name.split_once('-') else { return false };
    let is_ours = process.parse::<u32>().is_ok() && number.parse::<u64>().is_ok();
    is_ours && Path::new("/proc/self").exists() && !Path::new("/proc").join(process).exists()
}

impl Drop for SpillFolder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_process_left_is_removed_and_nothing_else() {
        let root = tempfile::tempdir().expect("a folder");
        // No process has the largest number there is.
        let (left, kept) = (root.path().join("4294967295-0"), root.path().join("keep"));
        for folder in [&left, &kept] {
            fs::create_dir_all(folder).expect("made");
        }
        let own = SpillFolder::open(Some(root.path())).expect("opens");
        let other = SpillFolder::open(Some(root.path())).expect("opens");
        assert!(!left.exists() && kept.exists() && own.path().exists() && other.path().exists());
        let path = own.path().to_owned();
        drop(own);
        assert!(!path.exists());
    }
}
