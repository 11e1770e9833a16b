//! Casts: texts that Postgres reads and the engine does not, rounding, lengths.

use datafusion::sql::sqlparser::ast::{
    Array, ArrayElemTypeDef, CastKind, CharacterLength, DataType, ExactNumberInfo, Expr, Interval,
    TimezoneInfo, Value,
};

use super::literals;
use super::phrase::{made, number_of, quoted, string, text_of};
use crate::error::{Error, Result};

/// Digits that the engine's decimals have.
const DIGITS_MAX: usize = 38;

/// `expr` as a value of `data_type`.
pub(super) fn cast(expr: Expr, data_type: DataType) -> Expr {
    Expr::Cast { kind: CastKind::Cast, expr: Box::new(expr), data_type, array: false, format: None }
}

/// What `expr` cast to `data_type` is in the engine's words; `None` if it is the same.
pub(super) fn reworded(expr: &Expr, data_type: &DataType) -> Result<Option<Expr>> {
    if let Some(text) = text_of(expr)
        && let Some(made) = of_literal(text, data_type)?
    {
        return Ok(Some(made));
    }
    Ok(match data_type {
        DataType::SmallInt(_)
        | DataType::Int2(_)
        | DataType::Int(_)
        | DataType::Integer(_)
        | DataType::Int4(_)
        | DataType::BigInt(_)
        | DataType::Int8(_)
            if text_of(expr).is_none()
                && number_of(expr).is_none_or(|digits| digits.contains('.')) =>
        {
            let whole = made("whole_number($1)", std::slice::from_ref(expr))?;
            Some(cast(whole, data_type.clone()))
        }
        DataType::Numeric(ExactNumberInfo::None)
        | DataType::Decimal(ExactNumberInfo::None)
        | DataType::Dec(ExactNumberInfo::None) => match number_of(expr) {
            Some(digits) if digits.contains('.') => Some(expr.clone()),
            _ => Some(made("numeric_of($1)", std::slice::from_ref(expr))?),
        },
        DataType::DoublePrecision | DataType::Double(_) | DataType::Float8 | DataType::Float(_)
            if text_of(expr).is_none() && number_of(expr).is_none() =>
        {
            let float = made("float_of($1)", std::slice::from_ref(expr))?;
            Some(cast(float, data_type.clone()))
        }
        DataType::Text => Some(made("text_of($1)", std::slice::from_ref(expr))?),
        DataType::Varchar(length) | DataType::CharacterVarying(length) => {
            Some(characters(expr, length.as_ref(), false)?)
        }
        DataType::Char(length) | DataType::Character(length) => {
            let one = CharacterLength::IntegerLength { length: 1, unit: None };
            Some(characters(expr, Some(length.as_ref().unwrap_or(&one)), true)?)
        }
        DataType::Custom(name, _) => match name.to_string().to_lowercase().as_str() {
            "name" => Some(made("text_of($1)", std::slice::from_ref(expr))?),
            "timetz" => return Err(unknown("time with time zone")),
            _ => None,
        },
        DataType::JSON => Some(made("json_value($1)", std::slice::from_ref(expr))?),
        DataType::JSONB => Some(made("jsonb_value($1)", std::slice::from_ref(expr))?),
        DataType::Time(_, TimezoneInfo::Tz | TimezoneInfo::WithTimeZone) => {
            return Err(unknown("time with time zone"));
        }
        _ => None,
    })
}

fn unknown(name: &str) -> Error {
    Error::statement("0A000", format!("type {name} is not supported"))
}

/// Cut, and for `char` filled with blanks, to its length.
fn characters(expr: &Expr, length: Option<&CharacterLength>, is_filled: bool) -> Result<Expr> {
    let text = match text_of(expr) {
        Some(text) => string(text),
        None => made("text_of($1)", std::slice::from_ref(expr))?,
    };
    match length {
        Some(CharacterLength::IntegerLength { length, .. }) if is_filled => {
            made(&format!("rpad($1, {length})"), &[text])
        }
        Some(CharacterLength::IntegerLength { length, .. }) => {
            made(&format!("left($1, {length})"), &[text])
        }
        _ => made("CAST($1 AS VARCHAR)", &[text]),
    }
}

/// The literal `text` of type `data_type`; `None` where the engine reads it as Postgres does.
pub(super) fn of_literal(text: &str, data_type: &DataType) -> Result<Option<Expr>> {
    let lower = text.trim().to_lowercase();
    let canonical = |text: String| Some(cast(string(&text), data_type.clone()));
    Ok(match data_type {
        DataType::Date => match lower.as_str() {
            "today" | "now" => Some(made("current_date", &[])?),
            "tomorrow" => Some(made("CAST(current_date + INTERVAL '1 day' AS DATE)", &[])?),
            "yesterday" => Some(made("CAST(current_date - INTERVAL '1 day' AS DATE)", &[])?),
            "epoch" => canonical("1970-01-01".into()),
            "infinity" | "-infinity" => return Err(endless()),
            _ => canonical(literals::date(text)?),
        },
        DataType::Timestamp(_, zone) => {
            let is_zoned = matches!(zone, TimezoneInfo::WithTimeZone | TimezoneInfo::Tz);
            let kind = data_type.to_string();
            match lower.as_str() {
                "now" => Some(made(&format!("CAST(now() AS {kind})"), &[])?),
                "today" => Some(made(&format!("CAST(current_date AS {kind})"), &[])?),
                "epoch" => canonical("1970-01-01T00:00:00".into()),
                "infinity" | "-infinity" => return Err(endless()),
                _ => canonical(literals::timestamp(text, is_zoned)?),
            }
        }
        DataType::Time(_, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => {
            canonical(literals::time(text)?)
        }
        DataType::Interval { .. } => Some(span(literals::interval(text, None)?)?),
        DataType::Bytea => match lower.strip_prefix("\\x") {
            Some(hex) if hex.len() % 2 == 0 && hex.bytes().all(|b| b.is_ascii_hexdigit()) => {
                Some(Expr::Value(Value::HexStringLiteral(hex.to_owned()).into()))
            }
            Some(_) => {
                return Err(Error::statement("22023", "invalid hexadecimal data"));
            }
            None => None,
        },
        DataType::Numeric(ExactNumberInfo::None)
        | DataType::Decimal(ExactNumberInfo::None)
        | DataType::Dec(ExactNumberInfo::None) => Some(decimal(text)?),
        DataType::Text => Some(string(text)),
        DataType::Custom(name, _) if name.to_string().eq_ignore_ascii_case("name") => {
            Some(string(text))
        }
        DataType::Array(ArrayElemTypeDef::SquareBracket(element, None)) => {
            Some(array(text, element, data_type)?)
        }
        _ => None,
    })
}

fn endless() -> Error {
    Error::statement("0A000", "dates without end (infinity) are not supported")
}

/// `{1,NULL}` as a list.
fn array(text: &str, element: &DataType, data_type: &DataType) -> Result<Expr> {
    let Some(elements) = literals::array_elements(text) else {
        let message = format!("malformed array literal: \"{text}\"");
        return Err(Error::statement("22P02", message));
    };
    let of = |text: Option<String>| match text {
        None => Ok(cast(Expr::Value(Value::Null.into()), element.clone())),
        Some(text) => Ok(match of_literal(&text, element)? {
            Some(made) => made,
            None => cast(string(&text), element.clone()),
        }),
    };
    let elem = elements.into_iter().map(of).collect::<Result<Vec<_>>>()?;
    Ok(cast(Expr::Array(Array { elem, named: true }), data_type.clone()))
}

/// A decimal of exactly the digits of `text`.
pub(super) fn decimal(text: &str) -> Result<Expr> {
    let refuse = || {
        let message = format!("invalid input syntax for type numeric: \"{text}\"");
        Error::statement("22P02", message)
    };
    let lower = text.trim().to_lowercase();
    let (mantissa, exponent) = match lower.split_once('e') {
        Some((mantissa, exponent)) => (mantissa, exponent.parse().map_err(|_| refuse())?),
        None => (lower.as_str(), 0_i32),
    };
    let bare = mantissa.strip_prefix(['-', '+']).unwrap_or(mantissa);
    let (whole, part) = bare.split_once('.').unwrap_or((bare, ""));
    let mut digits = format!("{whole}{part}");
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(refuse());
    }
    let scale = part.len() as i64 - i64::from(exponent);
    if scale.unsigned_abs() > DIGITS_MAX as u64 {
        let message = "value overflows numeric format: it has more than 38 digits";
        return Err(Error::statement("22003", message));
    }
    digits.extend(std::iter::repeat_n('0', (-scale).max(0) as usize));
    let scale = scale.max(0) as usize;
    let digits = format!("{digits:0>width$}", width = scale + 1);
    let (whole, part) = digits.split_at(digits.len() - scale);
    let precision = (whole.trim_start_matches('0').len() + scale).max(1);
    if precision > DIGITS_MAX {
        let message = "value overflows numeric format: it has more than 38 digits";
        return Err(Error::statement("22003", message));
    }
    let sign = if mantissa.starts_with('-') { "-" } else { "" };
    let point = if scale > 0 { "." } else { "" };
    let value = quoted(&format!("{sign}{whole}{point}{part}"));
    made(&format!("CAST({value} AS DECIMAL({precision}, {scale}))"), &[])
}

/// A span of time in words that the engine reads.
pub(super) fn span((months, days, us): literals::Span) -> Result<Expr> {
    made(&format!("INTERVAL '{months} months {days} days {us} microseconds'"), &[])
}

/// `INTERVAL '1' MONTH` and its like; `None` for a value that is no literal.
pub(super) fn of_interval(interval: &Interval) -> Result<Option<Expr>> {
    let Some(text) = text_of(&interval.value) else { return Ok(None) };
    let unit = interval.last_field.as_ref().or(interval.leading_field.as_ref());
    let unit = unit.map(|unit| unit.to_string().to_lowercase());
    Ok(Some(span(literals::interval(text, unit.as_deref())?)?))
}
