//! Files as rows of text: one byte format per module, bounded memory, no knowledge of any CRM.
//!
//! A reader is lazy and blocking: it hands out [`Chunk`]s of at most [`CHUNK_ROWS`] rows.
//! Every record of a file has an ordinal (0 is the first after the header), good or bad, so a row
//! can be found again with [`locate`] when a later step finds fault with it.
//! Nothing is typed here: a column is text, and an absent value is NULL.

pub mod csv;
pub mod encoding;
pub mod json;
pub mod parquet;
mod record;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::datatypes::SchemaRef;

use crate::error::{Error, Result};

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

/// Where bytes come from.
#[derive(Debug, Clone)]
pub enum Input {
    /// A file on disk.
    File(PathBuf),
    /// Bytes that came with the program, under a name for messages.
    Embedded(&'static str, &'static [u8]),
}

impl Input {
    /// Path, or the name of embedded bytes.
    pub fn path(&self) -> &Path {
        match self {
            Self::File(path) => path,
            Self::Embedded(name, _) => Path::new(name),
        }
    }

    /// Starts reading at the first byte.
    ///
    /// # Errors
    /// [`Error::File`] if the file cannot be opened.
    pub fn open(&self) -> Result<Box<dyn Read + Send>> {
        Ok(match self {
            Self::File(path) => {
                Box::new(File::open(path).map_err(|e| Error::file("open", path, e))?)
            }
            Self::Embedded(_, bytes) => Box::new(Cursor::new(*bytes)),
        })
    }

    /// Size and time of the last change: two equal answers mean that the bytes are the same.
    ///
    /// # Errors
    /// [`Error::File`] if the file is gone.
    pub fn stamp(&self) -> Result<(u64, Option<std::time::SystemTime>)> {
        Ok(match self {
            Self::File(path) => {
                let data = path.metadata().map_err(|e| Error::file("look at", path, e))?;
                (data.len(), data.modified().ok())
            }
            Self::Embedded(_, bytes) => (bytes.len() as u64, None),
        })
    }
}

/// What a person says about a file instead of letting the reader find out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Options {
    /// WHATWG label of the encoding of a file that is neither UTF-8 nor marked, such as `windows-1252`.
    pub encoding: Option<String>,
    /// Field delimiter of CSV.
    pub delimiter: Option<u8>,
    /// Whether a quoted empty field is NULL too; exports of CRMs quote everything.
    pub is_quoted_empty_null: bool,
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

/// File name extensions that [`open`] reads.
pub const EXTENSIONS: &[&str] = &["csv", "tsv", "txt", "json", "jsonl", "ndjson", "parquet"];

/// Opens `input` as the format its extension names.
///
/// # Errors
/// [`Error::Source`] for an unknown extension or a header that breaks a rule; [`Error::File`].
pub fn open(input: &Input, options: &Options) -> Result<Box<dyn Rows>> {
    let path = input.path();
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or("").to_ascii_lowercase();
    Ok(match extension.as_str() {
        "csv" | "tsv" | "txt" => Box::new(csv::CsvReader::open(input, options)?),
        "json" | "jsonl" | "ndjson" => Box::new(json::JsonReader::open(input, options)?),
        "parquet" => Box::new(parquet::ParquetReader::open(input)?),
        _ => {
            let known = EXTENSIONS.join(", .");
            return Err(fault(path, 0, format!("unknown format; known extensions: .{known}")));
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
