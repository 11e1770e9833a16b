//! The server in SQL: `ops.queries`, `ops.sessions`, and the functions that stop what they show.
//!
//! A role sees its own sessions and statements, an admin all.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use datafusion::arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Int32Array, Int64Array, ListBuilder, RecordBatch,
    StringArray, StringBuilder, TimestampMicrosecondArray,
};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::{Session as EngineSession, TableProvider};
use datafusion::common::Result;
use datafusion::datasource::MemTable;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TableType,
    Volatility,
};
use datafusion::physical_plan::ExecutionPlan;

use super::Shared;
use super::activity::Record;
use super::cancel::{NotDone, SessionRow};
use crate::error::Error;
use crate::schema::OPS;
use crate::session::Session;

/// Adds the tables and functions to `session`.
///
/// # Errors
/// If the session refuses them.
pub(super) fn install(shared: &Arc<Shared>, session: &Session) -> crate::error::Result<()> {
    let access = session.access();
    let viewer = Viewer { role: access.role().to_owned(), is_admin: access.is_admin() };
    for (name, what) in [("queries", What::Queries), ("sessions", What::Sessions)] {
        let table = Watched { shared: shared.clone(), viewer: viewer.clone(), what };
        session.add_table(OPS, name, Arc::new(table));
    }
    for (name, is_end) in [("pg_cancel_backend", false), ("pg_terminate_backend", true)] {
        let signature = Signature::one_of(
            vec![
                datafusion::logical_expr::TypeSignature::Any(1),
                datafusion::logical_expr::TypeSignature::Any(2),
            ],
            Volatility::Volatile,
        );
        let (shared, viewer) = (shared.clone(), viewer.clone());
        session.context().register_udf(ScalarUDF::from(Stopping {
            shared,
            viewer,
            name,
            is_end,
            signature,
        }));
    }
    Ok(())
}

/// Who looks.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Viewer {
    role: String,
    is_admin: bool,
}

impl Viewer {
    fn sees(&self, role: &str) -> bool {
        self.is_admin || self.role == role
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Queries,
    Sessions,
}

/// A table that is made when it is read.
struct Watched {
    shared: Arc<Shared>,
    viewer: Viewer,
    what: What,
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Watched({:?})", self.what)
    }
}

impl Watched {
    fn batch(&self) -> Result<RecordBatch> {
        let sessions = &self.shared.sessions;
        match self.what {
            What::Queries => {
                let all = sessions.activity.all().into_iter();
                queries(&all.filter(|r| self.viewer.sees(&r.origin.role)).collect::<Vec<_>>())
            }
            What::Sessions => {
                let all = sessions.list().into_iter();
                session_rows(&all.filter(|row| self.viewer.sees(&row.role)).collect::<Vec<_>>())
            }
        }
    }
}

#[async_trait]
impl TableProvider for Watched {
    fn schema(&self) -> SchemaRef {
        // Of no rows, it is made of nothing that could fail.
        let empty = match self.what {
            What::Queries => queries(&[]),
            What::Sessions => session_rows(&[]),
        };
        empty.map_or_else(|_| Arc::new(Schema::empty()), |batch| batch.schema())
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn EngineSession,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let batch = self.batch()?;
        let table = MemTable::try_new(batch.schema(), vec![vec![batch]])?;
        table.scan(state, projection, filters, limit).await
    }
}

type Column = (&'static str, ArrayRef);

fn batch(columns: Vec<Column>) -> Result<RecordBatch> {
    let fields: Vec<Field> = columns
        .iter()
        .map(|(name, array)| Field::new(*name, array.data_type().clone(), true))
        .collect();
    let arrays = columns.into_iter().map(|(_, array)| array).collect();
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?)
}

fn text<'a>(values: impl Iterator<Item = &'a str>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}

fn count(values: impl Iterator<Item = u64>) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(values.map(|n| i64::try_from(n).unwrap_or(i64::MAX))))
}

fn ms(values: impl Iterator<Item = std::time::Duration>) -> ArrayRef {
    Arc::new(Float64Array::from_iter_values(
        values.map(|duration| (duration.as_secs_f64() * 1e6).round() / 1e3),
    ))
}

fn instants(values: impl Iterator<Item = Option<DateTime<Utc>>>) -> ArrayRef {
    let values = values.map(|at| at.map(|at| at.timestamp_micros()));
    Arc::new(TimestampMicrosecondArray::from_iter(values).with_timezone("UTC"))
}

fn lists<'a>(values: impl Iterator<Item = &'a [String]>) -> ArrayRef {
    let mut builder = ListBuilder::new(StringBuilder::new());
    values.for_each(|names| builder.append_value(names.iter().map(Some)));
    Arc::new(builder.finish())
}

fn queries(records: &[Arc<Record>]) -> Result<RecordBatch> {
    let each = || records.iter().map(AsRef::as_ref);
    let no_columns: &[String] = &[];
    batch(vec![
        ("query_id", count(each().map(|r: &Record| r.id))),
        ("pid", Arc::new(Int32Array::from_iter_values(each().map(|r| r.origin.process)))),
        ("role", text(each().map(|r| r.origin.role.as_str()))),
        ("client_address", text(each().map(|r| r.origin.client.as_str()))),
        ("application_name", text(each().map(|r| r.origin.application_name.as_str()))),
        ("state", text(each().map(Record::state))),
        ("query", text(each().map(|r| r.said.text.as_str()))),
        ("query_hash", text(each().map(|r| r.said.hash.as_str()))),
        ("relations", lists(each().map(|r| r.said.relations.as_slice()))),
        ("columns", lists(each().map(|r| r.ended().map_or(no_columns, |e| &e.columns)))),
        ("started_at", instants(each().map(|r| Some(r.started_at)))),
        ("ended_at", instants(each().map(|r| r.ended().map(|ended| ended.at)))),
        ("plan_ms", ms(each().map(Record::plan))),
        ("queue_ms", ms(each().map(Record::queue))),
        ("exec_ms", ms(each().map(Record::execution))),
        ("row_count", count(each().map(Record::rows))),
        ("result_bytes", count(each().map(Record::bytes))),
        ("memory_bytes", count(each().map(Record::memory_bytes))),
        ("memory_peak_bytes", count(each().map(Record::memory_peak_bytes))),
        ("spilled_bytes", count(each().map(|r| r.ended().map_or(0, |e| e.spilled_bytes)))),
        (
            "sqlstate",
            Arc::new(StringArray::from_iter(each().map(|r| r.ended().map(|e| e.sqlstate.clone())))),
        ),
    ])
}

fn session_rows(rows: &[SessionRow]) -> Result<RecordBatch> {
    let client = |row: &SessionRow| row.client.map(|client| client.to_string());
    batch(vec![
        ("pid", Arc::new(Int32Array::from_iter_values(rows.iter().map(|row| row.process)))),
        ("role", text(rows.iter().map(|row| row.role.as_str()))),
        ("client_address", Arc::new(StringArray::from_iter(rows.iter().map(client)))),
        ("application_name", text(rows.iter().map(|row| row.application_name.as_str()))),
        ("connected_at", instants(rows.iter().map(|row| Some(row.connected_at)))),
        ("state", text(rows.iter().map(|row| row.state))),
        ("state_since", instants(rows.iter().map(|row| Some(row.state_since)))),
        (
            "query_id",
            Arc::new(Int64Array::from_iter(
                rows.iter().map(|row| row.last.as_ref().and_then(|r| i64::try_from(r.id).ok())),
            )),
        ),
        (
            "query",
            Arc::new(StringArray::from_iter(
                rows.iter().map(|row| row.last.as_ref().map(|r| r.said.text.clone())),
            )),
        ),
    ])
}

/// `pg_cancel_backend(pid)` and `pg_terminate_backend(pid, timeout)`.
struct Stopping {
    shared: Arc<Shared>,
    viewer: Viewer,
    name: &'static str,
    is_end: bool,
    signature: Signature,
}

impl fmt::Debug for Stopping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stopping({})", self.name)
    }
}

impl PartialEq for Stopping {
    fn eq(&self, other: &Self) -> bool {
        (self.name, &self.viewer) == (other.name, &other.viewer)
    }
}

impl Eq for Stopping {}

impl Hash for Stopping {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl Stopping {
    fn stop(&self, process: i32) -> Result<bool> {
        let Viewer { role, is_admin } = &self.viewer;
        let outcome = self.shared.sessions.by_rule(process, role, *is_admin, self.is_end);
        let is_done = match outcome {
            Ok(()) => true,
            Err(NotDone::NoSession) => false,
            Err(NotDone::Forbidden) => {
                let verb = if self.is_end { "terminate" } else { "cancel" };
                let message = format!("permission denied to {verb} a session of another role");
                let error = Error::statement("42501", message);
                return Err(DataFusionError::External(Box::new(error)));
            }
        };
        let event = if self.is_end { "terminate" } else { "cancel" };
        let more = serde_json::json!({ "session": process, "found": is_done });
        self.shared.audit.event(event, role, "", more);
        Ok(is_done)
    }
}

impl ScalarUDFImpl for Stopping {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some(processes) = args.args.first() else {
            return datafusion::common::exec_err!("{}: needs a process number", self.name);
        };
        let processes = processes.to_array(args.number_rows)?;
        let processes = datafusion::arrow::compute::cast(&processes, &DataType::Int32)?;
        let processes: &Int32Array = datafusion::common::cast::as_int32_array(&processes)?;
        let stop = |process: Option<i32>| process.map(|process| self.stop(process)).transpose();
        let done = processes.iter().map(stop).collect::<Result<BooleanArray>>()?;
        Ok(ColumnarValue::Array(Arc::new(done)))
    }
}
