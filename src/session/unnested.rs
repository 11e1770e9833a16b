//! Keys of groups repeat once a list is unnested beside them.
//!
//! The engine takes over from below that a group's key determines the rest, and then drops what
//! comes after the key in ORDER BY and GROUP BY: `SELECT k, unnest(l) ... GROUP BY k` came back in
//! any order of the list's items. Forgetting what was known of keys below an unnest is always right.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{FunctionalDependencies, Result};
use datafusion::logical_expr::LogicalPlan;
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

/// The rules of the engine that read what is known of keys.
const READERS: [&str; 4] = [
    "eliminate_duplicated_expr",
    "eliminate_join",
    "optimize_projections",
    "replace_distinct_aggregate",
];

/// Forgets above each unnest what was known of the keys below it.
#[derive(Debug)]
pub(super) struct KeysRepeat;

impl KeysRepeat {
    /// `rules` with this one before each that reads what is known of keys.
    pub(super) fn among(
        rules: Vec<Arc<dyn OptimizerRule + Send + Sync>>,
    ) -> Vec<Arc<dyn OptimizerRule + Send + Sync>> {
        let mut all: Vec<Arc<dyn OptimizerRule + Send + Sync>> = vec![];
        for rule in rules {
            if READERS.contains(&rule.name()) {
                all.push(Arc::new(Self));
            }
            all.push(rule);
        }
        all
    }
}

impl OptimizerRule for KeysRepeat {
    fn name(&self) -> &str {
        "keys_repeat"
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        _: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        if !plan.exists(|node| Ok(matches!(node, LogicalPlan::Unnest(_))))? {
            return Ok(Transformed::no(plan));
        }
        let plan = plan.transform_up(forgotten)?.data;
        // The plan itself is as it was: there is nothing to look at again.
        Ok(Transformed::new(plan, false, TreeNodeRecursion::Continue))
    }
}

fn forgotten(node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let LogicalPlan::Unnest(mut unnest) = node else {
        return Ok(Transformed::yes(node.recompute_schema()?));
    };
    let schema = Arc::unwrap_or_clone(unnest.schema);
    unnest.schema = Arc::new(schema.with_functional_dependencies(FunctionalDependencies::empty())?);
    Ok(Transformed::yes(LogicalPlan::Unnest(unnest)))
}

#[cfg(test)]
mod tests {
    use datafusion::optimizer::Optimizer;

    use super::*;

    #[test]
    fn the_engine_still_calls_its_rules_so() {
        let rules = Optimizer::new().rules;
        let count = rules.len();
        assert_eq!(KeysRepeat::among(rules).len(), count + READERS.len());
    }
}
