//! A disk that is full at any moment of an ingest: an error that says so, and once there is room the
//! same command leaves exactly what an unharmed one does.
//!
//! `SIZES=20` tries twenty sizes, otherwise there are six.
//! The disk is a tmpfs of so many bytes, which only root of Linux may mount; elsewhere the test says
//! that it was not run.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::ingest::sample;

/// A small disk; gone when dropped.
struct Disk {
    place: PathBuf,
    _folder: tempfile::TempDir,
}

fn mount(words: &[&str], place: &Path) -> bool {
    let done = Command::new("mount").args(words).arg("tmpfs").arg(place).output();
    done.is_ok_and(|done| done.status.success())
}

impl Disk {
    /// `None` where nothing may be mounted.
    fn of(bytes: u64) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let place = folder.path().to_owned();
        let size = format!("size={bytes},nr_inodes=100k");
        mount(&["-t", "tmpfs", "-o", &size], &place).then_some(Self { place, _folder: folder })
    }

    fn grow(&self) {
        assert!(mount(&["-o", "remount,size=64m"], &self.place), "room is made");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg(&self.place).output());
    }
}

fn runrate(lake: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_runrate"));
    command.arg("--lake").arg(lake).args(words).env_remove("RUST_BACKTRACE");
    command.output().expect("runs")
}

fn ingest(lake: &Path) -> (Option<i32>, String) {
    let export = sample("crm_sales_opportunities").display().to_string();
    let out = runrate(lake, &["ingest", "crm_sales_opportunities", &export]);
    (out.status.code(), String::from_utf8_lossy(&out.stderr).into_owned())
}

/// What a lake holds, in one line.
fn state(lake: &Path) -> String {
    let sql = "SELECT (SELECT string_agg(opportunity_id || coalesce(amount, 0), ',' \
               ORDER BY opportunity_id) FROM crm.opportunities) AS o, \
               (SELECT count(*) FROM crm.accounts) AS a, (SELECT count(*) FROM crm.users) AS u, \
               (SELECT count(*) FROM crm.opportunity_stage_history) AS h, \
               (SELECT count(*) FROM crm.user_hierarchy) AS t, \
               (SELECT sum(rows_read) FROM ops.ingest_runs WHERE status = 'loaded') AS r, \
               (SELECT count(*) FROM ops.reconciliation) AS m";
    let out = runrate(lake, &["query", "--format", "csv", sql]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8_lossy(&out.stdout).into_owned()
}

fn bytes_below(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).expect("a folder").flatten();
    let sizes = entries.map(|entry| match entry.metadata().expect("its size") {
        meta if meta.is_dir() => bytes_below(&entry.path()),
        // What a page of memory takes.
        meta => meta.len().div_ceil(4096) * 4096,
    });
    sizes.sum()
}

#[test]
fn a_disk_that_is_full_is_told_and_loses_nothing() {
    let Some(large) = Disk::of(64 << 20) else {
        eprintln!("not tested here: a disk of a chosen size needs root, and the right to mount");
        return;
    };
    let whole = large.place.join("lake");
    assert_eq!(ingest(&whole).0, Some(0));
    let (needed, wanted) = (bytes_below(&whole), state(&whole));
    let sizes: u64 = std::env::var("SIZES").ok().and_then(|n| n.parse().ok()).unwrap_or(6);
    let mut full = 0;
    for size in 1..=sizes {
        // The last two have room enough, so that both ends are met.
        let bytes = needed * size / (sizes - 1);
        let disk = Disk::of(bytes).expect("another disk");
        let lake = disk.place.join("lake");
        let (code, said) = ingest(&lake);
        if code != Some(0) {
            full += 1;
            assert!(said.contains("No space left on device"), "{bytes} bytes: {said}");
            assert!(said.contains("hint: Make room on the disk"), "{bytes} bytes: {said}");
            assert!(!said.contains("panicked"), "{bytes} bytes: {said}");
            disk.grow();
            let (code, said) = ingest(&lake);
            assert_eq!(code, Some(0), "{bytes} bytes, with room: {said}");
        }
        assert_eq!(state(&lake), wanted, "{bytes} bytes");
    }
    eprintln!("{full} of {sizes} disks were full; {needed} bytes are needed");
    assert!((sizes / 2..sizes).contains(&full), "{full} of {sizes} disks were full");
}
