//! Features as they come in SQL: a struct of numbers and words, in columns.

use arrow::array::{Array, AsArray, Float64Array, StringArray, StructArray};
use arrow::datatypes::{DataType, Float64Type};

use crate::math::model::table::{Column, Table};

/// A column of features of a batch.
pub(super) enum Given<'a> {
    Numbers(&'a Float64Array),
    Words(&'a StringArray),
}

/// The columns of `features` by name; coercion has made numbers and words of them.
pub(super) fn columns(features: &StructArray) -> Vec<(&str, Given<'_>)> {
    let fields = features.fields().iter().zip(features.columns());
    let given = fields.filter_map(|(field, column)| {
        let given = match column.data_type() {
            DataType::Float64 => Given::Numbers(column.as_primitive::<Float64Type>()),
            DataType::Utf8 => Given::Words(column.as_string::<i32>()),
            _ => return None,
        };
        Some((field.name().as_str(), given))
    });
    given.collect()
}

/// `features` as rows to learn from, with their `labels`.
pub(super) fn table(features: &StructArray, labels: Vec<Option<bool>>) -> Table {
    let known = |row: usize| features.is_valid(row);
    let rows = 0..features.len();
    let mut table = Table { labels, ..Table::default() };
    for (name, given) in columns(features) {
        table.names.push(name.to_owned());
        table.columns.push(match given {
            Given::Numbers(numbers) => Column::Numbers(
                rows.clone()
                    .map(|row| match known(row) && numbers.is_valid(row) {
                        true => numbers.value(row),
                        false => f64::NAN,
                    })
                    .collect(),
            ),
            Given::Words(words) => Column::Words(
                rows.clone()
                    .map(|row| {
                        (known(row) && words.is_valid(row)).then(|| words.value(row).to_owned())
                    })
                    .collect(),
            ),
        });
    }
    table
}
