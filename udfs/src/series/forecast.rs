//! `forecast`: what comes next in a series, with intervals, one row a step.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Float64Array, Int32Array, Int64Array, ListArray, StringArray, StructArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, TimeUnit};
use datafusion_common::Result;
use datafusion_expr::AggregateUDF;

use super::history::{History, KINDS, fields};
use crate::function::aggregate::{Recipe, Way, aggregate};
use crate::function::page::Page;
use crate::function::row::{Cell, Row};
use crate::math::Fault;
use crate::math::forecast::grid::Grid;
use crate::math::forecast::{Forecast, forecast};

pub(crate) const PAGE: Page = Page {
    name: "forecast",
    syntax: "forecast(ts, value, horizon [, method [, level [, season [, floor [, as_of [, gaps [, grain [, partial [, start_month [, history]]]]]]]]]])",
    summary: "Forecasts of a series with intervals: a list of structs (step, ds, yhat, lo, hi, method, status), one a step.",
    formula: "values at one time, or in one period of grain, are added; periods between the first and the last without a value count as gaps says; simple methods: yhat -+ z * sigma * growth with the step; theta, tsb, holt_winters_mul and ensemble: yhat -+ Student's quantile * root mean square miss from past origins * growth with the step; auto is the ensemble of Theta, Holt, damped Holt, Holt-Winters and autoregressions on values and logarithms, weighted by how they did from 12 past origins, of at least 6 values (below, the simple method that erred least), or tsb where more than half are zero",
    nulls: "a row with NULL ts or value is ignored; no row gives NULL; a series that cannot be forecast gives one step of NULLs with its status: no_data (no value), irregular (times that make more than 100000 periods), stale (as many periods from the last value to as_of), gap (with gaps error), not_finite (NaN or infinity); lo and hi are NULL where the history says nothing of the error, and with level 0; a NULL option is its default: method auto, level 0.8, season the usual one of the grain (month 12, quarter 4, week 52, day 7), no floor, no as_of, gaps zero, grain auto, partial drop with as_of and keep without, start_month 1, history false",
    errors: "horizon outside 1 to 120, level below 0, of 1 or above, an unknown method, gaps, grain or partial, a season below 1, a start_month outside 1 to 12, arguments that differ within a group",
    source: "R. J. Hyndman and G. Athanasopoulos, Forecasting: Principles and Practice, 3rd edition; intervals: V. Vovk and others, Algorithmic Learning in a Random World (split conformal)",
    example: (
        "SELECT f[1]['yhat'] FROM (SELECT forecast(d, v, 2, 'drift') AS f FROM (VALUES (DATE '2026-01-01', 10), (DATE '2026-02-01', 12), (DATE '2026-03-01', 14)) AS t(d, v))",
        "16",
    ),
    arguments: &[
        (
            "ts",
            "time of the value: a day, or the first or last day of a week, month, quarter or year",
        ),
        ("value", "the value; several at one time are added"),
        ("horizon", "steps ahead (1 to 120)"),
        (
            "method",
            "auto, naive, snaive, mean, drift, snaive_drift, ses, holt, holt_winters, holt_winters_mul, linear_season, theta, tsb or ensemble; one that needs more history gives way to drift or naive, and method and status say so",
        ),
        (
            "level",
            "chance that the interval holds the value (ratio, default 0.8); 0 for no interval, in two thirds of the time",
        ),
        ("season", "steps in a season"),
        ("floor", "least that yhat, lo and hi may be, as 0 for what cannot be negative"),
        (
            "as_of",
            "last day that is known: later rows are ignored, a period that is not over on it is dropped, and the first step is the period after the last one that is over",
        ),
        (
            "gaps",
            "what a period without a value counts as: zero, carry (the value before), linear (between its neighbours) or error (status gap)",
        ),
        (
            "grain",
            "auto, day, week, month, quarter or year: values are added by it first, and ds is the first day",
        ),
        (
            "partial",
            "keep or drop the last period if it is not over on as_of, or without it on the day of the last row",
        ),
        (
            "start_month",
            "month in which fiscal years begin (1 to 12), for a grain of quarter or year",
        ),
        (
            "history",
            "true gives the series before the forecast too: steps 0, -1, ... back, method history, yhat the value",
        ),
    ],
};

/// The function, to be registered.
pub(crate) fn udaf() -> Result<AggregateUDF> {
    aggregate(&PAGE, KINDS, 3, Series)
}

#[derive(Debug, Clone, Copy)]
struct Series;

impl Recipe for Series {
    type State = History;
    type Output = Steps;

    fn fields(&self) -> Vec<FieldRef> {
        fields()
    }

    fn save(&self, states: &[History]) -> Result<Vec<ArrayRef>> {
        Ok(History::saved(states))
    }

    fn merge(
        &self,
        state: &mut History,
        saved: &[ArrayRef],
        row: usize,
    ) -> std::result::Result<(), Fault> {
        state.merge(saved, row)
    }

    fn pass(&self, state: &mut History, row: &Row<'_>, way: Way) -> std::result::Result<(), Fault> {
        state.pass(row, way)
    }

    fn can_go_out(&self) -> bool {
        true
    }

    fn finish(&self, state: &mut History) -> std::result::Result<Option<Steps>, Fault> {
        if state.is_empty() {
            return Ok(None);
        }
        let options = &state.options;
        let (horizon, level, floor) = (options.horizon()?, options.level()?, options.floor()?);
        let method = options.method()?;
        let regular = match state.regular()? {
            Ok(regular) => regular,
            Err(status) => return Ok(Some(Steps::none(status))),
        };
        let grid = &regular.grid;
        let Some(mut done) = forecast(&grid.values, horizon, method, level, regular.season) else {
            return Ok(Some(Steps::none("no_data")));
        };
        if let Some(floor) = floor {
            done.values.iter_mut().for_each(|value| *value = value.max(floor));
            let bounds = done.lower.iter_mut().chain(&mut done.upper).flatten();
            bounds.for_each(|bound| *bound = bound.max(floor));
        }
        Ok(Some(Steps::ahead(grid, done, options.is_history_given())))
    }

    fn heap_bytes(&self, state: &History) -> usize {
        state.heap_bytes()
    }
}

/// Steps of a series: those that were, if they are given, then those ahead; all columns of one length.
#[derive(Debug, Default)]
struct Steps {
    /// 1 is the first step ahead.
    numbers: Vec<Option<i32>>,
    /// Microseconds.
    dates: Vec<Option<i64>>,
    values: Vec<Option<f64>>,
    lower: Vec<Option<f64>>,
    upper: Vec<Option<f64>>,
    methods: Vec<Option<&'static str>>,
    statuses: Vec<&'static str>,
}

impl Steps {
    /// The one step of a series that cannot be forecast.
    fn none(status: &'static str) -> Self {
        Self {
            numbers: vec![None],
            dates: vec![None],
            values: vec![None],
            lower: vec![None],
            upper: vec![None],
            methods: vec![None],
            statuses: vec![status],
        }
    }

    /// Steps ahead of `grid`, with its own before them if `is_history_given`.
    fn ahead(grid: &Grid, done: Forecast, is_history_given: bool) -> Self {
        let before = if is_history_given { grid.values.len() } else { 0 };
        let count = before + done.values.len();
        let numbers = (1 - before as i64..).take(count);
        let unknown = || std::iter::repeat_n(None, before);
        let past = grid.values.iter().take(before).copied();
        let method = |step: i64| if step < 1 { "history" } else { done.method.name() };
        Self {
            dates: numbers.clone().map(|step| grid.grain.later(grid.last, step)).collect(),
            methods: numbers.clone().map(|step| Some(method(step))).collect(),
            numbers: numbers.map(|step| Some(step as i32)).collect(),
            values: past.chain(done.values).map(Some).collect(),
            lower: unknown().chain(done.lower).collect(),
            upper: unknown().chain(done.upper).collect(),
            statuses: vec![done.status.name(); count],
        }
    }

    /// Adds the steps of another series.
    fn append(&mut self, other: Self) {
        self.numbers.extend(other.numbers);
        self.dates.extend(other.dates);
        self.values.extend(other.values);
        self.lower.extend(other.lower);
        self.upper.extend(other.upper);
        self.methods.extend(other.methods);
        self.statuses.extend(other.statuses);
    }

    fn array(self, ts: &DataType) -> Result<StructArray> {
        let numbers = |values: Vec<Option<f64>>| -> ArrayRef {
            let finite = values.into_iter().map(|value| value.filter(|value| value.is_finite()));
            Arc::new(finite.collect::<Float64Array>())
        };
        let dates: ArrayRef = Arc::new(Int64Array::from(self.dates));
        let zone = match ts {
            DataType::Timestamp(_, zone) => zone.clone(),
            _ => None,
        };
        let dates = cast(&dates, &DataType::Timestamp(TimeUnit::Microsecond, zone))?;
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int32Array::from(self.numbers)),
            cast(&dates, ts)?,
            numbers(self.values),
            numbers(self.lower),
            numbers(self.upper),
            Arc::new(StringArray::from(self.methods)),
            Arc::new(StringArray::from(self.statuses)),
        ];
        Ok(StructArray::try_new(step_fields(ts), columns, None)?)
    }
}

impl Cell for Steps {
    fn data_type(given: &[DataType]) -> DataType {
        let steps = step_fields(given.first().unwrap_or(&DataType::Date32));
        DataType::new_list(DataType::Struct(steps), true)
    }

    fn array(
        kind: &DataType,
        rows: usize,
        cells: impl Iterator<Item = Result<Option<Self>>>,
    ) -> Result<ArrayRef> {
        let ts = match kind {
            DataType::List(item) => match item.data_type() {
                DataType::Struct(fields) => fields.find("ds").map(|(_, ds)| ds.data_type()),
                _ => None,
            },
            _ => None,
        };
        let ts = ts.unwrap_or(&DataType::Date32);
        let (mut all, mut lengths) = (Self::default(), Vec::with_capacity(rows));
        let mut is_known = Vec::with_capacity(rows);
        for cell in cells {
            let cell = cell?;
            is_known.push(cell.is_some());
            let steps = cell.unwrap_or_default();
            lengths.push(steps.values.len());
            all.append(steps);
        }
        let steps = all.array(ts)?;
        let field = Field::new_list_field(DataType::Struct(step_fields(ts)), true);
        let (offsets, nulls) = (OffsetBuffer::from_lengths(lengths), NullBuffer::from(is_known));
        let list = ListArray::try_new(field.into(), offsets, Arc::new(steps), Some(nulls))?;
        Ok(Arc::new(list))
    }
}

fn step_fields(ts: &DataType) -> Fields {
    Fields::from(vec![
        Field::new("step", DataType::Int32, true),
        Field::new("ds", ts.clone(), true),
        Field::new("yhat", DataType::Float64, true),
        Field::new("lo", DataType::Float64, true),
        Field::new("hi", DataType::Float64, true),
        Field::new("method", DataType::Utf8, true),
        Field::new("status", DataType::Utf8, false),
    ])
}
