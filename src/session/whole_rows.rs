//! Rows of a table or subquery as one value: `row_to_json(t)`, `json_agg(t)`, where `t` is in FROM.
//!
//! The engine knows columns only. Which there are is asked of the planner first ([`asked`]), then
//! the row is written out as a struct of them ([`write_out`]).

use std::collections::HashMap;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, Query, Select, SetExpr,
    Statement, TableFactor, VisitMut, VisitorMut, With, visit_expressions, visit_expressions_mut,
};

use super::dialect::{folded, made, string};
use super::limits;
use crate::error::{Error, Result};

/// Functions that take a row.
const FUNCTIONS: &[&str] = &["row_to_json", "to_json", "to_jsonb", "json_agg", "jsonb_agg"];

/// A row that is used as a value: the name it goes by, and a query for its columns.
pub(super) struct Row {
    pub(super) name: String,
    pub(super) query: Statement,
}

/// The rows that `statement` uses as values.
pub(super) fn asked(statement: &Statement) -> Result<Vec<Row>> {
    let has_row = visit_expressions(statement, |expr| match row_in(expr) {
        Some(_) => ControlFlow::Break(()),
        None => ControlFlow::Continue(()),
    });
    if has_row.is_continue() {
        return Ok(vec![]);
    }
    let mut statement = statement.clone();
    let mut finding = Finding { rows: vec![], with: vec![] };
    match VisitMut::visit(&mut statement, &mut finding) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(finding.rows),
    }
}

struct Finding {
    rows: Vec<Row>,
    /// What WITH names, around what is looked at.
    with: Vec<With>,
}

impl VisitorMut for Finding {
    type Break = Error;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
        self.with.extend(query.with.clone());
        if let SetExpr::Select(select) = query.body.as_mut()
            && let Err(error) = self.select(select)
        {
            return ControlFlow::Break(error);
        }
        ControlFlow::Continue(())
    }
}

impl Finding {
    fn select(&mut self, select: &mut Select) -> Result<()> {
        let tables = select.from.iter().flat_map(|from| {
            std::iter::once(&from.relation).chain(from.joins.iter().map(|join| &join.relation))
        });
        let named: Vec<(String, TableFactor)> =
            tables.filter_map(|table| Some((name_of(table)?, table.clone()))).collect();
        let mut found: Vec<String> = vec![];
        let mut items = select.projection.clone();
        let _: ControlFlow<()> = visit_expressions_mut(&mut items, |expr| {
            if let Some(name) = row_in(expr)
                && !found.contains(&name)
            {
                found.push(name);
            }
            ControlFlow::Continue(())
        });
        for (name, table) in named {
            if !found.contains(&name) || self.rows.iter().any(|row| row.name == name) {
                continue;
            }
            let Some(Statement::Query(mut query)) =
                limits::parse(&format!("SELECT * FROM {table}"), usize::MAX)?.pop()
            else {
                continue;
            };
            let mut all = self.with.iter().cloned();
            query.with = all.next().map(|first| With {
                cte_tables: first
                    .cte_tables
                    .into_iter()
                    .chain(all.flat_map(|w| w.cte_tables))
                    .collect(),
                ..first
            });
            self.rows.push(Row { name, query: Statement::Query(query) });
        }
        Ok(())
    }
}

/// What a table or subquery in FROM is called; functions give values and no rows.
fn name_of(table: &TableFactor) -> Option<String> {
    match table {
        TableFactor::Table { alias: Some(alias), args: None, .. }
        | TableFactor::Derived { alias: Some(alias), lateral: false, .. } => {
            Some(folded(&alias.name))
        }
        TableFactor::Table { name, args: None, .. } => Some(folded(name.0.last()?.as_ident()?)),
        _ => None,
    }
}

/// The name that is the one argument of a function that takes a row.
fn row_in(expr: &Expr) -> Option<String> {
    let Expr::Function(Function { name, args: FunctionArguments::List(list), .. }) = expr else {
        return None;
    };
    let called = name.0.last()?.as_ident()?.value.to_lowercase();
    if !FUNCTIONS.contains(&called.as_str()) {
        return None;
    }
    match list.args.as_slice() {
        [FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Identifier(name))), ..] => {
            Some(folded(name))
        }
        _ => None,
    }
}

/// Writes out the rows whose columns are in `columns`.
///
/// A name that is a column of its own row is that column.
pub(super) fn write_out(
    statement: &mut Statement,
    columns: &HashMap<String, Vec<String>>,
) -> Result<()> {
    let outcome = visit_expressions_mut(statement, |expr| {
        let Some(name) = row_in(expr) else { return ControlFlow::Continue(()) };
        let Some(columns) = columns.get(&name).filter(|columns| !columns.contains(&name)) else {
            return ControlFlow::Continue(());
        };
        let fields = columns.iter().flat_map(|column| {
            let parts = [&name, column].map(|part| Ident::with_quote('"', part));
            [string(column), Expr::CompoundIdentifier(parts.to_vec())]
        });
        let fields: Vec<Expr> = fields.collect();
        let places: Vec<String> = (1..=fields.len()).map(|at| format!("${at}")).collect();
        let row = match made(&format!("named_struct({})", places.join(", ")), &fields) {
            Ok(row) => row,
            Err(error) => return ControlFlow::Break(error),
        };
        if let Expr::Function(Function { args: FunctionArguments::List(list), .. }) = expr {
            list.args[0] = FunctionArg::Unnamed(FunctionArgExpr::Expr(row));
        }
        ControlFlow::Continue(())
    });
    match outcome {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_written_out() {
        let sql = "SELECT row_to_json(t), json_agg(x) FROM (SELECT 1 AS a) t, unnest(ARRAY[1]) x";
        let mut statement = limits::parse(sql, 1 << 10).expect("sound").remove(0);
        let rows = asked(&statement).expect("asked");
        let names: Vec<&str> = rows.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(names, ["t"], "a function in FROM gives values");
        assert_eq!(rows[0].query.to_string(), "SELECT * FROM (SELECT 1 AS a) t");
        let columns = HashMap::from([("t".to_owned(), vec!["a".to_owned()])]);
        write_out(&mut statement, &columns).expect("written");
        let text = statement.to_string();
        assert!(
            text.starts_with("SELECT row_to_json(named_struct('a', \"t\".\"a\")), json_agg(x)")
        );
    }
}
