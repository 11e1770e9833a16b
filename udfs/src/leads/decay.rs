//! `decay`: what is left of a value that halves every half-life.

use datafusion_common::Result;
use datafusion_expr::ScalarUDF;

use crate::function::numbers::numbers;
use crate::function::page::Page;
use crate::math::{positive, score};

pub(crate) const PAGE: Page = Page {
    name: "decay",
    syntax: "decay(value, age_days, half_life_days)",
    summary: "What is left of a value that halves every half-life.",
    formula: "value * 0.5 ^ (max(age_days, 0) / half_life_days)",
    nulls: "NULL arguments give NULL",
    errors: "half_life_days of 0 or less, NaN or infinity",
    source: "exponential decay, as marketing automation systems fade engagement points",
    example: ("SELECT decay(80, 60, 30)", "20"),
    arguments: &[
        ("value", "points, or any amount"),
        ("age_days", "days since then (days); below 0 counts as 0"),
        ("half_life_days", "days after which half is left (days)"),
    ],
};

/// The function, to be registered.
pub(crate) fn udf() -> Result<ScalarUDF> {
    numbers(&PAGE, [None, None, None], |[value, age, half_life]| {
        let half_life = positive("half_life_days", half_life)?;
        Ok(Some(score::decayed(value, age, half_life)))
    })
}
