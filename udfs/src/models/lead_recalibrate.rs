//! `lead_recalibrate`: a model whose base says what a later window of leads came to.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Date32Array, Float64Array, StringViewArray, StructArray, UInt32Array,
};
use arrow::compute::{concat, take};
use arrow::datatypes::{DataType, Field, Fields, Float64Type};
use datafusion_common::{DataFusionError, Result, exec_datafusion_err, exec_err};
use datafusion_expr::AggregateUDF;

use super::lead_model::through;
use super::scorer::{distinct, scorer};
use crate::function::coercion::Kind;
use crate::function::gather::{Parts, udaf as gather};
use crate::function::page::Page;
use crate::function::row::dates;
use crate::math::Fault;

pub(crate) const PAGE: Page = Page {
    name: "lead_recalibrate",
    syntax: "lead_recalibrate(model, label, features [, decided_on])",
    summary: "The model with its base set anew by a later window of leads whose end is known (JSON, for lead_probability).",
    formula: "the intercept is shifted until the mean probability of the labelled rows is the share of them that is true; points stay, and with them the order of leads; several windows in turn add up their shifts",
    nulls: "a row with NULL label, or of a NULL model, says nothing, and neither does a NULL decided_on; no row, or none with a model, gives NULL; where all labels are the same the model stays as it is, with a warning in it; a model with status one_class stays as it is",
    errors: "a text that lead_model did not give, models that differ within a group, a number where the model has words or the other way round",
    source: "G. King and L. Zeng, Logistic regression in rare events data, 2001 (correction of the intercept)",
    example: (
        r#"SELECT round(lead_probability(lead_recalibrate(m, l, named_struct('visits', v)), named_struct('visits', 5)), 4) FROM (VALUES ('{"format":1,"method":"scorecard","status":"ok","rows":4,"positives":2,"unlabelled":0,"base_rate":0.5,"log_loss":0.5,"base_log_loss":0.7,"lambda":1,"warnings":[],"intercept":0,"features":[{"name":"visits","bins":{"kind":"number","edges":[3]},"points":[0,-1,1]}]}', true, 5), ('{"format":1,"method":"scorecard","status":"ok","rows":4,"positives":2,"unlabelled":0,"base_rate":0.5,"log_loss":0.5,"base_log_loss":0.7,"lambda":1,"warnings":[],"intercept":0,"features":[{"name":"visits","bins":{"kind":"number","edges":[3]},"points":[0,-1,1]}]}', false, 5)) AS t(m, l, v)"#,
        "0.5",
    ),
    arguments: &[
        ("model", "what lead_model gave, the same in all rows of a group"),
        (
            "label",
            "true for a lead that converted, false for one that did not, NULL for one that is open",
        ),
        (
            "features",
            "the lead as it was when it was to be scored: named_struct('name', column, ...) with the names that the model learnt",
        ),
        (
            "decided_on",
            "day on which the end of the row was known; the last one of a labelled row is kept",
        ),
    ],
};

/// The function, to be registered.
pub(crate) fn udaf() -> Result<AggregateUDF> {
    gather(Parts {
        page: &PAGE,
        kinds: &[Kind::LongText, Kind::Boolean, Kind::Features, Kind::Date],
        needed: 3,
        kept,
        keep,
        finish,
    })
}

/// Model and label, and what of the features counts: the logit.
fn kept(_: &[DataType]) -> Fields {
    Fields::from(vec![
        Field::new("model", DataType::Utf8View, true),
        Field::new("label", DataType::Boolean, true),
        Field::new("logit", DataType::Float64, true),
        Field::new("decided_on", DataType::Date32, true),
    ])
}

fn error(fault: Fault) -> DataFusionError {
    exec_datafusion_err!("{}: {}", PAGE.name, fault.0)
}

fn keep(values: &[ArrayRef]) -> Result<Vec<ArrayRef>> {
    let rows = values[0].len();
    let (texts, places) = distinct(values[0].as_string_view());
    let places = UInt32Array::from(places);
    let logits = match texts[..] {
        [] => Float64Array::new_null(rows),
        [text] => logits(text, &values[2])?,
        _ => {
            // The rows of each model in turn, and back to where they came from.
            let mut parts: Vec<ArrayRef> = Vec::with_capacity(texts.len());
            let mut order = vec![0; rows];
            let mut done = 0;
            for (text, place) in texts.iter().zip(0..) {
                let of_text = places.values().iter().zip(0_u32..);
                let picked = of_text.filter(|(known, _)| **known == place).map(|(_, row)| row);
                let picked: Vec<u32> = picked.collect();
                picked.iter().zip(done..).for_each(|(row, to)| order[*row as usize] = to);
                done += picked.len() as u32;
                let features = take(&values[2], &UInt32Array::from(picked), None)?;
                parts.push(Arc::new(logits(*text, &features)?));
            }
            let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
            let ordered = take(&concat(&parts)?, &UInt32Array::from(order), None)?;
            ordered.as_primitive::<Float64Type>().clone()
        }
    };
    let days: ArrayRef = match values.get(3) {
        Some(days) => Arc::new(dates(&PAGE, "decided_on", days)?),
        None => Arc::new(Date32Array::new_null(rows)),
    };
    // One copy of each text, whatever came in.
    let models = take(&texts.iter().copied().collect::<StringViewArray>(), &places, None)?;
    Ok(vec![models, values[1].clone(), Arc::new(logits), days])
}

/// Logits by the model that `text` is, NULL without one or if it knows nothing.
fn logits(text: Option<&str>, features: &ArrayRef) -> Result<Float64Array> {
    let scorer = text.map(scorer).transpose().map_err(error)?;
    let Some(scorer) = scorer.filter(|scorer| !scorer.is_mute()) else {
        return Ok(Float64Array::new_null(features.len()));
    };
    let columns = scorer.columns(features.as_struct()).map_err(error)?;
    Ok(Float64Array::from(scorer.logits(&columns)))
}

fn finish(rows: &StructArray) -> Result<Option<String>> {
    let (texts, _) = distinct(rows.column(0).as_string_view());
    let mut known = texts.into_iter().flatten();
    let text = match (known.next(), known.next()) {
        (None, _) => return Ok(None),
        (Some(text), None) => text,
        _ => return exec_err!("{}: model must be the same in a group", PAGE.name),
    };
    let labels = rows.column(1).as_boolean().iter();
    let pairs = labels.zip(rows.column(2).as_primitive::<Float64Type>());
    let known: Vec<(bool, f64)> = pairs.filter_map(|(label, logit)| label.zip(logit)).collect();
    if known.is_empty() {
        return Ok(Some(text.to_owned()));
    }
    let mut logits: Vec<f64> = known.iter().map(|(_, logit)| *logit).collect();
    logits.sort_by(f64::total_cmp);
    let positives = known.iter().filter(|(label, _)| *label).count();
    let mut model = scorer(text).map_err(error)?.model.clone();
    let through = through(rows.column(1), rows.column(3));
    model.recalibrate(&logits, positives, through).map_err(error)?;
    let text = serde_json::to_string(&model);
    text.map(Some).map_err(|error| exec_datafusion_err!("{}: {error}", PAGE.name))
}
