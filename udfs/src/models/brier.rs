//! `brier`: brier score: mean squared distance of probabilities from what came (0 is perfect).

use datafusion_common::Result;
use datafusion_expr::AggregateUDF;

use super::pairs::{KINDS, Pairs};
use crate::function::aggregate::aggregate;
use crate::function::page::Page;
use crate::math::model::quality;

pub(crate) const PAGE: Page = Page {
    name: "brier",
    syntax: "brier(label, probability)",
    summary: "Brier score: mean squared distance of probabilities from what came (0 is perfect).",
    formula: "mean of (probability - 1 if true, else 0) ^ 2",
    nulls: "a row with a NULL is ignored; no row gives NULL",
    errors: "a probability outside 0 to 1, NaN or infinity",
    source: "G. W. Brier, 1950",
    example: (
        "SELECT round(brier(l, p), 6) FROM (VALUES (false, 0.1), (false, 0.4), (true, 0.35), (true, 0.8)) AS t(l, p)",
        "0.158125",
    ),
    arguments: &[
        ("label", "what came: true or false"),
        ("probability", "probability that was given to true (ratio 0 to 1)"),
    ],
};

/// The function, to be registered.
pub(crate) fn udaf() -> Result<AggregateUDF> {
    aggregate(&PAGE, &KINDS[..2], 2, Pairs { finish: |sorted, _| Ok(quality::brier(sorted)) })
}
