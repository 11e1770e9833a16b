//! `lead_reasons`: why a lead has its probability: the points of each feature.

use std::sync::{Arc, LazyLock};

use arrow::array::{
    Array, ArrayRef, Float64Array, ListArray, StructArray, UInt32Array, new_null_array,
};
use arrow::buffer::OffsetBuffer;
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, Fields};
use datafusion_expr::ScalarUDF;

use super::scored::{Shape, Top, udf as scored};
use super::scorer::{BLOCK, Columns, Scorer};
use super::weights::{Order, Texts};
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
pub(crate) fn udf() -> datafusion_common::Result<ScalarUDF> {
    scored(Shape { page: &PAGE, most: 3, output, run })
}

fn run(scorer: Option<&Scorer>, features: &StructArray, top: Top<'_>) -> Result<ArrayRef, Fault> {
    let rows = features.len();
    let Some(scorer) = scorer.filter(|scorer| !scorer.is_mute()) else {
        return Ok(new_null_array(&output(), rows));
    };
    let columns = scorer.columns(features)?;
    let of_rank = |order, top, best| by_rank(scorer, order, &columns, rows, (top, best));
    let picked = match (top, scorer.order()) {
        (Top::One(Some(1)), Some(order)) => of_rank(order, 1, best::<1>),
        (Top::One(Some(2)), Some(order)) => of_rank(order, 2, best::<2>),
        (Top::One(Some(3)), Some(order)) => of_rank(order, 3, best::<3>),
        (Top::One(Some(4)), Some(order)) => of_rank(order, 4, best::<4>),
        (Top::One(Some(5)), Some(order)) => of_rank(order, 5, best::<5>),
        _ => by_points(scorer, &scorer.codes(&columns), rows, top)?,
    };
    list(picked, scorer.texts())
}

/// Ranks of a block of rows.
type Ranks = [i16; BLOCK];
/// Keeps the least ranks of each row, in order, of those seen and of those of one more feature.
type Best = fn(&mut [Ranks; TOP_MAX], &Ranks);

/// Most reasons that are picked by rank.
const TOP_MAX: usize = 5;

#[inline]
fn best<const TOP: usize>(kept: &mut [Ranks; TOP_MAX], new: &Ranks) {
    for row in 0..BLOCK {
        let mut rank = new[row];
        for kept in &mut kept[..TOP] {
            let known = kept[row];
            kept[row] = known.min(rank);
            rank = known.max(rank);
        }
    }
}

/// The weightiest reasons of each row, by the ranks of its bins.
fn by_rank(
    scorer: &Scorer,
    order: &Order,
    columns: &Columns<'_>,
    rows: usize,
    (top, best): (usize, Best),
) -> Picked {
    let top = top.min(order.ranks.len());
    let mut picked = Picked::with_capacity(rows * top);
    picked.lengths = OffsetBuffer::from_repeated_length(top, rows);
    let mut ranks = [0; BLOCK];
    for start in (0..rows).step_by(BLOCK) {
        let count = BLOCK.min(rows - start);
        let mut kept = [[i16::MAX; BLOCK]; TOP_MAX];
        for (feature, by_bin) in order.ranks.iter().enumerate() {
            scorer.fill(columns, feature, start, by_bin, &mut ranks[..count]);
            best(&mut kept, &ranks);
        }
        for row in 0..count {
            for ranks in &kept[..top] {
                picked.push(order.places[ranks[row] as usize]);
            }
        }
    }
    picked
}

/// The weightiest reasons of each row, by points: those of bins and those of trees.
fn by_points(
    scorer: &Scorer,
    codes: &[Vec<u16>],
    rows: usize,
    top: Top<'_>,
) -> Result<Picked, Fault> {
    let (features, texts) = (&scorer.model.features, scorer.texts());
    let shares = scorer.shares(codes, rows);
    let mut picked = Picked::with_capacity(rows * 4);
    let mut lengths = Vec::with_capacity(rows);
    for row in 0..rows {
        let start = picked.places.len();
        let share = |at: usize| shares.as_ref().map_or(0.0, |all| all[row * features.len() + at]);
        let reasons = features.iter().zip(codes).enumerate().map(|(at, (feature, codes))| {
            let bin = codes[row] as usize;
            ((texts.starts[at] + bin) as u32, feature.points[bin] + share(at))
        });
        match top.of(row) {
            None => {
                picked.push((texts.base as u32, scorer.model.intercept));
                picked.weightiest(reasons, features.len());
            }
            Some(top @ 1..) => picked.weightiest(reasons, top as usize),
            Some(other) => return Err(Fault(format!("top must be 1 or more, got {other}"))),
        }
        lengths.push(picked.places.len() - start);
    }
    picked.lengths = OffsetBuffer::from_lengths(lengths);
    Ok(picked)
}

/// Reasons that are given: places among all texts, points, and how many each row has.
struct Picked {
    places: Vec<u32>,
    points: Vec<f64>,
    lengths: OffsetBuffer<i32>,
}

impl Picked {
    fn with_capacity(count: usize) -> Self {
        Self {
            places: Vec::with_capacity(count),
            points: Vec::with_capacity(count),
            lengths: OffsetBuffer::new_empty(),
        }
    }

    #[inline]
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

fn list(picked: Picked, texts: &Texts) -> Result<ArrayRef, Fault> {
    let wrong = |error: arrow::error::ArrowError| Fault(error.to_string());
    let places = UInt32Array::from(picked.places);
    let columns = vec![
        take(&texts.owners, &places, None).map_err(wrong)?,
        take(&texts.labels, &places, None).map_err(wrong)?,
        Arc::new(Float64Array::from(picked.points)),
    ];
    let items = StructArray::try_new(FIELDS.clone(), columns, None).map_err(wrong)?;
    let field = Arc::new(Field::new_list_field(DataType::Struct(FIELDS.clone()), true));
    let list = ListArray::try_new(field, picked.lengths, Arc::new(items), None);
    Ok(Arc::new(list.map_err(wrong)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use arrow::array::Int64Array;

    use super::*;
    use crate::math::model::bins::Bins;
    use crate::math::model::{Feature, Model};

    /// A scorecard of numbers whose bins begin at 0, 1, 2 and so on, and have these points in eighths.
    fn scorecard(points: &[Vec<i8>]) -> Scorer {
        let mut model = Model::read(crate::tests::MODEL).expect("a model");
        let feature = |(at, points): (usize, &Vec<i8>)| Feature {
            name: format!("f{at}"),
            bins: Bins::Number { edges: (0..points.len() - 2).map(|edge| edge as f64).collect() },
            points: points.iter().map(|points| f64::from(*points) / 8.0).collect(),
            weight: None,
            iv: None,
            auc: None,
        };
        model.features = points.iter().enumerate().map(feature).collect();
        Scorer::read(&serde_json::to_string(&model).expect("JSON")).expect("a sound model")
    }

    proptest! {
        #[test]
        fn reasons_by_rank_are_those_by_points(
            points in prop::collection::vec(prop::collection::vec(-9_i8..9, 2..7), 0..9),
            values in prop::collection::vec(-2_i8..7, 600 * 9),
            rows in 0_usize..600,
            top in 1_i64..6,
        ) {
            let scorer = scorecard(&points);
            let column = |at: usize| -> ArrayRef {
                let values = &values[at * 600..][..rows];
                let known = |value: &i8| (*value > -2).then(|| f64::from(*value));
                Arc::new(values.iter().map(known).collect::<Float64Array>())
            };
            let field = |at: usize| Field::new(format!("f{at}"), DataType::Float64, true);
            let features = StructArray::try_new_with_length(
                (0..points.len()).map(field).collect(),
                (0..points.len()).map(column).collect(),
                None,
                rows,
            ).expect("columns of one length");
            let tops = Int64Array::from(vec![top; rows]);
            let one = run(Some(&scorer), &features, Top::One(Some(top))).expect("reasons");
            let each = run(Some(&scorer), &features, Top::Each(&tops)).expect("reasons");
            prop_assert!(scorer.order().is_some());
            prop_assert_eq!(&one, &each);
        }

        #[test]
        fn the_weightiest_are_those_that_sorting_puts_first(
            weights in prop::collection::vec(-9_i8..9, 0..25), top in 1_usize..30,
        ) {
            let mut sorted: Vec<u32> = (0..weights.len() as u32).collect();
            sorted.sort_by_key(|place| std::cmp::Reverse(weights[*place as usize].abs()));
            sorted.truncate(top);
            let mut picked = Picked::with_capacity(0);
            picked.push((99, 0.5));
            let reasons = weights.iter().enumerate();
            picked.weightiest(reasons.map(|(at, weight)| (at as u32, f64::from(*weight))), top);
            prop_assert_eq!(&picked.places[1..], sorted);
        }
    }
}
