//! `hires_needed`: whole people to hire so that a gap closes.

use datafusion_common::Result;
use datafusion_expr::ScalarUDF;

use crate::function::coercion::Kind;
use crate::function::page::Page;
use crate::function::row::{Row, scalar};
use crate::math::{Fault, capacity};

pub(crate) const PAGE: Page = Page {
    name: "hires_needed",
    syntax: "hires_needed(gap, productivity, mean_ramp [, attrition])",
    summary: "Whole people to hire so that a gap closes.",
    formula: "ceil(gap / (productivity * mean_ramp * (1 - attrition))), 0 without a gap",
    nulls: "NULL gap, productivity or mean_ramp gives NULL; NULL also where no number of hires closes the gap in time, as with a mean_ramp of 0; NULL attrition means 0",
    errors: "negative productivity, mean_ramp outside 0 to 1, attrition outside 0 to 1, NaN or infinity",
    source: "the quota-capacity model of sales planning",
    example: ("SELECT hires_needed(154500, 127500, 0.25)", "5"),
    arguments: &[
        ("gap", "what capacity falls short (money or units)"),
        ("productivity", "what a fully productive head brings in the period (same unit)"),
        ("mean_ramp", "mean productivity of a new hire over the period (ratio)"),
        ("attrition", "share of the hires that leaves (ratio 0 to 1, default 0)"),
    ],
};

const KINDS: &[Kind] = &[Kind::Number, Kind::Number, Kind::Number, Kind::Number];

/// The function, to be registered.
pub(crate) fn udf() -> Result<ScalarUDF> {
    scalar(&PAGE, KINDS, 3, evaluate)
}

fn evaluate(row: &Row<'_>) -> std::result::Result<Option<i64>, Fault> {
    let (Some(gap), Some(productivity), Some(ramp)) =
        (row.number(0)?, row.number(1)?, row.number(2)?)
    else {
        return Ok(None);
    };
    capacity::hires(gap, productivity, ramp, row.number_or(3, 0.0)?)
}
