//! `linear_step`: what is left of a value that loses the same share at every interval, as interval decay takes it.

use datafusion_common::Result;
use datafusion_expr::ScalarUDF;

use crate::function::numbers::numbers;
use crate::function::page::Page;
use crate::math::score;

pub(crate) const PAGE: Page = Page {
    name: "linear_step",
    syntax: "linear_step(value, age_days, step_ratio, every_days)",
    summary: "What is left of a value that loses the same share at every interval, as interval decay takes it.",
    formula: "value * max(0, 1 - step_ratio * floor(max(age_days, 0) / every_days))",
    nulls: "NULL arguments give NULL",
    errors: "step_ratio outside 0 to 1, every_days of 0 or less, NaN or infinity",
    source: "decay by a percentage every so many days, as lead scoring in CRMs offers it",
    example: ("SELECT linear_step(80, 45, 0.25, 30)", "60"),
    arguments: &[
        ("value", "points, or any amount"),
        ("age_days", "days since then (days); below 0 counts as 0"),
        ("step_ratio", "share of the value lost at each interval (ratio 0 to 1)"),
        ("every_days", "length of an interval (days)"),
    ],
};

/// The function, to be registered.
pub(crate) fn udf() -> Result<ScalarUDF> {
    numbers(&PAGE, [None, None, None, None], |[value, age, step, every]| {
        score::stepped(value, age, step, every).map(Some)
    })
}
