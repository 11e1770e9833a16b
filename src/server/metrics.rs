//! What `/metrics` counts: one set of counters a process, in base units.

use std::fmt::Write;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use crate::session::Engine;

/// A number that only grows.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    pub(super) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Upper bounds of the duration histogram (seconds).
const BOUNDS: [f64; 9] = [0.001, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 60.0, 300.0];

/// The counters of the process.
#[derive(Debug)]
pub(super) struct Metrics {
    pub(super) connections: AtomicI64,
    pub(super) logins_ok: Counter,
    pub(super) logins_failed: Counter,
    pub(super) queries_ok: Counter,
    pub(super) queries_failed: Counter,
    pub(super) rows: Counter,
    pub(super) bytes: Counter,
    pub(super) panics: Counter,
    pub(super) refresh_failures: Counter,
    durations: [Counter; BOUNDS.len() + 1],
    duration_micros: Counter,
}

/// Counted here by every connection.
pub(super) static METRICS: Metrics = Metrics {
    connections: AtomicI64::new(0),
    logins_ok: Counter::new(),
    logins_failed: Counter::new(),
    queries_ok: Counter::new(),
    queries_failed: Counter::new(),
    rows: Counter::new(),
    bytes: Counter::new(),
    panics: Counter::new(),
    refresh_failures: Counter::new(),
    durations: [const { Counter::new() }; BOUNDS.len() + 1],
    duration_micros: Counter::new(),
};

impl Metrics {
    /// Counts a statement that took `elapsed`.
    pub(super) fn query(&self, elapsed: Duration, is_ok: bool) {
        if is_ok {
            self.queries_ok.add(1)
        } else {
            self.queries_failed.add(1)
        }
        let seconds = elapsed.as_secs_f64();
        let bucket = BOUNDS.iter().position(|bound| seconds <= *bound).unwrap_or(BOUNDS.len());
        self.durations[bucket].add(1);
        self.duration_micros.add(elapsed.as_micros() as u64);
    }

    /// The text that Prometheus reads.
    pub(super) fn text(&self, engine: &Engine, queued: usize) -> String {
        let mut out = String::new();
        let version = env!("CARGO_PKG_VERSION");
        gauge(&mut out, "runrate_build_info", &format!("{{version=\"{version}\"}}"), 1.0);
        let connections = self.connections.load(Ordering::Relaxed);
        gauge(&mut out, "runrate_connections", "", connections as f64);
        let labelled = [
            ("runrate_logins_total", "result", "ok", &self.logins_ok),
            ("runrate_logins_total", "result", "failed", &self.logins_failed),
            ("runrate_queries_total", "status", "ok", &self.queries_ok),
            ("runrate_queries_total", "status", "error", &self.queries_failed),
        ];
        for (name, label, value, counter) in labelled {
            if value == "ok" {
                line(&mut out, &format!("# TYPE {name} counter"));
            }
            line(&mut out, &format!("{name}{{{label}=\"{value}\"}} {}", counter.get()));
        }
        let plain = [
            ("runrate_rows_returned_total", &self.rows),
            ("runrate_bytes_returned_total", &self.bytes),
            ("runrate_refresh_failures_total", &self.refresh_failures),
        ];
        for (name, counter) in plain {
            line(&mut out, &format!("# TYPE {name} counter\n{name} {}", counter.get()));
        }
        let panics = self.panics.get() + engine.panic_count();
        line(
            &mut out,
            &format!("# TYPE runrate_panics_total counter\nrunrate_panics_total {panics}"),
        );
        self.histogram(&mut out);
        gauge(&mut out, "runrate_query_queue_depth", "", queued as f64);
        let reserved = engine.memory_reserved_bytes();
        gauge(&mut out, "runrate_memory_pool_bytes", "", reserved as f64);
        line(&mut out, "# TYPE runrate_table_version gauge");
        for (table, version) in engine.table_versions() {
            line(&mut out, &format!("runrate_table_version{{table=\"{table}\"}} {version}"));
        }
        if let Some(bytes) = resident_bytes() {
            gauge(&mut out, "process_resident_memory_bytes", "", bytes as f64);
        }
        out
    }

    fn histogram(&self, out: &mut String) {
        let name = "runrate_query_duration_seconds";
        line(out, &format!("# TYPE {name} histogram"));
        let mut count = 0;
        for (at, counter) in self.durations.iter().enumerate() {
            count += counter.get();
            let bound = BOUNDS.get(at).map_or("+Inf".to_owned(), f64::to_string);
            line(out, &format!("{name}_bucket{{le=\"{bound}\"}} {count}"));
        }
        let sum = Duration::from_micros(self.duration_micros.get()).as_secs_f64();
        line(out, &format!("{name}_sum {sum}\n{name}_count {count}"));
    }
}

fn gauge(out: &mut String, name: &str, labels: &str, value: f64) {
    line(out, &format!("# TYPE {name} gauge\n{name}{labels} {value}"));
}

fn line(out: &mut String, text: &str) {
    // Writing to a String does not fail.
    let _ = writeln!(out, "{text}");
}

/// Resident memory of the process, where the system tells it.
fn resident_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = text.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * 4_096)
}
