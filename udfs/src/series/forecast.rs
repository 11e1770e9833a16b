//! `forecast`: what comes next in a series, with intervals, one row a step.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, Float64Builder, Int32Array, Int64Array, ListArray,
    StringArray, StructArray, new_null_array,
};
use arrow::buffer::OffsetBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Float64Type, Int64Type, TimeUnit};
use datafusion_common::{Result, ScalarValue};
use datafusion_expr::{Accumulator, AggregateUDF};

use crate::function::coercion::Kind;
use crate::function::fold::{Constant, Parts, error, udaf as fold};
use crate::function::page::Page;
use crate::math::Fault;
use crate::math::forecast::calendar::{Grain, filled};
use crate::math::forecast::{Forecast, Method, forecast};

pub(crate) const PAGE: Page = Page {
    name: "forecast",
    syntax: "forecast(ts, value, horizon [, method [, level [, season]]])",
    summary: "Forecasts of a series with intervals: a list of structs (step, ds, yhat, lo, hi, method), one a step.",
    formula: "values at one time are added, times between the first and the last without a value count as 0; yhat by the method, lo and hi at yhat -+ z * sigma * growth with the horizon; auto takes the method with the least absolute error over rolling origins",
    nulls: "a row with NULL ts or value is ignored; no row gives NULL; lo and hi are NULL where the history says nothing of the error; NULL method means auto, NULL level 0.8, NULL season the usual one of the grain (month 12, quarter 4, week 52, day 7)",
    errors: "horizon outside 1 to 120, level outside 0 to 1, an unknown method, a season below 1, arguments that differ within a group, a ts that is irregular, a value that is NaN or infinite",
    source: "R. J. Hyndman and G. Athanasopoulos, Forecasting: Principles and Practice, 3rd edition",
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
            "auto, naive, snaive, mean, drift, snaive_drift, ses, holt or holt_winters; one that needs more history gives way to drift or naive, and the result says so",
        ),
        ("level", "chance that the interval holds the value (ratio, default 0.8)"),
        ("season", "steps in a season"),
    ],
};

const KINDS: &[Kind] =
    &[Kind::Time, Kind::Number, Kind::Integer, Kind::Text, Kind::Number, Kind::Integer];
const HORIZON_MAX: i64 = 120;

/// The function, to be registered.
pub(crate) fn udaf() -> Result<AggregateUDF> {
    fold(Parts {
        page: &PAGE,
        kinds: KINDS,
        needed: 3,
        output: |types| output(types.first().unwrap_or(&DataType::Date32)),
        state,
        accumulator: |types| {
            let ts = types[0].clone();
            Box::new(Series { ts, points: vec![], options: Options::default() })
        },
    })
}

/// A forecast, and the time of each of its steps.
type Ahead = (Forecast, Vec<Option<i64>>);

fn step_fields(ts: &DataType) -> Fields {
    Fields::from(vec![
        Field::new("step", DataType::Int32, false),
        Field::new("ds", ts.clone(), true),
        Field::new("yhat", DataType::Float64, true),
        Field::new("lo", DataType::Float64, true),
        Field::new("hi", DataType::Float64, true),
        Field::new("method", DataType::Utf8, false),
    ])
}

fn output(ts: &DataType) -> DataType {
    DataType::List(Arc::new(Field::new_list_field(DataType::Struct(step_fields(ts)), true)))
}

fn state() -> Vec<FieldRef> {
    let list =
        |name: &str, item: DataType| Field::new_list(name, Field::new_list_field(item, true), true);
    [
        list("instants", DataType::Int64),
        list("values", DataType::Float64),
        Field::new("horizon", DataType::Int64, true),
        Field::new("method", DataType::Utf8, true),
        Field::new("level", DataType::Float64, true),
        Field::new("season", DataType::Int64, true),
    ]
    .map(Arc::new)
    .to_vec()
}

#[derive(Debug, Default)]
struct Options {
    horizon: Constant<i64>,
    method: Constant<String>,
    level: Constant<f64>,
    season: Constant<i64>,
}

impl Options {
    /// Sees the options of one row: columns horizon, method, level and season.
    fn see(&mut self, columns: &[ArrayRef], row: usize) -> std::result::Result<(), Fault> {
        let integer = |index: usize| -> Option<i64> {
            let array = columns.get(index)?.as_primitive::<Int64Type>();
            array.is_valid(row).then(|| array.value(row))
        };
        self.horizon.see("horizon", integer(0))?;
        if let Some(array) = columns.get(1) {
            let array = array.as_string::<i32>();
            self.method.see("method", array.is_valid(row).then(|| array.value(row).to_owned()))?;
        }
        if let Some(array) = columns.get(2) {
            let array = array.as_primitive::<Float64Type>();
            self.level.see("level", array.is_valid(row).then(|| array.value(row)))?;
        }
        self.season.see("season", integer(3))
    }

    fn horizon(&self) -> std::result::Result<usize, Fault> {
        match self.horizon.get() {
            Some(horizon @ 1..=HORIZON_MAX) => Ok(horizon as usize),
            Some(other) => {
                Err(Fault(format!("horizon must be from 1 to {HORIZON_MAX}, got {other}")))
            }
            None => Err(Fault("horizon must not be NULL".into())),
        }
    }

    fn level(&self) -> std::result::Result<f64, Fault> {
        match self.level.get().unwrap_or(0.8) {
            level if level > 0.0 && level < 1.0 => Ok(level),
            other => Err(Fault(format!("level must be between 0 and 1, got {other}"))),
        }
    }

    fn season(&self, grain: Grain) -> std::result::Result<usize, Fault> {
        match self.season.get() {
            None => Ok(grain.season()),
            Some(season @ 1..=1_000) => Ok(season as usize),
            Some(other) => Err(Fault(format!("season must be from 1 to 1000, got {other}"))),
        }
    }
}

#[derive(Debug)]
struct Series {
    ts: DataType,
    /// Instants (microseconds) and values, in no order until they are evaluated.
    points: Vec<(i64, f64)>,
    options: Options,
}

/// Microseconds of a date or timestamp column, its zone left aside.
fn instants(array: &ArrayRef) -> Result<ArrayRef> {
    let zone = match array.data_type() {
        DataType::Timestamp(_, zone) => zone.clone(),
        _ => None,
    };
    let micros = cast(array, &DataType::Timestamp(TimeUnit::Microsecond, zone))?;
    Ok(cast(&micros, &DataType::Int64)?)
}

impl Series {
    /// Points in order of time, those at one time added.
    fn sorted(&mut self) -> Vec<(i64, f64)> {
        // By value too, so that sums at one time do not depend on the order rows came in.
        self.points.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let mut distinct: Vec<(i64, f64)> = Vec::with_capacity(self.points.len());
        for (instant, value) in &self.points {
            match distinct.last_mut() {
                Some(last) if last.0 == *instant => last.1 += value,
                _ => distinct.push((*instant, *value)),
            }
        }
        distinct
    }

    fn forecast(&mut self) -> std::result::Result<Option<Ahead>, Fault> {
        let points = self.sorted();
        let Some((last, _)) = points.last().copied() else { return Ok(None) };
        let (horizon, level) = (self.options.horizon()?, self.options.level()?);
        let method = Method::parse(self.options.method.get().as_deref().unwrap_or("auto"))?;
        let times: Vec<i64> = points.iter().map(|point| point.0).collect();
        let grain = Grain::of(&times);
        let season = self.options.season(grain)?;
        let series = filled(&points, grain)?;
        let done = forecast(&series, horizon, method, level, season);
        let dates = (1..=horizon as i64).map(|step| grain.later(last, step)).collect();
        Ok(done.map(|done| (done, dates)))
    }

    fn steps(&self, done: &Forecast, dates: Vec<Option<i64>>) -> Result<StructArray> {
        let count = done.values.len();
        let numbers = |values: &mut dyn Iterator<Item = Option<f64>>| -> ArrayRef {
            let mut builder = Float64Builder::with_capacity(count);
            values.for_each(|value| builder.append_option(value.filter(|v| v.is_finite())));
            Arc::new(builder.finish())
        };
        let dates: ArrayRef = Arc::new(Int64Array::from(dates));
        let zone = match &self.ts {
            DataType::Timestamp(_, zone) => zone.clone(),
            _ => None,
        };
        let dates = cast(&dates, &DataType::Timestamp(TimeUnit::Microsecond, zone))?;
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int32Array::from_iter_values(1..=count as i32)),
            cast(&dates, &self.ts)?,
            numbers(&mut done.values.iter().map(|value| Some(*value))),
            numbers(&mut done.lower.iter().copied()),
            numbers(&mut done.upper.iter().copied()),
            Arc::new(StringArray::from_iter_values(std::iter::repeat_n(done.method.name(), count))),
        ];
        Ok(StructArray::try_new(step_fields(&self.ts), columns, None)?)
    }
}

impl Accumulator for Series {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let instants = instants(&values[0])?;
        let instants = instants.as_primitive::<Int64Type>();
        let numbers = values[1].as_primitive::<Float64Type>();
        for row in 0..numbers.len() {
            self.options.see(&values[2..], row).map_err(|fault| error(&PAGE, fault))?;
            if instants.is_null(row) || numbers.is_null(row) {
                continue;
            }
            let value = numbers.value(row);
            if !value.is_finite() {
                let fault = Fault(format!("value must be finite, got {value}"));
                return Err(error(&PAGE, fault));
            }
            self.points.push((instants.value(row), value));
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let (times, values) = (states[0].as_list::<i32>(), states[1].as_list::<i32>());
        for row in 0..times.len() {
            self.options.see(&states[2..], row).map_err(|fault| error(&PAGE, fault))?;
            let (times, values) = (times.value(row), values.value(row));
            let times = times.as_primitive::<Int64Type>().values().iter().copied();
            self.points
                .extend(times.zip(values.as_primitive::<Float64Type>().values().iter().copied()));
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let list = |items: ArrayRef| {
            let field = Arc::new(Field::new_list_field(items.data_type().clone(), true));
            let offsets = OffsetBuffer::from_lengths([items.len()]);
            ScalarValue::List(Arc::new(ListArray::new(field, offsets, items, None)))
        };
        let times = Int64Array::from_iter_values(self.points.iter().map(|point| point.0));
        let values = Float64Array::from_iter_values(self.points.iter().map(|point| point.1));
        Ok(vec![
            list(Arc::new(times)),
            list(Arc::new(values)),
            ScalarValue::Int64(self.options.horizon.get()),
            ScalarValue::Utf8(self.options.method.get()),
            ScalarValue::Float64(self.options.level.get()),
            ScalarValue::Int64(self.options.season.get()),
        ])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let output = output(&self.ts);
        let Some((done, dates)) = self.forecast().map_err(|fault| error(&PAGE, fault))? else {
            return ScalarValue::try_from_array(&new_null_array(&output, 1), 0);
        };
        let steps = self.steps(&done, dates)?;
        let field = Arc::new(Field::new_list_field(steps.data_type().clone(), true));
        let offsets = OffsetBuffer::from_lengths([steps.len()]);
        let list = ListArray::new(field, offsets, Arc::new(steps), None);
        Ok(ScalarValue::List(Arc::new(list)))
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.points.capacity() * size_of::<(i64, f64)>()
    }
}
