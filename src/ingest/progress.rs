//! What a person sees while an ingest runs: a bar on a terminal, plain lines otherwise.

use std::fmt;
use std::io::{IsTerminal, Write};
use std::time::Duration;

use indicatif::{HumanCount, ProgressBar, ProgressState, ProgressStyle};
use parking_lot::Mutex;

/// Someone who is told how far an ingest is.
pub trait Progress: Send + Sync {
    /// A new step begins, such as `reading Account`.
    fn begin(&self, step: &str);
    /// `rows` more rows of this step are done.
    fn advance(&self, rows: u64);
    /// Nothing more follows.
    fn end(&self);
}

/// Tells nobody.
#[derive(Debug)]
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _step: &str) {}
    fn advance(&self, _rows: u64) {}
    fn end(&self) {}
}

/// Tells stderr.
#[derive(Debug)]
pub struct Terminal {
    bar: Option<ProgressBar>,
    last: Mutex<String>,
}

impl Terminal {
    /// A bar if stderr is a terminal, lines if it is not.
    pub fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new_spinner();
            let style = ProgressStyle::with_template("{spinner} {msg} {rows}")
                .map(|style| style.with_key("rows", rows));
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        Self { bar, last: Mutex::new(String::new()) }
    }
}

/// Rows so far and a second, once there are any.
fn rows(state: &ProgressState, out: &mut dyn fmt::Write) {
    if state.pos() > 0 {
        let (rows, rate) = (HumanCount(state.pos()), HumanCount(state.per_sec() as u64));
        // What cannot be shown is left out.
        let _ = write!(out, "{rows} rows, {rate} rows/s");
    }
}

impl Default for Terminal {
    fn default() -> Self {
        Self::new()
    }
}

impl Progress for Terminal {
    fn begin(&self, step: &str) {
        let mut last = self.last.lock();
        if *last == step {
            return;
        }
        step.clone_into(&mut last);
        match &self.bar {
            Some(bar) => {
                bar.reset();
                bar.set_message(step.to_owned());
            }
            // A closed stderr must not stop an ingest.
            None => drop(writeln!(std::io::stderr(), "{step}")),
        }
    }

    fn advance(&self, rows: u64) {
        if let Some(bar) = &self.bar {
            bar.inc(rows);
        }
    }

    fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
