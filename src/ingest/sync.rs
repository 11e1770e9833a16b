//! Named sources: what the configuration says of them, as ingests.
//!
//! A live system is copied to files first and the files are ingested, so that everything that holds
//! for files holds for it: lines of bad rows, the ledger, nothing twice.
//! What a source was read up to is kept beside the lake once a batch is recorded; losing it, or a
//! kill between the two, costs a second reading and no row.
//!
//! An object that completes others (a look-up), or whose rows a mapping compares with each other, is
//! always copied whole, because a row that changed needs all that it refers to.
//! If a look-up changed, the objects that read it are copied whole as well.

mod state;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::datasets::{self, Dataset};
use super::progress::Progress;
use super::{Request, Summary, export, ingest};
use crate::config::{Config, SourceConfig, SourceKind};
use crate::error::{Error, Result};
use crate::session::Engine;
use crate::source::hubspot::HubSpot;
use crate::source::postgres::Postgres;
use crate::source::salesforce::Salesforce;
use crate::source::system::{System, Wanted};
use state::{Folder, State};

/// How a source is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct How {
    /// Everything, not only what changed.
    pub is_full: bool,
    /// Read and check, but write nothing.
    pub is_dry: bool,
    /// Commit whatever the share of bad rows.
    pub is_forced: bool,
}

/// Reads the source `name` of the configuration.
///
/// # Errors
/// [`Error::Refused`] for a name that no source has; those of [`ingest`]; those of the system.
pub async fn sync(
    engine: &Arc<Engine>,
    name: &str,
    how: How,
    progress: Arc<dyn Progress>,
) -> Result<Summary> {
    let sources = &engine.config().source;
    let Some(source) = sources.get(name) else {
        let known = sources.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        let known = if known.is_empty() { "none".to_owned() } else { known };
        let reason = format!("no such source in the configuration file; known: {known}");
        return Err(Error::Refused { subject: name.to_owned(), reason });
    };
    let mut request = request(name, source)?;
    request.is_forced = how.is_forced;
    request.is_dry = how.is_dry;
    match source.kind {
        SourceKind::Files => ingest(engine, &request, progress).await,
        SourceKind::Postgres | SourceKind::SalesforceApi | SourceKind::HubspotApi => {
            live(engine, name, source, request, how, progress).await
        }
    }
}

/// Forgets how far each source was read, so that its next sync reads all of it; the names of those
/// that had been read.
///
/// # Errors
/// [`Error::File`] if that cannot be removed.
pub fn forget_sources(config: &Config) -> Result<Vec<String>> {
    state::forget(&config.sources_path())
}

/// The ingest that the source called `name` is, with every declaration checked.
///
/// # Errors
/// [`Error::Refused`] or [`Error::Setting`] for a value that is not one of its key.
pub fn request(name: &str, source: &SourceConfig) -> Result<Request> {
    let bad = |key: &str, reason: String| Error::Setting {
        key: format!("source.{name}.{key}"),
        origin: "file".into(),
        reason,
    };
    let paths: Vec<PathBuf> = source.location.all().into_iter().map(PathBuf::from).collect();
    let mut request = match (&source.crm, &source.table) {
        (_, Some(table)) => Request::table(table, source.types.as_deref(), paths)?,
        (crm, None) => Request::crm(crm.clone().unwrap_or_default(), paths),
    };
    let required = source.required_columns.iter();
    request.columns_required = required
        .map(|column| match (&source.table, column.split_once('.')) {
            (None, Some((object, column))) => (object.to_owned(), column.to_owned()),
            (table, _) => (table.clone().unwrap_or_default(), column.clone()),
        })
        .collect();
    request.quarantine_ratio_max = source.quarantine_ratio_max;
    if let Some(system) = &source.system {
        request = request.of_system(system).map_err(|e| bad("system", e.to_string()))?;
    }
    if let Some(zone) = &source.time_zone {
        request = request.in_time_zone(zone).map_err(|e| bad("time_zone", e.to_string()))?;
    }
    let options = &mut request.options;
    options.encoding.clone_from(&source.encoding);
    options.sheet.clone_from(&source.sheet);
    if let Some(delimiter) = &source.delimiter {
        let &[byte] = delimiter.as_bytes() else {
            return Err(bad("delimiter", "is one ASCII character".into()));
        };
        options.delimiter = Some(byte);
    }
    let locale = &mut options.locale;
    let declare = |key: &str,
                   value: &Option<String>,
                   set: &mut dyn FnMut(&str) -> Result<(), &'static str>| {
        let Some(value) = value else { return Ok(()) };
        set(value).map_err(|known| bad(key, format!("must be {known}, got \"{value}\"")))
    };
    declare("decimal", &source.decimal, &mut |value| locale.set_decimal(value))?;
    declare("date_order", &source.date_order, &mut |value| locale.set_date_order(value))?;
    declare("serials", &source.serials, &mut |value| locale.set_serials(value))?;
    Ok(request)
}

/// Copies what changed in a live system, ingests the copies and remembers how far it came.
async fn live(
    engine: &Arc<Engine>,
    name: &str,
    source: &SourceConfig,
    mut request: Request,
    how: How,
    progress: Arc<dyn Progress>,
) -> Result<Summary> {
    let crm = source.crm.clone().unwrap_or_default();
    let dataset = datasets::load(&crm)?;
    let folder = Folder::open(&engine.config().sources_path(), name)?;
    let mut reading = format!(
        "{}/{:?}/{:?}/{:?}",
        dataset.version, source.location, source.schema, source.tables
    );
    // What was read for a lake in a bucket is kept outside of it, where another lake may come.
    if engine.config().lake.contains("://") {
        reading.push_str(&format!("/{}", engine.config().lake));
    }
    let mut state = folder.state(&reading)?;
    if how.is_full {
        state = State::new(&reading);
    }
    progress.begin(&format!("connecting to {name}"));
    let mut system: Box<dyn System> = match source.kind {
        SourceKind::SalesforceApi => Box::new(Salesforce::new(name, source)?),
        SourceKind::HubspotApi => Box::new(HubSpot::new(name, source)?),
        _ => Box::new(Postgres::connect(name, source).await?),
    };
    let copies = Copies { name, dataset: &dataset, source, folder: &folder, progress: &progress };
    let (next, found) = copies.all(&mut *system, &state).await?;
    drop(system);
    if found.is_empty() {
        let notice = "no row changed since the last time".to_owned();
        if !how.is_dry {
            folder.remember(&next)?;
        }
        return Ok(Summary::nothing(notice));
    }
    request.edition = Some(format!("{name} {}", state.edition()));
    request.paths = found.iter().map(|(path, _)| path.clone()).collect();
    request.rows_expected = found.into_iter().collect();
    let summary = ingest(engine, &request, progress).await?;
    if !how.is_dry {
        folder.remember(&next)?;
    }
    Ok(summary)
}

/// The copies of one run.
struct Copies<'a> {
    name: &'a str,
    dataset: &'a Dataset,
    source: &'a SourceConfig,
    folder: &'a Folder,
    progress: &'a Arc<dyn Progress>,
}

impl Copies<'_> {
    /// Copies look-ups, then what changed since `state`; the state afterwards, and the files that
    /// have rows with their count.
    async fn all(
        &self,
        system: &mut dyn System,
        state: &State,
    ) -> Result<(State, Vec<(PathBuf, u64)>)> {
        let reads = self.reads();
        let mut names = system.objects(&self.known(&reads)?).await?;
        self.check_tables(&names)?;
        let here: BTreeSet<String> = names.iter().map(|name| name.to_lowercase()).collect();
        // What completes others comes first: whether it changed decides on the others.
        names.sort_by_key(|name| !self.is_look_up(&name.to_lowercase(), &here));
        let (mut next, mut found) = (state.next(), Vec::new());
        let (mut changed, mut is_new) = (BTreeSet::new(), false);
        for name in names {
            let key = name.to_lowercase();
            let is_compared = self.is_look_up(&key, &here) || self.is_compared(&key);
            let is_whole =
                is_compared || self.completed_by(&key).any(|other| changed.contains(&other));
            let since = state.watermark(&key).filter(|_| !is_whole);
            let columns = reads.get(&key).into_iter().flatten().cloned().collect();
            let wanted = Wanted { name: name.clone(), columns, since };
            self.progress.begin(&format!("copying {name}"));
            let path = self.folder.copy(&name, system.extension())?;
            let copied = system.copy(&wanted, &path).await?;
            self.progress.advance(copied.rows);
            if is_compared {
                let hash = export::file_hash(&path)?;
                if state.hash(&key) != Some(&hash) {
                    changed.insert(key.clone());
                }
                next.set_hash(&key, hash);
            }
            is_new |= changed.contains(&key) || (!is_compared && copied.rows > 0);
            next.set_watermark(&key, copied.watermark);
            if copied.rows > 0 {
                found.push((path, copied.rows));
            }
        }
        // Nothing changed, or only what no row of the mappings comes from.
        let drives = |path: &Path| self.drivers().any(|driver| stem(path) == driver);
        if !is_new || !found.iter().any(|(path, _)| drives(path)) {
            found.clear();
        }
        Ok((next, found))
    }

    /// Columns that mappings read, by object in lower case.
    fn reads(&self) -> BTreeMap<String, BTreeSet<String>> {
        let mut reads: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (object, columns) in self.branches().flat_map(|branch| &branch.reads) {
            reads.entry(object.clone()).or_default().extend(columns.iter().cloned());
        }
        reads
    }

    fn branches(&self) -> impl Iterator<Item = &super::mapping::Branch> {
        self.dataset.mappings.iter().flat_map(|mapping| &mapping.branches)
    }

    fn drivers(&self) -> impl Iterator<Item = &str> {
        self.branches().map(|branch| branch.driver.as_str())
    }

    /// Whether a mapping reads `object` to complete the rows of another that is `here`.
    fn is_look_up(&self, object: &str, here: &BTreeSet<String>) -> bool {
        let mut others = self.branches().filter(|b| b.driver != object && here.contains(&b.driver));
        others.any(|branch| branch.reads.contains_key(object))
    }

    /// Whether a mapping compares rows of `object` with others of it.
    fn is_compared(&self, object: &str) -> bool {
        self.branches().any(|branch| branch.driver == object && !branch.is_row_by_row)
    }

    /// Objects that complete the rows of `driver`.
    fn completed_by<'b>(&'b self, driver: &'b str) -> impl Iterator<Item = String> + 'b {
        let own = self.branches().filter(move |branch| branch.driver == driver);
        own.flat_map(|branch| branch.reads.keys()).filter(move |o| *o != driver).cloned()
    }

    /// Objects to look for: those listed, or all that the mappings read.
    fn known(&self, reads: &BTreeMap<String, BTreeSet<String>>) -> Result<Vec<String>> {
        let listed: Vec<String> = self.source.tables.iter().map(|t| t.to_lowercase()).collect();
        if let Some(stranger) = listed.iter().find(|table| !reads.contains_key(*table)) {
            let known = reads.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            let crm = &self.dataset.crm;
            let reason = format!("no mapping of {crm} reads {stranger}; known: {known}");
            return Err(Error::Refused { subject: format!("source {}", self.name), reason });
        }
        Ok(if listed.is_empty() { reads.keys().cloned().collect() } else { listed })
    }

    /// Fails if a listed table is not there, or none at all.
    fn check_tables(&self, names: &[String]) -> Result<()> {
        let refuse = |reason: String| {
            Err(Error::Refused { subject: format!("source {}", self.name), reason })
        };
        let is_there = |table: &&String| !names.iter().any(|n| n.eq_ignore_ascii_case(table));
        if let Some(missing) = self.source.tables.iter().find(is_there) {
            return refuse(format!("table {missing} is not there, or not to be read by this role"));
        }
        if names.is_empty() {
            return refuse(format!("has no table that a mapping of {} reads", self.dataset.crm));
        }
        Ok(())
    }
}

/// Name of the object that the copy at `path` is of, in lower case.
fn stem(path: &Path) -> String {
    path.file_stem().and_then(|stem| stem.to_str()).unwrap_or("").to_lowercase()
}
