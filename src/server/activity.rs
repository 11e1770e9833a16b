//! What statements are doing, and what they did: read by `ops.queries`, metrics and the audit file.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::masking::Masked;
use crate::session::Usage;

/// Statements that are remembered after their end (count).
const RECENT_MAX: usize = 1_000;

/// Every statement that runs, and the last that did.
#[derive(Debug, Default)]
pub(super) struct Activity {
    last_id: AtomicU64,
    running: Mutex<BTreeMap<u64, Arc<Record>>>,
    recent: Mutex<VecDeque<Arc<Record>>>,
}

/// Who runs a statement.
#[derive(Debug, Clone, Default)]
pub(super) struct Origin {
    pub(super) process: i32,
    pub(super) role: String,
    /// Address and port of the client.
    pub(super) client: String,
    pub(super) application_name: String,
}

/// How far a statement is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Planning,
    Queued,
    Running,
}

/// Why a statement is stopped by somebody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// Its user wants it so.
    Cancelled,
    /// It holds the most memory of a process that holds too much.
    Memory,
}

/// One statement.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) id: u64,
    pub(super) origin: Origin,
    pub(super) said: Arc<Masked>,
    pub(super) started_at: DateTime<Utc>,
    begun: Instant,
    phase: AtomicU8,
    plan_us: AtomicU64,
    queue_us: AtomicU64,
    rows: AtomicU64,
    bytes: AtomicU64,
    usage: Mutex<Option<Usage>>,
    why: OnceLock<Why>,
    stop: CancellationToken,
    ended: OnceLock<Ended>,
}

/// How a statement ended.
#[derive(Debug, Clone, Default)]
pub(super) struct Ended {
    pub(super) at: DateTime<Utc>,
    pub(super) elapsed: Duration,
    pub(super) sqlstate: String,
    pub(super) memory_peak_bytes: u64,
    pub(super) spilled_bytes: u64,
    pub(super) columns: Vec<String>,
}

impl Activity {
    /// A statement that begins now.
    pub(super) fn begin(&self, origin: Origin, said: Arc<Masked>) -> Arc<Record> {
        let record = Arc::new(Record {
            id: self.last_id.fetch_add(1, Ordering::Relaxed) + 1,
            origin,
            said,
            started_at: Utc::now(),
            begun: Instant::now(),
            phase: AtomicU8::new(Phase::Planning as u8),
            plan_us: AtomicU64::new(0),
            queue_us: AtomicU64::new(0),
            rows: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            usage: Mutex::new(None),
            why: OnceLock::new(),
            stop: CancellationToken::new(),
            ended: OnceLock::new(),
        });
        self.running.lock().insert(record.id, record.clone());
        record
    }

    /// Notes the end of `record`, once.
    pub(super) fn end(&self, record: &Arc<Record>, sqlstate: &str) {
        self.running.lock().remove(&record.id);
        if record.end(sqlstate) {
            let mut recent = self.recent.lock();
            if recent.len() >= RECENT_MAX {
                recent.pop_front();
            }
            recent.push_back(record.clone());
        }
    }

    /// Statements that run.
    pub(super) fn running(&self) -> Vec<Arc<Record>> {
        self.running.lock().values().cloned().collect()
    }

    /// Statements that ran, then those that run.
    pub(super) fn all(&self) -> Vec<Arc<Record>> {
        let mut all: Vec<_> = self.recent.lock().iter().cloned().collect();
        all.extend(self.running());
        all
    }
}

impl Record {
    pub(super) fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    pub(super) fn planned(&self, elapsed: Duration) {
        self.plan_us.fetch_add(elapsed.as_micros() as u64, Ordering::Relaxed);
    }

    pub(super) fn waited(&self, elapsed: Duration) {
        self.queue_us.fetch_add(elapsed.as_micros() as u64, Ordering::Relaxed);
    }

    pub(super) fn sent(&self, rows: u64, bytes: u64) {
        self.rows.fetch_add(rows, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// What it comes to, for a statement that sends no rows.
    pub(super) fn total(&self, rows: u64, bytes: u64) {
        self.rows.fetch_max(rows, Ordering::Relaxed);
        self.bytes.fetch_max(bytes, Ordering::Relaxed);
    }

    pub(super) fn costs(&self, usage: Usage) {
        *self.usage.lock() = Some(usage);
    }

    /// Stops it; false if that was asked for before or it has ended.
    pub(super) fn stop(&self, why: Why) -> bool {
        let is_first = self.ended.get().is_none() && self.why.set(why).is_ok();
        self.stop.cancel();
        is_first
    }

    /// Returns when it is to stop.
    pub(super) async fn stopped(&self) -> Why {
        self.stop.cancelled().await;
        self.why.get().copied().unwrap_or(Why::Cancelled)
    }

    /// `planning`, `queued`, `running`, `done` or `failed`.
    pub(super) fn state(&self) -> &'static str {
        match self.ended.get() {
            Some(ended) if ended.sqlstate == "00000" => "done",
            Some(_) => "failed",
            None => match self.phase.load(Ordering::Relaxed) {
                phase if phase == Phase::Queued as u8 => "queued",
                phase if phase == Phase::Running as u8 => "running",
                _ => "planning",
            },
        }
    }

    /// How it ended, if it has.
    pub(super) fn ended(&self) -> Option<&Ended> {
        self.ended.get()
    }

    pub(super) fn plan(&self) -> Duration {
        Duration::from_micros(self.plan_us.load(Ordering::Relaxed))
    }

    pub(super) fn queue(&self) -> Duration {
        Duration::from_micros(self.queue_us.load(Ordering::Relaxed))
    }

    /// Time since it began, or that it took, without planning and waiting.
    pub(super) fn execution(&self) -> Duration {
        let elapsed = self.ended.get().map_or_else(|| self.begun.elapsed(), |ended| ended.elapsed);
        elapsed.saturating_sub(self.plan() + self.queue())
    }

    pub(super) fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Memory it holds (bytes).
    pub(super) fn memory_bytes(&self) -> u64 {
        self.usage.lock().as_ref().map_or(0, |usage| usage.memory_bytes() as u64)
    }

    /// The most memory it held, or holds up to now (bytes).
    pub(super) fn memory_peak_bytes(&self) -> u64 {
        match self.ended.get() {
            Some(ended) => ended.memory_peak_bytes,
            None => self.usage.lock().as_ref().map_or(0, |u| u.memory_peak_bytes() as u64),
        }
    }

    fn end(&self, sqlstate: &str) -> bool {
        let usage = self.usage.lock().take();
        let ended = Ended {
            at: Utc::now(),
            elapsed: self.begun.elapsed(),
            sqlstate: sqlstate.to_owned(),
            memory_peak_bytes: usage.as_ref().map_or(0, |u| u.memory_peak_bytes() as u64),
            spilled_bytes: usage.as_ref().map_or(0, Usage::spilled_bytes),
            columns: usage.map_or_else(Vec::new, |usage| usage.columns().to_vec()),
        };
        self.ended.set(ended).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_are_remembered_and_no_more() {
        let activity = Activity::default();
        for _ in 0..RECENT_MAX + 5 {
            let record = activity.begin(Origin::default(), Masked::of("SELECT 1"));
            activity.end(&record, "00000");
            activity.end(&record, "XX000");
        }
        let open = activity.begin(Origin::default(), Masked::of("SELECT 2"));
        let all = activity.all();
        assert_eq!(all.len(), RECENT_MAX + 1);
        assert_eq!((all[0].id, all[0].state()), (6, "done"));
        assert!(open.stop(Why::Memory) && !open.stop(Why::Cancelled));
        activity.end(&open, "53200");
        assert_eq!((open.state(), activity.running().len()), ("failed", 0));
    }
}
