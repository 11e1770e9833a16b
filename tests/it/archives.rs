//! Compressed files and archives, made in memory.

use std::io::{Cursor, Write};

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// `bytes` compressed by gzip.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(vec![], flate2::Compression::best());
    out.write_all(bytes).expect("writes");
    out.finish().expect("ends")
}

/// A zip archive of `files`, under the names they are given.
pub fn zipped(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = ZipWriter::new(Cursor::new(vec![]));
    for (name, bytes) in files {
        out.start_file(*name, SimpleFileOptions::default()).expect("starts");
        out.write_all(bytes).expect("writes");
    }
    out.finish().expect("ends").into_inner()
}
