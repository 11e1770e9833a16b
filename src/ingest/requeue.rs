//! Rows that were not loaded: put aside with all that is needed to read them again, and read again
//! after what was wrong was put right, in the mapping or in the lake.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono_tz::Tz;
use datafusion::arrow::array::{Array, AsArray, RecordBatch, StringArray};
use datafusion::arrow::compute::concat_batches;
use datafusion::arrow::datatypes::DataType;
use datafusion::prelude::{cast, col, ident, lit};
use datafusion::scalar::ScalarValue;
use futures::TryStreamExt;

use super::check::BadRow;
use super::export::{self, Object};
use super::ledger::{self, Quarantined};
use super::progress::Progress;
use super::{Request, Summary, datasets, ingest, reading};
use crate::error::{Error, Result};
use crate::lake::{At, Batch, TableName};
use crate::schema::{CRM, OPS};
use crate::session::Engine;
use crate::source::csv::CsvReader;
use crate::source::{self, Input, RAW_BYTES_MAX, Rows};

/// What became of a requeue.
#[derive(Debug, Default)]
pub struct Requeued {
    /// One batch a CRM; none if the rows were only written to files.
    pub batches: Vec<Summary>,
    /// Rows that were read again or written (count).
    pub rows: u64,
    /// Why others were not.
    pub notices: Vec<String>,
}

/// Reads the rows of quarantine again that no requeue has read: those of `batch`, or all.
///
/// With a `directory` they are written there, under their headers, for a person to correct and
/// ingest; without, the rows of a CRM that were read alike are one batch, and whatever fails again is
/// quarantined again. They are read as they were; `zone` is for those of older releases, which did
/// not note it.
///
/// # Errors
/// [`Error::File`] if the files cannot be written; those of an ingest.
pub async fn requeue(
    engine: &Arc<Engine>,
    batch: Option<&str>,
    directory: Option<&Path>,
    zone: Tz,
    progress: Arc<dyn Progress>,
) -> Result<Requeued> {
    let rows = waiting(engine, batch).await?;
    let mut done = Requeued::default();
    let files = files(&rows, &mut done)?;
    let mut folders = BTreeSet::new();
    for ((source_system, reading), files) in files {
        let (crm, system) = split(&source_system);
        let mut name = source_system.replace(':', "-");
        if !folders.insert(name.clone()) {
            name = format!("{name}-{}", folders.len());
            folders.insert(name.clone());
        }
        let folder = match directory {
            Some(directory) => Folder::kept(directory.join(&name))?,
            None => Folder::passing(&name)?,
        };
        for (name, text) in &files.texts {
            let path = folder.path.join(name);
            std::fs::write(&path, text).map_err(|e| Error::file("write", &path, e))?;
        }
        done.rows += files.rows.len() as u64;
        let flags = reading.as_deref().map(reading::flags).unwrap_or_default();
        if directory.is_some() && !flags.is_empty() {
            done.notices.push(format!("{}: ingest with {flags}", folder.path.display()));
        }
        if directory.is_none() {
            let mut request = Request {
                is_forced: true,
                time_zone: zone,
                system: system.map(str::to_owned),
                ..Request::crm(crm, vec![folder.path.clone()])
            };
            if let Some(reading) = &reading {
                request = reading::again(request, reading)?;
            }
            let summary = ingest(engine, &request, progress.clone()).await?;
            mark(engine, &rows, &files.rows, &summary.batch_id).await?;
            done.batches.push(summary);
        }
    }
    Ok(done)
}

/// The CRM of a source system, and which system of it.
fn split(source_system: &str) -> (&str, Option<&str>) {
    match source_system.split_once(':') {
        Some((crm, system)) => (crm, Some(system)),
        None => (source_system, None),
    }
}

/// The rows of quarantine that no requeue has read.
async fn waiting(engine: &Arc<Engine>, batch: Option<&str>) -> Result<RecordBatch> {
    let definition = ledger::definition("quarantine")?;
    let schema = definition.own_schema();
    let name = TableName::new(OPS, "quarantine");
    let Some(found) = engine.lake().table(&name, At::Latest).await? else {
        return Ok(RecordBatch::new_empty(schema));
    };
    let session = engine.session("ingest");
    let mut rows = session.context().read_table(found.provider())?;
    // A lake of an older release has no such columns before its next ingest.
    let has = |name: &str| found.schema().index_of(name).is_ok();
    if !has("requeued_batch_id") {
        return Ok(RecordBatch::new_empty(schema));
    }
    rows = rows.filter(col("requeued_batch_id").is_null())?;
    if let Some(batch) = batch {
        rows = rows.filter(col("batch_id").eq(lit(batch)))?;
    }
    let columns = schema.fields().iter().map(|field| match has(field.name()) {
        true => cast(ident(field.name()), field.data_type().clone()).alias(field.name()),
        false => cast(lit(ScalarValue::Null), field.data_type().clone()).alias(field.name()),
    });
    let order = definition.key.iter().map(|key| ident(*key).sort(true, true)).collect();
    let rows = rows.select(columns.collect::<Vec<_>>())?.sort(order)?;
    let rows: Vec<RecordBatch> =
        session.run(rows.into_unoptimized_plan()).await?.try_collect().await?;
    let rows =
        rows.iter().map(|rows| RecordBatch::try_new(schema.clone(), rows.columns().to_vec()));
    Ok(concat_batches(&schema, &rows.collect::<std::result::Result<Vec<_>, _>>()?)?)
}

/// The files of one batch, and which rows they hold.
#[derive(Default)]
struct Files {
    texts: BTreeMap<String, Vec<u8>>,
    rows: Vec<usize>,
}

/// Source system, and how its rows were read where that is known.
type Kin = (String, Option<String>);

/// The files that hold the rows of quarantine again, of rows that belong into one batch.
fn files(rows: &RecordBatch, done: &mut Requeued) -> Result<BTreeMap<Kin, Files>> {
    let text = |name: &str| column(rows, name);
    let (systems, objects, paths) = (text("source_system")?, text("object")?, text("file")?);
    let (headers, raws) = (text("header")?, text("raw_base64")?);
    let readings = text("reading")?;
    let crms = datasets::crms();
    let mut files: BTreeMap<Kin, Files> = BTreeMap::new();
    let mut first_headers: BTreeMap<(Kin, &str), Option<&str>> = BTreeMap::new();
    let mut left: BTreeMap<&str, u64> = BTreeMap::new();
    for row in 0..rows.num_rows() {
        let is_json = source::is_json(Path::new(paths.value(row)));
        let header = headers.is_valid(row).then(|| headers.value(row));
        let raw = STANDARD.decode(raws.value(row)).unwrap_or_default();
        let reason = match () {
            () if !crms.iter().any(|crm| crm == split(systems.value(row)).0) => {
                "of tables of schema raw"
            }
            () if header.is_none() && !is_json => "of a format without lines",
            () if raw.is_empty() || raw.len() >= RAW_BYTES_MAX => "kept in part only",
            () => "",
        };
        if !reason.is_empty() {
            *left.entry(reason).or_default() += 1;
            continue;
        }
        // A file has one header: rows under another one wait for the next requeue.
        let object = objects.value(row);
        let reading = readings.is_valid(row).then(|| readings.value(row).to_owned());
        let kin = (systems.value(row).to_owned(), reading);
        if *first_headers.entry((kin.clone(), object)).or_insert(header) != header {
            *left.entry("under another header; requeue again for them").or_default() += 1;
            continue;
        }
        let name = format!("{object}.{}", if is_json { "jsonl" } else { "csv" });
        let of_kin = files.entry(kin).or_default();
        let file = of_kin.texts.entry(name).or_default();
        if let (true, Some(header)) = (file.is_empty(), header) {
            file.extend_from_slice(header.as_bytes());
            file.push(b'\n');
        }
        file.extend_from_slice(&raw);
        file.push(b'\n');
        of_kin.rows.push(row);
    }
    let notices = left.iter().map(|(reason, rows)| format!("{rows} rows were left: {reason}"));
    done.notices.extend(notices);
    Ok(files)
}

/// Notes in the quarantine which batch has read the rows at `places` again.
async fn mark(
    engine: &Arc<Engine>,
    rows: &RecordBatch,
    places: &[usize],
    batch_id: &str,
) -> Result<()> {
    let places = datafusion::arrow::array::UInt64Array::from_iter_values(
        places.iter().map(|place| *place as u64),
    );
    let taken = datafusion::arrow::compute::take_record_batch(rows, &places)?;
    let mut columns = taken.columns().to_vec();
    let at = taken.schema().index_of("requeued_batch_id")?;
    columns[at] = ledger::same(batch_id, taken.num_rows());
    let marked = RecordBatch::try_new(taken.schema(), columns)?;
    let writer = engine.lake().writer("requeue").await?;
    let batch = Batch { id: format!("{batch_id}/requeued"), command: "requeue".into() };
    let name = TableName::new(OPS, "quarantine");
    writer.upsert(&name, ledger::stream(marked), &batch).await?;
    drop(writer);
    engine.refresh().await?;
    Ok(())
}

fn column(rows: &RecordBatch, name: &str) -> Result<StringArray> {
    let index = rows.schema().index_of(name)?;
    let text = datafusion::arrow::compute::cast(rows.column(index), &DataType::Utf8)?;
    Ok(text.as_string::<i32>().clone())
}

/// A folder for files to read again; a passing one is removed when it is dropped.
struct Folder {
    path: PathBuf,
    is_passing: bool,
}

impl Folder {
    fn kept(path: PathBuf) -> Result<Self> {
        std::fs::create_dir_all(&path).map_err(|e| Error::file("make", &path, e))?;
        Ok(Self { path, is_passing: false })
    }

    fn passing(crm: &str) -> Result<Self> {
        let name = format!("runrate-requeue-{}-{crm}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let mut builder = std::fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700); // people's data
        builder.create(&path).map_err(|e| Error::file("make", &path, e))?;
        Ok(Self { path, is_passing: true })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.is_passing {
            drop(std::fs::remove_dir_all(&self.path));
        }
    }
}

/// The header line of the file `input` of `object`, if its format has one.
fn header(input: &Input, object: &Object) -> Option<String> {
    if !source::has_header(input.path()) {
        return None;
    }
    let reader = CsvReader::open(input, &object.options).ok()?;
    let delimiter = char::from(reader.delimiter());
    let mut line = String::new();
    for (n, field) in reader.schema().fields().iter().enumerate() {
        if n > 0 {
            line.push(delimiter);
        }
        let _ = write!(line, "\"{}\"", field.name().replace('"', "\"\""));
    }
    Some(line)
}

/// The rows of `object` that are not loaded: records that are no rows, and rows that failed a check.
pub(super) fn left_out(
    object: &Object,
    bad: Option<&BTreeMap<i64, BadRow>>,
) -> Result<Vec<Quarantined>> {
    let bad = bad.filter(|bad| !bad.is_empty());
    let is_concerned = |n: usize| {
        let of_file = |row: &i64| export::file_and_ordinal(*row).0 == n;
        !object.files[n].rejected.is_empty() || bad.is_some_and(|bad| bad.keys().any(of_file))
    };
    let headers: Vec<Option<String>> = (0..object.files.len())
        .map(|n| is_concerned(n).then(|| header(&object.files[n].input, object))?)
        .collect();
    let mut rows = Vec::new();
    for (file, header) in object.files.iter().zip(&headers) {
        rows.extend(file.rejected.iter().map(|rejected| Quarantined {
            object: object.label.clone(),
            file: file.input.path().display().to_string(),
            line: rejected.line,
            byte_offset: rejected.byte_offset,
            table: None,
            column: None,
            code: rejected.code.to_owned(),
            reason: rejected.reason.clone(),
            raw: rejected.raw.clone(),
            header: header.clone(),
        }));
    }
    let Some(bad) = bad else { return Ok(rows) };
    let origins = export::locate(object, bad)?;
    for (row, fault) in bad {
        let n = export::file_and_ordinal(*row).0;
        let origin = origins.get(row);
        rows.push(Quarantined {
            object: object.label.clone(),
            file: object.files[n].input.path().display().to_string(),
            line: origin.map_or(0, |origin| origin.line),
            byte_offset: origin.map_or(0, |origin| origin.byte_offset),
            table: Some(format!("{CRM}.{}", fault.table)),
            column: Some(fault.column.clone()),
            code: fault.code.to_owned(),
            reason: fault.reason.clone(),
            raw: origin.map_or_else(Vec::new, |origin| origin.raw.clone()),
            header: headers[n].clone(),
        });
    }
    Ok(rows)
}
