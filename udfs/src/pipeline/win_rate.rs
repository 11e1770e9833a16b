//! `win_rate`: won of closed deals, by count or by amount.

use datafusion_common::Result;
use datafusion_expr::AggregateUDF;

use crate::function::aggregate::aggregate;
use crate::function::coercion::Kind;
use crate::function::page::Page;
use crate::function::row::Row;
use crate::function::sums::Sums;
use crate::math::{Fault, not_negative, ratio};

pub(crate) const PAGE: Page = Page {
    name: "win_rate",
    syntax: "win_rate(is_won [, amount])",
    summary: "Share of closed deals that were won (ratio 0 to 1), by count or weighted by amount.",
    formula: "sum(amount of won deals) / sum(amount of won and lost deals); every amount is 1 if none is given",
    nulls: "a deal with NULL is_won is open and ignored, as is one with NULL amount; no closed deal gives NULL",
    errors: "an amount that is negative, NaN, infinite or beyond 1e18",
    source: "win rate by closed deals in the period, not by deals opened in it",
    example: (
        "SELECT win_rate(w) FROM (VALUES (true), (true), (false), (NULL)) AS t(w)",
        "0.6666666666666666",
    ),
    arguments: &[
        ("is_won", "true for a won deal, false for a lost one, NULL for an open one"),
        ("amount", "weight of the deal (money)"),
    ],
};

const KINDS: &[Kind] = &[Kind::Boolean, Kind::Number];

/// The function, to be registered.
pub(crate) fn udaf() -> Result<AggregateUDF> {
    let finish = |[won, closed]: [f64; 2]| ratio(won, closed);
    aggregate(&PAGE, KINDS, 1, Sums { name: "amount", terms, finish })
}

/// Amounts won and closed.
fn terms(row: &Row<'_>) -> std::result::Result<Option<[f64; 2]>, Fault> {
    let amount = if row.count() > 1 { row.number(1)? } else { Some(1.0) };
    let (Some(is_won), Some(amount)) = (row.flag(0), amount) else { return Ok(None) };
    let amount = not_negative("amount", amount)?;
    Ok(Some([if is_won { amount } else { 0.0 }, amount]))
}
