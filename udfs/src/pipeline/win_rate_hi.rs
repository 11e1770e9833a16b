//! `win_rate_hi`: upper bound of a win rate (ratio).

use datafusion_common::Result;
use datafusion_expr::ScalarUDF;

use crate::function::numbers::numbers;
use crate::function::page::Page;
use crate::math::rate;

pub(crate) const PAGE: Page = Page {
    name: "win_rate_hi",
    syntax: "win_rate_hi(won_count, closed_count [, level])",
    summary: "Upper bound of a win rate (ratio).",
    formula: "Wilson's score interval of won_count in closed_count",
    nulls: "NULL counts give NULL, as does a closed_count of 0; NULL level means 0.95",
    errors: "counts that are negative or not whole, more won than closed, a level outside 0 to 1, NaN or infinity",
    source: "E. B. Wilson, 1927",
    example: ("SELECT round(win_rate_hi(6, 10), 4)", "0.8318"),
    arguments: &[
        ("won_count", "deals won (count)"),
        ("closed_count", "deals won and lost (count)"),
        ("level", "chance that the interval holds the true rate (ratio, default 0.95)"),
    ],
};

/// The function, to be registered.
pub(crate) fn udf() -> Result<ScalarUDF> {
    numbers(&PAGE, [None, None, Some(0.95)], |[won, closed, level]| {
        Ok(rate::wilson(won, closed, level)?.map(|(_, high)| high))
    })
}
