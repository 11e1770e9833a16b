//! One writer at a time: a lock on the lake, held only while something is written.
//!
//! On a local disk it is an operating-system lock on `<root>/_lock`, which the kernel lets go when
//! its process ends, however it ends; the file's text names the holder.
//! On an object store it is the object `_lock`, made by a conditional put, which another writer may
//! take over once its holder has been silent for [`LEASE`].

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path as FilePath;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use tokio::sync::OwnedMutexGuard;
use tokio::time::Instant;

use super::store::Root;
use crate::error::{Error, Result};

const POLL: Duration = Duration::from_millis(50);
/// How long a lease on an object store holds without being renewed.
const LEASE: Duration = Duration::from_secs(120);

/// The lock; dropping it gives it back.
#[derive(Debug)]
pub(super) struct Lock {
    /// Keeps other tasks of this process out; the operating-system lock keeps out other processes.
    _task: OwnedMutexGuard<()>,
    _held: Held,
}

#[derive(Debug)]
enum Held {
    File(#[allow(dead_code)] File),
    Lease(#[allow(dead_code)] Lease),
}

/// Takes the lock of `root` for `command`, waiting at most `wait`.
pub(super) async fn take(
    root: &Root,
    tasks: Arc<tokio::sync::Mutex<()>>,
    command: &str,
    wait: Duration,
) -> Result<Lock> {
    let started = Instant::now();
    let refused = |holder: String| Error::LakeLocked {
        holder,
        waited_ms: started.elapsed().as_millis() as u64,
    };
    let task = tokio::time::timeout(wait, tasks.lock_owned())
        .await
        .map_err(|_| refused("another command of this process".into()))?;
    let me = format!("{command} (pid {}, since {})", std::process::id(), Utc::now().to_rfc3339());
    loop {
        let attempt = match &root.local {
            Some(dir) => lock_file(&dir.join("_lock"), &me)?.map(Held::File),
            None => lease(root, &me).await?.map(Held::Lease),
        };
        match attempt {
            Ok(held) => return Ok(Lock { _task: task, _held: held }),
            Err(holder) if started.elapsed() >= wait => return Err(refused(holder)),
            Err(_) => tokio::time::sleep(POLL).await,
        }
    }
}

/// The locked file, or who holds it.
fn lock_file(path: &FilePath, me: &str) -> Result<std::result::Result<File, String>> {
    let failed = |action| move |e| Error::file(action, path, e);
    let mut file = OpenOptions::new()
        .create(true)
        .read(true)
        .write(true)
        .truncate(false)
        .open(path)
        .map_err(failed("open"))?;
    match file.try_lock() {
        Ok(()) => {
            file.set_len(0).map_err(failed("write"))?;
            file.seek(SeekFrom::Start(0)).map_err(failed("write"))?;
            file.write_all(me.as_bytes()).map_err(failed("write"))?;
            Ok(Ok(file))
        }
        Err(std::fs::TryLockError::WouldBlock) => {
            let mut holder = String::new();
            file.read_to_string(&mut holder).map_err(failed("read"))?;
            let holder = if holder.is_empty() { "another process".to_owned() } else { holder };
            Ok(Err(holder))
        }
        Err(std::fs::TryLockError::Error(e)) => Err(Error::file("lock", path, e)),
    }
}

#[derive(Debug)]
struct Lease {
    store: Arc<dyn ObjectStore>,
    path: Path,
    renewal: tokio::task::JoinHandle<()>,
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.renewal.abort();
        let (store, path) = (self.store.clone(), self.path.clone());
        // Without a runtime the lease runs out by itself.
        if let Ok(handle) = tokio::runtime::Handle::try_current() {
            handle.spawn(async move { store.delete(&path).await });
        }
    }
}

/// The lease, or who holds it.
async fn lease(root: &Root, me: &str) -> Result<std::result::Result<Lease, String>> {
    let path = root.path("_lock")?;
    let failed = |action, source| Error::Store { action, path: path.to_string(), source };
    let create = PutOptions::from(PutMode::Create);
    match root.store.put_opts(&path, me.to_owned().into(), create).await {
        Ok(_) => {}
        Err(object_store::Error::AlreadyExists { .. }) => {
            let Some(bytes) = root.read_small(&path).await? else { return Ok(Err(String::new())) };
            let touched: DateTime<Utc> = match root.store.head(&path).await {
                Ok(meta) => meta.last_modified,
                Err(object_store::Error::NotFound { .. }) => return Ok(Err(String::new())),
                Err(e) => return Err(failed("inspect", e)),
            };
            if Utc::now() - touched > chrono::Duration::seconds(LEASE.as_secs() as i64) {
                root.store.delete(&path).await.map_err(|e| failed("remove", e))?;
            }
            return Ok(Err(String::from_utf8_lossy(&bytes).into_owned()));
        }
        Err(e) => return Err(failed("write", e)),
    }
    let (store, renewed, text) = (root.store.clone(), path.clone(), me.to_owned());
    let renewal = tokio::spawn(async move {
        loop {
            tokio::time::sleep(LEASE / 4).await;
            if let Err(error) = store.put(&renewed, text.clone().into()).await {
                tracing::warn!(%error, "lease not renewed");
            }
        }
    });
    Ok(Ok(Lease { store: root.store.clone(), path, renewal }))
}
