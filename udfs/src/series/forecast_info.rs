//! `forecast_info`: what `forecast` would make of a series, and how well it did before.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int32Array, StringArray, StructArray};
use arrow::datatypes::{DataType, Field, Fields};
use datafusion_common::{Result, ScalarValue};
use datafusion_expr::{Accumulator, AggregateUDF};

use super::history::{History, KINDS, state};
use crate::function::fold::{Parts, error, udaf as fold};
use crate::function::page::Page;
use crate::math::Fault;
use crate::math::forecast::{Info, info};

pub(crate) const PAGE: Page = Page {
    name: "forecast_info",
    syntax: "forecast_info(ts, value, horizon [, method [, level [, season]]])",
    summary: "What forecast makes of a series: a struct (method, season, n_obs, mase, status).",
    formula: "mase = mean |miss| from up to 18 past origins / mean |value - value one season before|: below 1 it beats repeating the last season; season is 1 where the method uses none",
    nulls: "a row with NULL ts or value is ignored and not in n_obs; mase is NULL without an origin or for a constant series; method and season are NULL where status is no_data, irregular or not_finite",
    errors: "as forecast for wrong options; a series that cannot be forecast is no error but a status: ok, short_history, constant, intermittent (mostly zero), outlier_guarded (single values far out of line were set aside), not_positive (the method needs values above zero), no_data, irregular, not_finite",
    source: "R. J. Hyndman and A. B. Koehler, Another look at measures of forecast accuracy, 2006",
    example: (
        "SELECT i['status'] FROM (SELECT forecast_info(d, v, 2) AS i FROM (VALUES (DATE '2026-01-01', 10), (DATE '2026-02-01', 12), (DATE '2026-03-01', 14)) AS t(d, v))",
        "short_history",
    ),
    arguments: &[
        (
            "ts",
            "time of the value: a day, or the first or last day of a week, month, quarter or year",
        ),
        ("value", "the value; several at one time are added"),
        ("horizon", "steps ahead (1 to 120); past origins look 6 to 12 steps ahead whatever it is"),
        ("method", "as in forecast"),
        ("level", "chance of the interval (ratio); checked, of no effect"),
        ("season", "steps in a season"),
    ],
};

/// The function, to be registered.
pub(crate) fn udaf() -> Result<AggregateUDF> {
    fold(Parts {
        page: &PAGE,
        kinds: KINDS.split_at(6).0,
        needed: 3,
        output: |_| DataType::Struct(fields()),
        state,
        accumulator: |_| Box::new(Series(History::default())),
    })
}

fn fields() -> Fields {
    Fields::from(vec![
        Field::new("method", DataType::Utf8, true),
        Field::new("season", DataType::Int32, true),
        Field::new("n_obs", DataType::Int32, false),
        Field::new("mase", DataType::Float64, true),
        Field::new("status", DataType::Utf8, false),
    ])
}

#[derive(Debug)]
struct Series(History);

impl Series {
    /// What is known of the series, how many values it has, and its status.
    fn info(&self) -> std::result::Result<(Option<Info>, usize, &'static str), Fault> {
        let options = &self.0.options;
        let method = options.method()?;
        options.horizon()?;
        options.level()?;
        let regular = match self.0.regular()? {
            Ok(regular) => regular,
            Err(status) => return Ok((None, self.0.count(), status)),
        };
        let info = info(&regular.grid.values, method, regular.season);
        let status = info.as_ref().map_or("no_data", |info| info.status.name());
        Ok((info, regular.grid.count, status))
    }
}

impl Accumulator for Series {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.0.update(&PAGE, values)
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.0.merge(&PAGE, states)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(self.0.state())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        // Without a row no option was seen either.
        let (info, count, status) = match self.0.count() {
            0 if self.0.options.is_unseen() => (None, 0, "no_data"),
            _ => self.info().map_err(|fault| error(&PAGE, fault))?,
        };
        let info = info.as_ref();
        let season = info.map(|info| info.season as i32);
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from(vec![info.map(|info| info.method.name())])),
            Arc::new(Int32Array::from(vec![season])),
            Arc::new(Int32Array::from(vec![count as i32])),
            Arc::new(Float64Array::from(vec![info.and_then(|info| info.mase)])),
            Arc::new(StringArray::from(vec![status])),
        ];
        let row = StructArray::try_new(fields(), columns, None)?;
        Ok(ScalarValue::Struct(Arc::new(row)))
    }

    fn size(&self) -> usize {
        self.0.size()
    }
}
