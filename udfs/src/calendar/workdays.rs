//! `workdays`: working days from one day to another, both included (days).

use datafusion_common::Result;
use datafusion_expr::ScalarUDF;

use crate::function::coercion::Kind;
use crate::function::page::Page;
use crate::function::row::{Row, scalar};
use crate::math::{Fault, fiscal};

pub(crate) const PAGE: Page = Page {
    name: "workdays",
    syntax: "workdays(start, end [, holidays])",
    summary: "Working days from one day to another, both included (days).",
    formula: "days from Monday to Friday that are not in holidays; 0 if end is before start",
    nulls: "NULL start or end gives NULL; NULL holidays means none, as does a NULL inside the list",
    errors: "arguments that are no dates",
    source: "the usual five-day week",
    example: ("SELECT workdays(DATE '2026-07-01', DATE '2026-09-30')", "66"),
    arguments: &[
        ("start", "first day"),
        ("end", "last day"),
        ("holidays", "days off beside Saturdays and Sundays (list of dates)"),
    ],
};

const KINDS: &[Kind] = &[Kind::Date, Kind::Date, Kind::Dates];

/// The function, to be registered.
pub(crate) fn udf() -> Result<ScalarUDF> {
    scalar(&PAGE, KINDS, 2, evaluate)
}

fn evaluate(row: &Row<'_>) -> std::result::Result<Option<i64>, Fault> {
    let (Some(start), Some(end)) = (row.day(0), row.day(1)) else { return Ok(None) };
    Ok(Some(fiscal::workdays(start, end, &row.days(2).unwrap_or_default())))
}
