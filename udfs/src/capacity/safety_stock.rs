//! `safety_stock`: stock that covers the swings of demand while more is on its way (units).

use datafusion_common::Result;
use datafusion_expr::ScalarUDF;

use crate::function::numbers::numbers;
use crate::function::page::Page;
use crate::math::capacity;

pub(crate) const PAGE: Page = Page {
    name: "safety_stock",
    syntax: "safety_stock(z, demand_sd, lead_time)",
    summary: "Stock that covers the swings of demand while more is on its way (units).",
    formula: "z * demand_sd * sqrt(lead_time)",
    nulls: "NULL arguments give NULL",
    errors: "a negative demand_sd or lead_time, NaN or infinity",
    source: "safety stock under demand that is independent from period to period",
    example: ("SELECT round(safety_stock(1.645, 40, 2), 2)", "93.06"),
    arguments: &[
        ("z", "how many standard deviations to cover: 1.645 covers 95 % of the cases"),
        ("demand_sd", "standard deviation of the demand of one period (units)"),
        ("lead_time", "periods until an order arrives"),
    ],
};

/// The function, to be registered.
pub(crate) fn udf() -> Result<ScalarUDF> {
    numbers(&PAGE, [None, None, None], |[z, demand_sd, lead_time]| {
        capacity::safety_stock(z, demand_sd, lead_time).map(Some)
    })
}
