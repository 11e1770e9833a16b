//! Rows to DataRow messages: a batch's columns are downcast once, values are appended to one buffer.
//!
//! There is no allocation a row or a value, and lengths are written back when their value is
//! known; text agrees with what Postgres prints, byte for byte.

mod binary;
mod calendar;
mod column;
pub mod copy;
mod text;
pub mod types;
mod values;

use chrono_tz::Tz;
use datafusion::arrow::array::{Array, RecordBatch};
use datafusion::arrow::datatypes::Field;

use crate::error::{Error, Result};
use column::Column;
pub use copy::CopyFormat;

/// How the values of a column are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// As psql prints it.
    Text,
    /// As the type's send function writes it.
    Binary,
}

/// The messages that rows are sent in.
#[derive(Debug, Clone, Copy)]
pub enum Form<'a> {
    /// DataRow, with a format a column; text where it ends.
    Rows(&'a [Format]),
    /// CopyData.
    Copy(&'a CopyFormat),
}

/// The columns of one batch, ready to be written row by row.
pub struct RowEncoder<'a> {
    columns: Vec<Column<'a>>,
    form: Form<'a>,
    /// What the message of the first row begins with.
    head: &'static [u8],
    rows: usize,
    zone: Tz,
}

impl std::fmt::Debug for RowEncoder<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RowEncoder").field("rows", &self.rows).finish_non_exhaustive()
    }
}

impl<'a> RowEncoder<'a> {
    /// Prepares `batch`; `zone` is where instants are shown.
    ///
    /// # Errors
    /// 0A000 for a column whose type cannot be sent.
    pub fn new(batch: &'a RecordBatch, form: Form<'a>, zone: Tz) -> Result<Self> {
        let schema = batch.schema_ref();
        let columns = batch
            .columns()
            .iter()
            .enumerate()
            .map(|(at, array)| Column::of_field(array, schema.field(at)));
        Ok(Self {
            columns: columns.collect::<Result<_>>()?,
            form,
            head: &[],
            rows: batch.num_rows(),
            zone,
        })
    }

    /// The same, as the first batch of all.
    pub fn first(self) -> Self {
        match self.form {
            Form::Copy(CopyFormat::Binary) => Self { head: copy::BINARY_HEAD, ..self },
            _ => self,
        }
    }

    /// Appends rows from `row` on until `out` holds `bytes_wanted`; the row after the last one.
    ///
    /// # Errors
    /// 54000 for a row too long, 22008 for an instant that the binary format cannot say.
    pub fn encode(&self, mut row: usize, bytes_wanted: usize, out: &mut Vec<u8>) -> Result<usize> {
        while row < self.rows && out.len() < bytes_wanted {
            match self.form {
                Form::Rows(formats) => self.encode_row(formats, row, out)?,
                Form::Copy(format) => copy::copy_data(out, |out| {
                    // A binary COPY has its head in the message of its first row.
                    out.extend_from_slice(if row == 0 { self.head } else { &[] });
                    format.put_row(&self.columns, row, self.zone, out)
                })?,
            }
            row += 1;
        }
        Ok(row)
    }

    /// Appends one DataRow message.
    fn encode_row(&self, formats: &[Format], row: usize, out: &mut Vec<u8>) -> Result<()> {
        out.push(b'D');
        let start = binary::begin_value(out);
        out.extend_from_slice(&(self.columns.len() as i16).to_be_bytes());
        for (at, column) in self.columns.iter().enumerate() {
            match formats.get(at) {
                Some(Format::Binary) => column.put_binary(row, self.zone, out)?,
                _ => column.put_text(row, self.zone, out)?,
            }
        }
        // A message's length counts itself, a value's does not.
        let length = i32::try_from(out.len() - start + 4)
            .map_err(|_| Error::statement("54000", "a row is longer than 2 GiB"))?;
        out[start - 4..start].copy_from_slice(&length.to_be_bytes());
        Ok(())
    }
}

/// The value of `array` at `row` as psql prints it in UTC, or `None` for NULL.
///
/// A type that cannot be sent has no text either.
pub fn text_value(array: &dyn Array, row: usize) -> Option<String> {
    let column = Column::new(array, types::of(array.data_type()).ok()?.oid).ok()?;
    let text = column.text(row, Tz::UTC)?;
    Some(String::from_utf8_lossy(&text).into_owned())
}

/// As [`text_value`], for a column that is shown as `field` says.
pub fn text_of_field(array: &dyn Array, field: &Field, row: usize) -> Option<String> {
    let column = Column::of_field(array, field).ok()?;
    let text = column.text(row, Tz::UTC)?;
    Some(String::from_utf8_lossy(&text).into_owned())
}

#[cfg(test)]
mod tests;
