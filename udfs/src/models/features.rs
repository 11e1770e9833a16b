//! Features as they come in SQL: a struct of numbers and words, in columns.

use arrow::array::{Array, AsArray, Float64Array, StringArray, StringViewArray, StructArray};
use arrow::datatypes::{DataType, Float64Type};

use crate::math::model::table::{Column, Table};

/// A column of features of a batch.
pub(super) enum Given<'a> {
    Numbers(&'a Float64Array),
    Words(&'a StringArray),
    Views(&'a StringViewArray),
}

/// The columns of `features` by name; coercion has made numbers and words of them.
pub(super) fn columns(features: &StructArray) -> Vec<(&str, Given<'_>)> {
    let fields = features.fields().iter().zip(features.columns());
    let given = fields.filter_map(|(field, column)| {
        let given = match column.data_type() {
            DataType::Float64 => Given::Numbers(column.as_primitive::<Float64Type>()),
            DataType::Utf8 => Given::Words(column.as_string::<i32>()),
            DataType::Utf8View => Given::Views(column.as_string_view()),
            _ => return None,
        };
        Some((field.name().as_str(), given))
    });
    given.collect()
}

/// `features` as rows to learn from, with their `labels`.
pub(super) fn table(features: &StructArray, labels: Vec<Option<bool>>) -> Table {
    let words = |texts: &mut dyn Iterator<Item = Option<&str>>| {
        let texts = texts.enumerate().map(|(row, text)| text.filter(|_| features.is_valid(row)));
        Column::Words(texts.map(|text| text.map(str::to_owned)).collect())
    };
    let mut table = Table { labels, ..Table::default() };
    for (name, given) in columns(features) {
        table.names.push(name.to_owned());
        table.columns.push(match given {
            Given::Numbers(numbers) => {
                let values = numbers.iter().enumerate();
                let known = |(row, value): (usize, Option<f64>)| match features.is_valid(row) {
                    true => value.unwrap_or(f64::NAN),
                    false => f64::NAN,
                };
                Column::Numbers(values.map(known).collect())
            }
            Given::Words(texts) => words(&mut texts.iter()),
            Given::Views(texts) => words(&mut texts.iter()),
        });
    }
    table
}
