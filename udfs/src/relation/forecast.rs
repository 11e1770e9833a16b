//! `FROM forecast(relation, ts, value, horizon, ...)`: the aggregate for each group, one row a step.
//!
//! Every row has the group's columns, `ds`, `step`, `yhat`, `lo`, `hi`, `method`, `n_obs` (rows with a
//! value, up to `as_of`) and `status`.

use super::RelationFunction;
use super::arguments::{Arguments, last};
use crate::math::Fault;
use crate::series;

pub(super) const FUNCTION: RelationFunction = RelationFunction {
    name: "forecast",
    summary: "What comes next in each series of a table?",
    rules: "the aggregate forecast for each group, one row a step; a series that cannot be forecast gives one row of NULLs with its status",
    grain: "columns of group_by, step",
    units: "yhat, lo, hi as the value; status ok, or why not",
    example: "SELECT ds, yhat, lo, hi FROM forecast('demand.bookings_quarter', 'quarter_start', 'booked_amount', 4, group_by => 'currency')",
    parameters: &[
        "relation",
        "ts",
        "value",
        "horizon",
        "method",
        "level",
        "season",
        "group_by",
        "as_of",
        "gaps",
        "floor",
        "grain",
        "partial",
        "start_month",
        "history",
    ],
    needed: 4,
    meaning,
    select,
};

/// Those that the aggregate takes after its horizon, in its order.
const OPTIONS: &[&str] = &[
    "method",
    "level",
    "season",
    "floor",
    "as_of",
    "gaps",
    "grain",
    "partial",
    "start_month",
    "history",
];

fn meaning(parameter: &str) -> &'static str {
    match parameter {
        "relation" => "name of a table or view, bare or quoted, or a subquery in parentheses",
        "ts" => "column or expression: time of the value",
        "value" => "column or expression: the value",
        "group_by" => "columns that make the series: a, (a, b) or 'a,b'",
        other => {
            let known = series::forecast::PAGE.arguments.iter();
            known.clone().find(|(name, _)| *name == other).map_or("", |(_, meaning)| meaning)
        }
    }
}

fn select(arguments: &Arguments<'_>) -> Result<String, Fault> {
    let relation = arguments.relation()?;
    let (ts, value) = (arguments.column("ts")?, arguments.column("value")?);
    let horizon = arguments.needed("horizon")?;
    let groups = arguments.columns("group_by")?;
    let keys: String = (groups.iter().enumerate())
        .map(|(place, column)| format!("key_{place} AS {}, ", last(column)))
        .collect();
    let named: String = (groups.iter().enumerate())
        .map(|(place, column)| format!("{column} AS key_{place}, "))
        .collect();
    let by = match groups.is_empty() {
        true => String::new(),
        false => format!(" GROUP BY {}", groups.join(", ")),
    };
    let until = match arguments.has("as_of") {
        true => format!(" FILTER (WHERE CAST({ts} AS date) <= {})", arguments.option("as_of")),
        false => String::new(),
    };
    let options: Vec<String> = OPTIONS.iter().map(|name| arguments.option(name)).collect();
    Ok(format!(
        "SELECT {keys}f['ds'] AS ds, f['step'] AS step, f['yhat'] AS yhat, f['lo'] AS lo, \
         f['hi'] AS hi, f['method'] AS method, n_obs, f['status'] AS status \
         FROM (SELECT {named}unnest(forecast({ts}, {value}, {horizon}, {options})) AS f, \
         count({value}){until} AS n_obs FROM {relation}{by}) AS steps",
        options = options.join(", "),
    ))
}
