//! The Postgres protocol: the only room that knows it.
//!
//! A connection goes: [`tls`] settles encryption, [`login`] lets in who knows the password,
//! [`connection`] takes messages in turn, [`execute`] and [`extended`] answer them, [`rows`] streams
//! what the session gives through [`encode`].
//! The loop is our own, because cancel, time limits and a client that is gone must stop the row
//! stream itself, and because before login nothing but login may be heard.

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
mod http;
mod login;
mod materialize;
mod metrics;
mod names;
mod outbox;
mod parameters;
mod position;
mod prepared;
pub mod roles;
mod rows;
mod settings;
mod statement;
mod throttle;
mod tls;
mod turns;
mod wire;
mod write;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Semaphore;
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
    encryption: Encryption,
    /// Connections that may be open, and those of them that have not logged in.
    connections: Arc<Semaphore>,
    unauthenticated: Arc<Semaphore>,
    /// Set when no new statement is taken, and when running ones are stopped.
    draining: CancellationToken,
    stopping: CancellationToken,
}

/// A server that listens but does not answer yet.
pub struct Server {
    shared: Arc<Shared>,
    listener: TcpListener,
    http: TcpListener,
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
        let shared = Shared {
            roles,
            pretender: roles::Pretender::new()?,
            throttle: throttle::Throttle::new(config),
            sessions: Arc::default(),
            catalog: catalog::Catalog::new(&engine)?,
            turns: turns::Turns::new(config),
            encryption,
            connections: Arc::new(Semaphore::new(config.connections_max)),
            unauthenticated: Arc::new(Semaphore::new(config.connections_unauthenticated_max)),
            draining: CancellationToken::new(),
            stopping: CancellationToken::new(),
            engine,
        };
        Ok(Self { shared: Arc::new(shared), listener, http })
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
        let Self { shared, listener, http } = self;
        let tasks = TaskTracker::new();
        tokio::spawn(http::serve(http, shared.clone()));
        let refreshing = tokio::spawn(refresh(shared.clone()));
        let asked = tokio::spawn(reload_when_asked(shared.clone()));
        loop {
            tokio::select! {
                () = shutdown.cancelled() => break,
                accepted = listener.accept() => match accepted {
                    Ok((socket, peer)) => {
                        drop(tasks.spawn(take(shared.clone(), socket, peer.ip())));
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
            Ok(_) => is_failing = false,
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

/// Reads the roles again at each SIGHUP, whether or not their file looks changed.
async fn reload_when_asked(shared: Arc<Shared>) {
    let mut asked = match signal(SignalKind::hangup()) {
        Ok(asked) => asked,
        Err(error) => return tracing::error!(%error, "SIGHUP cannot be heard"),
    };
    while asked.recv().await.is_some() {
        shared.roles.reload(&shared.engine, true).await;
    }
}

/// Takes one connection from its first byte to its last.
async fn take(shared: Arc<Shared>, socket: TcpStream, peer: IpAddr) {
    if let Err(error) = tune(&socket) {
        tracing::debug!(%error, "a socket could not be tuned");
    }
    let permits = (
        shared.connections.clone().try_acquire_owned(),
        shared.unauthenticated.clone().try_acquire_owned(),
    );
    let (Ok(open), Ok(ends_login)) = permits else {
        let mut socket = socket;
        let fault = Fault::fatal("53300", "sorry, too many clients already");
        return connection::refuse(&mut socket, fault).await;
    };
    let limit = Duration::from_millis(shared.engine.config().login_timeout_ms);
    match tokio::time::timeout(limit, tls::open(socket, &shared.encryption)).await {
        Err(_) | Ok(Opening::Gone) => {}
        Ok(Opening::Cancel(process, secret)) => shared.sessions.cancel(process, &secret),
        Ok(Opening::Refused(mut stream, fault)) => connection::refuse(&mut stream, fault).await,
        Ok(Opening::Session(stream, version, startup, is_encrypted)) => {
            let opened = connection::Opened { stream, version, startup, peer, is_encrypted };
            connection::serve(shared, opened, (open, ends_login)).await;
        }
    }
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
