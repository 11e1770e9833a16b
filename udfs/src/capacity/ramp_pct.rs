//! `ramp_pct`: share of full productivity that someone has on a day (ratio).

use datafusion_common::Result;
use datafusion_expr::ScalarUDF;

use crate::function::coercion::Kind;
use crate::function::page::Page;
use crate::function::row::{Row, scalar};
use crate::math::{Fault, capacity};

pub(crate) const PAGE: Page = Page {
    name: "ramp_pct",
    syntax: "ramp_pct(hire_date, as_of, ramp [, step_months])",
    summary: "Share of full productivity that someone has on a day (ratio).",
    formula: "the step of the ramp reached: one a step_months since the hire, the last one holds; 0 before the hire",
    nulls: "NULL hire_date gives 1: someone who was always there; NULL as_of or ramp gives NULL; NULL step_months means 1",
    errors: "an empty ramp, a share outside 0 to 1 or NULL in it, step_months outside 1 to 120",
    source: "ramp-up by tenure, as in the quota-capacity model",
    example: (
        "SELECT ramp_pct(DATE '2026-01-15', DATE '2026-03-20', make_array(0, 0.25, 0.5, 1))",
        "0.5",
    ),
    arguments: &[
        ("hire_date", "first day at work (date)"),
        ("as_of", "day asked about (date)"),
        ("ramp", "share of full productivity in each step after hiring (list of ratios)"),
        ("step_months", "length of a step (months, default 1)"),
    ],
};

const KINDS: &[Kind] = &[Kind::Date, Kind::Date, Kind::Numbers, Kind::Integer];

/// The function, to be registered.
pub(crate) fn udf() -> Result<ScalarUDF> {
    scalar(&PAGE, KINDS, 3, evaluate)
}

fn evaluate(row: &Row<'_>) -> std::result::Result<Option<f64>, Fault> {
    let (Some(as_of), Some(ramp)) = (row.day(1), row.numbers(2)?) else {
        return Ok(None);
    };
    capacity::ramp(row.day(0), as_of, &ramp, row.integer_or(3, 1)).map(Some)
}
