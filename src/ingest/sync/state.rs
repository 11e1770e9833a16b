//! What a source was read up to, and the copies that are being made: a folder a source.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use chrono::Utc;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// How far a source was read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    /// The mapping and the place it was read with: with another it is read anew.
    reading: String,
    /// When it began and how many runs it has seen: what came back to an earlier state of the
    /// system is no batch that was loaded before.
    began_at: String,
    runs: u64,
    objects: BTreeMap<String, Mark>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    #[serde(skip_serializing_if = "Option::is_none")]
    watermark: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hash: Option<String>,
}

impl State {
    pub(super) fn new(reading: &str) -> Self {
        let began_at = Utc::now().to_rfc3339();
        Self { reading: reading.to_owned(), began_at, ..Self::default() }
    }

    /// What tells the batch of this run from all others.
    pub(super) fn edition(&self) -> String {
        format!("{} {}", self.began_at, self.runs)
    }

    /// The state to fill in during a run that begins with this one.
    pub(super) fn next(&self) -> Self {
        Self { runs: self.runs + 1, ..self.clone() }
    }

    pub(super) fn watermark(&self, object: &str) -> Option<String> {
        self.objects.get(object).and_then(|mark| mark.watermark.clone())
    }

    pub(super) fn set_watermark(&mut self, object: &str, watermark: Option<String>) {
        self.objects.entry(object.to_owned()).or_default().watermark = watermark;
    }

    pub(super) fn hash(&self, object: &str) -> Option<&String> {
        self.objects.get(object).and_then(|mark| mark.hash.as_ref())
    }

    pub(super) fn set_hash(&mut self, object: &str, hash: String) {
        self.objects.entry(object.to_owned()).or_default().hash = Some(hash);
    }
}

/// Removes the states of all sources below `sources`; the names of those that had one.
pub(super) fn forget(sources: &Path) -> Result<Vec<String>> {
    let mut names = vec![];
    let folders = match fs::read_dir(sources) {
        Ok(folders) => folders,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(names),
        Err(e) => return Err(Error::file("list", sources, e)),
    };
    for folder in folders {
        let folder = folder.map_err(|e| Error::file("list", sources, e))?;
        let path = folder.path().join("state.json");
        match fs::remove_file(&path) {
            Ok(()) => names.push(folder.file_name().to_string_lossy().into_owned()),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => return Err(Error::file("remove", &path, e)),
        }
    }
    names.sort();
    Ok(names)
}

/// The folder of one source; copies in it are removed when it is let go.
#[derive(Debug)]
pub(super) struct Folder {
    root: PathBuf,
    /// Held while the source is read, so that two runs do not mix their copies.
    _lock: File,
}

impl Folder {
    /// Opens the folder of source `name` below `sources`, which only its owner may look into.
    ///
    /// # Errors
    /// [`Error::Refused`] if another process reads the same source; [`Error::File`].
    pub(super) fn open(sources: &Path, name: &str) -> Result<Self> {
        let root = sources.join(name);
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&root);
        made.map_err(|e| Error::file("create", &root, e))?;
        let path = root.join("lock");
        let lock = File::options().create(true).append(true).open(&path);
        let lock = lock.map_err(|e| Error::file("open", &path, e))?;
        if let Err(error) = lock.try_lock() {
            let reason = match error {
                fs::TryLockError::WouldBlock => "another process reads this source".to_owned(),
                fs::TryLockError::Error(error) => error.to_string(),
            };
            return Err(Error::Refused { subject: format!("source {name}"), reason });
        }
        let folder = Self { root, _lock: lock };
        folder.clear()?;
        let copies = folder.copies();
        fs::create_dir(&copies).map_err(|e| Error::file("create", &copies, e))?;
        Ok(folder)
    }

    fn copies(&self) -> PathBuf {
        self.root.join("copies")
    }

    /// Removes copies, this run's or those of one that was killed.
    fn clear(&self) -> Result<()> {
        let copies = self.copies();
        match fs::remove_dir_all(&copies) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::file("remove", &copies, e))
            }
            _ => Ok(()),
        }
    }

    /// Where the copy of `object` goes.
    ///
    /// # Errors
    /// [`Error::Refused`] for a name that is no file name.
    pub(super) fn copy(&self, object: &str, extension: &str) -> Result<PathBuf> {
        if object.is_empty() || object.starts_with('.') || object.contains(['/', '\\', '\0']) {
            let reason = "its name cannot be that of a file".to_owned();
            return Err(Error::Refused { subject: object.to_owned(), reason });
        }
        Ok(self.copies().join(format!("{object}.{extension}")))
    }

    /// How far the source was read, if that was by `reading`.
    ///
    /// # Errors
    /// [`Error::File`] if there is a state that cannot be read.
    pub(super) fn state(&self, reading: &str) -> Result<State> {
        let path = self.root.join("state.json");
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(State::new(reading)),
            Err(e) => return Err(Error::file("read", &path, e)),
        };
        let state = serde_json::from_slice::<State>(&text);
        Ok(state.ok().filter(|s| s.reading == reading).unwrap_or_else(|| State::new(reading)))
    }

    /// Keeps `state`, whole or not at all.
    ///
    /// # Errors
    /// [`Error::File`].
    pub(super) fn remember(&self, state: &State) -> Result<()> {
        let (path, draft) = (self.root.join("state.json"), self.root.join("state.draft"));
        let failed = |e| Error::file("write", &path, e);
        let text = serde_json::to_vec_pretty(state).map_err(|e| failed(e.into()))?;
        let mut file = File::create(&draft).map_err(failed)?;
        file.write_all(&text).and_then(|()| file.sync_all()).map_err(failed)?;
        fs::rename(&draft, &path).map_err(failed)?;
        File::open(&self.root).and_then(|root| root.sync_all()).map_err(failed)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // They are removed when the source is read again, if not now.
        drop(self.clear());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_kept_for_its_reading_and_copies_go() {
        let sources = tempfile::tempdir().expect("a folder");
        let folder = Folder::open(sources.path(), "crm").expect("opens");
        let mut state = folder.state("v1").expect("none yet");
        state.set_watermark("deals", Some("2024-01-01".into()));
        state.set_hash("stages", "abc".into());
        folder.remember(&state).expect("writes");
        assert_eq!(folder.state("v1").expect("reads"), state);
        let other = folder.state("v2").expect("none of that reading");
        assert_eq!((other.watermark("deals"), other.hash("stages")), (None, None));
        assert_ne!(state.next().edition(), state.edition());
        let copy = folder.copy("deals", "jsonl").expect("a name");
        fs::write(&copy, "x").expect("writes");
        assert!(folder.copy("../deals", "jsonl").is_err());
        let error = Folder::open(sources.path(), "crm").expect_err("held").to_string();
        assert!(error.contains("another process reads this source"), "{error}");
        drop(folder);
        assert!(!copy.exists());
        assert!(Folder::open(sources.path(), "crm").is_ok());
    }
}
