//! Stopping statements: by a CancelRequest, at their deadline, or when the server ends.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use subtle::ConstantTimeEq;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::fault::Fault;
use super::framing::Frames;

/// Every session that can be cancelled.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    last_process: AtomicI32,
    by_process: Mutex<HashMap<i32, Entry>>,
}

#[derive(Debug)]
struct Entry {
    secret: Vec<u8>,
    running: Arc<Mutex<Option<CancellationToken>>>,
}

/// A session's place in [`Sessions`], given back when dropped.
#[derive(Debug)]
pub(super) struct Registration {
    pub(super) process: i32,
    running: Arc<Mutex<Option<CancellationToken>>>,
    sessions: Arc<Sessions>,
}

impl Sessions {
    /// A place for a new session, which `secret` can cancel.
    pub(super) fn register(self: &Arc<Self>, secret: &[u8]) -> Registration {
        let running = Arc::new(Mutex::new(None));
        let entry = Entry { secret: secret.to_vec(), running: running.clone() };
        let process = self.last_process.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        self.lock().insert(process, entry);
        Registration { process, running, sessions: self.clone() }
    }

    /// Stops what `process` runs, if `secret` is its own.
    pub(super) fn cancel(&self, process: i32, secret: &[u8]) {
        let sessions = self.lock();
        let Some(entry) = sessions.get(&process) else { return };
        if entry.secret.ct_eq(secret).into()
            && let Some(token) = &*entry.running.lock().unwrap_or_else(PoisonError::into_inner)
        {
            token.cancel();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<i32, Entry>> {
        self.by_process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Registration {
    /// What can stop the statement that begins now.
    pub(super) fn begin(&self, limit_ms: Option<u64>, shutdown: CancellationToken) -> Stops {
        let token = CancellationToken::new();
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = Some(token.clone());
        let deadline = limit_ms.map(|ms| Instant::now() + Duration::from_millis(ms));
        Stops { token, deadline, shutdown, running: self.running.clone() }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.sessions.lock().remove(&self.process);
    }
}

/// What can stop one statement; dropped when it has ended.
#[derive(Debug)]
pub(super) struct Stops {
    token: CancellationToken,
    deadline: Option<Instant>,
    shutdown: CancellationToken,
    running: Arc<Mutex<Option<CancellationToken>>>,
}

impl Drop for Stops {
    fn drop(&mut self) {
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Stops {
    /// Returns when the statement has to stop though its client is there.
    pub(super) async fn halted(&self) -> Fault {
        let deadline = async {
            match self.deadline {
                Some(deadline) => tokio::time::sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.shutdown.cancelled() => shutting_down(),
            () = self.token.cancelled() => {
                Fault::error("57014", "canceling statement due to user request")
            }
            () = deadline => Fault::error("57014", "canceling statement due to statement timeout"),
        }
    }

    /// Returns when the statement has to stop, and why.
    pub(super) async fn stopped(&self, frames: &mut Frames) -> Fault {
        tokio::select! {
            biased;
            fault = self.halted() => fault,
            () = frames.closed() => Fault::fatal("08006", "connection to client lost"),
        }
    }
}

/// What clients are told when the server ends.
pub(super) fn shutting_down() -> Fault {
    Fault::fatal("57P01", "terminating connection due to administrator command")
}
