//! A process that is killed at a named step of an ingest: reading, staging, writing, before and after
//! a commit, at the ledger, a checkpoint, a compaction and a vacuum.
//!
//! A step is recognized by what the process says or by what appears in its lake. `KILLS=20` kills
//! twenty times at each, a little later each time; without it each step is met once.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant, SystemTime};

/// How a step is recognized.
#[derive(Clone, Copy)]
enum Sign {
    /// A line on stderr begins so.
    Says(&'static str),
    /// A file whose name has both parts appears in this folder of the lake.
    Appears(&'static str, &'static str, &'static str),
    /// This file of the lake goes.
    Goes(&'static str),
}

const ORPHAN: &str = "crm/products/part-of-a-dead-writer.parquet";
const STEPS: &[(&str, Sign)] = &[
    ("read", Sign::Says("reading products")),
    ("stage", Sign::Says("mapping products")),
    ("write", Sign::Says("writing products")),
    ("a data file, before its commit", Sign::Appears("crm/products", "part-", ".parquet")),
    ("after a commit", Sign::Appears("crm/products/_delta_log", "", ".json")),
    ("ledger", Sign::Says("recording the batch")),
    ("ledger committed", Sign::Appears("ops/ingest_runs/_delta_log", "", ".json")),
    ("checkpoint", Sign::Appears("crm/products/_delta_log", "", ".checkpoint.parquet")),
    ("checkpoint named", Sign::Appears("crm/products/_delta_log", "_last_checkpoint", "")),
    ("vacuum", Sign::Goes(ORPHAN)),
];
/// Loads of the lake that each run starts from: the next one makes its tables due for upkeep.
const LOADS: usize = 8;
/// How long a step may take to come.
const PATIENCE: Duration = Duration::from_secs(60);

fn runrate(lake: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_runrate"));
    command.arg("--lake").arg(lake).args(words);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn done(mut command: Command) -> String {
    let out = command.output().expect("runs");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8_lossy(&out.stdout).into_owned()
}

/// Rows, batches and money, in one line.
fn state(lake: &Path) -> String {
    let sql = "SELECT (SELECT string_agg(product_id || name || list_price, ',' \
               ORDER BY product_id) FROM crm.products) AS p, \
               (SELECT count(*) FROM crm.products) AS n, \
               (SELECT count(*) FROM ops.ingest_runs WHERE status = 'loaded') AS b, \
               (SELECT sum(rows_read) FROM ops.ingest_runs WHERE status = 'loaded') AS r, \
               (SELECT sum(read_amount) FROM ops.reconciliation) AS m";
    done(runrate(lake, &["query", "--format", "csv", sql]))
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("made");
    for entry in std::fs::read_dir(from).expect("a folder").flatten() {
        let target = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).expect("copied")),
        }
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// Whether the step comes before the process ends; then the process still runs.
fn comes(sign: Sign, lake: &Path, child: &mut Child) -> bool {
    let (said, lines) = mpsc::channel();
    let stderr = child.stderr.take().expect("its stderr");
    std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            drop(said.send(line));
        }
    });
    let known = match sign {
        Sign::Appears(folder, ..) => names(&lake.join(folder)),
        _ => vec![],
    };
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        let is_there = match sign {
            Sign::Says(start) => lines.try_iter().any(|line| line.starts_with(start)),
            Sign::Goes(file) => !lake.join(file).exists(),
            Sign::Appears(folder, start, end) => names(&lake.join(folder)).iter().any(|name| {
                name.starts_with(start) && name.ends_with(end) && !known.contains(name)
            }),
        };
        if is_there {
            return child.try_wait().expect("a status").is_none();
        }
        if child.try_wait().expect("a status").is_some() {
            return false;
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    panic!("the step never came");
}

/// A lake with [`LOADS`] loads and a file that nobody needs; the next export; what both make.
fn base(directory: &Path) -> (PathBuf, PathBuf, String) {
    let (lake, file) = (directory.join("base"), directory.join("products.csv"));
    let load = ["ingest", "template", file.to_str().expect("a path")];
    for turn in 0..=LOADS {
        let rows: String = (0..40)
            .map(|n| format!("p{n},P{n},{}.50,EUR,2026-01-{:02}T00:00:00Z\n", n + turn, turn + 1))
            .chain([format!("new{turn},New,1,EUR,2026-01-01T00:00:00Z\n")])
            .collect();
        std::fs::write(&file, format!("product_id,name,list_price,currency,updated_at\n{rows}"))
            .expect("written");
        if turn < LOADS {
            done(runrate(&lake, &load));
        }
    }
    let orphan = std::fs::File::create(lake.join(ORPHAN)).expect("made");
    let old = SystemTime::now() - Duration::from_secs(30 * 86_400);
    orphan.set_modified(old).expect("is old");
    let whole = directory.join("whole");
    copy_with_times(&lake, &whole);
    done(runrate(&whole, &load));
    assert!(!whole.join(ORPHAN).exists(), "upkeep came, and its vacuum");
    let wanted = state(&whole);
    (lake, file, wanted)
}

/// [`copy`], and the orphan stays old.
fn copy_with_times(from: &Path, to: &Path) {
    copy(from, to);
    let time = std::fs::metadata(from.join(ORPHAN)).expect("there").modified().expect("a time");
    let orphan = std::fs::File::options().write(true).open(to.join(ORPHAN)).expect("there");
    orphan.set_modified(time).expect("is old");
}

#[test]
fn a_kill_at_each_step_then_the_same_again_gives_exact_counts() {
    let directory = tempfile::tempdir().expect("a directory");
    let (lake, file, wanted) = base(directory.path());
    let load = ["ingest", "template", file.to_str().expect("a path")];
    let kills: u32 = std::env::var("KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(1);
    for (step, sign) in STEPS {
        let mut met = 0;
        for kill in 0..kills {
            let root = directory.path().join("killed");
            copy_with_times(&lake, &root);
            let mut child = runrate(&root, &load).spawn().expect("starts");
            let is_met = comes(*sign, &root, &mut child);
            // Up to some milliseconds later, so that what comes next is met too.
            std::thread::sleep(Duration::from_micros(u64::from(kill) * 400));
            child.kill().expect("killed, or gone already");
            child.wait().expect("reaped");
            met += u32::from(is_met);
            let opened = state(&root);
            done(runrate(&root, &load));
            assert_eq!(state(&root), wanted, "{step}, kill {kill}; before the retry {opened}");
            std::fs::remove_dir_all(&root).expect("gone");
        }
        eprintln!("{step}: {met} of {kills} kills met it");
        assert!(met > 0, "{step}: no kill met it");
    }
}
