//! What belongs to one run of one statement, where rules and functions of the engine can find it.
//!
//! It travels as an extension of the options that the engine hands to every rule and function.

use std::any::Any;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use datafusion::arrow::array::{Array, ArrayRef};
use datafusion::common::config::{ConfigEntry, ConfigExtension, ConfigOptions, ExtensionOptions};
use datafusion::common::tree_node::Transformed;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};
use datafusion::logical_expr::LogicalPlan;
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};
use parking_lot::Mutex;

use super::stop::Stop;
use crate::error::Error;

/// Results of functions below this are not counted one by one (bytes).
const COUNTED_BYTES_MIN: usize = 1 << 20;

/// The deadline of planning and the memory of function results.
#[derive(Debug, Clone)]
pub(super) struct Scope {
    plan_until: Instant,
    stop: Stop,
    results: Option<Arc<Mutex<Results>>>,
}

/// What functions made and somebody still holds.
#[derive(Debug)]
struct Results {
    reservation: MemoryReservation,
    arrays: Vec<(Weak<dyn Array>, usize)>,
    scalar_bytes: usize,
}

impl Scope {
    /// For a statement whose planning may take `limit` from now on.
    pub(super) fn planning(limit: Duration) -> Self {
        Self { plan_until: Instant::now() + limit, stop: Stop::default(), results: None }
    }

    /// The same, counting results of functions against `pool` until `stop` is set.
    pub(super) fn counting(self, pool: &Arc<dyn MemoryPool>, stop: Stop) -> Self {
        let reservation = MemoryConsumer::new("results of functions").register(pool);
        let results = Results { reservation, arrays: vec![], scalar_bytes: 0 };
        Self { stop, results: Some(Arc::new(Mutex::new(results))), ..self }
    }

    /// The scope that `options` carry.
    pub(super) fn of(options: &ConfigOptions) -> Option<&Self> {
        options.extensions.get::<Self>()
    }

    /// Counts an array of `bytes` as long as somebody holds it.
    ///
    /// # Errors
    /// 53200 if the query may not hold that much.
    pub(super) fn count_array(&self, array: &ArrayRef, bytes: usize) -> Result<()> {
        let Some(results) = self.results.as_ref().filter(|_| bytes >= COUNTED_BYTES_MIN) else {
            return Ok(());
        };
        let mut results = results.lock();
        results.arrays.retain(|(array, _)| array.strong_count() > 0);
        results.arrays.push((Arc::downgrade(array), bytes));
        results.settle()
    }

    /// Counts a single value, which may stay in the plan to its end.
    ///
    /// # Errors
    /// As [`Scope::count_array`].
    pub(super) fn count_scalar(&self, bytes: usize) -> Result<()> {
        let Some(results) = self.results.as_ref().filter(|_| bytes >= COUNTED_BYTES_MIN >> 4)
        else {
            return Ok(());
        };
        let mut results = results.lock();
        results.scalar_bytes += bytes;
        results.settle()
    }

    /// Fails once nobody waits for the query: an abandoned task goes on until it yields, which it
    /// does after so many batches, however large they are.
    ///
    /// # Errors
    /// That the query was stopped.
    pub(super) fn check_stop(&self) -> Result<()> {
        match self.stop.is_set() {
            true => Err(DataFusionError::Execution("the query was stopped".into())),
            false => Ok(()),
        }
    }

    fn check_deadline(&self) -> Result<()> {
        if Instant::now() < self.plan_until {
            return Ok(());
        }
        let error = Error::statement("54001", "statement took too long to plan");
        Err(DataFusionError::External(Box::new(error)))
    }
}

impl Results {
    fn settle(&mut self) -> Result<()> {
        let arrays: usize = self.arrays.iter().map(|(_, bytes)| bytes).sum();
        self.reservation.try_resize(arrays + self.scalar_bytes)
    }
}

impl ExtensionOptions for Scope {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn cloned(&self) -> Box<dyn ExtensionOptions> {
        Box::new(self.clone())
    }

    fn set(&mut self, key: &str, _: &str) -> Result<()> {
        Err(DataFusionError::Configuration(format!("{key} cannot be set")))
    }

    fn entries(&self) -> Vec<ConfigEntry> {
        vec![]
    }
}

impl ConfigExtension for Scope {
    const PREFIX: &'static str = "statement";
}

/// Ends the optimizing of a statement whose time is up; no timeout could, as it never waits.
#[derive(Debug)]
struct Deadline;

impl OptimizerRule for Deadline {
    fn name(&self) -> &str {
        "deadline"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        None
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        config: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        if let Some(scope) = Scope::of(&config.options()) {
            scope.check_deadline()?;
        }
        Ok(Transformed::no(plan))
    }
}

type Rule = Arc<dyn OptimizerRule + Send + Sync>;

/// `rules`, with a look at the clock before each.
pub(super) fn timed(rules: Vec<Rule>) -> Vec<Rule> {
    rules.into_iter().flat_map(|rule| [Arc::new(Deadline) as Rule, rule]).collect()
}
