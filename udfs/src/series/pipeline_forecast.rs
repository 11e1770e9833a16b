//! `pipeline_forecast`: what closed and open deals add up to, with an interval.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, Float64Builder, Int64Array, ListBuilder, StructArray,
};
use arrow::datatypes::{DataType, Decimal128Type, Field, FieldRef, Fields, Float64Type, Int64Type};
use datafusion_common::Result;
use datafusion_expr::AggregateUDF;

use crate::function::aggregate::{Recipe, Way, aggregate};
use crate::function::coercion::Kind;
use crate::function::constant::Constant;
use crate::function::page::Page;
use crate::function::row::{Cell, Row};
use crate::function::sums::{saved_sums, sum_field};
use crate::math::exact::Sum;
use crate::math::pipeline::{Deal, Outlook, outlook};
use crate::math::{Fault, within};

pub(crate) const PAGE: Page = Page {
    name: "pipeline_forecast",
    syntax: "pipeline_forecast(amount, probability, is_closed, is_won [, level])",
    summary: "What the deals of a pipeline add up to: a struct (closed, weighted_open, expected, sd, lo, hi, best, n_open, n_missing).",
    formula: "closed = sum of won amounts; expected = closed + sum p * a over the open deals; sd = sqrt(sum p * (1 - p) * a^2), deals being independent; lo and hi from the chance of every possible sum up to 20 open deals, beyond that expected -+ z * sd, within closed and closed + sum a; best = closed + sum a",
    nulls: "left out and counted in n_missing: a won or open deal with NULL amount, an open deal with NULL probability, a deal with NULL is_closed, a closed deal with NULL is_won; lost deals add nothing; no row gives zeros; NULL level means 0.8",
    errors: "probability outside 0 to 1 (as 80 for 80 %), amount that is not finite, level outside 0 to 1 or that differs within a group",
    source: "Poisson's binomial distribution, with amounts",
    example: (
        "SELECT p['lo'] FROM (SELECT pipeline_forecast(a, p, c, c) AS p FROM (VALUES (300, NULL, true), (100, 0.5, false), (200, 0.25, false), (50, 0.9, false)) AS t(a, p, c))",
        "350",
    ),
    arguments: &[
        ("amount", "amount of the deal (currency)"),
        ("probability", "chance that an open deal is won (ratio)"),
        ("is_closed", "whether the deal is decided"),
        ("is_won", "whether a decided deal is won"),
        ("level", "chance that the interval holds the sum (ratio, default 0.8)"),
    ],
};

const KINDS: &[Kind] = &[Kind::Number, Kind::Number, Kind::Boolean, Kind::Boolean, Kind::Number];
/// Largest amount of a deal: beyond it sums of squares do not hold.
const AMOUNT_MAX: f64 = 1e18;

/// The function, to be registered.
pub(crate) fn udaf() -> Result<AggregateUDF> {
    aggregate(&PAGE, KINDS, 4, Pipeline)
}

#[derive(Debug, Clone, Copy)]
struct Pipeline;

/// Deals so far.
#[derive(Debug, Default)]
struct State {
    closed: Sum,
    open: Vec<Deal>,
    missing: i64,
    level: Constant<f64>,
}

impl State {
    fn level(&self) -> std::result::Result<f64, Fault> {
        match self.level.get().unwrap_or(0.8) {
            level if level > 0.0 && level < 1.0 => Ok(level),
            other => Err(Fault(format!("level must be between 0 and 1, got {other}"))),
        }
    }
}

impl Recipe for Pipeline {
    type State = State;
    type Output = Known;

    fn fields(&self) -> Vec<FieldRef> {
        let list = |name: &str| {
            Arc::new(Field::new_list(name, Field::new_list_field(DataType::Float64, true), true))
        };
        vec![
            sum_field("closed"),
            Arc::new(Field::new("n_missing", DataType::Int64, true)),
            Arc::new(Field::new("level", DataType::Float64, true)),
            list("amounts"),
            list("probabilities"),
        ]
    }

    fn save(&self, states: &[State]) -> Result<Vec<ArrayRef>> {
        let mut amounts = ListBuilder::new(Float64Builder::new());
        let mut probabilities = ListBuilder::new(Float64Builder::new());
        for state in states {
            amounts.append_value(state.open.iter().map(|deal| Some(deal.amount)));
            probabilities.append_value(state.open.iter().map(|deal| Some(deal.probability)));
        }
        let missing = states.iter().map(|state| state.missing);
        let levels = states.iter().map(|state| state.level.get());
        Ok(vec![
            saved_sums(states.iter().map(|state| state.closed))?,
            Arc::new(Int64Array::from_iter_values(missing)),
            Arc::new(levels.collect::<Float64Array>()),
            Arc::new(amounts.finish()),
            Arc::new(probabilities.finish()),
        ])
    }

    fn merge(
        &self,
        state: &mut State,
        saved: &[ArrayRef],
        row: usize,
    ) -> std::result::Result<(), Fault> {
        state.closed.merge(saved[0].as_primitive::<Decimal128Type>().value(row));
        state.missing += saved[1].as_primitive::<Int64Type>().value(row);
        let levels = saved[2].as_primitive::<Float64Type>();
        state.level.see("level", levels.is_valid(row).then(|| levels.value(row)))?;
        let [amounts, probabilities] = [3, 4].map(|at| saved[at].as_list::<i32>().value(row));
        let amounts = amounts.as_primitive::<Float64Type>().values().iter();
        let probabilities = probabilities.as_primitive::<Float64Type>().values().iter();
        let deals = amounts.zip(probabilities);
        state
            .open
            .extend(deals.map(|(amount, chance)| Deal { amount: *amount, probability: *chance }));
        Ok(())
    }

    fn pass(&self, state: &mut State, row: &Row<'_>, way: Way) -> std::result::Result<(), Fault> {
        state.level.see("level", row.raw(4))?;
        if let Some(probability) = row.raw(1) {
            within("probability", probability, 0.0, 1.0)?;
        }
        let (amount, probability) = (row.number(0)?, row.raw(1));
        if let Some(amount) = amount.filter(|amount| amount.abs() > AMOUNT_MAX) {
            return Err(Fault(format!("amount must be within 1e18, got {amount}")));
        }
        match (row.flag(2), row.flag(3), amount, probability) {
            (Some(true), Some(false), ..) => {}
            (Some(true), Some(true), Some(amount), _) => match way {
                Way::In => state.closed.add("amount", amount)?,
                Way::Out => state.closed.subtract("amount", amount)?,
            },
            (Some(false), _, Some(amount), Some(probability)) => {
                let deal = Deal { amount, probability };
                match way {
                    Way::In => state.open.push(deal),
                    Way::Out => {
                        if let Some(place) = state.open.iter().position(|kept| *kept == deal) {
                            state.open.remove(place);
                        }
                    }
                }
            }
            _ => state.missing += if way == Way::In { 1 } else { -1 },
        }
        Ok(())
    }

    fn can_go_out(&self) -> bool {
        true
    }

    fn finish(&self, state: &mut State) -> std::result::Result<Option<Known>, Fault> {
        let level = state.level()?;
        let closed = state.closed.value();
        let outlook = outlook(closed, &mut state.open, level);
        let counts = [state.open.len() as i64, state.missing];
        Ok(Some(Known { closed, outlook, counts }))
    }

    fn heap_bytes(&self, state: &State) -> usize {
        state.open.capacity() * size_of::<Deal>()
    }
}

/// What is known of a pipeline; the counts are those of open deals and of deals left out.
struct Known {
    closed: f64,
    outlook: Outlook,
    counts: [i64; 2],
}

impl Known {
    fn numbers(&self) -> [f64; 7] {
        let Outlook { weighted_open, expected, sd, lo, hi, best } = self.outlook;
        [self.closed, weighted_open, expected, sd, lo, hi, best]
    }
}

impl Cell for Known {
    fn data_type(_: &[DataType]) -> DataType {
        DataType::Struct(fields())
    }

    fn array(
        _: &DataType,
        rows: usize,
        cells: impl Iterator<Item = Result<Option<Self>>>,
    ) -> Result<ArrayRef> {
        let mut all = Vec::with_capacity(rows);
        for cell in cells {
            all.extend(cell?);
        }
        let number = |at: usize| -> ArrayRef {
            Arc::new(Float64Array::from_iter_values(all.iter().map(|known| known.numbers()[at])))
        };
        let count = |at: usize| -> ArrayRef {
            Arc::new(Int64Array::from_iter_values(all.iter().map(|known| known.counts[at])))
        };
        let columns = (0..7).map(number).chain((0..2).map(count)).collect();
        Ok(Arc::new(StructArray::try_new(fields(), columns, None)?))
    }
}

fn fields() -> Fields {
    ["closed", "weighted_open", "expected", "sd", "lo", "hi", "best"]
        .map(|name| Field::new(name, DataType::Float64, false))
        .into_iter()
        .chain(["n_open", "n_missing"].map(|name| Field::new(name, DataType::Int64, false)))
        .collect()
}
