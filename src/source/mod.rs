//! Files as rows of text: one byte format per module, bounded memory, no knowledge of any CRM.
//!
//! A reader is lazy and blocking: it hands out [`Chunk`]s of at most [`CHUNK_ROWS`] rows.
//! Every record of a file has an ordinal (0 is the first after the header), good or bad, so a row
//! can be found again with [`Rows::locate`] when a later step finds fault with it.
//! Nothing is typed here: a column is text, and an absent value is NULL.
//! Lines and offsets of what is compressed or packed are those of the bytes that come out.

mod archive;
pub mod bucket;
pub mod csv;
pub mod encoding;
pub mod http;
pub mod hubspot;
mod inflate;
mod input;
pub mod json;
pub mod locale;
pub mod parquet;
pub mod postgres;
mod postgres_tls;
#[cfg(test)]
mod reading;
mod record;
pub mod salesforce;
pub mod serial;
mod sheet;
pub mod system;
pub mod xlsx;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, StringBuilder};
use datafusion::arrow::datatypes::SchemaRef;

pub use archive::ENTRIES_MAX;
pub(crate) use inflate::read_fault;
pub use inflate::{INFLATED_BYTES_MAX, RATIO_FREE_BYTES, RATIO_MAX};
pub use input::{Input, extensions, has_header, is_json, is_known};

use crate::error::{Error, Result};
use input::Format;
use locale::Locale;

/// Most rows of one chunk.
pub const CHUNK_ROWS: usize = 8_192;
/// Most bytes of text in one chunk; wide rows make chunks shorter.
pub const CHUNK_BYTES: usize = 16 << 20;
/// Most bytes of one field.
pub const FIELD_BYTES_MAX: usize = 1 << 20;
/// Most bytes of one row.
pub const ROW_BYTES_MAX: usize = 8 << 20;
/// Most columns of one file.
pub const COLUMNS_MAX: usize = 2_000;
/// Most lines one quoted field may span before its quote counts as never closed.
pub const QUOTED_LINES_MAX: u64 = 100;
/// Most bytes of a bad row that are kept with it.
pub const RAW_BYTES_MAX: usize = 64 << 10;

/// What a person says about a file instead of letting the reader find out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Options {
    /// WHATWG label of the encoding of a file that is neither UTF-8 nor marked, such as `windows-1252`.
    pub encoding: Option<String>,
    /// Field delimiter of CSV.
    pub delimiter: Option<u8>,
    /// Whether a quoted empty field is NULL too; exports of CRMs quote everything.
    pub is_quoted_empty_null: bool,
    /// The one sheet to read of workbooks.
    pub sheet: Option<String>,
    /// How numbers and dates are spelled; readers only pass on what a format has as a number.
    pub locale: Locale,
}

impl Options {
    /// What tells two readings of the same bytes apart, as text; it stays the same over versions,
    /// because batches are known by it.
    pub fn fingerprint(&self) -> String {
        let Self { encoding, delimiter, is_quoted_empty_null, sheet, locale } = self;
        let mut text = format!(
            "Options {{ encoding: {encoding:?}, delimiter: {delimiter:?}, \
             is_quoted_empty_null: {is_quoted_empty_null} }}"
        );
        if let Some(sheet) = sheet {
            text.push_str(&format!(" sheet {sheet:?}"));
        }
        if *locale != Locale::default() {
            text.push_str(&format!(" {locale:?}"));
        }
        text
    }
}

/// A record that is not a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// Ordinal in its file.
    pub row: u64,
    /// Line the fault begins on, 1-based.
    pub line: u64,
    /// Offset of the record's first byte in the file.
    pub byte_offset: u64,
    /// Short name of the rule it breaks.
    pub code: &'static str,
    /// What is wrong, in words.
    pub reason: String,
    /// The record as UTF-8, at most [`RAW_BYTES_MAX`] bytes.
    pub raw: Vec<u8>,
}

/// Consecutive rows of a file.
#[derive(Debug)]
pub struct Chunk {
    /// One array a column, len = rows.
    pub columns: Vec<ArrayRef>,
    /// Ordinal of each row in its file, len = rows.
    pub ordinals: Vec<u64>,
    /// Records between these rows that are not rows.
    pub rejected: Vec<Rejected>,
}

impl Chunk {
    /// The chunk of what a reader has gathered; `None` if that is nothing, at the end of its file.
    fn of(
        columns: Vec<StringBuilder>,
        ordinals: Vec<u64>,
        rejected: Vec<Rejected>,
    ) -> Option<Self> {
        if ordinals.is_empty() && rejected.is_empty() {
            return None;
        }
        let columns = columns.into_iter().map(|mut column| Arc::new(column.finish()) as ArrayRef);
        Some(Self { columns: columns.collect(), ordinals, rejected })
    }
}

/// Where a row stands in its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Ordinal in its file.
    pub row: u64,
    /// First line, 1-based.
    pub line: u64,
    /// Offset of the first byte.
    pub byte_offset: u64,
    /// The record as UTF-8, at most [`RAW_BYTES_MAX`] bytes.
    pub raw: Vec<u8>,
}

/// A file that is read row by row.
pub trait Rows: Send {
    /// Columns: all text, except those of formats that carry types.
    fn schema(&self) -> SchemaRef;
    /// The next rows; `None` at the end.
    fn next_chunk(&mut self) -> Result<Option<Chunk>>;
    /// Origins of the rows whose ordinals are `wanted`; consumes the reader.
    fn locate(&mut self, wanted: &BTreeSet<u64>) -> Result<Vec<Origin>>;
    /// What was found out about the file, such as its delimiter.
    fn notes(&self) -> String;
}

/// Opens `input` as the format its name tells.
///
/// # Errors
/// [`Error::Source`] for an unknown extension or a header that breaks a rule; [`Error::File`].
pub fn open(input: &Input, options: &Options) -> Result<Box<dyn Rows>> {
    Ok(match input.format() {
        Some(Format::Csv) => Box::new(csv::CsvReader::open(input, options)?),
        Some(Format::Tsv) => {
            let tab = Some(options.delimiter.unwrap_or(b'\t'));
            Box::new(csv::CsvReader::open(input, &Options { delimiter: tab, ..options.clone() })?)
        }
        Some(Format::Json) => Box::new(json::JsonReader::open(input, options)?),
        Some(Format::Parquet) => Box::new(parquet::ParquetReader::open(input)?),
        Some(Format::Xlsx) => Box::new(xlsx::XlsxReader::open(input, options)?),
        Some(Format::Zip) | None => {
            let reason = format!("unknown format; known extensions: {}", extensions());
            return Err(fault(input.path(), 0, reason));
        }
    })
}

/// A fault of the file at `path` from `line` on; line 0 means the whole file.
pub(crate) fn fault(path: &Path, line: u64, reason: impl Into<String>) -> Error {
    Error::Source { path: path.into(), line, reason: reason.into() }
}

/// The first [`RAW_BYTES_MAX`] bytes of `record`, not cutting a character.
pub(crate) fn kept(record: &[u8]) -> Vec<u8> {
    let mut end = record.len().min(RAW_BYTES_MAX);
    while end < record.len() && end > 0 && record[end] & 0xC0 == 0x80 {
        end -= 1;
    }
    record[..end].to_vec()
}
