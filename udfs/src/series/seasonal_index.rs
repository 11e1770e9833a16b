//! `seasonal_index`: what each place in a season is worth against the mean (list of ratios).

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Builder, Int64Array, Int64Builder, ListBuilder,
};
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type, Int64Type};
use datafusion_common::Result;
use datafusion_expr::AggregateUDF;

use crate::function::aggregate::{Recipe, Way, aggregate};
use crate::function::coercion::Kind;
use crate::function::page::Page;
use crate::function::row::Row;
use crate::math::forecast::calendar::{Grain, civil};
use crate::math::forecast::grid::{Gaps, Rules, grid};
use crate::math::{Fault, growth};

pub(crate) const PAGE: Page = Page {
    name: "seasonal_index",
    syntax: "seasonal_index(ts, value [, season])",
    summary: "Seasonal indices: what each place in a season is worth against the mean (list of ratios with mean 1).",
    formula: "mean by place of value / centred moving average over a season, divided by the mean of the indices; where a value is 0 or negative, 1 + the mean difference over the mean of the series",
    nulls: "a row with NULL ts or value is ignored, a time without a value between others is 0; no row gives NULL; less than two seasons give all ones; NULL season means the usual one (month 12, quarter 4, week 52, day 7)",
    errors: "a season outside 1 to 1000 or that differs within a group, a ts that is irregular, NaN or infinity",
    source: "classical decomposition; R. J. Hyndman and G. Athanasopoulos, Forecasting: Principles and Practice",
    example: (
        "SELECT round(seasonal_index(d, v, 2)[1], 4) FROM (VALUES (DATE '2026-01-01', 1), (DATE '2026-02-01', 3), (DATE '2026-03-01', 1), (DATE '2026-04-01', 3)) AS t(d, v)",
        "0.5",
    ),
    arguments: &[
        (
            "ts",
            "time of the value: a day, or the first or last day of a week, month, quarter or year",
        ),
        ("value", "the value; several at one time are added"),
        (
            "season",
            "steps in a season; the first index is that of January for 12 months, of the first quarter for 4, of Monday for 7 days, else of the first value",
        ),
    ],
};

const KINDS: &[Kind] = &[Kind::Moment, Kind::Number, Kind::Integer];
const DAY_US: i64 = 86_400_000_000;
/// Times as they are, zero where there is none.
const RULES: Rules = Rules {
    period: None,
    gaps: Gaps::Zero,
    as_of: None,
    is_partial_dropped: false,
    start_month: 1,
};

/// The function, to be registered.
pub(crate) fn udaf() -> Result<AggregateUDF> {
    aggregate(&PAGE, KINDS, 2, SeasonalIndex)
}

#[derive(Debug, Clone, Copy)]
struct SeasonalIndex;

/// Instants (microseconds) with their values, and the season if any row names one.
#[derive(Debug, Default)]
struct State {
    points: Vec<(i64, f64)>,
    season: Option<i64>,
}

impl State {
    fn see(&mut self, season: Option<i64>) -> std::result::Result<(), Fault> {
        match (self.season, season) {
            (Some(a), Some(b)) if a != b => {
                Err(Fault(format!("season must be the same in a group, got {a} and {b}")))
            }
            (known, season) => {
                self.season = known.or(season);
                Ok(())
            }
        }
    }
}

impl Recipe for SeasonalIndex {
    type State = State;
    type Output = Vec<f64>;

    fn fields(&self) -> Vec<FieldRef> {
        let list = |name: &str, item: DataType| {
            Field::new_list(name, Field::new_list_field(item, true), true)
        };
        let season = Field::new("season", DataType::Int64, true);
        [list("instants", DataType::Int64), list("values", DataType::Float64), season]
            .map(Arc::new)
            .to_vec()
    }

    fn save(&self, states: &[State]) -> Result<Vec<ArrayRef>> {
        let mut instants = ListBuilder::new(Int64Builder::new());
        let mut values = ListBuilder::new(Float64Builder::new());
        for state in states {
            instants.append_value(state.points.iter().map(|point| Some(point.0)));
            values.append_value(state.points.iter().map(|point| Some(point.1)));
        }
        let seasons: Int64Array = states.iter().map(|state| state.season).collect();
        Ok(vec![Arc::new(instants.finish()), Arc::new(values.finish()), Arc::new(seasons)])
    }

    fn merge(
        &self,
        state: &mut State,
        saved: &[ArrayRef],
        row: usize,
    ) -> std::result::Result<(), Fault> {
        let [instants, values] = [0, 1].map(|column| saved[column].as_list::<i32>().value(row));
        let instants = instants.as_primitive::<Int64Type>().values().iter().copied();
        let values = values.as_primitive::<Float64Type>().values().iter().copied();
        state.points.extend(instants.zip(values));
        let seasons = saved[2].as_primitive::<Int64Type>();
        state.see(seasons.is_valid(row).then(|| seasons.value(row)))
    }

    fn pass(&self, state: &mut State, row: &Row<'_>, way: Way) -> std::result::Result<(), Fault> {
        state.see(row.integer(2))?;
        let (Some((instant, _)), Some(value)) = (row.moment(0), row.number(1)?) else {
            return Ok(());
        };
        let is_same = |point: &(i64, f64)| point.0 == instant && point.1 == value;
        match way {
            Way::In => state.points.push((instant, value)),
            Way::Out => {
                if let Some(place) = state.points.iter().position(is_same) {
                    state.points.remove(place);
                }
            }
        }
        Ok(())
    }

    fn can_go_out(&self) -> bool {
        true
    }

    fn finish(&self, state: &mut State) -> std::result::Result<Option<Vec<f64>>, Fault> {
        let start = state.points.iter().map(|point| point.0).min();
        let (Some(start), Some(grid)) = (start, grid(&state.points, &RULES)?) else {
            return Ok(None);
        };
        let season = match state.season {
            None => grid.grain.season(),
            Some(season @ 1..=1_000) => season as usize,
            Some(other) => {
                return Err(Fault(format!("season must be from 1 to 1000, got {other}")));
            }
        };
        let first = first_place(start, grid.grain, season);
        Ok(growth::seasonal_index(&grid.values, season, first))
    }

    fn heap_bytes(&self, state: &State) -> usize {
        state.points.capacity() * size_of::<(i64, f64)>()
    }
}

/// Place in its season of a series' first point: by the calendar where the season is one.
fn first_place(start: i64, grain: Grain, season: usize) -> usize {
    let day = start.div_euclid(DAY_US);
    let month = civil(day).1 as usize - 1;
    match (grain, season) {
        (Grain::Months(1, _), 12) => month,
        (Grain::Months(3, _), 4) => month / 3,
        // 1970-01-01 was a Thursday.
        (Grain::Micros(DAY_US), 7) => (day + 3).rem_euclid(7) as usize,
        _ => 0,
    }
}
