//! Do the tables hold what the ledger says was loaded into them?

use std::collections::BTreeMap;

use datafusion::arrow::array::{AsArray, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int64Type};

use super::derived::OWN;
use super::ledger::definition;
use crate::error::Result;
use crate::lake::{Checked, Finding, Lake, TableName, Verified, by_batch};
use crate::schema::{CRM, OPS, RAW};

/// A table of which later batches change rows without a line in the ledger: states that end.
const CHANGED_LATER: &str = "crm.opportunity_stage_history";

/// What the ledger says of one batch and table.
#[derive(Debug, Clone, Copy, Default)]
struct Recorded {
    rows_loaded: u64,
    /// The version that held them.
    version: i64,
    /// Objects that brought them (count); of two, one may have replaced rows of the other.
    objects: u64,
}

type Ledger = BTreeMap<(String, String), Recorded>;

/// Compares the rows of each batch in `verified` with the ledger: none is unknown, none has more
/// rows than were loaded. Rows that Runrate made itself are in no ledger.
///
/// Later batches take the place of rows, so there may be fewer. In the version that a batch made its
/// rows are counted exactly: if that is the newest one, and `deep` wherever it can still be read.
///
/// # Errors
/// [`crate::error::Error::Query`] if the ledger cannot be read.
pub async fn verify_ledger(lake: &Lake, verified: &Verified, deep: bool) -> Result<Vec<Finding>> {
    let mut findings = vec![];
    let ledger = ledger(lake, verified).await?;
    let tables = verified.tables.iter();
    for table in tables.filter(|table| [CRM, RAW].contains(&table.name.schema.as_str())) {
        let name = table.name.to_string();
        for (batch, rows) in &brought(&table.batches) {
            let place = format!("{name}, batch {batch}");
            let Some(recorded) = ledger.get(&(name.clone(), batch.clone())) else {
                findings.push(Finding {
                    place,
                    fault: format!("{rows} rows of a batch that ops.ingest_runs does not know"),
                    advice: "ingest its files again: that finishes what was not recorded".into(),
                });
                continue;
            };
            if *rows > recorded.rows_loaded && name != CHANGED_LATER {
                findings.push(disagreement(place, *rows, recorded.rows_loaded, table.version));
            }
        }
        let of_table = ledger.iter().filter(|((of, _), _)| *of == name && name != CHANGED_LATER);
        for ((_, batch), recorded) in of_table.filter(|(_, recorded)| recorded.objects == 1) {
            let found = rows_then(lake, table, batch, *recorded, deep).await?;
            if found.is_some_and(|rows| rows != recorded.rows_loaded) {
                let place = format!("{name}, batch {batch}");
                let rows = found.unwrap_or_default();
                findings.push(disagreement(place, rows, recorded.rows_loaded, recorded.version));
            }
        }
    }
    findings.dedup();
    Ok(findings)
}

fn disagreement(place: String, found: u64, loaded: u64, version: i64) -> Finding {
    Finding {
        place,
        fault: format!("version {version} has {found} rows, and ops.ingest_runs says {loaded}"),
        advice: "ingest its files into another lake and compare; a backup has the rows".into(),
    }
}

/// Rows by batch, without those that Runrate made itself.
fn brought(batches: &BTreeMap<(String, String), u64>) -> BTreeMap<String, u64> {
    let mut brought = BTreeMap::new();
    for ((batch, _), rows) in batches.iter().filter(|((_, system), _)| system != OWN) {
        *brought.entry(batch.clone()).or_default() += rows;
    }
    brought
}

/// Rows of `batch` in the version it made, if they are to be counted and can be.
async fn rows_then(
    lake: &Lake,
    table: &Checked,
    batch: &str,
    recorded: Recorded,
    deep: bool,
) -> Result<Option<u64>> {
    if recorded.version == table.version {
        return Ok(Some(brought(&table.batches).get(batch).copied().unwrap_or_default()));
    }
    if !deep || recorded.version > table.version || recorded.rows_loaded == 0 {
        return Ok(None);
    }
    let columns = ["_batch_id", "source_system"];
    let rows = lake.rows(&table.name, recorded.version, &columns).await?;
    let Some(rows) = rows else { return Ok(None) };
    let mut count = 0;
    for rows in rows {
        count += brought(&by_batch(&rows)?).get(batch).copied().unwrap_or_default();
    }
    Ok(Some(count))
}

/// The loaded lines of the ledger, by table and batch.
async fn ledger(lake: &Lake, verified: &Verified) -> Result<Ledger> {
    let mut ledger = Ledger::new();
    let name = TableName::new(OPS, definition("ingest_runs")?.name);
    let Some(checked) = verified.tables.iter().find(|table| table.name == name) else {
        return Ok(ledger);
    };
    let columns = ["batch_id", "table_name", "status", "rows_loaded", "table_version"];
    let rows = lake.rows(&name, checked.version, &columns).await?.unwrap_or_default();
    for rows in &rows {
        let (batches, tables) = (texts(rows, "batch_id")?, texts(rows, "table_name")?);
        let statuses = texts(rows, "status")?;
        let (loaded, versions) = (numbers(rows, "rows_loaded"), numbers(rows, "table_version"));
        for row in 0..rows.num_rows() {
            if statuses[row] != "loaded" {
                continue;
            }
            let line = ledger.entry((tables[row].clone(), batches[row].clone())).or_default();
            line.objects += 1;
            line.rows_loaded += loaded[row].unwrap_or_default().unsigned_abs();
            line.version = line.version.max(versions[row].unwrap_or(-1));
        }
    }
    Ok(ledger)
}

/// Values of a column of texts; empty where it is absent or NULL.
fn texts(rows: &RecordBatch, name: &str) -> Result<Vec<String>> {
    let Some(column) = rows.column_by_name(name) else {
        return Ok(vec![String::new(); rows.num_rows()]);
    };
    let column = cast(column, &DataType::Utf8)?;
    let values = column.as_string::<i32>().iter();
    Ok(values.map(|value| value.unwrap_or_default().to_owned()).collect())
}

/// Values of a column of whole numbers; none where it is absent.
fn numbers(rows: &RecordBatch, name: &str) -> Vec<Option<i64>> {
    match rows.column_by_name(name).and_then(|column| column.as_primitive_opt::<Int64Type>()) {
        Some(column) => column.iter().collect(),
        None => vec![None; rows.num_rows()],
    }
}
