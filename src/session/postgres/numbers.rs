//! Arithmetic that Postgres has as functions: `mod`, `div`, `width_bucket`, `to_number`.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue, exec_err};

use super::{Definition, Kind, float, integer, text};

pub(super) const DEFINITIONS: &[Definition] = &[
    Definition {
        name: "mod",
        needed: 2,
        kinds: &[Kind::Number, Kind::Number],
        is_open: false,
        takes_null: false,
        returns: common,
        answer: |given, _| divided(given, "mod", |a, b| a % b, |a, b| a % b),
    },
    Definition {
        name: "div",
        needed: 2,
        kinds: &[Kind::Number, Kind::Number],
        is_open: false,
        takes_null: false,
        returns: common,
        answer: |given, _| divided(given, "div", |a, b| a / b, |a, b| (a / b).trunc()),
    },
    Definition {
        name: "width_bucket",
        needed: 4,
        kinds: &[Kind::Float, Kind::Float, Kind::Float, Kind::Integer],
        is_open: false,
        takes_null: false,
        returns: |_| DataType::Int32,
        answer: |given, _| width_bucket(given),
    },
    Definition {
        name: "for_logarithm",
        needed: 1,
        kinds: &[Kind::Float],
        is_open: false,
        takes_null: false,
        returns: |_| DataType::Float64,
        answer: |given, _| match float(&given[0]) {
            0.0 => exec_err!("cannot take logarithm of zero"),
            number if number < 0.0 => exec_err!("cannot take logarithm of a negative number"),
            _ => Ok(given[0].clone()),
        },
    },
    Definition {
        name: "to_hex",
        needed: 1,
        kinds: &[Kind::Any],
        is_open: false,
        takes_null: false,
        returns: |_| DataType::Utf8,
        answer: |given, _| to_hex(&given[0]),
    },
    Definition {
        name: "to_number",
        needed: 2,
        kinds: &[Kind::Text, Kind::Text],
        is_open: false,
        takes_null: false,
        returns: |_| DataType::Decimal128(38, 10),
        answer: |given, _| to_number(text(&given[0]), text(&given[1])),
    },
];

/// Whole numbers stay whole; of decimals, those with the most places; else a float.
fn common(given: &[DataType]) -> DataType {
    match given {
        [DataType::Int64, DataType::Int64] => DataType::Int64,
        _ => DataType::Float64,
    }
}

fn divided(
    given: &[ScalarValue],
    name: &str,
    whole: fn(i64, i64) -> i64,
    real: fn(f64, f64) -> f64,
) -> Result<ScalarValue> {
    if let [ScalarValue::Int64(Some(a)), ScalarValue::Int64(Some(b))] = given {
        return match (*b, *a) {
            (0, _) => exec_err!("division by zero"),
            (-1, i64::MIN) => exec_err!("{name}: result out of range"),
            (b, a) => Ok(ScalarValue::Int64(Some(whole(a, b)))),
        };
    }
    let number = |value: &ScalarValue| value.cast_to(&DataType::Float64).map(|value| float(&value));
    let (a, b) = (number(&given[0])?, number(&given[1])?);
    if b == 0.0 {
        return exec_err!("division by zero");
    }
    Ok(ScalarValue::Float64(Some(real(a, b))))
}

/// The digits of as many bits as the number's type has.
fn to_hex(number: &ScalarValue) -> Result<ScalarValue> {
    let digits = match number {
        ScalarValue::Int32(Some(number)) => format!("{number:x}"),
        other if other.data_type().is_integer() => {
            format!("{:x}", integer(&other.cast_to(&DataType::Int64)?))
        }
        _ => return exec_err!("to_hex: takes a whole number"),
    };
    Ok(ScalarValue::Utf8(Some(digits)))
}

fn width_bucket(given: &[ScalarValue]) -> Result<ScalarValue> {
    let [value, low, high] = [0, 1, 2].map(|at| float(&given[at]));
    let count = integer(&given[3]);
    if count <= 0 || count > i64::from(i32::MAX - 1) {
        return exec_err!("width_bucket: count must be above 0, got {count}");
    }
    if low == high || ![value, low, high].iter().all(|number| number.is_finite()) {
        return exec_err!("width_bucket: bounds must be finite and not the same");
    }
    let share = (value - low) / (high - low);
    let bucket = match share {
        share if share < 0.0 => 0,
        share if share >= 1.0 => count + 1,
        share => (share * count as f64) as i64 + 1,
    };
    Ok(ScalarValue::Int32(Some(bucket as i32)))
}

/// The digits, sign and point of `from`; what else the template names is passed over.
fn to_number(from: &str, template: &str) -> Result<ScalarValue> {
    let is_known = |c: char| "9 0.,DGSLFMIPR$".contains(c.to_ascii_uppercase());
    if let Some(other) = template.chars().find(|c| !is_known(*c)) {
        return exec_err!("to_number: \"{template}\" has {other}, which is not known here");
    }
    let is_negative = from.contains('-') || from.contains('<');
    let bare: String = from.chars().filter(|c| c.is_ascii_digit() || *c == '.').collect();
    let (whole, part) = bare.split_once('.').unwrap_or((&bare, ""));
    let part: String = part.chars().filter(char::is_ascii_digit).take(10).collect();
    let digits = format!("{whole}{part:0<10}");
    match digits.parse::<i128>() {
        Ok(value) if !bare.is_empty() && value < 10_i128.pow(37) => {
            let value = if is_negative { -value } else { value };
            Ok(ScalarValue::Decimal128(Some(value), 38, 10))
        }
        _ => exec_err!("to_number: \"{from}\" is no number"),
    }
}
