//! `sales_cycle_days_median`: median days from creation to closing of won deals (days).

use datafusion_common::Result;
use datafusion_expr::AggregateUDF;

use crate::function::aggregate::aggregate;
use crate::function::coercion::Kind;
use crate::function::page::Page;
use crate::function::values::AllValues;
use crate::math::spread;
use crate::pipeline::sales_cycle_days::days;

pub(crate) const PAGE: Page = Page {
    name: "sales_cycle_days_median",
    syntax: "sales_cycle_days_median(created, closed, is_won)",
    summary: "Median days from creation to closing of won deals (days).",
    formula: "median of closed - created over won deals; of an even number the mean of the two in the middle",
    nulls: "a row with a NULL argument is ignored, as are deals not won and deals closed before they were created; no deal left gives NULL",
    errors: "arguments that are no dates",
    source: "the typical cycle, which a few endless deals do not move",
    example: (
        "SELECT sales_cycle_days_median(DATE '2026-01-01', d, true) FROM (VALUES (DATE '2026-01-11'), (DATE '2026-01-13'), (DATE '2026-05-10')) AS t(d)",
        "12",
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
        AllValues { value: days, finish: |sorted| Ok(spread::median(sorted)) },
    )
}
