//! What ingest did, as metrics: read from its ledger, which another process writes.

use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Float64Type, Int64Type};
use futures::TryStreamExt;

use super::metrics::{escaped, family};
use crate::error::Result;
use crate::session::Engine;

/// Rows by source and what became of them, and when the last batch was done.
const LEDGER: &str = "SELECT source_system, CAST(sum(rows_loaded) AS bigint), \
                      CAST(sum(rows_quarantined) AS bigint), CAST(sum(rows_duplicate) AS bigint), \
                      CAST(date_part('epoch', max(finished_at)) AS double precision) \
                      FROM ops.ingest_runs GROUP BY source_system ORDER BY source_system";

/// The metrics as Prometheus reads them; without values if the ledger cannot be read.
pub(super) async fn metrics(engine: &Arc<Engine>) -> String {
    let (mut rows, mut ends) = (vec![], vec![]);
    match read(engine).await {
        Ok(batches) => batches.iter().for_each(|batch| collect(batch, &mut rows, &mut ends)),
        Err(error) => tracing::error!(error = error.chain(), "the ledger cannot be read"),
    }
    let mut out = String::new();
    family(&mut out, "runrate_ingest_rows_total", "counter", &rows);
    family(&mut out, "runrate_ingest_batch_timestamp_seconds", "gauge", &ends);
    out
}

async fn read(engine: &Arc<Engine>) -> Result<Vec<RecordBatch>> {
    let session = engine.session("metrics");
    Ok(session.query(LEDGER).await?.try_collect().await?)
}

type Values = Vec<(String, f64)>;

fn collect(batch: &RecordBatch, rows: &mut Values, ends: &mut Values) {
    let Ok(sources) = cast(batch.column(0), &DataType::Utf8) else { return };
    let sources = sources.as_string::<i32>();
    for row in 0..batch.num_rows() {
        let source = escaped(sources.value(row));
        for (column, outcome) in [(1, "loaded"), (2, "quarantined"), (3, "duplicate")] {
            let count = batch.column(column).as_primitive::<Int64Type>().value(row);
            rows.push((format!("source=\"{source}\",outcome=\"{outcome}\""), count as f64));
        }
        let end = batch.column(4).as_primitive::<Float64Type>();
        if !end.is_null(row) {
            ends.push((format!("source=\"{source}\""), end.value(row)));
        }
    }
}
