//! Arguments to the types that functions compute with, once, in the signature.

use arrow::datatypes::{DataType, Field, TimeUnit};
use datafusion_common::{Result, plan_err};

/// What an argument holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Any number, as a 64-bit float.
    Number,
    /// A whole number.
    Integer,
    /// A date, or an instant taken as its date.
    Date,
    /// A date or an instant, kept as it is.
    Time,
    /// True or false.
    Boolean,
    /// Text in any encoding.
    Text,
    /// A list of numbers.
    Numbers,
}

/// The type that an argument called `name` of `function`, given as `from`, is cast to.
pub(crate) fn target(function: &str, name: &str, kind: Kind, from: &DataType) -> Result<DataType> {
    if let DataType::Dictionary(_, value) = from {
        return target(function, name, kind, value);
    }
    let wanted = match (kind, from) {
        (Kind::Number, from) if from.is_numeric() || from.is_null() => DataType::Float64,
        (Kind::Integer, from) if from.is_integer() || from.is_null() => DataType::Int64,
        (Kind::Date, from) if is_time(from) || from.is_null() => DataType::Date32,
        // A quoted date is text to the engine; it is read here, so that an error can name it.
        (Kind::Date, from) if from.is_string() => DataType::Utf8,
        (Kind::Time, from) if from.is_string() => DataType::Timestamp(TimeUnit::Microsecond, None),
        (Kind::Time, DataType::Date32 | DataType::Timestamp(..)) => from.clone(),
        (Kind::Time, DataType::Date64) => DataType::Timestamp(TimeUnit::Microsecond, None),
        (Kind::Time, DataType::Null) => DataType::Date32,
        (Kind::Boolean, DataType::Boolean | DataType::Null) => DataType::Boolean,
        (Kind::Text, from) if from.is_string() || from.is_null() => DataType::Utf8,
        (
            Kind::Numbers,
            DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _),
        ) if item.data_type().is_numeric() || item.data_type().is_null() => numbers(),
        (Kind::Numbers, DataType::Null) => numbers(),
        _ => {
            return plan_err!("{function}: {name} must be {}, got {from}", wanted(kind));
        }
    };
    Ok(wanted)
}

fn is_time(from: &DataType) -> bool {
    matches!(from, DataType::Date32 | DataType::Date64 | DataType::Timestamp(..))
}

fn numbers() -> DataType {
    DataType::List(Field::new_list_field(DataType::Float64, true).into())
}

fn wanted(kind: Kind) -> &'static str {
    match kind {
        Kind::Number => "a number",
        Kind::Integer => "a whole number",
        Kind::Date | Kind::Time => "a date or a timestamp",
        Kind::Boolean => "true or false",
        Kind::Text => "text",
        Kind::Numbers => "a list of numbers",
    }
}

/// Casts for `given` arguments of `function`, of which at least `needed` must be there.
pub(crate) fn targets(
    function: &str,
    parameters: &[(&'static str, Kind)],
    needed: usize,
    given: &[DataType],
) -> Result<Vec<DataType>> {
    if given.len() < needed || given.len() > parameters.len() {
        let most = parameters.len();
        let range = if needed == most { needed.to_string() } else { format!("{needed} to {most}") };
        return plan_err!("{function}: takes {range} arguments, got {}", given.len());
    }
    let pairs = parameters.iter().zip(given);
    pairs.map(|((name, kind), from)| target(function, name, *kind, from)).collect()
}
