//! Queries: their limits, set operations, and what stands in their lists of columns.

use datafusion::sql::sqlparser::ast::{
    Distinct, ExcludeSelectItem, Expr, FunctionArg, FunctionArgExpr, FunctionArguments,
    GroupByExpr, Ident, LimitClause, ObjectName, OrderByKind, Query, Select, SelectItem, SetExpr,
    SetOperator, SetQuantifier, WildcardAdditionalOptions,
};

use super::expressions::narrow;
use super::names::{UNNAMED, column_name, folded, outermost};
use super::phrase::made;
use crate::error::{Error, Result};
use crate::session::numbered::{COPY, TIES};

/// Says `query`, whose parts are still Postgres', in the engine's words.
pub(super) fn reword(query: &mut Query, is_nested: bool) -> Result<()> {
    fetch_as_limit(query)?;
    count_copies(&mut query.body)?;
    narrow_columns(&mut query.body);
    if let Some(select) = select_mut(&mut query.body) {
        if is_nested {
            name_items(select);
        }
        for item in &mut select.projection {
            if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item {
                exists_as_count(expr)?;
            }
        }
    }
    Ok(())
}

/// `FETCH FIRST 2 ROWS ONLY` is `LIMIT 2`.
fn fetch_as_limit(query: &mut Query) -> Result<()> {
    let Some(fetch) = query.fetch.take() else { return Ok(()) };
    if fetch.percent {
        return Err(Error::statement("0A000", "FETCH FIRST ... PERCENT is not supported"));
    }
    let mut count = match fetch.quantity {
        Some(count) => count,
        None => made("1", &[])?,
    };
    if fetch.with_ties {
        if query.order_by.is_none() {
            let message = "WITH TIES cannot be specified without ORDER BY clause";
            return Err(Error::statement("42601", message));
        }
        count = made(&format!("{TIES}($1)"), &[count])?;
    }
    match &mut query.limit_clause {
        Some(LimitClause::LimitOffset { limit, .. }) => *limit = Some(count),
        _ => {
            let (limit, offset, limit_by) = (Some(count), None, vec![]);
            query.limit_clause = Some(LimitClause::LimitOffset { limit, offset, limit_by });
        }
    }
    Ok(())
}

/// `a EXCEPT ALL b` as an EXCEPT of rows that are numbered among those like them, which the plan
/// does where it finds the mark; the same for INTERSECT.
fn count_copies(body: &mut SetExpr) -> Result<()> {
    let SetExpr::SetOperation { op, set_quantifier, left, right } = body else { return Ok(()) };
    count_copies(left)?;
    count_copies(right)?;
    let is_counted = matches!(op, SetOperator::Except | SetOperator::Intersect);
    if !is_counted || *set_quantifier != SetQuantifier::All {
        return Ok(());
    }
    let numbered =
        |arm: &SetExpr| format!("SELECT *, {COPY}() AS \"{COPY}\" FROM ({arm}) AS \"rows\"");
    let (left, right) = (numbered(left), numbered(right));
    let Expr::Subquery(mut query) =
        made(&format!("(SELECT * FROM ({left} {op} {right}) AS \"rows\")"), &[])?
    else {
        return Ok(());
    };
    if let SetExpr::Select(select) = query.body.as_mut() {
        let opt_exclude =
            Some(ExcludeSelectItem::Single(ObjectName::from(vec![Ident::with_quote('"', COPY)])));
        let options = WildcardAdditionalOptions { opt_exclude, ..Default::default() };
        select.projection = vec![SelectItem::Wildcard(options)];
    }
    *body = *query.body;
    Ok(())
}

fn select_mut(body: &mut SetExpr) -> Option<&mut Select> {
    match body {
        SetExpr::Select(select) => Some(select),
        SetExpr::SetOperation { left, .. } => select_mut(left),
        _ => None,
    }
}

/// Whole numbers that are columns are integers.
fn narrow_columns(body: &mut SetExpr) {
    match body {
        SetExpr::Select(select) => {
            for item in &mut select.projection {
                if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item
                {
                    narrow(expr);
                }
            }
        }
        SetExpr::Values(values) => {
            values.rows.iter_mut().flat_map(|row| &mut row.content).for_each(narrow);
        }
        SetExpr::SetOperation { left, right, .. } => {
            narrow_columns(left);
            narrow_columns(right);
        }
        _ => {}
    }
}

/// Gives computed columns of a subquery the names that the query around it knows them by.
///
/// Only where a name is the only one of its kind: the engine has no two columns of one name.
fn name_items(select: &mut Select) {
    let known: Option<Vec<String>> = select
        .projection
        .iter()
        .map(|item| match item {
            SelectItem::UnnamedExpr(expr) => Some(column_name(expr)),
            SelectItem::ExprWithAlias { alias, .. } => Some(folded(alias)),
            _ => None,
        })
        .collect();
    let Some(known) = known.filter(|_| select.distinct.is_none()) else { return };
    for (item, name) in select.projection.iter_mut().zip(&known) {
        if known.iter().filter(|other| *other == name).count() == 1 {
            name_item(item);
        }
    }
}

/// A cast keeps the name of a column, which GROUP BY may mean.
fn name_item(item: &mut SelectItem) {
    let SelectItem::UnnamedExpr(expr) = &*item else { return };
    if !matches!(expr, Expr::Function(_) | Expr::Case { .. } | Expr::Extract { .. }) {
        return;
    }
    let name = column_name(expr);
    if name != UNNAMED {
        let alias = Ident::with_quote('"', name);
        *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias };
    }
}

/// `EXISTS (...)` as a value: the engine has it as a condition only.
fn exists_as_count(expr: &mut Expr) -> Result<()> {
    match expr {
        Expr::Exists { subquery, negated } => {
            let counted = counted(subquery)?;
            let is = if *negated { "NOT coalesce($1, false)" } else { "coalesce($1, false)" };
            *expr = made(is, &[counted])?;
            Ok(())
        }
        Expr::Nested(inner)
        | Expr::UnaryOp { expr: inner, .. }
        | Expr::Cast { expr: inner, .. } => exists_as_count(inner),
        Expr::BinaryOp { left, right, .. } => {
            exists_as_count(left)?;
            exists_as_count(right)
        }
        Expr::Case { conditions, else_result, .. } => {
            for when in conditions {
                exists_as_count(&mut when.condition)?;
                exists_as_count(&mut when.result)?;
            }
            else_result.iter_mut().try_for_each(|otherwise| exists_as_count(otherwise))
        }
        Expr::Function(function) => {
            let FunctionArguments::List(list) = &mut function.args else { return Ok(()) };
            for arg in &mut list.args {
                if let FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) = arg {
                    exists_as_count(expr)?;
                }
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// `(SELECT count(*) > 0 FROM ...)` of the same rows.
fn counted(query: &Query) -> Result<Expr> {
    let is_plain = |select: &Select| {
        select.having.is_none()
            && matches!(&select.group_by, GroupByExpr::Expressions(by, _) if by.is_empty())
            && !select.projection.iter().any(|item| item.to_string().contains('('))
    };
    let mut query = query.clone();
    if let SetExpr::Select(select) = query.body.as_mut()
        && is_plain(select)
        && query.limit_clause.is_none()
    {
        select.distinct = None;
        select.projection = vec![SelectItem::UnnamedExpr(made("count(*) > 0", &[])?)];
        query.order_by = None;
        return Ok(Expr::Subquery(Box::new(query)));
    }
    let sql = format!("(SELECT count(*) > 0 FROM ({query}) AS \"rows\")");
    made(&sql, &[])
}

/// `ARRAY(SELECT ...)`: the values in the order of the query.
pub(super) fn list_of(query: &Query) -> Result<Expr> {
    let refuse = || Error::statement("42601", "subquery must return only one column");
    let select = outermost(query).ok_or_else(refuse)?;
    let value = match select.projection.as_slice() {
        [SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }] => expr.clone(),
        _ => return Err(refuse()),
    };
    let order = match query.order_by.as_ref().map(|order| &order.kind) {
        Some(OrderByKind::Expressions(order)) => {
            let texts: Vec<_> = order.iter().map(ToString::to_string).collect();
            format!(" ORDER BY {}", texts.join(", "))
        }
        _ => String::new(),
    };
    let mut inner = query.clone();
    let is_plain = matches!(query.body.as_ref(), SetExpr::Select(_))
        && !matches!(select.distinct, Some(Distinct::Distinct | Distinct::On(_)))
        && matches!(&select.group_by, GroupByExpr::Expressions(by, _) if by.is_empty())
        && query.limit_clause.is_none();
    if let (true, SetExpr::Select(select)) = (is_plain, inner.body.as_mut()) {
        let list = made(&format!("array_agg($1{order})"), &[value])?;
        select.projection = vec![SelectItem::UnnamedExpr(list)];
        inner.order_by = None;
        return Ok(Expr::Subquery(Box::new(inner)));
    }
    if !order.is_empty() {
        let message = "ARRAY(SELECT ... ORDER BY ...) takes no LIMIT, DISTINCT or GROUP BY here";
        return Err(Error::statement("0A000", message));
    }
    made(&format!("(SELECT array_agg(\"value\") FROM ({query}) AS \"rows\"(\"value\"))"), &[])
}
