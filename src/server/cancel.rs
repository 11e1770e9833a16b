//! Sessions as others see them, and stopping their statements: by a CancelRequest or a function, at
//! their deadline, for want of memory, or when the server ends.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use subtle::ConstantTimeEq;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::activity::{Activity, Origin, Record, Why};
use super::fault::Fault;
use super::framing::Frames;
use super::masking::Masked;

/// Every session.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    last_process: AtomicI32,
    by_process: Mutex<HashMap<i32, Arc<Entry>>>,
    pub(super) activity: Activity,
}

/// Who logs in, and what the role is held to.
#[derive(Debug, Clone, Default)]
pub(super) struct Visitor {
    pub(super) role: String,
    pub(super) client: Option<SocketAddr>,
    pub(super) application_name: String,
    /// Sessions of the role at once (count).
    pub(super) connections_max: Option<usize>,
    /// Queries of the role at once (count).
    pub(super) queries_running_max: Option<usize>,
}

/// One session.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) process: i32,
    secret: Vec<u8>,
    visitor: Visitor,
    pub(super) connected_at: DateTime<Utc>,
    changing: Mutex<Changing>,
    terminated: CancellationToken,
}

/// What changes of a session.
#[derive(Debug)]
struct Changing {
    application_name: String,
    state: &'static str,
    state_since: DateTime<Utc>,
    running: Option<Arc<Record>>,
    last: Option<Arc<Record>>,
}

/// What others see of a session.
#[derive(Debug, Clone)]
pub(super) struct SessionRow {
    pub(super) process: i32,
    pub(super) role: String,
    pub(super) client: Option<SocketAddr>,
    pub(super) application_name: String,
    pub(super) connected_at: DateTime<Utc>,
    /// `active`, `idle`, `idle in transaction` or `idle in transaction (aborted)`.
    pub(super) state: &'static str,
    pub(super) state_since: DateTime<Utc>,
    /// The statement that runs, or ran last.
    pub(super) last: Option<Arc<Record>>,
}

/// Why [`Sessions::by_rule`] does nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotDone {
    /// There is no such session.
    NoSession,
    /// It is another role's.
    Forbidden,
}

/// A session's place in [`Sessions`], given back when dropped.
#[derive(Debug)]
pub(super) struct Registration {
    pub(super) process: i32,
    entry: Arc<Entry>,
    sessions: Arc<Sessions>,
}

impl Sessions {
    /// A place for a new session, which `secret` can cancel.
    ///
    /// # Errors
    /// FATAL 53300 if the role has as many sessions as it may.
    pub(super) fn register(
        self: &Arc<Self>,
        visitor: Visitor,
        secret: &[u8],
    ) -> Result<Registration, Fault> {
        let mut sessions = self.by_process.lock();
        if let Some(most) = visitor.connections_max {
            let same = sessions.values().filter(|entry| entry.visitor.role == visitor.role);
            if same.count() >= most {
                let message = format!("too many connections for role \"{}\"", visitor.role);
                return Err(Fault::fatal("53300", message));
            }
        }
        let changing = Changing {
            application_name: visitor.application_name.clone(),
            state: "idle",
            state_since: Utc::now(),
            running: None,
            last: None,
        };
        let process = self.last_process.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        let entry = Arc::new(Entry {
            process,
            secret: secret.to_vec(),
            visitor,
            connected_at: Utc::now(),
            changing: Mutex::new(changing),
            terminated: CancellationToken::new(),
        });
        sessions.insert(process, entry.clone());
        Ok(Registration { process, entry, sessions: self.clone() })
    }

    /// Stops what `process` runs, if `secret` is its own; whose statement it stopped.
    pub(super) fn cancel(&self, process: i32, secret: &[u8]) -> Option<Origin> {
        let entry = self.by_process.lock().get(&process).cloned()?;
        if bool::from(entry.secret.ct_eq(secret)) { entry.cancel() } else { None }
    }

    /// Stops what `process` runs, or with `is_end` the session itself, because `role` asks for it:
    /// everybody may stop sessions of the own role, and admins all.
    ///
    /// # Errors
    /// What keeps it from being done.
    pub(super) fn by_rule(
        &self,
        process: i32,
        role: &str,
        is_admin: bool,
        is_end: bool,
    ) -> Result<(), NotDone> {
        let entry = self.by_process.lock().get(&process).cloned().ok_or(NotDone::NoSession)?;
        if !is_admin && entry.visitor.role != role {
            return Err(NotDone::Forbidden);
        }
        if is_end {
            entry.terminated.cancel();
        } else {
            entry.cancel();
        }
        Ok(())
    }

    /// Every session, in the order of logging in.
    pub(super) fn list(&self) -> Vec<SessionRow> {
        let mut rows: Vec<_> = self.by_process.lock().values().map(|entry| entry.row()).collect();
        rows.sort_by_key(|row| row.process);
        rows
    }
}

impl Entry {
    fn cancel(&self) -> Option<Origin> {
        let running = self.changing.lock().running.clone()?;
        running.stop(Why::Cancelled).then(|| running.origin.clone())
    }

    fn row(&self) -> SessionRow {
        let changing = self.changing.lock();
        SessionRow {
            process: self.process,
            role: self.visitor.role.clone(),
            client: self.visitor.client,
            application_name: changing.application_name.clone(),
            connected_at: self.connected_at,
            state: if changing.running.is_some() { "active" } else { changing.state },
            state_since: changing.state_since,
            last: changing.last.clone(),
        }
    }

    fn origin(&self) -> Origin {
        Origin {
            process: self.process,
            role: self.visitor.role.clone(),
            client: self.visitor.client.map(|client| client.to_string()).unwrap_or_default(),
            application_name: self.changing.lock().application_name.clone(),
        }
    }
}

impl Registration {
    /// What can stop the statement `said`, which begins now.
    pub(super) fn begin(
        &self,
        said: Arc<Masked>,
        limit_ms: Option<u64>,
        shutdown: CancellationToken,
    ) -> Stops {
        let record = self.sessions.activity.begin(self.entry.origin(), said);
        let mut changing = self.entry.changing.lock();
        changing.running = Some(record.clone());
        changing.last = Some(record.clone());
        changing.state_since = Utc::now();
        drop(changing);
        let deadline = limit_ms.map(|ms| Instant::now() + Duration::from_millis(ms));
        Stops { record, entry: self.entry.clone(), deadline, shutdown }
    }

    /// The statement that began last, if its end is not noted yet.
    pub(super) fn open_record(&self) -> Option<Arc<Record>> {
        self.entry.changing.lock().last.clone().filter(|record| record.ended().is_none())
    }

    /// Notes the end of `record`.
    pub(super) fn end(&self, record: &Arc<Record>, sqlstate: &str) {
        self.sessions.activity.end(record, sqlstate);
    }

    /// Says what the session does while it runs nothing.
    pub(super) fn rest(&self, state: &'static str) {
        let mut changing = self.entry.changing.lock();
        (changing.state, changing.state_since) = (state, Utc::now());
    }

    /// Says what the client's program is called.
    pub(super) fn rename(&self, application_name: &str) {
        self.entry.changing.lock().application_name = application_name.to_owned();
    }

    /// Set when the session is to end.
    pub(super) fn terminated(&self) -> CancellationToken {
        self.entry.terminated.clone()
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        if let Some(record) = self.open_record() {
            self.end(&record, "57P01");
        }
        self.sessions.by_process.lock().remove(&self.process);
    }
}

/// What can stop one statement; dropped when it has ended.
#[derive(Debug)]
pub(super) struct Stops {
    pub(super) record: Arc<Record>,
    entry: Arc<Entry>,
    deadline: Option<Instant>,
    shutdown: CancellationToken,
}

impl Drop for Stops {
    fn drop(&mut self) {
        self.entry.changing.lock().running = None;
    }
}

impl Stops {
    /// The role whose statement it is, and how many of its queries may run at once.
    pub(super) fn role(&self) -> (&str, Option<usize>) {
        (&self.entry.visitor.role, self.entry.visitor.queries_running_max)
    }

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
            () = self.entry.terminated.cancelled() => shutting_down(),
            why = self.record.stopped() => match why {
                Why::Cancelled => {
                    Fault::error("57014", "canceling statement due to user request")
                }
                Why::Memory => {
                    let message = "canceling statement: the server is short of memory and it held \
                                   the most";
                    Fault::error("53200", message)
                        .with_hint("Narrow the query, or run it when fewer others run.")
                }
            },
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

/// What clients are told when the server, or their session, ends.
pub(super) fn shutting_down() -> Fault {
    Fault::fatal("57P01", "terminating connection due to administrator command")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visitor(role: &str) -> Visitor {
        Visitor { role: role.into(), connections_max: Some(2), ..Visitor::default() }
    }

    #[test]
    fn only_the_own_role_and_admins_stop_a_session() {
        let sessions = Arc::new(Sessions::default());
        let ana = sessions.register(visitor("ana"), b"key").expect("room");
        let stops = ana.begin(Arc::default(), None, CancellationToken::new());
        let process = ana.process;
        assert_eq!(sessions.by_rule(process, "ben", false, false), Err(NotDone::Forbidden));
        assert_eq!(sessions.by_rule(99, "ana", false, false), Err(NotDone::NoSession));
        assert!(sessions.cancel(process, b"another").is_none());
        assert!(sessions.cancel(process, b"key").is_some(), "by its secret");
        assert!(sessions.cancel(process, b"key").is_none(), "stopped already");
        assert_eq!(sessions.by_rule(process, "ana", false, true), Ok(()));
        assert!(ana.terminated().is_cancelled());
        drop(stops);
        assert_eq!(sessions.list()[0].state, "idle");
        assert_eq!(sessions.by_rule(process, "root", true, false), Ok(()), "nothing runs");
    }

    #[test]
    fn a_role_has_as_many_sessions_as_it_may() {
        let sessions = Arc::new(Sessions::default());
        let first = sessions.register(visitor("ana"), b"x").expect("one");
        let _second = sessions.register(visitor("ana"), b"x").expect("two");
        let refused = sessions.register(visitor("ana"), b"x").expect_err("three");
        assert_eq!((refused.severity.as_str(), refused.sqlstate.as_str()), ("FATAL", "53300"));
        sessions.register(visitor("ben"), b"x").expect("another role");
        drop(first);
        sessions.register(visitor("ana"), b"x").expect("one left");
    }
}
