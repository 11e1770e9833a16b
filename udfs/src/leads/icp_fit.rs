//! `icp_fit`: how well somebody fits the ideal customer profile (0 to 100), by what is known of them.

use datafusion_common::Result;
use datafusion_expr::ScalarUDF;

use crate::function::coercion::Kind;
use crate::function::page::Page;
use crate::function::row::{Row, scalar};
use crate::math::{Fault, score};

pub(crate) const PAGE: Page = Page {
    name: "icp_fit",
    syntax: "icp_fit(matched, weights [, is_disqualified])",
    summary: "How well somebody fits the ideal customer profile (0 to 100), by what is known of them.",
    formula: "100 * sum(matched * weight) / sum(weight of known attributes); 0 if disqualified",
    nulls: "a NULL inside matched is an unknown attribute and does not count; nothing known gives NULL; NULL lists give NULL; NULL is_disqualified means false",
    errors: "lists of different lengths, a match outside 0 to 1, a weight that is negative, not finite or NULL",
    source: "weighted fit over known attributes, with its coverage beside it",
    example: ("SELECT icp_fit(make_array(1, 0, NULL), make_array(3, 1, 6))", "75"),
    arguments: &[
        (
            "matched",
            "one entry an attribute: how far it matches (ratio 0 to 1), NULL where it is not known",
        ),
        ("weights", "weight of each attribute, in the same order"),
        ("is_disqualified", "true if a rule rules them out, whatever else fits (default false)"),
    ],
};

const KINDS: &[Kind] = &[Kind::Numbers, Kind::Numbers, Kind::Boolean];

/// The function, to be registered.
pub(crate) fn udf() -> Result<ScalarUDF> {
    scalar(&PAGE, KINDS, 2, evaluate)
}

fn evaluate(row: &Row<'_>) -> std::result::Result<Option<f64>, Fault> {
    let (Some(matched), Some(weights)) = (row.options(0), row.numbers(1)?) else { return Ok(None) };
    let fit = score::icp_fit(&matched, &weights)?;
    Ok(if row.flag(2) == Some(true) { Some(0.0) } else { fit })
}
