//! What a statement may do: an allow-list, first of statement kinds, then of plan nodes.
//!
//! Both are lists of what is allowed, so that a statement or node a later engine brings is refused
//! until somebody has thought about it.

use std::ops::ControlFlow;

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::sqlparser::ast::{Query, SetExpr, Statement, Visit, Visitor};

use crate::error::{Error, Result};

/// Refuses every statement that is not a query or an EXPLAIN of one.
pub(super) fn check_statement(statement: &Statement) -> Result<()> {
    match statement {
        Statement::Query(query) => match Visit::visit(query, &mut Reading) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(what) => Err(refused(what)),
        },
        Statement::Explain { statement, .. } => check_statement(statement),
        other => {
            let text = other.to_string();
            let words: Vec<&str> = text.split_whitespace().take(2).collect();
            Err(refused(&words.join(" ").to_uppercase()))
        }
    }
}

/// Refuses EXPLAIN ANALYZE: it runs a statement for its figures, and counts rows of what is hidden.
pub(super) fn check_not_measured(statement: &Statement) -> Result<()> {
    match statement {
        Statement::Explain { analyze, options, statement, .. } => {
            let mut options = options.iter().flatten();
            if !analyze && !options.any(|o| o.name.value.eq_ignore_ascii_case("analyze")) {
                return check_not_measured(statement);
            }
            Err(Error::Statement {
                sqlstate: "42501",
                message: "permission denied: EXPLAIN ANALYZE is not for roles of the profile bi"
                    .into(),
                hint: Some("EXPLAIN shows the plan; an analyst's role may measure it.".into()),
            })
        }
        _ => Ok(()),
    }
}

/// Stops at a query, however deep, that writes or locks.
struct Reading;

impl Visitor for Reading {
    type Break = &'static str;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Self::Break> {
        match query.body.as_ref() {
            SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_) => {
                ControlFlow::Break("a statement that writes")
            }
            SetExpr::Select(select) if select.into.is_some() => ControlFlow::Break("SELECT INTO"),
            _ if !query.locks.is_empty() => ControlFlow::Break("SELECT FOR UPDATE"),
            _ => ControlFlow::Continue(()),
        }
    }
}

/// Refuses a plan with a node that does more than read.
pub(super) fn check_plan(plan: &LogicalPlan) -> Result<()> {
    let mut refusal = None;
    plan.apply_with_subqueries(|node| {
        if is_reading(node) {
            return Ok(TreeNodeRecursion::Continue);
        }
        refusal = Some(node.display().to_string());
        Ok(TreeNodeRecursion::Stop)
    })?;
    match refusal {
        Some(node) => Err(refused(node.split([':', ' ']).next().unwrap_or_default())),
        None => Ok(()),
    }
}

fn is_reading(node: &LogicalPlan) -> bool {
    use LogicalPlan as L;
    match node {
        L::Projection(_) | L::Filter(_) | L::Window(_) | L::Aggregate(_) | L::Sort(_) => true,
        L::Join(_) | L::Repartition(_) | L::Union(_) | L::TableScan(_) | L::EmptyRelation(_) => {
            true
        }
        L::Subquery(_) | L::SubqueryAlias(_) | L::Limit(_) | L::Values(_) | L::Explain(_) => true,
        L::Analyze(_) | L::Distinct(_) | L::Unnest(_) | L::RecursiveQuery(_) => true,
        L::Extension(_) | L::Statement(_) | L::Dml(_) | L::Ddl(_) | L::Copy(_) => false,
        L::DescribeTable(_) => false,
    }
}

fn refused(what: &str) -> Error {
    Error::Statement {
        sqlstate: "42501",
        message: format!("permission denied: {what} is not allowed here"),
        hint: Some("This connection only reads; data comes in through runrate ingest.".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(sql: &str) -> &'static str {
        let statements = crate::session::limits::parse(sql, 1 << 20).expect(sql);
        statements
            .iter()
            .map(check_statement)
            .find_map(|r| r.err().map(|e| e.sqlstate()))
            .unwrap_or("ok")
    }

    #[test]
    fn only_queries_pass() {
        for sql in [
            "insert into t values (1)",
            "update t set a = 1",
            "delete from t",
            "truncate t",
            "create table t (a int)",
            "create table t as select 1",
            "create view v as select 1",
            "drop table t",
            "alter table t add column b int",
            "copy t to '/tmp/x'",
            "copy (select 1) to '/tmp/x'",
            "explain analyze insert into t values (1)",
            "with x as (insert into t values (1) returning 1) select 1",
            "grant select on t to x",
            "vacuum",
            "select 1 for update",
            "select 1 into t",
        ] {
            let Ok(statements) = crate::session::limits::parse(sql, 1 << 20) else { continue };
            assert!(statements.iter().any(|s| check_statement(s).is_err()), "{sql}");
        }
        assert_eq!(state("select 1"), "ok");
        assert_eq!(state("explain select 1"), "ok");
        assert_eq!(state("values (1)"), "ok");
    }
}
