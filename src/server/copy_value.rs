//! Values of COPY FROM: text or bytes into columns of their types.

use std::sync::Arc;

use arrow::array::{
    ArrayBuilder, ArrayRef, BinaryBuilder, BooleanBuilder, Date32Builder, Decimal128Builder,
    Float32Builder, Float64Builder, Int16Builder, Int32Builder, Int64Builder, ListArray,
    StringBuilder, TimestampMicrosecondBuilder,
};
use arrow::buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::compute::kernels::cast_utils::{Parser, parse_decimal, string_to_datetime};
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, FieldRef};
use bytes::Bytes;
use chrono_tz::Tz;

use super::encode::types;
use super::fault::Fault;
use super::parameters::{elements_of_binary, numeric_of_binary};
use crate::error::Result;
use crate::session::array_elements;

/// From the first day of 1970 to that of 2000, where Postgres counts from.
const EPOCH_DAYS: i32 = 10_957;
const EPOCH_MICROS: i64 = 946_684_800_000_000;

/// One column that is being filled.
#[derive(Debug)]
pub(super) enum Sink {
    Boolean(BooleanBuilder),
    Int2(Int16Builder),
    Int4(Int32Builder),
    Int8(Int64Builder),
    Float4(Float32Builder),
    Float8(Float64Builder),
    Numeric(Decimal128Builder, u8, i8),
    Text(StringBuilder),
    Bytes(BinaryBuilder),
    Date(Date32Builder),
    /// An instant; without zone what is written is kept, with one it is read there.
    Instant(TimestampMicrosecondBuilder, Option<Tz>),
    List {
        element: Box<Sink>,
        field: FieldRef,
        ends: Vec<i32>,
        is_valid: Vec<bool>,
        oid: u32,
    },
}

impl Sink {
    /// An empty column of `kind`; instants without a zone of their own are read in `zone`.
    ///
    /// # Errors
    /// 0A000 for a type that COPY does not fill.
    pub(super) fn of(kind: &DataType, zone: Tz) -> Result<Self, Fault> {
        use DataType as D;
        Ok(match kind {
            D::Boolean => Self::Boolean(BooleanBuilder::new()),
            D::Int16 => Self::Int2(Int16Builder::new()),
            D::Int32 => Self::Int4(Int32Builder::new()),
            D::Int64 => Self::Int8(Int64Builder::new()),
            D::Float32 => Self::Float4(Float32Builder::new()),
            D::Float64 => Self::Float8(Float64Builder::new()),
            D::Decimal128(precision, scale) => {
                let builder = Decimal128Builder::new().with_data_type(kind.clone());
                Self::Numeric(builder, *precision, *scale)
            }
            D::Utf8 => Self::Text(StringBuilder::new()),
            D::Binary => Self::Bytes(BinaryBuilder::new()),
            D::Date32 => Self::Date(Date32Builder::new()),
            D::Timestamp(_, None) => Self::Instant(TimestampMicrosecondBuilder::new(), None),
            D::Timestamp(_, Some(own)) => {
                let builder = TimestampMicrosecondBuilder::new().with_timezone(own.clone());
                Self::Instant(builder, Some(zone))
            }
            D::List(field) => Self::List {
                element: Box::new(Self::of(field.data_type(), zone)?),
                field: field.clone(),
                ends: vec![0],
                is_valid: vec![],
                oid: types::of_field(field)?.oid,
            },
            other => {
                return Err(Fault::error("0A000", format!("COPY does not fill type {other}")));
            }
        })
    }

    /// Type as Postgres calls it.
    fn type_name(&self) -> &'static str {
        match self {
            Self::Boolean(_) => "boolean",
            Self::Int2(_) => "smallint",
            Self::Int4(_) => "integer",
            Self::Int8(_) => "bigint",
            Self::Float4(_) => "real",
            Self::Float8(_) => "double precision",
            Self::Numeric(..) => "numeric",
            Self::Text(_) => "text",
            Self::Bytes(_) => "bytea",
            Self::Date(_) => "date",
            Self::Instant(_, None) => "timestamp",
            Self::Instant(_, Some(_)) => "timestamp with time zone",
            Self::List { .. } => "array",
        }
    }

    /// Adds NULL.
    pub(super) fn null(&mut self) {
        match self {
            Self::Boolean(to) => to.append_null(),
            Self::Int2(to) => to.append_null(),
            Self::Int4(to) => to.append_null(),
            Self::Int8(to) => to.append_null(),
            Self::Float4(to) => to.append_null(),
            Self::Float8(to) => to.append_null(),
            Self::Numeric(to, ..) => to.append_null(),
            Self::Text(to) => to.append_null(),
            Self::Bytes(to) => to.append_null(),
            Self::Date(to) => to.append_null(),
            Self::Instant(to, _) => to.append_null(),
            Self::List { ends, is_valid, .. } => {
                ends.push(ends.last().copied().unwrap_or(0));
                is_valid.push(false);
            }
        }
    }

    /// Adds the value that `text` writes.
    ///
    /// # Errors
    /// 22P02 for what is no such value, 22003 for a number out of range.
    pub(super) fn text(&mut self, text: &str) -> Result<(), Fault> {
        let trimmed = text.trim();
        let done = match self {
            Self::Boolean(to) => boolean(trimmed).map(|value| to.append_value(value)),
            Self::Int2(to) => whole(trimmed, "smallint")?.map(|value| to.append_value(value)),
            Self::Int4(to) => whole(trimmed, "integer")?.map(|value| to.append_value(value)),
            Self::Int8(to) => whole(trimmed, "bigint")?.map(|value| to.append_value(value)),
            Self::Float4(to) => trimmed.parse().ok().map(|value| to.append_value(value)),
            Self::Float8(to) => trimmed.parse().ok().map(|value| to.append_value(value)),
            Self::Numeric(to, precision, scale) => {
                numeric(trimmed, *precision, *scale)?.map(|value| to.append_value(value))
            }
            Self::Text(to) => Some(to.append_value(text)),
            Self::Bytes(to) => bytea(text).map(|value| to.append_value(value)),
            Self::Date(to) => Date32Type::parse(trimmed).map(|value| to.append_value(value)),
            Self::Instant(to, zone) => instant(trimmed, *zone).map(|value| to.append_value(value)),
            Self::List { element, ends, is_valid, .. } => match array_elements(trimmed) {
                Some(elements) => {
                    let count = fill(element, &elements)?;
                    ends.push(ends.last().copied().unwrap_or(0) + count);
                    is_valid.push(true);
                    Some(())
                }
                None => None,
            },
        };
        done.ok_or_else(|| {
            let message = format!("invalid input syntax for type {}: \"{text}\"", self.type_name());
            Fault::error("22P02", message)
        })
    }

    /// Adds the value whose binary form is `bytes`.
    ///
    /// # Errors
    /// 22P03 for bytes that are none, 22021 for text that is not UTF-8.
    pub(super) fn binary(&mut self, bytes: &Bytes) -> Result<(), Fault> {
        let wrong = || Fault::error("22P03", "incorrect binary data format");
        match self {
            Self::Boolean(to) => to.append_value(u8::from_be_bytes(fixed(bytes)?) != 0),
            Self::Int2(to) => to.append_value(i16::from_be_bytes(fixed(bytes)?)),
            Self::Int4(to) => to.append_value(i32::from_be_bytes(fixed(bytes)?)),
            Self::Int8(to) => to.append_value(i64::from_be_bytes(fixed(bytes)?)),
            Self::Float4(to) => to.append_value(f32::from_be_bytes(fixed(bytes)?)),
            Self::Float8(to) => to.append_value(f64::from_be_bytes(fixed(bytes)?)),
            Self::Numeric(..) => {
                if bytes.len() < 8 {
                    return Err(wrong());
                }
                let text = numeric_of_binary(bytes.clone()).ok_or_else(wrong)?;
                self.text(&text)?;
            }
            Self::Text(to) => {
                let text = std::str::from_utf8(bytes).map_err(|_| not_utf8())?;
                to.append_value(text);
            }
            Self::Bytes(to) => to.append_value(bytes),
            Self::Date(to) => {
                let days = i32::from_be_bytes(fixed(bytes)?).checked_add(EPOCH_DAYS);
                to.append_value(days.ok_or_else(wrong)?);
            }
            Self::Instant(to, _) => {
                let micros = i64::from_be_bytes(fixed(bytes)?).checked_add(EPOCH_MICROS);
                to.append_value(micros.ok_or_else(wrong)?);
            }
            Self::List { element, ends, is_valid, oid, .. } => {
                let elements = elements_of_binary(bytes.clone(), *oid).ok_or_else(wrong)?;
                let count = fill(element, &elements)?;
                ends.push(ends.last().copied().unwrap_or(0) + count);
                is_valid.push(true);
            }
        }
        Ok(())
    }

    /// The column; it starts anew.
    pub(super) fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Boolean(from) => Arc::new(from.finish()),
            Self::Int2(from) => ArrayBuilder::finish(from),
            Self::Int4(from) => ArrayBuilder::finish(from),
            Self::Int8(from) => ArrayBuilder::finish(from),
            Self::Float4(from) => ArrayBuilder::finish(from),
            Self::Float8(from) => ArrayBuilder::finish(from),
            Self::Numeric(from, ..) => ArrayBuilder::finish(from),
            Self::Text(from) => ArrayBuilder::finish(from),
            Self::Bytes(from) => ArrayBuilder::finish(from),
            Self::Date(from) => ArrayBuilder::finish(from),
            Self::Instant(from, _) => ArrayBuilder::finish(from),
            Self::List { element, field, ends, is_valid, .. } => {
                let ends = std::mem::replace(ends, vec![0]);
                let nulls = NullBuffer::from(std::mem::take(is_valid));
                let offsets = OffsetBuffer::new(ScalarBuffer::from(ends));
                let values = element.finish();
                Arc::new(ListArray::new(field.clone(), offsets, values, Some(nulls)))
            }
        }
    }
}

/// Adds `elements` to their column; how many there were.
fn fill(element: &mut Sink, elements: &[Option<String>]) -> Result<i32, Fault> {
    for value in elements {
        match value {
            None => element.null(),
            Some(text) => element.text(text)?,
        }
    }
    i32::try_from(elements.len()).map_err(|_| Fault::error("54000", "the array is too long"))
}

fn fixed<const N: usize>(bytes: &Bytes) -> Result<[u8; N], Fault> {
    <[u8; N]>::try_from(&bytes[..])
        .map_err(|_| Fault::error("22P03", "incorrect binary data format"))
}

/// 22021.
pub(super) fn not_utf8() -> Fault {
    Fault::error("22021", "invalid byte sequence for encoding \"UTF8\"")
}

fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "t" | "true" | "y" | "yes" | "on" | "1" => Some(true),
        "f" | "false" | "n" | "no" | "off" | "0" => Some(false),
        _ => None,
    }
}

fn whole<T: TryFrom<i128>>(text: &str, name: &str) -> Result<Option<T>, Fault> {
    let Ok(value) = text.parse::<i128>() else { return Ok(None) };
    match T::try_from(value) {
        Ok(value) => Ok(Some(value)),
        Err(_) => {
            let message = format!("value \"{text}\" is out of range for type {name}");
            Err(Fault::error("22003", message))
        }
    }
}

fn numeric(text: &str, precision: u8, scale: i8) -> Result<Option<i128>, Fault> {
    let is_number = text.parse::<f64>().is_ok_and(f64::is_finite);
    if !is_number {
        return Ok(None);
    }
    match parse_decimal::<Decimal128Type>(text, precision, scale) {
        Ok(value) => Ok(Some(value)),
        Err(_) => Err(Fault::error("22003", "numeric field overflow").with_detail(format!(
            "A field with precision {precision}, scale {scale} must round to an absolute value \
             less than 10^{}.",
            i16::from(precision) - i16::from(scale)
        ))),
    }
}

fn instant(text: &str, zone: Option<Tz>) -> Option<i64> {
    let read = string_to_datetime(&zone.unwrap_or(Tz::UTC), text).ok()?;
    Some(read.timestamp_micros())
}

/// `\x` and pairs of digits, or bytes with escapes.
fn bytea(text: &str) -> Option<Vec<u8>> {
    if let Some(hex) = text.strip_prefix("\\x") {
        let digits: Vec<u8> =
            hex.chars().map(|c| c.to_digit(16).map(|d| d as u8)).collect::<Option<_>>()?;
        let pairs = digits.chunks(2);
        return pairs.map(|pair| Some(pair[0] << 4 | *pair.get(1)?)).collect();
    }
    let (mut bytes, mut rest) = (vec![], text.as_bytes());
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'\\' {
            bytes.push(*first);
        } else if let Some(after) = rest.strip_prefix(b"\\") {
            bytes.push(b'\\');
            rest = after;
        } else {
            let digits = std::str::from_utf8(rest.get(..3)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 8).ok()?);
            rest = &rest[3..];
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use arrow::array::AsArray;
    use arrow::datatypes::{Field, TimeUnit};

    use super::*;

    fn one(kind: DataType, text: &str) -> Result<ArrayRef, Fault> {
        let mut sink = Sink::of(&kind, Tz::Europe__Madrid)?;
        sink.text(text)?;
        Ok(sink.finish())
    }

    #[test]
    fn texts_become_values_as_postgres_reads_them() {
        assert!(one(DataType::Boolean, "yes").expect("a boolean").as_boolean().value(0));
        let money = one(DataType::Decimal128(10, 2), "12.345").expect("a number");
        let cents = money.as_primitive::<Decimal128Type>().value(0);
        assert!([1234, 1235].contains(&cents), "{cents}");
        let zoned = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        let noon = one(zoned.clone(), "2026-01-01 12:00:00").expect("an instant");
        let same = one(zoned, "2026-01-01 11:00:00+00").expect("an instant");
        assert_eq!(&noon, &same, "without a zone it is read in that of the session");
        let list = DataType::List(Arc::new(Field::new("element", DataType::Int32, true)));
        let list = one(list, "{1,NULL,3}").expect("an array");
        assert_eq!(list.as_list::<i32>().value(0).len(), 3);
        assert_eq!(bytea("\\x00ff"), Some(vec![0, 255]));
        assert_eq!(bytea("a\\\\\\001"), Some(b"a\\\x01".to_vec()));
    }

    #[test]
    fn what_is_no_value_has_its_code() {
        for (kind, text, code) in [
            (DataType::Int32, "x", "22P02"),
            (DataType::Int16, "40000", "22003"),
            (DataType::Decimal128(4, 2), "1234.5", "22003"),
            (DataType::Decimal128(4, 2), "nan", "22P02"),
            (DataType::Date32, "2026-13-01", "22P02"),
            (DataType::Boolean, "perhaps", "22P02"),
        ] {
            assert_eq!(one(kind, text).expect_err(text).sqlstate, code, "{text}");
        }
    }
}
