//! `forecast_info`: what `forecast` would make of a series, and how well it did before.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int32Array, StringArray, StructArray};
use arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion_common::Result;
use datafusion_expr::AggregateUDF;

use super::history::{self, History, KINDS};
use crate::function::aggregate::{Recipe, Way, aggregate};
use crate::function::page::Page;
use crate::function::row::{Cell, Row};
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
    aggregate(&PAGE, KINDS.split_at(6).0, 3, Series)
}

#[derive(Debug, Clone, Copy)]
struct Series;

impl Recipe for Series {
    type State = History;
    type Output = Known;

    fn fields(&self) -> Vec<FieldRef> {
        history::fields()
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

    fn finish(&self, state: &mut History) -> std::result::Result<Option<Known>, Fault> {
        if state.is_empty() {
            return Ok(Some(Known { info: None, count: 0, status: "no_data" }));
        }
        let options = &state.options;
        let method = options.method()?;
        options.horizon()?;
        options.level()?;
        let regular = match state.regular()? {
            Ok(regular) => regular,
            Err(status) => return Ok(Some(Known { info: None, count: state.count(), status })),
        };
        let info = info(&regular.grid.values, method, regular.season);
        let status = info.as_ref().map_or("no_data", |info| info.status.name());
        Ok(Some(Known { info, count: regular.grid.count, status }))
    }

    fn heap_bytes(&self, state: &History) -> usize {
        state.heap_bytes()
    }
}

/// What is known of a series, how many values it has, and its status.
struct Known {
    info: Option<Info>,
    count: usize,
    status: &'static str,
}

impl Cell for Known {
    fn data_type(_: &[DataType]) -> DataType {
        DataType::Struct(fields())
    }

    fn array(
        _: &DataType,
        _: usize,
        cells: impl Iterator<Item = Result<Option<Self>>>,
    ) -> Result<ArrayRef> {
        let nothing = || Self { info: None, count: 0, status: "no_data" };
        let all = cells.map(|cell| Ok(cell?.unwrap_or_else(nothing)));
        let all = all.collect::<Result<Vec<Self>>>()?;
        let infos = || all.iter().map(|known| known.info.as_ref());
        let methods = infos().map(|info| info.map(|info| info.method.name()));
        let seasons = infos().map(|info| info.map(|info| info.season as i32));
        let columns: Vec<ArrayRef> = vec![
            Arc::new(methods.collect::<StringArray>()),
            Arc::new(seasons.collect::<Int32Array>()),
            Arc::new(Int32Array::from_iter_values(all.iter().map(|known| known.count as i32))),
            Arc::new(infos().map(|info| info.and_then(|i| i.mase)).collect::<Float64Array>()),
            Arc::new(StringArray::from_iter_values(all.iter().map(|known| known.status))),
        ];
        Ok(Arc::new(StructArray::try_new(fields(), columns, None)?))
    }
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
