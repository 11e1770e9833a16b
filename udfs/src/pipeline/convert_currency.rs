//! `convert_currency`: an amount in another currency, at a rate that was joined to it.

use datafusion_common::Result;
use datafusion_expr::ScalarUDF;

use crate::function::numbers::numbers;
use crate::function::page::Page;
use crate::math::positive;

pub(crate) const PAGE: Page = Page {
    name: "convert_currency",
    syntax: "convert_currency(amount, rate)",
    summary: "An amount in another currency, at a rate that was joined to it.",
    formula: "amount * rate",
    nulls: "NULL arguments give NULL: an unknown rate is never 1",
    errors: "a rate of 0 or less, NaN or infinity",
    source: "dated conversion rates, one for each day or period",
    example: ("SELECT convert_currency(200, 1.25)", "250"),
    arguments: &[
        ("amount", "amount (money)"),
        ("rate", "units of the wanted currency for one of the amount's; above 0"),
    ],
};

/// The function, to be registered.
pub(crate) fn udf() -> Result<ScalarUDF> {
    numbers(&PAGE, [None, None], |[amount, rate]| Ok(Some(amount * positive("rate", rate)?)))
}
