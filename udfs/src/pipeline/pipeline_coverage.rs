//! `pipeline_coverage`: open pipeline over what is left of the quota (ratio; 3 to 5 is usual).

use arrow::datatypes::DataType;
use datafusion_common::Result;
use datafusion_expr::ScalarUDF;

use crate::function::coercion::Kind;
use crate::function::page::Page;
use crate::function::row::{Row, RowFunction, Value};
use crate::math::{Fault, rate};

pub(crate) const PAGE: Page = Page {
    name: "pipeline_coverage",
    syntax: "pipeline_coverage(open_amount, quota [, closed_amount])",
    summary: "Open pipeline over what is left of the quota (ratio; 3 to 5 is usual).",
    formula: "open_amount / (quota - closed_amount)",
    nulls: "NULL open_amount or quota gives NULL, as does a quota already attained; NULL closed_amount means 0",
    errors: "a negative quota, NaN or infinity",
    source: "pipeline coverage as sales planning uses it",
    example: ("SELECT pipeline_coverage(300, 150, 50)", "3"),
    arguments: &[
        ("open_amount", "amount of open deals (money)"),
        ("quota", "the goal (money)"),
        ("closed_amount", "what is won of it already (money, default 0)"),
    ],
};

const KINDS: &[Kind] = &[Kind::Number, Kind::Number, Kind::Number];

/// The function, to be registered.
pub(crate) fn udf() -> Result<ScalarUDF> {
    RowFunction::udf(&PAGE, KINDS, 2, DataType::Float64, evaluate)
}

fn evaluate(row: &Row<'_>) -> std::result::Result<Value, Fault> {
    let (Some(open), Some(quota)) = (row.number(0)?, row.number(1)?) else {
        return Ok(Value::Number(None));
    };
    rate::coverage(open, quota, row.number_or(2, 0.0)?).map(Value::Number)
}
