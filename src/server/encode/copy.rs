//! Rows as COPY writes them: one CopyData message a row, in text, CSV or binary.

use chrono_tz::Tz;

use super::binary::begin_value;
use super::column::Column;
use crate::error::{Error, Result};

/// How COPY writes rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CopyFormat {
    /// Lines of values with a delimiter between; special bytes have a backslash before them.
    Text {
        /// Between values.
        delimiter: u8,
        /// What NULL is written as.
        null: String,
    },
    /// Comma-separated values.
    Csv {
        /// Between values.
        delimiter: u8,
        /// What NULL is written as; a value that is written the same is quoted.
        null: String,
        /// Around values that need it.
        quote: u8,
        /// Before a quote, or another of these, within a value.
        escape: u8,
        /// Columns that are always quoted, unless they are NULL.
        quoted: Vec<bool>,
    },
    /// As the types' send functions write them.
    Binary,
}

/// What a binary COPY begins with: a signature, flags, and the length of nothing more.
pub const BINARY_HEAD: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// What a binary COPY ends with.
pub const BINARY_END: &[u8] = &[0xff, 0xff];

impl CopyFormat {
    /// Appends the values of `row` without the frame of its message.
    pub(super) fn put_row(
        &self,
        columns: &[Column<'_>],
        row: usize,
        zone: Tz,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        match self {
            Self::Binary => {
                out.extend_from_slice(&(columns.len() as i16).to_be_bytes());
                columns.iter().try_for_each(|column| column.put_binary(row, zone, out))
            }
            Self::Text { delimiter, null } => {
                for (at, column) in columns.iter().enumerate() {
                    if at > 0 {
                        out.push(*delimiter);
                    }
                    let start = out.len();
                    match column.append_text(row, zone, out) {
                        true => escape_text(out, start, *delimiter),
                        false => out.extend_from_slice(null.as_bytes()),
                    }
                }
                out.push(b'\n');
                Ok(())
            }
            Self::Csv { delimiter, null, quote, escape, quoted } => {
                let marks = Marks { delimiter: *delimiter, quote: *quote, escape: *escape, null };
                for (at, column) in columns.iter().enumerate() {
                    if at > 0 {
                        out.push(*delimiter);
                    }
                    let start = out.len();
                    let is_forced = quoted.get(at).copied().unwrap_or(false);
                    match column.append_text(row, zone, out) {
                        true => marks.close(out, start, is_forced, columns.len() == 1),
                        false => out.extend_from_slice(null.as_bytes()),
                    }
                }
                out.push(b'\n');
                Ok(())
            }
        }
    }

    /// Appends a line of `names`, which text and CSV may begin with.
    pub fn put_names<'n>(&self, names: impl ExactSizeIterator<Item = &'n str>, out: &mut Vec<u8>) {
        let (count, mut is_first) = (names.len(), true);
        for name in names {
            let (Self::Text { delimiter, .. } | Self::Csv { delimiter, .. }) = self else { return };
            if !std::mem::take(&mut is_first) {
                out.push(*delimiter);
            }
            let start = out.len();
            out.extend_from_slice(name.as_bytes());
            match self {
                Self::Csv { delimiter, null, quote, escape, .. } => {
                    let (delimiter, quote, escape) = (*delimiter, *quote, *escape);
                    Marks { delimiter, quote, escape, null }.close(out, start, false, count == 1);
                }
                _ => escape_text(out, start, *delimiter),
            }
        }
        out.push(b'\n');
    }
}

/// Appends a CopyData message whose body `write` appends.
///
/// # Errors
/// What `write` says, and 54000 for a body of 2 GiB or more.
pub fn copy_data(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>) -> Result<()>) -> Result<()> {
    out.push(b'd');
    let start = begin_value(out);
    write(out)?;
    let length = i32::try_from(out.len() - start + 4)
        .map_err(|_| Error::statement("54000", "a row is longer than 2 GiB"))?;
    out[start - 4..start].copy_from_slice(&length.to_be_bytes());
    Ok(())
}

/// Puts a backslash before what would not read back, from `start` on.
fn escape_text(out: &mut Vec<u8>, start: usize, delimiter: u8) {
    let letter = |byte: u8| match byte {
        8 => Some(b'b'),
        12 => Some(b'f'),
        b'\n' => Some(b'n'),
        b'\r' => Some(b'r'),
        b'\t' => Some(b't'),
        11 => Some(b'v'),
        b'\\' => Some(b'\\'),
        other if other == delimiter => Some(other),
        _ => None,
    };
    let Some(first) = out[start..].iter().position(|byte| letter(*byte).is_some()) else { return };
    for byte in out.split_off(start + first) {
        match letter(byte) {
            Some(letter) => out.extend_from_slice(&[b'\\', letter]),
            None => out.push(byte),
        }
    }
}

/// What is special in CSV.
struct Marks<'a> {
    delimiter: u8,
    quote: u8,
    escape: u8,
    null: &'a str,
}

impl Marks<'_> {
    /// Quotes the value from `start` on if it needs that.
    fn close(&self, out: &mut Vec<u8>, start: usize, is_forced: bool, is_alone: bool) {
        let value = &out[start..];
        let is_special = |byte: &u8| [self.delimiter, self.quote, b'\n', b'\r'].contains(byte);
        let is_quoted = is_forced
            || value == self.null.as_bytes()
            || value.iter().any(is_special)
            // Alone on a line it would end the data.
            || (is_alone && value == b"\\.");
        if !is_quoted {
            return;
        }
        let value = out.split_off(start);
        out.push(self.quote);
        for byte in value {
            if byte == self.quote || byte == self.escape {
                out.push(self.escape);
            }
            out.push(byte);
        }
        out.push(self.quote);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::arrow::array::{Array, ArrayRef, Int32Array, StringArray};

    use super::*;
    use crate::server::encode::types;

    fn written(format: &CopyFormat, columns: &[ArrayRef], row: usize) -> Vec<u8> {
        let columns: Vec<Column<'_>> = columns
            .iter()
            .map(|array| {
                let oid = types::of(array.data_type()).expect("known").oid;
                Column::new(array.as_ref() as &dyn Array, oid).expect("known")
            })
            .collect();
        let mut out = vec![];
        format.put_row(&columns, row, Tz::UTC, &mut out).expect("fits");
        out
    }

    fn columns() -> Vec<ArrayRef> {
        let texts = ["plain", "a\tb\\c\nd", "", "\"q\", x", "\\.", "\\N"];
        vec![
            Arc::new(StringArray::from_iter_values(texts)),
            Arc::new(Int32Array::from(vec![Some(1), None, Some(3), None, Some(5), Some(6)])),
        ]
    }

    #[test]
    fn text_escapes_what_would_not_read_back() {
        let format = CopyFormat::Text { delimiter: b'\t', null: "\\N".into() };
        let rows: Vec<String> = (0..6)
            .map(|row| String::from_utf8(written(&format, &columns(), row)).expect("text"))
            .collect();
        assert_eq!(
            rows,
            [
                "plain\t1\n",
                "a\\tb\\\\c\\nd\t\\N\n",
                "\t3\n",
                "\"q\", x\t\\N\n",
                "\\\\.\t5\n",
                "\\\\N\t6\n"
            ]
        );
    }

    #[test]
    fn csv_quotes_what_needs_it() {
        let csv = |null: &str, quoted: Vec<bool>| CopyFormat::Csv {
            delimiter: b',',
            null: null.into(),
            quote: b'"',
            escape: b'"',
            quoted,
        };
        let rows: Vec<String> = (0..6)
            .map(|row| {
                let out = written(&csv("", vec![]), &columns(), row);
                String::from_utf8(out).expect("text")
            })
            .collect();
        assert_eq!(
            rows,
            [
                "plain,1\n",
                "\"a\tb\\c\nd\",\n",
                "\"\",3\n",
                "\"\"\"q\"\", x\",\n",
                "\\.,5\n",
                "\\N,6\n"
            ]
        );
        assert_eq!(written(&csv("", vec![]), &columns()[..1], 4), b"\"\\.\"\n");
        assert_eq!(written(&csv("-", vec![true, true]), &columns(), 1), b"\"a\tb\\c\nd\",-\n");
        let mut names = vec![];
        csv("", vec![]).put_names(["a", "b,c"].into_iter(), &mut names);
        assert_eq!(names, b"a,\"b,c\"\n");
    }

    #[test]
    fn binary_has_a_length_before_each_value() {
        let row = written(&CopyFormat::Binary, &columns(), 1);
        assert_eq!(row[..2], [0, 2]);
        assert_eq!(row[row.len() - 4..], [255; 4]);
        assert_eq!(BINARY_HEAD.len(), 19);
    }
}
