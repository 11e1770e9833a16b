//! Where the bytes of a file come from, and under which name messages speak of it.
//!
//! A file on disk may be compressed, be one of several in an archive, or be a sheet of a workbook.
//! [`Input::expand`] finds out which; afterwards every input is one table, and the same bytes come
//! out of it as often as it is opened.

use std::fmt;
use std::fs::File;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::execution::SpillFile;

use super::archive::{self, Entry};
use super::inflate::{self, Packing};
use super::xlsx::{self, Sheet};
use super::{Options, fault};
use crate::error::{Error, Result};

/// Where bytes come from.
#[derive(Debug, Clone)]
pub struct Input {
    /// Path, or what stands for one in messages.
    name: PathBuf,
    place: Place,
    part: Part,
}

#[derive(Clone)]
enum Place {
    Disk(PathBuf),
    /// A copy on disk that goes away with its last reader.
    Spool(Arc<dyn SpillFile>),
    Program(&'static [u8]),
}

#[derive(Debug, Clone)]
enum Part {
    Whole,
    Entry(Arc<Entry>),
    Sheet(Arc<Sheet>),
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disk(path) => write!(f, "Disk({})", path.display()),
            Self::Spool(_) => f.write_str("Spool"),
            Self::Program(bytes) => write!(f, "Program({} bytes)", bytes.len()),
        }
    }
}

/// How the bytes of a file are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// Text with a delimiter that is to be found.
    Csv,
    /// Text with tabs.
    Tsv,
    /// JSON lines, or one array.
    Json,
    /// Columns with types.
    Parquet,
    /// A workbook of sheets.
    Xlsx,
    /// An archive of files.
    Zip,
}

/// Extensions and what they mean.
const FORMATS: &[(&str, Format)] = &[
    ("csv", Format::Csv),
    ("txt", Format::Csv),
    ("tsv", Format::Tsv),
    ("tab", Format::Tsv),
    ("json", Format::Json),
    ("jsonl", Format::Json),
    ("ndjson", Format::Json),
    ("parquet", Format::Parquet),
    ("xlsx", Format::Xlsx),
    ("xlsm", Format::Xlsx),
    ("zip", Format::Zip),
];

/// What a file's name says: its stem, and how it is read if that is known.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Name<'a> {
    pub stem: &'a str,
    pub format: Option<Format>,
    pub packing: Option<Packing>,
}

impl<'a> Name<'a> {
    pub(super) fn of(path: &'a Path) -> Self {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("");
        let (name, packing) = match name.rsplit_once('.') {
            Some((rest, end)) => match Packing::of(end) {
                Some(packing) => (rest, Some(packing)),
                None => (name, None),
            },
            None => (name, None),
        };
        let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
        let known = FORMATS.iter().find(|(e, _)| e.eq_ignore_ascii_case(extension));
        Self { stem, format: known.map(|(_, format)| *format), packing }
    }
}

/// Extensions that are read, as a message lists them.
pub fn extensions() -> String {
    let known: Vec<String> = FORMATS.iter().map(|(e, _)| format!(".{e}")).collect();
    format!("{}; text also compressed as .gz or .zst", known.join(", "))
}

/// Whether the name of `path` ends in an extension that is read.
pub fn is_known(path: &Path) -> bool {
    Name::of(path).format.is_some()
}

/// Whether the rows of `path` stand in lines under one that names their columns.
pub fn has_header(path: &Path) -> bool {
    matches!(Name::of(path).format, Some(Format::Csv | Format::Tsv))
}

/// Whether each row of `path` is a JSON object.
pub fn is_json(path: &Path) -> bool {
    Name::of(path).format == Some(Format::Json)
}

impl Input {
    /// A file on disk.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Self { name: path.clone(), place: Place::Disk(path), part: Part::Whole }
    }

    /// Bytes that came with the program, under a name for messages.
    pub fn embedded(name: &str, bytes: &'static [u8]) -> Self {
        Self { name: name.into(), place: Place::Program(bytes), part: Part::Whole }
    }

    /// A local copy of what `name` (a URL) has; its extension says how it is read.
    pub fn spooled(name: impl Into<PathBuf>, copy: Arc<dyn SpillFile>) -> Self {
        Self { name: name.into(), place: Place::Spool(copy), part: Part::Whole }
    }

    /// Path, URL or the name of embedded bytes; a part of a file is named like a file within it.
    pub fn path(&self) -> &Path {
        &self.name
    }

    /// What the object it belongs to may be called, the likeliest first.
    pub fn labels(&self) -> Vec<String> {
        match &self.part {
            Part::Whole | Part::Entry(_) => vec![Name::of(&self.name).stem.to_owned()],
            Part::Sheet(sheet) => {
                let book = self.name.parent().unwrap_or(&self.name);
                sheet.labels(Name::of(book).stem)
            }
        }
    }

    pub(super) fn format(&self) -> Option<Format> {
        match &self.part {
            Part::Sheet(_) => Some(Format::Xlsx),
            _ => Name::of(&self.name).format,
        }
    }

    pub(super) fn packing(&self) -> Option<Packing> {
        match &self.part {
            Part::Whole => Name::of(&self.name).packing,
            _ => None,
        }
    }

    /// The sheet it is, if it is one.
    pub(super) fn sheet(&self) -> Option<&Arc<Sheet>> {
        match &self.part {
            Part::Sheet(sheet) => Some(sheet),
            _ => None,
        }
    }

    /// True for a table of its own, which can be read from any of its bytes.
    pub(super) fn is_whole(&self) -> bool {
        matches!(self.part, Part::Whole) && self.packing().is_none()
    }

    /// The tables in it: the files of an archive, the sheets of a workbook, or itself.
    ///
    /// # Errors
    /// [`Error::Source`] for an archive or a workbook that breaks a rule; [`Error::File`].
    pub fn expand(self, options: &Options) -> Result<Vec<Self>> {
        let part = |name: &str, part: Part| Self {
            name: self.name.join(name),
            place: self.place.clone(),
            part,
        };
        match self.format() {
            Some(Format::Zip | Format::Xlsx) if self.packing().is_some() => {
                Err(fault(&self.name, 0, "is an archive within a compressed file; unpack it first"))
            }
            Some(Format::Zip) => {
                let entries = archive::entries(&self)?.into_iter();
                Ok(entries.map(|e| part(&e.name.clone(), Part::Entry(Arc::new(e)))).collect())
            }
            Some(Format::Xlsx) => {
                let sheets = xlsx::sheets(&self, options.sheet.as_deref())?.into_iter();
                Ok(sheets.map(|s| part(&s.name.clone(), Part::Sheet(Arc::new(s)))).collect())
            }
            _ => Ok(vec![self]),
        }
    }

    /// The file on disk; `None` for embedded bytes.
    pub(super) fn on_disk(&self) -> Result<Option<File>> {
        let path = match &self.place {
            Place::Disk(path) => path.as_path(),
            Place::Spool(copy) => match copy.path() {
                Some(path) => path,
                None => return Err(fault(&self.name, 0, "its copy must be on a local disk")),
            },
            Place::Program(_) => return Ok(None),
        };
        File::open(path).map(Some).map_err(|e| Error::file("open", &self.name, e))
    }

    /// Embedded bytes.
    pub(super) fn in_program(&self) -> &'static [u8] {
        match self.place {
            Place::Program(bytes) => bytes,
            _ => &[],
        }
    }

    /// Starts reading at the first byte; what is compressed comes out inflated, and of a sheet the
    /// bytes of its workbook.
    ///
    /// # Errors
    /// [`Error::File`] if the file cannot be opened.
    pub fn open(&self) -> Result<Box<dyn Read + Send>> {
        let Some(file) = self.on_disk()? else {
            return Ok(Box::new(Cursor::new(self.in_program())));
        };
        match (&self.part, self.packing()) {
            (Part::Entry(entry), _) => {
                entry.open(file).map_err(|e| Error::file("read", &self.name, e))
            }
            (_, Some(packing)) => {
                inflate::open(file, packing).map_err(|e| Error::file("read", &self.name, e))
            }
            _ => Ok(Box::new(file)),
        }
    }

    /// Size and time of the last change: two equal answers mean that the bytes are the same.
    ///
    /// # Errors
    /// [`Error::File`] if the file is gone.
    pub fn stamp(&self) -> Result<(u64, Option<std::time::SystemTime>)> {
        let Some(file) = self.on_disk()? else { return Ok((self.in_program().len() as u64, None)) };
        let data = file.metadata().map_err(|e| Error::file("look at", &self.name, e))?;
        Ok((data.len(), data.modified().ok()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_a_file_is() {
        let name = |text: &'static str| Name::of(Path::new(text));
        let gzip = Some(Packing::Gzip);
        for (text, stem, format, packing) in [
            ("dir.d/Account.csv", "Account", Some(Format::Csv), None),
            ("Account.2024.CSV.GZ", "Account.2024", Some(Format::Csv), gzip),
            ("deals.jsonl.zst", "deals", Some(Format::Json), Some(Packing::Zstd)),
            ("notes.md", "notes", None, None),
            ("plain", "plain", None, None),
            ("s3://bucket/a/quotas.xlsx", "quotas", Some(Format::Xlsx), None),
        ] {
            assert_eq!(name(text), Name { stem, format, packing }, "{text}");
        }
    }
}
