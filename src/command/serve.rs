//! `runrate serve`: answer until a signal says otherwise; SIGHUP reads roles and certificates again.

use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::say;
use crate::error::{Error, Result};
use crate::server::Server;
use crate::session::Engine;

/// Serves `engine`; prints `ready` with both addresses when clients are taken.
pub(super) async fn run(engine: Arc<Engine>) -> Result<u8> {
    answer(Server::bind(engine).await?).await
}

/// Answers until SIGTERM or SIGINT; running statements may end unless a second one comes.
pub(super) async fn answer(server: Server) -> Result<u8> {
    let (shutdown, hurry) = (CancellationToken::new(), CancellationToken::new());
    watch(shutdown.clone(), hurry.clone())?;
    let (postgres, http) = (server.address()?, server.http_address()?);
    say(&format!("ready postgres={postgres} http={http}\n"))?;
    server.run(shutdown, hurry).await;
    Ok(0)
}

fn watch(shutdown: CancellationToken, hurry: CancellationToken) -> Result<()> {
    let refuse = |e| Error::file("watch", "signals", e);
    let mut terminate = signal(SignalKind::terminate()).map_err(refuse)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(refuse)?;
    tokio::spawn(async move {
        for token in [shutdown, hurry] {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            tracing::info!("asked to stop");
            token.cancel();
        }
    });
    Ok(())
}
