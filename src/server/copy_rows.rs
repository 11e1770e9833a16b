//! The stream of COPY FROM, cut into rows: text, CSV or binary, wherever its messages end.

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use bytes::{Buf, Bytes, BytesMut};
use chrono_tz::Tz;

use super::copy_value::{Sink, not_utf8};
use super::encode::copy::BINARY_HEAD;
use super::fault::Fault;

/// Longest row.
const ROW_BYTES_MAX: usize = 64 << 20;
/// Rows of a batch, and bytes of them at most.
const BATCH_ROWS: usize = 8_192;
const BATCH_BYTES: usize = 1 << 20;

/// How the stream is written.
#[derive(Debug, Clone)]
pub(super) enum Form {
    Text { delimiter: u8, null: String },
    Csv { delimiter: u8, null: String, quote: u8, escape: u8 },
    Binary,
}

/// Columns of which NULL is told in another way.
#[derive(Debug, Clone, Default)]
pub(super) struct Forced {
    /// Never NULL.
    pub(super) not_null: Vec<bool>,
    /// NULL in quotes too.
    pub(super) null: Vec<bool>,
}

/// Takes bytes, gives batches.
#[derive(Debug)]
pub(super) struct RowReader {
    table: String,
    schema: SchemaRef,
    sinks: Vec<Sink>,
    form: Form,
    forced: Forced,
    buffer: BytesMut,
    /// Whether a line of names comes first.
    has_header: bool,
    /// Whether the head of the binary form was read.
    has_head: bool,
    is_done: bool,
    line: u64,
    rows: usize,
    bytes: usize,
}

/// One field of a line.
struct Field {
    bytes: Vec<u8>,
    is_quoted: bool,
    is_null: bool,
}

impl RowReader {
    pub(super) fn new(
        table: &str,
        schema: SchemaRef,
        form: Form,
        forced: Forced,
        has_header: bool,
        zone: Tz,
    ) -> Result<Self, Fault> {
        let sinks = schema.fields().iter().map(|field| Sink::of(field.data_type(), zone));
        Ok(Self {
            table: table.to_owned(),
            sinks: sinks.collect::<Result<_, _>>()?,
            schema,
            form,
            forced,
            buffer: BytesMut::new(),
            has_header,
            has_head: false,
            is_done: false,
            line: 0,
            rows: 0,
            bytes: 0,
        })
    }

    /// Takes `bytes`; batches that are full.
    ///
    /// # Errors
    /// 22P02, 22003 for values, 22P04 for rows that are none, with the line they are in.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<Vec<RecordBatch>, Fault> {
        self.buffer.extend_from_slice(bytes);
        let mut batches = vec![];
        while !self.is_done && self.next_row(false)? {
            if self.rows >= BATCH_ROWS || self.bytes >= BATCH_BYTES {
                batches.extend(self.batch()?);
            }
        }
        if self.is_done {
            // What comes after the end is not looked at, as in Postgres.
            self.buffer.clear();
        }
        if self.buffer.len() > ROW_BYTES_MAX {
            let message = format!("a row of COPY may have {ROW_BYTES_MAX} bytes");
            return Err(self.at_line(Fault::error("54000", message), None));
        }
        Ok(batches)
    }

    /// The rows that are left, at the end of the stream.
    ///
    /// # Errors
    /// As [`RowReader::take`], and 22P04 for a row that is cut off.
    pub(super) fn end(&mut self) -> Result<Option<RecordBatch>, Fault> {
        while !self.is_done && self.next_row(true)? {}
        let is_binary = matches!(self.form, Form::Binary);
        // As in Postgres the trailer may be missing, if the stream ends where a row does.
        if is_binary && !self.is_done && (!self.has_head || !self.buffer.is_empty()) {
            return Err(self.at_line(Fault::error("22P04", "unexpected EOF in COPY data"), None));
        }
        self.batch()
    }

    fn batch(&mut self) -> Result<Option<RecordBatch>, Fault> {
        if self.rows == 0 {
            return Ok(None);
        }
        let columns = self.sinks.iter_mut().map(Sink::finish).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        (self.rows, self.bytes) = (0, 0);
        // NULL where none may be is found where the rows are fitted to the table.
        let fields = self.schema.fields().iter();
        let fields: Vec<_> =
            fields.map(|field| field.as_ref().clone().with_nullable(true)).collect();
        let schema = std::sync::Arc::new(arrow::datatypes::Schema::new(fields));
        RecordBatch::try_new_with_options(schema, columns, &options)
            .map(Some)
            .map_err(|error| crate::error::Error::from(error).into())
    }

    /// Reads one row; false if there is no whole one.
    fn next_row(&mut self, is_end: bool) -> Result<bool, Fault> {
        if matches!(self.form, Form::Binary) {
            return self.next_tuple();
        }
        let Some((length, skipped)) = self.line_end(is_end)? else { return Ok(false) };
        let line = self.buffer.split_to(length).freeze();
        self.buffer.advance(skipped);
        self.line += 1;
        if self.has_header && self.line == 1 {
            return Ok(true);
        }
        if &line[..] == b"\\." {
            self.is_done = true;
            return Ok(false);
        }
        let fields = match &self.form {
            Form::Csv { delimiter, null, quote, escape } => {
                csv_fields(&line, *delimiter, *quote, *escape, null.as_bytes())
            }
            Form::Text { delimiter, null } => text_fields(&line, *delimiter, null.as_bytes()),
            Form::Binary => vec![],
        };
        self.append(&fields, &line)?;
        // A quoted value may hold line ends: lines are counted as an editor counts them.
        self.line += line.iter().filter(|byte| **byte == b'\n').count() as u64;
        Ok(true)
    }

    /// Bytes of the next line, and of its end.
    fn line_end(&self, is_end: bool) -> Result<Option<(usize, usize)>, Fault> {
        let (mut is_quoted, mut is_escaped) = (false, false);
        for (at, byte) in self.buffer.iter().enumerate() {
            match &self.form {
                Form::Csv { quote, escape, .. } => {
                    if is_quoted && !is_escaped && byte == escape && escape != quote {
                        is_escaped = true;
                        continue;
                    }
                    if byte == quote && !is_escaped {
                        is_quoted = !is_quoted;
                    }
                    is_escaped = false;
                }
                _ => {
                    let was_escaped = std::mem::replace(&mut is_escaped, false);
                    if was_escaped {
                        continue;
                    }
                    is_escaped = *byte == b'\\';
                }
            }
            if *byte == b'\n' && !is_quoted {
                let has_return = at > 0 && self.buffer[at - 1] == b'\r';
                let length = at - usize::from(has_return);
                return Ok(Some((length, at + 1 - length)));
            }
        }
        if !is_end || self.buffer.is_empty() {
            return Ok(None);
        }
        if is_quoted {
            let fault = Fault::error("22P04", "unterminated CSV quoted field");
            return Err(self.at(fault, format!("COPY {}, line {}", self.table, self.line + 1)));
        }
        let has_return = self.buffer.last() == Some(&b'\r');
        Ok(Some((self.buffer.len() - usize::from(has_return), usize::from(has_return))))
    }

    fn append(&mut self, fields: &[Field], line: &Bytes) -> Result<(), Fault> {
        if fields.len() > self.sinks.len() {
            let fault = Fault::error("22P04", "extra data after last expected column");
            return Err(self.at_line(fault, Some(line)));
        }
        if fields.len() < self.sinks.len() {
            let name = self.schema.field(fields.len()).name();
            let fault = Fault::error("22P04", format!("missing data for column \"{name}\""));
            return Err(self.at_line(fault, Some(line)));
        }
        for (at, field) in fields.iter().enumerate() {
            let is_forced = |list: &[bool]| list.get(at).copied().unwrap_or(false);
            let is_null = field.is_null
                && (!field.is_quoted || is_forced(&self.forced.null))
                && !is_forced(&self.forced.not_null);
            self.bytes += field.bytes.len() + 8;
            if is_null {
                self.sinks[at].null();
                continue;
            }
            let text = std::str::from_utf8(&field.bytes).map_err(|_| not_utf8());
            let outcome = match text {
                Ok(text) if !text.contains('\0') => self.sinks[at].text(text),
                Ok(_) => Err(not_utf8()),
                Err(fault) => Err(fault),
            };
            if let Err(fault) = outcome {
                return Err(self.at_value(fault, at, &String::from_utf8_lossy(&field.bytes)));
            }
        }
        self.rows += 1;
        Ok(())
    }

    fn next_tuple(&mut self) -> Result<bool, Fault> {
        if !self.has_head && !self.head()? {
            return Ok(false);
        }
        let mut rest = &self.buffer[..];
        if rest.len() < 2 {
            return Ok(false);
        }
        let count = rest.get_i16();
        if count == -1 {
            self.is_done = true;
            return Ok(false);
        }
        if usize::try_from(count) != Ok(self.sinks.len()) {
            let message = format!("row field count is {count}, expected {}", self.sinks.len());
            self.line += 1;
            return Err(self.at_line(Fault::error("22P04", message), None));
        }
        let mut length = 2;
        for _ in 0..count {
            if rest.len() < 4 {
                return Ok(false);
            }
            let size = rest.get_i32();
            let size = if size < 0 { 0 } else { size as usize };
            if rest.len() < size {
                return Ok(false);
            }
            rest.advance(size);
            length += 4 + size;
        }
        let mut tuple = self.buffer.split_to(length).freeze();
        tuple.advance(2);
        self.line += 1;
        self.bytes += length;
        for at in 0..self.sinks.len() {
            let size = tuple.get_i32();
            let outcome = match usize::try_from(size) {
                Err(_) => {
                    self.sinks[at].null();
                    Ok(())
                }
                Ok(size) => self.sinks[at].binary(&tuple.split_to(size)),
            };
            outcome.map_err(|fault| {
                let name = self.schema.field(at).name();
                self.at(fault, format!("COPY {}, line {}, column {name}", self.table, self.line))
            })?;
        }
        self.rows += 1;
        Ok(true)
    }

    /// Reads the head of the binary form; false if it is not all there.
    fn head(&mut self) -> Result<bool, Fault> {
        let signature = &BINARY_HEAD[..11];
        let known = self.buffer.len().min(signature.len());
        if self.buffer[..known] != signature[..known] {
            return Err(Fault::error("22P04", "COPY file signature not recognized"));
        }
        if self.buffer.len() < 19 {
            return Ok(false);
        }
        let mut rest = &self.buffer[signature.len()..];
        let flags = rest.get_i32();
        if flags & !0xffff != 0 {
            let message = "unrecognized critical flags in COPY file header";
            return Err(Fault::error("22P04", message));
        }
        let Ok(extension) = usize::try_from(rest.get_i32()) else {
            return Err(Fault::error("22P04", "invalid COPY file header (wrong length)"));
        };
        if rest.len() < extension {
            return Ok(false);
        }
        self.buffer.advance(19 + extension);
        self.has_head = true;
        Ok(true)
    }

    fn at(&self, fault: Fault, context: String) -> Fault {
        fault.with_context(context)
    }

    fn at_line(&self, fault: Fault, line: Option<&Bytes>) -> Fault {
        let place = format!("COPY {}, line {}", self.table, self.line);
        match line {
            None => self.at(fault, place),
            Some(line) => {
                let text: String = String::from_utf8_lossy(line).chars().take(100).collect();
                self.at(fault, format!("{place}: \"{text}\""))
            }
        }
    }

    fn at_value(&self, fault: Fault, at: usize, value: &str) -> Fault {
        let (name, value) =
            (self.schema.field(at).name(), value.chars().take(100).collect::<String>());
        let place = format!("COPY {}, line {}, column {name}: \"{value}\"", self.table, self.line);
        self.at(fault, place)
    }
}

fn text_fields(line: &[u8], delimiter: u8, null: &[u8]) -> Vec<Field> {
    let mut fields = vec![];
    let mut start = 0;
    let mut at = 0;
    loop {
        if at < line.len() && line[at] == b'\\' {
            at += 2;
            continue;
        }
        if at >= line.len() || line[at] == delimiter {
            let raw = &line[start..at.min(line.len())];
            let is_null = raw == null;
            fields.push(Field { bytes: unescaped(raw), is_quoted: false, is_null });
            if at >= line.len() {
                return fields;
            }
            start = at + 1;
        }
        at += 1;
    }
}

/// Without the backslashes of the text form.
fn unescaped(raw: &[u8]) -> Vec<u8> {
    if !raw.contains(&b'\\') {
        return raw.to_vec();
    }
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        let (b'\\', Some((mark, after))) = (*first, rest.split_first()) else {
            bytes.push(*first);
            continue;
        };
        rest = after;
        let digits = |from: &[u8], radix: u32, most: usize| -> usize {
            let is_digit = |byte: &&u8| char::from(**byte).to_digit(radix).is_some();
            from.iter().take(most).take_while(is_digit).count()
        };
        match *mark {
            b'b' => bytes.push(8),
            b'f' => bytes.push(12),
            b'n' => bytes.push(b'\n'),
            b'r' => bytes.push(b'\r'),
            b't' => bytes.push(b'\t'),
            b'v' => bytes.push(11),
            b'0'..=b'7' => {
                let more = digits(rest, 8, 2);
                let all = rest[..more].iter().fold(u32::from(mark - b'0'), |value, digit| {
                    value * 8 + u32::from(digit - b'0')
                });
                bytes.push(all as u8);
                rest = &rest[more..];
            }
            b'x' if digits(rest, 16, 2) > 0 => {
                let count = digits(rest, 16, 2);
                let value = rest[..count].iter().fold(0, |value, digit| {
                    value * 16 + char::from(*digit).to_digit(16).unwrap_or(0)
                });
                bytes.push(value as u8);
                rest = &rest[count..];
            }
            other => bytes.push(other),
        }
    }
    bytes
}

fn csv_fields(line: &[u8], delimiter: u8, quote: u8, escape: u8, null: &[u8]) -> Vec<Field> {
    let mut fields = vec![];
    let (mut bytes, mut is_quoted, mut is_open) = (vec![], false, false);
    let mut at = 0;
    while at < line.len() {
        let byte = line[at];
        let next = line.get(at + 1);
        if is_open && byte == escape && next.is_some_and(|n| *n == quote || *n == escape) {
            bytes.extend(next);
            at += 1;
        } else if byte == quote {
            is_open = !is_open;
            is_quoted = true;
        } else if byte == delimiter && !is_open {
            let is_null = bytes == null;
            fields.push(Field { bytes: std::mem::take(&mut bytes), is_quoted, is_null });
            is_quoted = false;
        } else {
            bytes.push(byte);
        }
        at += 1;
    }
    let is_null = bytes == null;
    fields.push(Field { bytes, is_quoted, is_null });
    fields
}
