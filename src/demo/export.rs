//! Writes export files: every field quoted, lines ended by LF, as the CRM's own export does.

use std::collections::BTreeMap;
use std::fmt::{Display, Write};
use std::path::{Path, PathBuf};

use chrono::{NaiveDate, NaiveDateTime};

use crate::error::{Error, Result};

/// One file in the making.
#[derive(Debug)]
pub(super) struct Sheet {
    columns: usize,
    rows: u64,
    text: String,
    field: String,
}

impl Sheet {
    /// A file with these column names.
    pub fn new(header: &[&str]) -> Self {
        let mut sheet =
            Self { columns: header.len(), rows: 0, text: String::new(), field: String::new() };
        let names: Vec<&dyn Display> = header.iter().map(|name| name as &dyn Display).collect();
        sheet.line(&names);
        sheet
    }

    /// Adds a row; it has as many fields as the header.
    pub fn row(&mut self, fields: &[&dyn Display]) {
        debug_assert_eq!(fields.len(), self.columns);
        self.rows += 1;
        self.line(fields);
    }

    /// Rows so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    fn line(&mut self, fields: &[&dyn Display]) {
        for (index, field) in fields.iter().enumerate() {
            self.field.clear();
            let _ = write!(self.field, "{field}"); // writing to a String cannot fail
            self.text.push_str(if index == 0 { "\"" } else { ",\"" });
            if self.field.contains('"') {
                self.text.push_str(&self.field.replace('"', "\"\""));
            } else {
                self.text.push_str(&self.field);
            }
            self.text.push('"');
        }
        self.text.push('\n');
    }
}

/// All files of the company, by path below the directory it is written to.
#[derive(Debug, Default)]
pub(super) struct Export(BTreeMap<PathBuf, Sheet>);

impl Export {
    /// Adds `<folder>/<name>.csv`.
    pub fn add(&mut self, folder: &str, name: &str, sheet: Sheet) {
        self.0.insert(Path::new(folder).join(format!("{name}.csv")), sheet);
    }

    /// Paths, rows and contents, sorted by path.
    pub fn files(&self) -> impl Iterator<Item = (&Path, u64, &str)> {
        self.0.iter().map(|(path, sheet)| (path.as_path(), sheet.rows, sheet.text.as_str()))
    }

    /// Writes every file below `dir`, in the place of what was there.
    pub fn write(&self, dir: &Path) -> Result<()> {
        for (path, _, text) in self.files() {
            let path = dir.join(path);
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder).map_err(|e| Error::file("create", folder, e))?;
            }
            std::fs::write(&path, text).map_err(|e| Error::file("write", &path, e))?;
        }
        Ok(())
    }
}

/// Prints nothing for `None`: an empty field is an unknown one.
pub(super) struct Maybe<T>(pub Option<T>);

impl<T: Display> Display for Maybe<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.as_ref().map_or(Ok(()), |value| value.fmt(f))
    }
}

/// Money in cents, printed in units with two decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Cents(pub i64);

impl Display for Cents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        write!(f, "{sign}{}.{:02}", self.0.abs() / 100, self.0.abs() % 100)
    }
}

/// An instant as the CRM exports it.
pub(super) struct Instant(pub NaiveDateTime);

impl Display for Instant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.000Z", self.0.format("%Y-%m-%dT%H:%M:%S"))
    }
}

/// The first 15 characters of an id, as a spreadsheet round trip leaves it.
pub(super) fn short(id: &str) -> &str {
    &id[..15]
}

/// Whole days from `from` to `to`.
pub(super) fn days(from: NaiveDate, to: NaiveDate) -> i64 {
    (to - from).num_days()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_doubled_and_unknown_is_empty() {
        let mut sheet = Sheet::new(&["a", "b"]);
        sheet.row(&[&"say \"hi\", twice", &Maybe(None::<i64>)]);
        assert_eq!(sheet.text, "\"a\",\"b\"\n\"say \"\"hi\"\", twice\",\"\"\n");
        assert_eq!(sheet.rows(), 1);
    }

    #[test]
    fn cents_print_as_units() {
        assert_eq!(Cents(123_405).to_string(), "1234.05");
        assert_eq!(Cents(-5).to_string(), "-0.05");
    }
}
