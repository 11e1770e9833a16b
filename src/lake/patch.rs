//! A data file written again with some of its rows replaced where they stand.
//!
//! Only columns that change are decoded and encoded; the pages of all others are copied as they are,
//! which is most of the work of a merge. Rows keep their places, so a sorted file stays sorted.
//! Measured with one row in a hundred of 1.94 million changed: 1.9 s, where writing whole files
//! again took 4.0 s and the whole load takes 13.5 s. Deletion vectors would write less still, but
//! then readers of plain Delta could not read the tables.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use datafusion::arrow::array::{Array, ArrayRef, MutableArrayData, RecordBatch, make_array};
use datafusion::arrow::compute::concat;
use datafusion::arrow::datatypes::{Field, Schema, SchemaRef};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowSelection,
};
use parquet::arrow::arrow_writer::{
    ArrowColumnChunk, ArrowColumnWriter, ArrowWriter, compute_leaves,
};
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::ParquetError;
use parquet::file::metadata::PageIndexPolicy;
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::writer::SerializedRowGroupWriter;
use parquet::schema::types::SchemaDescriptor;

use super::bounds::Bounds;
use super::snapshot::Snapshot;
use super::write::{conform, properties};
use crate::error::{Error, Result};

/// Rows that are decoded at a time.
const BATCH_ROWS: usize = 64 << 10;

/// A data file in memory, as it is stored.
pub(super) struct Stored {
    bytes: Bytes,
    metadata: ArrowReaderMetadata,
}

/// A file that was written again, and the bounds of the columns that changed.
pub(super) struct Patched {
    pub bytes: Vec<u8>,
    /// Bounds of the columns that were encoded, by name.
    pub bounds: Vec<(String, Bounds)>,
}

/// Rows that take the places of others.
pub(super) struct Patch<'a> {
    /// Places in the file, ascending.
    pub places: &'a [usize],
    /// The row for each, with the columns of the table.
    pub rows: &'a RecordBatch,
    /// Whether a column of the table differs in any of them.
    pub changed: &'a [bool],
}

impl Stored {
    /// Reads the footer of `bytes`.
    ///
    /// # Errors
    /// [`Error::Query`] if it is no Parquet file.
    pub(super) fn new(bytes: Bytes) -> Result<Self> {
        let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Optional);
        let metadata = ArrowReaderMetadata::load(&bytes, options).map_err(failed)?;
        Ok(Self { bytes, metadata })
    }

    /// The columns of `schema` as they are stored, NULL where the file lacks one, of the rows of
    /// `selection` or all, in their order.
    ///
    /// # Errors
    /// [`Error::Query`] if they cannot be read.
    pub(super) fn read(
        &self,
        schema: &SchemaRef,
        selection: Option<RowSelection>,
    ) -> Result<impl Iterator<Item = Result<RecordBatch>>> {
        let reader = self.reader(schema);
        let reader = match selection {
            Some(selection) => reader.with_row_selection(selection),
            None => reader,
        };
        let schema = schema.clone();
        let batches = reader.build().map_err(failed)?;
        Ok(batches.map(move |batch| conform(&batch?, &schema)))
    }

    fn reader(&self, schema: &Schema) -> ParquetRecordBatchReaderBuilder<Bytes> {
        let roots = self.metadata.parquet_schema().root_schema().get_fields().iter();
        let wanted = roots.enumerate().filter(|(_, root)| schema.index_of(root.name()).is_ok());
        let wanted: Vec<usize> = wanted.map(|(at, _)| at).collect();
        let mask = ProjectionMask::roots(self.metadata.parquet_schema(), wanted);
        let whole = self.metadata.clone();
        ParquetRecordBatchReaderBuilder::new_with_metadata(self.bytes.clone(), whole)
            .with_projection(mask)
            .with_batch_size(BATCH_ROWS)
    }

    /// The rows at `places`, which ascend.
    ///
    /// # Errors
    /// [`Error::Query`] if they cannot be read.
    pub(super) fn take(&self, schema: &SchemaRef, places: &[usize]) -> Result<RecordBatch> {
        let all = self.metadata.metadata().file_metadata().num_rows();
        let ranges = places.iter().map(|place| *place..place + 1);
        let selection = RowSelection::from_consecutive_ranges(ranges, all as usize);
        let batches: Vec<_> = self.read(schema, Some(selection))?.collect::<Result<_>>()?;
        Ok(datafusion::arrow::compute::concat_batches(schema, &batches)?)
    }

    /// The file with the rows of `patch` in their places.
    ///
    /// # Errors
    /// [`Error::Query`] if it cannot be read or encoded.
    pub(super) fn patched(&self, snapshot: &Snapshot, patch: &Patch<'_>) -> Result<Patched> {
        let schema = &snapshot.schema;
        let begun = ArrowWriter::try_new(vec![], schema.clone(), Some(properties(snapshot)));
        let (mut file, factory) = begun.and_then(|w| w.into_serialized_writer()).map_err(failed)?;
        let leaves = self.leaves(schema, file.schema_descr(), patch.changed);
        let encoded: Vec<usize> =
            (0..leaves.len()).filter(|at| matches!(leaves[*at], Leaves::Encoded(_))).collect();
        let part = Arc::new(schema.project(&encoded)?);
        let mut bounds: Vec<Bounds> = encoded.iter().map(|_| Bounds::default()).collect();
        let mut first = 0;
        for (number, group) in self.metadata.metadata().row_groups().iter().enumerate() {
            let rows = first..first + group.num_rows() as usize;
            first = rows.end;
            let mut writers = factory.create_column_writers(number).map_err(failed)?;
            let mut arrays = self.replaced(number, &part, &encoded, rows, patch)?.into_iter();
            let mut target = file.next_row_group().map_err(failed)?;
            let mut known = bounds.iter_mut();
            for (at, leaves) in leaves.iter().enumerate() {
                match leaves {
                    Leaves::Stored(range) => {
                        drop(writers.drain(..range.len()));
                        range.clone().try_for_each(|leaf| self.copy(number, leaf, &mut target))?;
                    }
                    Leaves::Encoded(count) => {
                        let (array, own) = (arrays.next(), writers.drain(..*count));
                        let (Some(array), Some(bounds)) = (array, known.next()) else { continue };
                        for chunk in encode(own.collect(), schema.field(at), &array)? {
                            bounds.meet(&chunk.close().metadata, schema.field(at).data_type());
                            chunk.append_to_row_group(&mut target).map_err(failed)?;
                        }
                    }
                }
            }
            target.close().map_err(failed)?;
        }
        let bytes = file.into_inner().map_err(failed)?;
        // Lists and records have no bounds, and their values' are not theirs.
        let known = part.fields().iter().zip(bounds).filter(|(f, _)| !f.data_type().is_nested());
        let bounds = known.map(|(field, bounds)| (field.name().clone(), bounds)).collect();
        Ok(Patched { bytes, bounds })
    }

    /// For each column of the table: where its pages are copied from, or that they are made anew.
    fn leaves(&self, schema: &Schema, new: &SchemaDescriptor, changed: &[bool]) -> Vec<Leaves> {
        let old = self.metadata.parquet_schema();
        let of = |descriptor: &SchemaDescriptor, root: usize| {
            let leaves = 0..descriptor.num_columns();
            let mut own = leaves.filter(|leaf| descriptor.get_column_root_idx(*leaf) == root);
            let first = own.next().unwrap_or_default();
            first..first + 1 + own.count()
        };
        let roots = old.root_schema().get_fields();
        let column = |(at, field): (usize, &Arc<Field>)| {
            let anew = of(new, at);
            let stored = roots.iter().position(|root| root.name() == field.name());
            let same = stored.map(|root| of(old, root)).filter(|stored| {
                let pairs = stored.clone().zip(anew.clone());
                stored.len() == anew.len()
                    && pairs.into_iter().all(|(o, n)| old.column(o) == new.column(n))
            });
            match same {
                Some(stored) if !changed[at] => Leaves::Stored(stored),
                _ => Leaves::Encoded(anew.len()),
            }
        };
        schema.fields().iter().enumerate().map(column).collect()
    }

    /// The columns `encoded` of a row group, which are those of `part`, with the new values in
    /// their places. `rows` are its places in the file.
    fn replaced(
        &self,
        group: usize,
        part: &SchemaRef,
        encoded: &[usize],
        rows: Range<usize>,
        patch: &Patch<'_>,
    ) -> Result<Vec<ArrayRef>> {
        let reader = self.reader(part).with_row_groups(vec![group]).build().map_err(failed)?;
        let batches: Vec<RecordBatch> =
            reader.map(|batch| conform(&batch?, part)).collect::<Result<_>>()?;
        let low = patch.places.partition_point(|place| *place < rows.start);
        let high = patch.places.partition_point(|place| *place < rows.end);
        let column = |(at, column): (usize, &usize)| {
            let stored: Vec<&dyn Array> = batches.iter().map(|b| b.column(at).as_ref()).collect();
            let stored = concat(&stored)?.to_data();
            let new = patch.rows.column(*column).to_data();
            let mut out = MutableArrayData::new(vec![&stored, &new], false, rows.len());
            let mut from = 0;
            for row in low..high {
                let place = patch.places[row] - rows.start;
                out.try_extend(0, from, place)?;
                out.try_extend(1, row, row + 1)?;
                from = place + 1;
            }
            out.try_extend(0, from, rows.len())?;
            Ok(make_array(out.freeze()))
        };
        encoded.iter().enumerate().map(column).collect()
    }

    /// Appends the pages of a stored column as they are.
    fn copy(
        &self,
        group: usize,
        leaf: usize,
        target: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
    ) -> Result<()> {
        let whole = self.metadata.metadata();
        let chunk = whole.row_group(group).column(leaf).clone();
        let column_index = whole.column_index().map(|index| index[group][leaf].clone());
        let close = ColumnCloseResult {
            bytes_written: chunk.compressed_size() as u64,
            rows_written: whole.row_group(group).num_rows() as u64,
            metadata: chunk,
            bloom_filter: None,
            column_index: column_index.filter(|i| !matches!(i, ColumnIndexMetaData::NONE)),
            offset_index: whole.offset_index().map(|index| index[group][leaf].clone()),
        };
        target.append_column(&self.bytes, close).map_err(failed)
    }
}

/// The Parquet columns of one column of the table.
enum Leaves {
    /// Those of the stored file, to be copied.
    Stored(Range<usize>),
    /// So many, to be encoded.
    Encoded(usize),
}

fn encode(
    mut writers: Vec<ArrowColumnWriter>,
    field: &Field,
    array: &ArrayRef,
) -> Result<Vec<ArrowColumnChunk>> {
    let leaves = compute_leaves(field, array).map_err(failed)?;
    for (writer, leaf) in writers.iter_mut().zip(leaves) {
        writer.write(&leaf).map_err(failed)?;
    }
    writers.into_iter().map(|writer| writer.close().map_err(failed)).collect()
}

fn failed(error: ParquetError) -> Error {
    datafusion::error::DataFusionError::from(error).into()
}
