//! The ledger of batches and the quarantine, as rows of schema `ops`.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use datafusion::arrow::array::{
    ArrayRef, AsArray, Decimal128Array, Int64Array, StringArray, TimestampMicrosecondArray,
    new_null_array,
};
use datafusion::arrow::datatypes::{DataType, Int64Type, SchemaRef};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::prelude::{cast, col, lit};
use futures::TryStreamExt;

use super::{Line, Money};
use crate::error::{Error, Result};
use crate::lake::{At, Batch, Layout, TableName, Writer};
use crate::schema::{self, OPS, Table};
use crate::session::Engine;

/// What all lines of a batch share.
#[derive(Debug, Clone)]
pub(super) struct Run {
    pub batch_id: String,
    pub source_system: String,
    pub mapping_version: String,
    pub started_at: DateTime<Utc>,
    /// How its rows were read, for those that are put aside.
    pub reading: String,
    /// The columns that mappings take of each object, comma-separated.
    pub columns: BTreeMap<String, String>,
}

/// A row that was not loaded.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Quarantined {
    pub object: String,
    pub file: String,
    pub line: u64,
    pub byte_offset: u64,
    pub table: Option<String>,
    pub column: Option<String>,
    pub code: String,
    pub reason: String,
    pub raw: Vec<u8>,
    /// The header line that the row stood under, if its format has one.
    pub header: Option<String>,
}

/// Makes the tables of schema `ops` if they do not exist.
pub(super) async fn ensure(writer: &Writer) -> Result<()> {
    for table in schema::ops_tables() {
        let layout = Layout {
            schema: table.own_schema(),
            key: table.key.iter().map(|key| (*key).to_owned()).collect(),
            meaning: table.meaning.to_owned(),
        };
        writer.ensure(&TableName::new(OPS, table.name), &layout).await?;
    }
    Ok(())
}

/// The lines of batch `id` if all of it was loaded.
pub(super) async fn find(engine: &Arc<Engine>, id: &str) -> Result<Option<Vec<Line>>> {
    let name = TableName::new(OPS, "ingest_runs");
    let Some(table) = engine.lake().table(&name, At::Latest).await? else { return Ok(None) };
    let session = engine.session("ingest");
    let rows = session
        .context()
        .read_table(table.provider())?
        .filter(col("batch_id").eq(lit(id)).and(col("status").eq(lit("loaded"))))?
        .select(vec![
            cast(col("object"), DataType::Utf8).alias("object"),
            cast(col("table_name"), DataType::Utf8).alias("table_name"),
            col("rows_read"),
        ])?
        .sort(vec![col("object").sort(true, true), col("table_name").sort(true, true)])?;
    let rows: Vec<RecordBatch> =
        session.run(rows.into_unoptimized_plan()).await?.try_collect().await?;
    let mut lines = Vec::new();
    for batch in &rows {
        let objects = batch.column(0).as_string::<i32>();
        let tables = batch.column(1).as_string::<i32>();
        let reads = batch.column(2).as_primitive::<Int64Type>();
        for row in 0..batch.num_rows() {
            let read = reads.value(row) as u64;
            lines.push(Line {
                object: objects.value(row).to_owned(),
                table: tables.value(row).to_owned(),
                rows_read: read,
                rows_duplicate: read,
                ..Line::default()
            });
        }
    }
    Ok((!lines.is_empty()).then_some(lines))
}

/// The columns that the last loaded batch of `source_system` had of each object, comma-separated.
pub(super) async fn columns_before(
    engine: &Arc<Engine>,
    source_system: &str,
) -> Result<BTreeMap<String, String>> {
    let mut before = BTreeMap::new();
    let name = TableName::new(OPS, "ingest_runs");
    let Some(table) = engine.lake().table(&name, At::Latest).await? else { return Ok(before) };
    if table.schema().index_of("columns").is_err() {
        return Ok(before); // written by an older release
    }
    let session = engine.session("ingest");
    let is_loaded =
        col("source_system").eq(lit(source_system)).and(col("status").eq(lit("loaded")));
    let rows = session
        .context()
        .read_table(table.provider())?
        .filter(is_loaded.and(col("columns").is_not_null()))?
        .sort(vec![col("started_at").sort(true, true)])?
        .select(vec![
            cast(col("object"), DataType::Utf8).alias("object"),
            cast(col("columns"), DataType::Utf8).alias("columns"),
        ])?;
    let rows: Vec<RecordBatch> =
        session.run(rows.into_unoptimized_plan()).await?.try_collect().await?;
    for batch in &rows {
        let (objects, columns) =
            (batch.column(0).as_string::<i32>(), batch.column(1).as_string::<i32>());
        for row in 0..batch.num_rows() {
            before.insert(objects.value(row).to_owned(), columns.value(row).to_owned());
        }
    }
    Ok(before)
}

/// Adds the rows that were not loaded; the same rows again change nothing.
pub(super) async fn quarantine(
    writer: &Writer,
    run: &Run,
    rows: &[Quarantined],
    command: &str,
) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut by_key: BTreeMap<_, &Quarantined> = BTreeMap::new();
    for row in rows {
        by_key.entry((&row.object, &row.file, row.line, row.byte_offset)).or_insert(row);
    }
    let rows: Vec<&Quarantined> = by_key.into_values().collect();
    let text = |of: fn(&Quarantined) -> Option<String>| -> ArrayRef {
        Arc::new(rows.iter().map(|row| of(row)).collect::<StringArray>())
    };
    let number = |of: fn(&Quarantined) -> u64| -> ArrayRef {
        Arc::new(rows.iter().map(|row| Some(of(row) as i64)).collect::<Int64Array>())
    };
    let columns = vec![
        same(&run.batch_id, rows.len()),
        text(|row| Some(row.object.clone())),
        text(|row| Some(row.file.clone())),
        number(|row| row.line),
        number(|row| row.byte_offset),
        same(&run.source_system, rows.len()),
        text(|row| row.table.clone()),
        text(|row| row.column.clone()),
        text(|row| Some(row.code.clone())),
        text(|row| Some(row.reason.clone())),
        text(|row| Some(STANDARD.encode(&row.raw))),
        // The batch's own time: a retry of the batch writes the very same rows.
        instants(&vec![Some(run.started_at); rows.len()]),
        text(|row| row.header.clone()),
        new_null_array(&DataType::Utf8, rows.len()),
        same(&run.reading, rows.len()),
    ];
    upsert(writer, "quarantine", columns, &run.batch_id, command).await
}

/// Writes what became of the money of a batch.
pub(super) async fn reconcile(
    writer: &Writer,
    run: &Run,
    money: &[Money],
    command: &str,
) -> Result<()> {
    if money.is_empty() {
        return Ok(());
    }
    let mut money: Vec<&Money> = money.iter().collect();
    let key = |line: &Money| (line.table.clone(), line.column.clone(), line.currency.clone());
    money.sort_by_cached_key(|line| key(line));
    let text = |of: fn(&Money) -> &str| -> ArrayRef {
        Arc::new(money.iter().map(|line| Some(of(line))).collect::<StringArray>())
    };
    let amount = |of: fn(&Money) -> i128| -> Result<ArrayRef> {
        let amounts = Decimal128Array::from_iter_values(money.iter().map(|line| of(line)));
        Ok(Arc::new(amounts.with_precision_and_scale(18, 2)?))
    };
    let count = money.len();
    let columns = vec![
        same(&run.batch_id, count),
        text(|line| &line.table),
        text(|line| &line.column),
        text(|line| &line.currency),
        same(&run.source_system, count),
        amount(|line| line.read)?,
        amount(|line| line.loaded)?,
        amount(|line| line.quarantined)?,
        amount(|line| line.duplicate)?,
        instants(&vec![Some(run.started_at); count]),
    ];
    upsert(writer, "reconciliation", columns, &run.batch_id, command).await
}

/// Writes the lines of a batch; the last thing a batch does.
pub(super) async fn record(
    writer: &Writer,
    run: &Run,
    lines: &[(Line, String)],
    error: Option<&str>,
    command: &str,
) -> Result<()> {
    let mut lines: Vec<&(Line, String)> = lines.iter().collect();
    lines.sort_by(|a, b| (&a.0.object, &a.0.table).cmp(&(&b.0.object, &b.0.table)));
    let text = |of: &dyn Fn(&(Line, String)) -> String| -> ArrayRef {
        Arc::new(lines.iter().map(|line| Some(of(line))).collect::<StringArray>())
    };
    let number = |of: &dyn Fn(&Line) -> Option<i64>| -> ArrayRef {
        Arc::new(lines.iter().map(|line| of(&line.0)).collect::<Int64Array>())
    };
    let count = lines.len();
    let columns = vec![
        same(&run.batch_id, count),
        text(&|line| line.0.object.clone()),
        text(&|line| line.0.table.clone()),
        same(&run.source_system, count),
        text(&|line| line.1.clone()),
        number(&|line| Some(line.rows_read as i64)),
        number(&|line| Some(line.rows_loaded as i64)),
        number(&|line| Some(line.rows_quarantined as i64)),
        number(&|line| Some(line.rows_duplicate as i64)),
        same(if error.is_some() { "refused" } else { "loaded" }, count),
        instants(&vec![Some(run.started_at); count]),
        instants(&vec![Some(Utc::now()); count]),
        same(&run.mapping_version, count),
        Arc::new(StringArray::from(vec![error; count])),
        number(&|line| line.version),
        Arc::new(lines.iter().map(|line| run.columns.get(&line.0.object)).collect::<StringArray>()),
    ];
    // A refused batch may be forced later: its line must not stand in the way of the loaded one.
    let id = match error {
        Some(_) => format!("{}/refused/{}", run.batch_id, run.started_at.timestamp_micros()),
        None => run.batch_id.clone(),
    };
    upsert(writer, "ingest_runs", columns, &id, command).await
}

async fn upsert(
    writer: &Writer,
    table: &str,
    columns: Vec<ArrayRef>,
    id: &str,
    command: &str,
) -> Result<()> {
    let name = TableName::new(OPS, table);
    if writer.committed(&name, id).await?.is_some() {
        return Ok(());
    }
    let batch = RecordBatch::try_new(definition(table)?.own_schema(), columns)?;
    let rows = stream(batch);
    let batch = Batch { id: id.to_owned(), command: command.to_owned() };
    writer.upsert(&name, rows, &batch).await?;
    Ok(())
}

pub(super) fn definition(name: &str) -> Result<&'static Table> {
    schema::ops_tables().find(|table| table.name == name).ok_or_else(|| Error::NoTable {
        table: format!("{OPS}.{name}"),
        reason: "is not defined".into(),
    })
}

/// `batches`, whose columns are those of `schema`, as a stream.
pub(super) fn stream_of(schema: SchemaRef, batches: Vec<RecordBatch>) -> SendableRecordBatchStream {
    let batches = futures::stream::iter(batches.into_iter().map(Ok));
    Box::pin(RecordBatchStreamAdapter::new(schema, batches))
}

/// One batch as a stream.
pub(super) fn stream(batch: RecordBatch) -> SendableRecordBatchStream {
    stream_of(batch.schema(), vec![batch])
}

/// `text` in every one of `rows` rows.
pub(super) fn same(text: &str, rows: usize) -> ArrayRef {
    Arc::new(StringArray::from(vec![text; rows]))
}

/// Instants as the lake stores them.
pub(super) fn instants(values: &[Option<DateTime<Utc>>]) -> ArrayRef {
    let micros = values.iter().map(|at| at.map(|at| at.timestamp_micros()));
    Arc::new(micros.collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
}
