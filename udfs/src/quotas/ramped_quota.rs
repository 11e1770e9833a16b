//! `ramped_quota`: quota that somebody on the ramp carries in a period.

use datafusion_common::Result;
use datafusion_expr::ScalarUDF;

use crate::function::coercion::Kind;
use crate::function::page::Page;
use crate::function::row::{Row, scalar};
use crate::math::{Fault, capacity};

pub(crate) const PAGE: Page = Page {
    name: "ramped_quota",
    syntax: "ramped_quota(quota, hire_date, period_start, period_end, ramp)",
    summary: "Quota that somebody on the ramp carries in a period.",
    formula: "quota * mean over the months of the period of the ramp (by days inside a month, 0 before the hire); a period that is not whole months is weighed by days",
    nulls: "NULL hire_date means ramped up; other NULL arguments give NULL",
    errors: "a negative quota, an empty ramp, a share outside 0 to 1 or NULL in it, a period that starts after it ends, NaN or infinity",
    source: "quota relief during ramp-up, as compensation plans grant it",
    example: (
        "SELECT ramped_quota(300000, DATE '2026-07-01', DATE '2026-07-01', DATE '2026-09-30', make_array(0.25, 0.5, 0.75))",
        "150000",
    ),
    arguments: &[
        ("quota", "quota of somebody fully ramped for the whole period (money or count)"),
        ("hire_date", "first day"),
        ("period_start", "first day of the period"),
        ("period_end", "last day of the period"),
        (
            "ramp",
            "share of the quota by month after the hire (list of ratios 0 to 1); the last one holds",
        ),
    ],
};

const KINDS: &[Kind] = &[Kind::Number, Kind::Date, Kind::Date, Kind::Date, Kind::Numbers];

/// The function, to be registered.
pub(crate) fn udf() -> Result<ScalarUDF> {
    scalar(&PAGE, KINDS, 5, evaluate)
}

fn evaluate(row: &Row<'_>) -> std::result::Result<Option<f64>, Fault> {
    let (Some(full), Some(ramp)) = (row.number(0)?, row.numbers(4)?) else { return Ok(None) };
    let (Some(start), Some(end)) = (row.day(2), row.day(3)) else { return Ok(None) };
    capacity::ramped_quota(full, row.day(1), (start, end), &ramp).map(Some)
}
