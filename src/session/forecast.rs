//! `FROM forecast(relation, ts, value, horizon, ...)`: a call of the aggregate `forecast`, one row a step.
//!
//! The relation is a name, a quoted name or a subquery; the series is cut by `group_cols`.
//! Every group gives `horizon` rows: the group's columns, `ds`, `step`, `yhat`, `lo`, `hi`,
//! `method`, `n_obs` (rows with a value, up to `as_of`) and `status`.

use std::collections::BTreeMap;

use datafusion::sql::sqlparser::ast::{Expr, Query, Statement, Value};

use super::limits;
use super::pages::{FunctionPage, bracketed};
use crate::error::{Error, Result};

/// Arguments in order; the first four are needed.
pub(super) const PARAMETERS: &[&str] = &[
    "relation", "ts", "value", "horizon", "method", "level", "season", "group_by", "as_of", "gaps",
    "floor", "grain", "partial",
];
/// Those that the aggregate takes after its horizon, in its order.
const OPTIONS: &[&str] =
    &["method", "level", "season", "floor", "as_of", "gaps", "grain", "partial"];

/// The SELECT that a call with `arguments` stands for.
pub(super) fn query(arguments: &BTreeMap<String, Expr>) -> Result<Query> {
    let needed = |name: &str| {
        let missing = || Error::statement("42883", format!("forecast: argument {name} is missing"));
        arguments.get(name).ok_or_else(missing)
    };
    let relation = relation(needed("relation")?)?;
    let (ts, value) = (column(needed("ts")?)?, column(needed("value")?)?);
    let horizon = needed("horizon")?;
    let option =
        |name: &str| arguments.get(name).map_or_else(|| "NULL".to_owned(), ToString::to_string);
    let groups = match arguments.get("group_by") {
        Some(expr) => columns(expr)?,
        None => vec![],
    };
    let name = |column: &String| column.rsplit('.').next().unwrap_or(column).to_owned();
    let keys: String = (groups.iter().enumerate())
        .map(|(place, column)| format!("key_{place} AS {}, ", name(column)))
        .collect();
    let by = match groups.is_empty() {
        true => String::new(),
        false => format!(" GROUP BY {}", groups.join(", ")),
    };
    let named: String = (groups.iter().enumerate())
        .map(|(place, column)| format!("{column} AS key_{place}, "))
        .collect();
    let until = match arguments.get("as_of") {
        Some(day) => format!(" FILTER (WHERE CAST({ts} AS date) <= {day})"),
        None => String::new(),
    };
    let options: Vec<String> = OPTIONS.iter().map(|name| option(name)).collect();
    let sql = format!(
        "SELECT {keys}f['ds'] AS ds, f['step'] AS step, f['yhat'] AS yhat, f['lo'] AS lo, \
         f['hi'] AS hi, f['method'] AS method, n_obs, f['status'] AS status \
         FROM (SELECT {named}unnest(forecast({ts}, {value}, {horizon}, {options})) AS f, \
         count({value}){until} AS n_obs FROM {relation}{by}) AS steps",
        options = options.join(", "),
    );
    match limits::parse(&sql, usize::MAX)?.pop() {
        Some(Statement::Query(query)) => Ok(*query),
        _ => Err(Error::statement("42601", "forecast: arguments do not form a query")),
    }
}

/// What the function says of itself.
pub(super) fn page() -> FunctionPage {
    let meanings = [
        "name of a table or view, bare or quoted, or a subquery in parentheses",
        "column or expression: time of the value",
        "column or expression: the value",
    ];
    let aggregate = runrate_udfs::functions().iter().find(|function| function.name() == "forecast");
    let known = aggregate.map(|function| function.page().arguments).unwrap_or_default();
    let arguments = PARAMETERS.iter().enumerate().map(|(place, name)| {
        let meaning = match (meanings.get(place), *name) {
            (Some(meaning), _) => meaning,
            (_, "group_by") => "columns that make the series: a, (a, b) or 'a,b'",
            _ => known.iter().find(|(known, _)| known == name).map_or("", |(_, text)| *text),
        };
        ((*name).to_owned(), meaning.to_owned())
    });
    FunctionPage {
        name: "forecast".into(),
        kind: "table",
        syntax: format!("forecast({})", bracketed(PARAMETERS, 4)),
        summary: "What comes next in each series of a table?".into(),
        arguments: arguments.collect(),
        notes: vec![
            ("Rules", "the aggregate forecast for each group, one row a step".into()),
            ("Grain", "columns of group_by, step".into()),
            ("Units", "yhat, lo, hi as the value; status ok, or why not".into()),
        ],
        example: "SELECT ds, yhat, lo, hi FROM forecast('demand.bookings_quarter', 'quarter_start', 'booked_amount', 4, group_by => 'currency')".into(),
        gives: None,
    }
}

/// The relation that an argument names: bare, quoted, or a subquery.
pub(super) fn relation(expr: &Expr) -> Result<String> {
    match expr {
        Expr::Subquery(query) => Ok(format!("({query}) AS series")),
        other => column(other),
    }
}

/// A column or relation, named bare (`amount`) or quoted (`'amount'`); or an expression over columns.
pub(super) fn column(expr: &Expr) -> Result<String> {
    let Some(text) = text(expr) else { return Ok(expr.to_string()) };
    let parts: Vec<&str> = text.split('.').map(str::trim).collect();
    if parts.iter().any(|part| part.is_empty()) {
        return Err(Error::statement("42601", format!("'{text}' is not a name")));
    }
    Ok(parts
        .iter()
        .map(|part| format!("\"{}\"", part.replace('"', "")))
        .collect::<Vec<_>>()
        .join("."))
}

/// Columns named as `a`, `(a, b)`, `'a,b'` or `''`.
pub(super) fn columns(expr: &Expr) -> Result<Vec<String>> {
    match expr {
        Expr::Tuple(parts) => parts.iter().map(column).collect(),
        Expr::Nested(inner) => columns(inner),
        other => match text(other) {
            Some(names) if names.trim().is_empty() => Ok(vec![]),
            Some(names) => names
                .split(',')
                .map(|name| column(&Expr::value(Value::SingleQuotedString(name.trim().into()))))
                .collect(),
            None => Ok(vec![column(other)?]),
        },
    }
}

fn text(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => Some(text),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::expand::TableFunctions;
    use super::*;

    fn expanded(sql: &str) -> String {
        let mut statement = limits::parse(sql, 1 << 20).expect(sql).remove(0);
        let functions = TableFunctions::new(vec![]).expect("no definitions");
        functions.expand(&mut statement).expect(sql);
        statement.to_string()
    }

    #[test]
    fn names_subqueries_and_groups_become_one_aggregate() {
        let sql = expanded("select * from forecast('demand.bookings', 'month', 'amount', 12)");
        assert!(
            sql.contains("forecast(\"month\", \"amount\", 12, NULL, NULL, NULL, NULL, NULL"),
            "{sql}"
        );
        assert!(sql.contains("FROM \"demand\".\"bookings\")"), "{sql}");
        let sql = expanded(
            "select * from forecast((select * from b), ts => m, value => amount * 2, \
             horizon => $1, level => 0.8, group_by => (region, team)) f",
        );
        assert!(sql.contains("GROUP BY region, team"), "{sql}");
        assert!(sql.contains("forecast(m, amount * 2, $1, NULL, 0.8, NULL, NULL, NULL"), "{sql}");
        assert!(sql.ends_with("AS steps) f"), "{sql}");
    }
}
