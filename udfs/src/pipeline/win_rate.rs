//! `win_rate`: won of closed deals, by count or by amount.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Decimal128Type, Float64Type};
use datafusion_common::{Result, ScalarValue};
use datafusion_expr::{Accumulator, AggregateUDF};

use crate::function::coercion::Kind;
use crate::function::fold::{Parts, error, sum_field, udaf as fold};
use crate::function::page::Page;
use crate::math::exact::Sum;
use crate::math::{Fault, ratio};

pub(crate) const PAGE: Page = Page {
    name: "win_rate",
    syntax: "win_rate(is_won [, amount])",
    summary: "Share of closed deals that were won (ratio 0 to 1), by count or weighted by amount.",
    formula: "sum(amount of won deals) / sum(amount of won and lost deals); every amount is 1 if none is given",
    nulls: "a deal with NULL is_won is open and ignored, as is one with NULL amount; no closed deal gives NULL",
    errors: "an amount that is negative, NaN, infinite or beyond 1e18",
    source: "win rate by closed deals in the period, not by deals opened in it",
    example: (
        "SELECT win_rate(w) FROM (VALUES (true), (true), (false), (NULL)) AS t(w)",
        "0.6666666666666666",
    ),
    arguments: &[
        ("is_won", "true for a won deal, false for a lost one, NULL for an open one"),
        ("amount", "weight of the deal (money)"),
    ],
};

const KINDS: &[Kind] = &[Kind::Boolean, Kind::Number];

/// The function, to be registered.
pub(crate) fn udaf() -> Result<AggregateUDF> {
    fold(Parts {
        page: &PAGE,
        kinds: KINDS,
        needed: 1,
        output: |_| DataType::Float64,
        state: || ["won", "closed"].map(sum_field).to_vec(),
        accumulator: |_| Box::new(WinRate::default()),
    })
}

#[derive(Debug, Default)]
struct WinRate {
    won: Sum,
    closed: Sum,
}

impl WinRate {
    /// Visits every closed deal with its weight.
    fn each(
        &mut self,
        values: &[ArrayRef],
        visit: fn(&mut Sum, &str, f64) -> std::result::Result<(), Fault>,
    ) -> Result<()> {
        let is_won = values[0].as_boolean();
        let amounts = values.get(1).map(|array| array.as_primitive::<Float64Type>());
        for row in 0..is_won.len() {
            if is_won.is_null(row) || amounts.is_some_and(|amounts| amounts.is_null(row)) {
                continue;
            }
            let amount = amounts.map_or(1.0, |amounts| amounts.value(row));
            if amount < 0.0 {
                let fault = Fault(format!("amount must not be negative, got {amount}"));
                return Err(error(&PAGE, fault));
            }
            visit(&mut self.closed, "amount", amount).map_err(|fault| error(&PAGE, fault))?;
            if is_won.value(row) {
                visit(&mut self.won, "amount", amount).map_err(|fault| error(&PAGE, fault))?;
            }
        }
        Ok(())
    }
}

impl Accumulator for WinRate {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.each(values, Sum::add)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.each(values, Sum::subtract)
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for (sum, state) in [&mut self.won, &mut self.closed].into_iter().zip(states) {
            state.as_primitive::<Decimal128Type>().iter().flatten().for_each(|s| sum.merge(s));
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok([self.won, self.closed].map(|sum| ScalarValue::Decimal128(Some(sum.0), 38, 0)).to_vec())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::Float64(ratio(self.won.value(), self.closed.value())))
    }

    fn size(&self) -> usize {
        size_of::<Self>()
    }
}
