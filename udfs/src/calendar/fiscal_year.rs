//! `fiscal_year`: number of the fiscal year that a day is in.

use datafusion_common::Result;
use datafusion_expr::ScalarUDF;

use crate::function::coercion::Kind;
use crate::function::page::Page;
use crate::function::row::{Row, scalar};
use crate::math::fiscal::NameBy;
use crate::math::{Fault, fiscal};

pub(crate) const PAGE: Page = Page {
    name: "fiscal_year",
    syntax: "fiscal_year(day [, start_month [, name_by]])",
    summary: "Number of the fiscal year that a day is in.",
    formula: "the calendar year in which the fiscal year ends, or starts with name_by start",
    nulls: "NULL day gives NULL; NULL start_month means 1, NULL name_by end",
    errors: "start_month outside 1 to 12, a name_by that is neither",
    source: "fiscal calendars of twelve months; other calendars are tables",
    example: ("SELECT fiscal_year(DATE '2026-02-01', 2)", "2027"),
    arguments: &[
        ("day", "a day (date or timestamp)"),
        ("start_month", "month in which the fiscal year starts (1 to 12, default 1)"),
        (
            "name_by",
            "end (default) or start: which of its two calendar years a fiscal year is called after",
        ),
    ],
};

const KINDS: &[Kind] = &[Kind::Date, Kind::Integer, Kind::Text];

/// The function, to be registered.
pub(crate) fn udf() -> Result<ScalarUDF> {
    scalar(&PAGE, KINDS, 1, evaluate)
}

fn evaluate(row: &Row<'_>) -> std::result::Result<Option<i64>, Fault> {
    let Some(day) = row.day(0) else { return Ok(None) };
    let name_by = NameBy::parse(row.text(2).unwrap_or("end"))?;
    fiscal::year(day, row.integer_or(1, 1), name_by).map(Some)
}
