//! `run_rate`: what a period ends at if it goes on as it did.

use datafusion_common::Result;
use datafusion_expr::ScalarUDF;

use crate::function::numbers::numbers;
use crate::function::page::Page;
use crate::math::rate;

pub(crate) const PAGE: Page = Page {
    name: "run_rate",
    syntax: "run_rate(closed_amount, elapsed_ratio)",
    summary: "What a period ends at if it goes on as it did.",
    formula: "closed_amount / elapsed_ratio",
    nulls: "NULL arguments give NULL, as does an elapsed_ratio of 0",
    errors: "an elapsed_ratio outside 0 to 1, NaN or infinity",
    source: "linear run rate; give the share of the close curve instead of time where bookings come late",
    example: ("SELECT run_rate(300, 0.5)", "600"),
    arguments: &[
        ("closed_amount", "what is closed so far (money or units)"),
        (
            "elapsed_ratio",
            "share of the period gone by, by time or by the usual close curve (ratio 0 to 1)",
        ),
    ],
};

/// The function, to be registered.
pub(crate) fn udf() -> Result<ScalarUDF> {
    numbers(&PAGE, [None, None], |[closed, elapsed]| rate::run_rate(closed, elapsed))
}
