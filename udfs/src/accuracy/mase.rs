//! `mase`: MASE: mean absolute error of forecasts against that of a naive forecast (ratio; below 1 is better than naive).

use datafusion_common::Result;
use datafusion_expr::AggregateUDF;

use crate::function::aggregate::aggregate;
use crate::function::coercion::Kind;
use crate::function::page::Page;
use crate::function::row::Row;
use crate::function::sums::Sums;
use crate::math::{Fault, ratio};

pub(crate) const PAGE: Page = Page {
    name: "mase",
    syntax: "mase(actual, forecast, naive)",
    summary: "MASE: mean absolute error of forecasts against that of a naive forecast (ratio; below 1 is better than naive).",
    formula: "sum(|actual - forecast|) / sum(|actual - naive|)",
    nulls: "a row with a NULL argument is ignored; no row, or a naive forecast without an error, gives NULL",
    errors: "values beyond 1e18, NaN or infinity",
    source: "R. J. Hyndman and A. B. Koehler, 2006",
    example: ("SELECT mase(a, f, n) FROM (VALUES (10, 11, 8), (12, 12, 10)) AS t(a, f, n)", "0.25"),
    arguments: &[
        ("actual", "what came (money or count)"),
        ("forecast", "what was forecast, in the same unit"),
        ("naive", "what a naive forecast said: the period before, or the same a year before"),
    ],
};

const KINDS: &[Kind] = &[Kind::Number, Kind::Number, Kind::Number];

/// The function, to be registered.
pub(crate) fn udaf() -> Result<AggregateUDF> {
    aggregate(
        &PAGE,
        KINDS,
        3,
        Sums { name: "error", terms, finish: |[error, naive]| ratio(error, naive) },
    )
}

fn terms(row: &Row<'_>) -> std::result::Result<Option<[f64; 2]>, Fault> {
    let (Some(actual), Some(forecast)) = (row.number(0)?, row.number(1)?) else { return Ok(None) };
    let Some(naive) = row.number(2)? else { return Ok(None) };
    Ok(Some([(actual - forecast).abs(), (actual - naive).abs()]))
}
