//! `required_run_rate`: what must be sold on each working day that is left, so that a quota is attained (money or count a day).

use datafusion_common::Result;
use datafusion_expr::ScalarUDF;

use crate::function::coercion::Kind;
use crate::function::page::Page;
use crate::function::row::{Row, scalar};
use crate::math::{Fault, period};

pub(crate) const PAGE: Page = Page {
    name: "required_run_rate",
    syntax: "required_run_rate(actual, quota, as_of, period_end [, holidays])",
    summary: "What must be sold on each working day that is left, so that a quota is attained (money or count a day).",
    formula: "(quota - actual) / working days after as_of up to period_end",
    nulls: "NULL actual, quota, as_of or period_end gives NULL, as does a period without a working day left; 0 once the quota is attained; NULL holidays means none",
    errors: "a negative quota, NaN or infinity",
    source: "required run rate by working days",
    example: (
        "SELECT required_run_rate(260000, 300000, DATE '2026-09-24', DATE '2026-09-30')",
        "10000",
    ),
    arguments: &[
        ("actual", "what was attained so far (money or count)"),
        ("quota", "what was asked (money or count)"),
        ("as_of", "last day that is counted as gone by"),
        ("period_end", "last day of the period"),
        ("holidays", "days off beside Saturdays and Sundays (list of dates)"),
    ],
};

const KINDS: &[Kind] = &[Kind::Number, Kind::Number, Kind::Date, Kind::Date, Kind::Dates];

/// The function, to be registered.
pub(crate) fn udf() -> Result<ScalarUDF> {
    scalar(&PAGE, KINDS, 4, evaluate)
}

fn evaluate(row: &Row<'_>) -> std::result::Result<Option<f64>, Fault> {
    let (Some(actual), Some(quota)) = (row.number(0)?, row.number(1)?) else { return Ok(None) };
    let (Some(as_of), Some(end)) = (row.day(2), row.day(3)) else { return Ok(None) };
    let holidays = row.days(4).unwrap_or_default();
    period::required_run_rate(actual, quota, as_of, end, &holidays)
}
