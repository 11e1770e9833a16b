//! `fq_start`: first day of the fiscal quarter that a day is in.

use datafusion_common::Result;
use datafusion_expr::ScalarUDF;

use crate::function::coercion::Kind;
use crate::function::page::Page;
use crate::function::row::{Day, Row, scalar};
use crate::math::{Fault, fiscal};

pub(crate) const PAGE: Page = Page {
    name: "fq_start",
    syntax: "fq_start(day [, start_month])",
    summary: "First day of the fiscal quarter that a day is in.",
    formula: "quarters of three months from the start of the fiscal year",
    nulls: "NULL day gives NULL; NULL start_month means 1",
    errors: "start_month outside 1 to 12",
    source: "fiscal calendars of twelve months; other calendars are tables",
    example: ("SELECT fq_start(DATE '2026-01-15', 2)", "2025-11-01"),
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

fn evaluate(row: &Row<'_>) -> std::result::Result<Option<Day>, Fault> {
    let Some(day) = row.day(0) else { return Ok(None) };
    let days = fiscal::quarter_days(day, row.integer_or(1, 1))?;
    Ok(days.map(|days| Day(days.0)))
}
