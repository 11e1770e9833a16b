//! `ece`: expected calibration error: how far probabilities are from the shares that came (ratio; 0 is calibrated).

use datafusion_common::Result;
use datafusion_expr::AggregateUDF;

use super::pairs::{KINDS, Pairs};
use crate::function::aggregate::aggregate;
use crate::function::page::Page;
use crate::math::model::quality;
use crate::math::{Answer, Fault};

pub(crate) const PAGE: Page = Page {
    name: "ece",
    syntax: "ece(label, probability [, bins])",
    summary: "Expected calibration error: how far probabilities are from the shares that came (ratio; 0 is calibrated).",
    formula: "sum over bins of equal width of rows in the bin * |mean probability - share of true ones| / rows",
    nulls: "a row with a NULL is ignored; no row gives NULL; NULL bins means 10",
    errors: "a probability outside 0 to 1, NaN or infinity, bins outside 1 to 1000 or that differ within a group",
    source: "C. Guo, G. Pleiss, Y. Sun and K. Weinberger, 2017",
    example: (
        "SELECT round(ece(l, p, 2), 6) FROM (VALUES (false, 0.1), (false, 0.4), (true, 0.35), (true, 0.8)) AS t(l, p)",
        "0.0875",
    ),
    arguments: &[
        ("label", "what came: true or false"),
        ("probability", "probability that was given to true (ratio 0 to 1)"),
        ("bins", "bins of equal width (1 to 1000, default 10)"),
    ],
};

/// The function, to be registered.
pub(crate) fn udaf() -> Result<AggregateUDF> {
    aggregate(&PAGE, &KINDS[..3], 2, Pairs { finish })
}

fn finish(sorted: &[(f64, bool)], bins: Option<i64>) -> Answer {
    match bins.unwrap_or(10) {
        bins @ 1..=1_000 => Ok(quality::ece(sorted, bins as usize)),
        other => Err(Fault(format!("bins must be from 1 to 1000, got {other}"))),
    }
}
