//! `mape`: MAPE: mean absolute percentage error of forecasts (ratio).

use datafusion_common::Result;
use datafusion_expr::AggregateUDF;

use crate::function::aggregate::aggregate;
use crate::function::coercion::Kind;
use crate::function::page::Page;
use crate::function::row::Row;
use crate::function::sums::Sums;
use crate::math::{Fault, ratio};

pub(crate) const PAGE: Page = Page {
    name: "mape",
    syntax: "mape(actual, forecast)",
    summary: "MAPE: mean absolute percentage error of forecasts (ratio).",
    formula: "mean of |actual - forecast| / |actual|",
    nulls: "a row with a NULL argument is ignored; no row gives NULL, as does one actual of 0: the error is infinite there",
    errors: "values beyond 1e18, NaN or infinity",
    source: "R. J. Hyndman and A. B. Koehler, 2006, who advise against it; see wape",
    example: (
        "SELECT round(mape(a, f), 4) FROM (VALUES (1000, 950), (10, 25)) AS t(a, f)",
        "0.775",
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
        Sums {
            name: "error",
            terms,
            finish: |[share, rows, zeros]| if zeros > 0.0 { None } else { ratio(share, rows) },
        },
    )
}

fn terms(row: &Row<'_>) -> std::result::Result<Option<[f64; 3]>, Fault> {
    let (Some(actual), Some(forecast)) = (row.number(0)?, row.number(1)?) else { return Ok(None) };
    let share = if actual == 0.0 { 0.0 } else { ((actual - forecast) / actual).abs() };
    Ok(Some([share, 1.0, f64::from(u8::from(actual == 0.0))]))
}
