//! The files of one ingest, as objects that a mapping can read.
//!
//! Every file is read once to the end before anything else happens: its rows are counted, its bad
//! records put aside and its bytes hashed; later passes read only what was found good.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Int64Array, StringArray, StringBuilder, new_null_array,
};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::catalog::TableProvider;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::error::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchReceiverStream;
use datafusion::physical_plan::streaming::PartitionStream;
use sha2::{Digest, Sha256};

use super::Request;
use super::mapping::{EXTRA, ROW};
use super::progress::Progress;
use super::spelling::{Quantity, Spelling};
use crate::config::bucket_settings;
use crate::error::{Error, Result};
use crate::session::Engine;
use crate::source::{self, Chunk, Input, Options, Rejected, bucket};

/// Bits of a row's identity that count rows within a file; the others say which file.
const ROW_BITS: u32 = 40;

/// The identity of row `ordinal` of file `file` of an object.
pub(super) fn row_id(file: usize, ordinal: u64) -> i64 {
    ((file as i64) << ROW_BITS) | ordinal as i64
}

/// File and ordinal of a row's identity.
pub(super) fn file_and_ordinal(row: i64) -> (usize, u64) {
    ((row >> ROW_BITS) as usize, (row & ((1 << ROW_BITS) - 1)) as u64)
}

/// One file of an object, after it was read once.
#[derive(Debug)]
pub(super) struct ExportFile {
    pub input: Input,
    pub schema: SchemaRef,
    /// What mappings call its columns: lower-case headers, or what their labels stand for.
    pub names: Vec<String>,
    pub good: u64,
    pub rejected: Vec<Rejected>,
    /// SHA-256 of its bytes, hexadecimal.
    pub hash: String,
    stamp: (u64, Option<SystemTime>),
}

/// The files that share a stem.
#[derive(Debug)]
pub(super) struct Object {
    /// Stem in lower case: its name in SQL.
    pub name: String,
    /// Stem as the file spells it.
    pub label: String,
    pub files: Vec<ExportFile>,
    pub options: Options,
}

impl Object {
    /// Rows that obey the rules of the format.
    pub(super) fn good(&self) -> u64 {
        self.files.iter().map(|file| file.good).sum()
    }

    /// Records that do not.
    pub(super) fn rejected(&self) -> u64 {
        self.files.iter().map(|file| file.rejected.len() as u64).sum()
    }

    /// Paths of its files, comma-separated.
    pub(super) fn paths(&self) -> String {
        let paths = self.files.iter().map(|f| f.input.path().display().to_string());
        paths.collect::<Vec<_>>().join(", ")
    }

    /// What mappings call the columns of its files.
    pub(super) fn columns(&self) -> BTreeSet<String> {
        self.files.iter().flat_map(|file| file.names.iter().cloned()).collect()
    }

    /// Fails if a file has fewer or more records than whoever made it counted.
    pub(super) fn check_rows(&self, expected: &BTreeMap<PathBuf, u64>) -> Result<()> {
        for file in &self.files {
            let rows = file.good + file.rejected.len() as u64;
            let wanted = expected.get(file.input.path()).copied().unwrap_or(rows);
            if rows != wanted {
                let reason = format!("has {rows} rows where {wanted} were sent");
                return Err(source::fault(file.input.path(), 0, reason));
            }
        }
        Ok(())
    }

    /// Fails if a file lacks a column that is required of this object, by the name that mappings or
    /// the file have for it.
    pub(super) fn check_columns(&self, required: &[(String, String)]) -> Result<()> {
        for file in &self.files {
            let is_there = |column: &str| {
                let headers = file.schema.fields().iter().map(|field| field.name());
                let mut names = headers.chain(&file.names);
                names.any(|name| name.eq_ignore_ascii_case(column))
            };
            let own = required.iter().filter(|(object, _)| object.eq_ignore_ascii_case(&self.name));
            let missing: Vec<&str> =
                own.map(|(_, column)| column.as_str()).filter(|column| !is_there(column)).collect();
            if !missing.is_empty() {
                let reason = format!("required_columns: {} is missing", missing.join(", "));
                return Err(source::fault(file.input.path(), 1, reason));
            }
        }
        Ok(())
    }

    /// Fails if a file changed since it was read.
    pub(super) fn check_unchanged(&self) -> Result<()> {
        for file in &self.files {
            if file.input.stamp()? != file.stamp {
                return Err(source::fault(
                    file.input.path(),
                    0,
                    "the file changed while it was read",
                ));
            }
        }
        Ok(())
    }

    /// A table of the columns `wanted` (those a file lacks are NULL), of the row's identity, and of
    /// a JSON object with the columns that are not `known`; those of `spelled` are led back to the
    /// one spelling that mappings know.
    pub(super) fn provider(
        self: &Arc<Self>,
        wanted: &BTreeSet<String>,
        known: &BTreeSet<String>,
        spelled: BTreeMap<String, Quantity>,
        spelling: Spelling,
    ) -> Result<Arc<dyn TableProvider>> {
        let schema = raw_schema(wanted);
        let partitions = (0..self.files.len()).map(|file| {
            let scan = Scan {
                object: self.clone(),
                file,
                wanted: wanted.iter().cloned().collect(),
                known: known.clone(),
                spelled: spelled.clone(),
                spelling,
                schema: schema.clone(),
            };
            Arc::new(scan) as Arc<dyn PartitionStream>
        });
        Ok(Arc::new(StreamingTable::try_new(schema.clone(), partitions.collect())?))
    }
}

/// Schema of a raw table with the columns `wanted`.
pub(super) fn raw_schema(wanted: &BTreeSet<String>) -> SchemaRef {
    let mut fields: Vec<Field> =
        wanted.iter().map(|name| Field::new(name, DataType::Utf8, true)).collect();
    fields.push(Field::new(ROW, DataType::Int64, false));
    fields.push(Field::new(EXTRA, DataType::Utf8, true));
    Arc::new(Schema::new(fields))
}

/// One pass over one file.
struct Scan {
    object: Arc<Object>,
    file: usize,
    wanted: Vec<String>,
    known: BTreeSet<String>,
    spelled: BTreeMap<String, Quantity>,
    spelling: Spelling,
    schema: SchemaRef,
}

impl fmt::Debug for Scan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scan({})", self.object.files[self.file].input.path().display())
    }
}

impl PartitionStream for Scan {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let mut stream = RecordBatchReceiverStream::builder(self.schema.clone(), 2);
        let sender = stream.tx();
        let (object, file) = (self.object.clone(), self.file);
        let mut shape = Shape::new(&object.files[file], &self.wanted, &self.known);
        shape.spelling = Some(self.spelling);
        shape.quantities = self.wanted.iter().map(|name| self.spelled.get(name).copied()).collect();
        let schema = self.schema.clone();
        stream.spawn_blocking(move || {
            let outside = |e: Error| DataFusionError::External(Box::new(e));
            let input = &object.files[file].input;
            let mut rows = source::open(input, &object.options).map_err(outside)?;
            while let Some(chunk) = rows.next_chunk().map_err(outside)? {
                let batch = shape.batch(&schema, file, &chunk)?;
                if sender.blocking_send(Ok(batch)).is_err() {
                    break; // nobody reads on
                }
            }
            Ok(())
        });
        stream.build()
    }
}

/// Where the columns of a raw table stand in a file.
struct Shape {
    /// Column of the file for each wanted one.
    places: Vec<Option<usize>>,
    /// Columns of the file that no mapping takes, as the file spells them.
    extra: Vec<(usize, String)>,
    /// What each wanted column holds, where its spelling is declared.
    quantities: Vec<Option<Quantity>>,
    spelling: Option<Spelling>,
}

impl Shape {
    fn new(file: &ExportFile, wanted: &[String], known: &BTreeSet<String>) -> Self {
        let names = &file.names;
        let places = wanted.iter().map(|name| names.iter().position(|n| n == name)).collect();
        let extra = names.iter().enumerate().filter(|(_, name)| !known.contains(*name));
        let extra = extra.map(|(n, _)| (n, file.schema.field(n).name().clone())).collect();
        Self { places, extra, quantities: Vec::new(), spelling: None }
    }

    fn batch(
        &self,
        schema: &SchemaRef,
        file: usize,
        chunk: &Chunk,
    ) -> Result<RecordBatch, DataFusionError> {
        let rows = chunk.ordinals.len();
        let is_comma = self.spelling.is_some_and(|s| s.locale.is_decimal_comma());
        let texts = chunk.columns.iter().map(|c| source::parquet::text(c, is_comma));
        let texts: Vec<ArrayRef> =
            texts.collect::<Result<_>>().map_err(|e| DataFusionError::External(Box::new(e)))?;
        let mut columns: Vec<ArrayRef> = self
            .places
            .iter()
            .enumerate()
            .map(|(wanted, place)| match place {
                Some(n) => self.led_back(wanted, &texts[*n]),
                None => new_null_array(&DataType::Utf8, rows),
            })
            .collect();
        let ids = chunk.ordinals.iter().map(|ordinal| row_id(file, *ordinal));
        columns.push(Arc::new(Int64Array::from_iter_values(ids)));
        columns.push(self.extra(&texts, rows));
        Ok(RecordBatch::try_new(schema.clone(), columns)?)
    }

    /// The texts of the column `wanted`, in the one spelling that mappings know.
    fn led_back(&self, wanted: usize, texts: &ArrayRef) -> ArrayRef {
        let quantity = self.quantities.get(wanted).copied().flatten();
        let (Some(quantity), Some(spelling)) = (quantity, self.spelling) else {
            return texts.clone();
        };
        let texts = texts.as_string::<i32>().iter();
        let led = texts.map(|text| text.map(|text| spelling.lead_back(text, quantity)));
        Arc::new(led.collect::<StringArray>())
    }

    fn extra(&self, texts: &[ArrayRef], rows: usize) -> ArrayRef {
        if self.extra.is_empty() {
            return new_null_array(&DataType::Utf8, rows);
        }
        let columns: Vec<_> =
            self.extra.iter().map(|(n, name)| (name, texts[*n].as_string::<i32>())).collect();
        let mut out = StringBuilder::new();
        for row in 0..rows {
            let mut object = serde_json::Map::new();
            for (name, column) in &columns {
                if column.is_valid(row) {
                    object.insert((*name).clone(), column.value(row).into());
                }
            }
            out.append_option(
                (!object.is_empty()).then(|| serde_json::Value::from(object).to_string()),
            );
        }
        Arc::new(out.finish())
    }
}

/// A file to read, or one of the files or sheets in it.
#[derive(Debug)]
pub(super) struct Found {
    /// Names that the object it belongs to may have, the likeliest first.
    pub labels: Vec<String>,
    pub input: Input,
    /// The path that a person named, if this is all of it; a directory names nothing in it.
    pub is_named: bool,
}

/// What `paths` hold.
#[derive(Debug, Default)]
pub(super) struct Files {
    /// Files that can be read.
    pub found: Vec<Found>,
    /// What a person should know of the others.
    pub notices: Vec<String>,
}

/// The files that `request` names; files in directories and buckets are taken if their extension
/// is known.
///
/// # Errors
/// [`Error::File`] for a path that does not exist, [`Error::Store`] for a bucket that cannot be
/// read, [`Error::Source`] for an archive or a workbook that breaks a rule, [`Error::Refused`] if
/// there is no file at all.
pub(super) async fn find(engine: &Arc<Engine>, request: &Request) -> Result<Files> {
    let mut files = Files::default();
    let mut places = Vec::new();
    for path in &request.paths {
        let Some(url) = bucket::url_of(path)? else {
            places.push(Place::Disk(path.clone()));
            continue;
        };
        let disk = engine.session("ingest").context().runtime_env().disk_manager.clone();
        let most = engine.config().source_file_bytes_max;
        let fetched = bucket::fetch(&url, bucket_settings(), &disk, most).await?;
        let unread = fetched.unread.iter();
        files.notices.extend(unread.map(|name| format!("{name} was not read: unknown format")));
        places.push(Place::Copies(fetched.inputs, fetched.is_object));
    }
    let options = request.options.clone();
    // Archives and workbooks are looked through, which takes a while.
    let looking = tokio::task::spawn_blocking(move || {
        places.into_iter().try_for_each(|place| files.add_all(place, &options)).map(|()| files)
    });
    let subject =
        request.paths.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", ");
    let files = looking
        .await
        .map_err(|e| Error::Refused { subject: subject.clone(), reason: e.to_string() })??;
    if files.found.is_empty() {
        let reason = format!("no files to read; known extensions: {}", source::extensions());
        return Err(Error::Refused { subject, reason });
    }
    Ok(files)
}

/// Where files of a request are.
enum Place {
    Disk(PathBuf),
    /// Copies of objects, and whether the request named the one that they are.
    Copies(Vec<Input>, bool),
}

impl Files {
    fn add_all(&mut self, place: Place, options: &Options) -> Result<()> {
        let path = match place {
            Place::Copies(inputs, is_named) => {
                return inputs.into_iter().try_for_each(|input| self.add(input, is_named, options));
            }
            Place::Disk(path) => path,
        };
        let data = path.metadata().map_err(|e| Error::file("read", &path, e))?;
        if !data.is_dir() {
            return self.add(Input::file(path), true, options);
        }
        for file in files_in(&path)? {
            if source::is_known(&file) {
                self.add(Input::file(file), false, options)?;
            } else if !is_hidden(&file) {
                self.notices.push(format!("{} was not read: unknown format", file.display()));
            }
        }
        Ok(())
    }

    fn add(&mut self, input: Input, is_named: bool, options: &Options) -> Result<()> {
        let path = input.path().to_path_buf();
        let parts = input.expand(options)?;
        if parts.is_empty() {
            let reason = format!("has no file to read; known: {}", source::extensions());
            return Err(source::fault(&path, 0, reason));
        }
        let is_all = parts.len() == 1;
        for input in parts {
            let (labels, is_named) = (input.labels(), is_named && is_all);
            self.found.push(Found { labels, input, is_named });
        }
        Ok(())
    }
}

/// Files of `directory`, sorted.
fn files_in(directory: &Path) -> Result<Vec<PathBuf>> {
    let refuse = |e| Error::file("list", directory, e);
    let mut files: Vec<PathBuf> = std::fs::read_dir(directory)
        .map_err(refuse)?
        .map(|entry| Ok(entry.map_err(refuse)?.path()))
        .collect::<Result<_>>()?;
    files.retain(|file| file.is_file());
    files.sort();
    Ok(files)
}

/// What systems put into directories without being asked.
fn is_hidden(file: &Path) -> bool {
    file.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with('.'))
}

/// Reads every file of an object once.
///
/// # Errors
/// [`Error::Source`] if a file is too large or cannot be read to its end.
pub(super) fn inspect(
    label: &str,
    inputs: Vec<Input>,
    options: &Options,
    bytes_max: u64,
    progress: &dyn Progress,
    mut each: impl FnMut(&SchemaRef, &Chunk),
) -> Result<Object> {
    let mut files = Vec::with_capacity(inputs.len());
    for input in inputs {
        let stamp = input.stamp()?;
        if stamp.0 > bytes_max {
            let reason = format!("{} bytes; source_file_bytes_max is {bytes_max}", stamp.0);
            return Err(source::fault(input.path(), 0, reason));
        }
        let hash = hash(&input)?;
        let mut rows = source::open(&input, options)?;
        let schema = rows.schema();
        tracing::debug!(file = %input.path().display(), notes = rows.notes(), "reading");
        progress.begin(&format!("reading {label}"));
        let (mut good, mut rejected, mut kept) = (0, Vec::new(), 0);
        while let Some(chunk) = rows.next_chunk()? {
            good += chunk.ordinals.len() as u64;
            progress.advance((chunk.ordinals.len() + chunk.rejected.len()) as u64);
            each(&schema, &chunk);
            kept += chunk.rejected.iter().map(|r| r.raw.len() + 64).sum::<usize>();
            rejected.extend(chunk.rejected);
            if kept > BAD_BYTES_MAX {
                let reason =
                    format!("{} bad rows already; this is not that format", rejected.len());
                return Err(source::fault(input.path(), 0, reason));
            }
        }
        let names = schema.fields().iter().map(|field| field.name().to_lowercase()).collect();
        files.push(ExportFile { input, schema, names, good, rejected, hash, stamp });
    }
    Ok(Object {
        name: label.to_lowercase(),
        label: label.to_owned(),
        files,
        options: options.clone(),
    })
}

/// Most bytes of bad rows that are held before a batch is given up.
const BAD_BYTES_MAX: usize = 256 << 20;

fn hash(input: &Input) -> Result<String> {
    let mut reader = input.open()?;
    let mut hash = Sha256::new();
    let mut block = vec![0; 256 << 10];
    loop {
        let got = reader.read(&mut block).map_err(|e| source::read_fault(input.path(), 0, e))?;
        if got == 0 {
            return Ok(hex(&hash.finalize()));
        }
        hash.update(&block[..got]);
    }
}

/// SHA-256 of the file at `path`, hexadecimal.
pub(super) fn file_hash(path: &Path) -> Result<String> {
    hash(&Input::file(path))
}

/// `bytes` in hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// The records of `object` that are no rows, and the rows `bad` with where they stand.
pub(super) fn locate(
    object: &Object,
    bad: &BTreeMap<i64, super::check::BadRow>,
) -> Result<HashMap<i64, source::Origin>> {
    let mut wanted: BTreeMap<usize, BTreeSet<u64>> = BTreeMap::new();
    for row in bad.keys() {
        let (file, ordinal) = file_and_ordinal(*row);
        wanted.entry(file).or_default().insert(ordinal);
    }
    let mut found = HashMap::new();
    for (file, ordinals) in wanted {
        let mut rows = source::open(&object.files[file].input, &object.options)?;
        for origin in rows.locate(&ordinals)? {
            found.insert(row_id(file, origin.row), origin);
        }
    }
    Ok(found)
}
