//! Writes reports as Delta tables: `collect.win_loss` becomes `mart.collect_win_loss`.
//!
//! All reports of a run read the same generation of tables.
//! A report that fails leaves its table as it was and does not stop the others.

use std::fmt;
use std::sync::Arc;

use chrono::NaiveDate;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::StreamExt;

use crate::error::{Error, Result};
use crate::lake::{At, Batch, Committed, Layout, TableName};
use crate::schema;
use crate::session::{Engine, Session, ViewDefinition};

/// The command as the Delta log names it.
const COMMAND: &str = "materialize";

/// One report of a run.
#[derive(Debug)]
pub struct Materialized {
    /// Such as `collect.win_loss`.
    pub report: String,
    /// Table it is written to.
    pub table: TableName,
    /// What was committed, or why nothing was.
    pub result: Result<Committed>,
}

/// A run over one or all reports.
#[derive(Debug)]
pub struct Outcome {
    /// The reports in the order they were written.
    pub reports: Vec<Materialized>,
}

impl Outcome {
    /// Reports that failed (count); the command fails if there is one.
    pub fn failures(&self) -> usize {
        self.reports.iter().filter(|report| report.result.is_err()).count()
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Materialized { report, table, result } in &self.reports {
            match result {
                Ok(done) => writeln!(
                    f,
                    "{report} -> {table}: {} rows, version {}",
                    done.rows_loaded, done.version
                )?,
                Err(error) => writeln!(f, "{report} -> {table}: failed: {}", error.chain())?,
            }
        }
        let (count, failed) = (self.reports.len(), self.failures());
        writeln!(f, "{} of {count} reports written", count - failed)
    }
}

/// Writes the report called `name`, or all of them, as of `as_of` or the newest day in the data.
///
/// All of them are those of the process; a view of schema `ops` is written only by its name.
///
/// # Errors
/// 42P01 if there is no such report; a report that fails is in the outcome instead.
pub async fn materialize(
    engine: &Arc<Engine>,
    name: Option<&str>,
    as_of: Option<NaiveDate>,
) -> Result<Outcome> {
    let chosen: Vec<&ViewDefinition> = engine
        .views()
        .iter()
        .filter(|view| match name {
            Some(name) => format!("{}.{}", view.schema, view.name) == name,
            None => view.schema != schema::OPS,
        })
        .collect();
    if let (true, Some(name)) = (chosen.is_empty(), name) {
        let reason = "is no report; runrate check lists them".to_owned();
        return Err(Error::NoTable { table: name.into(), reason });
    }
    engine.refresh().await?;
    let session = engine.session(COMMAND);
    if let Some(day) = as_of {
        session.set("runrate.as_of", &day.to_string())?;
    }
    session.pin(true);
    let mut reports = vec![];
    for view in chosen {
        let table = TableName::new(schema::MART, format!("{}_{}", view.schema, view.name));
        let report = format!("{}.{}", view.schema, view.name);
        let result = write(&session, view, &report, &table).await;
        match &result {
            Ok(done) => tracing::info!(report, rows = done.rows_loaded, "report written"),
            Err(error) => tracing::error!(report, reason = error.chain(), "report failed"),
        }
        reports.push(Materialized { report, table, result });
    }
    engine.lake().writer(COMMAND).await?.upkeep().await;
    Ok(Outcome { reports })
}

async fn write(
    session: &Session,
    view: &ViewDefinition,
    report: &str,
    table: &TableName,
) -> Result<Committed> {
    let plain = session.query(&format!("SELECT * FROM {report} LIMIT 0")).await?;
    let rows = if plain.schema().field_with_name("as_of").is_ok() {
        session.query(&format!("SELECT * FROM {report}")).await?
    } else {
        let sql = format!("SELECT (SELECT as_of FROM ops.as_of) AS as_of, r.* FROM {report} AS r");
        session.query(&sql).await?
    };
    let rows = storable(rows);
    let layout = Layout { schema: rows.schema(), key: vec![], meaning: view.comment.clone() };
    let lake = session.engine().lake();
    let writer = lake.writer(COMMAND).await?;
    // Writing the same report twice is no mistake, so each version is a batch of its own.
    let version = lake.table(table, At::Latest).await?.map_or(0, |stored| stored.version());
    let batch = Batch { id: format!("{report} after {version}"), command: COMMAND.into() };
    writer.replace(table, &layout, rows, &batch).await
}

/// `rows` in types that Delta stores.
fn storable(rows: SendableRecordBatchStream) -> SendableRecordBatchStream {
    let fields: Vec<Field> = rows
        .schema()
        .fields()
        .iter()
        .map(|field| Field::new(field.name(), stored_type(field.data_type()), true))
        .collect();
    let schema: SchemaRef = Arc::new(Schema::new(fields));
    let target = schema.clone();
    let rows = rows.map(move |batch| as_stored(&batch?, &target));
    Box::pin(RecordBatchStreamAdapter::new(schema, rows))
}

fn as_stored(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, DataFusionError> {
    let columns = batch
        .columns()
        .iter()
        .zip(schema.fields())
        .map(|(column, field)| cast(column, field.data_type()))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(RecordBatch::try_new(schema.clone(), columns)?)
}

/// The type Delta has for `kind`: no unsigned numbers, no views, microseconds only.
fn stored_type(kind: &DataType) -> DataType {
    match kind {
        DataType::UInt8 | DataType::UInt16 | DataType::UInt32 | DataType::UInt64 => DataType::Int64,
        DataType::Utf8View | DataType::LargeUtf8 | DataType::Null => DataType::Utf8,
        DataType::Timestamp(_, zone) => DataType::Timestamp(TimeUnit::Microsecond, zone.clone()),
        other => other.clone(),
    }
}
