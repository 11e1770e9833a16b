//! `lead_reasons`: why a lead has its probability: the points of each feature.

use std::sync::{Arc, LazyLock};

use arrow::array::{
    Array, ArrayRef, Float64Array, Int64Array, ListArray, StringArray, StringViewArray,
    StructArray, UInt32Array, new_null_array,
};
use arrow::buffer::OffsetBuffer;
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, Field, Fields};
use datafusion_common::Result;
use datafusion_expr::ScalarUDF;

use super::scored::{Shape, udf as scored};
use super::scorer::Scorer;
use crate::function::page::Page;
use crate::math::Fault;

pub(crate) const PAGE: Page = Page {
    name: "lead_reasons",
    syntax: "lead_reasons(model, features [, top])",
    summary: "Why a lead has its probability: a list of structs (feature, value, points), the weightiest first.",
    formula: "points of the bins that the features fall into, and with trees what each question to a feature on the way to the leaf adds; with (base), the logit of a row without points, they add up to the logit of lead_probability",
    nulls: "NULL model gives NULL, as does a model that saw one outcome only; NULL top gives all features and (base)",
    errors: "as lead_probability; top below 1",
    source: "scorecards: their reasons are exact, not an approximation after the fact; trees: A. Saabas, Interpreting random forests, 2014",
    example: (
        r#"SELECT lead_reasons('{"format":1,"method":"scorecard","status":"ok","rows":4,"positives":2,"unlabelled":0,"base_rate":0.5,"log_loss":0.5,"base_log_loss":0.7,"lambda":1,"warnings":[],"intercept":0,"features":[{"name":"visits","bins":{"kind":"number","edges":[3]},"points":[0,-1,1]}]}', named_struct('visits', 5), 1)[1]['value']"#,
        "3 or more",
    ),
    arguments: &[
        ("model", "what lead_model gave"),
        (
            "features",
            "the lead: named_struct('name', column, ...) with the names that the model learnt",
        ),
        ("top", "how many of the weightiest features to give (default all, and (base))"),
    ],
};

static FIELDS: LazyLock<Fields> = LazyLock::new(|| {
    Fields::from(vec![
        Field::new("feature", DataType::Utf8View, false),
        Field::new("value", DataType::Utf8View, false),
        Field::new("points", DataType::Float64, false),
    ])
});

fn output() -> DataType {
    DataType::new_list(DataType::Struct(FIELDS.clone()), true)
}

/// The function, to be registered.
pub(crate) fn udf() -> Result<ScalarUDF> {
    scored(Shape { page: &PAGE, most: 3, output, run })
}

fn run(
    scorer: Option<&Scorer>,
    features: &StructArray,
    top: Option<&Int64Array>,
) -> std::result::Result<ArrayRef, Fault> {
    let rows = features.len();
    let Some(scorer) = scorer.filter(|scorer| !scorer.is_mute()) else {
        return Ok(new_null_array(&output(), rows));
    };
    let codes = scorer.codes(features)?;
    let names = &scorer.model.features;
    // Every bin of every feature in one row of labels, and the base behind them.
    let mut starts = Vec::with_capacity(names.len());
    let mut points: Vec<f64> = vec![];
    let (mut labels, mut owners) = (vec![], vec![]);
    for feature in names {
        starts.push(points.len());
        points.extend(&feature.points);
        labels.extend((0..feature.points.len()).map(|bin| feature.bins.label(bin)));
        owners.extend(std::iter::repeat_n(feature.name.as_str(), feature.points.len()));
    }
    let base = points.len() as u32;
    labels.push(String::new());
    owners.push("(base)");
    let shares = scorer.shares(&codes, rows);
    let mut picked = Picked::with_capacity(rows * 4);
    let mut lengths = Vec::with_capacity(rows);
    for row in 0..rows {
        let start = picked.places.len();
        let share = |at: usize| shares.as_ref().map_or(0.0, |all| all[row * names.len() + at]);
        let reasons = codes.iter().zip(&starts).enumerate().map(|(at, (codes, start))| {
            let place = start + codes[row] as usize;
            (place as u32, points[place] + share(at))
        });
        match top.filter(|top| top.is_valid(row)).map(|top| top.value(row)) {
            None => {
                picked.push((base, scorer.model.intercept));
                picked.weightiest(reasons, names.len());
            }
            Some(top @ 1..) => picked.weightiest(reasons, top as usize),
            Some(other) => return Err(Fault(format!("top must be 1 or more, got {other}"))),
        }
        lengths.push(picked.places.len() - start);
    }
    list(picked, lengths, &owners, &labels)
}

/// Reasons that are given: places among all labels, and points.
#[derive(Default)]
struct Picked {
    places: Vec<u32>,
    points: Vec<f64>,
}

impl Picked {
    fn with_capacity(count: usize) -> Self {
        Self { places: Vec::with_capacity(count), points: Vec::with_capacity(count) }
    }

    fn push(&mut self, (place, points): (u32, f64)) {
        self.places.push(place);
        self.points.push(points);
    }

    /// Adds the `top` of `reasons` that have the most points, whatever their sign, in order; of equal
    /// ones the first.
    fn weightiest(&mut self, reasons: impl Iterator<Item = (u32, f64)>, top: usize) {
        // Most rows ask for few of a few: those picked so far stay in order at the end.
        let start = self.places.len();
        for (place, points) in reasons {
            let weight = points.abs();
            let end = self.places.len();
            if end - start < top {
                self.push((place, points));
            } else if self.points[end - 1].abs() >= weight {
                continue;
            }
            let mut to = self.places.len() - 1;
            while to > start && self.points[to - 1].abs() < weight {
                (self.places[to], self.points[to]) = (self.places[to - 1], self.points[to - 1]);
                to -= 1;
            }
            (self.places[to], self.points[to]) = (place, points);
        }
    }
}

fn list(
    picked: Picked,
    lengths: Vec<usize>,
    owners: &[&str],
    labels: &[String],
) -> std::result::Result<ArrayRef, Fault> {
    let wrong = |error: arrow::error::ArrowError| Fault(error.to_string());
    let places = UInt32Array::from(picked.places);
    let texts = |texts: StringArray| -> std::result::Result<ArrayRef, Fault> {
        let views = cast(&texts, &DataType::Utf8View).map_err(wrong)?;
        debug_assert!(views.as_any().is::<StringViewArray>());
        take(&views, &places, None).map_err(wrong)
    };
    let columns = vec![
        texts(StringArray::from_iter_values(owners))?,
        texts(StringArray::from_iter_values(labels))?,
        Arc::new(Float64Array::from(picked.points)),
    ];
    let items = StructArray::try_new(FIELDS.clone(), columns, None).map_err(wrong)?;
    let field = Arc::new(Field::new_list_field(DataType::Struct(FIELDS.clone()), true));
    let offsets = OffsetBuffer::from_lengths(lengths);
    Ok(Arc::new(ListArray::try_new(field, offsets, Arc::new(items), None).map_err(wrong)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_weightiest_are_those_that_sorting_puts_first(
            weights in prop::collection::vec(-9_i8..9, 0..25), top in 1_usize..30,
        ) {
            let mut sorted: Vec<u32> = (0..weights.len() as u32).collect();
            sorted.sort_by_key(|place| std::cmp::Reverse(weights[*place as usize].abs()));
            sorted.truncate(top);
            let mut picked = Picked::default();
            picked.push((99, 0.5));
            let reasons = weights.iter().enumerate();
            picked.weightiest(reasons.map(|(at, weight)| (at as u32, f64::from(*weight))), top);
            prop_assert_eq!(&picked.places[1..], sorted);
        }
    }
}
