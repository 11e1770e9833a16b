//! `fiscal_period`: month of the fiscal year that a day is in (1 to 12).

use datafusion_common::Result;
use datafusion_expr::ScalarUDF;

use crate::function::coercion::Kind;
use crate::function::page::Page;
use crate::function::row::{Row, scalar};
use crate::math::{Fault, fiscal};

pub(crate) const PAGE: Page = Page {
    name: "fiscal_period",
    syntax: "fiscal_period(day [, start_month])",
    summary: "Month of the fiscal year that a day is in (1 to 12).",
    formula: "months from the start of the fiscal year, the first is 1",
    nulls: "NULL day gives NULL; NULL start_month means 1",
    errors: "start_month outside 1 to 12",
    source: "fiscal calendars of twelve months; other calendars are tables",
    example: ("SELECT fiscal_period(DATE '2026-01-31', 2)", "12"),
    arguments: &[
        ("day", "a day (date or timestamp)"),
        ("start_month", "month in which the fiscal year starts (1 to 12, default 1)"),
    ],
};

const KINDS: &[Kind] = &[Kind::Date, Kind::Integer];

/// The function, to be registered.
pub(crate) fn udf() -> Result<ScalarUDF> {
    scalar(&PAGE, KINDS, 1, evaluate)
}

fn evaluate(row: &Row<'_>) -> std::result::Result<Option<i64>, Fault> {
    let Some(day) = row.day(0) else { return Ok(None) };
    fiscal::period(day, row.integer_or(1, 1)).map(Some)
}
