//! Aggregates of probabilities against what came: all pairs of a group, in order at the end.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanBuilder, Float64Builder, Int64Array, ListBuilder,
};
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type, Int64Type};
use datafusion_common::Result;

use crate::function::aggregate::{Recipe, Way};
use crate::function::coercion::Kind;
use crate::function::row::Row;
use crate::math::{Answer, Fault, within};

/// Arguments of such aggregates: what came, its probability, and an option.
pub(super) const KINDS: &[Kind] = &[Kind::Boolean, Kind::Number, Kind::Integer];

/// A result of pairs in ascending order and the option.
pub(super) type Finish = fn(&[(f64, bool)], Option<i64>) -> Answer;

/// An aggregate of pairs of a probability and what came.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pairs {
    /// The result for pairs in ascending order and the option.
    pub finish: Finish,
}

/// Pairs so far, and the option if a row gave one.
#[derive(Debug, Default)]
pub(super) struct State {
    pairs: Vec<(f64, bool)>,
    option: Option<i64>,
}

impl State {
    fn see(&mut self, option: Option<i64>) -> std::result::Result<(), Fault> {
        match (self.option, option) {
            (Some(a), Some(b)) if a != b => {
                Err(Fault(format!("bins must be the same in a group, got {a} and {b}")))
            }
            (known, option) => {
                self.option = known.or(option);
                Ok(())
            }
        }
    }
}

impl Recipe for Pairs {
    type State = State;
    type Output = f64;

    fn fields(&self) -> Vec<FieldRef> {
        let list = |name: &str, item: DataType| {
            Field::new_list(name, Field::new_list_field(item, true), true)
        };
        let option = Field::new("option", DataType::Int64, true);
        [list("probabilities", DataType::Float64), list("labels", DataType::Boolean), option]
            .map(Arc::new)
            .to_vec()
    }

    fn save(&self, states: &[State]) -> Result<Vec<ArrayRef>> {
        let mut probabilities = ListBuilder::new(Float64Builder::new());
        let mut labels = ListBuilder::new(BooleanBuilder::new());
        for state in states {
            probabilities.append_value(state.pairs.iter().map(|pair| Some(pair.0)));
            labels.append_value(state.pairs.iter().map(|pair| Some(pair.1)));
        }
        let options: Int64Array = states.iter().map(|state| state.option).collect();
        Ok(vec![Arc::new(probabilities.finish()), Arc::new(labels.finish()), Arc::new(options)])
    }

    fn merge(
        &self,
        state: &mut State,
        saved: &[ArrayRef],
        row: usize,
    ) -> std::result::Result<(), Fault> {
        let [probabilities, labels] = [0, 1].map(|at| saved[at].as_list::<i32>().value(row));
        let probabilities = probabilities.as_primitive::<Float64Type>().values().iter().copied();
        state.pairs.extend(probabilities.zip(labels.as_boolean().values().iter()));
        let options = saved[2].as_primitive::<Int64Type>();
        state.see(options.is_valid(row).then(|| options.value(row)))
    }

    fn pass(&self, state: &mut State, row: &Row<'_>, way: Way) -> std::result::Result<(), Fault> {
        state.see(row.integer(2))?;
        let (Some(label), Some(probability)) = (row.flag(0), row.number(1)?) else {
            return Ok(());
        };
        let pair = (within("probability", probability, 0.0, 1.0)? + 0.0, label);
        match way {
            Way::In => state.pairs.push(pair),
            Way::Out => {
                if let Some(place) = state.pairs.iter().position(|kept| *kept == pair) {
                    state.pairs.remove(place);
                }
            }
        }
        Ok(())
    }

    fn can_go_out(&self) -> bool {
        true
    }

    fn finish(&self, state: &mut State) -> Answer {
        let mut sorted = state.pairs.clone();
        sorted.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        (self.finish)(&sorted, state.option)
    }

    fn heap_bytes(&self, state: &State) -> usize {
        state.pairs.capacity() * size_of::<(f64, bool)>()
    }
}
