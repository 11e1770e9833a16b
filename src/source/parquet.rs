//! Parquet files, with the types they carry.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::PathBuf;

use bytes::Bytes;
use datafusion::arrow::datatypes::SchemaRef;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use super::{CHUNK_ROWS, COLUMNS_MAX, Chunk, Input, Origin, Rows, fault};
use crate::error::{Error, Result};

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
    /// [`Error::Source`] if it is not Parquet; [`Error::File`].
    pub fn open(input: &Input) -> Result<Self> {
        let path = input.path().to_path_buf();
        let bad = |e: parquet::errors::ParquetError| fault(input.path(), 0, e.to_string());
        let (schema, batches) = match input {
            Input::File(path) => {
                let file = File::open(path).map_err(|e| Error::file("open", path, e))?;
                let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(bad)?;
                (builder.schema().clone(), builder.with_batch_size(CHUNK_ROWS).build())
            }
            Input::Embedded(_, bytes) => {
                let bytes = Bytes::from_static(bytes);
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
