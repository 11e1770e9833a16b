//! `auc`: area under the ROC curve: the chance that a true one was given the higher probability (ratio; 0.5 is chance).

use datafusion_common::Result;
use datafusion_expr::AggregateUDF;

use super::pairs::{KINDS, Pairs};
use crate::function::aggregate::aggregate;
use crate::function::page::Page;
use crate::math::model::quality;

pub(crate) const PAGE: Page = Page {
    name: "auc",
    syntax: "auc(label, probability)",
    summary: "Area under the ROC curve: the chance that a true one was given the higher probability (ratio; 0.5 is chance).",
    formula: "pairs of a true and a false one in which the true one has the higher probability, ties half, over all such pairs",
    nulls: "a row with a NULL is ignored; without a true or without a false one the result is NULL",
    errors: "a probability outside 0 to 1, NaN or infinity",
    source: "J. A. Hanley and B. J. McNeil, 1982",
    example: (
        "SELECT auc(l, p) FROM (VALUES (false, 0.1), (false, 0.4), (true, 0.35), (true, 0.8)) AS t(l, p)",
        "0.75",
    ),
    arguments: &[
        ("label", "what came: true or false"),
        ("probability", "probability that was given to true (ratio 0 to 1)"),
    ],
};

/// The function, to be registered.
pub(crate) fn udaf() -> Result<AggregateUDF> {
    aggregate(&PAGE, &KINDS[..2], 2, Pairs { finish: |sorted, _| Ok(quality::auc(sorted)) })
}
