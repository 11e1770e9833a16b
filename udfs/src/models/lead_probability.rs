//! `lead_probability`: chance that a lead converts, by a model.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Float64Array, StructArray};
use arrow::datatypes::DataType;
use datafusion_expr::ScalarUDF;

use super::scored::{Shape, Top, udf as scored};
use super::scorer::Scorer;
use crate::function::page::Page;
use crate::math::Fault;
use crate::math::model::sigmoid;

pub(crate) const PAGE: Page = Page {
    name: "lead_probability",
    syntax: "lead_probability(model, features)",
    summary: "Chance that a lead converts, by a model (ratio 0 to 1).",
    formula: "1 / (1 + exp(-(intercept + sum of the points of the bins that the features fall into + sum of the points of their leaves)))",
    nulls: "NULL model gives NULL, as does a model that saw one outcome only; a feature that is NULL or not given is missing, which is a bin of its own; a word that was rare or unknown falls into the bin of the others",
    errors: "a text that lead_model did not give, a number where the model has words or the other way round",
    source: "the model of lead_model; features are matched by name, and those it does not know are ignored",
    example: (
        r#"SELECT round(lead_probability('{"format":1,"method":"scorecard","status":"ok","rows":4,"positives":2,"unlabelled":0,"base_rate":0.5,"log_loss":0.5,"base_log_loss":0.7,"lambda":1,"warnings":[],"intercept":0,"features":[{"name":"visits","bins":{"kind":"number","edges":[3]},"points":[0,-1,1]}]}', named_struct('visits', 5)), 4)"#,
        "0.7311",
    ),
    arguments: &[
        ("model", "what lead_model gave"),
        (
            "features",
            "the lead: named_struct('name', column, ...) with the names that the model learnt",
        ),
    ],
};

/// The function, to be registered.
pub(crate) fn udf() -> datafusion_common::Result<ScalarUDF> {
    scored(Shape { page: &PAGE, most: 2, output: || DataType::Float64, run })
}

fn run(scorer: Option<&Scorer>, features: &StructArray, _: Top<'_>) -> Result<ArrayRef, Fault> {
    let Some(scorer) = scorer.filter(|scorer| !scorer.is_mute()) else {
        return Ok(Arc::new(Float64Array::new_null(features.len())));
    };
    let mut logits = scorer.logits(&scorer.columns(features)?);
    logits.iter_mut().for_each(|logit| *logit = sigmoid(*logit));
    if logits.iter().all(|p| p.is_finite()) {
        return Ok(Arc::new(Float64Array::from(logits)));
    }
    let finite = logits.iter().map(|p| p.is_finite().then_some(*p));
    Ok(Arc::new(finite.collect::<Float64Array>()))
}
