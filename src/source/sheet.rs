//! The cells of a sheet as rows of text.

use calamine::{DataRef, XlsxCellReader, XlsxError};

use std::fs::File;
use std::io::BufReader;

use super::serial::{self, DaySystem};
use super::{COLUMNS_MAX, FIELD_BYTES_MAX, Options, ROW_BYTES_MAX};

/// One row that holds anything.
#[derive(Debug)]
pub(super) struct Row {
    /// Number in the sheet, 1-based.
    pub line: u64,
    /// Text of each cell from column A on.
    pub values: Vec<Option<String>>,
    /// Why it is no row, by code and in words.
    pub fault: Option<(&'static str, String)>,
}

impl Row {
    /// Bytes of its text.
    pub(super) fn bytes(&self) -> usize {
        self.values.iter().flatten().map(String::len).sum::<usize>() + 8 * self.values.len()
    }

    /// Its cells as a line of CSV, for a person to recognize.
    pub(super) fn text(&self) -> String {
        let cells = self.values.iter().map(|value| match value.as_deref().unwrap_or("") {
            text if text.contains([',', '"', '\n', '\r']) => {
                format!("\"{}\"", text.replace('"', "\"\""))
            }
            text => text.to_owned(),
        });
        cells.collect::<Vec<_>>().join(",")
    }
}

/// One cell, with the format that its number is shown in.
type Cell<'a> = (u32, u32, DataRef<'a>, usize);

/// The rows of a sheet, one after the other.
pub(super) struct Rows<'a> {
    cells: XlsxCellReader<'a, BufReader<File>>,
    system: DaySystem,
    is_decimal_comma: bool,
    /// First cell of the next row.
    ahead: Option<Cell<'a>>,
    /// True once the reader, which must not be asked again, has told the end.
    is_at_end: bool,
    line: u64,
}

impl<'a> Rows<'a> {
    pub(super) fn new(
        cells: XlsxCellReader<'a, BufReader<File>>,
        is_1904: bool,
        options: &Options,
    ) -> Self {
        let system = if is_1904 { DaySystem::From1904 } else { DaySystem::From1900 };
        let is_decimal_comma = options.locale.is_decimal_comma();
        Self { cells, system, is_decimal_comma, ahead: None, is_at_end: false, line: 0 }
    }

    /// The next row with a value in it; a fault of the file comes with the line it was met after.
    pub(super) fn next(&mut self) -> Result<Option<Row>, (u64, XlsxError)> {
        loop {
            let Some(first) = self.take()? else { return Ok(None) };
            let mut row = Row { line: u64::from(first.0) + 1, values: vec![], fault: None };
            if row.line <= self.line {
                let out_of_order = XlsxError::Unexpected("rows are not in their order");
                return Err((self.line, out_of_order));
            }
            self.line = row.line;
            let number = first.0;
            self.put(&mut row, first);
            while let Some(cell) = self.take()? {
                if cell.0 != number {
                    self.ahead = Some(cell);
                    break;
                }
                self.put(&mut row, cell);
            }
            if row.fault.is_some() || row.values.iter().any(Option::is_some) {
                return Ok(Some(row));
            }
        }
    }

    fn take(&mut self) -> Result<Option<Cell<'a>>, (u64, XlsxError)> {
        if let Some(cell) = self.ahead.take() {
            return Ok(Some(cell));
        }
        if self.is_at_end {
            return Ok(None);
        }
        let read = self.cells.next_cell_with_style_id().map_err(|e| (self.line, e))?;
        self.is_at_end = read.is_none();
        Ok(read.map(|(cell, style)| {
            let (row, column) = cell.get_position();
            (row, column, cell.get_value().clone(), style)
        }))
    }

    fn put(&self, row: &mut Row, (_, column, value, style): Cell<'a>) {
        let column = column as usize;
        let name = || format!("{}{}", column_name(column), row.line);
        let text = match self.text(value, style) {
            Ok(None) => return,
            Ok(Some(text)) => text,
            Err((code, text, reason)) => {
                row.fault.get_or_insert((code, format!("cell {} {reason}", name())));
                text
            }
        };
        if column >= COLUMNS_MAX {
            let reason = format!("cell {} is beyond {COLUMNS_MAX} columns", name());
            row.fault.get_or_insert(("unnamed_column", reason));
            return;
        }
        if text.len() > FIELD_BYTES_MAX || row.bytes() + text.len() > ROW_BYTES_MAX {
            let reason = format!("cell {} holds more than {FIELD_BYTES_MAX} bytes", name());
            row.fault.get_or_insert(("field_too_long", reason));
            return;
        }
        if row.values.len() <= column {
            row.values.resize(column + 1, None);
        }
        row.values[column] = Some(text);
    }

    /// The text of a cell; what cannot be read is told with its code and what it holds.
    fn text(
        &self,
        value: DataRef<'_>,
        style: usize,
    ) -> Result<Option<String>, (&'static str, String, String)> {
        Ok(Some(match value {
            DataRef::Empty => return Ok(None),
            DataRef::String(text) | DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => {
                return Ok((!text.is_empty()).then_some(text));
            }
            DataRef::SharedString(text) => return Ok((!text.is_empty()).then(|| text.to_owned())),
            DataRef::Bool(is) => is.to_string(),
            DataRef::Int(number) => self.number(number as f64, style)?,
            DataRef::Float(number) => self.number(number, style)?,
            DataRef::DateTime(at) if at.is_duration() => serial::duration_text(at.as_f64()),
            DataRef::DateTime(at) => serial::date_text(at.as_f64(), self.system)
                .map_err(|reason| ("date", plain(at.as_f64()), reason.to_owned()))?,
            // `#N/A` is a text in a column of text and bad in any other.
            DataRef::Error(error) => error.to_string(),
        }))
    }

    fn number(&self, number: f64, style: usize) -> Result<String, (&'static str, String, String)> {
        let text = plain(number);
        if !number.is_finite() || (number.abs() >= 9e15 && number.fract() == 0.0) {
            let reason = "is a number too large to keep; format the column as text".to_owned();
            return Err(("number_too_large", text, reason));
        }
        let style = self.cells.styles().get(style);
        let format = style.and_then(|style| style.number_format.as_ref());
        if let Some(padded) = format.and_then(|format| padded(&text, &format.format_code)) {
            return Ok(padded);
        }
        Ok(if self.is_decimal_comma { text.replace('.', ",") } else { text })
    }
}

/// A number with at most 15 digits, which is what was typed: the others are noise of binary fractions.
fn plain(number: f64) -> String {
    if number.fract() == 0.0 && number.abs() < 9e15 {
        return (number as i64).to_string();
    }
    let rounded: f64 = format!("{number:.14e}").parse().unwrap_or(number);
    rounded.to_string()
}

/// A whole number in a format of zeros, such as `00000` or `000-0000`; `None` for other formats.
fn padded(number: &str, format: &str) -> Option<String> {
    let format: String = format.chars().filter(|c| !matches!(c, '\\' | '"')).collect();
    let places = format.chars().filter(|c| *c == '0').count();
    let is_mask = format.chars().all(|c| matches!(c, '0' | '-' | ' ' | '/' | '(' | ')'));
    let is_whole = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    if places < 2 || !is_mask || !is_whole || number.len() > places {
        return None;
    }
    let mut digits = format!("{number:0>places$}").chars().collect::<Vec<_>>().into_iter();
    Some(format.chars().map(|c| if c == '0' { digits.next().unwrap_or('0') } else { c }).collect())
}

/// The letters of a column, counted from 0.
pub(super) fn column_name(mut column: usize) -> String {
    let mut letters = Vec::new();
    loop {
        letters.push(char::from(b'A' + (column % 26) as u8));
        match column / 26 {
            0 => return letters.iter().rev().collect(),
            next => column = next - 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_digits_that_were_typed() {
        for (number, wanted) in [
            (0.1 + 0.2, "0.3"),
            (1_234.569_999_999_999_9, "1234.57"),
            (1e-7, "0.0000001"),
            (-0.0, "0"),
            (-20.0, "-20"),
            (2_100_200.0, "2100200"),
            (1_234_567_890_123_456.0, "1234567890123456"),
            (99.99, "99.99"),
        ] {
            assert_eq!(plain(number), wanted);
        }
    }

    #[test]
    fn formats_of_zeros_show_the_zeros_in_front() {
        assert_eq!(padded("2134", "00000").as_deref(), Some("02134"));
        assert_eq!(padded("21341234", "00000\\-0000").as_deref(), Some("02134-1234"));
        for (number, format) in [("7", "0"), ("7", "0.00"), ("7.5", "00000"), ("7", "#,##0")] {
            assert_eq!(padded(number, format), None, "{format}");
        }
    }

    #[test]
    fn columns_are_called_by_letters() {
        assert_eq!([0, 25, 26, 701, 702].map(column_name), ["A", "Z", "AA", "ZZ", "AAA"]);
    }
}
