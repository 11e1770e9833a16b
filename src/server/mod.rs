//! The Postgres protocol: the only room that knows it.
//!
//! A connection goes: [`tls`] settles encryption, [`login`] lets in who knows the password,
//! [`connection`] takes messages in turn, [`execute`] and [`extended`] answer them, [`rows`] streams
//! what the session gives through [`encode`].
//! The loop is our own, because cancel, time limits and a client that is gone must stop the row
//! stream itself, and because before login nothing but login may be heard.

mod activity;
mod audit;
mod cancel;
mod catalog;
mod configure;
mod connection;
mod copy;
mod copy_in;
mod copy_rows;
mod copy_value;
mod cursors;
pub mod encode;
mod execute;
mod extended;
mod fault;
mod framing;
#[doc(hidden)]
pub mod fuzzing;
mod guard;
mod http;
mod loads;
mod login;
mod masking;
mod materialize;
mod metrics;
mod monitor;
mod names;
mod outbox;
mod parameters;
mod position;
mod prepared;
pub mod roles;
mod rows;
mod settings;
mod start;
mod statement;
mod throttle;
mod tls;
mod turns;
mod wire;
mod write;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use parking_lot::RwLock;

use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::error::{Error, Result};
use crate::session::Engine;
use fault::Fault;
use metrics::METRICS;
use tls::{Encryption, Opening};

/// What all connections share.
struct Shared {
    engine: Arc<Engine>,
    roles: roles::RoleBook,
    pretender: roles::Pretender,
    throttle: throttle::Throttle,
    sessions: Arc<cancel::Sessions>,
    catalog: catalog::Catalog,
    turns: Arc<turns::Turns>,
    light_turns: Arc<turns::Turns>,
    audit: audit::Audit,
    encryption: RwLock<Encryption>,
    address: SocketAddr,
    /// Connections that may be open, and those of them that have not logged in.
    connections: Arc<Semaphore>,
    unauthenticated: Arc<Semaphore>,
    /// Set when no new statement is taken, and when running ones are stopped.
    draining: CancellationToken,
    stopping: CancellationToken,
}

impl Shared {
    /// Whether only the connections are left that are kept for admins.
    fn is_nearly_full(&self) -> bool {
        let config = self.engine.config();
        // A server for very few keeps at least half of them for everybody.
        let reserved = config.connections_admin_reserved.min(config.connections_max / 2);
        self.connections.available_permits() < reserved
    }

    fn encryption(&self) -> Encryption {
        self.encryption.read().clone()
    }

    /// Reads the certificate again; one that cannot be trusted changes nothing.
    fn reload(&self) {
        let outcome = Encryption::load(self.engine.config(), self.address);
        let is_ok = outcome.is_ok();
        match outcome {
            Ok(next) => {
                *self.encryption.write() = next;
                tracing::info!("the certificate was read again");
            }
            Err(error) => {
                tracing::error!(error = error.chain(), "the certificate cannot be read again");
            }
        }
        self.audit.event("reload", "", "", json!({ "is_ok": is_ok }));
    }
}

/// A server that listens but does not answer yet.
pub struct Server {
    shared: Arc<Shared>,
    listener: TcpListener,
    http: TcpListener,
    hangup: Signal,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("listener", &self.listener).finish_non_exhaustive()
    }
}

impl Server {
    /// Listens at the addresses of the engine's configuration.
    ///
    /// # Errors
    /// [`Error::Listen`] if an address is taken or none, [`Error::Credential`] for roles or keys that
    /// cannot be trusted, and if nobody could log in.
    pub async fn bind(engine: Arc<Engine>) -> Result<Self> {
        let config = engine.config();
        let roles = roles::RoleBook::open(config.roles_path(), &engine).await?;
        let listener = listen(&config.listen).await?;
        let address = local(&listener, &config.listen)?;
        let encryption = Encryption::load(config, address)?;
        let http = listen(&config.http).await?;
        if !local(&http, &config.http)?.ip().is_loopback() {
            return Err(Error::Setting {
                key: "http".into(),
                origin: "configuration".into(),
                reason: format!("must be a loopback address, got {}", config.http),
            });
        }
        // Heard from now on: before, it would end the process.
        let hangup =
            signal(SignalKind::hangup()).map_err(|e| Error::file("watch", "signals", e))?;
        let shared = Shared {
            roles,
            pretender: roles::Pretender::new()?,
            throttle: throttle::Throttle::new(config),
            sessions: Arc::default(),
            catalog: catalog::Catalog::new(&engine)?,
            turns: turns::Turns::new(config),
            light_turns: turns::Turns::light(config),
            audit: audit::Audit::open(config)?,
            encryption: RwLock::new(encryption),
            address,
            connections: Arc::new(Semaphore::new(config.connections_max)),
            unauthenticated: Arc::new(Semaphore::new(config.connections_unauthenticated_max)),
            draining: CancellationToken::new(),
            stopping: CancellationToken::new(),
            engine,
        };
        Ok(Self { shared: Arc::new(shared), listener, http, hangup })
    }

    /// Address of the Postgres protocol.
    ///
    /// # Errors
    /// If the system does not know it.
    pub fn address(&self) -> Result<SocketAddr> {
        local(&self.listener, "the Postgres protocol")
    }

    /// Address of health and metrics.
    ///
    /// # Errors
    /// If the system does not know it.
    pub fn http_address(&self) -> Result<SocketAddr> {
        local(&self.http, "health and metrics")
    }

    /// Answers until `shutdown`, then lets running statements end within `drain_timeout_ms`; a
    /// second `hurry` ends them at once.
    pub async fn run(self, shutdown: CancellationToken, hurry: CancellationToken) {
        let Self { shared, listener, http, hangup } = self;
        let tasks = TaskTracker::new();
        tokio::spawn(http::serve(http, shared.clone()));
        shared.engine.plan_views();
        let refreshing = tokio::spawn(refresh(shared.clone()));
        let guarding = tokio::spawn(guard::watch(shared.clone()));
        let version = env!("CARGO_PKG_VERSION");
        shared.audit.event("start", "", "", json!({ "version": version }));
        let asked = tokio::spawn(reload_when_asked(shared.clone(), hangup));
        loop {
            tokio::select! {
                () = shutdown.cancelled() => break,
                accepted = listener.accept() => match accepted {
                    Ok((socket, client)) => {
                        drop(tasks.spawn(take(shared.clone(), socket, client)));
                    }
                    Err(error) => {
                        // Out of file descriptors, mostly: closing connections will free some.
                        tracing::error!(%error, "a connection could not be accepted");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                },
            }
        }
        drop(listener);
        shared.draining.cancel();
        tasks.close();
        let limit = Duration::from_millis(shared.engine.config().drain_timeout_ms);
        tokio::select! {
            () = tasks.wait() => {}
            () = hurry.cancelled() => {}
            () = tokio::time::sleep(limit) => {}
        }
        shared.stopping.cancel();
        // Those that were stopped still tell their clients.
        drop(tokio::time::timeout(Duration::from_secs(2), tasks.wait()).await);
        refreshing.abort();
        asked.abort();
        guarding.abort();
        shared.audit.event("stop", "", "", json!({}));
        let audited = shared.clone();
        // Waits for the disk, which must not hold up a thread that others share.
        drop(tokio::task::spawn_blocking(move || audited.audit.close()).await);
        tracing::info!("server stopped");
    }
}

async fn listen(address: &str) -> Result<TcpListener> {
    let refuse = |source| Error::Listen { address: address.to_owned(), source };
    TcpListener::bind(address).await.map_err(refuse)
}

fn local(listener: &TcpListener, address: &str) -> Result<SocketAddr> {
    let refuse = |source| Error::Listen { address: address.to_owned(), source };
    listener.local_addr().map_err(refuse)
}

/// Looks for commits of other processes again and again.
async fn refresh(shared: Arc<Shared>) {
    let interval = Duration::from_millis(shared.engine.config().refresh_interval_ms);
    let mut is_failing = false;
    loop {
        tokio::time::sleep(interval).await;
        shared.roles.reload(&shared.engine, false).await;
        match shared.engine.refresh().await {
            Ok(is_new) => {
                is_failing = false;
                if is_new {
                    shared.engine.plan_views();
                }
            }
            Err(error) => {
                METRICS.refresh_failures.add(1);
                if !is_failing {
                    tracing::error!(error = error.chain(), "new commits cannot be seen");
                }
                is_failing = true;
            }
        }
    }
}

/// Reads roles and certificates again at each SIGHUP, whether or not their files look changed.
async fn reload_when_asked(shared: Arc<Shared>, mut asked: Signal) {
    while asked.recv().await.is_some() {
        shared.roles.reload(&shared.engine, true).await;
        shared.reload();
    }
}

/// Takes one connection from its first byte to its last.
async fn take(shared: Arc<Shared>, socket: TcpStream, peer: SocketAddr) {
    if let Err(error) = tune(&socket) {
        tracing::debug!(%error, "a socket could not be tuned");
    }
    let too_many = || {
        METRICS.connections_refused.add(1);
        Fault::fatal("53300", "sorry, too many clients already")
    };
    let Ok(place) = shared.unauthenticated.clone().try_acquire_owned() else {
        let mut socket = socket;
        return connection::refuse(&mut socket, too_many()).await;
    };
    let ends_login = Unauthenticated::new(place);
    // A full server still reads on: what comes may be a request to cancel, and who is refused
    // understands it only after the question of encryption.
    let open = shared.connections.clone().try_acquire_owned();
    let limit = Duration::from_millis(shared.engine.config().login_timeout_ms);
    match tokio::time::timeout(limit, tls::open(socket, &shared.encryption())).await {
        Err(_) | Ok(Opening::Gone) => {}
        Ok(Opening::Cancel(process, secret)) => cancel(&shared, peer, process, &secret),
        Ok(Opening::Refused(mut stream, fault)) => connection::refuse(&mut stream, fault).await,
        Ok(Opening::Session(mut stream, ..)) if open.is_err() => {
            connection::refuse(&mut stream, too_many()).await;
        }
        Ok(Opening::Session(stream, version, startup, is_encrypted)) => {
            let opened = connection::Opened { stream, version, startup, peer, is_encrypted };
            Box::pin(connection::serve(shared, opened, (open, ends_login))).await;
        }
    }
}

/// A place among those that have not logged in yet.
struct Unauthenticated(#[allow(dead_code)] OwnedSemaphorePermit);

impl Unauthenticated {
    fn new(place: OwnedSemaphorePermit) -> Self {
        METRICS.connections_opening.fetch_add(1, Ordering::Relaxed);
        Self(place)
    }
}

impl Drop for Unauthenticated {
    fn drop(&mut self) {
        METRICS.connections_opening.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Stops what `process` runs, if the secret is right.
fn cancel(shared: &Shared, client: SocketAddr, process: i32, secret: &[u8]) {
    let stopped = shared.sessions.cancel(process, secret);
    let more = json!({ "session": process, "found": stopped.is_some() });
    let role = stopped.map(|origin| origin.role).unwrap_or_default();
    shared.audit.event("cancel", &role, &client.to_string(), more);
}

/// Answers leave at once; a client that vanished is noticed within a minute and a half.
fn tune(socket: &TcpStream) -> std::io::Result<()> {
    socket.set_nodelay(true)?;
    let keepalive = socket2::TcpKeepalive::new()
        .with_time(Duration::from_secs(60))
        .with_interval(Duration::from_secs(10))
        .with_retries(3);
    socket2::SockRef::from(socket).set_tcp_keepalive(&keepalive)
}
