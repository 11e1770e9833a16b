//! One connection: messages in, answers out, until it ends.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use pgwire::messages::PgWireFrontendMessage as Message;
use tokio::io::AsyncWriteExt;
use tracing::Instrument;

use super::cancel::{Registration, Visitor, shutting_down};
use super::catalog::{Open, OpenStatement, Seat};
use super::cursors::Cursor;
use super::fault::{Fault, Severity};
use super::framing::{self, Frame, Frames, Stream};
use super::login::{self, Startup};
use super::masking::Masked;
use super::metrics::METRICS;
use super::outbox::{Outbox, TransactionStatus};
use super::prepared::{Portal, Prepared};
use super::settings::{self, Settings};
use super::wire::Wire;
use super::{Shared, monitor, roles};
use crate::session::{Access, Session};

/// Prepared statements, and portals, that a session may keep (count).
const KEPT_MAX: usize = 256;

/// A client that logged in.
pub(super) struct Connection {
    pub(super) shared: Arc<Shared>,
    pub(super) session: Session,
    pub(super) settings: Settings,
    pub(super) wire: Wire,
    pub(super) registration: Registration,
    pub(super) status: TransactionStatus,
    pub(super) statements: HashMap<String, Arc<Prepared>>,
    pub(super) portals: HashMap<String, Portal>,
    pub(super) cursors: HashMap<String, Cursor>,
    /// What of it statements can read.
    open: Arc<Open>,
    /// What the client says now, for the audit file.
    pub(super) source: String,
    /// Queries that ended (count).
    pub(super) statements_ended: u64,
    /// Whether the error that is told next is written down.
    is_noted: bool,
    /// Whether a write outside a transaction is one of its own.
    pub(super) commits_at_once: bool,
    /// Whether a message of the extended protocol failed: the rest is skipped up to Sync.
    is_skipping: bool,
    /// Edition of the roles that the session's rights are from.
    edition: u64,
}

/// Counts a connection as long as it lives.
struct Counted;

impl Counted {
    fn new() -> Self {
        METRICS.connections.fetch_add(1, Ordering::Relaxed);
        Self
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        METRICS.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A connection that has said what it is, and not yet who.
pub(super) struct Opened {
    pub(super) stream: Stream,
    pub(super) version: i32,
    pub(super) startup: Bytes,
    pub(super) peer: SocketAddr,
    pub(super) is_encrypted: bool,
}

/// Takes a client from its start-up message to its end.
///
/// Of the two permits, the second is dropped when the client has logged in, and both when it has not.
pub(super) async fn serve(shared: Arc<Shared>, opened: Opened, permits: (impl Send, impl Send)) {
    let Opened { stream, version, startup, peer, is_encrypted } = opened;
    let (open, ends_login) = permits;
    let (reader, mut writer) = tokio::io::split(stream);
    let mut frames = Frames::new(reader);
    let limit = Duration::from_millis(shared.engine.config().login_timeout_ms);
    let log_in = async {
        let startup = Startup::parse(version, startup).map_err(|fault| (fault, Duration::ZERO))?;
        let attempt = login::Attempt { startup, peer: peer.ip(), is_encrypted };
        login::log_in(&shared, attempt, &mut frames, &mut writer).await
    };
    let outcome = match tokio::time::timeout(limit, log_in).await {
        Ok(outcome) => outcome,
        Err(_) => Err((Fault::fatal("08006", "login took too long"), Duration::ZERO)),
    };
    let (startup, access) = match outcome {
        Ok(admitted) => admitted,
        Err((fault, delay)) => {
            // Whoever is made to wait takes no place from others.
            drop((open, ends_login));
            shared.throttle.wait(delay).await;
            return refuse(&mut writer, fault).await;
        }
    };
    drop(ends_login);
    let edition = access.0;
    METRICS.logins_ok.add(1);
    login_event(&shared, &startup.user, &peer.to_string(), "00000");
    let _counted = Counted::new();
    let config = shared.engine.config();
    frames.raise_limit(config.message_bytes_max);
    let stall = Duration::from_millis(config.write_stall_timeout_ms);
    let mut wire = Wire::new(frames, writer, stall);
    let span = tracing::info_span!("conn", user = startup.user);
    match Connection::greet(shared, &startup, access.1, peer, &mut wire) {
        Ok((session, settings, registration, open)) => {
            let connection = Connection {
                shared: session.0,
                session: session.1,
                settings,
                wire,
                registration,
                status: TransactionStatus::Idle,
                statements: HashMap::new(),
                portals: HashMap::new(),
                cursors: HashMap::new(),
                open,
                source: String::new(),
                statements_ended: 0,
                is_noted: false,
                commits_at_once: false,
                is_skipping: false,
                edition,
            };
            Box::pin(connection.run()).instrument(span).await;
        }
        Err(fault) => {
            wire.outbox.error(&fault.into_fatal());
            drop(wire.flush().await);
        }
    }
}

/// Writes down a login: `sqlstate` is 00000 if it was let in.
pub(super) fn login_event(shared: &Shared, role: &str, client: &str, sqlstate: &str) {
    let result = if sqlstate == "00000" { "ok" } else { "failed" };
    let more = serde_json::json!({ "result": result, "sqlstate": sqlstate });
    shared.audit.event("login", role, client, more);
}

/// Says why, and ends; before login everything is FATAL.
pub(super) async fn refuse(writer: &mut (impl tokio::io::AsyncWrite + Unpin), fault: Fault) {
    let mut outbox = Outbox::default();
    outbox.error(&fault.into_fatal());
    let farewell = async {
        writer.write_all(&outbox.bytes).await?;
        writer.shutdown().await
    };
    // A client that does not read its refusal is not waited for.
    drop(tokio::time::timeout(Duration::from_secs(1), farewell).await);
}

type Started = ((Arc<Shared>, Session), Settings, Registration, Arc<Open>);

impl Connection {
    /// What a client is told between its login and its first statement.
    fn greet(
        shared: Arc<Shared>,
        startup: &Startup,
        access: Access,
        client: SocketAddr,
        wire: &mut Wire,
    ) -> Result<Started, Fault> {
        let session = shared.engine.session_with(Arc::new(access));
        let mut settings = Settings::new(&startup.user, shared.engine.config());
        if session.access().owned().next().is_some() {
            settings.set("default_transaction_read_only", "off", false)?;
            settings.set("transaction_read_only", "off", false)?;
        }
        for (name, value) in &startup.settings {
            // Some drivers quote the value as if it were SQL.
            let value = value.trim_matches('\'');
            let (name, value) = settings.set(name, value, false)?;
            if settings::is_of_session(name) {
                session.set(name, &value)?;
            }
        }
        settings.all().for_each(|(name, value, _)| session.tell(name, value));
        settings.keep_as_initial();
        // Protocol 3.0 knows secrets of four bytes only.
        let long = roles::random_bytes::<32>()?;
        let secret = if startup.minor >= 2 { &long[..] } else { &long[..4] };
        let access = session.access();
        if !access.is_admin() && shared.is_nearly_full() {
            let message = "remaining connection slots are reserved for admin roles";
            return Err(Fault::fatal("53300", message));
        }
        let limits = access.limits();
        let visitor = Visitor {
            role: access.role().to_owned(),
            client: Some(client),
            application_name: settings.show("application_name")?.1.to_owned(),
            connections_max: limits.connections_max,
            queries_running_max: limits.queries_running_max,
        };
        let registration = shared.sessions.register(visitor, secret)?;
        let open = Arc::new(Open::default());
        let sessions = shared.sessions.clone();
        let seat = Seat { process: registration.process, sessions, open: open.clone() };
        shared.catalog.install(&session, seat)?;
        monitor::install(&shared, &session)?;
        for (name, value) in settings.reported() {
            wire.outbox.parameter_status(name, value);
        }
        wire.outbox.key_data(registration.process, secret);
        wire.outbox.ready(TransactionStatus::Idle);
        Ok(((shared, session), settings, registration, open))
    }

    /// Writes down what is open, where `sql` may ask for it.
    pub(super) fn show_open(&self, sql: &str) {
        if !Open::is_asked_by(sql) {
            return;
        }
        let named = self.statements.iter().filter(|(name, _)| !name.is_empty());
        let mut statements: Vec<OpenStatement> = named
            .map(|(name, prepared)| OpenStatement {
                name: name.clone(),
                statement: prepared.source.clone(),
                prepared_at: prepared.prepared_at,
                parameters: prepared.parameters.clone(),
                is_from_sql: prepared.is_from_sql,
            })
            .collect();
        statements.sort_by(|a, b| a.name.cmp(&b.name));
        let mut cursors: Vec<_> =
            self.cursors.iter().map(|(name, cursor)| cursor.shown(name)).collect();
        cursors.sort_by(|a, b| a.name.cmp(&b.name));
        self.open.put(statements, cursors);
    }

    async fn run(mut self) {
        tracing::debug!("connected");
        loop {
            let outcome = match self.next().await {
                Ok(Some(frame)) => Box::pin(self.answer(frame)).await,
                Ok(None) => break,
                Err(fault) => Err(fault),
            };
            match outcome {
                Ok(true) => {}
                Ok(false) => break,
                Err(fault) => {
                    self.wire.outbox.error(&fault.into_fatal());
                    break;
                }
            }
        }
        drop(self.wire.flush().await);
        Box::pin(self.session.rollback()).await;
        tracing::debug!("disconnected");
    }

    /// The next message, if it comes in time.
    async fn next(&mut self) -> Result<Option<Frame>, Fault> {
        let config = self.shared.engine.config();
        let (limit_ms, sqlstate, what) = match self.status {
            TransactionStatus::Idle => (config.idle_timeout_ms, "57P05", "idle-session timeout"),
            _ => {
                let limit_ms = config.idle_in_transaction_timeout_ms;
                (limit_ms.min(config.idle_timeout_ms), "25P03", "idle-in-transaction timeout")
            }
        };
        let limit = Duration::from_millis(limit_ms);
        let terminated = self.registration.terminated();
        tokio::select! {
            biased;
            () = self.shared.draining.cancelled() => Err(shutting_down()),
            () = terminated.cancelled() => Err(shutting_down()),
            outcome = tokio::time::timeout(limit, self.wire.next()) => match outcome {
                Ok(outcome) => outcome,
                Err(_) => {
                    Err(Fault::fatal(sqlstate, format!("terminating connection due to {what}")))
                }
            },
        }
    }

    /// Goes on with the rights that the role has now, if roles changed.
    fn follow_role(&mut self) -> Result<(), Fault> {
        let edition = self.shared.roles.edition();
        if edition == self.edition {
            return Ok(());
        }
        self.edition = edition;
        let (roles, name) = (self.shared.roles.last(), self.session.user());
        match roles.access(name).filter(|_| roles.verifier(name).is_some()) {
            Some(access) => {
                self.session.regrant(Arc::new(access));
                Ok(())
            }
            None => Err(Fault::fatal(
                "57P01",
                "terminating connection: its role cannot log in any more",
            )),
        }
    }

    /// Answers one message; false if the client takes its leave.
    async fn answer(&mut self, frame: Frame) -> Result<bool, Fault> {
        self.follow_role()?;
        let outcome = match framing::decode(&frame) {
            Ok(Message::Terminate(_)) => return Ok(false),
            Ok(Message::Sync(_)) => {
                let has_failed = std::mem::take(&mut self.is_skipping);
                if let Err(fault) = Box::pin(self.settle(has_failed)).await {
                    self.failed(&fault);
                }
                self.end_of_turn();
                return Ok(true);
            }
            Ok(_) if self.is_skipping => return Ok(true),
            Ok(Message::Query(query)) => {
                Box::pin(self.simple(&query.query)).await?;
                self.end_of_turn();
                return Ok(true);
            }
            // These are left over from a COPY that was refused.
            Ok(Message::CopyData(_) | Message::CopyDone(_) | Message::CopyFail(_)) => {
                return Ok(true);
            }
            Ok(Message::Flush(_)) => self.wire.flush().await,
            Ok(Message::Parse(parse)) => Box::pin(self.parse(parse)).await,
            Ok(Message::Bind(bind)) => self.bind(bind),
            Ok(Message::Describe(describe)) => self.describe(&describe),
            Ok(Message::Execute(execute)) => Box::pin(self.execute_portal(&execute)).await,
            Ok(Message::Close(close)) => self.close(&close),
            Ok(_) => Err(framing::invalid("this message cannot come after login")),
            Err(fault) => Err(fault),
        };
        match outcome {
            Ok(()) => Ok(true),
            Err(fault) if fault.severity == Severity::Fatal => Err(fault),
            Err(fault) => {
                self.failed(&fault);
                self.is_skipping = true;
                Ok(true)
            }
        }
    }

    /// Tells the client what went wrong; an open transaction has failed with it.
    pub(super) fn failed(&mut self, fault: &Fault) {
        self.wire.outbox.error(fault);
        if !std::mem::take(&mut self.is_noted) {
            self.note(Some(fault));
        }
        if self.status == TransactionStatus::Open {
            self.status = TransactionStatus::Failed;
        }
    }

    /// ReadyForQuery; portals live as long as their transaction.
    fn end_of_turn(&mut self) {
        if self.status == TransactionStatus::Idle {
            self.portals.clear();
        }
        self.registration.rest(match self.status {
            TransactionStatus::Idle => "idle",
            TransactionStatus::Open => "idle in transaction",
            TransactionStatus::Failed => "idle in transaction (aborted)",
        });
        self.wire.outbox.ready(self.status);
    }

    /// Refuses to keep more than [`KEPT_MAX`] of `what`.
    pub(super) fn check_room(kept: usize, what: &str) -> Result<(), Fault> {
        if kept < KEPT_MAX {
            return Ok(());
        }
        Err(Fault::error("53400", format!("a session may keep {KEPT_MAX} {what}"))
            .with_hint("Close those that are not needed any more."))
    }

    /// Logs, counts and writes down a query that ended.
    pub(super) fn ended(&mut self, begun: Instant, rows: u64, bytes: u64, fault: Option<&Fault>) {
        METRICS.rows.add(rows);
        METRICS.bytes.add(bytes);
        let sqlstate = fault.map_or("00000", |fault| fault.sqlstate.as_str());
        let elapsed_ms = begun.elapsed().as_secs_f64() * 1e3;
        tracing::info!(rows, bytes, elapsed_ms, sqlstate, "query");
        self.statements_ended += 1;
        if let Some(record) = self.registration.open_record() {
            record.total(rows, bytes);
        }
        self.is_noted = fault.is_some();
        self.note(fault);
    }

    /// Writes down a command that was done.
    pub(super) fn note_command(&mut self) {
        self.note(None);
    }

    /// Writes down how the statement ended that runs, or one that came to nothing.
    fn note(&self, fault: Option<&Fault>) {
        let sqlstate = fault.map_or("00000", |fault| fault.sqlstate.as_str());
        let record = self.registration.open_record().unwrap_or_else(|| {
            let said = Masked::of(&self.source);
            self.registration.begin(said, None, Default::default()).record.clone()
        });
        self.registration.end(&record, sqlstate);
        let phases = [record.plan(), record.queue(), record.execution()];
        METRICS.query(&record.origin.role, sqlstate, phases);
        METRICS.spilled_bytes.add(record.ended().map_or(0, |ended| ended.spilled_bytes));
        self.shared.audit.statement(&record);
    }
}
