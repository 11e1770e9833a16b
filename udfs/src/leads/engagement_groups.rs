//! `engagement_score` of many groups at once: as long as all rows share one moment, half-life and
//! cap, a group is nothing but its sum, and points fade a column at a time.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Decimal128Type, Float64Type, TimestampMicrosecondType};
use datafusion_common::Result;
use datafusion_expr::{EmitTo, GroupsAccumulator};

use super::engagement_score::{CAP, Engagement, HALF_LIFE_DAYS, State};
use crate::function::aggregate::{Head, Many};
use crate::function::row::instants;
use crate::function::sums::saved_sums;
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
    /// In steps, see [`Sum`]: half as large, so that twice as many are near.
    sums: Vec<i64>,
    states: Option<Many<Engagement>>,
    steps: Vec<i64>,
}

impl Groups {
    pub(super) fn new(head: Head) -> Self {
        Self { head, shared: None, sums: vec![], states: None, steps: vec![] }
    }

    /// The states of the groups so far; from now on each has what it shares by itself.
    fn states(&mut self) -> &mut Many<Engagement> {
        let (shared, head, sums) = (self.shared, self.head, &mut self.sums);
        self.states.get_or_insert_with(|| {
            let state = |points: i64| State {
                points: Sum(points.into()),
                as_of: shared.map(|shared| shared.as_of),
                half_life: shared.map(|shared| shared.half_life),
                cap: shared.map(|shared| shared.cap),
            };
            let states = std::mem::take(sums).into_iter().map(state).collect();
            Many::with(head, Engagement, DataType::Float64, states)
        })
    }

    /// Makes room for `count` groups whose rows share `shared`; false if others did not.
    fn share(&mut self, shared: Shared, count: usize) -> bool {
        if self.states.is_some() || self.shared.is_some_and(|known| known != shared) {
            return false;
        }
        self.shared = Some(shared);
        self.sums.resize(count, 0);
        true
    }

    /// Adds `steps` to the sums of `groups`; false if one would not fit, and nothing is added.
    fn add(&mut self, groups: &[usize], steps: &[i64]) -> bool {
        let (sums, mut is_over) = (self.sums.as_mut_slice(), false);
        for (group, steps) in groups.iter().zip(steps) {
            let (added, is_wrapped) = sums[*group].overflowing_add(*steps);
            sums[*group] = added;
            is_over |= is_wrapped;
        }
        if is_over {
            // What wraps around comes back the same way.
            for (group, steps) in groups.iter().zip(steps) {
                sums[*group] = sums[*group].wrapping_sub(*steps);
            }
        }
        !is_over
    }

    /// Takes a batch the quick way; false if it cannot be, and nothing was taken.
    fn take(&mut self, values: &[ArrayRef], groups: &[usize], count: usize) -> Result<bool> {
        let mut steps = std::mem::take(&mut self.steps);
        let shared = fade(values, &mut steps)?;
        let is_taken =
            shared.is_some_and(|shared| self.share(shared, count)) && self.add(groups, &steps);
        self.steps = steps;
        Ok(is_taken)
    }

    /// Merges saved states the quick way; false if it cannot be, and nothing was merged.
    fn take_saved(&mut self, saved: &[ArrayRef], groups: &[usize], count: usize) -> bool {
        let Some(shared) = shared(saved) else { return false };
        let sums = saved[0].as_primitive::<Decimal128Type>().values();
        let steps: Option<Vec<i64>> = sums.iter().map(|sum| i64::try_from(*sum).ok()).collect();
        steps.is_some_and(|steps| self.share(shared, count) && self.add(groups, &steps))
    }

    /// What all groups share, if that is known and their sums are all there is to them.
    fn quick(&self) -> Option<Shared> {
        self.shared.filter(|_| self.states.is_none())
    }
}

/// Steps of what is left of each row's points at the moment that all share, into `steps`; `None` if
/// rows differ or lack something, or points are large.
fn fade(values: &[ArrayRef], steps: &mut Vec<i64>) -> Result<Option<Shared>> {
    if values.iter().any(|column| column.null_count() > 0) {
        return Ok(None);
    }
    let (events, as_of) = (instants(&values[1])?, instants(&values[2])?);
    if events.null_count() + as_of.null_count() > 0 {
        return Ok(None);
    }
    let shared = one_of_each(as_of.values(), values.get(3), values.get(4));
    let Some(shared) = shared else { return Ok(None) };
    // A date as the moment of the score lasts its whole day.
    let rest_us = match values[2].data_type() {
        DataType::Date32 => score::DAY_US - 1.0,
        _ => 0.0,
    };
    let Shared { as_of, half_life: half_life_days, .. } = shared;
    let fading = score::Fading { as_of, rest_us, half_life_days };
    let points = values[0].as_primitive::<Float64Type>().values();
    steps.resize(points.len(), 0);
    Ok(score::fade(steps, points, events.values(), fading).then_some(shared))
}

/// What saved states share; `None` if they do not, or if one has seen no row.
fn shared(saved: &[ArrayRef]) -> Option<Shared> {
    let is_whole = saved.iter().all(|column| column.null_count() == 0);
    let as_of = saved[1].as_primitive::<TimestampMicrosecondType>().values();
    is_whole.then(|| one_of_each(as_of, Some(&saved[2]), Some(&saved[3])))?
}

/// The one moment, half-life and cap that the columns hold; `None` if one holds several, or what
/// cannot be.
fn one_of_each(
    as_of: &[i64],
    half_life: Option<&ArrayRef>,
    cap: Option<&ArrayRef>,
) -> Option<Shared> {
    let number = |column: Option<&ArrayRef>, default: f64| -> Option<f64> {
        let Some(column) = column else { return Some(default) };
        let first = only(column.as_primitive::<Float64Type>().values())?;
        (first > 0.0 && first.is_finite()).then_some(first)
    };
    let (half_life, cap) = (number(half_life, HALF_LIFE_DAYS)?, number(cap, CAP)?);
    Some(Shared { as_of: only(as_of)?, half_life, cap })
}

/// The value that all are.
fn only<T: PartialEq + Copy>(values: &[T]) -> Option<T> {
    let first = *values.first()?;
    // In blocks, so that the comparison has no exit within one and runs on vectors.
    let is_one = values
        .chunks(256)
        .all(|block| block.iter().fold(true, |all, value| all & (*value == first)));
    is_one.then_some(first)
}

/// Sums and what they share as columns of a state.
fn save(sums: &[i64], shared: Shared) -> Result<Vec<ArrayRef>> {
    let count = sums.len();
    Ok(vec![
        saved_sums(sums.iter().map(|sum| Sum((*sum).into())))?,
        Arc::new(TimestampMicrosecondArray::from_value(shared.as_of, count)),
        Arc::new(Float64Array::from_value(shared.half_life, count)),
        Arc::new(Float64Array::from_value(shared.cap, count)),
    ])
}

impl GroupsAccumulator for Groups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        count: usize,
    ) -> Result<()> {
        if filter.is_none() && self.take(values, groups, count)? {
            return Ok(());
        }
        self.states().update_batch(values, groups, filter, count)
    }

    fn merge_batch(&mut self, values: &[ArrayRef], groups: &[usize], count: usize) -> Result<()> {
        if self.take_saved(values, groups, count) {
            return Ok(());
        }
        self.states().merge_batch(values, groups, count)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let Some(shared) = self.quick() else { return self.states().evaluate(emit_to) };
        let sums = emit_to.take_needed(&mut self.sums);
        let scores = sums.iter().map(|sum| Sum((*sum).into()).value().clamp(0.0, shared.cap));
        Ok(Arc::new(Float64Array::from_iter_values(scores)))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let Some(shared) = self.quick() else { return self.states().state(emit_to) };
        save(&emit_to.take_needed(&mut self.sums), shared)
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        let mut steps = vec![];
        if filter.is_none()
            && let Some(shared) = fade(values, &mut steps)?
        {
            return save(&steps, shared);
        }
        let many = Many::with(self.head, Engagement, DataType::Float64, vec![]);
        many.convert_to_state(values, filter)
    }

    fn size(&self) -> usize {
        let states = self.states.as_ref().map_or(0, GroupsAccumulator::size);
        size_of::<Self>() + self.sums.capacity() * size_of::<i64>() + states
    }
}
