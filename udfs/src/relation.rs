//! Functions in FROM: `forecast(relation, ts => , value => , horizon => )` and
//! `lead_model(relation, label => , features => )`, as calls of the aggregates of those names.
//!
//! A relation is a table's name, bare or quoted, or a subquery; columns are bare, quoted or expressions.
//! Each call becomes a SELECT of aggregates and projections that every engine runs.
//! A program that plans with DataFusion registers [`planner`]:
//!
//! ```
//! use datafusion::prelude::*;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> datafusion::error::Result<()> {
//! let context = SessionContext::new();
//! let mut state = context.state();
//! runrate_udfs::register_all(&mut state)?;
//! let context = SessionContext::new_with_state(state);
//! context.register_relation_planner(runrate_udfs::relation::planner())?;
//! let sql = "SELECT step, yhat FROM forecast((SELECT * FROM (VALUES (DATE '2026-01-01', 3), \
//!            (DATE '2026-02-01', 5)) AS t(d, v)), ts => d, value => v, horizon => 2)";
//! assert_eq!(context.sql(sql).await?.count().await?, 2);
//! # Ok(())
//! # }
//! ```
//!
//! A session looks up the tables of a statement before it plans, and does not see a bare name that is
//! an argument: name it in a subquery, or let [`expand`] see the statement first.
//!
//! DataFusion 55 takes a key of GROUP BY for unique even where `unnest` repeats it, and drops what
//! follows it in ORDER BY: order the steps of several groups by `step` first, or in a query around.

mod arguments;
mod forecast;
mod lead_model;

use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion_common::{Result, plan_err};
use datafusion_expr::planner::{
    PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning,
};
use sqlparser::ast::{
    FunctionArg, Ident, Query, Statement, TableAlias, TableFactor, VisitMut, VisitorMut,
};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;

pub use arguments::{Arguments, Given};

use crate::math::Fault;

/// Deepest nesting of a call and its arguments.
const NESTING_MAX: usize = 128;

/// A function in FROM: what it says of itself, and the SELECT that a call stands for.
#[derive(Debug, Clone, Copy)]
pub struct RelationFunction {
    /// Name in SQL.
    pub name: &'static str,
    /// One sentence: the question it answers.
    pub summary: &'static str,
    /// What it does.
    pub rules: &'static str,
    /// What a row is.
    pub grain: &'static str,
    /// Units of its columns.
    pub units: &'static str,
    /// A query that calls it.
    pub example: &'static str,
    /// Names of the arguments, in order.
    pub parameters: &'static [&'static str],
    /// Arguments that must be given.
    pub needed: usize,
    meaning: fn(&str) -> &'static str,
    select: fn(&Arguments<'_>) -> std::result::Result<String, Fault>,
}

/// The functions, by name.
pub const RELATION_FUNCTIONS: &[RelationFunction] = &[forecast::FUNCTION, lead_model::FUNCTION];

impl RelationFunction {
    /// The function called `name`, in lower case.
    pub fn named(name: &str) -> Option<&'static Self> {
        RELATION_FUNCTIONS.iter().find(|function| function.name == name)
    }

    /// Meaning and unit of an argument.
    pub fn meaning(&self, parameter: &str) -> &'static str {
        (self.meaning)(parameter)
    }

    /// The SELECT that a call with `given` stands for.
    ///
    /// # Errors
    /// Arguments that are missing, unknown or given twice, or that are no columns.
    pub fn query(&self, given: &[FunctionArg]) -> std::result::Result<Query, Fault> {
        let given = arguments::given(self.name, self.parameters, given)?;
        let sql = (self.select)(&Arguments { function: self.name, given: &given })?;
        let wrong = |reason: String| Fault(format!("{}: {reason}", self.name));
        let mut parsed = Parser::new(&PostgreSqlDialect {})
            .with_recursion_limit(NESTING_MAX)
            .try_with_sql(&sql)
            .and_then(|mut parser| parser.parse_statements())
            .map_err(|error| wrong(error.to_string()))?;
        match (parsed.pop(), parsed.is_empty()) {
            (Some(Statement::Query(query)), true) => Ok(*query),
            _ => Err(wrong("arguments do not form a query".into())),
        }
    }
}

pub use arguments::given;

/// What makes `FROM forecast(...)` and `FROM lead_model(...)` known to a DataFusion session.
pub fn planner() -> Arc<dyn RelationPlanner> {
    Arc::new(Planner)
}

#[derive(Debug)]
struct Planner;

impl RelationPlanner for Planner {
    fn plan_relation(
        &self,
        relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<RelationPlanning> {
        match expanded(&relation) {
            Ok(None) => Ok(RelationPlanning::Original(Box::new(relation))),
            Ok(Some(derived)) => {
                let plan = context.plan(derived)?;
                Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, None))))
            }
            Err(Fault(message)) => plan_err!("{message}"),
        }
    }
}

/// The subquery that `factor` stands for, if it calls a function of this crate.
fn expanded(factor: &TableFactor) -> std::result::Result<Option<TableFactor>, Fault> {
    let TableFactor::Table { name, args: Some(arguments), alias, .. } = factor else {
        return Ok(None);
    };
    let Some(function) = RelationFunction::named(&name.to_string().to_lowercase()) else {
        return Ok(None);
    };
    let subquery = Box::new(function.query(&arguments.args)?);
    // Without an alias a function goes by its name.
    let alias = alias.clone().unwrap_or_else(|| {
        let name = Ident::new(function.name);
        TableAlias { explicit: true, name, columns: vec![], at: None }
    });
    Ok(Some(TableFactor::Derived { lateral: false, subquery, alias: Some(alias), sample: None }))
}

/// Replaces every call in `statement` by the subquery that it stands for.
///
/// # Errors
/// As [`RelationFunction::query`].
pub fn expand(statement: &mut Statement) -> Result<()> {
    match VisitMut::visit(statement, &mut Expander) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(Fault(message)) => plan_err!("{message}"),
    }
}

struct Expander;

impl VisitorMut for Expander {
    type Break = Fault;

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Fault> {
        match expanded(factor) {
            Ok(Some(derived)) => {
                *factor = derived;
                ControlFlow::Continue(())
            }
            Ok(None) => ControlFlow::Continue(()),
            Err(fault) => ControlFlow::Break(fault),
        }
    }
}
