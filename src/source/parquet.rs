//! Parquet files, with the types they carry.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::json::LineDelimitedWriter;
use bytes::Bytes;
use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use datafusion::arrow::compute::{CastOptions, cast_with_options};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use super::{CHUNK_ROWS, COLUMNS_MAX, Chunk, Input, Origin, Rows, fault};
use crate::error::Result;

/// A Parquet file being read.
pub struct ParquetReader {
    path: PathBuf,
    schema: SchemaRef,
    batches: ParquetRecordBatchReader,
    next_row: u64,
}

impl ParquetReader {
    /// Reads the footer of `input`.
    ///
    /// # Errors
    /// [`Error::Source`] if it is not Parquet or compressed as a whole;
    /// [`crate::error::Error::File`].
    pub fn open(input: &Input) -> Result<Self> {
        let path = input.path().to_path_buf();
        if !input.is_whole() {
            let reason = "Parquet is read from its end, so it cannot be within a compressed file";
            return Err(fault(&path, 0, format!("{reason}; unpack it first")));
        }
        let bad = |e: parquet::errors::ParquetError| fault(input.path(), 0, e.to_string());
        let (schema, batches) = match input.on_disk()? {
            Some(file) => {
                let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(bad)?;
                (builder.schema().clone(), builder.with_batch_size(CHUNK_ROWS).build())
            }
            None => {
                let bytes = Bytes::from_static(input.in_program());
                let builder = ParquetRecordBatchReaderBuilder::try_new(bytes).map_err(bad)?;
                (builder.schema().clone(), builder.with_batch_size(CHUNK_ROWS).build())
            }
        };
        if schema.fields().len() > COLUMNS_MAX {
            return Err(fault(&path, 0, format!("more than {COLUMNS_MAX} columns")));
        }
        Ok(Self { batches: batches.map_err(bad)?, path, schema, next_row: 0 })
    }
}

impl Rows for ParquetReader {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn next_chunk(&mut self) -> Result<Option<Chunk>> {
        let Some(batch) = self.batches.next() else { return Ok(None) };
        let batch = batch.map_err(|e| fault(&self.path, self.next_row + 1, e.to_string()))?;
        let ordinals = (self.next_row..self.next_row + batch.num_rows() as u64).collect();
        self.next_row += batch.num_rows() as u64;
        Ok(Some(Chunk { columns: batch.columns().to_vec(), ordinals, rejected: vec![] }))
    }

    fn locate(&mut self, wanted: &BTreeSet<u64>) -> Result<Vec<Origin>> {
        // Rows of Parquet have neither line nor offset: the ordinal serves as the line.
        let origin = |row: &u64| Origin { row: *row, line: row + 1, byte_offset: 0, raw: vec![] };
        Ok(wanted.iter().map(origin).collect())
    }

    fn notes(&self) -> String {
        "Parquet".to_owned()
    }
}

/// A column of types as the text that CSV would have for it: dates and instants in ISO 8601,
/// nested values as JSON, numbers with a comma before their decimals if `is_decimal_comma`.
///
/// # Errors
/// [`crate::error::Error::Query`] for bytes, which are no text.
pub fn text(column: &ArrayRef, is_decimal_comma: bool) -> Result<ArrayRef> {
    let strict = CastOptions { safe: false, ..Default::default() };
    match column.data_type() {
        DataType::Utf8 => Ok(column.clone()),
        kind if kind.is_nested() => json_text(column),
        DataType::Timestamp(unit, Some(_)) => {
            let utc = cast_with_options(
                column,
                &DataType::Timestamp(*unit, Some("UTC".into())),
                &strict,
            )?;
            Ok(cast_with_options(&utc, &DataType::Utf8, &strict)?)
        }
        kind => {
            let text = cast_with_options(column, &DataType::Utf8, &strict)?;
            if !is_decimal_comma || !(kind.is_floating() || kind.is_decimal()) {
                return Ok(text);
            }
            let values = text.as_string::<i32>().iter();
            Ok(Arc::new(values.map(|v| v.map(|v| v.replace('.', ","))).collect::<StringArray>()))
        }
    }
}

/// Lists and structures, a value a row.
fn json_text(column: &ArrayRef) -> Result<ArrayRef> {
    let schema = Schema::new(vec![Field::new("v", column.data_type().clone(), true)]);
    let batch = RecordBatch::try_new(Arc::new(schema), vec![column.clone()])?;
    let mut lines = LineDelimitedWriter::new(Vec::new());
    lines.write(&batch)?;
    lines.finish()?;
    let lines = lines.into_inner();
    let values = lines.split(|byte| *byte == b'\n').take(column.len()).map(|line| {
        let row: serde_json::Map<_, serde_json::Value> = serde_json::from_slice(line).ok()?;
        row.get("v").filter(|value| !value.is_null()).map(ToString::to_string)
    });
    Ok(Arc::new(values.collect::<StringArray>()))
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::{
        Date32Array, Decimal128Array, Float64Array, Int64Array, ListArray,
        TimestampMicrosecondArray,
    };
    use datafusion::arrow::datatypes::Int64Type;

    use super::*;

    fn shown(column: ArrayRef, is_decimal_comma: bool) -> Vec<Option<String>> {
        let text = text(&column, is_decimal_comma).expect("has a text");
        text.as_string::<i32>().iter().map(|v| v.map(str::to_owned)).collect()
    }

    #[test]
    fn types_become_the_text_that_csv_would_have() {
        let some = |texts: &[&str]| texts.iter().map(|t| Some((*t).to_owned())).collect::<Vec<_>>();
        let money = Decimal128Array::from(vec![1_250]).with_precision_and_scale(18, 2);
        let money: ArrayRef = Arc::new(money.expect("fits"));
        assert_eq!(shown(money.clone(), false), some(&["12.50"]));
        assert_eq!(shown(money, true), some(&["12,50"]));
        assert_eq!(
            shown(Arc::new(Float64Array::from(vec![0.1, -3.0])), false),
            some(&["0.1", "-3.0"])
        );
        assert_eq!(
            shown(Arc::new(Int64Array::from(vec![None, Some(7)])), true)[1],
            Some("7".into())
        );
        assert_eq!(shown(Arc::new(Date32Array::from(vec![19_782])), false), some(&["2024-02-29"]));
        let at = TimestampMicrosecondArray::from(vec![1_709_164_800_000_000]);
        assert_eq!(shown(Arc::new(at.clone()), false), some(&["2024-02-29T00:00:00"]));
        let at = at.with_timezone("Europe/Madrid");
        assert_eq!(shown(Arc::new(at), false), some(&["2024-02-29T00:00:00Z"]));
        let lists = vec![Some(vec![Some(1), None]), None];
        let lists = ListArray::from_iter_primitive::<Int64Type, _, _>(lists);
        assert_eq!(shown(Arc::new(lists), false), [Some("[1,null]".into()), None]);
        let bytes: ArrayRef =
            Arc::new(datafusion::arrow::array::BinaryArray::from(vec![&b"\xFF"[..]]));
        assert!(text(&bytes, false).is_err());
    }
}
