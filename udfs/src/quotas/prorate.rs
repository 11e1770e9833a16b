//! `prorate`: share of the days of a period in which someone was active (ratio 0 to 1).

use datafusion_common::Result;
use datafusion_expr::ScalarUDF;

use crate::function::coercion::Kind;
use crate::function::page::Page;
use crate::function::row::{Row, scalar};
use crate::math::{Fault, period};

pub(crate) const PAGE: Page = Page {
    name: "prorate",
    syntax: "prorate(period_start, period_end, active_from, active_to)",
    summary: "Share of the days of a period in which someone was active (ratio 0 to 1).",
    formula: "days of the period that lie from active_from to active_to / days of the period, ends included",
    nulls: "a NULL period gives NULL; NULL active_from or active_to leaves that side open",
    errors: "a period that starts after it ends",
    source: "proration by calendar days",
    example: (
        "SELECT round(prorate(DATE '2026-07-01', DATE '2026-09-30', DATE '2026-08-15', NULL), 4)",
        "0.5109",
    ),
    arguments: &[
        ("period_start", "first day of the period (date)"),
        ("period_end", "last day of the period, inclusive (date)"),
        ("active_from", "first active day (date)"),
        ("active_to", "last active day, inclusive (date)"),
    ],
};

const KINDS: &[Kind] = &[Kind::Date, Kind::Date, Kind::Date, Kind::Date];

/// The function, to be registered.
pub(crate) fn udf() -> Result<ScalarUDF> {
    scalar(&PAGE, KINDS, 4, evaluate)
}

fn evaluate(row: &Row<'_>) -> std::result::Result<Option<f64>, Fault> {
    let (Some(start), Some(end)) = (row.day(0), row.day(1)) else {
        return Ok(None);
    };
    period::prorate((start, end), (row.day(2), row.day(3))).map(Some)
}
