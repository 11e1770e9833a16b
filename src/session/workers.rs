//! Threads that queries run on, apart from those that talk to clients.
//!
//! An operator may compute for a long time before it looks up; on a thread that also reads sockets,
//! nobody could even ask it to stop, and on a thread of another query, that one would wait for it.
//! So each query has a crew of threads of its own, among which the system divides the processors,
//! and the threads of one that lasts give way to those of the others.
//! Batches cross over one at a time, so that a reader who pauses pauses the query, and a reader who
//! goes away ends it at the next batch.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::error::{DataFusionError, Result as EngineResult};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
#[expect(deprecated)]
use datafusion::physical_plan::coalesce_batches::CoalesceBatchesExec;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::joins::{
    CrossJoinExec, HashJoinExec, NestedLoopJoinExec, SortMergeJoinExec,
};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::unnest::UnnestExec;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::{FutureExt, StreamExt};
use parking_lot::Mutex;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::stop::{Stop, StopOnDrop};
use crate::error::{Error, Result};

/// Stack of a worker; frames of an unoptimised build are large.
const STACK_BYTES: usize = 8 << 20;

/// Crews that wait for the next query (count); more are let go.
const IDLE_MAX: usize = 8;
/// Time after which a query lasts: its threads give way to those of others.
pub const LASTING: Duration = Duration::from_millis(500);
/// How far they do; 19 is the most.
const NICENESS: i32 = 10;

/// The crews.
#[derive(Debug)]
pub(super) struct Workers {
    threads: usize,
    idle: Arc<Mutex<Vec<Crew>>>,
    panics: Arc<AtomicU64>,
}

/// The threads of one query.
#[derive(Debug)]
struct Crew {
    /// `None` only while it is dropped.
    runtime: Option<Runtime>,
    /// Its threads as the system numbers them.
    numbers: Arc<Mutex<Vec<i32>>>,
}

/// A crew at work. When the query is over it waits for the next one, unless its threads were made
/// to give way, which cannot be taken back.
#[derive(Debug)]
struct AtWork {
    crew: Option<Crew>,
    idle: Arc<Mutex<Vec<Crew>>>,
    /// Set by what comes first: its threads give way, or the query is over.
    is_decided: Arc<AtomicBool>,
    _lasting: AbortOnDropHandle<()>,
}

impl Workers {
    pub(super) fn new(threads: usize) -> Result<Self> {
        let first = Crew::new(threads)?;
        let idle = Arc::new(Mutex::new(vec![first]));
        Ok(Self { threads, idle, panics: Arc::default() })
    }

    fn crew(&self) -> Result<AtWork> {
        let crew = self.idle.lock().pop();
        let crew = crew.map_or_else(|| Crew::new(self.threads), Ok)?;
        let numbers = crew.numbers.clone();
        let is_decided = Arc::new(AtomicBool::new(false));
        let deciding = is_decided.clone();
        let lasting = AbortOnDropHandle::new(tokio::spawn(async move {
            tokio::time::sleep(LASTING).await;
            if deciding.swap(true, Ordering::AcqRel) {
                return;
            }
            numbers.lock().iter().copied().for_each(give_way);
        }));
        Ok(AtWork { crew: Some(crew), idle: self.idle.clone(), is_decided, _lasting: lasting })
    }

    /// Queries that panicked (count).
    pub(super) fn panic_count(&self) -> u64 {
        self.panics.load(Ordering::Relaxed)
    }

    /// Runs `plan`; dropping the stream stops it, and sets `stop` for those that never yield.
    pub(super) fn run(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        task: Arc<TaskContext>,
        stop: Stop,
    ) -> Result<SendableRecordBatchStream> {
        let crew = self.crew()?;
        let schema = plan.schema();
        let stopping = StopOnDrop(stop.clone());
        let (sender, mut receiver) = mpsc::channel(1);
        let panics = self.panics.clone();
        let work = async move {
            let sending = sender.clone();
            let rows = async move {
                let started = stop.watch(plan).and_then(|plan| execute_stream(plan, task));
                let mut stream = match started {
                    Ok(stream) => stream,
                    Err(error) => return drop(sending.send(Err(error)).await),
                };
                while let Some(batch) = stream.next().await {
                    // An operator that failed must not be asked again: one that went beyond its
                    // memory would go on without a limit.
                    let is_over = batch.is_err();
                    if sending.send(batch).await.is_err() || is_over {
                        return;
                    }
                }
            };
            if AssertUnwindSafe(rows).catch_unwind().await.is_err() {
                panics.fetch_add(1, Ordering::Relaxed);
                tracing::error!("a query panicked");
                let error = Error::statement("XX000", "internal error: the query was stopped");
                drop(sender.send(Err(DataFusionError::External(Box::new(error)))).await);
            }
        };
        let running = crew.spawn(work);
        let rows = futures::stream::poll_fn(move |context| {
            // Held here: the query lives as long as its reader, and its crew no shorter than it.
            let _running = (&running, &stopping, &crew);
            receiver.poll_recv(context)
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
    }
}

impl Crew {
    fn new(threads: usize) -> Result<Self> {
        let numbers = Arc::new(Mutex::new(Vec::new()));
        let (starting, stopping) = (numbers.clone(), numbers.clone());
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_name("query")
            .thread_stack_size(STACK_BYTES)
            .on_thread_start(move || starting.lock().extend(thread_number()))
            .on_thread_stop(move || {
                let own = thread_number();
                stopping.lock().retain(|number| Some(*number) != own);
            })
            .enable_all()
            .build()
            .map_err(|e| Error::file("start", "query threads", e))?;
        Ok(Self { runtime: Some(runtime), numbers })
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        // Waiting for its threads is not allowed where asynchronous code may drop it.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl AtWork {
    fn spawn(
        &self,
        work: impl Future<Output = ()> + Send + 'static,
    ) -> Option<AbortOnDropHandle<()>> {
        let runtime = self.crew.as_ref()?.runtime.as_ref()?;
        Some(AbortOnDropHandle::new(runtime.spawn(work)))
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        let Some(crew) = self.crew.take().filter(|_| !self.is_decided.swap(true, Ordering::AcqRel))
        else {
            return;
        };
        let mut idle = self.idle.lock();
        if idle.len() < IDLE_MAX {
            idle.push(crew);
        }
    }
}

/// The number of this thread, where the system tells it.
fn thread_number() -> Option<i32> {
    let link = std::fs::read_link("/proc/thread-self").ok()?;
    link.file_name()?.to_str()?.parse().ok()
}

/// Lets other threads go before this one.
pub(super) fn give_way_here() {
    thread_number().into_iter().for_each(give_way);
}

/// Lets other threads go before the one with this number.
fn give_way(number: i32) {
    #[cfg(target_os = "linux")]
    {
        // SAFETY: it takes numbers and touches no memory; a thread that is gone is an error that
        // changes nothing.
        #[allow(unsafe_code)]
        unsafe {
            libc::setpriority(libc::PRIO_PROCESS, number.cast_unsigned(), NICENESS)
        };
    }
}

/// Makes what multiplies rows yield now and then.
///
/// Scans yield by themselves, but a join can make a billion rows of one scanned batch, and what
/// aggregates them would not look up before the last one.
/// A cross join also makes a batch of each row of its left side, as long as a batch of its right
/// side: of the twelve months beside each account, batches of twelve rows. A batch of few rows costs
/// as much as a full one, in time and, where they are kept, in memory that no pool counts, so they
/// are put together.
#[derive(Debug)]
pub(super) struct YieldAfterJoins;

impl PhysicalOptimizerRule for YieldAfterJoins {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        options: &ConfigOptions,
    ) -> EngineResult<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            if !multiplies(node.as_ref()) {
                return Ok(Transformed::no(node));
            }
            let is_cross_join = node.is::<CrossJoinExec>();
            let mut rows: Arc<dyn ExecutionPlan> = Arc::new(CooperativeExec::new(node));
            if is_cross_join {
                let batch_rows = options.execution.batch_size.get();
                // Other operators fill their batches themselves; this one does not.
                #[expect(deprecated)]
                let full = CoalesceBatchesExec::new(rows, batch_rows);
                rows = Arc::new(full);
            }
            Ok(Transformed::yes(rows))
        })
        .data()
    }

    fn name(&self) -> &str {
        "yield_after_joins"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn multiplies(node: &dyn ExecutionPlan) -> bool {
    node.is::<CrossJoinExec>()
        || node.is::<NestedLoopJoinExec>()
        || node.is::<HashJoinExec>()
        || node.is::<SortMergeJoinExec>()
        || node.is::<UnnestExec>()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::Config;
    use crate::session::Engine;

    #[tokio::test]
    async fn a_query_that_only_computes_can_be_stopped() {
        let folder = tempfile::tempdir().expect("a folder");
        let lake = folder.path().to_string_lossy().into_owned();
        let config = Config { lake, threads: 1, ..Config::default() };
        let engine = Engine::open(config, vec![], vec![]).await.expect("opens");
        let session = engine.session("ana");
        for condition in [
            "a.value::int8 * b.value % 7 = 3",
            "a.value + b.value = -5",
            "a.value > b.value + 9999999",
        ] {
            let sql = format!(
                "SELECT count(*) FROM generate_series(1, 1000000) a(value) \
                 CROSS JOIN generate_series(1, 1000000) b(value) WHERE {condition}"
            );
            let mut stream = session.query(&sql).await.expect("starts");
            let first = tokio::time::timeout(Duration::from_millis(300), stream.next()).await;
            assert!(first.is_err(), "still computing: {condition}");
        }
        // The one thread is free again: another query gets its answer.
        let mut next =
            session.query("SELECT count(*) FROM generate_series(1, 9)").await.expect("ok");
        let answer = tokio::time::timeout(Duration::from_secs(10), next.next()).await;
        assert!(answer.expect("the thread is free").expect("a row").is_ok());
    }
}
