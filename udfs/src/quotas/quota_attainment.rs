//! `quota_attainment`: share of a quota that was attained (ratio, 1 is the whole quota).

use datafusion_common::Result;
use datafusion_expr::ScalarUDF;

use crate::function::coercion::Kind;
use crate::function::page::Page;
use crate::function::row::{Row, scalar};
use crate::math::{Fault, period};

pub(crate) const PAGE: Page = Page {
    name: "quota_attainment",
    syntax: "quota_attainment(actual, quota [, period_start, period_end [, active_from [, active_to [, ramp]]]])",
    summary: "Share of a quota that was attained (ratio, 1 is the whole quota).",
    formula: "actual / (quota * ramp * days active in the period / days of the period)",
    nulls: "NULL actual or quota gives NULL, as does a quota of 0 or no active day; without a period nothing is prorated; NULL active_from or active_to leaves that side open; NULL ramp means 1",
    errors: "a negative quota, a ramp outside 0 to 1, a period that starts after it ends, NaN or infinity",
    source: "proration of quotas by days in the seat, as compensation plans do",
    example: (
        "SELECT round(quota_attainment(120000, 300000, DATE '2026-07-01', DATE '2026-09-30', DATE '2026-08-15'), 4)",
        "0.783",
    ),
    arguments: &[
        ("actual", "what was sold (money or units)"),
        ("quota", "the goal, in the same unit"),
        ("period_start", "first day of the period (date)"),
        ("period_end", "last day of the period, inclusive (date)"),
        ("active_from", "first day with a quota (date)"),
        ("active_to", "last day with a quota, inclusive (date)"),
        ("ramp", "share of the full quota that is asked while ramping up (ratio, default 1)"),
    ],
};

const KINDS: &[Kind] =
    &[Kind::Number, Kind::Number, Kind::Date, Kind::Date, Kind::Date, Kind::Date, Kind::Number];

/// The function, to be registered.
pub(crate) fn udf() -> Result<ScalarUDF> {
    scalar(&PAGE, KINDS, 2, evaluate)
}

fn evaluate(row: &Row<'_>) -> std::result::Result<Option<f64>, Fault> {
    let (Some(actual), Some(quota)) = (row.number(0)?, row.number(1)?) else {
        return Ok(None);
    };
    let period = match (row.day(2), row.day(3)) {
        (None, None) if row.day(4).or(row.day(5)).is_none() => None,
        (Some(start), Some(end)) => Some((start, end)),
        // Half a period, or active days of an unknown one, cannot be prorated.
        _ => return Ok(None),
    };
    let active = (row.day(4), row.day(5));
    period::attainment(actual, quota, period, active, row.number_or(6, 1.0)?)
}
