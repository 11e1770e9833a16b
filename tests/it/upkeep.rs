//! Backup, verification, restore, upkeep and upgrade of a lake, over its files.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, SystemTime};

use chrono::{DateTime, SecondsFormat, Utc};
use datafusion::arrow::array::{ArrayRef, RecordBatch, StringArray};
use futures::TryStreamExt;
use runrate::config::Config;
use runrate::ingest::verify_ledger;
use runrate::lake::{At, Batch, Finding, Lake, TableName, restore};

use crate::ingest::Bench;

const NAMES: &str =
    "SELECT coalesce(string_agg(name, ' ' ORDER BY name), 'none') FROM crm.products";

fn products() -> TableName {
    TableName::new("crm", "products")
}

/// Loads products called `names`, keyed by their place.
async fn load(bench: &Bench, file: &str, names: &[&str]) {
    let rows = names.iter().enumerate().map(|(key, name)| format!("p{key},{name}\n"));
    let text = format!("product_id,name\n{}", rows.collect::<String>());
    let path = bench.write(&format!("{file}/products.csv"), text);
    let summary = bench.crm("template", path).await;
    assert!(summary.total().rows_loaded > 0, "{file} has something new");
}

fn lake_of(bench: &Bench) -> PathBuf {
    bench.directory.path().join("lake")
}

fn at_place(place: &Path) -> Config {
    Config { lake: place.display().to_string(), lock_timeout_ms: 200, ..Config::default() }
}

/// Every file below `folder`.
fn files(folder: &Path) -> Vec<PathBuf> {
    let (mut found, mut folders) = (vec![], vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("listed") {
            let path = entry.expect("read").path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

fn data_files(table: &Path) -> Vec<PathBuf> {
    let is_data = |path: &PathBuf| {
        path.extension().is_some_and(|e| e == "parquet") && path.parent() == Some(table)
    };
    files(table).into_iter().filter(is_data).collect()
}

/// Makes every file of the lake older by `days`.
fn age(lake: &Path, days: u64) {
    for path in files(lake) {
        let file = fs::File::open(&path).expect("opens");
        let modified = file.metadata().expect("read").modified().expect("a time");
        let earlier = modified - Duration::from_secs(days * 86_400);
        file.set_modified(earlier).expect("set");
    }
}

fn days_ago(days: i64) -> DateTime<Utc> {
    Utc::now() - chrono::Duration::days(days)
}

/// The only value of `sql` at `instant`, or why there is none.
async fn value_at(
    bench: &Bench,
    instant: &str,
    sql: &str,
) -> Result<String, runrate::error::Error> {
    let session = bench.engine.session("test");
    session.set("runrate.lake_at", instant).expect("an instant");
    let rows: Vec<RecordBatch> =
        session.query(sql).await?.try_collect().await.map_err(runrate::error::Error::from)?;
    let column = rows.iter().find(|rows| rows.num_rows() > 0).expect("a row").column(0).clone();
    Ok(datafusion::arrow::util::display::array_value_to_string(&column, 0).expect("a text"))
}

fn text(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// The names of products in the lake at `place`, opened anew.
async fn names_in(place: &Path) -> Vec<String> {
    let lake = Lake::open_existing(&at_place(place)).await.expect("opens");
    let table = lake.table(&products(), At::Latest).await.expect("read").expect("is there");
    let rows = lake.rows(&products(), table.version(), &["name"]).await.expect("read");
    let mut names = vec![];
    for batch in rows.expect("readable") {
        let column = batch.column(0);
        for row in 0..batch.num_rows() {
            let name = datafusion::arrow::util::display::array_value_to_string(column, row);
            names.push(name.expect("a text"));
        }
    }
    names.sort();
    names
}

async fn findings(place: &Path, deep: bool) -> Vec<Finding> {
    let lake = Lake::open_existing(&at_place(place)).await.expect("opens");
    let verified = lake.verify(deep).await.expect("looks");
    assert!(!verified.tables.is_empty() || !verified.findings.is_empty(), "looked at something");
    let mut found = verified.findings.clone();
    found.extend(verify_ledger(&lake, &verified, deep).await.expect("looks"));
    found
}

/// Nothing is found in the lake or backup at `place`, however closely one looks.
async fn sound(place: &Path) {
    let found = findings(place, true).await;
    assert!(found.is_empty(), "{found:?}");
}

fn runrate(lake: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_runrate"));
    command.arg("--lake").arg(lake).args(arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn said(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!("{}{}", String::from_utf8_lossy(out), String::from_utf8_lossy(err))
}

#[tokio::test]
async fn a_backup_copies_what_is_new_and_comes_back_whole() {
    let bench = Bench::new().await;
    let (copy, back) = (bench.directory.path().join("copy"), bench.directory.path().join("back"));
    let to = copy.display().to_string();
    load(&bench, "1", &["Alpha", "Beta"]).await;
    let lake = bench.engine.lake();
    let first = lake.backup(&to).await.expect("backs up");
    assert_eq!(first.files_copied, first.files);
    assert!(first.tables >= 2 && first.bytes > 0, "{first:?}");
    let again = lake.backup(&to).await.expect("backs up");
    assert_eq!((again.files_copied, again.files), (0, first.files), "nothing is new");
    tokio::time::sleep(Duration::from_millis(50)).await;
    let between = text(Utc::now());
    tokio::time::sleep(Duration::from_millis(50)).await;
    load(&bench, "2", &["Gamma"]).await;
    let second = lake.backup(&to).await.expect("backs up");
    assert!(second.files_copied > 0 && second.files_copied < second.files, "{second:?}");
    assert_eq!(names_in(&copy).await, ["Beta", "Gamma"], "a backup opens as a lake");
    sound(&copy).await;
    let opened = Lake::open(&at_place(&copy)).await.expect("opens");
    let refused = opened.writer("test").await.expect_err("nothing writes to it");
    assert!(refused.to_string().contains("restore it first"), "{refused}");
    // Back in an empty place: the same rows, and the same past.
    let done = restore(&at_place(&back), &to, &back.display().to_string()).await.expect("restores");
    assert_eq!((done.tables, done.files), (second.tables, second.files));
    sound(&back).await;
    let config = at_place(&back);
    let engine = runrate::session::Engine::open(config, vec![], vec![]).await.expect("opens");
    let restored = Bench { directory: tempfile::tempdir().expect("a directory"), engine };
    assert_eq!(value_at(&restored, "", NAMES).await.expect("reads"), "Beta Gamma");
    assert_eq!(value_at(&restored, &between, NAMES).await.expect("reads"), "Alpha Beta");
    // The ledger came along: what was loaded is known.
    let path = bench.directory.path().join("2/products.csv");
    let repeated = restored.crm("template", &path).await;
    assert_eq!(repeated.total().rows_loaded, 0);
}

#[tokio::test]
async fn places_that_hold_something_else_are_refused() {
    let (one, other) = (Bench::new().await, Bench::new().await);
    load(&one, "1", &["Alpha"]).await;
    load(&other, "1", &["Omega"]).await;
    let folder = tempfile::tempdir().expect("a directory");
    let copy = folder.path().join("copy").display().to_string();
    one.engine.lake().backup(&copy).await.expect("backs up");
    let refusal = |error: runrate::error::Error| {
        assert_eq!(error.sqlstate(), "55000", "{error}");
        error.to_string()
    };
    let mixed = other.engine.lake().backup(&copy).await.expect_err("another lake's");
    assert!(refusal(mixed).contains("another lake"));
    let inside = lake_of(&one).join("copy").display().to_string();
    let inside = one.engine.lake().backup(&inside).await.expect_err("inside");
    assert!(refusal(inside).contains("neither in its lake"));
    let full = folder.path().join("full");
    fs::create_dir(&full).expect("made");
    fs::write(full.join("notes.txt"), "mine").expect("written");
    let full = full.display().to_string();
    let onto = one.engine.lake().backup(&full).await.expect_err("not empty");
    assert!(refusal(onto).contains("holds no backup"));
    let config = Config::default();
    let into = restore(&config, &copy, &full).await.expect_err("not empty");
    assert!(refusal(into).contains("not empty"));
    let empty = folder.path().join("empty").display().to_string();
    let lake = lake_of(&one).display().to_string();
    let none = restore(&config, &lake, &empty).await.expect_err("a lake is no backup");
    assert!(refusal(none).contains("it is no backup"));
    let nowhere = restore(&config, "/no/such/place", &empty).await.expect_err("nowhere");
    assert!(refusal(nowhere).contains("no such directory"));
    // The first lake's backup is what it was.
    sound(Path::new(&copy)).await;
    assert_eq!(names_in(Path::new(&copy)).await, ["Alpha"]);
}

#[tokio::test]
async fn whatever_is_damaged_is_found_and_named() {
    let bench = Bench::new().await;
    let lake = lake_of(&bench);
    load(&bench, "1", &["Alpha", "Beta", "Gamma"]).await;
    sound(&lake).await;
    let copy = bench.directory.path().join("copy");
    bench.engine.lake().backup(&copy.display().to_string()).await.expect("backs up");
    let table = lake.join("crm/products");
    let file = data_files(&table).pop().expect("a data file");
    let whole = fs::read(&file).expect("read");
    let found = async |what: &str, deep: bool| {
        let found = findings(&lake, deep).await;
        let told: Vec<String> = found.iter().map(|f| format!("{}: {}", f.place, f.fault)).collect();
        assert!(told.iter().any(|line| line.contains(what)), "{what}: {told:?}");
        assert!(found.iter().all(|finding| finding.advice.len() > 10), "{found:?}");
    };
    fs::remove_file(&file).expect("removed");
    found("is missing", false).await;
    fs::write(&file, &whole[..whole.len() / 2]).expect("written");
    found("and the log says", false).await;
    let mut flipped = whole.clone();
    flipped[4..60].fill(0xa5);
    fs::write(&file, &flipped).expect("written");
    found("is damaged", true).await;
    fs::write(&file, &whole).expect("written");
    // A commit that is gone.
    let log = table.join("_delta_log");
    let commit = log.join(format!("{:020}.json", 1));
    let text = fs::read(&commit).expect("a commit");
    fs::write(&commit, "{not json").expect("written");
    found("crm.products", false).await;
    fs::write(&commit, text).expect("written");
    // A ledger that is gone.
    fs::rename(lake.join("ops/ingest_runs"), lake.join("_ledger")).expect("moved");
    found("does not know", false).await;
    fs::rename(lake.join("_ledger"), lake.join("ops/ingest_runs")).expect("moved");
    sound(&lake).await;
    // A backup whose file is another one of the same size.
    let copied = data_files(&copy.join("crm/products")).pop().expect("a data file");
    fs::write(&copied, &flipped).expect("written");
    let deep = findings(&copy, true).await;
    assert!(deep.iter().any(|finding| finding.fault.contains("checksum")), "{deep:?}");
    let out = runrate(&lake, &["verify", &copy.display().to_string(), "--deep"]).output();
    let out = out.expect("runs");
    assert_eq!(out.status.code(), Some(1), "{}", said(&out));
    assert!(said(&out).contains("FOUND crm/products/"), "{}", said(&out));
    let to = bench.directory.path().join("back").display().to_string();
    let from = copy.display().to_string();
    let refused = restore(&Config::default(), &from, &to).await.expect_err("damaged");
    assert!(refused.to_string().contains("is damaged"), "{refused}");
}

#[tokio::test]
async fn rows_that_no_batch_brought_are_found() {
    let bench = Bench::new().await;
    load(&bench, "1", &["Alpha", "Beta"]).await;
    load(&bench, "2", &["Alpha", "Beta", "Gamma"]).await;
    sound(&lake_of(&bench)).await;
    let lake = bench.engine.lake();
    let sql = "SELECT max(batch_id) FROM ops.ingest_runs WHERE rows_loaded = 1";
    let last = bench.query(sql).await.pop().expect("a batch");
    let writer = lake.writer("test").await.expect("free");
    let name = products();
    let all = writer.look_through(&name, |_| Ok(true)).await.expect("read");
    let batch = Batch { id: "tamper".into(), command: "test".into() };
    let changed = writer.change(&name, &all, &batch, move |rows| {
        let index = rows.schema().index_of("_batch_id").expect("a column");
        let ids: ArrayRef =
            std::sync::Arc::new(StringArray::from(vec![last.as_str(); rows.num_rows()]));
        let mut columns = rows.columns().to_vec();
        columns[index] = ids;
        RecordBatch::try_new(rows.schema(), columns)
    });
    changed.await.expect("changed");
    drop(writer);
    let found = findings(&lake_of(&bench), false).await;
    assert!(found.iter().any(|f| f.fault.contains("has 3 rows")), "{found:?}");
}

#[tokio::test]
async fn tables_go_back_and_what_is_loaded_again_is_loaded() {
    let bench = Bench::new().await;
    load(&bench, "1", &["Alpha", "Beta"]).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let then = text(Utc::now());
    tokio::time::sleep(Duration::from_millis(50)).await;
    load(&bench, "2", &["Gamma", "Delta", "Epsilon"]).await;
    let lake = lake_of(&bench);
    let newest = bench.engine.lake().table(&products(), At::Latest).await.expect("read");
    let newest = newest.expect("is there").version();
    let state = lake.join("_sources/odoo");
    fs::create_dir_all(&state).expect("made");
    fs::write(state.join("state.json"), "{}").expect("written");
    let out = runrate(&lake, &["restore", "--at", &then]).output().expect("runs");
    assert!(out.status.success(), "{}", said(&out));
    assert!(said(&out).contains("crm.products: 3 -> 2 rows"), "{}", said(&out));
    assert!(said(&out).contains("next sync of odoo"), "{}", said(&out));
    assert!(!state.join("state.json").exists(), "a watermark must not skip what went");
    // A server that has the lake open reads on, and sees it.
    bench.engine.refresh().await.expect("looks for news");
    assert_eq!(value_at(&bench, "", NAMES).await.expect("reads"), "Alpha Beta");
    assert_eq!(bench.query("SELECT count(*) FROM ops.ingest_runs").await, ["1"]);
    let again = runrate(&lake, &["restore", "--at", &then]).output().expect("runs");
    assert!(said(&again).contains("already"), "{}", said(&again));
    sound(&lake).await;
    // The batch that went is no longer known: it is loaded again, once.
    let path = bench.directory.path().join("2/products.csv");
    let loaded = bench.crm("template", &path).await;
    assert_eq!(loaded.total().rows_loaded, 3);
    assert_eq!(bench.crm("template", &path).await.total().rows_loaded, 0);
    assert_eq!(value_at(&bench, "", NAMES).await.expect("reads"), "Delta Epsilon Gamma");
    sound(&lake).await;
    // Nothing was lost: the version before the restore is there, and the way leads back to it.
    let one = format!("crm.products={}", newest - 1);
    let out = runrate(&lake, &["restore", "--version", &one]).output().expect("runs");
    assert!(out.status.success() && said(&out).contains("note:"), "{}", said(&out));
    bench.engine.refresh().await.expect("looks for news");
    assert_eq!(value_at(&bench, "", NAMES).await.expect("reads"), "Alpha Beta");
    let one = format!("crm.products={newest}");
    assert!(
        runrate(&lake, &["restore", "--version", &one]).output().expect("runs").status.success()
    );
    assert_eq!(names_in(&lake).await, ["Delta", "Epsilon", "Gamma"]);
    let missing = runrate(&lake, &["restore", "--version", "crm.products=99"]).output();
    let missing = missing.expect("runs");
    assert!(!missing.status.success() && said(&missing).contains("no version 99"));
    let never = runrate(&lake, &["restore", "--at", "2001-01-01T00:00:00Z"]).output();
    assert!(said(&never.expect("runs")).contains("it had no table at"));
    let early = runrate(&lake, &["restore", "--at", "yesterday"]).output().expect("runs");
    assert!(!early.status.success() && said(&early).contains("is no instant"));
}

#[tokio::test]
async fn upkeep_keeps_every_version_that_the_horizon_has() {
    let bench = Bench::new().await;
    let lake = lake_of(&bench);
    for (file, name, days) in [("1", "Alpha", 20), ("2", "Beta", 7), ("3", "Gamma", 3)] {
        load(&bench, file, &[name]).await;
        age(&lake, days);
    }
    // Alpha is 30 days old, Beta 10, Gamma 3: within the last seven days there were two of them.
    let table = lake.join("crm/products");
    assert_eq!(data_files(&table).len(), 3);
    let orphan = table.join("part-of-a-transaction.parquet");
    fs::write(&orphan, "PAR1").expect("written");
    let session = bench.engine.session("test");
    let reading = session.query("SELECT name FROM crm.products").await.expect("plans");
    let dry = runrate(&lake, &["upkeep", "--all", "--dry-run"]).output().expect("runs");
    assert!(said(&dry).contains("1 old (") && said(&dry).contains("would be"), "{}", said(&dry));
    assert_eq!(data_files(&table).len(), 4, "a dry run changes nothing");
    let out = runrate(&lake, &["upkeep", "crm.products"]).output().expect("runs");
    assert!(out.status.success() && said(&out).contains("1 old ("), "{}", said(&out));
    assert_eq!(data_files(&table).len(), 3, "only what no version of the horizon has went");
    assert!(orphan.exists(), "what is young may still be committed");
    let rows: Vec<RecordBatch> = reading.try_collect().await.expect("reads on");
    assert_eq!(rows.iter().map(RecordBatch::num_rows).sum::<usize>(), 1);
    for (days, name) in [(1, "Gamma"), (5, "Beta"), (9, "Beta")] {
        let found = value_at(&bench, &text(days_ago(days)), NAMES).await;
        assert_eq!(found.expect("within the horizon"), name, "{days} days ago");
    }
    let gone = value_at(&bench, &text(days_ago(20)), NAMES).await.expect_err("removed");
    assert_eq!(gone.sqlstate(), "42P01", "not a table without rows: {gone}");
    let before = value_at(&bench, &text(days_ago(40)), NAMES).await;
    assert_eq!(before.expect("there was no table yet"), "none");
    // Later the checkpoint is old enough for the log before it to go, and nothing else.
    age(&lake, 8);
    load(&bench, "4", &["Delta"]).await;
    let writer = bench.engine.lake().writer("test").await.expect("free");
    let done = writer.maintain_now(&products()).await.expect("maintained");
    assert!(done.log_files_removed > 0 && done.files_removed > 0, "{done:?}");
    drop(writer);
    assert_eq!(value_at(&bench, &text(days_ago(5)), NAMES).await.expect("reads"), "Gamma");
    let gone = value_at(&bench, &text(days_ago(40)), NAMES).await.expect_err("unknown now");
    assert!(gone.chain().contains("its history begins at"), "{}", gone.chain());
    assert!(!orphan.exists(), "by now no transaction can want it");
    sound(&lake).await;
}

#[tokio::test]
async fn small_files_become_one_in_the_order_of_the_key() {
    let bench = Bench::new().await;
    for file in 0..4 {
        let text = format!("product_id,name\nq{file}-a,x{file}\nq{}-b,y{file}\n", 9 - file);
        let path = bench.write(&format!("{file}/products.csv"), text);
        bench.crm("template", path).await;
    }
    let table = lake_of(&bench).join("crm/products");
    assert_eq!(data_files(&table).len(), 4);
    let sql = "SELECT product_id, name FROM crm.products ORDER BY product_id";
    let before = bench.query(sql).await;
    let writer = bench.engine.lake().writer("test").await.expect("free");
    let done = writer.maintain_now(&products()).await.expect("maintained");
    assert_eq!((done.files, done.files_joined, done.is_checkpointed), ((4, 1), 4, true));
    let again = writer.maintain_now(&products()).await.expect("maintained");
    assert_eq!((again.files, again.files_joined, again.is_checkpointed), ((1, 1), 0, false));
    drop(writer);
    bench.engine.refresh().await.expect("looks for news");
    assert_eq!(bench.query(sql).await, before);
    let version = bench.engine.lake().table(&products(), At::Latest).await.expect("read");
    let version = version.expect("is there").version();
    let rows = bench.engine.lake().rows(&products(), version, &["product_id"]).await;
    let ids: Vec<String> = rows.expect("read").expect("readable").iter().flat_map(ids).collect();
    assert_eq!((ids.len(), ids.is_sorted()), (8, true), "{ids:?}");
}

fn ids(rows: &RecordBatch) -> Vec<String> {
    let text = |row| datafusion::arrow::util::display::array_value_to_string(rows.column(0), row);
    (0..rows.num_rows()).map(|row| text(row).expect("a text")).collect()
}

/// A lake as 1.0 left it: the tables say nothing of who cleans their log.
async fn older_lake() -> Bench {
    let bench = Bench::new().await;
    load(&bench, "1", &["Alpha"]).await;
    let lake = lake_of(&bench);
    for path in files(&lake).into_iter().filter(|path| path.ends_with(format!("{:020}.json", 0))) {
        let text = fs::read_to_string(&path).expect("a commit");
        let older = text
            .replace("\"delta.enableExpiredLogCleanup\":\"false\",", "")
            .replace(",\"delta.enableExpiredLogCleanup\":\"false\"", "");
        assert_ne!(text, older, "{}", path.display());
        fs::write(&path, older).expect("written");
    }
    fs::write(lake.join("FORMAT"), "1.0\n").expect("written");
    bench
}

#[tokio::test]
async fn an_older_format_is_brought_up_to_date_once() {
    let bench = older_lake().await;
    let lake = lake_of(&bench);
    assert_eq!(names_in(&lake).await, ["Alpha"], "a minor step back opens as it is");
    let count = files(&lake).len();
    let out = runrate(&lake, &["upgrade"]).output().expect("runs");
    assert!(said(&out).contains("format 1.0 -> 1.1"), "{}", said(&out));
    assert_eq!(fs::read_to_string(lake.join("FORMAT")).expect("read"), "1.1\n");
    assert!(files(&lake).len() > count, "each table got a commit");
    let commit = files(&lake.join("crm/products/_delta_log")).pop().expect("a commit");
    let text = fs::read_to_string(commit).expect("read");
    assert!(text.contains("\"delta.enableExpiredLogCleanup\":\"false\""), "{text}");
    assert_eq!(names_in(&lake).await, ["Alpha"]);
    sound(&lake).await;
    let count = files(&lake).len();
    let out = runrate(&lake, &["upgrade"]).output().expect("runs");
    assert!(said(&out).contains("has format 1.1 already"), "{}", said(&out));
    assert_eq!(files(&lake).len(), count);
    load(&bench, "2", &["Beta", "Gamma"]).await;
}

#[tokio::test]
async fn a_newer_format_is_refused_by_every_command() {
    let bench = Bench::new().await;
    load(&bench, "1", &["Alpha"]).await;
    let lake = lake_of(&bench);
    let csv = bench.directory.path().join("1/products.csv").display().to_string();
    let empty = bench.directory.path().join("empty").display().to_string();
    let commands: &[&[&str]] = &[
        &["serve", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"],
        &["query", "SELECT 1"],
        &["ingest", "template", &csv],
        &["materialize"],
        &["erase", "--email", "a@b.example"],
        &["requeue"],
        &["check"],
        &["upkeep", "--all"],
        &["backup", &empty],
        &["verify"],
        &["restore", "--version", "crm.products=0"],
        &["upgrade"],
    ];
    for format in ["1.2", "2.0", "0.9", "nonsense"] {
        fs::write(lake.join("FORMAT"), format!("{format}\n")).expect("written");
        let before: BTreeMap<PathBuf, SystemTime> = times(&lake);
        for command in commands {
            let out = runrate(&lake, command).output().expect("runs");
            let told = said(&out);
            assert!(!out.status.success(), "{command:?} with {format}: {told}");
            assert!(told.contains(&format!("lake format {format}")), "{command:?}: {told}");
        }
        assert_eq!(times(&lake), before, "nothing was written with {format}");
    }
}

fn times(lake: &Path) -> BTreeMap<PathBuf, SystemTime> {
    let modified = |path: &PathBuf| fs::metadata(path).expect("read").modified().expect("a time");
    let is_own = |path: &PathBuf| {
        let text = path.to_string_lossy();
        !text.contains("/_audit/") && !text.ends_with("/_lock")
    };
    let kept = files(lake).into_iter().filter(is_own);
    kept.map(|path| (path.clone(), modified(&path))).collect()
}

#[tokio::test]
async fn kills_in_a_backup_or_restore_cost_a_second_run_and_nothing_else() {
    let bench = Bench::new().await;
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("datasets/salesforce/sample");
    bench.crm("salesforce", sample).await;
    let lake = lake_of(&bench);
    let folder = bench.directory.path();
    let (whole, copy) = (folder.join("whole").display().to_string(), folder.join("copy"));
    let started = std::time::Instant::now();
    let out = runrate(&lake, &["backup", &whole]).output().expect("runs");
    assert!(out.status.success(), "{}", said(&out));
    let took = started.elapsed();
    let to = copy.display().to_string();
    let backed = kill_on_the_way(&lake, &["backup", &to], took);
    let out = runrate(&lake, &["backup", &to]).output().expect("runs");
    assert!(out.status.success(), "{}", said(&out));
    sound(&copy).await;
    // What the store has begun and not named yet is none of its files.
    let is_named = |path: &&PathBuf| !path.to_string_lossy().contains('#');
    let count = |folder: &Path| files(folder).iter().filter(is_named).count();
    assert_eq!(count(&copy), count(Path::new(&whole)));
    let back = folder.join("back");
    let place = back.display().to_string();
    let started = std::time::Instant::now();
    let spare = folder.join("spare").display().to_string();
    let out = runrate(&lake, &["restore", &whole, "--to", &spare]).output().expect("runs");
    assert!(out.status.success(), "{}", said(&out));
    let restored = kill_on_the_way(&lake, &["restore", &to, "--to", &place], started.elapsed());
    assert!(backed > 0 && restored > 0, "no kill met a running command: {backed}, {restored}");
    if back.join("_restoring").exists() {
        let out = runrate(&back, &["query", "SELECT 1"]).output().expect("runs");
        assert!(said(&out).contains("has not come to its end"), "{}", said(&out));
    }
    let out = runrate(&lake, &["restore", &to, "--to", &place]).output().expect("runs");
    assert!(out.status.success(), "{}", said(&out));
    sound(&back).await;
    sound(&lake).await;
    bench.engine.lake().writer("test").await.expect("and its lock is free");
}

/// Starts a command eight times and kills it later each time; how often it was still running.
///
/// A restore that came to its end is not begun again.
fn kill_on_the_way(lake: &Path, arguments: &[&str], took: Duration) -> u32 {
    let mut unfinished = 0;
    for kill in 1..=8_u32 {
        let mut child = runrate(lake, arguments).spawn().expect("starts");
        std::thread::sleep(took.mul_f64(f64::from(kill) / 10.0));
        let is_running = child.try_wait().expect("a status").is_none();
        child.kill().expect("killed, or gone already");
        child.wait().expect("reaped");
        if arguments[0] == "restore" {
            let place = Path::new(arguments[3]);
            if place.join("FORMAT").exists() && !place.join("_restoring").exists() {
                fs::remove_dir_all(place).expect("emptied");
            }
        }
        unfinished += u32::from(is_running);
    }
    unfinished
}
