//! `pipeline_coverage`: open pipeline over what is left of the quota (ratio; 3 to 5 is usual).

use datafusion_common::Result;
use datafusion_expr::ScalarUDF;

use crate::function::numbers::numbers;
use crate::function::page::Page;
use crate::math::rate;

pub(crate) const PAGE: Page = Page {
    name: "pipeline_coverage",
    syntax: "pipeline_coverage(open_amount, quota [, closed_amount])",
    summary: "Open pipeline over what is left of the quota (ratio; 3 to 5 is usual).",
    formula: "open_amount / (quota - closed_amount)",
    nulls: "NULL open_amount or quota gives NULL, as does a quota already attained; NULL closed_amount means 0",
    errors: "a negative quota, NaN or infinity",
    source: "pipeline coverage as sales planning uses it",
    example: ("SELECT pipeline_coverage(300, 150, 50)", "3"),
    arguments: &[
        ("open_amount", "amount of open deals (money)"),
        ("quota", "the goal (money)"),
        ("closed_amount", "what is won of it already (money, default 0)"),
    ],
};

/// The function, to be registered.
pub(crate) fn udf() -> Result<ScalarUDF> {
    numbers(&PAGE, [None, None, Some(0.0)], |[open, quota, closed]| {
        rate::coverage(open, quota, closed)
    })
}
