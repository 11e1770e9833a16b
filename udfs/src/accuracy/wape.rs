//! `wape`: WAPE: weighted absolute percentage error of forecasts (ratio; 0 is perfect).

use datafusion_common::Result;
use datafusion_expr::AggregateUDF;

use crate::function::aggregate::aggregate;
use crate::function::coercion::Kind;
use crate::function::page::Page;
use crate::function::row::Row;
use crate::function::sums::Sums;
use crate::math::{Fault, ratio};

pub(crate) const PAGE: Page = Page {
    name: "wape",
    syntax: "wape(actual, forecast)",
    summary: "WAPE: weighted absolute percentage error of forecasts (ratio; 0 is perfect).",
    formula: "sum(|actual - forecast|) / sum(|actual|)",
    nulls: "a row with a NULL argument is ignored; no row, or actuals of nothing but 0, give NULL",
    errors: "values beyond 1e18, NaN or infinity",
    source: "the default measure: it does not break down near 0 as MAPE does",
    example: (
        "SELECT round(wape(a, f), 4) FROM (VALUES (1000, 950), (10, 25)) AS t(a, f)",
        "0.0644",
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
    Ok(Some([(actual - forecast).abs(), actual.abs()]))
}
