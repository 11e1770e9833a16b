//! What EXPLAIN tells a client: the plan, but not where on the server its files are.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, RecordBatch, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::StreamExt;

/// `rows` with paths of files from the lake on.
pub(super) fn without_prefix(
    rows: SendableRecordBatchStream,
    prefix: String,
) -> SendableRecordBatchStream {
    let schema = rows.schema();
    let rows = rows.map(move |batch| shortened(&batch?, &prefix));
    Box::pin(RecordBatchStreamAdapter::new(schema, rows))
}

fn shortened(batch: &RecordBatch, prefix: &str) -> Result<RecordBatch, DataFusionError> {
    let columns = batch.columns().iter().map(|column| -> Result<ArrayRef, DataFusionError> {
        if !column.data_type().is_string() {
            return Ok(column.clone());
        }
        let texts = cast(column, &DataType::Utf8)?;
        let texts = texts.as_any().downcast_ref::<StringArray>();
        let texts: StringArray =
            texts.into_iter().flatten().map(|text| text.map(|t| t.replace(prefix, ""))).collect();
        Ok(cast(&(Arc::new(texts) as ArrayRef), column.data_type())?)
    });
    Ok(RecordBatch::try_new(batch.schema(), columns.collect::<Result<_, _>>()?)?)
}
