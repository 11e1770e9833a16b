//! Health and metrics over HTTP, on loopback only: `/livez`, `/readyz`, `/metrics`.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;

use super::Shared;
use super::metrics::METRICS;

/// Answers until the server drains.
pub(super) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let draining = shared.draining.clone();
    let routes = Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(shared);
    let served = axum::serve(listener, routes).with_graceful_shutdown(draining.cancelled_owned());
    if let Err(error) = served.await {
        tracing::error!(%error, "health endpoint stopped");
    }
}

/// Ready when clients are taken and the lake can be read.
async fn ready(State(shared): State<Arc<Shared>>) -> (StatusCode, &'static str) {
    if shared.draining.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "shutting down\n");
    }
    match shared.engine.lake().change_token().await {
        Ok(_) => (StatusCode::OK, "ok\n"),
        Err(error) => {
            tracing::error!(error = error.chain(), "the lake cannot be read");
            (StatusCode::SERVICE_UNAVAILABLE, "the lake cannot be read\n")
        }
    }
}

async fn metrics(State(shared): State<Arc<Shared>>) -> impl IntoResponse {
    let text = METRICS.text(&shared.engine, shared.turns.waiting());
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], text)
}
