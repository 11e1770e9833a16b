//! An ingest over an object store that goes wrong, at every call that an ingest makes: it ends, with
//! an error or not, and the same command again leaves exactly what an unharmed one does.
//!
//! `FAULTS=all` tries every call and fault, otherwise a share of them that is spread over all.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt;
use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt};
use runrate::config::Config;
use runrate::error::Result;
use runrate::ingest::{Request, Silent, Summary, ingest};
use runrate::lake::Lake;
use runrate::session::Engine;

use crate::harness::faulty::{Call, Fault, Faulty};

/// Runs of the short form, about.
const SHORT_RUNS: usize = 60;
/// When a run counts as one that never ends; each single call ends after [`CALL_MS`].
const NEVER: Duration = Duration::from_secs(60);
const CALL_MS: u64 = 300;

const FIRST: &str = "product_id,name,list_price,currency,updated_at\n\
    a,Alpha,10.50,EUR,2026-01-01T00:00:00Z\n\
    b,Beta,20,EUR,2026-01-01T00:00:00Z\n\
    c,Gamma,30,EUR,2026-01-01T00:00:00Z\n";
/// One row as it was, one changed, one new, one that cannot be read.
const SECOND: &str = "product_id,name,list_price,currency,updated_at\n\
    a,Alpha,10.50,EUR,2026-01-01T00:00:00Z\n\
    b,Beta,21,EUR,2026-02-01T00:00:00Z\n\
    d,Delta,40,EUR,2026-02-01T00:00:00Z\n\
    e,Epsilon,dear,EUR,2026-02-01T00:00:00Z\n";
/// What has to be the same however often an ingest was interrupted.
const STATE: [&str; 5] = [
    "SELECT string_agg(product_id || left(name, 9) || list_price, ';' ORDER BY product_id) \
     AS s FROM crm.products",
    "SELECT string_agg(rows_read || ' ' || rows_quarantined || ' ' || status, ';' \
     ORDER BY started_at) AS s FROM ops.ingest_runs",
    "SELECT count(*) AS s FROM ops.ingest_runs \
     WHERE rows_read <> rows_loaded + rows_quarantined + rows_duplicate",
    "SELECT string_agg(line || reason_code, ';' ORDER BY line) AS s FROM ops.quarantine",
    "SELECT count(*) AS s FROM ops.reconciliation",
];

async fn open(store: Arc<dyn ObjectStore>, store_timeout_ms: u64) -> Result<Arc<Engine>> {
    let url = "memory:///lake/".parse().expect("a URL");
    let lake = "memory:///lake".to_owned();
    let config =
        Config { lake, threads: 2, store_timeout_ms, lock_timeout_ms: 0, ..Config::default() };
    let lake = Lake::open_on(&config, url, store).await?;
    Engine::open_on(lake, config, vec![], vec![]).await
}

async fn load(store: Arc<dyn ObjectStore>, file: &PathBuf, limit_ms: u64) -> Result<Summary> {
    let engine = open(store, limit_ms).await?;
    let request = Request { is_forced: true, ..Request::crm("template", vec![file.clone()]) };
    ingest(&engine, &request, Arc::new(Silent)).await
}

async fn state(store: &Arc<InMemory>) -> Vec<String> {
    let engine = open(store.clone(), 60_000).await.expect("it opens");
    let session = engine.session("test");
    let mut found = vec![];
    for sql in STATE {
        let rows = session.query(sql).await.expect("plans");
        let rows: Vec<_> = rows.try_collect().await.expect("runs");
        let text = datafusion::arrow::util::pretty::pretty_format_batches(&rows).expect("prints");
        found.push(text.to_string().lines().nth(3).unwrap_or_default().to_owned());
    }
    found
}

/// The lease of a process that is gone, once it has run out.
async fn forget_lease(store: &Arc<InMemory>) {
    let path = object_store::path::Path::from("lake/_lock");
    drop(store.delete(&path).await);
}

struct Bench {
    _folder: tempfile::TempDir,
    file: PathBuf,
    /// With the first load.
    base: Arc<InMemory>,
    before: Vec<String>,
    /// After the second.
    wanted: Vec<String>,
    counts: Vec<(Call, u64)>,
}

impl Bench {
    async fn new(second: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("products.csv");
        let base = Arc::new(InMemory::new());
        std::fs::write(&file, FIRST).expect("written");
        load(base.clone(), &file, 60_000).await.expect("the first load");
        std::fs::write(&file, second).expect("written");
        let unharmed = Arc::new(base.fork());
        let counting = Faulty::new(unharmed.clone(), None);
        load(Arc::new(counting.clone()), &file, 60_000).await.expect("the second load");
        let counts = Call::ALL.map(|call| (call, counting.count(call))).to_vec();
        let (before, wanted) = (state(&base).await, state(&unharmed).await);
        assert_ne!(before, wanted);
        Self { _folder: folder, file, base, before, wanted, counts }
    }

    /// One ingest that meets `fault` at the `n`-th `call`, then the same again; whether it met it.
    async fn run(&self, call: Call, n: u64, fault: Fault) -> bool {
        let what = format!("{fault:?} at {call:?} {n}");
        let store = Arc::new(self.base.fork());
        let faulty = Faulty::new(store.clone(), Some((call, n, fault)));
        let loading = load(Arc::new(faulty.clone()), &self.file, CALL_MS);
        let ended = tokio::time::timeout(NEVER, loading).await;
        match ended.unwrap_or_else(|_| panic!("{what}: it never ends")) {
            Ok(_) => assert_eq!(state(&store).await, self.wanted, "{what}: said to be loaded"),
            Err(error) => {
                let text = error.chain();
                assert_ne!(error.sqlstate(), "XX000", "{what}: {text}");
                let is_told = ["injected", "no answer within", "ended after", "lake is being"];
                let is_told = is_told.iter().any(|part| text.contains(part))
                    || text.contains("conflict")
                    || text.contains("already exists");
                assert!(is_told, "{what}: the error says why: {text}");
                let now = state(&store).await;
                assert!(now[0] == self.before[0] || now[0] == self.wanted[0], "{what}: {now:?}");
            }
        }
        forget_lease(&store).await;
        let again = load(store.clone(), &self.file, 60_000).await;
        again.unwrap_or_else(|error| panic!("{what}: again: {}", error.chain()));
        assert_eq!(state(&store).await, self.wanted, "{what}: after the same again");
        faulty.is_met()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_goes_wrong_at_any_call_loses_and_doubles_nothing() {
    let bench = Bench::new(SECOND).await;
    let mut cases = vec![];
    for (call, count) in &bench.counts {
        for n in 1..=*count {
            cases.extend(call.faults().iter().map(|fault| (*call, n, *fault)));
        }
    }
    let is_all = std::env::var("FAULTS").is_ok_and(|which| which == "all");
    // A step that shares no factor with the faults of a call, so that each of them comes.
    let step = if is_all { 1 } else { (cases.len() / SHORT_RUNS).max(1) | 1 };
    let mut met = 0;
    let chosen: Vec<_> = cases.iter().step_by(step).collect();
    for (call, n, fault) in &chosen {
        met += usize::from(bench.run(*call, *n, *fault).await);
    }
    eprintln!("{met} of {} faults met; calls {:?}", chosen.len(), bench.counts);
    assert!(met * 10 >= chosen.len() * 9, "{met} of {} faults were met", chosen.len());
}

/// `count` products whose names are long, and so mixed that no compression makes them short.
fn large(count: usize) -> String {
    let mut text = SECOND.to_owned();
    let mut dice = 7_u64;
    for n in 0..count {
        let letters = (0..1_500).map(|_| {
            dice = dice
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            char::from(b'0' + (dice >> 33) as u8 % 64)
        });
        let name: String = letters.map(|c| if c == '\\' { 'x' } else { c }).collect();
        text.push_str(&format!("z{n},{name},1,EUR,2026-02-01T00:00:00Z\n"));
    }
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_in_parts_that_goes_wrong_loses_and_doubles_nothing() {
    let bench = Bench::new(&large(8_000)).await;
    for call in [Call::Upload, Call::Part, Call::Complete] {
        for fault in call.faults() {
            assert!(bench.run(call, 1, *fault).await, "{fault:?} at {call:?}: met");
        }
    }
}
