//! `lead_model`: a model of which leads convert, learnt from leads whose end is known.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StructArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type, Field, FieldRef, Fields};
use datafusion_common::{Result, exec_datafusion_err, exec_err};
use datafusion_expr::AggregateUDF;

use super::features::table;
use crate::function::coercion::Kind;
use crate::function::gather::{Parts, udaf as gather};
use crate::function::page::Page;
use crate::function::row::dates;
use crate::math::forecast::calendar::written;
use crate::math::model::{Method, train};

pub(crate) const PAGE: Page = Page {
    name: "lead_model",
    syntax: "lead_model(label, features [, method [, version [, decided_on]]])",
    summary: "Model of which leads convert, learnt from leads whose end is known (JSON, for lead_probability).",
    formula: "scorecard: logistic regression on bins (24 quantiles of a number, words with 10 rows or more), ridge penalty by 4-fold cross-validation; gbdt: boosted trees of up to 12 leaves on up to 62 bins, their number by the same folds; naive_bayes: the share of each bin among won and among lost rows; auto: gbdt if it beats scorecard on the folds by more than a standard error; slope and intercept are calibrated on the folds; a model that does not beat the base rate by two standard errors (gbdt three) is the base rate, with status no_signal",
    nulls: "a row with NULL label is not learnt from; a NULL decided_on says nothing; a NULL feature is a value of its own; no row gives NULL; labels that are all the same give a model with status one_class, whose probabilities are NULL",
    errors: "features that are no struct of numbers, texts and booleans, an unknown method, a method or version that differs within a group",
    source: "L. C. Thomas, Consumer credit models, 2009 (scorecards); J. H. Friedman, 2001, and G. Ke and others, LightGBM, 2017 (trees); J. Platt, 1999 (calibration)",
    example: (
        "SELECT strpos(lead_model(l, named_struct('source', s)), 'one_class') > 0 FROM (VALUES (true, 'web'), (true, 'fair')) AS t(l, s)",
        "true",
    ),
    arguments: &[
        (
            "label",
            "true for a lead that converted, false for one that did not, NULL for one that is open",
        ),
        (
            "features",
            "what was known when the lead was to be scored, never later: named_struct('name', column, ...) of numbers, texts and booleans",
        ),
        ("method", "auto (default), scorecard, gbdt or naive_bayes"),
        ("version", "name of this version, kept in the model"),
        (
            "decided_on",
            "day on which the end of the row was known; the last one of a labelled row is kept as trained_through",
        ),
    ],
};

/// The function, to be registered.
pub(crate) fn udaf() -> Result<AggregateUDF> {
    gather(Parts {
        page: &PAGE,
        kinds: &[Kind::Boolean, Kind::Features, Kind::Text, Kind::Text, Kind::Date],
        needed: 2,
        kept,
        keep,
        finish,
    })
}

/// All arguments, quoted days as days and words without the pages that views would hold on to.
fn kept(types: &[DataType]) -> Fields {
    let names = PAGE.arguments.iter().map(|(name, _)| *name);
    let fields = names.zip(types).map(|(name, kind)| match (name, kind) {
        ("decided_on", _) => Field::new(name, DataType::Date32, true),
        (name, kind) => Field::new(name, compact(kind), true),
    });
    fields.collect()
}

fn compact(kind: &DataType) -> DataType {
    match kind {
        DataType::Utf8View => DataType::Utf8,
        DataType::Struct(fields) => {
            let inner =
                |field: &FieldRef| Field::new(field.name(), compact(field.data_type()), true);
            DataType::Struct(fields.iter().map(inner).collect())
        }
        other => other.clone(),
    }
}

fn keep(values: &[ArrayRef]) -> Result<Vec<ArrayRef>> {
    let mut kept = values.to_vec();
    kept[1] = cast(&values[1], &compact(values[1].data_type()))?;
    if let Some(days) = kept.get_mut(4) {
        *days = Arc::new(dates(&PAGE, "decided_on", days)?);
    }
    Ok(kept)
}

fn finish(rows: &StructArray) -> Result<Option<String>> {
    let method = one(rows, 2)?.unwrap_or_else(|| "auto".into());
    let method = Method::parse(&method)
        .map_err(|fault| exec_datafusion_err!("{}: {}", PAGE.name, fault.0))?;
    let labels = rows.column(0).as_boolean().iter().collect();
    let mut model = train(&table(rows.column(1).as_struct(), labels), method, one(rows, 3)?);
    model.trained_through = rows.columns().get(4).and_then(|days| through(rows.column(0), days));
    let text = serde_json::to_string(&model);
    text.map(Some).map_err(|error| exec_datafusion_err!("{}: {error}", PAGE.name))
}

/// The one text in a column of options; NULL says nothing.
fn one(rows: &StructArray, column: usize) -> Result<Option<String>> {
    let Some(texts) = rows.columns().get(column) else { return Ok(None) };
    let mut known: Option<&str> = None;
    for text in texts.as_string::<i32>().iter().flatten() {
        if known.is_some_and(|known| known != text) {
            let name = PAGE.arguments[column].0;
            return exec_err!("{}: {name} must be the same in a group", PAGE.name);
        }
        known = Some(text);
    }
    Ok(known.map(str::to_owned))
}

/// The last of `days` of a row that has a label, as it is written.
pub(super) fn through(labels: &ArrayRef, days: &ArrayRef) -> Option<String> {
    let rows = days.as_primitive::<Date32Type>().iter().enumerate();
    let labelled = rows.filter(|(row, _)| labels.is_valid(*row));
    labelled.filter_map(|(_, day)| day).max().map(|day| written(day.into()))
}
