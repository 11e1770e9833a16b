//! What `/metrics` tells: counters of the process in base units, and what others count.
//!
//! No label holds what a user wrote, except names of roles, which an operator gave.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

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
/// Parts of a statement that are timed.
const PHASES: [&str; 3] = ["plan", "queue", "exec"];

/// The counters of the process.
#[derive(Debug)]
pub(super) struct Metrics {
    pub(super) connections: AtomicI64,
    pub(super) connections_opening: AtomicI64,
    pub(super) connections_refused: Counter,
    pub(super) logins_ok: Counter,
    pub(super) logins_failed: Counter,
    pub(super) rows: Counter,
    pub(super) bytes: Counter,
    pub(super) panics: Counter,
    pub(super) refresh_failures: Counter,
    pub(super) memory_kills: Counter,
    pub(super) spilled_bytes: Counter,
    pub(super) audit_lines_lost: Counter,
    by_role: Mutex<BTreeMap<String, OfRole>>,
}

/// Statements of one role: how many ended how, and how long each phase took.
#[derive(Debug, Default, Clone)]
struct OfRole {
    ok: u64,
    failed: u64,
    stopped: u64,
    phases: [Histogram; PHASES.len()],
}

#[derive(Debug, Default, Clone)]
struct Histogram {
    buckets: [u64; BOUNDS.len() + 1],
    sum: Duration,
}

/// Counted here by every connection.
pub(super) static METRICS: Metrics = Metrics {
    connections: AtomicI64::new(0),
    connections_opening: AtomicI64::new(0),
    connections_refused: Counter::new(),
    logins_ok: Counter::new(),
    logins_failed: Counter::new(),
    rows: Counter::new(),
    bytes: Counter::new(),
    panics: Counter::new(),
    refresh_failures: Counter::new(),
    memory_kills: Counter::new(),
    spilled_bytes: Counter::new(),
    audit_lines_lost: Counter::new(),
    by_role: Mutex::new(BTreeMap::new()),
};

impl Histogram {
    fn add(&mut self, duration: Duration) {
        let seconds = duration.as_secs_f64();
        let bucket = BOUNDS.iter().position(|bound| seconds <= *bound).unwrap_or(BOUNDS.len());
        self.buckets[bucket] += 1;
        self.sum += duration;
    }

    fn write(&self, name: &str, labels: &str, out: &mut String) {
        let mut count = 0;
        for (at, bucket) in self.buckets.iter().enumerate() {
            count += bucket;
            let bound = BOUNDS.get(at).map_or("+Inf".to_owned(), f64::to_string);
            line(out, &format!("{name}_bucket{{{labels},le=\"{bound}\"}} {count}"));
        }
        line(out, &format!("{name}_sum{{{labels}}} {}", self.sum.as_secs_f64()));
        line(out, &format!("{name}_count{{{labels}}} {count}"));
    }
}

impl Metrics {
    /// Counts a statement of `role` that ended with `sqlstate`; `phases` are those of [`PHASES`].
    pub(super) fn query(&self, role: &str, sqlstate: &str, phases: [Duration; PHASES.len()]) {
        let mut by_role = self.by_role.lock();
        let of_role = match by_role.get_mut(role) {
            Some(of_role) => of_role,
            None => by_role.entry(role.to_owned()).or_default(),
        };
        match sqlstate {
            "00000" => of_role.ok += 1,
            "57014" | "57P01" | "53200" | "08006" => of_role.stopped += 1,
            _ => of_role.failed += 1,
        }
        for (histogram, duration) in of_role.phases.iter_mut().zip(phases) {
            histogram.add(duration);
        }
    }

    /// Statements that panicked while they were answered (count).
    pub(super) fn panics(&self) -> u64 {
        self.panics.get()
    }

    /// The text that Prometheus reads, as far as it is counted here.
    pub(super) fn text(&self) -> String {
        let mut out = String::new();
        let version = env!("CARGO_PKG_VERSION");
        let build = [(format!("version=\"{version}\""), 1.0)];
        family(&mut out, "runrate_build_info", "gauge", &build);
        let open = self.connections.load(Ordering::Relaxed);
        let opening = self.connections_opening.load(Ordering::Relaxed);
        let states = [("logged_in", open), ("opening", opening)];
        let states = states.map(|(state, count)| (format!("state=\"{state}\""), count as f64));
        family(&mut out, "runrate_connections", "gauge", &states);
        let logins = [("ok", &self.logins_ok), ("failed", &self.logins_failed)];
        let logins = logins.map(|(r, count)| (format!("result=\"{r}\""), count.get() as f64));
        family(&mut out, "runrate_logins_total", "counter", &logins);
        let plain = [
            ("runrate_connections_refused_total", &self.connections_refused),
            ("runrate_rows_returned_total", &self.rows),
            ("runrate_bytes_returned_total", &self.bytes),
            ("runrate_refresh_failures_total", &self.refresh_failures),
            ("runrate_memory_kills_total", &self.memory_kills),
            ("runrate_spill_bytes_total", &self.spilled_bytes),
            ("runrate_audit_lines_lost_total", &self.audit_lines_lost),
        ];
        for (name, counter) in plain {
            family(&mut out, name, "counter", &[(String::new(), counter.get() as f64)]);
        }
        self.roles(&mut out);
        process(&mut out);
        out
    }

    fn roles(&self, out: &mut String) {
        let by_role = self.by_role.lock().clone();
        let mut totals = vec![];
        for (role, of_role) in &by_role {
            let role = escaped(role);
            let statuses =
                [("ok", of_role.ok), ("error", of_role.failed), ("stopped", of_role.stopped)];
            totals.extend(statuses.map(|(status, count)| {
                (format!("role=\"{role}\",status=\"{status}\""), count as f64)
            }));
        }
        family(out, "runrate_queries_total", "counter", &totals);
        let name = "runrate_query_duration_seconds";
        line(out, &format!("# TYPE {name} histogram"));
        for (role, of_role) in &by_role {
            for (phase, histogram) in PHASES.iter().zip(&of_role.phases) {
                let labels = format!("role=\"{}\",phase=\"{phase}\"", escaped(role));
                histogram.write(name, &labels, out);
            }
        }
    }
}

/// One metric with its values, each under its labels.
pub(super) fn family(out: &mut String, name: &str, kind: &str, values: &[(String, f64)]) {
    line(out, &format!("# TYPE {name} {kind}"));
    for (labels, value) in values {
        match labels.as_str() {
            "" => line(out, &format!("{name} {value}")),
            labels => line(out, &format!("{name}{{{labels}}} {value}")),
        }
    }
}

/// `text` as the value of a label.
pub(super) fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn line(out: &mut String, text: &str) {
    // Writing to a String does not fail.
    let _ = writeln!(out, "{text}");
}

/// What the system knows of the process, where it tells.
fn process(out: &mut String) {
    let one = |value: f64| [(String::new(), value)];
    if let Some(bytes) = resident_bytes() {
        family(out, "process_resident_memory_bytes", "gauge", &one(bytes as f64));
    }
    let Some(stat) = Stat::read() else { return };
    family(out, "process_virtual_memory_bytes", "gauge", &one(stat.virtual_bytes));
    family(out, "process_cpu_seconds_total", "counter", &one(stat.cpu_seconds));
    family(out, "process_threads", "gauge", &one(stat.threads));
    family(out, "process_start_time_seconds", "gauge", &one(stat.started_seconds));
    if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
        family(out, "process_open_fds", "gauge", &one(open.count() as f64));
    }
}

/// Clock ticks of a second in `/proc`, the same on every Linux.
const TICKS: f64 = 100.0;

struct Stat {
    cpu_seconds: f64,
    threads: f64,
    virtual_bytes: f64,
    started_seconds: f64,
}

impl Stat {
    fn read() -> Option<Self> {
        let text = std::fs::read_to_string("/proc/self/stat").ok()?;
        // The name before it is in parentheses, and may hold spaces.
        let fields: Vec<f64> = text
            .rsplit_once(')')?
            .1
            .split_whitespace()
            .skip(1)
            .map(|field| field.parse().unwrap_or(0.0))
            .collect();
        let boot = std::fs::read_to_string("/proc/stat").ok()?;
        let boot = boot.lines().find_map(|line| line.strip_prefix("btime "))?;
        let boot: f64 = boot.trim().parse().ok()?;
        let field = |number: usize| fields.get(number - 4).copied().unwrap_or(0.0);
        Some(Self {
            cpu_seconds: (field(14) + field(15)) / TICKS,
            threads: field(20),
            virtual_bytes: field(23),
            started_seconds: boot + field(22) / TICKS,
        })
    }
}

/// Resident memory of the process, where the system tells it.
pub(super) fn resident_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = text.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * 4_096)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_one_that_prometheus_reads() {
        let ms = Duration::from_millis;
        METRICS.query("a \"b\" \\ c", "00000", [ms(1), ms(30), ms(4_000)]);
        METRICS.query("a \"b\" \\ c", "57014", [ms(1), ms(1), ms(1)]);
        let text = METRICS.text();
        for line in text.lines().filter(|line| !line.starts_with("# TYPE ")) {
            let (name, value) = line.rsplit_once(' ').expect("a name and a value");
            value.parse::<f64>().expect("a number");
            let bare = name.split('{').next().expect("a name");
            assert!(bare.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'), "{line}");
            assert!(!name.contains('{') || name.ends_with('}'), "{line}");
        }
        let role = r#"role="a \"b\" \\ c""#;
        assert!(text.contains(&format!("runrate_queries_total{{{role},status=\"stopped\"}} 1")));
        let bucket = format!("{role},phase=\"exec\",le=\"10\"");
        assert!(text.contains(&format!("runrate_query_duration_seconds_bucket{{{bucket}}} 2")));
        assert!(text.contains("process_cpu_seconds_total "), "{text}");
    }
}
