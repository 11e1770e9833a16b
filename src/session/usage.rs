//! What a running query costs and touches, for those who watch it.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::execution::memory_pool::MemoryPool;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::ExecutionPlan;

use super::memory::QueryPool;

/// Columns that are named at most (count); a report over everything names its tables anyway.
const COLUMNS_MAX: usize = 256;

/// Memory, spilling and columns of one query; it can be read while the query runs.
#[derive(Debug, Clone)]
pub struct Usage {
    pool: Arc<QueryPool>,
    plan: Arc<dyn ExecutionPlan>,
    columns: Arc<[String]>,
}

impl Usage {
    pub(super) fn new(
        pool: Arc<QueryPool>,
        plan: Arc<dyn ExecutionPlan>,
        logical: &LogicalPlan,
    ) -> Self {
        Self { pool, plan, columns: columns(logical) }
    }

    /// Memory it holds (bytes).
    pub fn memory_bytes(&self) -> usize {
        self.pool.reserved()
    }

    /// The most memory it held (bytes).
    pub fn memory_peak_bytes(&self) -> usize {
        self.pool.peak()
    }

    /// Bytes it wrote to disk for want of memory.
    pub fn spilled_bytes(&self) -> u64 {
        let mut nodes = vec![self.plan.clone()];
        let mut bytes = 0;
        while let Some(node) = nodes.pop() {
            let spilled = node.metrics().and_then(|metrics| metrics.spilled_bytes());
            bytes += spilled.unwrap_or(0) as u64;
            nodes.extend(node.children().into_iter().cloned());
        }
        bytes
    }

    /// Columns it reads, as `schema.table.column`, sorted.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }
}

fn columns(plan: &LogicalPlan) -> Arc<[String]> {
    let mut found = BTreeSet::new();
    let walked = plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            let table = [scan.table_name.schema(), Some(scan.table_name.table())];
            let table = table.into_iter().flatten().collect::<Vec<_>>().join(".");
            let names = scan.projected_schema.fields().iter();
            found.extend(names.map(|field| format!("{table}.{}", field.name())));
        }
        let is_full = found.len() > COLUMNS_MAX;
        Ok(if is_full { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    });
    if walked.is_err() {
        tracing::debug!("the columns of a plan could not be named");
    }
    found.into_iter().take(COLUMNS_MAX).collect()
}
