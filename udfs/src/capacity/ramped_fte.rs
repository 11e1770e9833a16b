//! `ramped_fte`: fully productive heads that someone is worth over a period.

use datafusion_common::Result;
use datafusion_expr::ScalarUDF;

use crate::function::coercion::Kind;
use crate::function::page::Page;
use crate::function::row::{Row, scalar};
use crate::math::{Fault, capacity};

pub(crate) const PAGE: Page = Page {
    name: "ramped_fte",
    syntax: "ramped_fte(hire_date, termination_date, period_start, period_end, ramp [, fte])",
    summary: "Fully productive heads that someone is worth over a period.",
    formula: "fte * sum over the days in the seat of the ramp on that day / days of the period; the ramp has a step a month",
    nulls: "NULL hire_date means ramped up; NULL termination_date means still there; a NULL period or ramp gives NULL; NULL fte means 1",
    errors: "an empty ramp, a share outside 0 to 1 or NULL in it, a period that starts after it ends, a negative fte, NaN or infinity",
    source: "ramped rep equivalents of the quota-capacity model, by days",
    example: (
        "SELECT ramped_fte(NULL, NULL, DATE '2026-01-01', DATE '2026-03-31', make_array(0.5, 1))",
        "1",
    ),
    arguments: &[
        ("hire_date", "first day at work (date)"),
        ("termination_date", "last day at work, inclusive (date)"),
        ("period_start", "first day of the period (date)"),
        ("period_end", "last day of the period, inclusive (date)"),
        ("ramp", "share of full productivity in each month after hiring (list of ratios)"),
        ("fte", "share of a full-time job (ratio, default 1)"),
    ],
};

const KINDS: &[Kind] =
    &[Kind::Date, Kind::Date, Kind::Date, Kind::Date, Kind::Numbers, Kind::Number];

/// The function, to be registered.
pub(crate) fn udf() -> Result<ScalarUDF> {
    scalar(&PAGE, KINDS, 5, evaluate)
}

fn evaluate(row: &Row<'_>) -> std::result::Result<Option<f64>, Fault> {
    let (Some(start), Some(end), Some(ramp)) = (row.day(2), row.day(3), row.numbers(4)?) else {
        return Ok(None);
    };
    let fte = row.number_or(5, 1.0)?;
    capacity::ramped_fte(row.day(0), row.day(1), (start, end), &ramp, fte).map(Some)
}
