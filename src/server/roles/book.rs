//! The roles of a file while the server runs: read again when the file changes or SIGHUP asks for it.
//!
//! A file that can no longer be trusted, or policies that do not fit, change nothing: the roles read
//! last go on, and the log says why.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use parking_lot::Mutex;

use super::Roles;
use crate::error::{Error, Result};
use crate::session::Engine;

/// The roles of a file, as they were read last.
#[derive(Debug)]
pub(in crate::server) struct RoleBook {
    path: PathBuf,
    read: Mutex<Arc<Roles>>,
    /// What was last looked at, so that a bad file is logged once.
    looked: tokio::sync::Mutex<Stamp>,
    /// Counts the times that roles changed.
    edition: AtomicU64,
}

/// When a file was changed, how long it is, and which one it is.
type Stamp = Option<(SystemTime, u64, u64)>;

impl RoleBook {
    /// Reads the roles of `path`, for the tables of `engine`.
    ///
    /// # Errors
    /// Those of [`Roles::load`], [`Error::Definition`] for a policy that does not fit its table, and
    /// [`Error::Credential`] if nobody could log in.
    pub(in crate::server) async fn open(path: PathBuf, engine: &Arc<Engine>) -> Result<Self> {
        let stamp = stamp(&path);
        let roles = checked(&path, engine).await?;
        if roles.is_empty() {
            let reason =
                "holds no role, so nobody could log in; add one with `runrate role add NAME`";
            return Err(Error::Credential { path, reason: reason.into() });
        }
        Ok(Self {
            path,
            read: Mutex::new(Arc::new(roles)),
            looked: tokio::sync::Mutex::new(stamp),
            edition: AtomicU64::new(1),
        })
    }

    /// The roles as they are in the file now; those read last if it can no longer be trusted.
    pub(in crate::server) async fn current(&self, engine: &Arc<Engine>) -> Arc<Roles> {
        self.reload(engine, false).await;
        self.last()
    }

    /// The roles as they were read last.
    pub(in crate::server) fn last(&self) -> Arc<Roles> {
        self.read.lock().clone()
    }

    /// A number that is another one after every change.
    pub(in crate::server) fn edition(&self) -> u64 {
        self.edition.load(Ordering::Acquire)
    }

    /// Reads the file again if it changed since it was looked at last, or if `is_asked`.
    pub(in crate::server) async fn reload(&self, engine: &Arc<Engine>, is_asked: bool) {
        let mut looked = self.looked.lock().await;
        let now = stamp(&self.path);
        if now == *looked && !is_asked {
            return;
        }
        *looked = now;
        match checked(&self.path, engine).await {
            Ok(roles) => {
                *self.read.lock() = Arc::new(roles);
                self.edition.fetch_add(1, Ordering::AcqRel);
                tracing::info!("roles read again");
            }
            Err(error) => {
                tracing::error!(error = error.chain(), "the roles cannot be read again");
            }
        }
    }
}

/// The roles of `path`, their policies tried on the tables of `engine`.
async fn checked(path: &Path, engine: &Arc<Engine>) -> Result<Roles> {
    let roles = Roles::load(path)?;
    for name in roles.names() {
        let Some(access) = roles.access(name) else { continue };
        engine.check_policies(access.policies()).await.map_err(|error| {
            let reason = format!("has role {name} with a policy that does not fit: {error}");
            Error::Credential { path: path.to_owned(), reason }
        })?;
    }
    Ok(roles)
}

fn stamp(path: &Path) -> Stamp {
    use std::os::unix::fs::MetadataExt;
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len(), metadata.ino()))
}
