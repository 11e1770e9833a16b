//! `capacity_gap`: what capacity falls short of demand; below zero is a surplus.

use datafusion_common::Result;
use datafusion_expr::ScalarUDF;

use crate::function::coercion::Kind;
use crate::function::page::Page;
use crate::function::row::{Row, scalar};
use crate::math::{Fault, capacity};

pub(crate) const PAGE: Page = Page {
    name: "capacity_gap",
    syntax: "capacity_gap(demand, capacity) or capacity_gap(target, ramped_fte, productivity [, utilisation [, attrition]])",
    summary: "What capacity falls short of demand; below zero is a surplus.",
    formula: "demand - capacity, or target - ramped_fte * productivity * utilisation * (1 - attrition)",
    nulls: "NULL demand, capacity, target, ramped_fte or productivity gives NULL; NULL utilisation means 1, NULL attrition 0",
    errors: "negative ramped_fte or productivity, utilisation or attrition outside 0 to 1, NaN or infinity",
    source: "the quota-capacity model of sales planning; the sign is the demand side minus the supply side",
    example: ("SELECT capacity_gap(1200000, 8.2, 150000, 0.85)", "154500"),
    arguments: &[
        (
            "target",
            "what is asked of the team in the period (money or units); demand in the short form",
        ),
        ("ramped_fte", "fully productive heads; capacity in the short form"),
        ("productivity", "what such a head brings in the period (same unit as target)"),
        ("utilisation", "share of that which can be planned with (ratio 0 to 1, default 1)"),
        ("attrition", "share of capacity lost to leavers (ratio 0 to 1, default 0)"),
    ],
};

const KINDS: &[Kind] = &[Kind::Number, Kind::Number, Kind::Number, Kind::Number, Kind::Number];

/// The function, to be registered.
pub(crate) fn udf() -> Result<ScalarUDF> {
    scalar(&PAGE, KINDS, 2, evaluate)
}

fn evaluate(row: &Row<'_>) -> std::result::Result<Option<f64>, Fault> {
    let (Some(target), Some(fte)) = (row.number(0)?, row.number(1)?) else {
        return Ok(None);
    };
    if row.count() == 2 {
        return Ok(Some(capacity::gap(target, fte)));
    }
    let Some(productivity) = row.number(2)? else { return Ok(None) };
    let (utilisation, attrition) = (row.number_or(3, 1.0)?, row.number_or(4, 0.0)?);
    capacity::target_gap(target, fte, productivity, utilisation, attrition).map(Some)
}
