//! Items of a SELECT that say the same: the engine wants unique names, Postgres does not.

use std::ops::ControlFlow;

use datafusion::common::{DataFusionError, SchemaError};
use datafusion::sql::sqlparser::ast::helpers::attached_token::AttachedToken;
use datafusion::sql::sqlparser::ast::{
    Expr, Ident, Query, Select, SelectItem, SetExpr, Statement, visit_expressions_mut,
};

use super::dialect::{column_name, folded, made, string};

/// Gives an alias to items of the outermost SELECT that say the same as one before them.
///
/// The engine wants unique names, Postgres does not: `SELECT 1, 1` has two columns `?column?`.
/// Only items that repeat are touched, so that ORDER BY finds what it names.
pub(super) fn tell_apart(statement: &mut Statement) {
    let Statement::Query(query) = statement else { return };
    let Some(select) = outermost_mut(query) else { return };
    let mut seen: Vec<String> = vec![];
    for (at, item) in select.projection.iter_mut().enumerate() {
        let text = match &*item {
            SelectItem::UnnamedExpr(expr) => said(expr),
            SelectItem::ExprWithAlias { alias, .. } => alias.value.clone(),
            _ => continue,
        };
        // The engine puts named arguments in their places, after which two calls may be the same.
        if !seen.contains(&text) && !text.contains("=>") {
            seen.push(text);
            continue;
        }
        let (SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) = &*item
        else {
            continue;
        };
        let alias = Ident::with_quote('"', told_apart(&named(item), at));
        *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias };
    }
}

/// Behind it stands what tells a name from another that is the same.
pub const APART: char = '\u{1}';

fn told_apart(name: &str, at: usize) -> String {
    format!("{name}{APART}{}", at + 1)
}

/// What Postgres calls a column.
fn named(item: &SelectItem) -> String {
    match item {
        SelectItem::UnnamedExpr(expr) => column_name(expr),
        SelectItem::ExprWithAlias { alias, .. } => folded(alias),
        other => other.to_string(),
    }
}

/// Whether the engine found two things of one name where Postgres has no names at all.
pub(super) fn is_one_name_twice(error: &DataFusionError) -> bool {
    match error.find_root() {
        DataFusionError::SchemaError(error, _) => matches!(
            error.as_ref(),
            SchemaError::DuplicateQualifiedField { .. }
                | SchemaError::DuplicateUnqualifiedField { .. }
        ),
        DataFusionError::Plan(message) => message.contains("require unique expression names"),
        _ => false,
    }
}

/// Gives every item of the outermost SELECT a name of its own, and tells calls apart that differ in
/// casts only: the engine's names do not show those.
///
/// For statements that cannot be planned without.
pub(super) fn tell_all_apart(statement: &mut Statement) {
    let Statement::Query(query) = statement else { return };
    let Some(select) = outermost_mut(query) else { return };
    let mut seen: Vec<String> = vec![];
    for (at, item) in select.projection.iter_mut().enumerate() {
        let name = told_apart(&named(item), at);
        let (SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) = &mut *item
        else {
            continue;
        };
        let text = said(expr);
        if seen.contains(&text) {
            mark_casts(expr, at);
        }
        seen.push(text);
        if let SelectItem::UnnamedExpr(expr) = &*item {
            let alias = Ident::with_quote('"', name);
            *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias };
        }
    }
}

/// Puts each cast within `expr` into a call that gives it back, and has another name.
fn mark_casts(expr: &mut Expr, at: usize) {
    let _: ControlFlow<()> = visit_expressions_mut(expr, |part| {
        if matches!(part, Expr::Cast { .. }) {
            let given = [part.clone(), string(&at.to_string())];
            if let Ok(marked) = made("told_apart($1, $2)", &given) {
                *part = marked;
            }
        }
        ControlFlow::Continue(())
    });
}

/// What the engine calls `expr`: its text without casts.
fn said(expr: &Expr) -> String {
    let mut bare = expr.clone();
    let _: ControlFlow<()> = visit_expressions_mut(&mut bare, |expr| {
        while let Expr::Cast { expr: inner, .. } | Expr::Nested(inner) = expr {
            *expr = std::mem::replace(inner.as_mut(), Expr::Wildcard(AttachedToken::empty()));
        }
        ControlFlow::Continue(())
    });
    bare.to_string()
}

fn outermost_mut(query: &mut Query) -> Option<&mut Select> {
    // In a UNION the arms must stay as they are: the first one names the columns for ORDER BY.
    match query.body.as_mut() {
        SetExpr::Select(select) => Some(select),
        SetExpr::Query(inner) => outermost_mut(inner),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::limits;

    #[test]
    fn only_what_repeats_gets_an_alias() {
        let mut statement = limits::parse("SELECT 1, 1, a, b AS a FROM t ORDER BY a", 1 << 10)
            .expect("sound")
            .remove(0);
        tell_apart(&mut statement);
        let expected = "SELECT 1, 1 AS \"?column?\u{1}2\", a, b AS \"a\u{1}4\" FROM t ORDER BY a";
        assert_eq!(statement.to_string(), expected);
    }
}
