//! Workbooks of spreadsheet programs: a sheet is a table, its first row that is not empty the header.
//!
//! A cell becomes the text that CSV would have for it: dates in ISO 8601, numbers with the digits
//! that were typed (15 at most, as spreadsheet programs keep), zeros in front where its format shows
//! them, of a formula the value it had when the file was saved.
//! A row with no value is no record; the line of a row is its number in the sheet, and its offset 0.
//!
//! Cells are streamed from a thread of their own.
//! What must be held is the table of shared texts, so a workbook whose texts inflate to more than
//! [`TEXTS_BYTES_MAX`] is refused, as is one that inflates like a bomb.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};

use calamine::{Reader, SheetType, Xlsx, XlsxError};
use datafusion::arrow::array::StringBuilder;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use zip::ZipArchive;

use super::inflate::{Capped, within};
use super::input::Input;
use super::sheet::{Row, Rows as SheetRows, column_name};
use super::{CHUNK_BYTES, CHUNK_ROWS, Chunk, Options, Origin, Rejected, Rows, fault, kept};
use crate::error::{Error, Result};

/// Most bytes that the texts which the cells of a workbook share may inflate to: they are held.
pub const TEXTS_BYTES_MAX: u64 = 256 << 20;
/// Rows that travel together from the thread that reads.
const BLOCK_ROWS: usize = 512;

/// One sheet of a workbook.
#[derive(Debug)]
pub(super) struct Sheet {
    /// Name on its tab.
    pub name: String,
    /// True if the workbook has no other.
    is_only: bool,
    /// Done once for all passes: every formula has a value.
    checked: OnceLock<()>,
}

impl Sheet {
    /// What the object may be called: after the file if there is one sheet, after both otherwise.
    pub(super) fn labels(&self, book: &str) -> Vec<String> {
        let both = format!("{book}_{}", self.name);
        match self.is_only {
            true => vec![book.to_owned(), both, self.name.clone()],
            false => vec![both, self.name.clone()],
        }
    }
}

/// The sheets of `input`, or the one called `wanted`.
///
/// # Errors
/// [`Error::Source`] if it is no workbook, too large, or has no such sheet; [`Error::File`].
pub(super) fn sheets(input: &Input, wanted: Option<&str>) -> Result<Vec<Sheet>> {
    check_sizes(input)?;
    let book = open(input)?;
    let names: Vec<String> = book
        .sheets_metadata()
        .iter()
        .filter(|sheet| sheet.typ == SheetType::WorkSheet)
        .map(|sheet| sheet.name.clone())
        .collect();
    let is_only = names.len() == 1 || wanted.is_some();
    let known = names.join(", ");
    let sheet = |name| Sheet { name, is_only, checked: OnceLock::new() };
    let found: Vec<Sheet> =
        names.into_iter().filter(|name| wanted.is_none_or(|w| w == name)).map(sheet).collect();
    if found.is_empty() {
        let reason = match wanted {
            Some(wanted) => format!("has no sheet \"{wanted}\"; its sheets: {known}"),
            None => "has no sheet with cells".to_owned(),
        };
        return Err(fault(input.path(), 0, reason));
    }
    Ok(found)
}

type Book = Xlsx<BufReader<File>>;

fn open(input: &Input) -> Result<Book> {
    let Some(file) = input.on_disk()? else {
        return Err(fault(input.path(), 0, "a workbook must be a file"));
    };
    Xlsx::new(BufReader::new(file)).map_err(|e| broken(input, 0, &e))
}

fn broken(input: &Input, line: u64, error: &XlsxError) -> Error {
    let reason = match error {
        XlsxError::Password => "is protected by a password; save it without one".to_owned(),
        other => format!("is not a sound workbook: {other}"),
    };
    fault(input.path(), line, reason)
}

/// Inflates every part once to nowhere, because what a part states of its size may be a lie.
fn check_sizes(input: &Input) -> Result<()> {
    let Some(file) = input.on_disk()? else { return Ok(()) };
    let refuse = |reason: String| fault(input.path(), 0, reason);
    let size = file.metadata().map_err(|e| Error::file("look at", input.path(), e))?.len();
    let not_zip = |e: zip::result::ZipError| match e {
        zip::result::ZipError::Io(e) if e.kind() != io::ErrorKind::UnexpectedEof => {
            Error::file("read", input.path(), e)
        }
        other => refuse(format!("is not a sound workbook: {other}")),
    };
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(not_zip)?;
    let mut inflated = 0;
    for index in 0..archive.len() {
        let part = archive.by_index(index).map_err(not_zip)?;
        let name = part.name().map_err(not_zip)?.into_owned();
        let mut part = Capped::new(part, size);
        let bytes = io::copy(&mut part.by_ref(), &mut io::sink())
            .map_err(|e| super::inflate::read_fault(input.path(), 0, e))?;
        if name.to_ascii_lowercase().ends_with("sharedstrings.xml") && bytes > TEXTS_BYTES_MAX {
            let reason = format!("holds {bytes} bytes of text; at most {TEXTS_BYTES_MAX}");
            return Err(refuse(format!("{reason}: save it as CSV")));
        }
        inflated += bytes;
        within(size, inflated).map_err(refuse)?;
    }
    Ok(())
}

/// What the reading thread sends.
enum Message {
    Rows(Vec<Row>),
    Failed(Error),
    End,
}

/// A sheet being read.
pub struct XlsxReader {
    input: Input,
    schema: SchemaRef,
    /// Column of the sheet for each column of the table.
    places: Vec<usize>,
    messages: Receiver<Message>,
    pending: std::vec::IntoIter<Row>,
    next_row: u64,
    is_at_end: bool,
}

impl XlsxReader {
    /// Reads the header of the sheet that `input` is.
    ///
    /// # Errors
    /// [`Error::Source`] for a workbook that is not sound, a formula without a value, or a header
    /// that is missing or names a column twice; [`Error::File`].
    pub fn open(input: &Input, options: &Options) -> Result<Self> {
        let Some(sheet) = input.sheet().cloned() else {
            return Err(fault(input.path(), 0, "is a workbook; its sheets are read one by one"));
        };
        if sheet.checked.get().is_none() {
            check_formulas(input, &sheet.name)?;
            sheet.checked.get_or_init(|| ());
        }
        let (sender, messages) = sync_channel(2);
        let (from, options) = (input.clone(), options.clone());
        let thread = std::thread::Builder::new().name("xlsx".into());
        let read = move || match send_rows(&from, &sheet, &options, &sender) {
            Ok(()) => drop(sender.send(Message::End)),
            Err(error) => drop(sender.send(Message::Failed(error))),
        };
        thread.spawn(read).map_err(|e| Error::file("start a thread for", input.path(), e))?;
        let mut reader = Self {
            input: input.clone(),
            schema: Arc::new(Schema::empty()),
            places: Vec::new(),
            messages,
            pending: Vec::new().into_iter(),
            next_row: 0,
            is_at_end: false,
        };
        reader.read_header()?;
        Ok(reader)
    }

    fn read_header(&mut self) -> Result<()> {
        let path = self.input.path().to_path_buf();
        let Some(header) = self.next()? else {
            return Err(fault(&path, 0, "the sheet is empty; a header row is needed"));
        };
        if let Some((_, reason)) = header.fault {
            return Err(fault(&path, header.line, format!("header: {reason}")));
        }
        let mut seen = std::collections::HashMap::new();
        let mut fields = Vec::new();
        for (column, name) in header.values.iter().enumerate() {
            let Some(name) = name.as_deref().map(str::trim).filter(|n| !n.is_empty()) else {
                continue; // a value below it is a fault of its row
            };
            if let Some(first) = seen.insert(name.to_lowercase(), column) {
                let (a, b) = (column_name(first), column_name(column));
                let reason = format!("header: columns {a} and {b} are both called \"{name}\"");
                return Err(fault(&path, header.line, reason));
            }
            fields.push(Field::new(name, DataType::Utf8, true));
            self.places.push(column);
        }
        self.schema = Arc::new(Schema::new(fields));
        Ok(())
    }

    /// The next row that holds anything.
    fn next(&mut self) -> Result<Option<Row>> {
        loop {
            if let Some(row) = self.pending.next() {
                return Ok(Some(row));
            }
            if self.is_at_end {
                return Ok(None);
            }
            match self.messages.recv() {
                Ok(Message::Rows(rows)) => self.pending = rows.into_iter(),
                Ok(Message::End) => self.is_at_end = true,
                Ok(Message::Failed(error)) => return Err(error),
                // The thread ended without a word: it panicked.
                Err(_) => {
                    let reason = "is not a sound workbook: reading it came to no end";
                    return Err(fault(self.input.path(), 0, reason));
                }
            }
        }
    }

    /// Why `row` is none, beyond what the sheet itself told.
    fn fault_of(&self, row: &Row) -> Option<(&'static str, String)> {
        if let Some(fault) = &row.fault {
            return Some(fault.clone());
        }
        let named = |column: &usize| self.places.binary_search(column).is_ok();
        let stray = (0..row.values.len()).find(|n| row.values[*n].is_some() && !named(n))?;
        let reason = format!("a value in column {}, which has no name", column_name(stray));
        Some(("unnamed_column", reason))
    }
}

impl Rows for XlsxReader {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn next_chunk(&mut self) -> Result<Option<Chunk>> {
        let mut builders: Vec<StringBuilder> =
            self.places.iter().map(|_| StringBuilder::new()).collect();
        let (mut ordinals, mut rejected, mut bytes) = (Vec::new(), Vec::new(), 0);
        while ordinals.len() < CHUNK_ROWS && rejected.len() < CHUNK_ROWS && bytes < CHUNK_BYTES {
            let Some(row) = self.next()? else { break };
            let ordinal = self.next_row;
            self.next_row += 1;
            bytes += row.bytes();
            if let Some((code, reason)) = self.fault_of(&row) {
                let raw = kept(row.text().as_bytes());
                let (row, line) = (ordinal, row.line);
                rejected.push(Rejected { row, line, byte_offset: 0, code, reason, raw });
                continue;
            }
            for (place, builder) in self.places.iter().zip(&mut builders) {
                builder.append_option(row.values.get(*place).and_then(Option::as_deref));
            }
            ordinals.push(ordinal);
        }
        Ok(Chunk::of(builders, ordinals, rejected))
    }

    fn locate(&mut self, wanted: &BTreeSet<u64>) -> Result<Vec<Origin>> {
        let mut found = Vec::with_capacity(wanted.len());
        while found.len() < wanted.len() {
            let Some(row) = self.next()? else { break };
            let ordinal = self.next_row;
            self.next_row += 1;
            if wanted.contains(&ordinal) {
                let raw = kept(row.text().as_bytes());
                found.push(Origin { row: ordinal, line: row.line, byte_offset: 0, raw });
            }
        }
        Ok(found)
    }

    fn notes(&self) -> String {
        "XLSX sheet".to_owned()
    }
}

/// Fails at the first formula that was never computed: its empty cell would pass for no value.
fn check_formulas(input: &Input, sheet: &str) -> Result<()> {
    let mut book = open(input)?;
    let mut cells = book.worksheet_cells_reader(sheet).map_err(|e| broken(input, 0, &e))?;
    let mut line = 0;
    while let Some(cell) =
        cells.next_cell_with_formula_metadata().map_err(|e| broken(input, line, &e))?
    {
        line = u64::from(cell.pos.0) + 1;
        if cell.formula.is_some() && cell.value == calamine::DataRef::Empty {
            let at = format!("{}{line}", column_name(cell.pos.1 as usize));
            let reason = format!("cell {at} is a formula without a value");
            let advice = "open the file in a spreadsheet program and save it";
            return Err(fault(input.path(), line, format!("{reason}; {advice}")));
        }
    }
    Ok(())
}

/// Sends the rows of `sheet` until there are no more or nobody reads on.
fn send_rows(
    input: &Input,
    sheet: &Sheet,
    options: &Options,
    sender: &SyncSender<Message>,
) -> Result<()> {
    let mut book = open(input)?;
    let is_1904 = book.has_1904_epoch();
    let cells = book.worksheet_cells_reader(&sheet.name).map_err(|e| broken(input, 0, &e))?;
    let mut rows = SheetRows::new(cells, is_1904, options);
    let (mut block, mut bytes) = (Vec::new(), 0);
    while let Some(row) = rows.next().map_err(|(line, e)| broken(input, line, &e))? {
        bytes += row.bytes();
        block.push(row);
        if block.len() == BLOCK_ROWS || bytes > CHUNK_BYTES {
            bytes = 0;
            if sender.send(Message::Rows(std::mem::take(&mut block))).is_err() {
                return Ok(());
            }
        }
    }
    drop(sender.send(Message::Rows(block)));
    Ok(())
}

#[cfg(test)]
#[path = "xlsx_tests.rs"]
mod tests;
