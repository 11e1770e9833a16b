//! Dated values and the options of a call, gathered row by row: what the forecasts share.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Float64Array, Float64Builder, Int64Array,
    Int64Builder, ListBuilder, StringArray,
};
use arrow::datatypes::{DataType, Date32Type, Field, FieldRef, Float64Type, Int64Type};

use crate::function::aggregate::Way;
use crate::function::coercion::Kind;
use crate::function::constant::Constant;
use crate::function::row::Row;
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
    /// Sees the options of a row, which come after its ts and its value.
    fn see(&mut self, row: &Row<'_>) -> Checked<()> {
        self.horizon.see("horizon", row.integer(2))?;
        self.level.see("level", row.raw(4))?;
        self.season.see("season", row.integer(5))?;
        self.floor.see("floor", row.raw(6))?;
        self.as_of.see("as_of", row.day(7))?;
        self.start_month.see("start_month", row.integer(11))?;
        self.history.see("history", row.flag(12))?;
        for (at, name, option) in [
            (3, "method", &mut self.method),
            (8, "gaps", &mut self.gaps),
            (9, "grain", &mut self.grain),
            (10, "partial", &mut self.partial),
        ] {
            row.text(at).map_or(Ok(()), |text| option.see_text(name, text))?;
        }
        Ok(())
    }

    /// Sees the options of a saved state, the `row`-th.
    fn merge(&mut self, saved: &[ArrayRef], row: usize) -> Checked<()> {
        let is_known = |at: usize| saved[at].is_valid(row);
        let integer =
            |at: usize| is_known(at).then(|| saved[at].as_primitive::<Int64Type>().value(row));
        let number =
            |at: usize| is_known(at).then(|| saved[at].as_primitive::<Float64Type>().value(row));
        let day = is_known(8).then(|| saved[8].as_primitive::<Date32Type>().value(row));
        self.horizon.see("horizon", integer(3))?;
        self.level.see("level", number(5))?;
        self.season.see("season", integer(6))?;
        self.floor.see("floor", number(7))?;
        self.as_of.see("as_of", day)?;
        self.start_month.see("start_month", integer(12))?;
        let history = is_known(13).then(|| saved[13].as_boolean().value(row));
        self.history.see("history", history)?;
        for (at, name, option) in [
            (4, "method", &mut self.method),
            (9, "gaps", &mut self.gaps),
            (10, "grain", &mut self.grain),
            (11, "partial", &mut self.partial),
        ] {
            let text = is_known(at).then(|| saved[at].as_string::<i32>().value(row));
            text.map_or(Ok(()), |text| option.see_text(name, text))?;
        }
        Ok(())
    }

    /// The options of many states as columns, in the order of the arguments.
    fn saved(all: &[&Self]) -> Vec<ArrayRef> {
        let integers = |option: fn(&Self) -> &Constant<i64>| -> ArrayRef {
            Arc::new(all.iter().map(|one| option(one).get()).collect::<Int64Array>())
        };
        let numbers = |option: fn(&Self) -> &Constant<f64>| -> ArrayRef {
            Arc::new(all.iter().map(|one| option(one).get()).collect::<Float64Array>())
        };
        let texts = |option: fn(&Self) -> &Constant<String>| -> ArrayRef {
            Arc::new(all.iter().map(|one| option(one).known()).collect::<StringArray>())
        };
        vec![
            integers(|one| &one.horizon),
            texts(|one| &one.method),
            numbers(|one| &one.level),
            integers(|one| &one.season),
            numbers(|one| &one.floor),
            Arc::new(all.iter().map(|one| one.as_of.get()).collect::<Date32Array>()),
            texts(|one| &one.gaps),
            texts(|one| &one.grain),
            texts(|one| &one.partial),
            integers(|one| &one.start_month),
            Arc::new(all.iter().map(|one| one.history.get()).collect::<BooleanArray>()),
        ]
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

    /// Chance of the interval; 0 is no interval.
    pub(super) fn level(&self) -> Checked<f64> {
        match self.level.get().unwrap_or(0.8) {
            level if (0.0..1.0).contains(&level) => Ok(level),
            other => Err(Fault(format!("level must be 0 or between 0 and 1, got {other}"))),
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
    /// Rows that came in, with a value or without.
    rows: i64,
    pub options: Options,
}

impl History {
    /// Adds a row (ts, value, options), or takes it away.
    pub(super) fn pass(&mut self, row: &Row<'_>, way: Way) -> Checked<()> {
        self.options.see(row)?;
        let point = row.moment(0).map(|(instant, _)| instant).zip(row.raw(1));
        match way {
            Way::In => {
                self.rows += 1;
                self.points.extend(point);
            }
            Way::Out => {
                self.rows -= 1;
                let is_same = |kept: &(i64, f64)| {
                    point.is_some_and(|p| p.0 == kept.0 && p.1.to_bits() == kept.1.to_bits())
                };
                if let Some(place) = self.points.iter().position(is_same) {
                    self.points.remove(place);
                }
            }
        }
        Ok(())
    }

    /// Adds a saved state, the `row`-th of `saved`.
    pub(super) fn merge(&mut self, saved: &[ArrayRef], row: usize) -> Checked<()> {
        let [times, values] = [0, 1].map(|at| saved[at].as_list::<i32>().value(row));
        let times = times.as_primitive::<Int64Type>().values().iter().copied();
        let values = values.as_primitive::<Float64Type>().values().iter().copied();
        self.points.extend(times.zip(values));
        self.rows += saved[2].as_primitive::<Int64Type>().value(row);
        self.options.merge(saved, row)
    }

    /// What [`History::merge`] reads, a row for each of `states`.
    pub(super) fn saved(states: &[Self]) -> Vec<ArrayRef> {
        let mut times = ListBuilder::new(Int64Builder::new());
        let mut values = ListBuilder::new(Float64Builder::new());
        for state in states {
            times.append_value(state.points.iter().map(|point| Some(point.0)));
            values.append_value(state.points.iter().map(|point| Some(point.1)));
        }
        let rows = Int64Array::from_iter_values(states.iter().map(|state| state.rows));
        let mut saved: Vec<ArrayRef> =
            vec![Arc::new(times.finish()), Arc::new(values.finish()), Arc::new(rows)];
        saved
            .extend(Options::saved(&states.iter().map(|state| &state.options).collect::<Vec<_>>()));
        saved
    }

    /// Whether there is nothing to tell: no row, or none with a value or a horizon.
    pub(super) fn is_empty(&self) -> bool {
        self.rows == 0 || self.points.is_empty() && self.options.horizon.known().is_none()
    }

    /// Values gathered.
    pub(super) fn count(&self) -> usize {
        self.points.len()
    }

    /// Bytes held beside its own size.
    pub(super) fn heap_bytes(&self) -> usize {
        self.points.capacity() * size_of::<(i64, f64)>()
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

/// Fields of [`History::saved`].
pub(super) fn fields() -> Vec<FieldRef> {
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
    let rows = Field::new("rows", DataType::Int64, true);
    [list("instants", DataType::Int64), list("values", DataType::Float64), rows]
        .into_iter()
        .chain(options.map(|(name, kind)| Field::new(name, kind, true)))
        .map(Arc::new)
        .collect()
}
