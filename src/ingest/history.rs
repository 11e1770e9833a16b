//! The history of deals across batches: states that the CRM does not record are made of what
//! successive loads saw, and a state ends where the next one of the same deal begins.
//!
//! A deal first seen open has its state since it was created, because nothing else is known; each
//! later load that finds it otherwise begins a state at the deal's `updated_at`, or at the moment of
//! the batch. Both are `derived`. A deal first seen closed has no history: when it was where is not
//! known. A CRM that records history has no derived states; once it brings the first recorded ones,
//! those that were derived before are marked deleted.

use std::sync::Arc;

use datafusion::arrow::record_batch::RecordBatch;
use datafusion::catalog::{MemorySchemaProvider, SchemaProvider};
use datafusion::datasource::empty::EmptyTable;
use futures::TryStreamExt;

use super::Line;
use super::crm::layout;
use super::ledger::{self, Run};
use crate::error::{Error, Result};
use crate::lake::{At, Batch, TableName, Writer};
use crate::schema::{self, CRM, Table};
use crate::session::{CATALOG, Engine};

const HISTORY: &str = "opportunity_stage_history";
/// Schema of the tables as they are after the batch's commits.
const LATEST: &str = "latest";

/// What tells two states of a deal apart.
const STATE: &[&str] = &[
    "stage_id",
    "amount",
    "currency",
    "probability",
    "close_date",
    "forecast_category",
    "owner_id",
];

/// Brings the history up to date with the batch of `run`; a line if it derived states.
pub(super) async fn derive(
    engine: &Arc<Engine>,
    writer: &Writer,
    run: &Run,
    command: &str,
) -> Result<Option<Line>> {
    let Some(table) = schema::table(HISTORY) else { return Ok(None) };
    let step = Step { engine, writer, run, command };
    writer.ensure(&TableName::new(CRM, HISTORY), &layout(table)).await?;
    let derived = step.put("observed", &observed(table, run)).await?;
    step.put("superseded", &superseded(table)).await?;
    step.put("ended", &ended(table, run)).await?;
    Ok((derived.rows_read > 0).then_some(derived))
}

/// One change of the history table: a query for the rows to put, and their commit.
struct Step<'a> {
    engine: &'a Arc<Engine>,
    writer: &'a Writer,
    run: &'a Run,
    command: &'a str,
}

impl Step<'_> {
    async fn put(&self, what: &str, sql: &str) -> Result<Line> {
        let name = TableName::new(CRM, HISTORY);
        let mut line =
            Line { object: "(derived)".into(), table: name.to_string(), ..Line::default() };
        let rows = self.rows(sql).await?;
        line.rows_read = rows.iter().map(|batch| batch.num_rows() as u64).sum();
        if line.rows_read == 0 {
            return Ok(line);
        }
        let rows = ledger::stream_of(rows[0].schema(), rows);
        let id = format!("{}/{what}", self.run.batch_id);
        let commit = Batch { id, command: self.command.to_owned() };
        let done = self.writer.upsert(&name, rows, &commit).await?;
        line.rows_loaded = done.rows_loaded;
        line.rows_duplicate = done.rows_duplicate;
        line.version = Some(done.version);
        Ok(line)
    }

    /// The answer to `sql` over the tables as they are now.
    async fn rows(&self, sql: &str) -> Result<Vec<RecordBatch>> {
        let session = self.engine.session("ingest");
        let tables = Arc::new(MemorySchemaProvider::new());
        for table in ["opportunities", HISTORY] {
            let found = self.engine.lake().table(&TableName::new(CRM, table), At::Latest).await?;
            let Some(definition) = schema::table(table) else { continue };
            let provider = match found {
                Some(found) => found.provider(),
                None => Arc::new(EmptyTable::new(definition.arrow_schema())),
            };
            tables.register_table(table.to_owned(), provider)?;
        }
        let catalog = session.context().catalog(CATALOG).ok_or_else(|| Error::NoTable {
            table: CATALOG.into(),
            reason: "is not the session's database".into(),
        })?;
        catalog.register_schema(LATEST, tables)?;
        let rows = session.context().sql(sql).await?;
        Ok(session.run(rows.into_unoptimized_plan()).await?.try_collect().await?)
    }
}

/// Every column of `table`, each as `of` writes it, in the order of its key.
fn select(table: &Table, of: impl Fn(&str) -> String, rest: &str) -> String {
    let columns: Vec<String> = table
        .all_columns()
        .map(|column| format!("{} AS \"{}\"", of(column.name), column.name))
        .collect();
    format!("SELECT {} {rest} ORDER BY opportunity_id, valid_from", columns.join(", "))
}

/// Source systems that record history themselves.
const RECORDED: &str = "SELECT DISTINCT source_system FROM latest.opportunity_stage_history \
    WHERE history_quality IS DISTINCT FROM 'derived'";

/// States that this batch is the first to see.
fn observed(table: &Table, run: &Run) -> String {
    let moment = format!("TIMESTAMP '{}'", run.started_at.format("%Y-%m-%dT%H:%M:%S%.6fZ"));
    let is_other: Vec<String> =
        STATE.iter().map(|c| format!("(o.{c} IS DISTINCT FROM h.{c})")).collect();
    let value = |column: &str| match column {
        "valid_from" => format!(
            "CASE WHEN h.opportunity_id IS NULL THEN coalesce(o.created_at, o.updated_at, {moment}) \
             ELSE coalesce(o.updated_at, {moment}) END"
        ),
        "valid_to" | "changed_by" | "extra" => "NULL".to_owned(),
        "history_quality" => "'derived'".to_owned(),
        "is_deleted" => "false".to_owned(),
        column => format!("o.\"{column}\""),
    };
    let rest = format!(
        "FROM latest.opportunities o \
         LEFT JOIN (SELECT s.*, row_number() OVER (PARTITION BY s.opportunity_id \
                 ORDER BY s.valid_from DESC) AS place FROM latest.opportunity_stage_history s \
                 WHERE NOT s.is_deleted AND s.history_quality = 'derived') h \
             ON h.opportunity_id = o.opportunity_id AND h.place = 1 \
         LEFT JOIN ({RECORDED}) r ON r.source_system = o.source_system \
         WHERE o._batch_id = '{}' AND NOT o.is_deleted AND r.source_system IS NULL \
         AND CASE WHEN h.opportunity_id IS NULL THEN NOT o.is_closed ELSE {} END",
        run.batch_id,
        is_other.join(" OR ")
    );
    select(table, value, &rest)
}

/// Derived states of a system that has recorded ones by now.
fn superseded(table: &Table) -> String {
    let value = |column: &str| match column {
        "is_deleted" => "true".to_owned(),
        column => format!("h.\"{column}\""),
    };
    let rest = format!(
        "FROM latest.opportunity_stage_history h JOIN ({RECORDED}) r \
         ON r.source_system = h.source_system \
         WHERE h.history_quality = 'derived' AND NOT h.is_deleted"
    );
    select(table, value, &rest)
}

/// States that another batch's state of the same deal has ended.
fn ended(table: &Table, run: &Run) -> String {
    let value = |column: &str| match column {
        "valid_to" => "h.next_from".to_owned(),
        column => format!("h.\"{column}\""),
    };
    let rest = format!(
        "FROM (SELECT s.*, lead(s.valid_from) OVER (PARTITION BY s.opportunity_id \
             ORDER BY s.valid_from) AS next_from \
             FROM latest.opportunity_stage_history s \
             JOIN (SELECT DISTINCT opportunity_id FROM latest.opportunity_stage_history \
                 WHERE _batch_id = '{}') t ON t.opportunity_id = s.opportunity_id \
             WHERE NOT s.is_deleted) h \
         WHERE h.next_from IS NOT NULL AND (h.valid_to IS NULL OR h.valid_to > h.next_from)",
        run.batch_id
    );
    select(table, value, &rest)
}
