//! `lead_grade`: grade of a lead from A1 to C3: the letter by fit, the digit by engagement.

use std::borrow::Cow;

use datafusion_common::Result;
use datafusion_expr::ScalarUDF;

use crate::function::coercion::Kind;
use crate::function::page::Page;
use crate::function::row::{Row, scalar};
use crate::math::{Fault, score};

pub(crate) const PAGE: Page = Page {
    name: "lead_grade",
    syntax: "lead_grade(fit, engagement [, hi [, lo]])",
    summary: "Grade of a lead from A1 to C3: the letter by fit, the digit by engagement.",
    formula: "at or above hi A or 1, at or above lo B or 2, below it C or 3",
    nulls: "NULL fit or engagement gives NULL; NULL thresholds mean the default: hi 70, lo 40",
    errors: "scores or thresholds outside 0 to 100, lo above hi, NaN or infinity",
    source: "the nine-field matrix that marketing automation systems use",
    example: ("SELECT lead_grade(80, 60)", "A2"),
    arguments: &[
        ("fit", "how well the lead fits the ideal customer (0 to 100)"),
        ("engagement", "what the lead did (0 to 100)"),
        ("hi", "lowest score of the best class (0 to 100, default 70)"),
        ("lo", "lowest score of the middle class (0 to 100, default 40)"),
    ],
};

const KINDS: &[Kind] = &[Kind::Number, Kind::Number, Kind::Number, Kind::Number];

/// The function, to be registered.
pub(crate) fn udf() -> Result<ScalarUDF> {
    scalar(&PAGE, KINDS, 2, evaluate)
}

fn evaluate(row: &Row<'_>) -> std::result::Result<Option<Cow<'static, str>>, Fault> {
    let (Some(fit), Some(engagement)) = (row.number(0)?, row.number(1)?) else {
        return Ok(None);
    };
    let (hi, lo) = (row.number_or(2, 70.0)?, row.number_or(3, 40.0)?);
    score::lead_grade(fit, engagement, hi, lo).map(Cow::Borrowed).map(Some)
}
