//! Signs of numbers and places of decimals: `sign`, `scale`, `min_scale`, `trim_scale`.

use chrono_tz::Tz;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue, exec_err};

use super::{Definition, Kind, float, integer};

/// Functions whose decimals are shown without zeros at the end.
pub(super) const TRIMMED: &[&str] = &["trim_scale"];

const fn of(
    name: &'static str,
    returns: fn(&[DataType]) -> DataType,
    answer: fn(&[ScalarValue], Tz) -> Result<ScalarValue>,
) -> Definition {
    Definition {
        name,
        needed: 1,
        kinds: &[Kind::Number],
        is_open: false,
        takes_null: false,
        returns,
        answer,
    }
}

const COUNT: fn(&[DataType]) -> DataType = |_| DataType::Int32;

pub(super) const DEFINITIONS: &[Definition] = &[
    of(
        "sign",
        |given| match given {
            [DataType::Decimal128(..)] => DataType::Decimal128(1, 0),
            _ => DataType::Float64,
        },
        |given, _| {
            Ok(match &given[0] {
                ScalarValue::Decimal128(Some(value), ..) => {
                    ScalarValue::Decimal128(Some(value.signum()), 1, 0)
                }
                ScalarValue::Int64(_) => ScalarValue::from(integer(&given[0]).signum() as f64),
                other => match float(other) {
                    number if number == 0.0 || number.is_nan() => ScalarValue::from(number),
                    number => ScalarValue::from(number.signum()),
                },
            })
        },
    ),
    of("scale", COUNT, |given, _| Ok(ScalarValue::Int32(Some(decimal(&given[0])?.1.into())))),
    of("min_scale", COUNT, |given, _| {
        let (mut value, mut places) = decimal(&given[0])?;
        while places > 0 && value % 10 == 0 {
            (value, places) = (value / 10, places - 1);
        }
        Ok(ScalarValue::Int32(Some(if value == 0 { 0 } else { places.into() })))
    }),
    of(
        "trim_scale",
        |given| match given {
            [number @ DataType::Decimal128(..)] => number.clone(),
            _ => DataType::Decimal128(38, 0),
        },
        |given, _| match &given[0] {
            number @ ScalarValue::Decimal128(..) => Ok(number.clone()),
            other => Ok(ScalarValue::Decimal128(Some(decimal(other)?.0), 38, 0)),
        },
    ),
];

/// A number as digits and places behind the point.
fn decimal(value: &ScalarValue) -> Result<(i128, i8)> {
    match value {
        ScalarValue::Decimal128(Some(value), _, places) => Ok((*value, *places)),
        ScalarValue::Int64(Some(number)) => Ok((i128::from(*number), 0)),
        other => exec_err!("function does not exist for {}: cast to numeric", other.data_type()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_behind_the_point_are_no_places() {
        let of = |value, places| {
            let definition = DEFINITIONS.iter().find(|d| d.name == "min_scale").expect("there");
            let given = [ScalarValue::Decimal128(Some(value), 10, places)];
            (definition.answer)(&given, Tz::UTC).expect("a number")
        };
        assert_eq!(of(84_100, 4), ScalarValue::Int32(Some(2)));
        assert_eq!(of(80_000, 4), ScalarValue::Int32(Some(0)));
        assert_eq!(of(0, 4), ScalarValue::Int32(Some(0)));
        assert_eq!(of(-12_345, 4), ScalarValue::Int32(Some(4)));
    }
}
