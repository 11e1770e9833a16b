//! Functions and subqueries in FROM: their columns have the names that Postgres gives them.

use datafusion::sql::sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, Ident, Query, Select, SelectItem, SetExpr, TableAlias,
    TableAliasColumnDef, TableFactor, Value,
};

use super::calls::list_function;
use super::expressions::{is_integer, is_number};
use super::names::{column_name, folded};
use super::phrase::made;
use crate::error::Result;

/// Says `factor`, whose parts are reworded, in the engine's words.
pub(super) fn reword(factor: &mut TableFactor) -> Result<()> {
    if let Some(other) = reworded(factor)? {
        *factor = other;
    }
    Ok(())
}

/// A function in FROM.
struct Call<'a> {
    name: String,
    given: Vec<Expr>,
    alias: Option<&'a TableAlias>,
    has_ordinality: bool,
}

fn reworded(factor: &TableFactor) -> Result<Option<TableFactor>> {
    let plain = |args: &[FunctionArg]| -> Option<Vec<Expr>> {
        args.iter()
            .map(|arg| match arg {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
                _ => None,
            })
            .collect()
    };
    let called = |name: &datafusion::sql::sqlparser::ast::ObjectName| {
        let name = name.to_string().to_lowercase();
        name.strip_prefix("pg_catalog.").map_or(name.clone(), str::to_owned)
    };
    match factor {
        TableFactor::Table { name, alias, args: Some(args), with_ordinality, .. } => {
            let Some(given) = plain(&args.args) else { return Ok(None) };
            let call = Call {
                name: called(name),
                given,
                alias: alias.as_ref(),
                has_ordinality: *with_ordinality,
            };
            of_call(&call)
        }
        TableFactor::Function { name, args, alias, with_ordinality, .. } => {
            let Some(given) = plain(args) else { return Ok(None) };
            let call = Call {
                name: called(name),
                given,
                alias: alias.as_ref(),
                has_ordinality: *with_ordinality,
            };
            of_call(&call)
        }
        TableFactor::UNNEST { array_exprs, alias, with_ordinality, .. } => {
            let call = Call {
                name: "unnest".into(),
                given: array_exprs.clone(),
                alias: alias.as_ref(),
                has_ordinality: *with_ordinality,
            };
            of_lists(&call, array_exprs.clone(), vec![])
        }
        TableFactor::Derived { lateral: true, subquery, alias: Some(alias), .. } => {
            without_tables(subquery, alias)
        }
        _ => Ok(None),
    }
}

fn of_call(call: &Call<'_>) -> Result<Option<TableFactor>> {
    let places: Vec<_> = (1..=call.given.len()).map(|at| format!("${at}")).collect();
    let places = places.join(", ");
    if call.name == "generate_series" && call.given.iter().all(is_constant) && !call.has_ordinality
    {
        return Ok(Some(series(call)?));
    }
    if let ("jsonb_each" | "json_each" | "jsonb_each_text" | "json_each_text", [_]) =
        (call.name.as_str(), call.given.as_slice())
    {
        let values = match call.name.as_str() {
            "jsonb_each" | "json_each" => "json_values($1)",
            _ => "json_values_text($1)",
        };
        let lists = vec![made("json_keys($1)", &call.given)?, made(values, &call.given)?];
        return of_lists(call, lists, vec!["key", "value"]);
    }
    if call.name == "unnest" && !call.given.is_empty() {
        return of_lists(call, call.given.clone(), vec![]);
    }
    let Some(list) = list_function(&call.name) else { return Ok(None) };
    let mut list = made(&format!("{list}({places})"), &call.given)?;
    // The same type as of a series of constants, in whose place a parameter may be.
    if call.name == "generate_series" && call.given.iter().all(is_integer) {
        list = made("CAST($1 AS INT[])", &[list])?;
    }
    of_lists(call, vec![list], vec![])
}

fn is_constant(expr: &Expr) -> bool {
    let mut copy = expr.clone();
    let found =
        datafusion::sql::sqlparser::ast::visit_expressions_mut(&mut copy, |expr| match expr {
            Expr::Identifier(_) | Expr::CompoundIdentifier(_) | Expr::Subquery(_) => {
                std::ops::ControlFlow::Break(())
            }
            // The engine's table takes no NULL of a type.
            Expr::Value(value) if value.value == Value::Null => std::ops::ControlFlow::Break(()),
            _ => std::ops::ControlFlow::Continue(()),
        });
    found.is_continue()
}

fn ident(name: &str) -> Ident {
    Ident::with_quote('"', name)
}

/// The alias of `call`, with a name for each of its columns.
///
/// A single column is called as the alias, several as `known` says.
fn alias_of(call: &Call<'_>, count: usize, known: &[&str]) -> TableAlias {
    let name = call.alias.map_or_else(|| ident(&call.name), |alias| alias.name.clone());
    let given = call.alias.map(|alias| alias.columns.as_slice()).unwrap_or_default();
    let single = folded(&name);
    let is_single = count <= 1 + usize::from(call.has_ordinality);
    let own = |at: usize| match known.get(at) {
        Some(known) => (*known).to_owned(),
        None if call.has_ordinality && at + 1 == count => "ordinality".to_owned(),
        None if is_single => single.clone(),
        None => call.name.clone(),
    };
    let named = |at: usize| given.get(at).map_or_else(|| own(at), |column| folded(&column.name));
    let column = |at: usize| TableAliasColumnDef { name: ident(&named(at)), data_type: None };
    let columns = (0..count).map(column).collect();
    TableAlias { explicit: true, name, columns, at: None }
}

/// `generate_series` of constants stays a table, whose rows are made one by one.
fn series(call: &Call<'_>) -> Result<TableFactor> {
    let alias = alias_of(call, 1, &[]);
    let places: Vec<_> = (1..=call.given.len()).map(|at| format!("${at}")).collect();
    let is_integer = call.given.iter().all(is_integer);
    let value = if is_integer { "CAST(value AS INT)" } else { "value" };
    let sql = format!("(SELECT {value} FROM generate_series({}))", places.join(", "));
    let Expr::Subquery(mut query) = made(&sql, &[])? else {
        return Err(crate::error::Error::statement("XX000", "generate_series is no subquery"));
    };
    // Arguments of functions in FROM are no expressions of the subquery to the visitor of `made`.
    if let SetExpr::Select(select) = query.body.as_mut()
        && let Some(TableFactor::Table { args: Some(args), .. }) =
            select.from.first_mut().map(|from| &mut from.relation)
    {
        let given = call.given.iter().map(|expr| {
            let bare = match expr {
                Expr::Cast { expr: inner, .. } if is_number(inner) => inner.as_ref().clone(),
                other => other.clone(),
            };
            FunctionArg::Unnamed(FunctionArgExpr::Expr(bare))
        });
        args.args = given.collect();
    }
    Ok(TableFactor::Derived { lateral: false, subquery: query, alias: Some(alias), sample: None })
}

/// Lists side by side, with their place behind them where that is asked for.
fn of_lists(
    call: &Call<'_>,
    mut lists: Vec<Expr>,
    known: Vec<&str>,
) -> Result<Option<TableFactor>> {
    if call.has_ordinality {
        let Some(first) = lists.first() else { return Ok(None) };
        let template = "generate_series(CAST(1 AS BIGINT), CAST(cardinality($1) AS BIGINT))";
        lists.push(made(template, std::slice::from_ref(first))?);
    }
    let alias = alias_of(call, lists.len(), &known);
    Ok(Some(TableFactor::UNNEST {
        alias: Some(alias),
        array_exprs: lists,
        with_offset: false,
        with_offset_alias: None,
        with_ordinality: false,
    }))
}

/// `LATERAL (SELECT a + 1 AS b)`: one row of values, which the engine knows as lists of one.
fn without_tables(query: &Query, alias: &TableAlias) -> Result<Option<TableFactor>> {
    let is_plain = query.with.is_none()
        && query.order_by.is_none()
        && query.limit_clause.is_none()
        && query.fetch.is_none();
    if !is_plain {
        return Ok(None);
    }
    let (rows, names): (Vec<Vec<Expr>>, Vec<String>) = match query.body.as_ref() {
        SetExpr::Select(select) => match values_of(select) {
            Some(found) => found,
            None => return Ok(None),
        },
        SetExpr::Values(values) => {
            let rows: Vec<Vec<Expr>> = values.rows.iter().map(|row| row.content.clone()).collect();
            let count = rows.first().map_or(0, Vec::len);
            (rows, (1..=count).map(|at| format!("column{at}")).collect())
        }
        _ => return Ok(None),
    };
    let lists = (0..names.len()).map(|column| {
        let cells: Vec<Expr> = rows.iter().filter_map(|row| row.get(column).cloned()).collect();
        let places: Vec<_> = (1..=cells.len()).map(|at| format!("${at}")).collect();
        made(&format!("make_array({})", places.join(", ")), &cells)
    });
    let array_exprs = lists.collect::<Result<Vec<_>>>()?;
    let given = names.iter().enumerate().map(|(at, name)| TableAliasColumnDef {
        name: alias.columns.get(at).map_or_else(|| ident(name), |column| column.name.clone()),
        data_type: None,
    });
    let alias = TableAlias { columns: given.collect(), ..alias.clone() };
    Ok(Some(TableFactor::UNNEST {
        alias: Some(alias),
        array_exprs,
        with_offset: false,
        with_offset_alias: None,
        with_ordinality: false,
    }))
}

/// The one row of a SELECT without FROM, and its names.
fn values_of(select: &Select) -> Option<(Vec<Vec<Expr>>, Vec<String>)> {
    let is_plain = select.from.is_empty()
        && select.selection.is_none()
        && select.having.is_none()
        && select.distinct.is_none()
        && !select.projection.is_empty();
    if !is_plain {
        return None;
    }
    let items = select.projection.iter().map(|item| match item {
        SelectItem::UnnamedExpr(expr) => Some((expr.clone(), column_name(expr))),
        SelectItem::ExprWithAlias { expr, alias } => Some((expr.clone(), folded(alias))),
        _ => None,
    });
    let (values, names) = items.collect::<Option<Vec<_>>>()?.into_iter().unzip();
    Some((vec![values], names))
}
