//! `sales_cycle_days`: mean days from creation to closing of won deals (days).

use datafusion_common::Result;
use datafusion_expr::AggregateUDF;

use crate::function::aggregate::aggregate;
use crate::function::coercion::Kind;
use crate::function::page::Page;
use crate::function::row::Row;
use crate::function::sums::Sums;
use crate::math::{Answer, Fault, ratio};

pub(crate) const PAGE: Page = Page {
    name: "sales_cycle_days",
    syntax: "sales_cycle_days(created, closed, is_won)",
    summary: "Mean days from creation to closing of won deals (days).",
    formula: "mean of closed - created over won deals",
    nulls: "a row with a NULL argument is ignored, as are deals not won and deals closed before they were created; no deal left gives NULL",
    errors: "arguments that are no dates",
    source: "sales cycle length over won deals only; the median is beside it",
    example: (
        "SELECT sales_cycle_days(DATE '2026-01-01', d, true) FROM (VALUES (DATE '2026-01-11'), (DATE '2026-02-10')) AS t(d)",
        "25",
    ),
    arguments: &[
        ("created", "day the deal was created (date or timestamp)"),
        ("closed", "day it was closed (date or timestamp)"),
        ("is_won", "true for a won deal"),
    ],
};

const KINDS: &[Kind] = &[Kind::Date, Kind::Date, Kind::Boolean];

/// The function, to be registered.
pub(crate) fn udaf() -> Result<AggregateUDF> {
    aggregate(
        &PAGE,
        KINDS,
        3,
        Sums { name: "days", terms, finish: |[days, deals]| ratio(days, deals) },
    )
}

fn terms(row: &Row<'_>) -> std::result::Result<Option<[f64; 2]>, Fault> {
    Ok(days(row)?.map(|days| [days, 1.0]))
}

/// Days from creation to closing of a won deal.
pub(crate) fn days(row: &Row<'_>) -> Answer {
    let (Some(created), Some(closed), Some(true)) = (row.day(0), row.day(1), row.flag(2)) else {
        return Ok(None);
    };
    // Closed before it was created: the dates are wrong, and the data-quality reports say so.
    let days = f64::from(closed) - f64::from(created);
    Ok((days >= 0.0).then_some(days))
}
