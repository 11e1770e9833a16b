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
use super::guard;
use super::metrics::{METRICS, escaped, family};

/// Share of a disk that must be free (ratio).
const FREE_RATIO_MIN: f64 = 0.05;

/// Answers until the server is gone: while it drains it is alive, and not ready.
pub(super) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let ending = shared.stopping.clone();
    let routes = Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(shared);
    let served = axum::serve(listener, routes).with_graceful_shutdown(ending.cancelled_owned());
    if let Err(error) = served.await {
        tracing::error!(%error, "health endpoint stopped");
    }
}

/// Ready when clients are taken, the lake can be read, statements can be written down and disks
/// have room.
async fn ready(State(shared): State<Arc<Shared>>) -> (StatusCode, String) {
    let mut reasons = vec![];
    if shared.draining.is_cancelled() {
        reasons.push("shutting down");
    }
    if let Err(error) = shared.engine.lake().change_token().await {
        tracing::error!(error = error.chain(), "the lake cannot be read");
        reasons.push("the lake cannot be read");
    }
    if shared.audit.check().is_err() {
        reasons.push("the audit file cannot be written");
    }
    if free_ratio(&shared).is_some_and(|free| free < FREE_RATIO_MIN) {
        reasons.push("a disk is nearly full");
    }
    match reasons.is_empty() {
        true => (StatusCode::OK, "ok\n".into()),
        false => (StatusCode::SERVICE_UNAVAILABLE, reasons.join("\n") + "\n"),
    }
}

/// The smallest share that is free on the disks of the lake, the audit file and spilled data.
fn free_ratio(shared: &Shared) -> Option<f64> {
    let config = shared.engine.config();
    let is_local = !config.lake.contains("://");
    let audit = config.audit_path();
    let paths = [
        is_local.then(|| config.lake.clone().into()),
        audit.parent().map(|parent| {
            if parent.as_os_str().is_empty() { ".".into() } else { parent.to_owned() }
        }),
        config.spill_dir.clone().or_else(|| Some(std::env::temp_dir())),
    ];
    let free = paths.into_iter().flatten().filter_map(|path: std::path::PathBuf| {
        let disk = rustix::fs::statvfs(&path).ok()?;
        (disk.f_blocks > 0).then(|| disk.f_bavail as f64 / disk.f_blocks as f64)
    });
    free.min_by(f64::total_cmp)
}

async fn metrics(State(shared): State<Arc<Shared>>) -> impl IntoResponse {
    let mut text = METRICS.text();
    let engine = &shared.engine;
    let gauges = [
        ("runrate_query_queue_depth", shared.turns.waiting() as f64),
        ("runrate_queries_running", shared.turns.running() as f64),
        ("runrate_memory_pool_bytes", engine.memory_reserved_bytes() as f64),
        ("runrate_memory_pool_limit_bytes", engine.config().memory_pool_bytes_max as f64),
        ("runrate_memory_process_limit_bytes", guard::limit_bytes(engine.config()) as f64),
        ("runrate_spill_bytes", engine.spilled_bytes() as f64),
        ("runrate_plans_abandoned", engine.plans_abandoned() as f64),
        ("runrate_audit_writable", f64::from(u8::from(shared.audit.is_writable()))),
    ];
    for (name, value) in gauges {
        family(&mut text, name, "gauge", &[(String::new(), value)]);
    }
    if let Some(free) = free_ratio(&shared) {
        family(&mut text, "runrate_disk_free_ratio", "gauge", &[(String::new(), free)]);
    }
    let panics = METRICS.panics() + engine.panic_count();
    family(&mut text, "runrate_panics_total", "counter", &[(String::new(), panics as f64)]);
    let versions: Vec<(String, f64)> = engine
        .table_versions()
        .into_iter()
        .map(|(table, version)| (format!("table=\"{}\"", escaped(&table)), version as f64))
        .collect();
    family(&mut text, "runrate_table_version", "gauge", &versions);
    text.push_str(&super::loads::metrics(engine).await);
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], text)
}
