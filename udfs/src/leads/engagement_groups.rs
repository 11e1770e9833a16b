//! `engagement_score` of many groups at once: as long as all rows share one moment, half-life and
//! cap, a group is nothing but its sum, and points fade a column at a time.

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::datatypes::{DataType, Float64Type, TimestampMicrosecondType};
use datafusion_common::Result;
use datafusion_expr::{EmitTo, GroupsAccumulator};

use super::engagement_score::{CAP, Engagement, HALF_LIFE_DAYS, State};
use crate::function::aggregate::{Head, Many};
use crate::math::exact::Sum;
use crate::math::score;

/// What all rows share.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Shared {
    as_of: i64,
    half_life: f64,
    cap: f64,
}

/// The sums of groups, or their states once rows differ in what they share.
pub(super) struct Groups {
    head: Head,
    shared: Option<Shared>,
    sums: Vec<Sum>,
    states: Option<Many<Engagement>>,
    faded: Vec<f64>,
}

impl Groups {
    pub(super) fn new(head: Head) -> Self {
        Self { head, shared: None, sums: vec![], states: None, faded: vec![] }
    }

    /// The states of the groups so far; from now on each has what it shares by itself.
    fn states(&mut self) -> &mut Many<Engagement> {
        let (shared, head, sums) = (self.shared, self.head, &mut self.sums);
        self.states.get_or_insert_with(|| {
            let state = |points: Sum| State {
                points,
                as_of: shared.map(|shared| shared.as_of),
                half_life: shared.map(|shared| shared.half_life),
                cap: shared.map(|shared| shared.cap),
            };
            let states = std::mem::take(sums).into_iter().map(state).collect();
            Many::with(head, Engagement, DataType::Float64, states)
        })
    }

    /// Takes a batch the quick way; false if it cannot be, and nothing was taken.
    fn take(&mut self, values: &[ArrayRef], groups: &[usize], count: usize) -> bool {
        let Some(shared) = shared(values) else { return false };
        if self.states.is_some() || self.shared.is_some_and(|known| known != shared) {
            return false;
        }
        let points = values[0].as_primitive::<Float64Type>().values();
        let events = values[1].as_primitive::<TimestampMicrosecondType>().values();
        self.faded.clear();
        self.faded.extend(events.iter().map(|event| shared.as_of.saturating_sub(*event) as f64));
        if !score::fade(&mut self.faded, points, shared.half_life) {
            return false;
        }
        self.shared = Some(shared);
        self.sums.resize(count, Sum::default());
        groups
            .iter()
            .zip(&self.faded)
            .for_each(|(group, faded)| self.sums[*group].put_small(*faded));
        true
    }
}

/// What all rows of a batch share; `None` if they do not, or if a row lacks something.
fn shared(values: &[ArrayRef]) -> Option<Shared> {
    let is_instant = |column: &ArrayRef| matches!(column.data_type(), DataType::Timestamp(..));
    if !values[1..3].iter().all(is_instant) || values.iter().any(|column| column.null_count() > 0) {
        return None;
    }
    let number = |at: usize, default: f64| -> Option<f64> {
        let Some(column) = values.get(at) else { return Some(default) };
        let numbers = column.as_primitive::<Float64Type>().values();
        let first = *numbers.first()?;
        let is_usable = first > 0.0 && first.is_finite();
        (is_usable && numbers.iter().all(|number| *number == first)).then_some(first)
    };
    let moments = values[2].as_primitive::<TimestampMicrosecondType>().values();
    let as_of = *moments.first()?;
    let is_one = moments.iter().all(|moment| *moment == as_of);
    let (half_life, cap) = (number(3, HALF_LIFE_DAYS)?, number(4, CAP)?);
    is_one.then_some(Shared { as_of, half_life, cap })
}

impl GroupsAccumulator for Groups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        count: usize,
    ) -> Result<()> {
        if filter.is_none() && self.take(values, groups, count) {
            return Ok(());
        }
        self.states().update_batch(values, groups, filter, count)
    }

    fn merge_batch(&mut self, values: &[ArrayRef], groups: &[usize], count: usize) -> Result<()> {
        self.states().merge_batch(values, groups, count)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        self.states().evaluate(emit_to)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        self.states().state(emit_to)
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        let many = Many::with(self.head, Engagement, DataType::Float64, vec![]);
        many.convert_to_state(values, filter)
    }

    fn size(&self) -> usize {
        let states = self.states.as_ref().map_or(0, GroupsAccumulator::size);
        size_of::<Self>() + self.sums.capacity() * size_of::<Sum>() + states
    }
}
