//! Aggregates that need every value of a group at once: they are kept, and sorted at the end, so
//! that the order in which rows come cannot change a bit.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Builder, ListBuilder};
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type};
use datafusion_common::Result;

use crate::function::aggregate::{Recipe, Way};
use crate::function::row::Row;
use crate::math::{Answer, Fault};

/// An aggregate of all values of a group.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AllValues {
    /// The value of a row; `None`: it has none.
    pub value: fn(&Row<'_>) -> Answer,
    /// The result for values in ascending order.
    pub finish: fn(&[f64]) -> Answer,
}

impl Recipe for AllValues {
    type State = Vec<f64>;
    type Output = f64;

    fn fields(&self) -> Vec<FieldRef> {
        let item = Arc::new(Field::new_list_field(DataType::Float64, true));
        vec![Arc::new(Field::new("values", DataType::List(item), true))]
    }

    fn save(&self, states: &[Self::State]) -> Result<Vec<ArrayRef>> {
        let mut lists = ListBuilder::with_capacity(Float64Builder::new(), states.len());
        for values in states {
            lists.append_value(values.iter().copied().map(Some));
        }
        Ok(vec![Arc::new(lists.finish())])
    }

    fn merge(
        &self,
        state: &mut Self::State,
        saved: &[ArrayRef],
        row: usize,
    ) -> std::result::Result<(), Fault> {
        let values = saved[0].as_list::<i32>().value(row);
        state.extend(values.as_primitive::<Float64Type>().values());
        Ok(())
    }

    fn pass(
        &self,
        state: &mut Self::State,
        row: &Row<'_>,
        way: Way,
    ) -> std::result::Result<(), Fault> {
        let Some(value) = (self.value)(row)? else { return Ok(()) };
        match way {
            Way::In => state.push(value),
            // The oldest leaves first: it is found at once.
            Way::Out => {
                if let Some(place) = state.iter().position(|kept| kept.to_bits() == value.to_bits())
                {
                    state.remove(place);
                }
            }
        }
        Ok(())
    }

    fn can_go_out(&self) -> bool {
        true
    }

    fn finish(&self, state: &mut Self::State) -> Answer {
        // A window goes on with its values in the order they came in.
        let mut sorted = state.clone();
        sorted.sort_by(f64::total_cmp);
        (self.finish)(&sorted)
    }

    fn heap_bytes(&self, state: &Self::State) -> usize {
        state.capacity() * size_of::<f64>()
    }
}
