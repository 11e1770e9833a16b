//! From an export to the lake: a mapping names the columns, a check types them, and every row is
//! loaded, quarantined or counted as a duplicate.
//!
//! The steps of a batch, in the order they happen:
//! 1. every file is read to its end once: hashed, counted, bad records put aside;
//! 2. the mappings whose objects are there run, and their rows are typed, checked and staged on disk;
//! 3. a batch with too many bad rows is refused here, before anything is written;
//! 4. each table is committed, then what is derived from them, the quarantine and, last, the ledger.
//!
//! A batch has an id made of its bytes.
//! A process that is killed between two commits leaves no line in the ledger, so the same command
//! again does the rest: tables that have the batch already are passed over, and rows are put by key.

mod calendar;
mod check;
mod coverage;
mod crm;
mod datasets;
mod decimal;
mod derived;
mod erase;
mod export;
mod functions;
mod headers;
mod history;
mod infer;
mod ledger;
mod lineage;
mod lists;
mod mapping;
mod money;
mod parse;
mod progress;
mod raw;
mod reading;
mod requeue;
mod row_function;
mod spelling;
mod stage;
mod strangers;
mod sync;
mod verify;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use chrono_tz::Tz;

pub use coverage::{Coverage, Filled, coverage};
pub use datasets::{check, crms};
pub use erase::{Person, Receipt, Touched, erase};
pub use money::Money;
pub use progress::{Progress, Silent, Terminal};
pub use requeue::{Requeued, requeue};
pub use sync::{How, forget_sources, request, sync};
pub use verify::verify_ledger;

use crate::error::{Error, Result};
use crate::schema::Kind;
use crate::session::Engine;
use crate::source::Options;

/// Where the rows of an ingest go.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    /// Into the canonical tables, through the mappings of this CRM.
    Crm(String),
    /// Into `raw.<name>` as they are; `types` are the declared columns.
    Table {
        /// Name of the table in schema `raw`.
        name: String,
        /// Columns whose type is not to be inferred.
        types: Vec<(String, Kind)>,
    },
}

/// One ingest.
#[derive(Debug, Clone)]
pub struct Request {
    /// Where to.
    pub target: Target,
    /// Files and directories, in order: of two rows with one key the later file's wins.
    pub paths: Vec<PathBuf>,
    /// How bytes are read.
    pub options: Options,
    /// Zone of times that name none, and of the days of instants.
    pub time_zone: Tz,
    /// Commit whatever the share of bad rows.
    pub is_forced: bool,
    /// Read and check, but write nothing.
    pub is_dry: bool,
    /// Which system of that CRM, where there are two: rows are then of `crm:system`.
    pub system: Option<String>,
    /// Tells two states of a live system apart that happen to have the same bytes; files need none.
    pub edition: Option<String>,
    /// Rows that files must have, where whoever made them counted.
    pub rows_expected: BTreeMap<PathBuf, u64>,
    /// Columns that an object must have if it is there: object and column, in any case.
    pub columns_required: Vec<(String, String)>,
    /// Share of bad rows above which the batch is refused; by default that of the configuration.
    pub quarantine_ratio_max: Option<f64>,
}

impl Request {
    /// An ingest of `paths` through the mappings of `crm`, with every option at its default.
    pub fn crm(crm: impl Into<String>, paths: Vec<PathBuf>) -> Self {
        Self {
            target: Target::Crm(crm.into()),
            paths,
            options: Options::default(),
            time_zone: Tz::UTC,
            is_forced: false,
            is_dry: false,
            system: None,
            edition: None,
            rows_expected: BTreeMap::new(),
            columns_required: vec![],
            quarantine_ratio_max: None,
        }
    }

    /// An ingest of `paths` into `raw.<name>`; `types` as in `rate:number,since:date`.
    ///
    /// # Errors
    /// [`Error::Refused`] for a name that is not lower-case letters, digits and `_`, or an unknown type.
    pub fn table(name: &str, types: Option<&str>, paths: Vec<PathBuf>) -> Result<Self> {
        let refuse = |reason: String| Error::Refused { subject: format!("raw.{name}"), reason };
        let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if name.is_empty() || name.starts_with('_') || !name.chars().all(is_name) {
            return Err(refuse("a name is made of a-z, 0-9 and _, and starts with no _".into()));
        }
        let mut declared = Vec::new();
        for part in types.into_iter().flat_map(|types| types.split(',')) {
            let pair = part.trim().rsplit_once(':');
            let (column, kind) = pair
                .ok_or_else(|| refuse(format!("--types: expected column:type, got \"{part}\"")))?;
            let kind = infer::kind(kind).ok_or_else(|| {
                refuse(format!("--types: unknown type \"{kind}\"; known: {}", infer::KINDS))
            })?;
            declared.push((column.to_owned(), kind));
        }
        let target = Target::Table { name: name.to_owned(), types: declared };
        Ok(Self { target, ..Self::crm("", paths) })
    }

    /// The same for the system `name` of its CRM.
    ///
    /// # Errors
    /// [`Error::Refused`] for a name that is not lower-case letters, digits and `_`.
    pub fn of_system(self, name: &str) -> Result<Self> {
        let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if name.is_empty() || !name.chars().all(is_name) {
            return Err(Error::Refused {
                subject: format!("system {name}"),
                reason: "a name is made of a-z, 0-9 and _".into(),
            });
        }
        Ok(Self { system: Some(name.to_owned()), ..self })
    }

    /// What the rows of `crm` that it brings have as `source_system`.
    fn source_system(&self, crm: &str) -> String {
        match &self.system {
            Some(system) => format!("{crm}:{system}"),
            None => crm.to_owned(),
        }
    }

    /// How its texts are read.
    fn spelling(&self) -> spelling::Spelling {
        spelling::Spelling::new(self.time_zone, self.options.locale)
    }

    /// Sets the zone of times that name none by its IANA name.
    ///
    /// # Errors
    /// [`Error::Refused`] for an unknown one.
    pub fn in_time_zone(self, name: &str) -> Result<Self> {
        Ok(Self { time_zone: time_zone(name)?, ..self })
    }
}

/// The zone of an IANA name.
///
/// # Errors
/// [`Error::Refused`] for an unknown one.
pub fn time_zone(name: &str) -> Result<Tz> {
    name.parse().map_err(|_| Error::Refused {
        subject: format!("--time-zone {name}"),
        reason: "no such time zone; use a name like Europe/Madrid".into(),
    })
}

/// What became of the rows that one object makes for one table.
///
/// `rows_read` = `rows_loaded` + `rows_quarantined` + `rows_duplicate`, always.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Line {
    /// Object of the export: the stem of its files' names.
    pub object: String,
    /// Table, with its schema.
    pub table: String,
    /// Rows the object makes for the table, and records that are not rows.
    pub rows_read: u64,
    /// Rows that are new or took an older one's place.
    pub rows_loaded: u64,
    /// Rows left out as bad.
    pub rows_quarantined: u64,
    /// Rows that the batch has newer or the table had already.
    pub rows_duplicate: u64,
    /// Version of the table that holds them.
    pub version: Option<i64>,
}

/// What became of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Hash of the files' names and bytes, and of the mapping.
    pub batch_id: String,
    /// One line an object and table.
    pub lines: Vec<Line>,
    /// Rows of the files that were not loaded; see `ops.quarantine`.
    pub quarantined: u64,
    /// The first few of them, for the person at the terminal.
    pub samples: Vec<String>,
    /// What became of the money, by table, column and currency.
    pub money: Vec<Money>,
    /// What else a person should know, such as files that no mapping reads.
    pub notices: Vec<String>,
    /// True if this batch had been loaded before, so that nothing was done.
    pub is_repeated: bool,
}

impl Summary {
    /// 0 if all rows were loaded or known, 3 if some were quarantined.
    pub fn exit_code(&self) -> u8 {
        if self.quarantined > 0 { 3 } else { 0 }
    }

    /// That of a run that had nothing to load.
    fn nothing(notice: String) -> Self {
        Self {
            batch_id: String::new(),
            lines: vec![],
            quarantined: 0,
            samples: vec![],
            money: vec![],
            notices: vec![notice],
            is_repeated: false,
        }
    }

    /// All lines added up.
    pub fn total(&self) -> Line {
        let sum = |of: fn(&Line) -> u64| self.lines.iter().map(of).sum();
        Line {
            object: "total".into(),
            rows_read: sum(|line| line.rows_read),
            rows_loaded: sum(|line| line.rows_loaded),
            rows_quarantined: sum(|line| line.rows_quarantined),
            rows_duplicate: sum(|line| line.rows_duplicate),
            ..Line::default()
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = self.total();
        let all = || self.lines.iter().chain([&total]);
        let width = |of: fn(&Line) -> &str| all().map(|l| of(l).chars().count()).max().unwrap_or(0);
        let (objects, tables) = (width(|l| &l.object).max(6), width(|l| &l.table).max(5));
        writeln!(
            f,
            "{:objects$}  {:tables$}  {:>10}  {:>10}  {:>11}  {:>10}",
            "object", "table", "read", "loaded", "quarantined", "duplicates"
        )?;
        for line in all() {
            writeln!(
                f,
                "{:objects$}  {:tables$}  {:>10}  {:>10}  {:>11}  {:>10}",
                line.object,
                line.table,
                line.rows_read,
                line.rows_loaded,
                line.rows_quarantined,
                line.rows_duplicate
            )?;
        }
        if !self.money.is_empty() {
            let sums = self.money.len();
            writeln!(f, "money: {sums} sums balance to the cent; see ops.reconciliation")?;
        }
        let mut lost = self.money.iter().filter(|money| money.quarantined != 0);
        lost.try_for_each(|money| writeln!(f, "{money}"))?;
        if self.is_repeated {
            writeln!(f, "this batch was loaded before: nothing was done")?;
        }
        for sample in &self.samples {
            writeln!(f, "quarantined: {sample}")?;
        }
        if self.quarantined > 0 {
            let (count, id) = (self.quarantined, &self.batch_id);
            writeln!(f, "{count} rows in ops.quarantine where batch_id = '{id}'")?;
        }
        self.notices.iter().try_for_each(|notice| writeln!(f, "note: {notice}"))
    }
}

/// Loads what `request` names.
///
/// # Errors
/// [`Error::Source`], [`Error::Refused`] and [`Error::Definition`] before anything is written (see
/// [`exit_code`]); errors of the lake later: the same request again then finishes the batch.
pub async fn ingest(
    engine: &Arc<Engine>,
    request: &Request,
    progress: Arc<dyn Progress>,
) -> Result<Summary> {
    let outcome = match &request.target {
        Target::Crm(crm) => crm::run(engine, crm, request, &progress).await,
        Target::Table { name, types } => raw::run(engine, name, types, request, &progress).await,
    };
    progress.end();
    if let Ok(summary) = &outcome {
        let total = summary.total();
        tracing::info!(
            batch_id = summary.batch_id,
            rows_in = total.rows_read,
            rows_loaded = total.rows_loaded,
            rows_quarantined = total.rows_quarantined,
            rows_duplicate = total.rows_duplicate,
            "ingest finished"
        );
    }
    outcome
}

/// Exit code of an ingest: 0 loaded, 3 some rows quarantined, 4 refused, 1 anything else.
pub fn exit_code(outcome: &Result<Summary>) -> u8 {
    match outcome {
        Ok(summary) => summary.exit_code(),
        Err(Error::Refused { .. } | Error::Source { .. } | Error::Definition { .. }) => 4,
        Err(_) => 1,
    }
}

/// Most quarantined rows that a summary or a refusal names.
const SAMPLES_MAX: usize = 10;
