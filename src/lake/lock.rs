//! One writer at a time: a lock on the lake, held only while something is written.
//!
//! On a local disk it is an operating-system lock on `<root>/_lock`, which the kernel lets go when
//! its process ends, however it ends; the file's text names the holder.
//! On an object store it is a lease (see [`super::lease`]), which another writer may take over once
//! its holder has been silent for a while.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path as FilePath;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use tokio::sync::OwnedMutexGuard;
use tokio::time::Instant;

use super::lease::{self, Lease};
use super::store::Root;
use crate::error::{Error, Result};

const POLL: Duration = Duration::from_millis(50);
/// Time between two looks at a lease, each of which is a request.
const POLL_LEASE: Duration = Duration::from_millis(500);

/// The lock; dropping it gives it back.
#[derive(Debug)]
pub(super) struct Lock {
    /// Keeps other tasks of this process out; the operating-system lock keeps out other processes.
    _task: OwnedMutexGuard<()>,
    held: Held,
}

impl Lock {
    /// Whether no other writer can have it yet; a lock of the operating system is never lost.
    pub(super) fn is_held(&self) -> bool {
        match &self.held {
            Held::File(_) => true,
            Held::Lease(lease) => lease.is_held(),
        }
    }
}

#[derive(Debug)]
enum Held {
    File(#[allow(dead_code)] File),
    Lease(Lease),
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
    let mut watched = lease::Watched::default();
    loop {
        let attempt = match &root.local {
            Some(dir) => lock_file(&dir.join("_lock"), &me)?.map(Held::File),
            None => lease::attempt(root, &me, &mut watched).await?.map(Held::Lease),
        };
        match attempt {
            Ok(held) => return Ok(Lock { _task: task, held }),
            Err(holder) if started.elapsed() >= wait => return Err(refused(holder)),
            Err(_) if root.local.is_some() => tokio::time::sleep(POLL).await,
            Err(_) => tokio::time::sleep(POLL_LEASE).await,
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
