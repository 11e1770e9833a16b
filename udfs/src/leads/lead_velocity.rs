//! `lead_velocity`: lead velocity rate: growth of the number of qualified leads from one period to the next (ratio).

use datafusion_common::Result;
use datafusion_expr::ScalarUDF;

use crate::function::numbers::numbers;
use crate::function::page::Page;
use crate::math::growth;

pub(crate) const PAGE: Page = Page {
    name: "lead_velocity",
    syntax: "lead_velocity(current, previous)",
    summary: "Lead velocity rate: growth of the number of qualified leads from one period to the next (ratio).",
    formula: "(current - previous) / previous",
    nulls: "NULL arguments give NULL, as does a previous of 0 or less",
    errors: "NaN or infinity",
    source: "lead velocity rate as recurring-revenue businesses report it",
    example: ("SELECT lead_velocity(120, 100)", "0.2"),
    arguments: &[
        ("current", "qualified leads of this period (count)"),
        ("previous", "qualified leads of the period before (count)"),
    ],
};

/// The function, to be registered.
pub(crate) fn udf() -> Result<ScalarUDF> {
    numbers(&PAGE, [None, None], |[current, previous]| Ok(growth::rate(current, previous)))
}
