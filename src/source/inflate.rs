//! Compressed bytes, inflated within limits: a small file must not become an endless one.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use super::fault;
use crate::error::Error;

/// Most bytes that a compressed file may inflate to.
pub const INFLATED_BYTES_MAX: u64 = 10 << 30;
/// Most times its own size that a compressed file may inflate to.
pub const RATIO_MAX: u64 = 100;
/// Bytes up to which the ratio does not count: so much does no harm.
pub const RATIO_FREE_BYTES: u64 = 16 << 20;

/// A compression that an extension tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    /// RFC 1952, of one or more members.
    Gzip,
    /// RFC 8878, of one or more frames.
    Zstd,
}

impl Packing {
    pub(super) fn of(extension: &str) -> Option<Self> {
        match extension.to_ascii_lowercase().as_str() {
            "gz" | "gzip" => Some(Self::Gzip),
            "zst" | "zstd" => Some(Self::Zstd),
            _ => None,
        }
    }
}

/// Why compressed bytes are not read on: a rule of ours or damage, no fault of the machine.
#[derive(Debug)]
pub(super) struct Refusal(pub String);

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refusal {}

/// The refusal that `error` carries, if it is one.
pub(super) fn refusal(error: &io::Error) -> Option<&Refusal> {
    error.get_ref().and_then(|inner| inner.downcast_ref())
}

/// A read that failed, as a fault of the file if it is one.
pub(crate) fn read_fault(path: &Path, line: u64, error: io::Error) -> Error {
    match refusal(&error) {
        Some(refusal) => fault(path, line, refusal.to_string()),
        None => Error::file("read", path, error),
    }
}

/// The inflated bytes of `file`.
pub(super) fn open(file: File, packing: Packing) -> io::Result<Box<dyn Read + Send>> {
    let packed = file.metadata()?.len();
    Ok(match packing {
        Packing::Gzip => {
            let inflated = flate2::bufread::MultiGzDecoder::new(BufReader::new(file));
            Box::new(Capped::new(inflated, packed))
        }
        Packing::Zstd => Box::new(Capped::new(zstd::Decoder::new(file)?, packed)),
    })
}

/// Inflated bytes that stop at the limits.
pub(super) struct Capped<R> {
    inner: R,
    packed: u64,
    inflated: u64,
}

impl<R> Capped<R> {
    /// The bytes of `inner`, which inflates `packed` bytes.
    pub(super) fn new(inner: R, packed: u64) -> Self {
        Self { inner, packed, inflated: 0 }
    }
}

impl<R: Read> Read for Capped<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.inner.read(buffer).map_err(damage)?;
        self.inflated += got as u64;
        within(self.packed, self.inflated).map_err(|reason| io::Error::other(Refusal(reason)))?;
        Ok(got)
    }
}

/// Fails if `inflated` bytes are too many for `packed` ones.
pub(super) fn within(packed: u64, inflated: u64) -> Result<(), String> {
    if inflated > INFLATED_BYTES_MAX {
        return Err(format!("inflates to more than {INFLATED_BYTES_MAX} bytes"));
    }
    if inflated > RATIO_FREE_BYTES && inflated / RATIO_MAX > packed {
        return Err(format!("inflates to more than {RATIO_MAX} times its {packed} bytes"));
    }
    Ok(())
}

/// Errors of a decoder are damage of the bytes, unless the machine could not read them.
fn damage(error: io::Error) -> io::Error {
    use io::ErrorKind::{InvalidData, InvalidInput, Other, UnexpectedEof};
    if refusal(&error).is_some()
        || !matches!(error.kind(), InvalidData | InvalidInput | Other | UnexpectedEof)
    {
        return error;
    }
    let what = match error.kind() {
        UnexpectedEof => "its compressed bytes end too early".to_owned(),
        _ => format!("its compressed bytes are damaged: {error}"),
    };
    io::Error::other(Refusal(what))
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::path::PathBuf;

    use crate::source::{Input, Options};

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut out = flate2::write::GzEncoder::new(vec![], flate2::Compression::best());
        out.write_all(bytes).expect("writes");
        out.finish().expect("ends")
    }

    fn saved(name: &str, bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).expect("writes");
        (folder, path)
    }

    /// Rows of a file, and where its bad records stand.
    fn read(name: &str, bytes: &[u8]) -> crate::error::Result<(u64, Vec<(u64, u64)>)> {
        let (_folder, path) = saved(name, bytes);
        let mut rows = crate::source::open(&Input::file(path), &Options::default())?;
        let (mut good, mut bad) = (0, vec![]);
        while let Some(chunk) = rows.next_chunk()? {
            good += chunk.ordinals.len() as u64;
            bad.extend(chunk.rejected.iter().map(|r| (r.line, r.byte_offset)));
        }
        Ok((good, bad))
    }

    #[test]
    fn compressed_files_read_as_what_they_hold() {
        let text = b"a,b\n1,2\nbad\n3,4\n";
        let two = [gzip(&text[..6]), gzip(&text[6..])].concat();
        let zstd = zstd::encode_all(&text[..], 3).expect("packs");
        for (name, bytes) in [("t.csv.gz", gzip(text)), ("t.csv.GZ", two), ("t.csv.zst", zstd)] {
            assert_eq!(read(name, &bytes).expect(name), (2, vec![(3, 8)]), "{name}");
        }
        let json = gzip(b"{\"a\":1}\n{\"a\":\n{\"a\":2}\n");
        assert_eq!(read("t.jsonl.gz", &json).expect("json"), (2, vec![(2, 8)]));
    }

    #[test]
    fn bombs_and_damage_are_refused_by_name() {
        let bomb = gzip(&vec![b'x'; 64 << 20]);
        let error = read("bomb.csv.gz", &bomb).expect_err("too much").to_string();
        assert!(error.contains("bomb.csv.gz:1: inflates to more than 100 times its"), "{error}");
        let lines = "1,2\n".repeat(8 << 20);
        let bomb = zstd::encode_all(format!("a,b\n{lines}").as_bytes(), 3).expect("packs");
        let error = read("bomb.csv.zst", &bomb).expect_err("too much").to_string();
        assert!(error.contains("inflates to more than 100 times its"), "{error}");
        let rows: String = (0..100_000).map(|n| format!("{n},{}\n", n * 7919 % 100_003)).collect();
        let whole = gzip(format!("a,b\n{rows}").as_bytes());
        assert_eq!(read("t.csv.gz", &whole).expect("whole"), (100_000, vec![]));
        let error = read("t.csv.gz", &whole[..whole.len() / 2]).expect_err("half").to_string();
        assert!(error.contains("end too early"), "{error}");
        let mut spoilt = whole;
        let last = spoilt.len() - 5;
        spoilt[last] ^= 0xFF; // the check sum
        let error = read("t.csv.gz", &spoilt).expect_err("spoilt").to_string();
        assert!(error.contains("are damaged"), "{error}");
        assert!(read("t.csv.gz", b"a,b\n1,2\n").is_err(), "not compressed at all");
    }
}
