//! `quota_pace`: attainment against the share of the period gone by (ratio, 1 is on pace).

use datafusion_common::Result;
use datafusion_expr::ScalarUDF;

use crate::function::coercion::Kind;
use crate::function::page::Page;
use crate::function::row::{Row, scalar};
use crate::math::{Fault, period};

pub(crate) const PAGE: Page = Page {
    name: "quota_pace",
    syntax: "quota_pace(actual, quota, period_start, period_end, as_of)",
    summary: "Attainment against the share of the period gone by (ratio, 1 is on pace).",
    formula: "(actual / quota) / (days gone by / days of the period), as_of included",
    nulls: "NULL arguments give NULL, as do a quota of 0 and an as_of before the period",
    errors: "a negative quota, a period that starts after it ends, NaN or infinity",
    source: "linear pace by calendar days",
    example: (
        "SELECT quota_pace(120000, 300000, DATE '2026-07-01', DATE '2026-09-30', DATE '2026-08-15')",
        "0.8",
    ),
    arguments: &[
        ("actual", "what was sold so far (money or units)"),
        ("quota", "the goal, in the same unit"),
        ("period_start", "first day of the period (date)"),
        ("period_end", "last day of the period, inclusive (date)"),
        ("as_of", "day up to which actual counts, inclusive (date)"),
    ],
};

const KINDS: &[Kind] = &[Kind::Number, Kind::Number, Kind::Date, Kind::Date, Kind::Date];

/// The function, to be registered.
pub(crate) fn udf() -> Result<ScalarUDF> {
    scalar(&PAGE, KINDS, 5, evaluate)
}

fn evaluate(row: &Row<'_>) -> std::result::Result<Option<f64>, Fault> {
    let (Some(actual), Some(quota)) = (row.number(0)?, row.number(1)?) else {
        return Ok(None);
    };
    let (Some(start), Some(end), Some(as_of)) = (row.day(2), row.day(3), row.day(4)) else {
        return Ok(None);
    };
    period::pace(actual, quota, (start, end), as_of)
}
