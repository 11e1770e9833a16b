//! CSV and TSV: csv-core splits fields, our own rules decide what is a row.
//!
//! What breaks a rule in one record rejects that record and no other: too few or too many fields, a
//! quote that is never closed, a NUL byte, a field or row that is too long.
//! What makes the whole file doubtful is an error: a header with duplicate or empty names, or bytes
//! that are not text in the encoding.
//! Blank lines are no records, and a delimiter at the end of every line separates nothing.
//! An empty field is NULL; `""` is an empty text unless the options say that it is NULL too.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use csv_core::ReadFieldResult;
use datafusion::arrow::array::StringBuilder;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use encoding_rs::Encoding;

use super::encoding::{TextError, TextReader, by_label};
use super::record::{Fault, Scan, scan};
use super::{
    CHUNK_BYTES, CHUNK_ROWS, COLUMNS_MAX, Chunk, FIELD_BYTES_MAX, Input, Options, Origin,
    QUOTED_LINES_MAX, ROW_BYTES_MAX, Rejected, Rows, fault, kept,
};
use crate::error::{Error, Result};

/// Delimiters that are looked for when none is declared, the likeliest first.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// A CSV file being read.
pub struct CsvReader {
    path: PathBuf,
    text: TextReader,
    buffer: Vec<u8>,
    /// First byte of `buffer` that is not consumed.
    start: usize,
    is_at_end: bool,
    /// Line and file offset of `buffer[start]`.
    line: u64,
    offset: u64,
    next_row: u64,
    delimiter: u8,
    is_quoted_empty_null: bool,
    /// True if every line, the header too, ends with a delimiter that separates nothing.
    is_delimiter_last: bool,
    schema: SchemaRef,
    fields: Fields,
}

/// One record of the buffer.
struct Record {
    range: Range<usize>,
    line: u64,
    offset: u64,
    fault: Option<(&'static str, String, u64)>,
}

/// The fields of the record read last.
struct Fields {
    core: csv_core::Reader,
    text: Vec<u8>,
    ends: Vec<usize>,
    is_quoted: Vec<bool>,
}

impl CsvReader {
    /// Reads the header of `input`.
    ///
    /// # Errors
    /// [`Error::Source`] if the header breaks a rule or the encoding is unknown or does not fit;
    /// [`Error::File`] if the file cannot be read.
    pub fn open(input: &Input, options: &Options) -> Result<Self> {
        let path = input.path().to_path_buf();
        let declared = declared(&path, options)?;
        let text =
            TextReader::new(input.open()?, declared).map_err(|e| text_fault(&path, 1, &e))?;
        let mut reader = Self {
            offset: text.mark_bytes(),
            path,
            text,
            buffer: Vec::new(),
            start: 0,
            is_at_end: false,
            line: 1,
            next_row: 0,
            delimiter: options.delimiter.unwrap_or(b','),
            is_quoted_empty_null: options.is_quoted_empty_null,
            is_delimiter_last: false,
            schema: Arc::new(Schema::empty()),
            fields: Fields::new(b','),
        };
        reader.read_header(options.delimiter)?;
        Ok(reader)
    }

    /// Delimiter declared or found.
    pub fn delimiter(&self) -> u8 {
        self.delimiter
    }

    fn read_header(&mut self, declared: Option<u8>) -> Result<()> {
        if declared.is_none() {
            self.delimiter = self.likeliest_delimiter()?;
        }
        self.fields = Fields::new(self.delimiter);
        let Some(record) = self.next_record()? else {
            return Err(fault(&self.path, 1, "the file is empty; a header line is needed"));
        };
        if let Some((_, reason, line)) = record.fault {
            let advice = "; a file in UTF-16 without a mark needs --encoding utf-16le or utf-16be";
            let advice = if reason.contains("NUL") { advice } else { "" };
            return Err(fault(&self.path, line, format!("header: {reason}{advice}")));
        }
        self.fields.read(&self.buffer[record.range]);
        let mut names: Vec<String> = (0..self.fields.ends.len())
            .map(|column| Ok(self.fields.get(column)?.trim().to_owned()))
            .collect::<Result<_, std::str::Utf8Error>>()
            .map_err(|e| fault(&self.path, record.line, format!("header: {e}")))?;
        if names.len() > 1 && names.last().is_some_and(String::is_empty) {
            self.is_delimiter_last = true;
            names.pop();
        }
        check_names(&names).map_err(|reason| fault(&self.path, record.line, reason))?;
        let fields: Vec<Field> =
            names.iter().map(|name| Field::new(name, DataType::Utf8, true)).collect();
        self.schema = Arc::new(Schema::new(fields));
        self.next_row = 0;
        Ok(())
    }

    /// The delimiter that stands most often outside quotes in the first record.
    fn likeliest_delimiter(&mut self) -> Result<u8> {
        let Some(record) = self.next_record()? else { return Ok(b',') };
        if let Some(("row_too_long", reason, line)) = record.fault {
            return Err(fault(&self.path, line, format!("header: {reason}")));
        }
        let mut is_quoted = false;
        let mut counts = [0_usize; DELIMITERS.len()];
        for byte in &self.buffer[record.range.clone()] {
            is_quoted ^= *byte == b'"';
            if !is_quoted && let Some(n) = DELIMITERS.iter().position(|d| d == byte) {
                counts[n] += 1;
            }
        }
        // The header is read again, now with its delimiter.
        (self.start, self.line, self.offset) = (record.range.start, record.line, record.offset);
        let most = counts.iter().copied().max().unwrap_or(0);
        Ok(counts.iter().position(|n| *n == most).map_or(b',', |n| DELIMITERS[n]))
    }

    /// The next record that is not a blank line.
    fn next_record(&mut self) -> Result<Option<Record>> {
        loop {
            self.skip_blank_lines();
            if self.start == self.buffer.len() && !self.fill()? {
                return Ok(None);
            }
            self.skip_blank_lines();
            let bytes = &self.buffer[self.start..];
            if bytes.is_empty() {
                continue;
            }
            match scan(bytes, self.delimiter, self.is_at_end) {
                Scan::Unfinished => {
                    self.fill()?;
                }
                Scan::Endless => return self.skip_line().map(Some),
                Scan::Record { length, next, lines, fault } => {
                    return Ok(Some(self.take(length, next, lines, fault)));
                }
            }
        }
    }

    fn take(&mut self, length: usize, next: usize, lines: u64, fault: Option<Fault>) -> Record {
        let record = Record {
            range: self.start..self.start + length,
            line: self.line,
            offset: self.offset,
            fault: fault.map(|fault| describe(fault, self.line)),
        };
        self.offset += self.text.bytes_of(&self.buffer[self.start..self.start + next]);
        self.start += next;
        self.line += lines;
        record
    }

    /// Rejects a line that is too long to hold, keeping its beginning.
    fn skip_line(&mut self) -> Result<Record> {
        let (line, offset) = (self.line, self.offset);
        let first = kept(&self.buffer[self.start..]);
        loop {
            let bytes = &self.buffer[self.start..];
            match bytes.iter().position(|b| matches!(b, b'\n' | b'\r')) {
                Some(end) => {
                    self.take(end, end, 0, None);
                    break;
                }
                None => {
                    let length = bytes.len();
                    self.take(length, length, 0, None);
                }
            }
            if !self.fill()? {
                break;
            }
        }
        if self.buffer[self.start..] == *b"\r" {
            self.fill()?;
        }
        // The line end stays where it is; the kept bytes take the place of what stood before it.
        self.buffer.splice(..self.start, first.iter().copied());
        self.start = first.len();
        let reason = format!("row is longer than {ROW_BYTES_MAX} bytes");
        let range = 0..first.len();
        if matches!(self.buffer.get(self.start), Some(b'\n' | b'\r')) {
            // Not blank: the end of this very line.
            self.skip_one_line_end();
        }
        Ok(Record { range, line, offset, fault: Some(("row_too_long", reason, line)) })
    }

    fn skip_blank_lines(&mut self) {
        while matches!(self.buffer.get(self.start), Some(b'\n' | b'\r')) {
            if self.buffer[self.start..] == *b"\r" && !self.is_at_end {
                return; // may be half of a CRLF, which is one line end
            }
            self.skip_one_line_end();
        }
    }

    fn skip_one_line_end(&mut self) {
        let is_pair = self.buffer[self.start..].starts_with(b"\r\n");
        let length = if is_pair { 2 } else { 1 };
        self.take(length, length, 1, None);
    }

    /// Reads on, dropping what is consumed; false at the end of the file.
    fn fill(&mut self) -> Result<bool> {
        if self.is_at_end {
            return Ok(false);
        }
        self.buffer.drain(..self.start);
        self.start = 0;
        match self.text.read(&mut self.buffer) {
            Ok(more) => {
                self.is_at_end = !more;
                Ok(more)
            }
            Err(error) => Err(text_fault(&self.path, self.line + line_ends(&self.buffer), &error)),
        }
    }

    /// Splits `record` into fields; the reason if it is not a row.
    fn split(&mut self, record: &Record) -> Option<(&'static str, String, u64)> {
        if let Some(fault) = &record.fault {
            return Some(fault.clone());
        }
        self.fields.read(&self.buffer[record.range.clone()]);
        let wanted = self.schema.fields().len() + usize::from(self.is_delimiter_last);
        let got = self.fields.ends.len();
        if wanted != got {
            let reason = format!("{got} fields where the header has {wanted}");
            return Some(("field_count", reason, record.line));
        }
        if self.is_delimiter_last && self.fields.get(got - 1) != Ok("") {
            let reason = format!("a value in column {got}, which has no name");
            return Some(("unnamed_column", reason, record.line));
        }
        None
    }

    fn reject(&self, record: &Record, found: (&'static str, String, u64), row: u64) -> Rejected {
        let (code, reason, line) = found;
        let raw = kept(&self.buffer[record.range.clone()]);
        Rejected { row, line, byte_offset: record.offset, code, reason, raw }
    }
}

impl Rows for CsvReader {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn next_chunk(&mut self) -> Result<Option<Chunk>> {
        let mut builders: Vec<StringBuilder> =
            self.schema.fields().iter().map(|_| StringBuilder::new()).collect();
        let (mut ordinals, mut rejected, mut bytes) = (Vec::new(), Vec::new(), 0);
        while ordinals.len() < CHUNK_ROWS && rejected.len() < CHUNK_ROWS && bytes < CHUNK_BYTES {
            let Some(record) = self.next_record()? else { break };
            let row = self.next_row;
            self.next_row += 1;
            bytes += record.range.len();
            if let Some(found) = self.split(&record) {
                rejected.push(self.reject(&record, found, row));
                continue;
            }
            for (column, builder) in builders.iter_mut().enumerate() {
                let value = self.fields.get(column).map_err(|e| {
                    fault(&self.path, record.line, format!("field {}: {e}", column + 1))
                })?;
                let is_text = self.fields.is_quoted[column] && !self.is_quoted_empty_null;
                builder.append_option((!value.is_empty() || is_text).then_some(value));
            }
            ordinals.push(row);
        }
        Ok(Chunk::of(builders, ordinals, rejected))
    }

    fn locate(&mut self, wanted: &BTreeSet<u64>) -> Result<Vec<Origin>> {
        let mut found = Vec::with_capacity(wanted.len());
        while found.len() < wanted.len() {
            let Some(record) = self.next_record()? else { break };
            let row = self.next_row;
            self.next_row += 1;
            if wanted.contains(&row) {
                let raw = kept(&self.buffer[record.range.clone()]);
                found.push(Origin { row, line: record.line, byte_offset: record.offset, raw });
            }
        }
        Ok(found)
    }

    fn notes(&self) -> String {
        let delimiter = match self.delimiter {
            b'\t' => "tab".to_owned(),
            other => format!("\"{}\"", char::from(other)),
        };
        format!("{}, delimiter {delimiter}", self.text.encoding_name())
    }
}

impl Fields {
    fn new(delimiter: u8) -> Self {
        Self {
            core: csv_core::ReaderBuilder::new().delimiter(delimiter).build(),
            text: Vec::new(),
            ends: Vec::new(),
            is_quoted: Vec::new(),
        }
    }

    /// Splits `record`, which has no line end of its own.
    fn read(&mut self, record: &[u8]) {
        self.core.reset();
        self.ends.clear();
        self.is_quoted.clear();
        if self.text.len() < record.len() {
            self.text.resize(record.len(), 0);
        }
        let (mut from, mut to) = (0, 0);
        loop {
            self.is_quoted.push(record.get(from) == Some(&b'"'));
            let (mut result, read, written) =
                self.core.read_field(&record[from..], &mut self.text[to..]);
            from += read;
            to += written;
            if matches!(result, ReadFieldResult::InputEmpty) {
                (result, ..) = self.core.read_field(b"\n", &mut self.text[to..]);
            }
            self.ends.push(to);
            // Output is as long as input, so only the end of the record is left.
            if !matches!(result, ReadFieldResult::Field { record_end: false }) {
                return;
            }
        }
    }

    fn get(&self, column: usize) -> Result<&str, std::str::Utf8Error> {
        let start = if column == 0 { 0 } else { self.ends[column - 1] };
        std::str::from_utf8(&self.text[start..self.ends[column]])
    }
}

/// Code, reason and line of `fault` in a record that starts on `line`.
fn describe(fault: Fault, line: u64) -> (&'static str, String, u64) {
    match fault {
        Fault::Quote { line: below, is_closed: false } => {
            let reason = format!("quote is never closed (within {QUOTED_LINES_MAX} lines)");
            ("unclosed_quote", reason, line + below)
        }
        Fault::Quote { line: below, is_closed: true } => {
            let reason = "text after the quote that closes a field".to_owned();
            ("stray_quote", reason, line + below)
        }
        Fault::FieldLength => {
            ("field_too_long", format!("a field is longer than {FIELD_BYTES_MAX} bytes"), line)
        }
        Fault::Nul => ("nul", "NUL byte".to_owned(), line),
    }
}

/// Refuses headers without a name, with one name twice (case aside) and too many of them.
fn check_names(names: &[String]) -> Result<(), String> {
    if names.len() > COLUMNS_MAX {
        return Err(format!("header: {} columns; at most {COLUMNS_MAX}", names.len()));
    }
    let mut seen = std::collections::HashMap::new();
    for (at, name) in names.iter().enumerate() {
        if name.is_empty() {
            return Err(format!("header: column {} of {} has no name", at + 1, names.len()));
        }
        if let Some(first) = seen.insert(name.to_lowercase(), at) {
            let (a, b) = (first + 1, at + 1);
            return Err(format!("header: columns {a} and {b} are both called \"{name}\""));
        }
    }
    Ok(())
}

/// The encoding that `options` declare for the file at `path`.
pub(super) fn declared(path: &Path, options: &Options) -> Result<Option<&'static Encoding>> {
    let Some(label) = &options.encoding else { return Ok(None) };
    let unknown = || fault(path, 0, format!("unknown encoding \"{label}\"; use a WHATWG label"));
    by_label(label).map(Some).ok_or_else(unknown)
}

/// Line ends in `text`, counting CRLF once.
pub(super) fn line_ends(text: &[u8]) -> u64 {
    let feeds = text.iter().filter(|b| **b == b'\n').count();
    let returns = text.windows(2).filter(|w| w[0] == b'\r' && w[1] != b'\n').count();
    (feeds + returns + usize::from(text.last() == Some(&b'\r'))) as u64
}

/// The error for text that cannot be read, seen on `line` of `path`.
pub(super) fn text_fault(path: &Path, line: u64, error: &TextError) -> Error {
    match error {
        TextError::Io(source) => match super::inflate::refusal(source) {
            Some(refusal) => fault(path, line, refusal.to_string()),
            None => {
                Error::file("read", path, std::io::Error::new(source.kind(), source.to_string()))
            }
        },
        TextError::Malformed { offset, encoding, is_declared } => {
            let advice = if *is_declared { "" } else { "; name its encoding with --encoding" };
            let reason = format!("byte {offset} of the file is not {encoding} text{advice}");
            fault(path, line, reason)
        }
    }
}

#[cfg(test)]
#[path = "csv_tests.rs"]
mod tests;
