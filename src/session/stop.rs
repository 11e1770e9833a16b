//! Stopping a join that finds nothing: it asks nobody before its next row, so its filter asks.
//!
//! A nested-loop join of two large tables with a filter that is rarely true computes for hours
//! between two batches, and an abandoned task goes on until it yields.
//! Filters are evaluated a batch of pairs at a time, which is often enough.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{DataType, FieldRef, Schema};
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::joins::utils::JoinFilter;
use datafusion::physical_plan::joins::{
    HashJoinExec, NestedLoopJoinExec, NestedLoopJoinExecBuilder,
};

use super::barrier::Barrier;

/// Set when nobody waits for a query any more.
#[derive(Debug, Clone, Default)]
pub(super) struct Stop(Arc<AtomicBool>);

/// Sets its [`Stop`] when dropped.
#[derive(Debug)]
pub(super) struct StopOnDrop(pub(super) Stop);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

impl Stop {
    /// Whether nobody waits any more.
    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// `plan` with joins that notice when it is set.
    pub(super) fn watch(&self, plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            if let Some(barrier) = node.downcast_ref::<Barrier>() {
                return barrier.map(|plan| self.watch(plan)).map(Transformed::yes);
            }
            if let Some(join) = node.downcast_ref::<NestedLoopJoinExec>()
                && let Some(filter) = join.filter()
            {
                let (left, right) = (join.left().clone(), join.right().clone());
                let watched = NestedLoopJoinExecBuilder::new(left, right, *join.join_type())
                    .with_projection_ref(join.projection().clone())
                    .with_filter(Some(self.watch_filter(filter)))
                    .build()?;
                return Ok(Transformed::yes(Arc::new(watched)));
            }
            if let Some(join) = node.downcast_ref::<HashJoinExec>()
                && let Some(filter) = join.filter()
            {
                let watched =
                    join.builder().with_filter(Some(self.watch_filter(filter))).build_exec()?;
                return Ok(Transformed::yes(watched));
            }
            Ok(Transformed::no(node))
        })
        .data()
    }

    fn watch_filter(&self, filter: &JoinFilter) -> JoinFilter {
        let expr = Arc::new(Watched { expr: filter.expression().clone(), stop: self.clone() });
        JoinFilter::new(expr, filter.column_indices().to_vec(), filter.schema().clone())
    }
}

/// An expression that fails once its query is stopped.
#[derive(Debug)]
struct Watched {
    expr: Arc<dyn PhysicalExpr>,
    stop: Stop,
}

impl fmt::Display for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.expr.fmt(f)
    }
}

impl PartialEq for Watched {
    fn eq(&self, other: &Self) -> bool {
        self.expr.eq(&other.expr)
    }
}

impl Eq for Watched {}

impl Hash for Watched {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.expr.hash(state);
    }
}

impl PhysicalExpr for Watched {
    fn data_type(&self, schema: &Schema) -> Result<DataType> {
        self.expr.data_type(schema)
    }

    fn nullable(&self, schema: &Schema) -> Result<bool> {
        self.expr.nullable(schema)
    }

    fn return_field(&self, schema: &Schema) -> Result<FieldRef> {
        self.expr.return_field(schema)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        if self.stop.is_set() {
            return Err(DataFusionError::Execution("the query was stopped".into()));
        }
        self.expr.evaluate(batch)
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.expr]
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn PhysicalExpr>>,
    ) -> Result<Arc<dyn PhysicalExpr>> {
        let expr = children.pop().unwrap_or_else(|| self.expr.clone());
        Ok(Arc::new(Self { expr, stop: self.stop.clone() }))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.expr.fmt_sql(f)
    }
}
