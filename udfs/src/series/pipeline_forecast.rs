//! `pipeline_forecast`: what closed and open deals add up to, with an interval.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, ListArray, StructArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Decimal128Type, Field, FieldRef, Fields, Float64Type, Int64Type};
use datafusion_common::{Result, ScalarValue};
use datafusion_expr::{Accumulator, AggregateUDF};

use crate::function::coercion::Kind;
use crate::function::fold::{Constant, Parts, error, udaf as fold};
use crate::function::page::Page;
use crate::function::sums::sum_field;
use crate::math::exact::Sum;
use crate::math::pipeline::{Deal, outlook};
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

/// The function, to be registered.
pub(crate) fn udaf() -> Result<AggregateUDF> {
    fold(Parts {
        page: &PAGE,
        kinds: KINDS,
        needed: 4,
        output: |_| DataType::Struct(fields()),
        state,
        accumulator: |_| Box::new(Pipeline::default()),
    })
}

fn fields() -> Fields {
    ["closed", "weighted_open", "expected", "sd", "lo", "hi", "best"]
        .map(|name| Field::new(name, DataType::Float64, false))
        .into_iter()
        .chain(["n_open", "n_missing"].map(|name| Field::new(name, DataType::Int64, false)))
        .collect()
}

fn state() -> Vec<FieldRef> {
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

#[derive(Debug, Default)]
struct Pipeline {
    closed: Sum,
    open: Vec<Deal>,
    missing: i64,
    level: Constant<f64>,
}

/// Largest amount of a deal: beyond it sums of squares do not hold.
const AMOUNT_MAX: f64 = 1e18;

impl Pipeline {
    fn row(
        &mut self,
        amount: Option<f64>,
        probability: Option<f64>,
        is_closed: Option<bool>,
        is_won: Option<bool>,
    ) -> std::result::Result<(), Fault> {
        if let Some(probability) = probability {
            within("probability", probability, 0.0, 1.0)?;
        }
        if let Some(amount) = amount.filter(|amount| !amount.is_finite()) {
            return Err(Fault(format!("amount must be finite, got {amount}")));
        }
        if let Some(amount) = amount.filter(|amount| amount.abs() > AMOUNT_MAX) {
            return Err(Fault(format!("amount must be within 1e18, got {amount}")));
        }
        match (is_closed, is_won, amount, probability) {
            (Some(true), Some(false), ..) => {}
            (Some(true), Some(true), Some(amount), _) => self.closed.add("amount", amount)?,
            (Some(false), _, Some(amount), Some(probability)) => {
                self.open.push(Deal { amount, probability });
            }
            _ => self.missing += 1,
        }
        Ok(())
    }

    fn level(&self) -> std::result::Result<f64, Fault> {
        match self.level.get().unwrap_or(0.8) {
            level if level > 0.0 && level < 1.0 => Ok(level),
            other => Err(Fault(format!("level must be between 0 and 1, got {other}"))),
        }
    }
}

impl Accumulator for Pipeline {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let number = |at: usize| values[at].as_primitive::<Float64Type>();
        let (amounts, probabilities) = (number(0), number(1));
        let (closed, won) = (values[2].as_boolean(), values[3].as_boolean());
        let levels = values.get(4).map(|array| array.as_primitive::<Float64Type>());
        let mut levels = levels.into_iter().flatten().flatten();
        levels
            .try_for_each(|level| self.level.see("level", Some(level)))
            .map_err(|fault| error(&PAGE, fault))?;
        for (((amount, probability), is_closed), is_won) in
            amounts.iter().zip(probabilities).zip(closed).zip(won)
        {
            self.row(amount, probability, is_closed, is_won)
                .map_err(|fault| error(&PAGE, fault))?;
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let closed = states[0].as_primitive::<Decimal128Type>();
        closed.iter().flatten().for_each(|sum| self.closed.merge(sum));
        self.missing += states[1].as_primitive::<Int64Type>().iter().flatten().sum::<i64>();
        for level in states[2].as_primitive::<Float64Type>().iter().flatten() {
            self.level.see("level", Some(level)).map_err(|fault| error(&PAGE, fault))?;
        }
        let (amounts, probabilities) = (states[3].as_list::<i32>(), states[4].as_list::<i32>());
        for row in 0..amounts.len() {
            let (amounts, probabilities) = (amounts.value(row), probabilities.value(row));
            let amounts = amounts.as_primitive::<Float64Type>().values().iter();
            let probabilities = probabilities.as_primitive::<Float64Type>().values().iter();
            self.open.extend(
                amounts.zip(probabilities).map(|(amount, probability)| Deal {
                    amount: *amount,
                    probability: *probability,
                }),
            );
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let list = |items: Float64Array| {
            let field = Arc::new(Field::new_list_field(DataType::Float64, true));
            let offsets = OffsetBuffer::from_lengths([items.len()]);
            ScalarValue::List(Arc::new(ListArray::new(field, offsets, Arc::new(items), None)))
        };
        let amounts = Float64Array::from_iter_values(self.open.iter().map(|deal| deal.amount));
        let chances = Float64Array::from_iter_values(self.open.iter().map(|deal| deal.probability));
        Ok(vec![
            ScalarValue::Decimal128(Some(self.closed.0), 38, 0),
            ScalarValue::Int64(Some(self.missing)),
            ScalarValue::Float64(self.level.get()),
            list(amounts),
            list(chances),
        ])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let level = self.level().map_err(|fault| error(&PAGE, fault))?;
        let closed = self.closed.value();
        let done = outlook(closed, &mut self.open, level);
        let numbers =
            [closed, done.weighted_open, done.expected, done.sd, done.lo, done.hi, done.best];
        let counts = [self.open.len() as i64, self.missing];
        let columns: Vec<ArrayRef> = numbers
            .map(|number| Arc::new(Float64Array::from(vec![number])) as ArrayRef)
            .into_iter()
            .chain(counts.map(|count| Arc::new(Int64Array::from(vec![count])) as ArrayRef))
            .collect();
        let row = StructArray::try_new(fields(), columns, None)?;
        Ok(ScalarValue::Struct(Arc::new(row)))
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.open.capacity() * size_of::<Deal>()
    }
}
