//! `lead_score`: score of a lead from 0 to 100: its fit, and its engagement as it fades.

use datafusion_common::Result;
use datafusion_expr::ScalarUDF;

use crate::function::numbers::number_columns;
use crate::function::page::Page;
use crate::math::score;

pub(crate) const PAGE: Page = Page {
    name: "lead_score",
    syntax: "lead_score(fit, engagement [, age_days [, half_life_days [, fit_weight]]])",
    summary: "Score of a lead from 0 to 100: its fit, and its engagement as it fades.",
    formula: "fit_weight * fit + (1 - fit_weight) * engagement * 0.5 ^ (max(age_days, 0) / half_life_days)",
    nulls: "NULL fit or engagement gives NULL; NULL elsewhere means the default: age_days 0, half_life_days 30, fit_weight 0.5",
    errors: "fit or engagement outside 0 to 100, half_life_days of 0 or less, fit_weight outside 0 to 1, NaN or infinity",
    source: "fit and engagement on separate axes with half-life decay, as marketing automation systems score",
    example: ("SELECT lead_score(80, 60, 30)", "55"),
    arguments: &[
        ("fit", "how well the lead fits the ideal customer (0 to 100)"),
        ("engagement", "what the lead did (0 to 100)"),
        ("age_days", "days since it did so (days, default 0)"),
        ("half_life_days", "days after which engagement counts half (days, default 30)"),
        ("fit_weight", "weight of fit against engagement (ratio 0 to 1, default 0.5)"),
    ],
};

/// The function, to be registered.
pub(crate) fn udf() -> Result<ScalarUDF> {
    let defaults = [None, None, Some(0.0), Some(30.0), Some(0.5)];
    let evaluate = |[fit, engagement, age, half_life, weight]: [f64; 5]| {
        score::lead_score(fit, engagement, age, half_life, weight).map(Some)
    };
    number_columns(&PAGE, defaults, evaluate, Some(score::lead_scores))
}
