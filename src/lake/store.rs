//! Where a lake is: a directory or an object store, and the handles Delta and scans use on it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use deltalake::logstore::LogStoreRef;
use deltalake::{DeltaTable, DeltaTableBuilder};
use futures::TryStreamExt;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutOptions, UpdateVersion};
use url::Url;

use super::TableName;
use super::deadline::Deadline;
use super::durable::Durable;
use crate::error::{Error, Result};

/// The root of a lake and the store it is in.
#[derive(Debug, Clone)]
pub(super) struct Root {
    /// URL of the root directory, with a slash at its end.
    pub url: Url,
    /// URL to register the store under.
    pub store_url: Url,
    /// The store; paths are from the store's root, not the lake's.
    pub store: Arc<dyn ObjectStore>,
    /// The directory, if the lake is local.
    pub local: Option<PathBuf>,
}

impl Root {
    /// Opens `place`, a directory (made if missing) or an `s3://` URL whose store has to answer
    /// each call within `limit`.
    pub(super) fn open(place: &str, limit: Duration) -> Result<Self> {
        if place.contains("://") && !place.starts_with("file://") {
            return Self::remote(place, limit);
        }
        let dir = PathBuf::from(place.strip_prefix("file://").unwrap_or(place));
        std::fs::create_dir_all(&dir).map_err(|e| Error::file("create", &dir, e))?;
        let dir = dir.canonicalize().map_err(|e| Error::file("resolve", &dir, e))?;
        let url = Url::from_directory_path(&dir).map_err(|()| Error::Setting {
            key: "lake".into(),
            origin: "configuration".into(),
            reason: format!("{} is not a directory path", dir.display()),
        })?;
        let store = Arc::new(Durable::new(LocalFileSystem::new()));
        let store_url = Url::parse("file:///").map_err(|e| bad_url(place, &e.to_string()))?;
        Ok(Self { url, store_url, store, local: Some(dir) })
    }

    /// The root at `url` of a store that was made elsewhere.
    pub(super) fn of(url: Url, store: Arc<dyn ObjectStore>, limit: Duration) -> Self {
        let mut store_url = url.clone();
        store_url.set_path("/");
        let store = Arc::new(Deadline::new(store, limit));
        Self { url, store_url, store, local: None }
    }

    fn remote(place: &str, limit: Duration) -> Result<Self> {
        deltalake::aws::register_handlers(None);
        let url = Url::parse(&format!("{}/", place.trim_end_matches('/')))
            .map_err(|e| bad_url(place, &e.to_string()))?;
        let log = DeltaTableBuilder::from_url(url.clone())
            .and_then(|builder| builder.build_storage())
            .map_err(|e| bad_url(place, &e.to_string()))?;
        Ok(Self::of(url, log.root_object_store(None), limit))
    }

    /// Path of `parts` below the root, from the root of the store.
    pub(super) fn path(&self, parts: &str) -> Result<Path> {
        let base =
            Path::from_url_path(self.url.path()).map_err(|e| bad_url(parts, &e.to_string()))?;
        Ok(parts.split('/').filter(|p| !p.is_empty()).fold(base, |path, part| path.join(part)))
    }

    /// Path of `below`, which a listing has given, from the root of the store.
    pub(super) fn exact(&self, below: &str) -> Result<Path> {
        let base = self.path("")?;
        let text = format!("{base}/{below}");
        Path::parse(text.trim_start_matches('/')).map_err(|e| bad_url(below, &e.to_string()))
    }

    /// Every file below `folder`, by its path below the root.
    pub(super) async fn files(&self, folder: &str) -> Result<BTreeMap<String, ObjectMeta>> {
        let (base, folder) = (self.path("")?, self.path(folder)?);
        let failed = |e| Error::Store { action: "list", path: folder.to_string(), source: e };
        let listed: Vec<_> = self.store.list(Some(&folder)).try_collect().await.map_err(failed)?;
        let below = |file: ObjectMeta| {
            let path = file.location.as_ref().strip_prefix(base.as_ref());
            path.map(|path| (path.trim_start_matches('/').to_owned(), file.clone()))
        };
        Ok(listed.into_iter().filter_map(below).collect())
    }

    /// Removes the file at `path`; one that is gone already is no error.
    pub(super) async fn remove(&self, path: &Path) -> Result<()> {
        match self.store.delete(path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(e) => Err(Error::Store { action: "remove", path: path.to_string(), source: e }),
        }
    }

    /// URL of the table `name`.
    pub(super) fn table_url(&self, name: &TableName) -> Result<Url> {
        self.url
            .join(&format!("{}/{}/", name.schema, name.table))
            .map_err(|e| bad_url(&name.to_string(), &e.to_string()))
    }

    /// The Delta table `name`, not loaded yet.
    pub(super) fn delta(&self, name: &TableName) -> Result<DeltaTable> {
        let url = self.table_url(name)?;
        DeltaTableBuilder::from_url(url)
            .map(|builder| builder.with_storage_backend(self.store.clone(), self.store_url.clone()))
            .and_then(DeltaTableBuilder::build)
            .map_err(|e| Error::delta(name, "open", e))
    }

    /// Bytes of the small object at `path`, or `None` if there is none.
    pub(super) async fn read_small(&self, path: &Path) -> Result<Option<Vec<u8>>> {
        let failed = |e| Error::Store { action: "read", path: path.to_string(), source: e };
        match self.store.get(path).await {
            Ok(found) => Ok(Some(found.bytes().await.map_err(failed)?.to_vec())),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }

    /// Text of the small object at `path` with the version that a conditional put names.
    pub(super) async fn read_versioned(
        &self,
        path: &Path,
    ) -> Result<Option<(String, UpdateVersion)>> {
        let failed = |e| Error::Store { action: "read", path: path.to_string(), source: e };
        let found = match self.store.get(path).await {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let (e_tag, version) = (found.meta.e_tag.clone(), found.meta.version.clone());
        let bytes = found.bytes().await.map_err(failed)?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Ok(Some((text, UpdateVersion { e_tag, version })))
    }

    /// Puts `new` in the place of what `is_seen` knows, where nothing else has come in between;
    /// whether it did.
    ///
    /// The one writer of a local lake needs no condition; an object store is asked for it.
    pub(super) async fn swap_small(
        &self,
        path: &Path,
        is_seen: impl FnOnce(Option<&str>) -> bool,
        new: Vec<u8>,
    ) -> Result<bool> {
        if self.local.is_some() {
            return self.write_small(path, new).await.map(|()| true);
        }
        let now = self.read_versioned(path).await?;
        if !is_seen(now.as_ref().map(|(text, _)| text.as_str())) {
            return Ok(false);
        }
        let mode = now.map_or(PutMode::Create, |(_, version)| PutMode::Update(version));
        let put = self.store.put_opts(path, new.clone().into(), PutOptions::from(mode)).await;
        let Err(error) = put else { return Ok(true) };
        // The answer may have been lost, or be to the second of two attempts.
        if self.read_small(path).await?.is_some_and(|found| found == new) {
            return Ok(true);
        }
        match error {
            object_store::Error::AlreadyExists { .. }
            | object_store::Error::Precondition { .. } => Ok(false),
            source => Err(Error::Store { action: "write", path: path.to_string(), source }),
        }
    }

    /// Writes the small object at `path`.
    pub(super) async fn write_small(&self, path: &Path, bytes: Vec<u8>) -> Result<()> {
        self.store.put(path, bytes.into()).await.map(drop).map_err(|e| Error::Store {
            action: "write",
            path: path.to_string(),
            source: e,
        })
    }
}

/// The store of one table's files, rooted at the table.
pub(super) fn files_of(log: &LogStoreRef) -> Arc<dyn ObjectStore> {
    log.object_store(None)
}

fn bad_url(place: &str, reason: &str) -> Error {
    Error::Setting {
        key: "lake".into(),
        origin: "configuration".into(),
        reason: format!("\"{place}\" cannot be used: {reason}"),
    }
}
