//! `engagement_score`: points of events, each fading by half over a half-life, up to a cap.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, TimestampMicrosecondArray};
use arrow::datatypes::{
    DataType, Decimal128Type, Field, FieldRef, Float64Type, TimeUnit, TimestampMicrosecondType,
};
use datafusion_common::Result;
use datafusion_expr::{AggregateUDF, GroupsAccumulator};

use crate::function::aggregate::{Head, Recipe, Way, aggregate};
use crate::function::coercion::Kind;
use crate::function::page::Page;
use crate::function::row::Row;
use crate::function::sums::{saved_sums, sum_field};
use crate::math::exact::Sum;
use crate::math::{Fault, positive, score};

pub(crate) const PAGE: Page = Page {
    name: "engagement_score",
    syntax: "engagement_score(points, event_at, as_of [, half_life_days [, cap]])",
    summary: "Points of a lead's events up to a moment, each fading by half over a half-life (0 to cap).",
    formula: "least(cap, greatest(0, sum(points * 0.5 ^ (days from event_at to as_of / half_life_days))))",
    nulls: "an event with NULL points or time is ignored, as is one after as_of; no event gives 0; a date as_of includes its whole day; NULL half_life_days means 30, NULL cap 100",
    errors: "half_life_days or cap of 0 or less, as_of, half_life_days or cap that differ within a group, points that are NaN, infinite or beyond 1e18",
    source: "exponential decay of engagement points with negative points and a total cap",
    example: (
        "SELECT engagement_score(p, d, DATE '2026-07-01') FROM (VALUES (20, DATE '2026-06-01'), (5, DATE '2026-07-01')) AS t(p, d)",
        "15",
    ),
    arguments: &[
        ("points", "points of the event; may be negative"),
        ("event_at", "when it happened (date or timestamp)"),
        ("as_of", "moment of the score (date or timestamp); later events are ignored"),
        ("half_life_days", "days after which points count half (days, default 30)"),
        ("cap", "most points in all (default 100)"),
    ],
};

const KINDS: &[Kind] = &[Kind::Number, Kind::Moment, Kind::Moment, Kind::Number, Kind::Number];
pub(super) const HALF_LIFE_DAYS: f64 = 30.0;
pub(super) const CAP: f64 = 100.0;

/// The function, to be registered.
pub(crate) fn udaf() -> Result<AggregateUDF> {
    aggregate(&PAGE, KINDS, 3, Engagement)
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Engagement;

/// Points so far, and what must be the same in a group.
#[derive(Debug, Default)]
pub(super) struct State {
    pub points: Sum,
    pub as_of: Option<i64>,
    pub half_life: Option<f64>,
    pub cap: Option<f64>,
}

/// Sees the value that the argument `name` has in one more row; NULL says nothing.
#[inline]
fn see<T: PartialEq + Copy + std::fmt::Display>(
    known: &mut Option<T>,
    name: &str,
    value: Option<T>,
) -> std::result::Result<(), Fault> {
    match (*known, value) {
        (Some(known), Some(value)) if known != value => {
            let message = format!("{name} must be the same in a group, got {known} and {value}");
            Err(Fault(message))
        }
        (None, Some(_)) => {
            *known = value;
            Ok(())
        }
        _ => Ok(()),
    }
}

impl State {
    fn see(
        &mut self,
        as_of: Option<i64>,
        half_life: Option<f64>,
        cap: Option<f64>,
    ) -> std::result::Result<(), Fault> {
        see(&mut self.as_of, "as_of", as_of)?;
        see(&mut self.half_life, "half_life_days", half_life)?;
        see(&mut self.cap, "cap", cap)
    }
}

impl Recipe for Engagement {
    type State = State;
    type Output = f64;

    fn fields(&self) -> Vec<FieldRef> {
        let number = |name: &str| Arc::new(Field::new(name, DataType::Float64, true));
        let moment = Field::new("as_of", DataType::Timestamp(TimeUnit::Microsecond, None), true);
        vec![sum_field("points"), Arc::new(moment), number("half_life_days"), number("cap")]
    }

    fn save(&self, states: &[State]) -> Result<Vec<ArrayRef>> {
        let moments = states.iter().map(|state| state.as_of);
        let half_lives = states.iter().map(|state| state.half_life);
        Ok(vec![
            saved_sums(states.iter().map(|state| state.points))?,
            Arc::new(moments.collect::<TimestampMicrosecondArray>()),
            Arc::new(half_lives.collect::<Float64Array>()),
            Arc::new(states.iter().map(|state| state.cap).collect::<Float64Array>()),
        ])
    }

    fn merge(
        &self,
        state: &mut State,
        saved: &[ArrayRef],
        row: usize,
    ) -> std::result::Result<(), Fault> {
        state.points.merge(saved[0].as_primitive::<Decimal128Type>().value(row));
        let moments = saved[1].as_primitive::<TimestampMicrosecondType>();
        let number = |column: usize| {
            let numbers = saved[column].as_primitive::<Float64Type>();
            numbers.is_valid(row).then(|| numbers.value(row))
        };
        let as_of = moments.is_valid(row).then(|| moments.value(row));
        state.see(as_of, number(2), number(3))
    }

    #[inline]
    fn pass(&self, state: &mut State, row: &Row<'_>, way: Way) -> std::result::Result<(), Fault> {
        let as_of = row.moment(2);
        let half_life = row.number_or(3, HALF_LIFE_DAYS)?;
        state.see(as_of.map(|(start, _)| start), Some(half_life), Some(row.number_or(4, CAP)?))?;
        let half_life = positive("half_life_days", half_life)?;
        let (Some(points), Some((event, _)), Some((start, end))) =
            (row.number(0)?, row.moment(1), as_of)
        else {
            return Ok(());
        };
        if event > end {
            return Ok(());
        }
        let points = score::faded(points, start.saturating_sub(event) as f64, half_life);
        match way {
            Way::In => state.points.add("points", points),
            Way::Out => state.points.subtract("points", points),
        }
    }

    fn can_go_out(&self) -> bool {
        true
    }

    fn groups(&self, head: Head, _: DataType) -> Box<dyn GroupsAccumulator> {
        Box::new(super::engagement_groups::Groups::new(head))
    }

    fn finish(&self, state: &mut State) -> std::result::Result<Option<f64>, Fault> {
        let cap = positive("cap", state.cap.unwrap_or(CAP))?;
        Ok(Some(state.points.value().clamp(0.0, cap)))
    }
}
