//! `ingest --table`: files as they are, into schema `raw`.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::Utc;
use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, StringArray};
use datafusion::arrow::compute::filter_record_batch;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchReceiverStream;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};

use super::check::{BadRow, quoted, typed_text};
use super::export::{self, Object};
use super::infer::Guess;
use super::ledger::{self, Quarantined, Run};
use super::progress::Progress;
use super::spelling::{self, Spelling};
use super::{Line, Request, SAMPLES_MAX, Summary, crm, reading, requeue};
use crate::error::{Error, Result};
use crate::lake::{At, Batch, Layout, TableName, Writer};
use crate::schema::{Kind, RAW};
use crate::session::Engine;
use crate::source::{self, Chunk};

/// Columns that every raw table ends with.
const STAMPS: [(&str, Kind); 2] = [("_ingested_at", Kind::Timestamp), ("_batch_id", Kind::Text)];

/// Loads the files of `request` into `raw.<name>`.
pub(super) async fn run(
    engine: &Arc<Engine>,
    name: &str,
    types: &[(String, Kind)],
    request: &Request,
    progress: &Arc<dyn Progress>,
) -> Result<Summary> {
    let table = TableName::new(RAW, name);
    let refuse = |reason: String| Error::Refused { subject: table.to_string(), reason };
    let (object, guesses) = read(engine, name, request, progress).await?;
    object.check_columns(&request.columns_required)?;
    let held = engine.lake().table(&table, At::Latest).await?;
    let held = held.map(|held| held.provider().schema());
    let schema = schema(&object, &guesses, types, held.as_ref()).map_err(refuse)?;
    let run = Run {
        batch_id: batch_id(name, types, &object, request),
        source_system: RAW.to_owned(),
        mapping_version: "raw".to_owned(),
        started_at: Utc::now(),
        reading: reading::text(request),
        columns: BTreeMap::new(),
    };
    engine.refresh().await?;
    if let Some(lines) = ledger::find(engine, &run.batch_id).await? {
        return Ok(crm::repeated(run.batch_id, lines, vec![]));
    }
    let typing =
        Arc::new(Typing { object, schema, spelling: request.spelling(), run: run.clone() });
    let bad = typing.clone().check().await?;
    let quarantined = typing.left_out(&bad)?;
    let rows = typing.object.good() + typing.object.rejected();
    let command = format!("ingest --table {name}");
    if let Some(reason) = crm::refusal(engine, rows, &quarantined, request) {
        if request.is_dry {
            return Err(Error::Refused { subject: table.to_string(), reason });
        }
        let lines = [(typing.line(&table, rows, &quarantined), typing.object.paths())];
        crm::record_refusal(engine, &run, &lines, &reason, &command).await?;
        return Err(Error::Refused { subject: table.to_string(), reason });
    }
    if request.is_dry {
        let mut line = typing.line(&table, rows, &quarantined);
        line.rows_loaded = line.rows_read - line.rows_quarantined;
        return Ok(crm::dry(run.batch_id, vec![line], &quarantined, vec![]));
    }
    progress.begin(&format!("writing {table}"));
    let writer = engine.lake().writer(&command).await?;
    ledger::ensure(&writer).await?;
    let line = typing.line(&table, rows, &quarantined);
    let line = typing.commit(&writer, &table, bad, line, &command).await?;
    ledger::quarantine(&writer, &run, &quarantined, &command).await?;
    let lines = [(line.clone(), typing.object.paths())];
    ledger::record(&writer, &run, &lines, None, &command).await?;
    writer.upkeep().await;
    drop(writer);
    engine.refresh().await?;
    Ok(Summary {
        batch_id: run.batch_id,
        lines: vec![line],
        quarantined: quarantined.len() as u64,
        samples: quarantined.iter().take(SAMPLES_MAX).map(crm::sample).collect(),
        money: vec![],
        notices: vec![],
        is_repeated: false,
    })
}

/// Reads every file once, guessing the types of its columns on the way.
async fn read(
    engine: &Arc<Engine>,
    name: &str,
    request: &Request,
    progress: &Arc<dyn Progress>,
) -> Result<(Object, BTreeMap<String, Guess>)> {
    let (options, bytes_max) = (request.options.clone(), engine.config().source_file_bytes_max);
    let listing = export::find(engine, request).await?;
    let inputs = listing.found.into_iter().map(|found| found.input).collect();
    let (progress, label, spelling) = (progress.clone(), name.to_owned(), request.spelling());
    let reading = tokio::task::spawn_blocking(move || {
        let mut guesses: BTreeMap<String, Guess> = BTreeMap::new();
        let see = |schema: &SchemaRef, chunk: &Chunk| {
            for (field, column) in schema.fields().iter().zip(&chunk.columns) {
                let Some(text) = column.as_string_opt::<i32>() else { continue };
                let guess = guesses
                    .entry(field.name().clone())
                    .or_insert_with(|| Guess::new(field.name(), spelling));
                text.iter().flatten().for_each(|value| guess.see(value));
            }
        };
        let object = export::inspect(&label, inputs, &options, bytes_max, &*progress, see)?;
        Ok((object, guesses))
    });
    let lost =
        |e: tokio::task::JoinError| Error::Refused { subject: name.into(), reason: e.to_string() };
    reading.await.map_err(lost)?
}

fn batch_id(name: &str, types: &[(String, Kind)], object: &Object, request: &Request) -> String {
    let mut hash = Sha256::new();
    let options = request.options.fingerprint();
    hash.update(format!("raw\0{name}\0{types:?}\0{}\0{options}", request.time_zone));
    object.files.iter().for_each(|file| hash.update(format!("\0{}", file.hash)));
    export::hex(&hash.finalize()[..16])
}

/// Columns of the files, each with its declared type, the one the table has, its own or the guess.
fn schema(
    object: &Object,
    guesses: &BTreeMap<String, Guess>,
    types: &[(String, Kind)],
    held: Option<&SchemaRef>,
) -> Result<SchemaRef, String> {
    let first = &object.files[0].schema;
    for file in &object.files {
        if file.schema != *first {
            return Err(format!(
                "{} has other columns than the first file",
                file.input.path().display()
            ));
        }
    }
    for (column, _) in types {
        if first.index_of(column).is_err() {
            return Err(format!("--types names column \"{column}\", which the file does not have"));
        }
    }
    let mut fields = Vec::new();
    for field in first.fields() {
        let name = field.name();
        if STAMPS.iter().any(|(stamp, _)| stamp == name) {
            return Err(format!("column \"{name}\" is one that ingest adds"));
        }
        let declared = types.iter().find(|(column, _)| column == name);
        let held = held.and_then(|held| held.field_with_name(name).ok());
        let data_type = match (declared, held, guesses.get(name)) {
            (Some((_, kind)), ..) => kind.data_type(),
            (None, Some(held), _) => held.data_type().clone(),
            (None, None, Some(guess)) => guess.kind().data_type(),
            (None, None, None) if *field.data_type() == DataType::Null => DataType::Utf8,
            (None, None, None) => field.data_type().clone(),
        };
        fields.push(Field::new(name, plain(&data_type), true));
    }
    fields.extend(STAMPS.map(|(name, kind)| Field::new(name, kind.data_type(), false)));
    Ok(Arc::new(Schema::new(fields)))
}

/// The type as tables store it: one form of text, instants in microseconds.
fn plain(data_type: &DataType) -> DataType {
    match data_type {
        DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        DataType::Timestamp(_, Some(_)) => Kind::Timestamp.data_type(),
        DataType::Dictionary(_, value) => plain(value),
        other => other.clone(),
    }
}

/// The typing of raw rows.
struct Typing {
    object: Object,
    schema: SchemaRef,
    spelling: Spelling,
    run: Run,
}

impl Typing {
    /// The line of the batch before its commit.
    fn line(&self, table: &TableName, rows: u64, bad: &[Quarantined]) -> Line {
        Line {
            object: self.object.label.clone(),
            table: table.to_string(),
            rows_read: rows,
            rows_quarantined: bad.len() as u64,
            ..Line::default()
        }
    }

    /// Appends the rows to `table`, unless an earlier attempt did.
    async fn commit(
        self: &Arc<Self>,
        writer: &Writer,
        table: &TableName,
        bad: BTreeMap<i64, BadRow>,
        line: Line,
        command: &str,
    ) -> Result<Line> {
        let layout = Layout {
            schema: self.schema.clone(),
            key: vec![],
            meaning: format!("rows of {} as they are", self.object.label),
        };
        writer.ensure(table, &layout).await?;
        let id = &self.run.batch_id;
        let good = line.rows_read - line.rows_quarantined;
        let (version, loaded, duplicate) = match writer.committed(table, id).await? {
            Some(version) => (version, 0, good),
            None => {
                let batch = Batch { id: id.clone(), command: command.to_owned() };
                let done = writer.append(table, self.clone().rows(bad), &batch).await?;
                (done.version, done.rows_loaded, 0)
            }
        };
        crm::balanced(Line {
            rows_loaded: loaded,
            rows_duplicate: duplicate,
            version: Some(version),
            ..line
        })
    }

    /// The rows that cannot be typed.
    async fn check(self: Arc<Self>) -> Result<BTreeMap<i64, BadRow>> {
        let lost = |e: tokio::task::JoinError| Error::Refused {
            subject: self.object.label.clone(),
            reason: e.to_string(),
        };
        let typing = self.clone();
        let checking = tokio::task::spawn_blocking(move || {
            let mut bad = BTreeMap::new();
            typing.each(|_, faults| {
                bad.extend(faults);
                Ok(bad.len() <= crm::BAD_ROWS_MAX) // the share of bad rows refuses it then
            })?;
            Ok(bad)
        });
        checking.await.map_err(lost)?
    }

    /// The typed rows without those of `bad`.
    fn rows(self: Arc<Self>, bad: BTreeMap<i64, BadRow>) -> SendableRecordBatchStream {
        let mut stream = RecordBatchReceiverStream::builder(self.schema.clone(), 2);
        let sender = stream.tx();
        stream.spawn_blocking(move || {
            let sent = self.each(|batch, _| {
                let ids = batch.column(0).as_primitive::<datafusion::arrow::datatypes::Int64Type>();
                let keep: BooleanArray =
                    ids.values().iter().map(|id| Some(!bad.contains_key(id))).collect();
                let kept = filter_record_batch(&batch, &keep)?;
                let rows = kept.num_rows();
                let mut columns = kept.columns()[1..].to_vec();
                columns.push(ledger::instants(&vec![Some(self.run.started_at); rows]));
                columns.push(ledger::same(&self.run.batch_id, rows));
                let batch = RecordBatch::try_new(self.schema.clone(), columns)?;
                Ok(rows == 0 || sender.blocking_send(Ok(batch)).is_ok())
            });
            sent.map_err(|e| DataFusionError::External(Box::new(e)))
        });
        stream.build()
    }

    /// Hands every batch (identity first) and its faults to `take` until it returns false.
    fn each(
        &self,
        mut take: impl FnMut(RecordBatch, BTreeMap<i64, BadRow>) -> Result<bool>,
    ) -> Result<()> {
        let mut fields = vec![Field::new(super::mapping::ROW, DataType::Int64, false)];
        let own = self.schema.fields().len() - STAMPS.len();
        fields.extend(self.schema.fields().iter().take(own).map(|f| f.as_ref().clone()));
        let schema = Arc::new(Schema::new(fields));
        for (n, file) in self.object.files.iter().enumerate() {
            let mut rows = source::open(&file.input, &self.object.options)?;
            while let Some(chunk) = rows.next_chunk()? {
                let ids: Vec<i64> =
                    chunk.ordinals.iter().map(|ordinal| export::row_id(n, *ordinal)).collect();
                let faults = Mutex::new(BTreeMap::new());
                let mut columns: Vec<ArrayRef> = vec![Arc::new(Int64Array::from(ids.clone()))];
                for (field, column) in self.schema.fields().iter().zip(&chunk.columns) {
                    columns.push(self.typed(field, column, &ids, &faults)?);
                }
                let batch = RecordBatch::try_new(schema.clone(), columns)?;
                let faults = faults.into_inner();
                if !take(batch, faults)? {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn typed(
        &self,
        field: &Field,
        column: &ArrayRef,
        ids: &[i64],
        faults: &Mutex<BTreeMap<i64, BadRow>>,
    ) -> Result<ArrayRef> {
        let fault = |row: usize, code, reason: String| {
            let bad = BadRow {
                table: self.object.label.clone(),
                column: field.name().clone(),
                code,
                reason,
            };
            let mut faults = faults.lock();
            faults.entry(ids[row]).or_insert(bad);
        };
        let kinds =
            [Kind::Integer, Kind::Number, Kind::Money, Kind::Date, Kind::Timestamp, Kind::Boolean];
        let kind = kinds.into_iter().find(|kind| kind.data_type() == *field.data_type());
        if let (Some(text), Some(kind)) = (column.as_string_opt::<i32>(), kind) {
            let mut add = |row: usize, value: &str, reason: &'static str| {
                fault(row, spelling::code(reason), quoted(field.name(), value, reason));
            };
            return Ok(typed_text(kind, text as &StringArray, self.spelling, &mut add));
        }
        let cast = datafusion::arrow::compute::cast(column, field.data_type())?;
        for row in (0..column.len()).filter(|row| column.is_valid(*row) && cast.is_null(*row)) {
            fault(row, "out_of_range", format!("{} is not a {}", field.name(), field.data_type()));
        }
        Ok(cast)
    }

    fn left_out(&self, bad: &BTreeMap<i64, BadRow>) -> Result<Vec<Quarantined>> {
        let mut rows = requeue::left_out(&self.object, Some(bad))?;
        rows.iter_mut().filter(|row| row.table.is_some()).for_each(|row| {
            row.table = Some(format!("{RAW}.{}", self.object.label));
        });
        Ok(rows)
    }
}
