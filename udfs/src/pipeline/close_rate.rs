//! `close_rate`: share of the deals opened that were won (ratio 0 to 1), by the cohort of their opening.

use datafusion_common::Result;
use datafusion_expr::AggregateUDF;

use crate::function::aggregate::aggregate;
use crate::function::coercion::Kind;
use crate::function::page::Page;
use crate::function::row::Row;
use crate::function::sums::Sums;
use crate::math::{Fault, ratio};

pub(crate) const PAGE: Page = Page {
    name: "close_rate",
    syntax: "close_rate(reached_won, opened)",
    summary: "Share of the deals opened that were won (ratio 0 to 1), by the cohort of their opening.",
    formula: "deals opened and won / deals opened",
    nulls: "a row with a NULL argument is ignored; no deal opened gives NULL",
    errors: "anything but true or false",
    source: "close rate by the date of creation, against win rate by the date of closing",
    example: (
        "SELECT close_rate(w, true) FROM (VALUES (true), (false), (false), (false)) AS t(w)",
        "0.25",
    ),
    arguments: &[
        ("reached_won", "true if the deal has been won, false if not, or not yet"),
        ("opened", "true if the deal was opened in the cohort"),
    ],
};

const KINDS: &[Kind] = &[Kind::Boolean, Kind::Boolean];

/// The function, to be registered.
pub(crate) fn udaf() -> Result<AggregateUDF> {
    aggregate(
        &PAGE,
        KINDS,
        2,
        Sums { name: "deals", terms, finish: |[won, opened]| ratio(won, opened) },
    )
}

fn terms(row: &Row<'_>) -> std::result::Result<Option<[f64; 2]>, Fault> {
    let (Some(won), Some(true)) = (row.flag(0), row.flag(1)) else { return Ok(None) };
    Ok(Some([f64::from(u8::from(won)), 1.0]))
}
