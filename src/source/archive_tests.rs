//! Archives that are sound, and those that a hostile sender makes.

use std::io::{Cursor, Write};

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::*;
use crate::source::{Options, open};

fn zipped(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = ZipWriter::new(Cursor::new(vec![]));
    for (name, bytes) in files {
        let options = SimpleFileOptions::default();
        out.start_file(*name, options).expect("starts");
        out.write_all(bytes).expect("writes");
    }
    out.finish().expect("ends").into_inner()
}

fn expand(bytes: &[u8]) -> (tempfile::TempDir, Result<Vec<Input>>) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("t.zip");
    std::fs::write(&path, bytes).expect("writes");
    let found = Input::file(path).expand(&Options::default());
    (folder, found)
}

fn refusal(bytes: &[u8]) -> String {
    expand(bytes).1.expect_err("must be refused").to_string()
}

#[test]
fn the_files_of_an_archive_are_read_where_they_lie() {
    let bytes = zipped(&[
        ("export/Account.csv", b"Id,Name\n1,A\nbad\n"),
        ("export/notes.md", b"# no table"),
        ("__MACOSX/._Account.csv", b"\0\0"),
        ("deals.jsonl", b"{\"a\":1}\n"),
    ]);
    let (_folder, found) = expand(&bytes);
    let found = found.expect("sound");
    let labels: Vec<_> = found.iter().map(|input| input.labels()[0].clone()).collect();
    assert_eq!(labels, ["Account", "deals"]);
    assert!(found[0].path().ends_with("t.zip/export/Account.csv"), "{:?}", found[0].path());
    let mut rows = open(&found[0], &Options::default()).expect("opens");
    let chunk = rows.next_chunk().expect("reads").expect("rows");
    assert_eq!((chunk.ordinals.len(), chunk.rejected[0].line), (1, 3));
    assert_eq!(chunk.rejected[0].byte_offset, 12);
}

#[test]
fn entries_that_lead_out_or_hold_archives_are_refused_by_name() {
    for (name, reason) in [
        ("../Account.csv", "entry \"../Account.csv\" leads out of the archive"),
        ("a/../../b.csv", "leads out of the archive"),
        ("/etc/passwd.csv", "entry \"/etc/passwd.csv\" has an absolute path"),
        ("C:\\x.csv", "has an absolute path"),
        ("..\\x.csv", "leads out of the archive"),
        ("inner.zip", "entry \"inner.zip\" is an archive"),
        ("a.csv.gz", "is an archive"),
        ("book.xlsx", "is an archive or a workbook"),
        ("t.parquet", "is Parquet"),
    ] {
        let error = refusal(&zipped(&[("Account.csv", b"Id\n1\n"), (name, b"x")]));
        assert!(error.contains(reason), "{name}: {error}");
    }
    let mut out = ZipWriter::new(Cursor::new(vec![]));
    out.add_symlink("Account.csv", "/etc/passwd", SimpleFileOptions::default()).expect("a link");
    let error = refusal(&out.finish().expect("ends").into_inner());
    assert!(error.contains("entry \"Account.csv\" is a link"), "{error}");
}

#[test]
fn bombs_are_refused_before_they_go_off() {
    let many: Vec<String> = (0..=ENTRIES_MAX).map(|n| format!("{n}.csv")).collect();
    let many: Vec<(&str, &[u8])> = many.iter().map(|name| (name.as_str(), &b""[..])).collect();
    assert!(refusal(&zipped(&many)).contains("1001 entries; at most 1000"));
    let bomb = zipped(&[("bomb.csv", &vec![b'x'; 64 << 20])]);
    let error = refusal(&bomb);
    assert!(error.contains("entry \"bomb.csv\" inflates to more than 100 times its"), "{error}");
    assert!(refusal(b"PK no archive").contains("is not a sound zip archive"));
}

#[test]
fn what_an_archive_states_falsely_is_found_while_reading() {
    // A stored length that lies: the central directory says 5 bytes, the data inflates to 64 MiB.
    let mut bomb = zipped(&[("bomb.csv", &vec![b'x'; 64 << 20])]);
    let central = bomb.windows(4).rposition(|w| w == b"PK\x01\x02").expect("a directory");
    bomb[central + 24..central + 28].copy_from_slice(&5_u32.to_le_bytes());
    let (_folder, found) = expand(&bomb);
    let found = found.expect("looks sound");
    let error = open(&found[0], &Options::default()).map(drop).expect_err("is a bomb").to_string();
    assert!(error.contains("inflates to more than 100 times its"), "{error}");
    let mut spoilt = zipped(&[("a.csv", b"a,b\n1,2\n")]);
    let central = spoilt.windows(4).rposition(|w| w == b"PK\x01\x02").expect("a directory");
    spoilt[central + 16] ^= 0xFF; // the check sum
    let (_folder, found) = expand(&spoilt);
    let found = found.expect("looks sound");
    let error = match open(&found[0], &Options::default()) {
        Ok(mut rows) => loop {
            match rows.next_chunk() {
                Ok(Some(_)) => {}
                Ok(None) => panic!("read to its end"),
                Err(error) => break error.to_string(),
            }
        },
        Err(error) => error.to_string(),
    };
    assert!(error.contains("check sum"), "{error}");
}
