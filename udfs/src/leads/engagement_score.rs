//! `engagement_score`: points of events, each fading by half over a half-life, up to a cap.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Decimal128Type, Field, FieldRef, Float64Type, TimeUnit, TimestampMicrosecondType,
};
use datafusion_common::{Result, ScalarValue};
use datafusion_expr::{Accumulator, AggregateUDF};

use crate::function::coercion::Kind;
use crate::function::fold::{Constant, Parts, error, sum_field, udaf as fold};
use crate::function::page::Page;
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

const KINDS: &[Kind] = &[Kind::Number, Kind::Time, Kind::Time, Kind::Number, Kind::Number];
const DAY_US: i64 = 86_400_000_000;

/// The function, to be registered.
pub(crate) fn udaf() -> Result<AggregateUDF> {
    fold(Parts {
        page: &PAGE,
        kinds: KINDS,
        needed: 3,
        output: |_| DataType::Float64,
        state,
        accumulator: |_| Box::new(Engagement::default()),
    })
}

fn state() -> Vec<FieldRef> {
    let number = |name: &str| Arc::new(Field::new(name, DataType::Float64, true));
    let moment = Field::new("as_of", DataType::Timestamp(TimeUnit::Microsecond, None), true);
    vec![sum_field("points"), Arc::new(moment), number("half_life_days"), number("cap")]
}

#[derive(Debug, Default)]
struct Engagement {
    points: Sum,
    as_of: Constant<i64>,
    half_life: Constant<f64>,
    cap: Constant<f64>,
}

/// Microseconds of a date or timestamp column.
fn instants(array: &ArrayRef) -> Result<ArrayRef> {
    let naive = DataType::Timestamp(TimeUnit::Microsecond, None);
    let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into()));
    Ok(match array.data_type() {
        DataType::Timestamp(_, Some(_)) => {
            let zoned = cast(array, &utc)?;
            Arc::new(
                zoned
                    .as_primitive::<TimestampMicrosecondType>()
                    .clone()
                    .with_timezone_opt(None::<&str>),
            )
        }
        _ => cast(array, &naive)?,
    })
}

impl Engagement {
    fn row(
        &mut self,
        points: f64,
        event: i64,
        as_of: i64,
        is_day: bool,
    ) -> std::result::Result<(), Fault> {
        let half_life = positive("half_life_days", self.half_life.get().unwrap_or(30.0))?;
        let end = if is_day { as_of.saturating_add(DAY_US - 1) } else { as_of };
        if event > end {
            return Ok(());
        }
        let age_days = as_of.saturating_sub(event) as f64 / DAY_US as f64;
        if !points.is_finite() {
            return Err(Fault(format!("points must be finite, got {points}")));
        }
        self.points.add("points", score::decayed(points, age_days, half_life))
    }
}

impl Accumulator for Engagement {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let points = values[0].as_primitive::<Float64Type>();
        let (events, moments) = (instants(&values[1])?, instants(&values[2])?);
        let events = events.as_primitive::<TimestampMicrosecondType>();
        let moments = moments.as_primitive::<TimestampMicrosecondType>();
        let is_day = values[2].data_type() == &DataType::Date32;
        let number = |index: usize, row: usize| -> Option<f64> {
            let array = values.get(index)?.as_primitive::<Float64Type>();
            array.is_valid(row).then(|| array.value(row))
        };
        for row in 0..points.len() {
            let moment = moments.is_valid(row).then(|| moments.value(row));
            let outcome = self
                .as_of
                .see("as_of", moment)
                .and_then(|()| self.half_life.see("half_life_days", number(3, row)))
                .and_then(|()| self.cap.see("cap", number(4, row)))
                .and_then(|()| match moment {
                    Some(as_of) if points.is_valid(row) && events.is_valid(row) => {
                        self.row(points.value(row), events.value(row), as_of, is_day)
                    }
                    _ => Ok(()),
                });
            outcome.map_err(|fault| error(&PAGE, fault))?;
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let sums = states[0].as_primitive::<Decimal128Type>();
        sums.iter().flatten().for_each(|sum| self.points.merge(sum));
        let moments = states[1].as_primitive::<TimestampMicrosecondType>();
        let numbers = |index: usize| states[index].as_primitive::<Float64Type>();
        let (half_lives, caps) = (numbers(2), numbers(3));
        for row in 0..moments.len() {
            self.as_of
                .see("as_of", moments.is_valid(row).then(|| moments.value(row)))
                .and_then(|()| {
                    let value = half_lives.is_valid(row).then(|| half_lives.value(row));
                    self.half_life.see("half_life_days", value)
                })
                .and_then(|()| self.cap.see("cap", caps.is_valid(row).then(|| caps.value(row))))
                .map_err(|fault| error(&PAGE, fault))?;
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![
            ScalarValue::Decimal128(Some(self.points.0), 38, 0),
            ScalarValue::TimestampMicrosecond(self.as_of.get(), None),
            ScalarValue::Float64(self.half_life.get()),
            ScalarValue::Float64(self.cap.get()),
        ])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let cap = positive("cap", self.cap.get().unwrap_or(100.0));
        let cap = cap.map_err(|fault| error(&PAGE, fault))?;
        Ok(ScalarValue::Float64(Some(self.points.value().clamp(0.0, cap))))
    }

    fn size(&self) -> usize {
        size_of::<Self>()
    }
}
