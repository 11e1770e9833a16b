//! `log_loss`: mean logarithmic loss of probabilities (nats a row; lower is better).

use datafusion_common::Result;
use datafusion_expr::AggregateUDF;

use super::pairs::{KINDS, Pairs};
use crate::function::aggregate::aggregate;
use crate::function::page::Page;
use crate::math::model::quality;

pub(crate) const PAGE: Page = Page {
    name: "log_loss",
    syntax: "log_loss(label, probability)",
    summary: "Mean logarithmic loss of probabilities (nats a row; lower is better).",
    formula: "mean of -ln(probability given to what came), probabilities kept off 0 and 1 by 1e-15",
    nulls: "a row with a NULL is ignored; no row gives NULL",
    errors: "a probability outside 0 to 1, NaN or infinity",
    source: "I. J. Good, 1952",
    example: (
        "SELECT round(log_loss(l, p), 6) FROM (VALUES (false, 0.1), (false, 0.4), (true, 0.35), (true, 0.8)) AS t(l, p)",
        "0.472288",
    ),
    arguments: &[
        ("label", "what came: true or false"),
        ("probability", "probability that was given to true (ratio 0 to 1)"),
    ],
};

/// The function, to be registered.
pub(crate) fn udaf() -> Result<AggregateUDF> {
    aggregate(&PAGE, &KINDS[..2], 2, Pairs { finish: |sorted, _| Ok(quality::log_loss(sorted)) })
}
