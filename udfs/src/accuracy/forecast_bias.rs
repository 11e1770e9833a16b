//! `forecast_bias`: bias of forecasts (ratio; above zero they were too high).

use datafusion_common::Result;
use datafusion_expr::AggregateUDF;

use crate::function::aggregate::aggregate;
use crate::function::coercion::Kind;
use crate::function::page::Page;
use crate::function::row::Row;
use crate::function::sums::Sums;
use crate::math::{Fault, ratio};

pub(crate) const PAGE: Page = Page {
    name: "forecast_bias",
    syntax: "forecast_bias(actual, forecast)",
    summary: "Bias of forecasts (ratio; above zero they were too high).",
    formula: "sum(forecast - actual) / sum(actual)",
    nulls: "a row with a NULL argument is ignored; no row, or actuals that add up to 0, give NULL",
    errors: "values beyond 1e18, NaN or infinity",
    source: "the sign says whether a team sandbags or dreams",
    example: (
        "SELECT round(forecast_bias(a, f), 4) FROM (VALUES (1000, 950), (10, 25)) AS t(a, f)",
        "-0.0347",
    ),
    arguments: &[
        ("actual", "what came (money or count)"),
        ("forecast", "what was forecast, in the same unit"),
    ],
};

const KINDS: &[Kind] = &[Kind::Number, Kind::Number];

/// The function, to be registered.
pub(crate) fn udaf() -> Result<AggregateUDF> {
    aggregate(
        &PAGE,
        KINDS,
        2,
        Sums { name: "error", terms, finish: |[error, actual]| ratio(error, actual) },
    )
}

fn terms(row: &Row<'_>) -> std::result::Result<Option<[f64; 2]>, Fault> {
    let (Some(actual), Some(forecast)) = (row.number(0)?, row.number(1)?) else { return Ok(None) };
    Ok(Some([forecast - actual, actual]))
}
