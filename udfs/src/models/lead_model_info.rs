//! `lead_model_info`: what a model says of itself.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Float64Array, Float64Builder, Int64Array, Int64Builder, ListArray,
    ListBuilder, StringArray, StringBuilder, StructArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Fields};
use datafusion_common::Result;
use datafusion_expr::ScalarUDF;

use super::scorer::scorer;
use crate::function::coercion::Kind;
use crate::function::page::Page;
use crate::function::row::{Cell, Row, scalar};
use crate::math::Fault;
use crate::math::model::bins::Bins;
use crate::math::model::fit::LEAK_AUC;
use crate::math::model::{Feature, Method, Model, Status};

pub(crate) const PAGE: Page = Page {
    name: "lead_model_info",
    syntax: "lead_model_info(model)",
    summary: "What a lead model says of itself: a struct of how it was learnt, how good it was on rows it had not seen, and what each feature is worth.",
    formula: "auc, log_loss, brier and ece are of the 4-fold cross-validation, before calibration, and base_log_loss is what the base rate alone loses there; of a feature: weight = mean |points| over the rows that taught (up to 10000), iv = sum over its bins of (share of won - share of lost) * ln(share of won / share of lost), auc = area under the curve by itself, is_suspect = auc above 0.9; the weightiest feature first",
    nulls: "NULL model gives NULL; measures are NULL where nothing was to be learnt (one_class, or too few rows) and in models written without them; trained_through is NULL unless lead_model was given decided_on; n_recalibrated, recalibration_shift and recalibrated_through are NULL until lead_recalibrate",
    errors: "a text that lead_model did not give",
    source: "what lead_model wrote; information value as L. C. Thomas, Consumer credit models, 2009",
    example: (
        r#"SELECT lead_model_info('{"format":1,"method":"scorecard","status":"ok","rows":4,"positives":2,"unlabelled":0,"base_rate":0.5,"log_loss":0.5,"base_log_loss":0.7,"lambda":1,"warnings":[],"intercept":0,"features":[{"name":"visits","bins":{"kind":"number","edges":[3]},"points":[0,-1,1]}]}')['n_rows']"#,
        "4",
    ),
    arguments: &[("model", "what lead_model or lead_recalibrate gave")],
};

/// The function, to be registered.
pub(crate) fn udf() -> Result<ScalarUDF> {
    scalar::<Known, _>(&PAGE, &[Kind::Text], 1, |row: &Row<'_>| -> std::result::Result<_, Fault> {
        row.text(0).map(|text| Ok(Known(scorer(text)?.model.clone()))).transpose()
    })
}

/// A model that tells of itself.
struct Known(Model);

const TEXTS: [&str; 3] = ["method", "status", "version"];
const DAYS: [&str; 2] = ["trained_through", "recalibrated_through"];
const COUNTS: [&str; 5] = ["n_rows", "n_positive", "n_open", "n_trees", "n_recalibrated"];
const NUMBERS: [&str; 9] = [
    "base_rate",
    "auc",
    "log_loss",
    "base_log_loss",
    "brier",
    "ece",
    "lambda",
    "intercept",
    "recalibration_shift",
];

fn feature_fields() -> Fields {
    Fields::from(vec![
        Field::new("feature", DataType::Utf8, true),
        Field::new("kind", DataType::Utf8, true),
        Field::new("n_bins", DataType::Int64, true),
        Field::new("weight", DataType::Float64, true),
        Field::new("iv", DataType::Float64, true),
        Field::new("auc", DataType::Float64, true),
        Field::new("is_suspect", DataType::Boolean, true),
    ])
}

fn fields() -> Fields {
    let of = |names: &[&str], kind: DataType| -> Vec<Field> {
        names.iter().map(|name| Field::new(*name, kind.clone(), true)).collect()
    };
    let mut all = of(&TEXTS, DataType::Utf8);
    all.extend(of(&DAYS, DataType::Date32));
    all.extend(of(&COUNTS, DataType::Int64));
    all.extend(of(&NUMBERS, DataType::Float64));
    let features = DataType::new_list(DataType::Struct(feature_fields()), true);
    all.push(Field::new("features", features, true));
    all.push(Field::new("warnings", DataType::new_list(DataType::Utf8, true), true));
    all.into()
}

fn method(method: Method) -> &'static str {
    match method {
        Method::Scorecard => "scorecard",
        Method::Gbdt => "gbdt",
        Method::NaiveBayes => "naive_bayes",
    }
}

fn status(status: Status) -> &'static str {
    match status {
        Status::Ok => "ok",
        Status::NoSignal => "no_signal",
        Status::OneClass => "one_class",
    }
}

impl Known {
    /// In the order of [`TEXTS`].
    fn texts(&self) -> [Option<&str>; 3] {
        let Model { method: by, status: came, version, .. } = &self.0;
        [Some(method(*by)), Some(status(*came)), version.as_deref()]
    }

    /// In the order of [`DAYS`].
    fn days(&self) -> [Option<&str>; 2] {
        let recalibrated = self.0.recalibrated.as_ref();
        let through = recalibrated.and_then(|known| known.through.as_deref());
        [self.0.trained_through.as_deref(), through]
    }

    /// In the order of [`COUNTS`].
    fn counts(&self) -> [Option<i64>; 5] {
        let Model { rows, positives, unlabelled, trees, recalibrated, .. } = &self.0;
        let recalibrated = recalibrated.as_ref().map(|known| known.rows);
        [Some(*rows), Some(*positives), Some(*unlabelled), Some(trees.len()), recalibrated]
            .map(|count| count.map(|count| count as i64))
    }

    /// In the order of [`NUMBERS`].
    fn numbers(&self) -> [Option<f64>; 9] {
        let Model { auc, log_loss, base_log_loss, brier, ece, lambda, .. } = self.0;
        let shift = self.0.recalibrated.as_ref().map(|known| known.shift);
        let (base_rate, intercept) = (Some(self.0.base_rate), Some(self.0.intercept));
        [base_rate, auc, log_loss, base_log_loss, brier, ece, lambda, intercept, shift]
    }

    /// The features, the weightiest first.
    fn features(&self) -> Vec<&Feature> {
        let mut features: Vec<&Feature> = self.0.features.iter().collect();
        let weight = |feature: &Feature| feature.weight.unwrap_or(0.0);
        features.sort_by(|a, b| weight(b).total_cmp(&weight(a)));
        features
    }
}

/// The features of `models` as lists.
fn features(models: &[Option<Known>]) -> Result<ArrayRef> {
    let (mut names, mut kinds) = (StringBuilder::new(), StringBuilder::new());
    let (mut bins, mut suspects) = (Int64Builder::new(), BooleanBuilder::new());
    let [mut weights, mut values, mut areas] = [0; 3].map(|_| Float64Builder::new());
    let mut lengths = Vec::with_capacity(models.len());
    for model in models {
        let known = model.as_ref().map_or(vec![], Known::features);
        lengths.push(known.len());
        for feature in known {
            names.append_value(&feature.name);
            kinds.append_value(match feature.bins {
                Bins::Number { .. } => "number",
                Bins::Text { .. } => "text",
            });
            bins.append_value(feature.points.len() as i64);
            weights.append_option(finite(feature.weight));
            values.append_option(finite(feature.iv));
            areas.append_option(finite(feature.auc));
            suspects.append_option(feature.auc.map(|area| area > LEAK_AUC));
        }
    }
    let columns: Vec<ArrayRef> = vec![
        Arc::new(names.finish()),
        Arc::new(kinds.finish()),
        Arc::new(bins.finish()),
        Arc::new(weights.finish()),
        Arc::new(values.finish()),
        Arc::new(areas.finish()),
        Arc::new(suspects.finish()),
    ];
    let items = StructArray::try_new(feature_fields(), columns, None)?;
    let field = Field::new_list_field(DataType::Struct(feature_fields()), true);
    let offsets = OffsetBuffer::from_lengths(lengths);
    Ok(Arc::new(ListArray::try_new(field.into(), offsets, Arc::new(items), None)?))
}

fn finite(number: Option<f64>) -> Option<f64> {
    number.filter(|number| number.is_finite())
}

impl Cell for Known {
    fn data_type(_: &[DataType]) -> DataType {
        DataType::Struct(fields())
    }

    fn array(
        _: &DataType,
        _: usize,
        cells: impl Iterator<Item = Result<Option<Self>>>,
    ) -> Result<ArrayRef> {
        let models = cells.collect::<Result<Vec<Option<Self>>>>()?;
        let known = || models.iter().map(Option::as_ref);
        let mut columns: Vec<ArrayRef> = vec![];
        for at in 0..TEXTS.len() {
            let texts = known().map(|model| model.and_then(|model| model.texts()[at]));
            columns.push(Arc::new(texts.collect::<StringArray>()));
        }
        for at in 0..DAYS.len() {
            let texts = known().map(|model| model.and_then(|model| model.days()[at]));
            columns.push(cast(&texts.collect::<StringArray>(), &DataType::Date32)?);
        }
        for at in 0..COUNTS.len() {
            let counts = known().map(|model| model.and_then(|model| model.counts()[at]));
            columns.push(Arc::new(counts.collect::<Int64Array>()));
        }
        for at in 0..NUMBERS.len() {
            let numbers = known().map(|model| finite(model.and_then(|m| m.numbers()[at])));
            columns.push(Arc::new(numbers.collect::<Float64Array>()));
        }
        columns.push(features(&models)?);
        let mut warnings = ListBuilder::new(StringBuilder::new());
        for model in known() {
            let texts = model.map_or(&[][..], |model| &model.0.warnings);
            warnings.append_value(texts.iter().map(Some));
        }
        columns.push(Arc::new(warnings.finish()));
        let nulls = NullBuffer::from_iter(models.iter().map(Option::is_some));
        Ok(Arc::new(StructArray::try_new(fields(), columns, Some(nulls))?))
    }
}
