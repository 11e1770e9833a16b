//! `growth_rate`: growth from one period to another (ratio).

use datafusion_common::Result;
use datafusion_expr::ScalarUDF;

use crate::function::numbers::numbers;
use crate::function::page::Page;
use crate::math::growth;

pub(crate) const PAGE: Page = Page {
    name: "growth_rate",
    syntax: "growth_rate(current, previous)",
    summary: "Growth from one period to another (ratio).",
    formula: "(current - previous) / previous",
    nulls: "NULL arguments give NULL, as does a previous of 0 or less",
    errors: "NaN or infinity",
    source: "period over period growth",
    example: ("SELECT growth_rate(120, 80)", "0.5"),
    arguments: &[
        ("current", "value of this period"),
        (
            "previous",
            "value of the period compared with: the month before, or the same month a year before",
        ),
    ],
};

/// The function, to be registered.
pub(crate) fn udf() -> Result<ScalarUDF> {
    numbers(&PAGE, [None, None], |[current, previous]| Ok(growth::rate(current, previous)))
}
