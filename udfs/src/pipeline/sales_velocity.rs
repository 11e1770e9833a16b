//! `sales_velocity`: money a day that a pipeline brings.

use datafusion_common::Result;
use datafusion_expr::ScalarUDF;

use crate::function::numbers::numbers;
use crate::function::page::Page;
use crate::math::rate;

pub(crate) const PAGE: Page = Page {
    name: "sales_velocity",
    syntax: "sales_velocity(opportunity_count, average_deal, win_rate, cycle_days)",
    summary: "Money a day that a pipeline brings.",
    formula: "opportunity_count * average_deal * win_rate / cycle_days",
    nulls: "NULL arguments give NULL, as does a cycle of 0 days or less",
    errors: "a negative count, a win rate outside 0 to 1, NaN or infinity",
    source: "the sales velocity equation",
    example: ("SELECT round(sales_velocity(50, 10000, 0.2, 30), 2)", "3333.33"),
    arguments: &[
        ("opportunity_count", "deals worked on (count)"),
        ("average_deal", "mean amount of a won deal (money)"),
        ("win_rate", "won of closed deals (ratio 0 to 1)"),
        ("cycle_days", "mean days from opening to winning (days)"),
    ],
};

/// The function, to be registered.
pub(crate) fn udf() -> Result<ScalarUDF> {
    numbers(&PAGE, [None, None, None, None], |[count, deal, win_rate, days]| {
        rate::velocity(count, deal, win_rate, days)
    })
}
