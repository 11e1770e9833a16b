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
    formula: "points of the bins that the features fall into; with (base), the logit of a row without points, they add up to the logit of lead_probability",
    nulls: "NULL model gives NULL, as does a model that saw one outcome only; NULL top gives all features and (base)",
    errors: "as lead_probability; top below 1",
    source: "scorecards: their reasons are exact, not an approximation after the fact",
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
    let (mut points, mut labels, mut owners) = (vec![], vec![], vec![]);
    for feature in names {
        starts.push(points.len());
        points.extend(&feature.points);
        labels.extend((0..feature.points.len()).map(|bin| feature.bins.label(bin)));
        owners.extend(std::iter::repeat_n(feature.name.as_str(), feature.points.len()));
    }
    let base = points.len() as u32;
    points.push(scorer.model.intercept);
    labels.push(String::new());
    owners.push("(base)");
    let mut picked: Vec<u32> = Vec::with_capacity(rows * 4);
    let mut lengths = Vec::with_capacity(rows);
    let mut places: Vec<u32> = Vec::with_capacity(names.len());
    let mut weights: Vec<f64> = Vec::with_capacity(names.len());
    for row in 0..rows {
        places.clear();
        places.extend(
            codes.iter().zip(&starts).map(|(codes, start)| (start + codes[row] as usize) as u32),
        );
        let weight = |place: &u32| points[*place as usize].abs();
        let top = top.filter(|top| top.is_valid(row)).map(|top| top.value(row));
        match top {
            None => {
                places.sort_by(|a, b| weight(b).total_cmp(&weight(a)).then(a.cmp(b)));
                picked.push(base);
            }
            Some(top @ 1..) => {
                weights.clear();
                weights.extend(places.iter().map(weight));
                weightiest(&mut places, &mut weights, top as usize);
            }
            Some(other) => return Err(Fault(format!("top must be 1 or more, got {other}"))),
        }
        lengths.push(places.len() + usize::from(top.is_none()));
        picked.extend(&places);
    }
    list(picked, lengths, &owners, &labels, &points)
}

/// Leaves the `top` places of the most weight, in order; of equal ones the first.
///
/// `weights` has one entry a place, and is used up.
fn weightiest(places: &mut Vec<u32>, weights: &mut [f64], top: usize) {
    // Most rows ask for few of a few: those kept so far stay in order at the front.
    let mut kept = 0;
    for at in 0..places.len() {
        let (place, weight) = (places[at], weights[at]);
        if kept == top && weights[kept - 1] >= weight {
            continue;
        }
        let mut to = kept.min(top - 1);
        while to > 0 && weights[to - 1] < weight {
            (places[to], weights[to]) = (places[to - 1], weights[to - 1]);
            to -= 1;
        }
        (places[to], weights[to]) = (place, weight);
        kept = top.min(kept + 1);
    }
    places.truncate(kept);
}

fn list(
    picked: Vec<u32>,
    lengths: Vec<usize>,
    owners: &[&str],
    labels: &[String],
    points: &[f64],
) -> std::result::Result<ArrayRef, Fault> {
    let wrong = |error: arrow::error::ArrowError| Fault(error.to_string());
    let picked = UInt32Array::from(picked);
    let texts = |texts: StringArray| -> std::result::Result<ArrayRef, Fault> {
        let views = cast(&texts, &DataType::Utf8View).map_err(wrong)?;
        debug_assert!(views.as_any().is::<StringViewArray>());
        take(&views, &picked, None).map_err(wrong)
    };
    let columns = vec![
        texts(StringArray::from_iter_values(owners))?,
        texts(StringArray::from_iter_values(labels))?,
        take(&Float64Array::from(points.to_vec()), &picked, None).map_err(wrong)?,
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
            weights in prop::collection::vec(0_u8..9, 0..25), top in 1_usize..30,
        ) {
            let weights: Vec<f64> = weights.into_iter().map(f64::from).collect();
            let mut sorted: Vec<u32> = (0..weights.len() as u32).collect();
            sorted.sort_by(|a, b| weights[*b as usize].total_cmp(&weights[*a as usize]));
            sorted.truncate(top);
            let mut places: Vec<u32> = (0..weights.len() as u32).collect();
            weightiest(&mut places, &mut weights.clone(), top);
            prop_assert_eq!(places, sorted);
        }
    }
}
