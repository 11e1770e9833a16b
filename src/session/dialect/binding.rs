//! How fast words hold: `a IS DISTINCT FROM b AND c` is `(a IS DISTINCT FROM b) AND c`.
//!
//! The parser takes everything behind the FROM for the second value, and what it makes of that runs
//! but means something else.
//! What a client put into parentheses is a part of its own in the tree, so the two can be told apart.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Statement, UnaryOperator, Value, visit_expressions_mut,
};

/// Puts the parts of each `IS DISTINCT FROM` of `statement` where Postgres has them.
pub(in crate::session) fn bind(statement: &mut Statement) {
    let _: ControlFlow<()> = visit_expressions_mut(statement, |expr| {
        let taken = std::mem::replace(expr, Expr::Value(Value::Null.into()));
        *expr = bound(taken);
        ControlFlow::Continue(())
    });
}

/// `expr`, whose parts are bound, with what holds less fast than itself around it.
fn bound(expr: Expr) -> Expr {
    match expr {
        Expr::IsDistinctFrom(left, right) => {
            around(*right, is_chain, |right| Expr::IsDistinctFrom(left, right.into()))
        }
        Expr::IsNotDistinctFrom(left, right) => {
            around(*right, is_chain, |right| Expr::IsNotDistinctFrom(left, right.into()))
        }
        Expr::UnaryOp { op: UnaryOperator::Not, expr } => around(*expr, is_chain, |expr| {
            Expr::UnaryOp { op: UnaryOperator::Not, expr: expr.into() }
        }),
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => around(*right, is_or, |right| {
            Expr::BinaryOp { left, op: BinaryOperator::And, right: right.into() }
        }),
        other => other,
    }
}

fn is_chain(op: &BinaryOperator) -> bool {
    matches!(op, BinaryOperator::And | BinaryOperator::Or)
}

fn is_or(op: &BinaryOperator) -> bool {
    *op == BinaryOperator::Or
}

/// What `make` makes of the first link of `chain`, in its place; a chain is made of operators that
/// `is_outer` names, without parentheses.
fn around(
    chain: Expr,
    is_outer: fn(&BinaryOperator) -> bool,
    make: impl FnOnce(Expr) -> Expr,
) -> Expr {
    let (mut links, mut first) = (vec![], chain);
    loop {
        match first {
            Expr::BinaryOp { left, op, right } if is_outer(&op) => {
                links.push((op, right));
                first = *left;
            }
            _ => break,
        }
    }
    links.into_iter().rev().fold(make(first), |left, (op, right)| Expr::BinaryOp {
        left: left.into(),
        op,
        right,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::parse_statements;

    /// `condition` with every operator in parentheses of its own.
    fn shown(condition: &str) -> String {
        let statements = parse_statements(&format!("SELECT {condition}"), 1_000);
        let mut statement = statements.expect("parses").remove(0);
        let _: ControlFlow<()> = visit_expressions_mut(&mut statement, |expr| {
            if matches!(expr, Expr::Nested(_) | Expr::Identifier(_)) {
                return ControlFlow::Continue(());
            }
            *expr = Expr::Nested(expr.clone().into());
            ControlFlow::Continue(())
        });
        statement.to_string()
    }

    #[test]
    fn what_holds_less_fast_is_outside() {
        for (said, meant) in [
            ("a IS DISTINCT FROM b AND c", "((a IS DISTINCT FROM b) AND c)"),
            ("a IS DISTINCT FROM b OR c AND d", "((a IS DISTINCT FROM b) OR (c AND d))"),
            ("a IS NOT DISTINCT FROM b AND c OR d", "(((a IS NOT DISTINCT FROM b) AND c) OR d)"),
            ("x AND a IS DISTINCT FROM b OR c", "((x AND (a IS DISTINCT FROM b)) OR c)"),
            ("NOT a IS DISTINCT FROM b AND c", "((NOT (a IS DISTINCT FROM b)) AND c)"),
            ("NOT a IS DISTINCT FROM b OR x AND y", "((NOT (a IS DISTINCT FROM b)) OR (x AND y))"),
            (
                "a IS DISTINCT FROM b AND c IS DISTINCT FROM d AND e",
                "((a IS DISTINCT FROM b) AND ((c IS DISTINCT FROM d) AND e))",
            ),
            ("a IS DISTINCT FROM (b AND c)", "(a IS DISTINCT FROM ((b AND c)))"),
            ("a AND (b OR c)", "(a AND ((b OR c)))"),
            ("a IS DISTINCT FROM b + c", "(a IS DISTINCT FROM (b + c))"),
        ] {
            assert_eq!(shown(said), format!("SELECT {meant}"), "{said}");
        }
    }
}
