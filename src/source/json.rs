//! JSON lines, and one top-level array of objects.
//!
//! The first pass finds the columns (every key, in order of first appearance), the second reads.
//! A text stays as it is, a number keeps the digits that identify it, true and false become words,
//! null is NULL, and a nested value stays JSON.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use datafusion::arrow::array::StringBuilder;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use serde_json::{Map, Value};

use super::csv::{declared, line_ends, text_fault};
use super::encoding::TextReader;
use super::{
    CHUNK_BYTES, CHUNK_ROWS, COLUMNS_MAX, Chunk, Input, Options, Origin, ROW_BYTES_MAX, Rejected,
    Rows, fault, kept,
};
use crate::error::Result;

/// A JSON file being read.
pub struct JsonReader {
    schema: SchemaRef,
    columns: HashMap<String, usize>,
    objects: Objects,
    next_row: u64,
    is_decimal_comma: bool,
}

/// The top-level objects of a file, as text.
struct Objects {
    path: PathBuf,
    text: TextReader,
    buffer: Vec<u8>,
    start: usize,
    is_at_end: bool,
    is_array: Option<bool>,
    is_closed: bool,
    line: u64,
    offset: u64,
}

struct Object {
    text: Vec<u8>,
    line: u64,
    offset: u64,
}

impl JsonReader {
    /// Finds the columns of `input` by reading it once.
    ///
    /// # Errors
    /// [`crate::error::Error::Source`] for text that is not JSON of these two shapes or has too many keys.
    pub fn open(input: &Input, options: &Options) -> Result<Self> {
        let mut objects = Objects::open(input, options)?;
        let mut names: Vec<String> = Vec::new();
        let mut columns = HashMap::new();
        while let Some(object) = objects.next()? {
            let Ok(map) = serde_json::from_slice::<Map<String, Value>>(&object.text) else {
                continue; // rejected when it is read as a row
            };
            for name in map.keys().filter(|name| !name.is_empty()) {
                if !columns.contains_key(name) {
                    columns.insert(name.clone(), names.len());
                    names.push(name.clone());
                }
            }
            if names.len() > COLUMNS_MAX {
                let reason = format!("more than {COLUMNS_MAX} different keys");
                return Err(fault(&objects.path, object.line, reason));
            }
        }
        let fields: Vec<Field> =
            names.iter().map(|name| Field::new(name, DataType::Utf8, true)).collect();
        let schema = Arc::new(Schema::new(fields));
        let is_decimal_comma = options.locale.is_decimal_comma();
        let objects = Objects::open(input, options)?;
        Ok(Self { schema, columns, objects, next_row: 0, is_decimal_comma })
    }

    /// The values of `object` in column order, or why it is not a row.
    fn values(&self, object: &Object) -> Result<Vec<Option<String>>, (&'static str, String)> {
        if object.text.len() > ROW_BYTES_MAX {
            return Err(("row_too_long", format!("row is longer than {ROW_BYTES_MAX} bytes")));
        }
        let map: Map<String, Value> = serde_json::from_slice(&object.text)
            .map_err(|e| ("json", format!("not a JSON object: {e}")))?;
        let mut values = vec![None; self.columns.len()];
        for (name, value) in map {
            let Some(column) = self.columns.get(&name) else { continue };
            values[*column] = match value {
                Value::Null => None,
                Value::String(text) if text.contains('\0') => {
                    return Err(("nul", format!("NUL byte in \"{name}\"")));
                }
                Value::String(text) => Some(text),
                // A float that large has lost digits of what was written.
                Value::Number(n) if n.is_f64() && n.as_f64().is_some_and(|x| x.abs() >= 9e15) => {
                    let reason = format!("\"{name}\" is a number too large to keep; quote it");
                    return Err(("number_too_large", reason));
                }
                Value::Number(n) if self.is_decimal_comma => Some(n.to_string().replace('.', ",")),
                other => Some(other.to_string()),
            };
        }
        Ok(values)
    }
}

impl Rows for JsonReader {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn next_chunk(&mut self) -> Result<Option<Chunk>> {
        let mut builders: Vec<StringBuilder> =
            self.schema.fields().iter().map(|_| StringBuilder::new()).collect();
        let (mut ordinals, mut rejected, mut bytes) = (Vec::new(), Vec::new(), 0);
        while ordinals.len() < CHUNK_ROWS && rejected.len() < CHUNK_ROWS && bytes < CHUNK_BYTES {
            let Some(object) = self.objects.next()? else { break };
            let row = self.next_row;
            self.next_row += 1;
            bytes += object.text.len();
            match self.values(&object) {
                Ok(values) => {
                    for (builder, value) in builders.iter_mut().zip(values) {
                        builder.append_option(value);
                    }
                    ordinals.push(row);
                }
                Err((code, reason)) => {
                    let Object { text, line, offset } = object;
                    let raw = kept(&text);
                    rejected.push(Rejected { row, line, byte_offset: offset, code, reason, raw });
                }
            }
        }
        Ok(Chunk::of(builders, ordinals, rejected))
    }

    fn locate(&mut self, wanted: &BTreeSet<u64>) -> Result<Vec<Origin>> {
        let mut found = Vec::with_capacity(wanted.len());
        while let Some(object) = self.objects.next()? {
            let row = self.next_row;
            self.next_row += 1;
            if wanted.contains(&row) {
                let Object { text, line, offset } = object;
                found.push(Origin { row, line, byte_offset: offset, raw: kept(&text) });
            }
        }
        Ok(found)
    }

    fn notes(&self) -> String {
        let shape = if self.objects.is_array == Some(true) { "array" } else { "lines" };
        format!("{}, JSON {shape}", self.objects.text.encoding_name())
    }
}

impl Objects {
    fn open(input: &Input, options: &Options) -> Result<Self> {
        let path = input.path().to_path_buf();
        let declared = declared(&path, options)?;
        let text =
            TextReader::new(input.open()?, declared).map_err(|e| text_fault(&path, 1, &e))?;
        Ok(Self {
            offset: text.mark_bytes(),
            path,
            text,
            buffer: Vec::new(),
            start: 0,
            is_at_end: false,
            is_array: None,
            is_closed: false,
            line: 1,
        })
    }

    fn next(&mut self) -> Result<Option<Object>> {
        self.skip(|b| b.is_ascii_whitespace())?;
        let Some(first) = self.buffer.get(self.start).copied() else {
            return match self.is_array {
                Some(true) if !self.is_closed => {
                    Err(fault(&self.path, self.line, "array is never closed"))
                }
                _ => Ok(None),
            };
        };
        if self.is_array.is_none() {
            self.is_array = Some(first == b'[');
            if first == b'[' {
                self.take(1);
            }
        }
        if self.is_array == Some(true) { self.element() } else { self.rest_of_line().map(Some) }
    }

    fn element(&mut self) -> Result<Option<Object>> {
        self.skip(|b| b.is_ascii_whitespace() || b == b',')?;
        match self.buffer.get(self.start) {
            Some(b'{') => {}
            Some(b']') => {
                self.take(1);
                self.is_closed = true;
                self.skip(|b| b.is_ascii_whitespace())?;
                return match self.buffer.get(self.start) {
                    None => Ok(None),
                    Some(_) => Err(fault(&self.path, self.line, "text after the array")),
                };
            }
            Some(_) => return Err(fault(&self.path, self.line, "array element is not an object")),
            None => return Err(fault(&self.path, self.line, "array is never closed")),
        }
        let (mut at, mut depth, mut is_text) = (0, 0_u32, false);
        loop {
            let Some(byte) = self.buffer.get(self.start + at).copied() else {
                if at > ROW_BYTES_MAX || !self.fill()? {
                    let reason = "object is never closed, or longer than a row may be";
                    return Err(fault(&self.path, self.line, reason));
                }
                continue;
            };
            at += 1;
            match byte {
                b'\\' if is_text => at += 1,
                b'"' => is_text = !is_text,
                b'{' if !is_text => depth += 1,
                b'}' if !is_text => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return Ok(Some(self.take(at)));
            }
        }
    }

    fn rest_of_line(&mut self) -> Result<Object> {
        let mut seen = 0;
        loop {
            let bytes = &self.buffer[self.start..];
            if let Some(end) = bytes[seen..].iter().position(|b| *b == b'\n') {
                return Ok(self.take(seen + end));
            }
            seen = bytes.len();
            if seen > 2 * ROW_BYTES_MAX {
                return Err(fault(&self.path, self.line, "line is longer than a row may be"));
            }
            if !self.fill()? {
                return Ok(self.take(seen));
            }
        }
    }

    fn skip(&mut self, is_skipped: impl Fn(u8) -> bool) -> Result<()> {
        loop {
            let rest = &self.buffer[self.start..];
            let length = rest.iter().position(|b| !is_skipped(*b)).unwrap_or(rest.len());
            self.take(length);
            if self.start < self.buffer.len() || !self.fill()? {
                return Ok(());
            }
        }
    }

    fn take(&mut self, length: usize) -> Object {
        let text = self.buffer[self.start..self.start + length].to_vec();
        let object = Object { line: self.line, offset: self.offset, text };
        self.line += line_ends(&object.text);
        self.offset += self.text.bytes_of(&object.text);
        self.start += length;
        object
    }

    fn fill(&mut self) -> Result<bool> {
        if self.is_at_end {
            return Ok(false);
        }
        self.buffer.drain(..self.start);
        self.start = 0;
        let line = self.line;
        let more = self.text.read(&mut self.buffer);
        let more = more.map_err(|e| text_fault(&self.path, line + line_ends(&self.buffer), &e))?;
        self.is_at_end = !more;
        Ok(more)
    }
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::util::pretty::pretty_format_batches;

    use super::*;

    fn read(text: &'static str) -> Result<(String, Vec<Rejected>)> {
        let input = Input::embedded("t.json", text.as_bytes());
        let mut reader = JsonReader::open(&input, &Options::default())?;
        let schema = reader.schema();
        let (mut batches, mut rejected) = (vec![], vec![]);
        while let Some(chunk) = reader.next_chunk()? {
            rejected.extend(chunk.rejected);
            let batch =
                datafusion::arrow::array::RecordBatch::try_new(schema.clone(), chunk.columns);
            batches.push(batch.expect("columns fit the schema"));
        }
        Ok((pretty_format_batches(&batches).expect("prints").to_string(), rejected))
    }

    #[test]
    fn lines_and_an_array_read_alike() {
        let lines = "{\"a\":1,\"b\":\"x\"}\n\n{\"b\":null,\"c\":[1,{\"d\":\"}\"}]}\r\n{\"a\":2.5}";
        let array =
            "[ {\"a\":1,\"b\":\"x\"},\n{\"b\":null,\"c\":[1,{\"d\":\"}\"}]}, {\"a\":2.5} ]\n";
        let (from_lines, rejected) = read(lines).expect("lines");
        assert!(rejected.is_empty());
        assert_eq!(from_lines, read(array).expect("array").0);
        assert!(from_lines.contains("[1,{\"d\":\"}\"}]"), "{from_lines}");
        assert!(from_lines.contains("| 2.5 |"), "{from_lines}");
    }

    #[test]
    fn a_broken_line_is_rejected_where_it_stands_and_a_broken_array_refused() {
        let (_, rejected) = read("{\"a\":1}\n{\"a\":\n{\"a\":1e30}\n").expect("reads");
        let found: Vec<(u64, u64, &str)> =
            rejected.iter().map(|r| (r.line, r.byte_offset, r.code)).collect();
        assert_eq!(found, [(2, 8, "json"), (3, 14, "number_too_large")]);
        let error = read("[{\"a\":1},\n 7]").expect_err("7 is no object").to_string();
        assert_eq!(error, "t.json:2: array element is not an object");
        assert!(read("[{\"a\":1}").is_err());
    }
}
