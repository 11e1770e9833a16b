//! An ingest through the mappings of a CRM.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::Utc;
use datafusion::catalog::{MemorySchemaProvider, SchemaProvider};
use datafusion::datasource::empty::EmptyTable;
use datafusion::prelude::{cast, ident, lit};
use datafusion::scalar::ScalarValue;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};

use super::check::BadRow;
use super::datasets::{self, Dataset};
use super::export::{self, Found, Object};
use super::ledger::{self, Quarantined, Run};
use super::lineage;
use super::mapping::EXPORT;
use super::money::{self, Account, Money};
use super::progress::Progress;
use super::stage::{self, Sent, Staged, Unit};
use super::{
    Line, Request, SAMPLES_MAX, Summary, derived, functions, headers, lists, reading, requeue,
    spelling, strangers,
};
use crate::error::{Error, Result};
use crate::lake::{Batch, Layout, TableName, Writer};
use crate::schema::{CRM, Kind, Table};
use crate::session::{CATALOG, Engine, Session};
use crate::source::{Input, Options};

/// Most bad rows that an object is given up at, forced or not: they are held in memory.
pub(super) const BAD_ROWS_MAX: usize = 1_000_000;

/// Rows of an object that are not loaded, by identity.
pub(super) type BadRows = BTreeMap<String, BTreeMap<i64, BadRow>>;

/// Loads the files of `request` through the mappings of `crm`.
pub(super) async fn run(
    engine: &Arc<Engine>,
    crm: &str,
    request: &Request,
    progress: &Arc<dyn Progress>,
) -> Result<Summary> {
    let dataset = datasets::load(crm)?;
    let mut notices = Vec::new();
    let objects = read(engine, &dataset, request, progress, &mut notices).await?;
    let objects = headers::resolve(&dataset, objects, &mut notices)?;
    headers::check_contract(&dataset, &objects, request)?;
    let run = Run {
        batch_id: batch_id(&dataset, &objects, request, &engine.config().corporate_currency),
        source_system: request.source_system(crm),
        mapping_version: dataset.version.clone(),
        started_at: Utc::now(),
        reading: reading::text(request),
        columns: headers::taken(&dataset, &objects),
    };
    engine.refresh().await?;
    let before = ledger::columns_before(engine, &run.source_system).await?;
    notices.extend(headers::lost(&before, &run.columns));
    if let Some(lines) = ledger::find(engine, &run.batch_id).await? {
        return Ok(repeated(run.batch_id, lines, notices));
    }
    let units = units(&dataset, &objects)?;
    let session = engine.session("ingest");
    register(&session, &dataset, &objects, &units, request).await?;
    let system = &run.source_system;
    let (staged, mut bad) = stage_all(&session, &units, system, request, progress).await?;
    strangers::put(engine, &session, &staged, system, &mut bad).await?;
    let mut quarantined = left_out(&objects, &bad)?;
    let command = format!("ingest {crm}");
    check_quality(engine, &run, &objects, &quarantined, request, &command).await?;
    if request.is_dry {
        let lines = staged.iter().map(Staged::line).collect();
        return Ok(dry(run.batch_id, lines, &quarantined, notices));
    }
    let writer = engine.lake().writer(&command).await?;
    if let Some(lines) = ledger::find(engine, &run.batch_id).await? {
        return Ok(repeated(run.batch_id, lines, notices)); // another process was faster
    }
    strangers::check_again(engine, &session, &staged, system, &mut bad).await?;
    ledger::ensure(&writer).await?;
    let commit = Commit { writer: &writer, run: &run, bad: &bad, command: &command };
    let (mut lines, accounts) = commit.all(&staged, progress).await?;
    let money = settle(engine, &run, &accounts).await?;
    let changed: BTreeSet<&str> = staged.iter().map(|staged| staged.table.name).collect();
    for (line, rows) in derived::derive(engine, &writer, &run, &changed, &command).await? {
        quarantined.extend(rows);
        lines.push((line, String::new()));
    }
    lines.extend(look_up_lines(&objects, &staged));
    progress.begin("recording the batch");
    ledger::quarantine(&writer, &run, &quarantined, &command).await?;
    ledger::reconcile(&writer, &run, &money, &command).await?;
    ledger::record(&writer, &run, &lines, None, &command).await?;
    writer.upkeep().await;
    drop(writer);
    engine.refresh().await?;
    Ok(Summary {
        batch_id: run.batch_id,
        lines: lines.into_iter().map(|(line, _)| line).collect(),
        quarantined: quarantined.len() as u64,
        samples: quarantined.iter().take(SAMPLES_MAX).map(sample).collect(),
        money,
        notices,
        is_repeated: false,
    })
}

/// The rows of `objects` that are not loaded, those of `bad` among them.
fn left_out(objects: &BTreeMap<String, Arc<Object>>, bad: &BadRows) -> Result<Vec<Quarantined>> {
    let mut quarantined = Vec::new();
    for object in objects.values() {
        object.check_unchanged()?;
        quarantined.extend(requeue::left_out(object, bad.get(&object.name))?);
    }
    Ok(quarantined)
}

/// Fails if too many rows are bad, and notes that in the ledger.
async fn check_quality(
    engine: &Arc<Engine>,
    run: &Run,
    objects: &BTreeMap<String, Arc<Object>>,
    quarantined: &[Quarantined],
    request: &Request,
    command: &str,
) -> Result<()> {
    let rows: u64 = objects.values().map(|object| object.good() + object.rejected()).sum();
    let Some(reason) = refusal(engine, rows, quarantined, request) else { return Ok(()) };
    if !request.is_dry {
        let lines = refused_lines(objects, quarantined);
        record_refusal(engine, run, &lines, &reason, command).await?;
    }
    Err(Error::Refused { subject: run.source_system.clone(), reason })
}

/// What became of the money of each table.
async fn settle(
    engine: &Arc<Engine>,
    run: &Run,
    accounts: &[(&'static Table, Account)],
) -> Result<Vec<Money>> {
    let mut lines = Vec::new();
    let mut settled = BTreeSet::new();
    for (table, _) in accounts.iter().filter(|(table, _)| settled.insert(table.name)) {
        let of_table = accounts.iter().filter(|(other, _)| other.name == table.name);
        let of_table: Vec<&Account> = of_table.map(|(_, account)| account).collect();
        lines.extend(money::settle(engine, *table, &run.batch_id, &of_table).await?);
    }
    Ok(lines)
}

/// Stages every unit, and gathers the rows of each object that are not to be loaded.
async fn stage_all(
    session: &Session,
    units: &[Unit<'_>],
    system: &str,
    request: &Request,
    progress: &Arc<dyn Progress>,
) -> Result<(Vec<Staged>, BadRows)> {
    let (mut staged, mut bad) = (Vec::new(), BadRows::new());
    for unit in units {
        let (rows, found) =
            stage::stage(session, unit, system, request.spelling().led_back(), progress).await?;
        let known = bad.entry(unit.object.name.clone()).or_default();
        for (row, fault) in found {
            known.entry(row).or_insert(fault);
        }
        if known.len() > BAD_ROWS_MAX {
            let reason = format!("more than {BAD_ROWS_MAX} bad rows; this is not that export");
            return Err(Error::Refused { subject: unit.object.paths(), reason });
        }
        staged.push(rows);
    }
    Ok((staged, bad))
}

/// Notes in the ledger that a batch was refused, and why.
pub(super) async fn record_refusal(
    engine: &Arc<Engine>,
    run: &Run,
    lines: &[(Line, String)],
    reason: &str,
    command: &str,
) -> Result<()> {
    let writer = engine.lake().writer(command).await?;
    ledger::ensure(&writer).await?;
    ledger::record(&writer, run, lines, Some(reason), command).await?;
    drop(writer);
    engine.refresh().await?;
    Ok(())
}

/// `file:line: column: reason` of a row that was not loaded.
pub(super) fn sample(row: &Quarantined) -> String {
    format!("{}:{}: {}", row.file, row.line, row.reason)
}

/// The answer for a batch that the ledger has.
pub(super) fn repeated(batch_id: String, lines: Vec<Line>, notices: Vec<String>) -> Summary {
    let (samples, money) = (vec![], vec![]);
    Summary { batch_id, lines, quarantined: 0, samples, money, notices, is_repeated: true }
}

/// The answer of a run that writes nothing.
pub(super) fn dry(
    batch_id: String,
    lines: Vec<Line>,
    quarantined: &[Quarantined],
    mut notices: Vec<String>,
) -> Summary {
    notices.push("dry run: nothing was written; what counts as loaded may be known already".into());
    Summary {
        batch_id,
        lines,
        quarantined: quarantined.len() as u64,
        samples: quarantined.iter().take(SAMPLES_MAX).map(sample).collect(),
        money: vec![],
        notices,
        is_repeated: false,
    }
}

/// Reads every file that a mapping takes, and the seeds of objects that have no file.
async fn read(
    engine: &Arc<Engine>,
    dataset: &Dataset,
    request: &Request,
    progress: &Arc<dyn Progress>,
    notices: &mut Vec<String>,
) -> Result<BTreeMap<String, Object>> {
    let known: BTreeSet<&String> =
        dataset.mappings.iter().flat_map(|m| &m.branches).flat_map(|b| b.reads.keys()).collect();
    let listing = export::find(engine, request).await?;
    notices.extend(listing.notices);
    let mut files: BTreeMap<String, Vec<Found>> = BTreeMap::new();
    let mut unread = Vec::new();
    for mut found in listing.found {
        let Some(label) = found.labels.iter().find(|label| known.contains(&label.to_lowercase()))
        else {
            unread.push(found);
            continue;
        };
        let label = label.clone();
        found.labels = vec![label.clone()];
        files.entry(label.to_lowercase()).or_default().push(found);
    }
    for found in unread {
        let path = found.input.path().display().to_string();
        if found.is_named || files.is_empty() {
            let known: Vec<&str> = known.iter().map(|name| name.as_str()).collect();
            let reason = format!(
                "no mapping of {} reads an object of that name; known: {}",
                dataset.crm,
                known.join(", ")
            );
            return Err(Error::Refused { subject: path, reason });
        }
        notices.push(format!("{path} was not read: no mapping of {} takes it", dataset.crm));
    }
    for seed in &dataset.seeds {
        let (labels, input) = (seed.labels(), seed.clone());
        // Seeds only complete an export; alone they are none.
        if !files.is_empty() && !files.contains_key(&labels[0]) {
            files.insert(labels[0].clone(), vec![Found { labels, input, is_named: false }]);
        }
    }
    let (options, bytes_max) = (request.options.clone(), engine.config().source_file_bytes_max);
    let options = Options { is_quoted_empty_null: true, ..options };
    let progress = progress.clone();
    let reading = tokio::task::spawn_blocking(move || {
        let mut objects = BTreeMap::new();
        for (name, found) in files {
            let label = found[0].labels[0].clone();
            let inputs: Vec<Input> = found.into_iter().map(|found| found.input).collect();
            let object =
                export::inspect(&label, inputs, &options, bytes_max, &*progress, |_, _| {})?;
            objects.insert(name, object);
        }
        Ok(objects)
    });
    reading
        .await
        .map_err(|e| Error::Refused { subject: dataset.crm.clone(), reason: e.to_string() })?
}

fn batch_id(
    dataset: &Dataset,
    objects: &BTreeMap<String, Arc<Object>>,
    request: &Request,
    currency: &str,
) -> String {
    let mut hash = Sha256::new();
    hash.update(format!("{}\0{}\0{}", dataset.crm, dataset.version, request.time_zone));
    hash.update(format!("\0{currency}"));
    if let Some(system) = &request.system {
        hash.update(format!("\0system {system}"));
    }
    hash.update(format!("\0{}", request.options.fingerprint()));
    if let Some(edition) = &request.edition {
        hash.update(format!("\0edition {edition}"));
    }
    for object in objects.values() {
        for file in &object.files {
            hash.update(format!("\0{}\0{}", object.name, file.hash));
        }
    }
    export::hex(&hash.finalize()[..16])
}

/// What each object brings to each table, in the order of the tables.
fn units<'a>(
    dataset: &'a Dataset,
    objects: &BTreeMap<String, Arc<Object>>,
) -> Result<Vec<Unit<'a>>> {
    let mut units: Vec<Unit<'a>> = Vec::new();
    for mapping in &dataset.mappings {
        for branch in &mapping.branches {
            let Some(object) = objects.get(&branch.driver) else { continue };
            let same = |unit: &&mut Unit<'a>| {
                std::ptr::eq(unit.mapping, mapping) && unit.object.name == branch.driver
            };
            match units.iter_mut().find(same) {
                Some(unit) => unit.branches.push(branch),
                None => {
                    let branches = vec![branch];
                    units.push(Unit { mapping, object: object.clone(), branches });
                }
            }
        }
        for (name, columns) in &mapping.requires {
            let Some(object) = objects.get(&name.to_lowercase()) else { continue };
            let present = object.columns();
            let missing: Vec<&String> =
                columns.iter().filter(|c| !present.contains(&c.to_lowercase())).collect();
            if !missing.is_empty() {
                let missing = missing.iter().map(|c| c.as_str()).collect::<Vec<_>>().join(", ");
                let reason = format!("column {missing} is missing; {} needs it", mapping.name);
                return Err(Error::Refused { subject: object.paths(), reason });
            }
        }
    }
    if units.is_empty() {
        let given: Vec<String> = objects.values().map(|object| object.paths()).collect();
        let reason = "holds only look-ups: the object they belong to is not there".to_owned();
        return Err(Error::Refused { subject: given.join(", "), reason });
    }
    Ok(units)
}

/// Gives `session` the functions of mappings and a table for every object that `units` read.
async fn register(
    session: &Session,
    dataset: &Dataset,
    objects: &BTreeMap<String, Arc<Object>>,
    units: &[Unit<'_>],
    request: &Request,
) -> Result<()> {
    let zone = request.time_zone;
    functions::all(zone)
        .chain(lists::all(zone))
        .for_each(|function| session.context().register_udf(function));
    let (known, spelled) = (dataset.columns(), lineage::spelled(dataset, objects, request)?);
    let tables = Arc::new(MemorySchemaProvider::new());
    let read: BTreeSet<&String> =
        units.iter().flat_map(|u| &u.branches).flat_map(|b| b.reads.keys()).collect();
    for name in read {
        let wanted = known.get(name).cloned().unwrap_or_default();
        let stand_in = dataset.mappings.iter().flat_map(|m| &m.stand_ins).find(|(n, _)| n == name);
        let provider = match (objects.get(name), stand_in) {
            (Some(object), _) => {
                let spelled = spelled.get(name).cloned().unwrap_or_default();
                object.provider(&wanted, &wanted, spelled, request.spelling())?
            }
            (None, Some((_, sql))) => look_up(session, sql, &wanted).await?,
            (None, None) => Arc::new(EmptyTable::new(export::raw_schema(&wanted))),
        };
        tables.register_table(name.clone(), provider)?;
    }
    let catalog = session.context().catalog(CATALOG).ok_or_else(|| Error::NoTable {
        table: CATALOG.into(),
        reason: "is not the session's database".into(),
    })?;
    catalog.register_schema(EXPORT, tables)?;
    Ok(())
}

/// The rows of `sql` as text columns `wanted`, for an object that this export does not have.
async fn look_up(
    session: &Session,
    sql: &str,
    wanted: &BTreeSet<String>,
) -> Result<Arc<dyn datafusion::catalog::TableProvider>> {
    let refuse = |reason: String| Error::Definition { name: format!("else {sql}"), reason };
    let rows = session.context().sql(sql).await.map_err(|e| refuse(e.to_string()))?;
    let names: Vec<String> = rows.schema().fields().iter().map(|f| f.name().clone()).collect();
    let text = Kind::Text.data_type();
    let columns = wanted.iter().map(|name| {
        let found = names.iter().find(|n| n.to_lowercase() == *name);
        match found {
            Some(found) => cast(ident(found.clone()), text.clone()).alias(name),
            None => lit(ScalarValue::Utf8(None)).alias(name),
        }
    });
    Ok(rows.select(columns.collect::<Vec<_>>())?.into_view())
}

/// Why a batch of `rows` rows is refused for those of `bad`.
pub(super) fn refusal(
    engine: &Engine,
    rows: u64,
    bad: &[Quarantined],
    request: &Request,
) -> Option<String> {
    let ratio_max = request.quarantine_ratio_max;
    let ratio_max = ratio_max.unwrap_or(engine.config().quarantine_ratio_max);
    if request.is_forced {
        return None;
    }
    if let Some(row) = bad.iter().find(|row| row.code == spelling::EVIDENCE) {
        return Some(format!(
            "the declared spelling is not that of the file: {}; declare the other one, or load \
             the rows that can be read with --force",
            sample(row)
        ));
    }
    if let Some(row) = bad.iter().find(|row| row.code == strangers::ID) {
        return Some(format!(
            "ids of two systems overlap: {}; --force loads the rows whose ids are new, and their \
             references may still be taken for the other's",
            sample(row)
        ));
    }
    if bad.len() as f64 <= rows as f64 * ratio_max {
        return None;
    }
    let first: Vec<String> =
        bad.iter().take(SAMPLES_MAX).map(|row| format!("\n  {}", sample(row))).collect();
    Some(format!(
        "{} of {rows} rows are bad, more than quarantine_ratio_max ({ratio_max}); \
         --force loads the others; the first are:{}",
        bad.len(),
        first.concat()
    ))
}

fn refused_lines(
    objects: &BTreeMap<String, Arc<Object>>,
    bad: &[Quarantined],
) -> Vec<(Line, String)> {
    let line = |object: &Arc<Object>| {
        let line = Line {
            object: object.label.clone(),
            rows_read: object.good() + object.rejected(),
            rows_quarantined: bad.iter().filter(|row| row.object == object.label).count() as u64,
            ..Line::default()
        };
        (line, object.paths())
    };
    objects.values().map(line).collect()
}

/// Lines for the bad records of objects that drive no table.
fn look_up_lines(
    objects: &BTreeMap<String, Arc<Object>>,
    staged: &[Staged],
) -> Vec<(Line, String)> {
    let drives = |object: &Arc<Object>| staged.iter().any(|s| s.object.name == object.name);
    let line = |object: &Arc<Object>| {
        let rejected = object.rejected();
        let line = Line {
            object: object.label.clone(),
            table: "(look-up)".into(),
            rows_read: rejected,
            rows_quarantined: rejected,
            ..Line::default()
        };
        (line, object.paths())
    };
    objects.values().filter(|o| !drives(o) && o.rejected() > 0).map(line).collect()
}

/// The commits of one batch.
struct Commit<'a> {
    writer: &'a Writer,
    run: &'a Run,
    bad: &'a BadRows,
    command: &'a str,
}

impl Commit<'_> {
    /// Commits every unit; one line and the money of each.
    async fn all(
        &self,
        staged: &[Staged],
        progress: &Arc<dyn Progress>,
    ) -> Result<(Vec<(Line, String)>, Vec<(&'static Table, Account)>)> {
        let mut lines = Vec::with_capacity(staged.len());
        let mut accounts = Vec::with_capacity(staged.len());
        for staged in staged {
            progress.begin(&format!("writing {}", staged.table.name));
            let (line, account) = self.one(staged).await?;
            progress.advance(line.rows_loaded);
            lines.push((line, staged.object.paths()));
            accounts.push((staged.table, account));
        }
        Ok((lines, accounts))
    }

    async fn one(&self, staged: &Staged) -> Result<(Line, Account)> {
        let object = &staged.object;
        let name = TableName::new(CRM, staged.table.name);
        self.writer.ensure(&name, &layout(staged.table)).await?;
        let id = format!("{}/{}", self.run.batch_id, object.name);
        let committed = self.writer.committed(&name, &id).await?;
        let bad = self.bad.get(&object.name).into_iter().flat_map(BTreeMap::keys).copied();
        let sent = Arc::new(Mutex::new(Sent::default()));
        let rows = staged.rows(
            Arc::new(bad.collect()),
            &self.run.batch_id,
            self.run.started_at,
            sent.clone(),
        )?;
        let (version, loaded, known) = match committed {
            // An earlier attempt got this far.
            Some(version) => {
                drain(rows).await?;
                (version, 0, sent.lock().rows)
            }
            None => {
                let batch = Batch { id, command: self.command.to_owned() };
                let done = self.writer.upsert(&name, rows, &batch).await?;
                (done.version, done.rows_loaded, done.rows_duplicate)
            }
        };
        let sent = sent.lock();
        let line = Line {
            object: object.label.clone(),
            table: name.to_string(),
            rows_read: staged.made + object.rejected(),
            rows_loaded: loaded,
            rows_quarantined: object.rejected() + staged.bad + sent.bad,
            rows_duplicate: known + sent.duplicates,
            version: Some(version),
        };
        let mut account = sent.account.clone();
        account.read += &staged.account.read;
        account.quarantined += &staged.account.quarantined;
        account.known_rows = known;
        Ok((balanced(line)?, account))
    }
}

/// Fails if rows are unaccounted for.
pub(super) fn balanced(line: Line) -> Result<Line> {
    if line.rows_read == line.rows_loaded + line.rows_quarantined + line.rows_duplicate {
        return Ok(line);
    }
    let reason = format!("rows are unaccounted for: {line:?}");
    Err(Error::Definition { name: line.table, reason })
}

async fn drain(mut rows: datafusion::execution::SendableRecordBatchStream) -> Result<()> {
    while let Some(batch) = futures::StreamExt::next(&mut rows).await {
        batch?;
    }
    Ok(())
}

/// How the lake keeps a canonical table.
pub(super) fn layout(table: &Table) -> Layout {
    Layout {
        schema: table.arrow_schema(),
        key: table.key.iter().map(|key| (*key).to_owned()).collect(),
        meaning: table.meaning.to_owned(),
    }
}
