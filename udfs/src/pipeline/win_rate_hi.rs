//! `win_rate_hi`: upper bound of a win rate (ratio).

use arrow::datatypes::DataType;
use datafusion_common::Result;
use datafusion_expr::ScalarUDF;

use crate::function::coercion::Kind;
use crate::function::page::Page;
use crate::function::row::{Row, RowFunction, Value};
use crate::math::{Fault, rate};

pub(crate) const PAGE: Page = Page {
    name: "win_rate_hi",
    syntax: "win_rate_hi(won_count, closed_count [, level])",
    summary: "Upper bound of a win rate (ratio).",
    formula: "Wilson's score interval of won_count in closed_count",
    nulls: "NULL counts give NULL, as does a closed_count of 0; NULL level means 0.95",
    errors: "counts that are negative or not whole, more won than closed, a level outside 0 to 1, NaN or infinity",
    source: "E. B. Wilson, 1927",
    example: ("SELECT round(win_rate_hi(6, 10), 4)", "0.8318"),
    arguments: &[
        ("won_count", "deals won (count)"),
        ("closed_count", "deals won and lost (count)"),
        ("level", "chance that the interval holds the true rate (ratio, default 0.95)"),
    ],
};

const KINDS: &[Kind] = &[Kind::Number, Kind::Number, Kind::Number];

/// The function, to be registered.
pub(crate) fn udf() -> Result<ScalarUDF> {
    RowFunction::udf(&PAGE, KINDS, 2, DataType::Float64, evaluate)
}

fn evaluate(row: &Row<'_>) -> std::result::Result<Value, Fault> {
    let (Some(won), Some(closed)) = (row.number(0)?, row.number(1)?) else {
        return Ok(Value::Number(None));
    };
    let bounds = rate::wilson(won, closed, row.number_or(2, 0.95)?)?;
    Ok(Value::Number(bounds.map(|(_, high)| high)))
}
