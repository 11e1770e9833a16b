//! Archives of several files (`.zip`), which are never unpacked: an entry is read where it lies.
//!
//! An archive that breaks one rule is refused as a whole, by the entry that breaks it: a path that
//! leads out of it, a link, an archive within, a name twice, too many entries, too much inflated.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use flate2::Crc;
use flate2::bufread::DeflateDecoder;
use zip::{CompressionMethod, ZipArchive};

use super::fault;
use super::inflate::{Capped, Packing, Refusal, within};
use super::input::{Input, Name};
use crate::error::{Error, Result};

/// Most entries of one archive.
pub const ENTRIES_MAX: usize = 1_000;

/// Endings of files that hold other files.
const NESTED: &[&str] =
    &["zip", "gz", "gzip", "zst", "zstd", "tgz", "tar", "bz2", "xz", "7z", "rar", "xlsx", "xlsm"];

/// One file of an archive.
#[derive(Debug)]
pub(super) struct Entry {
    /// Path within the archive.
    pub name: String,
    start: u64,
    packed: u64,
    inflated: u64,
    crc: u32,
    is_stored: bool,
}

/// The entries of `input` that are tables, in the order of the archive.
///
/// # Errors
/// [`Error::Source`] if it is no archive or breaks a rule; [`Error::File`].
pub(super) fn entries(input: &Input) -> Result<Vec<Entry>> {
    let Some(file) = input.on_disk()? else {
        return Err(fault(input.path(), 0, "an archive must be a file"));
    };
    let refuse = |reason: String| fault(input.path(), 0, reason);
    let size = file.metadata().map_err(|e| Error::file("look at", input.path(), e))?.len();
    let broken = |e: zip::result::ZipError| refuse(format!("is not a sound zip archive: {e}"));
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(broken)?;
    if archive.len() > ENTRIES_MAX {
        return Err(refuse(format!("{} entries; at most {ENTRIES_MAX}", archive.len())));
    }
    if archive.has_duplicate_names() {
        return Err(refuse("two entries have the same name".into()));
    }
    if archive.has_overlapping_entries().map_err(broken)? {
        return Err(refuse("two entries share bytes".into()));
    }
    let (mut found, mut inflated) = (Vec::new(), 0_u64);
    for index in 0..archive.len() {
        let entry = archive.by_index_raw(index).map_err(broken)?;
        let name = entry.name().map_err(broken)?.into_owned();
        let bad = |reason: &str| refuse(format!("entry \"{}\" {reason}", shown(&name)));
        check_path(&name).map_err(bad)?;
        if entry.is_symlink() {
            return Err(bad("is a link"));
        }
        if entry.is_dir() {
            continue;
        }
        if entry.encrypted() {
            return Err(bad("is encrypted; pack it without a password"));
        }
        check_kind(&name).map_err(bad)?;
        let is_stored = entry.compression() == CompressionMethod::Stored;
        if !is_stored && entry.compression() != CompressionMethod::Deflated {
            return Err(bad("is packed by a method other than deflate"));
        }
        inflated = inflated.saturating_add(entry.size());
        within(entry.compressed_size(), entry.size()).map_err(|reason| bad(&reason))?;
        let start = entry.data_start().ok_or_else(|| bad("has no data"))?;
        let (packed, size, crc) = (entry.compressed_size(), entry.size(), entry.crc32());
        if super::input::is_known(Path::new(&name)) && !is_hidden(&name) {
            found.push(Entry { name, start, packed, inflated: size, crc, is_stored });
        }
    }
    within(size, inflated).map_err(refuse)?;
    Ok(found)
}

/// Fails for a path that is not plainly below the archive.
fn check_path(name: &str) -> Result<(), &'static str> {
    let is_drive = name.as_bytes().get(1) == Some(&b':');
    if name.starts_with(['/', '\\']) || is_drive {
        return Err("has an absolute path");
    }
    if name.split(['/', '\\']).any(|part| part == "..") {
        return Err("leads out of the archive by \"..\"");
    }
    if name.is_empty() || name.contains(|c: char| c.is_control()) {
        return Err("has a name that is none");
    }
    Ok(())
}

/// Fails for a file that would have to be unpacked itself.
fn check_kind(name: &str) -> Result<(), &'static str> {
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending).to_ascii_lowercase();
    if NESTED.contains(&ending.as_str()) {
        return Err("is an archive or a workbook itself; take it out and load it by itself");
    }
    if Name::of(Path::new(name)).format == Some(super::input::Format::Parquet) {
        return Err("is Parquet, which is read from its end; take it out and load it by itself");
    }
    debug_assert!(Packing::of(&ending).is_none(), "packings are nested archives");
    Ok(())
}

/// What systems add without being asked.
fn is_hidden(name: &str) -> bool {
    name.split('/').any(|part| part.starts_with('.') || part == "__MACOSX")
}

/// A name without what would disturb a terminal, and not too long.
fn shown(name: &str) -> String {
    name.chars().take(200).map(|c| if c.is_control() { '?' } else { c }).collect()
}

impl Entry {
    /// The inflated bytes of this entry of the archive `file`.
    pub(super) fn open(&self, mut file: File) -> io::Result<Box<dyn Read + Send>> {
        file.seek(SeekFrom::Start(self.start))?;
        let packed = BufReader::new(file.take(self.packed));
        let inner: Box<dyn Read + Send> =
            if self.is_stored { Box::new(packed) } else { Box::new(DeflateDecoder::new(packed)) };
        let inner = Capped::new(inner, self.packed);
        Ok(Box::new(Checked { inner, crc: Crc::new(), wanted: self.crc, length: self.inflated }))
    }
}

/// Bytes that must have the length and the check sum that the archive states.
struct Checked<R> {
    inner: R,
    crc: Crc,
    wanted: u32,
    length: u64,
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.inner.read(buffer)?;
        self.crc.update(&buffer[..got]);
        // The sum counts bytes modulo 2^32, as the limit on inflated bytes is larger than that.
        let is_end = got == 0 && !buffer.is_empty();
        let is_whole = self.crc.amount() == self.length as u32 && self.crc.sum() == self.wanted;
        if is_end && !is_whole {
            let reason = "its length or check sum is not the one that the archive states";
            return Err(io::Error::other(Refusal(reason.into())));
        }
        Ok(got)
    }
}

#[cfg(test)]
#[path = "archive_tests.rs"]
mod tests;
