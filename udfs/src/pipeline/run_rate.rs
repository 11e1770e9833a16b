//! `run_rate`: what a period ends at if it goes on as it did.

use arrow::datatypes::DataType;
use datafusion_common::Result;
use datafusion_expr::ScalarUDF;

use crate::function::coercion::Kind;
use crate::function::page::Page;
use crate::function::row::{Row, RowFunction, Value};
use crate::math::{Fault, rate};

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

const KINDS: &[Kind] = &[Kind::Number, Kind::Number];

/// The function, to be registered.
pub(crate) fn udf() -> Result<ScalarUDF> {
    RowFunction::udf(&PAGE, KINDS, 2, DataType::Float64, evaluate)
}

fn evaluate(row: &Row<'_>) -> std::result::Result<Value, Fault> {
    let (Some(closed), Some(elapsed)) = (row.number(0)?, row.number(1)?) else {
        return Ok(Value::Number(None));
    };
    rate::run_rate(closed, elapsed).map(Value::Number)
}
