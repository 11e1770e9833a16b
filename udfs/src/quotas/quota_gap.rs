//! `quota_gap`: what is missing to a quota; below zero what was sold beyond it.

use datafusion_common::Result;
use datafusion_expr::ScalarUDF;

use crate::function::numbers::numbers;
use crate::function::page::Page;
use crate::math::period;

pub(crate) const PAGE: Page = Page {
    name: "quota_gap",
    syntax: "quota_gap(actual, quota)",
    summary: "What is missing to a quota; below zero what was sold beyond it.",
    formula: "quota - actual",
    nulls: "NULL arguments give NULL",
    errors: "NaN or infinity",
    source: "the sign is what is still to be done",
    example: ("SELECT quota_gap(120000, 300000)", "180000"),
    arguments: &[
        ("actual", "what was attained (money or count)"),
        ("quota", "what was asked (money or count)"),
    ],
};

/// The function, to be registered.
pub(crate) fn udf() -> Result<ScalarUDF> {
    numbers(&PAGE, [None, None], |[actual, quota]| Ok(Some(period::quota_gap(actual, quota))))
}
