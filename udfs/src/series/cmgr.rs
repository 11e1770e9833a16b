//! `cmgr`: compound growth a period (ratio), a month for monthly periods.

use datafusion_common::Result;
use datafusion_expr::ScalarUDF;

use crate::function::numbers::numbers;
use crate::function::page::Page;
use crate::math::growth;

pub(crate) const PAGE: Page = Page {
    name: "cmgr",
    syntax: "cmgr(current, previous [, periods])",
    summary: "Compound growth a period (ratio), a month for monthly periods.",
    formula: "(current / previous) ^ (1 / periods) - 1",
    nulls: "NULL current or previous gives NULL, as does a previous of 0 or less or a current below 0; NULL periods means 1",
    errors: "periods of 0 or less, NaN or infinity",
    source: "compound monthly growth rate",
    example: ("SELECT round(cmgr(144, 100, 2), 9)", "0.2"),
    arguments: &[
        ("current", "value of the last period"),
        ("previous", "value of the first period"),
        ("periods", "periods from the first to the last (default 1)"),
    ],
};

/// The function, to be registered.
pub(crate) fn udf() -> Result<ScalarUDF> {
    numbers(&PAGE, [None, None, Some(1.0)], |[current, previous, periods]| {
        growth::compound(current, previous, periods)
    })
}
