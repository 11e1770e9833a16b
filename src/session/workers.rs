//! Threads that queries run on, apart from those that talk to clients.
//!
//! An operator may compute for a long time before it looks up; on a thread that also reads sockets,
//! nobody could even ask it to stop.
//! Batches cross over one at a time, so that a reader who pauses pauses the query, and a reader who
//! goes away ends it at the next batch.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::error::{DataFusionError, Result as EngineResult};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::joins::{
    CrossJoinExec, HashJoinExec, NestedLoopJoinExec, SortMergeJoinExec,
};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::unnest::UnnestExec;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::{FutureExt, StreamExt};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::stop::{Stop, StopOnDrop};
use crate::error::{Error, Result};

/// Stack of a worker; frames of an unoptimised build are large.
const STACK_BYTES: usize = 8 << 20;

/// The threads.
#[derive(Debug)]
pub(super) struct Workers {
    /// `None` only while it is dropped.
    runtime: Option<Runtime>,
    panics: Arc<AtomicU64>,
}

impl Workers {
    pub(super) fn new(threads: usize) -> Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_name("query")
            .thread_stack_size(STACK_BYTES)
            .enable_all()
            .build()
            .map_err(|e| Error::file("start", "query threads", e))?;
        Ok(Self { runtime: Some(runtime), panics: Arc::default() })
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
    ) -> SendableRecordBatchStream {
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
        let running =
            self.runtime.as_ref().map(|runtime| AbortOnDropHandle::new(runtime.spawn(work)));
        let rows = futures::stream::poll_fn(move |context| {
            // Held here: the query lives as long as its reader.
            let _running = (&running, &stopping);
            receiver.poll_recv(context)
        });
        Box::pin(RecordBatchStreamAdapter::new(schema, rows))
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        // Waiting for its threads is not allowed where asynchronous code may drop it.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Makes what multiplies rows yield now and then.
///
/// Scans yield by themselves, but a join can make a billion rows of one scanned batch, and what
/// aggregates them would not look up before the last one.
#[derive(Debug)]
pub(super) struct YieldAfterJoins;

impl PhysicalOptimizerRule for YieldAfterJoins {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _: &ConfigOptions,
    ) -> EngineResult<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            if multiplies(node.as_ref()) {
                return Ok(Transformed::yes(Arc::new(CooperativeExec::new(node))));
            }
            Ok(Transformed::no(node))
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
