//! The last guard of memory: when the process holds too much, its largest query goes.
//!
//! Pools count what operators and functions say they hold; this looks at what the process really
//! holds, whoever took it.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::Shared;
use super::activity::{Record, Why};
use super::metrics::{METRICS, resident_bytes};
use crate::config::Config;

/// Time between two looks.
const INTERVAL: Duration = Duration::from_millis(25);
/// Looks ahead, as fast as it grew since the last one: what is stopped goes on for a moment.
const LOOKS_AHEAD: u64 = 4;
/// Time that memory takes to come back after a query was stopped.
const GRACE: Duration = Duration::from_millis(500);
/// A query that runs for less may be any short one.
const OLD: Duration = Duration::from_secs(2);
/// A query that holds less is not what fills the process.
const LARGE_BYTES_MIN: u64 = 8 << 20;

/// Resident bytes above which the largest query is stopped.
pub(super) fn limit_bytes(config: &Config) -> u64 {
    if config.memory_process_bytes_max > 0 {
        return config.memory_process_bytes_max;
    }
    let own = config.memory_pool_bytes_max as u64 + (1 << 30);
    machine_bytes().map_or(own, |machine| own.min(machine / 10 * 8))
}

/// Memory of the machine, where the system tells it.
fn machine_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib << 10)
}

/// Watches the memory of the process for as long as it serves.
pub(super) async fn watch(shared: Arc<Shared>) {
    let limit = limit_bytes(shared.engine.config());
    let mut before = u64::MAX;
    loop {
        tokio::time::sleep(INTERVAL).await;
        let Some(resident) = resident_bytes() else { continue };
        let growth = resident.saturating_sub(before);
        before = resident;
        if resident.saturating_add(growth.saturating_mul(LOOKS_AHEAD)) <= limit {
            continue;
        }
        let running = shared.sessions.activity.running();
        let Some(largest) = largest(&running) else { continue };
        if largest.stop(Why::Memory) {
            METRICS.memory_kills.add(1);
            let held = largest.memory_bytes();
            let query = largest.id;
            tracing::error!(resident, limit, query, held, "short of memory: a query was stopped");
            let more = json!({ "query_id": query, "resident_bytes": resident, "held_bytes": held });
            let origin = &largest.origin;
            shared.audit.event("memory_kill", &origin.role, &origin.client, more);
        }
        tokio::time::sleep(GRACE).await;
        before = u64::MAX;
    }
}

/// The query that holds most; if none says that it holds much, the one that runs longest, unless it
/// has only begun: what fills the process may be one that was stopped and is not gone yet.
fn largest(running: &[Arc<Record>]) -> Option<&Arc<Record>> {
    let runs = || running.iter().filter(|record| record.state() == "running");
    let most = runs().max_by_key(|record| record.memory_bytes());
    let large = most.filter(|record| record.memory_bytes() >= LARGE_BYTES_MIN);
    let old = runs().filter(|record| record.execution() > OLD);
    large.or_else(|| old.min_by_key(|record| record.id))
}
