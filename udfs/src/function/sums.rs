//! Aggregates that are made of sums: exact, so that neither order nor batches change a bit.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Decimal128Array};
use arrow::datatypes::{DataType, Decimal128Type, Field, FieldRef};
use datafusion_common::Result;

use crate::function::aggregate::{Recipe, Way};
use crate::function::row::Row;
use crate::math::Fault;
use crate::math::exact::Sum;

/// What a row adds to each of `K` sums; `None`: nothing, it says nothing.
pub(crate) type Terms<const K: usize> =
    fn(&Row<'_>) -> std::result::Result<Option<[f64; K]>, Fault>;

/// An aggregate of `K` sums.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sums<const K: usize> {
    /// The argument that is added up, as errors call it.
    pub name: &'static str,
    pub terms: Terms<K>,
    pub finish: fn([f64; K]) -> Option<f64>,
}

impl<const K: usize> Recipe for Sums<K>
where
    [Sum; K]: Default,
{
    type State = [Sum; K];
    type Output = f64;

    fn fields(&self) -> Vec<FieldRef> {
        (0..K).map(|place| sum_field(&format!("sum_{place}"))).collect()
    }

    fn save(&self, states: &[Self::State]) -> Result<Vec<ArrayRef>> {
        (0..K).map(|place| saved_sums(states.iter().map(|sums| sums[place]))).collect()
    }

    fn merge(
        &self,
        state: &mut Self::State,
        saved: &[ArrayRef],
        row: usize,
    ) -> std::result::Result<(), Fault> {
        for (sum, column) in state.iter_mut().zip(saved) {
            sum.merge(column.as_primitive::<Decimal128Type>().value(row));
        }
        Ok(())
    }

    #[inline]
    fn pass(
        &self,
        state: &mut Self::State,
        row: &Row<'_>,
        way: Way,
    ) -> std::result::Result<(), Fault> {
        let Some(terms) = (self.terms)(row)? else { return Ok(()) };
        for (sum, term) in state.iter_mut().zip(terms) {
            match way {
                Way::In => sum.add(self.name, term)?,
                Way::Out => sum.subtract(self.name, term)?,
            }
        }
        Ok(())
    }

    fn can_go_out(&self) -> bool {
        true
    }

    fn finish(&self, state: &mut Self::State) -> std::result::Result<Option<f64>, Fault> {
        Ok((self.finish)(state.map(Sum::value)))
    }
}

/// Sums as a column.
pub(crate) fn saved_sums(sums: impl Iterator<Item = Sum>) -> Result<ArrayRef> {
    let array = Decimal128Array::from_iter_values(sums.map(|sum| sum.0));
    Ok(Arc::new(array.with_data_type(DataType::Decimal128(38, 0))))
}

/// A column of sums.
pub(crate) fn sum_field(name: &str) -> FieldRef {
    Arc::new(Field::new(name, DataType::Decimal128(38, 0), true))
}
