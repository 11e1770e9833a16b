//! Dated values and the options of a call, gathered row by row: what the forecasts share.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, ListArray};
use arrow::buffer::OffsetBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type, Field, FieldRef, Float64Type, Int64Type, TimeUnit};
use datafusion_common::{Result, ScalarValue};

use crate::function::coercion::Kind;
use crate::function::fold::{Constant, error};
use crate::function::page::Page;
use crate::math::Fault;
use crate::math::forecast::Method;
use crate::math::forecast::grid::{Broken, Gaps, Grid, Period, Rules, grid};

/// Kinds of the arguments: ts, value, then the options in the order of [`Options`].
pub(super) const KINDS: &[Kind] = &[
    Kind::Time,
    Kind::Number,
    Kind::Integer,
    Kind::Text,
    Kind::Number,
    Kind::Integer,
    Kind::Number,
    Kind::Date,
    Kind::Text,
    Kind::Text,
    Kind::Text,
    Kind::Integer,
    Kind::Boolean,
];
const HORIZON_MAX: i64 = 120;
const SEASON_MAX: i64 = 1_000;

/// What a call was told; every option is the same in all rows of a group.
#[derive(Debug, Default)]
pub(super) struct Options {
    horizon: Constant<i64>,
    method: Constant<String>,
    level: Constant<f64>,
    season: Constant<i64>,
    floor: Constant<f64>,
    as_of: Constant<i32>,
    gaps: Constant<String>,
    grain: Constant<String>,
    partial: Constant<String>,
    start_month: Constant<i64>,
    history: Constant<bool>,
}

type Checked<T> = std::result::Result<T, Fault>;

impl Options {
    /// Sees the options of a batch; columns that were not given are missing at the end.
    fn see(&mut self, columns: &[ArrayRef]) -> Checked<()> {
        let integers = |at: usize| columns.get(at).map(|array| array.as_primitive::<Int64Type>());
        let numbers = |at: usize| columns.get(at).map(|array| array.as_primitive::<Float64Type>());
        let texts = |at: usize| columns.get(at).map(|array| array.as_string::<i32>());
        for (at, name, option) in [
            (0, "horizon", &mut self.horizon),
            (3, "season", &mut self.season),
            (9, "start_month", &mut self.start_month),
        ] {
            let mut values = integers(at).into_iter().flatten().flatten();
            values.try_for_each(|value| option.see(name, Some(value)))?;
        }
        for (at, name, option) in [(2, "level", &mut self.level), (4, "floor", &mut self.floor)] {
            let mut values = numbers(at).into_iter().flatten().flatten();
            values.try_for_each(|value| option.see(name, Some(value)))?;
        }
        for (at, name, option) in [
            (1, "method", &mut self.method),
            (6, "gaps", &mut self.gaps),
            (7, "grain", &mut self.grain),
            (8, "partial", &mut self.partial),
        ] {
            let mut values = texts(at).into_iter().flatten().flatten();
            values.try_for_each(|value| option.see_text(name, value))?;
        }
        let flags = columns.get(10).map(|array| array.as_boolean());
        let mut flags = flags.into_iter().flatten().flatten();
        flags.try_for_each(|value| self.history.see("history", Some(value)))?;
        match columns.get(5) {
            Some(days) => self.see_as_of(days),
            None => Ok(()),
        }
    }

    fn see_as_of(&mut self, days: &ArrayRef) -> Checked<()> {
        let read = cast(days, &DataType::Date32).map_err(|e| Fault(e.to_string()))?;
        let read = read.as_primitive::<Date32Type>();
        for row in 0..days.len() {
            if read.is_valid(row) {
                self.as_of.see("as_of", Some(read.value(row)))?;
            } else if days.is_valid(row) {
                let text = days.as_string_opt::<i32>().map_or("", |texts| texts.value(row));
                let message = format!("as_of must be a date such as 2026-07-31, got \"{text}\"");
                return Err(Fault(message));
            }
        }
        Ok(())
    }

    /// Whether no row was seen.
    pub(super) fn is_unseen(&self) -> bool {
        self.horizon.known().is_none()
    }

    /// Steps ahead.
    pub(super) fn horizon(&self) -> Checked<usize> {
        match self.horizon.get() {
            Some(horizon @ 1..=HORIZON_MAX) => Ok(horizon as usize),
            Some(other) => {
                Err(Fault(format!("horizon must be from 1 to {HORIZON_MAX}, got {other}")))
            }
            None => Err(Fault("horizon must not be NULL".into())),
        }
    }

    /// Chance of the interval.
    pub(super) fn level(&self) -> Checked<f64> {
        match self.level.get().unwrap_or(0.8) {
            level if level > 0.0 && level < 1.0 => Ok(level),
            other => Err(Fault(format!("level must be between 0 and 1, got {other}"))),
        }
    }

    /// The method; `None` for `auto`.
    pub(super) fn method(&self) -> Checked<Option<Method>> {
        Method::parse(self.method.known().map_or("auto", String::as_str))
    }

    /// The least that a forecast says.
    pub(super) fn floor(&self) -> Checked<Option<f64>> {
        match self.floor.get() {
            Some(floor) if !floor.is_finite() => {
                Err(Fault(format!("floor must be finite, got {floor}")))
            }
            floor => Ok(floor),
        }
    }

    /// Whether the steps that were are given too.
    pub(super) fn is_history_given(&self) -> bool {
        self.history.get().unwrap_or(false)
    }

    fn start_month(&self) -> Checked<i64> {
        match self.start_month.get().unwrap_or(1) {
            month @ 1..=12 => Ok(month),
            other => Err(Fault(format!("start_month must be from 1 to 12, got {other}"))),
        }
    }

    fn season(&self) -> Checked<Option<usize>> {
        match self.season.get() {
            None => Ok(None),
            Some(season @ 1..=SEASON_MAX) => Ok(Some(season as usize)),
            Some(other) => {
                Err(Fault(format!("season must be from 1 to {SEASON_MAX}, got {other}")))
            }
        }
    }

    fn rules(&self) -> Checked<Rules> {
        let as_of = self.as_of.get();
        let is_partial_dropped = match self.partial.known().map(String::as_str) {
            None => as_of.is_some(),
            Some("keep") => false,
            Some("drop") => true,
            Some(other) => {
                return Err(Fault(format!("partial must be keep or drop, got \"{other}\"")));
            }
        };
        let gaps = self.gaps.known().map_or(Ok(Gaps::Zero), |name| Gaps::parse(name))?;
        let period = self.grain.known().map_or(Ok(None), |name| Period::parse(name))?;
        let start_month = self.start_month()?;
        Ok(Rules { period, gaps, as_of, is_partial_dropped, start_month })
    }
}

/// A regular series, and the steps in its season.
pub(super) struct Regular {
    pub grid: Grid,
    pub season: usize,
}

/// Dated values in no order, and options.
#[derive(Debug, Default)]
pub(super) struct History {
    points: Vec<(i64, f64)>,
    pub options: Options,
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

impl History {
    /// Adds the rows of a batch: ts, value, options.
    pub(super) fn update(&mut self, page: &Page, values: &[ArrayRef]) -> Result<()> {
        self.options.see(&values[2..]).map_err(|fault| error(page, fault))?;
        let instants = instants(&values[0])?;
        let pairs = instants.as_primitive::<Int64Type>().iter();
        let pairs = pairs.zip(values[1].as_primitive::<Float64Type>());
        self.points.extend(pairs.filter_map(|(instant, value)| instant.zip(value)));
        Ok(())
    }

    /// Adds what other accumulators hold.
    pub(super) fn merge(&mut self, page: &Page, states: &[ArrayRef]) -> Result<()> {
        self.options.see(&states[2..]).map_err(|fault| error(page, fault))?;
        let (times, values) = (states[0].as_list::<i32>(), states[1].as_list::<i32>());
        for row in 0..times.len() {
            let (times, values) = (times.value(row), values.value(row));
            let times = times.as_primitive::<Int64Type>().values().iter().copied();
            let values = values.as_primitive::<Float64Type>().values().iter().copied();
            self.points.extend(times.zip(values));
        }
        Ok(())
    }

    /// What [`History::merge`] reads.
    pub(super) fn state(&self) -> Vec<ScalarValue> {
        let list = |items: ArrayRef| {
            let field = Arc::new(Field::new_list_field(items.data_type().clone(), true));
            let offsets = OffsetBuffer::from_lengths([items.len()]);
            ScalarValue::List(Arc::new(ListArray::new(field, offsets, items, None)))
        };
        let times = Int64Array::from_iter_values(self.points.iter().map(|point| point.0));
        let values = Float64Array::from_iter_values(self.points.iter().map(|point| point.1));
        let options = &self.options;
        vec![
            list(Arc::new(times)),
            list(Arc::new(values)),
            ScalarValue::Int64(options.horizon.get()),
            ScalarValue::Utf8(options.method.get()),
            ScalarValue::Float64(options.level.get()),
            ScalarValue::Int64(options.season.get()),
            ScalarValue::Float64(options.floor.get()),
            ScalarValue::Date32(options.as_of.get()),
            ScalarValue::Utf8(options.gaps.get()),
            ScalarValue::Utf8(options.grain.get()),
            ScalarValue::Utf8(options.partial.get()),
            ScalarValue::Int64(options.start_month.get()),
            ScalarValue::Boolean(options.history.get()),
        ]
    }

    /// Values gathered.
    pub(super) fn count(&self) -> usize {
        self.points.len()
    }

    /// Bytes held.
    pub(super) fn size(&self) -> usize {
        size_of::<Self>() + self.points.capacity() * size_of::<(i64, f64)>()
    }

    /// The rows as a regular series, or the status that says why they are none.
    ///
    /// # Errors
    /// Options that cannot be.
    pub(super) fn regular(&self) -> Checked<std::result::Result<Regular, &'static str>> {
        let (rules, season) = (self.options.rules()?, self.options.season()?);
        let grid = grid(&self.points, &rules).map_err(Broken::name);
        let grid = grid.and_then(|grid| grid.ok_or("no_data"));
        Ok(grid.map(|grid| Regular { season: season.unwrap_or(grid.grain.season()), grid }))
    }
}

/// Fields of [`History::state`].
pub(super) fn state() -> Vec<FieldRef> {
    let list =
        |name: &str, item: DataType| Field::new_list(name, Field::new_list_field(item, true), true);
    let options = [
        ("horizon", DataType::Int64),
        ("method", DataType::Utf8),
        ("level", DataType::Float64),
        ("season", DataType::Int64),
        ("floor", DataType::Float64),
        ("as_of", DataType::Date32),
        ("gaps", DataType::Utf8),
        ("grain", DataType::Utf8),
        ("partial", DataType::Utf8),
        ("start_month", DataType::Int64),
        ("history", DataType::Boolean),
    ];
    [list("instants", DataType::Int64), list("values", DataType::Float64)]
        .into_iter()
        .chain(options.map(|(name, kind)| Field::new(name, kind, true)))
        .map(Arc::new)
        .collect()
}
