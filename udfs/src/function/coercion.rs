//! Arguments to the types that functions compute with, once, in the signature.

use arrow::datatypes::{DataType, Field, Fields, TimeUnit};
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
    /// A date, or an instant in microseconds.
    Moment,
    /// True or false.
    Boolean,
    /// Text in any encoding.
    Text,
    /// A list of numbers.
    Numbers,
    /// A list of texts.
    Texts,
    /// A list of dates.
    Dates,
    /// A list of structs of two numbers: where a tier begins, and its rate.
    Tiers,
    /// A long text, the same in many rows: as views, so that it is not copied from row to row.
    LongText,
    /// A struct of numbers, texts and booleans; what is neither a number nor text becomes text.
    Features,
    /// An exact amount: whole numbers and decimals as they are, floats as floats.
    Money,
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
        (Kind::Moment, DataType::Timestamp(_, zone)) => {
            DataType::Timestamp(TimeUnit::Microsecond, zone.clone())
        }
        (Kind::Moment, from) => target(function, name, Kind::Time, from)?,
        (Kind::Time, from) if from.is_string() => DataType::Timestamp(TimeUnit::Microsecond, None),
        (Kind::Time, DataType::Date32 | DataType::Timestamp(..)) => from.clone(),
        (Kind::Time, DataType::Date64) => DataType::Timestamp(TimeUnit::Microsecond, None),
        (Kind::Time, DataType::Null) => DataType::Date32,
        (Kind::Boolean, DataType::Boolean | DataType::Null) => DataType::Boolean,
        (Kind::Text, from) if from.is_string() || from.is_null() => DataType::Utf8,
        (Kind::LongText, from) if from.is_string() || from.is_null() => DataType::Utf8View,
        (Kind::Features, DataType::Struct(fields)) => features(function, name, fields)?,
        (Kind::Features, DataType::Null) => DataType::Struct(Fields::empty()),
        (Kind::Money, from) if from.is_floating() => DataType::Float64,
        (Kind::Money, DataType::Decimal128(..)) => from.clone(),
        (Kind::Money, from) if from.is_numeric() || from.is_null() => DataType::Decimal128(38, 0),
        (Kind::Numbers | Kind::Texts | Kind::Dates | Kind::Tiers, from) => match items(from) {
            Some(item) if fits(kind, item) => list(kind),
            _ => return refused(function, name, kind, from),
        },
        _ => return refused(function, name, kind, from),
    };
    Ok(wanted)
}

fn refused(function: &str, name: &str, kind: Kind, from: &DataType) -> Result<DataType> {
    plan_err!("{function}: {name} must be {}, got {from}", wanted(kind))
}

/// The struct that features are cast to: numbers as floats, words as text.
fn features(function: &str, name: &str, fields: &Fields) -> Result<DataType> {
    let cast = fields.iter().map(|field| {
        let inner = match field.data_type() {
            DataType::Dictionary(_, value) => value,
            other => other,
        };
        let wanted = match inner {
            kind if kind.is_numeric() => DataType::Float64,
            // Views are what Parquet is read as: they need no copy.
            DataType::Utf8View => DataType::Utf8View,
            kind if kind.is_string() => DataType::Utf8,
            DataType::Boolean | DataType::Null => DataType::Utf8,
            other => {
                let feature = field.name();
                return plan_err!(
                    "{function}: {name} must hold numbers, texts and booleans, got {other} in {feature}"
                );
            }
        };
        Ok(Field::new(field.name(), wanted, true))
    });
    Ok(DataType::Struct(cast.collect::<Result<Fields>>()?))
}

/// The type of the items of a list; of NULL, that of NULL.
fn items(from: &DataType) -> Option<&DataType> {
    match from {
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _) => Some(item.data_type()),
        DataType::Null => Some(&DataType::Null),
        _ => None,
    }
}

fn fits(kind: Kind, item: &DataType) -> bool {
    if let DataType::Dictionary(_, value) = item {
        return fits(kind, value);
    }
    match (kind, item) {
        (_, DataType::Null) => true,
        (Kind::Numbers, item) => item.is_numeric(),
        (Kind::Texts, item) => item.is_string(),
        (Kind::Dates, item) => is_time(item) || item.is_string(),
        (_, DataType::Struct(fields)) => {
            fields.len() == 2 && fields.iter().all(|field| field.data_type().is_numeric())
        }
        _ => false,
    }
}

/// The type that lists of `kind` are cast to.
fn list(kind: Kind) -> DataType {
    let item = match kind {
        Kind::Texts => DataType::Utf8,
        Kind::Dates => DataType::Date32,
        Kind::Tiers => DataType::Struct(
            ["from", "rate"].map(|name| Field::new(name, DataType::Float64, true)).to_vec().into(),
        ),
        _ => DataType::Float64,
    };
    DataType::List(Field::new_list_field(item, true).into())
}

fn is_time(from: &DataType) -> bool {
    matches!(from, DataType::Date32 | DataType::Date64 | DataType::Timestamp(..))
}

fn wanted(kind: Kind) -> &'static str {
    match kind {
        Kind::Number => "a number",
        Kind::Integer => "a whole number",
        Kind::Date | Kind::Time | Kind::Moment => "a date or a timestamp",
        Kind::Boolean => "true or false",
        Kind::Text | Kind::LongText => "text",
        Kind::Numbers => "a list of numbers",
        Kind::Texts => "a list of texts",
        Kind::Dates => "a list of dates",
        Kind::Tiers => "a list of structs of two numbers, from and rate",
        Kind::Features => "a struct of numbers, texts and booleans",
        Kind::Money => "an amount",
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
        let noun = if most == 1 { "argument" } else { "arguments" };
        return plan_err!("{function}: takes {range} {noun}, got {}", given.len());
    }
    let pairs = parameters.iter().zip(given);
    pairs.map(|((name, kind), from)| target(function, name, *kind, from)).collect()
}
