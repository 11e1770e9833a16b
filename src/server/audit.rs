//! The audit file: a JSON line for each statement that ended, each login, and what operators do.
//!
//! It is only ever appended to, is for its owner alone, and is on disk within a second.
//! A full file is renamed to `.1`, the one before to `.2`, up to `audit_files_max`.
//! While it cannot be written, statements are refused unless the configuration says otherwise; the
//! lines of that time are kept, up to a bound, and written when it can be again.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use chrono::{DateTime, SecondsFormat, Utc};
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::activity::Record;
use super::fault::Fault;
use super::metrics::METRICS;
use crate::config::Config;
use crate::error::{Error, Result};

/// Lines on their way to the file.
const LINES_MAX: usize = 10_000;
/// Lines that are kept while it cannot be written.
const KEPT_MAX: usize = 100_000;
/// Time after which what was written is on disk.
const SYNC_INTERVAL: Duration = Duration::from_secs(1);
/// Bytes of a name that a client gave.
const NAME_BYTES_MAX: usize = 128;

/// The way to the audit file.
#[derive(Debug)]
pub(super) struct Audit {
    lines: SyncSender<Line>,
    is_broken: Arc<AtomicBool>,
    is_required: bool,
    writing: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
enum Line {
    Text(String),
    End,
}

impl Audit {
    /// Opens the file of `config`.
    ///
    /// # Errors
    /// [`Error::File`] if it cannot be written.
    pub(super) fn open(config: &Config) -> Result<Self> {
        let path = config.audit_path();
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder).map_err(|e| Error::file("create", folder, e))?;
        }
        let file = open(&path).map_err(|e| Error::file("open", &path, e))?;
        let (lines, receiver) = sync_channel(LINES_MAX);
        let is_broken = Arc::new(AtomicBool::new(false));
        let writer = Writer {
            bytes: file.metadata().map_or(0, |metadata| metadata.len()),
            file: Some(file),
            path: path.clone(),
            bytes_max: config.audit_file_bytes_max,
            files_max: config.audit_files_max,
            kept: VecDeque::new(),
            is_broken: is_broken.clone(),
            is_unsynced: false,
        };
        let writing = std::thread::Builder::new()
            .name("audit".into())
            .spawn(move || writer.run(&receiver))
            .map_err(|e| Error::file("start a thread for", path, e))?;
        Ok(Self {
            lines,
            is_broken,
            is_required: config.audit_required,
            writing: Mutex::new(Some(writing)),
        })
    }

    /// Refuses a statement that could not be written down.
    pub(super) fn check(&self) -> Result<(), Fault> {
        if self.is_writable() || !self.is_required {
            return Ok(());
        }
        Err(Fault::error("58030", "statements are refused while the audit file cannot be written"))
    }

    /// Whether the file took the last lines.
    pub(super) fn is_writable(&self) -> bool {
        !self.is_broken.load(Ordering::Relaxed)
    }

    /// Writes down a statement that ended.
    pub(super) fn statement(&self, record: &Record) {
        let Some(ended) = record.ended() else { return };
        let ms = |duration: Duration| (duration.as_secs_f64() * 1e6).round() / 1e3;
        let is_ok = ended.sqlstate == "00000";
        self.write(json!({
            "ts": stamp(ended.at),
            "event": "statement",
            "session": record.origin.process,
            "role": record.origin.role,
            "client": record.origin.client,
            "application_name": bounded(&record.origin.application_name),
            "query_id": record.id,
            "query_hash": record.said.hash,
            "text": record.said.text,
            "relations": record.said.relations,
            "columns": ended.columns,
            "rows": record.rows(),
            "bytes": record.bytes(),
            "plan_ms": ms(record.plan()),
            "queue_ms": ms(record.queue()),
            "exec_ms": ms(record.execution()),
            "peak_mem_bytes": ended.memory_peak_bytes,
            "spill_bytes": ended.spilled_bytes,
            "status": if is_ok { "ok" } else { "error" },
            "sqlstate": ended.sqlstate,
        }));
    }

    /// Writes down something else: what happened, to whom, and more about it.
    pub(super) fn event(&self, event: &str, role: &str, client: &str, more: Value) {
        let mut line = json!({
            "ts": stamp(Utc::now()),
            "event": event,
            "role": bounded(role),
            "client": client,
        });
        if let (Some(line), Value::Object(more)) = (line.as_object_mut(), more) {
            line.extend(more);
        }
        self.write(line);
    }

    fn write(&self, line: Value) {
        if self.lines.try_send(Line::Text(format!("{line}\n"))).is_err() {
            METRICS.audit_lines_lost.add(1);
            if !self.is_broken.swap(true, Ordering::Relaxed) {
                tracing::error!("the audit file is written too slowly: lines are lost");
            }
        }
    }

    /// Writes what is on its way and ends.
    pub(super) fn close(&self) {
        let writing = self.writing.lock().take();
        if let Some(writing) = writing
            && self.lines.send(Line::End).is_ok()
            && writing.join().is_err()
        {
            tracing::error!("the audit file was not closed");
        }
    }
}

impl Drop for Audit {
    fn drop(&mut self) {
        self.close();
    }
}

fn stamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// `text` cut to the length of a name.
fn bounded(text: &str) -> &str {
    &text[..text.floor_char_boundary(NAME_BYTES_MAX)]
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

/// The thread that writes.
struct Writer {
    path: PathBuf,
    file: Option<File>,
    bytes: u64,
    bytes_max: u64,
    files_max: usize,
    kept: VecDeque<String>,
    is_broken: Arc<AtomicBool>,
    is_unsynced: bool,
}

impl Writer {
    fn run(mut self, lines: &Receiver<Line>) {
        let mut synced = Instant::now();
        loop {
            let wait = SYNC_INTERVAL.saturating_sub(synced.elapsed());
            let is_end = match lines.recv_timeout(wait) {
                Ok(Line::Text(line)) => {
                    self.keep(line);
                    false
                }
                Err(RecvTimeoutError::Timeout) => false,
                Ok(Line::End) | Err(RecvTimeoutError::Disconnected) => true,
            };
            let is_due = is_end || synced.elapsed() >= SYNC_INTERVAL;
            // A file that failed is tried again once a second, not with every line.
            if is_due || !self.is_broken.load(Ordering::Relaxed) {
                self.try_flush(is_due);
            }
            if is_due {
                synced = Instant::now();
            }
            if is_end {
                return;
            }
        }
    }

    fn keep(&mut self, line: String) {
        if self.kept.len() >= KEPT_MAX {
            METRICS.audit_lines_lost.add(1);
            self.kept.pop_front();
        }
        self.kept.push_back(line);
    }

    fn try_flush(&mut self, is_due: bool) {
        match self.flush(is_due) {
            Ok(()) => {
                if self.is_broken.swap(false, Ordering::Relaxed) {
                    tracing::info!("the audit file is written again");
                }
            }
            Err(error) => {
                // Opened again, in case somebody mended what was wrong with it.
                self.file = None;
                if !self.is_broken.swap(true, Ordering::Relaxed) {
                    tracing::error!(%error, "the audit file cannot be written");
                }
            }
        }
    }

    fn flush(&mut self, is_due: bool) -> io::Result<()> {
        // A file that was moved away by somebody else is made anew.
        if is_due && !self.path.exists() {
            self.file = None;
        }
        while !self.kept.is_empty() || self.file.is_none() {
            let file = match &mut self.file {
                Some(file) => file,
                none => {
                    let file = open(&self.path)?;
                    self.bytes = file.metadata()?.len();
                    none.insert(file)
                }
            };
            let Some(line) = self.kept.front() else { break };
            if self.bytes > 0 && self.bytes + line.len() as u64 > self.bytes_max {
                self.rotate()?;
                continue;
            }
            if let Err(error) = file.write_all(line.as_bytes()) {
                // Half a line is worse than none; a file that cannot be cut keeps it.
                drop(file.set_len(self.bytes));
                return Err(error);
            }
            self.bytes += line.len() as u64;
            self.is_unsynced = true;
            self.kept.pop_front();
        }
        if is_due && self.is_unsynced {
            if let Some(file) = &self.file {
                file.sync_data()?;
            }
            self.is_unsynced = false;
        }
        Ok(())
    }

    /// Begins the next file.
    fn rotate(&mut self) -> io::Result<()> {
        if let Some(file) = self.file.take() {
            file.sync_data()?;
        }
        let named = |number: usize| {
            let mut name = self.path.as_os_str().to_owned();
            if number > 0 {
                name.push(format!(".{number}"));
            }
            PathBuf::from(name)
        };
        if self.files_max == 1 {
            return fs::remove_file(&self.path);
        }
        for number in (0..self.files_max - 1).rev() {
            match fs::rename(named(number), named(number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::server::activity::{Activity, Origin};
    use crate::server::masking::Masked;

    fn config(folder: &Path) -> Config {
        Config {
            audit_file: Some(folder.join("audit.jsonl")),
            audit_file_bytes_max: 2_000,
            audit_files_max: 3,
            ..Config::default()
        }
    }

    #[test]
    fn a_statement_is_one_line_of_json_without_its_values() {
        let folder = tempfile::tempdir().expect("a folder");
        let config = config(folder.path());
        let audit = Audit::open(&config).expect("opens");
        let activity = Activity::default();
        let origin = Origin { process: 7, role: "ana".into(), ..Origin::default() };
        let record = activity.begin(origin, Masked::of("SELECT 'secret' FROM t"));
        record.sent(3, 99);
        activity.end(&record, "57014");
        audit.statement(&record);
        audit.close();
        let path = config.audit_path();
        assert_eq!(fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o600);
        let text = fs::read_to_string(&path).expect("text");
        let line: Value = serde_json::from_str(&text).expect("one line of JSON");
        assert_eq!(line["text"], "SELECT ? FROM t");
        assert_eq!((&line["rows"], &line["sqlstate"]), (&json!(3), &json!("57014")));
        assert_eq!((&line["status"], &line["session"]), (&json!("error"), &json!(7)));
    }

    #[test]
    fn files_are_rotated_and_the_oldest_goes() {
        let folder = tempfile::tempdir().expect("a folder");
        let audit = Audit::open(&config(folder.path())).expect("opens");
        for at in 0..100 {
            audit.event("test", "ana", "", json!({ "at": at, "pad": "x".repeat(100) }));
        }
        audit.close();
        let mut names: Vec<String> = fs::read_dir(folder.path())
            .expect("reads")
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        assert_eq!(names, ["audit.jsonl", "audit.jsonl.1", "audit.jsonl.2"]);
        let newest = fs::read_to_string(folder.path().join("audit.jsonl")).expect("text");
        assert!(newest.ends_with('\n') && newest.contains("\"at\":99"), "{newest}");
        assert!(newest.len() <= 2_000);
    }

    #[test]
    fn what_cannot_be_written_is_refused_and_kept_until_it_can() {
        let folder = tempfile::tempdir().expect("a folder");
        let config = config(&folder.path().join("below"));
        let audit = Audit::open(&config).expect("opens");
        let wait_for = |wanted: bool| {
            let begun = Instant::now();
            while audit.is_writable() != wanted {
                assert!(begun.elapsed() < Duration::from_secs(20), "writable: {wanted}");
                std::thread::sleep(Duration::from_millis(20));
            }
        };
        fs::remove_dir_all(folder.path().join("below")).expect("removed");
        audit.event("lost", "ana", "", json!({}));
        wait_for(false);
        assert_eq!(audit.check().expect_err("refused").sqlstate, "58030");
        audit.event("kept", "ana", "", json!({}));
        fs::create_dir(folder.path().join("below")).expect("made");
        wait_for(true);
        audit.check().expect("taken again");
        audit.close();
        let text = fs::read_to_string(config.audit_path()).expect("text");
        assert!(text.contains("\"kept\""), "{text}");
    }
}
