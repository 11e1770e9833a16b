//! `data_quality_score`: score of the quality of data (0 to 100): the share of checks that passed, by weight.

use datafusion_common::Result;
use datafusion_expr::AggregateUDF;

use crate::function::aggregate::aggregate;
use crate::function::coercion::Kind;
use crate::function::page::Page;
use crate::function::row::Row;
use crate::function::sums::Sums;
use crate::math::{Fault, not_negative, ratio};

pub(crate) const PAGE: Page = Page {
    name: "data_quality_score",
    syntax: "data_quality_score(passed [, weight])",
    summary: "Score of the quality of data (0 to 100): the share of checks that passed, by weight.",
    formula: "100 * sum(weight of checks passed) / sum(weight of checks that apply)",
    nulls: "a check with NULL passed does not apply, one with NULL weight does not count; nothing that applies gives NULL",
    errors: "a negative weight, a weight beyond 1e18, NaN or infinity",
    source: "weighted scorecards of CRM data quality",
    example: (
        "SELECT data_quality_score(p, w) FROM (VALUES (true, 3), (false, 1), (NULL, 9)) AS t(p, w)",
        "75",
    ),
    arguments: &[
        ("passed", "true if the check passed, false if not, NULL if it does not apply"),
        ("weight", "weight of the check (default 1)"),
    ],
};

const KINDS: &[Kind] = &[Kind::Boolean, Kind::Number];

/// The function, to be registered.
pub(crate) fn udaf() -> Result<AggregateUDF> {
    aggregate(
        &PAGE,
        KINDS,
        1,
        Sums { name: "weight", terms, finish: |[passed, all]| Some(100.0 * ratio(passed, all)?) },
    )
}

fn terms(row: &Row<'_>) -> std::result::Result<Option<[f64; 2]>, Fault> {
    let weight = if row.count() > 1 { row.number(1)? } else { Some(1.0) };
    let (Some(passed), Some(weight)) = (row.flag(0), weight) else { return Ok(None) };
    let weight = not_negative("weight", weight)?;
    Ok(Some([if passed { weight } else { 0.0 }, weight]))
}
