//! What EXPLAIN tells a client: the plan, but not where on the server its files are.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, RecordBatch, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::StreamExt;

/// `rows` with paths of files from the lake on, or without any unless they are for an operator.
pub(super) fn without_prefix(
    rows: SendableRecordBatchStream,
    prefix: String,
    is_for_operator: bool,
) -> SendableRecordBatchStream {
    let schema = rows.schema();
    let rows = rows.map(move |batch| shortened(&batch?, &prefix, is_for_operator));
    Box::pin(RecordBatchStreamAdapter::new(schema, rows))
}

fn shortened(
    batch: &RecordBatch,
    prefix: &str,
    is_for_operator: bool,
) -> Result<RecordBatch, DataFusionError> {
    let shown = |text: &str| match is_for_operator {
        true => text.replace(prefix, ""),
        false => without_files(text),
    };
    let columns = batch.columns().iter().map(|column| -> Result<ArrayRef, DataFusionError> {
        if !column.data_type().is_string() {
            return Ok(column.clone());
        }
        let texts = cast(column, &DataType::Utf8)?;
        let texts = texts.as_any().downcast_ref::<StringArray>();
        let texts: StringArray = texts.into_iter().flatten().map(|text| text.map(shown)).collect();
        Ok(cast(&(Arc::new(texts) as ArrayRef), column.data_type())?)
    });
    Ok(RecordBatch::try_new(batch.schema(), columns.collect::<Result<_, _>>()?)?)
}

/// `text` with the number of a scan's groups of files, but not the files.
fn without_files(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some((before, files)) = rest.split_once("file_groups={") {
        shown.push_str(before);
        shown.push_str("file_groups={");
        let mut parts = files.splitn(2, '}');
        let groups = parts.next().unwrap_or_default();
        shown.push_str(groups.split(':').next().unwrap_or_default());
        shown.push('}');
        rest = parts.next().unwrap_or_default();
    }
    shown.push_str(rest);
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_counted_and_not_named() {
        let text = "DataSourceExec: file_groups={2 groups: [[crm/a.parquet:0..9], [crm/b.parquet]]}, \
                    projection=[x]\nDataSourceExec: file_groups={1 group: [[c]]}, file_type=parquet";
        assert_eq!(
            without_files(text),
            "DataSourceExec: file_groups={2 groups}, projection=[x]\n\
             DataSourceExec: file_groups={1 group}, file_type=parquet"
        );
        assert_eq!(without_files("file_groups={1 group: [["), "file_groups={1 group}");
        assert_eq!(without_files("SortExec"), "SortExec");
    }
}
