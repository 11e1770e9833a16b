//! One column of a batch, downcast once, written value by value.

use std::ops::Range;

use chrono::{Offset, TimeZone};
use chrono_tz::Tz;
use datafusion::arrow::array::{Array, StringArray};
use datafusion::arrow::buffer::NullBuffer;
use datafusion::arrow::datatypes::Field;

use super::binary::{self, begin_value, end_value, push_null, put_bytes, put_part};
use super::text::{self, with_wide_digits};
use super::values::Values;
use super::{calendar, types};
use crate::error::Result;
use crate::session::{SCALE_KEY, shown_places};

/// A column with its array type known.
pub(super) struct Column<'a> {
    oid: u32,
    nulls: Option<&'a NullBuffer>,
    values: Values<'a>,
    places: Places,
}

/// Which places behind the point of a decimal are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Places {
    /// All that its type has.
    All,
    /// Those of a quotient, at least so many.
    Quotient(i8),
    /// Up to the last that is not zero.
    Needed,
}

impl Places {
    fn of(field: &Field) -> Self {
        match field.metadata().get(SCALE_KEY).map(String::as_str) {
            None => Self::All,
            Some("trim") => Self::Needed,
            Some(least) => Self::Quotient(least.parse().unwrap_or(0)),
        }
    }

    /// The decimal with the places that are sent.
    #[inline]
    fn kept(self, value: i128, scale: i8) -> (i128, i8) {
        let places = match self {
            Self::All => return (value, scale),
            Self::Quotient(least) => shown_places(value, scale, least),
            Self::Needed => 0,
        };
        let (mut value, mut scale) = (value, scale);
        while scale > places && value % 10 == 0 {
            (value, scale) = (value / 10, scale - 1);
        }
        (value, scale)
    }
}

impl<'a> Column<'a> {
    /// Takes `array` for what it is.
    ///
    /// # Errors
    /// 0A000 for a type that [`types::of`] refuses.
    pub(super) fn new(array: &'a dyn Array, oid: u32) -> Result<Self> {
        let places = Places::All;
        Ok(Self { oid, nulls: array.nulls(), values: Values::new(array)?, places })
    }

    /// Takes `array` for what it is, and as `field` says that it is shown.
    ///
    /// # Errors
    /// As [`Column::new`].
    pub(super) fn of_field(array: &'a dyn Array, field: &Field) -> Result<Self> {
        let column = Self::new(array, types::of_field(field)?.oid)?;
        Ok(Self { places: Places::of(field), ..column })
    }

    pub(super) fn child(array: &'a dyn Array) -> Result<Self> {
        Self::new(array, types::of(array.data_type())?.oid)
    }

    #[inline]
    fn is_null(&self, row: usize) -> bool {
        if self.nulls.is_some_and(|nulls| nulls.is_null(row)) {
            return true;
        }
        match &self.values {
            Values::Null => true,
            Values::Dictionary(keys, values) => values.is_null(keys[row]),
            _ => false,
        }
    }

    /// A length and the value of `row` as text.
    pub(super) fn put_text(&self, row: usize, zone: Tz, out: &mut Vec<u8>) -> Result<()> {
        if self.is_null(row) {
            push_null(out);
            return Ok(());
        }
        // What most columns are, without the way around.
        match &self.values {
            Values::Text(array) => return put_part(out, array.value_data(), ends(array, row)),
            Values::TextView(array) => return put_bytes(out, array.value(row).as_bytes()),
            _ => {}
        }
        let start = begin_value(out);
        self.push_text(row, zone, out);
        end_value(out, start)
    }

    /// Appends the value of `row` as text without a length; false for NULL.
    pub(super) fn append_text(&self, row: usize, zone: Tz, out: &mut Vec<u8>) -> bool {
        let is_known = !self.is_null(row);
        if is_known {
            self.push_text(row, zone, out);
        }
        is_known
    }

    /// A length and the value of `row` in binary.
    pub(super) fn put_binary(&self, row: usize, zone: Tz, out: &mut Vec<u8>) -> Result<()> {
        if self.is_null(row) {
            push_null(out);
            return Ok(());
        }
        match &self.values {
            Values::I32(values) => return put_four(out, values[row].to_be_bytes()),
            Values::I64(values) => return put_eight(out, values[row].to_be_bytes()),
            Values::F64(values) => return put_eight(out, values[row].to_be_bytes()),
            Values::Date32(values) => {
                return put_four(out, binary::date(i64::from(values[row]))?.to_be_bytes());
            }
            Values::Timestamp(values, second) | Values::TimestampTz(values, second) => {
                return put_eight(out, binary::timestamp(values[row], *second)?.to_be_bytes());
            }
            Values::Text(array) if self.oid != types::JSONB => {
                return put_part(out, array.value_data(), ends(array, row));
            }
            Values::TextView(array) if self.oid != types::JSONB => {
                return put_bytes(out, array.value(row).as_bytes());
            }
            _ => {}
        }
        let start = begin_value(out);
        self.push_binary(row, zone, out)?;
        end_value(out, start)
    }

    /// The text of `row`, or `None` for NULL.
    pub(super) fn text(&self, row: usize, zone: Tz) -> Option<Vec<u8>> {
        (!self.is_null(row)).then(|| {
            let mut out = vec![];
            self.push_text(row, zone, &mut out);
            out
        })
    }

    fn push_text(&self, row: usize, zone: Tz, out: &mut Vec<u8>) {
        match &self.values {
            Values::Null => {}
            Values::Bool(array) => out.push(if array.value(row) { b't' } else { b'f' }),
            Values::I8(values) => text::push_integer(out, values[row]),
            Values::I16(values) => text::push_integer(out, values[row]),
            Values::I32(values) => text::push_integer(out, values[row]),
            Values::I64(values) => text::push_integer(out, values[row]),
            Values::U8(values) => text::push_integer(out, values[row]),
            Values::U16(values) => text::push_integer(out, values[row]),
            Values::U32(values) => text::push_integer(out, values[row]),
            Values::U64(values) => text::push_integer(out, values[row]),
            Values::F16(array) => text::push_f32(out, array.value(row).to_f32()),
            Values::F32(values) => text::push_f32(out, values[row]),
            Values::F64(values) => text::push_f64(out, values[row]),
            Values::Date32(values) => push_day(out, i64::from(values[row])),
            Values::Date64(values) => push_day(out, values[row].div_euclid(86_400_000)),
            Values::Time32(values, second) => {
                calendar::push_time(out, i64::from(values[row]), *second);
            }
            Values::Time64(values, second) => calendar::push_time(out, values[row], *second),
            Values::Timestamp(values, second) => {
                calendar::push_timestamp(out, values[row], *second, None);
            }
            Values::TimestampTz(values, second) => {
                let offset = offset(zone, values[row], *second);
                calendar::push_timestamp(out, values[row], *second, Some(offset));
            }
            Values::Duration(..)
            | Values::Months(_)
            | Values::DayTime(_)
            | Values::MonthDayNano(_) => {
                let (months, days, ticks, second) = self.interval(row);
                calendar::push_interval(out, months, days, ticks, second);
            }
            Values::List(spans, element, _) => {
                push_joined(out, spans.at(row), element, zone);
            }
            Values::Struct(fields) => push_record(out, row, fields, zone),
            Values::Dictionary(keys, values) => values.push_text(keys[row], zone, out),
            Values::Decimal256(values, scale) => {
                with_wide_digits(values[row], |sign, digits| {
                    text::push_decimal(out, sign, digits, *scale);
                });
            }
            _ => match self.decimal(row) {
                Some((value, scale)) => text::push_numeric(out, value, scale),
                None if self.is_bytes() => text::push_bytea(out, self.raw(row)),
                None => out.extend_from_slice(self.raw(row)),
            },
        }
    }

    fn push_binary(&self, row: usize, zone: Tz, out: &mut Vec<u8>) -> Result<()> {
        match &self.values {
            Values::Null => {}
            Values::Bool(array) => out.push(u8::from(array.value(row))),
            Values::I8(values) => put(out, i16::from(values[row]).to_be_bytes()),
            Values::U8(values) => put(out, i16::from(values[row]).to_be_bytes()),
            Values::I16(values) => put(out, values[row].to_be_bytes()),
            Values::U16(values) => put(out, i32::from(values[row]).to_be_bytes()),
            Values::I32(values) => put(out, values[row].to_be_bytes()),
            // An object identifier is a u32, and so is its binary form.
            Values::U32(values) if self.oid == types::OID => put(out, values[row].to_be_bytes()),
            Values::U32(values) => put(out, i64::from(values[row]).to_be_bytes()),
            Values::I64(values) => put(out, values[row].to_be_bytes()),
            Values::F16(array) => put(out, array.value(row).to_f32().to_be_bytes()),
            Values::F32(values) => put(out, values[row].to_be_bytes()),
            Values::F64(values) => put(out, values[row].to_be_bytes()),
            Values::Date32(values) => {
                put(out, binary::date(i64::from(values[row]))?.to_be_bytes());
            }
            Values::Date64(values) => {
                put(out, binary::date(values[row].div_euclid(86_400_000))?.to_be_bytes());
            }
            Values::Time32(values, second) => {
                put(out, binary::micros(i64::from(values[row]), *second)?.to_be_bytes());
            }
            Values::Time64(values, second) => {
                put(out, binary::micros(values[row], *second)?.to_be_bytes());
            }
            Values::Timestamp(values, second) | Values::TimestampTz(values, second) => {
                put(out, binary::timestamp(values[row], *second)?.to_be_bytes());
            }
            Values::Duration(..)
            | Values::Months(_)
            | Values::DayTime(_)
            | Values::MonthDayNano(_) => {
                let (months, days, ticks, second) = self.interval(row);
                put(out, binary::micros(ticks, second)?.to_be_bytes());
                put(out, days.to_be_bytes());
                put(out, months.to_be_bytes());
            }
            Values::List(spans, element, is_array) if *is_array => {
                push_array(out, spans.at(row), element, zone)?;
            }
            // Announced as text, so its binary form is the text.
            Values::List(..) => self.push_text(row, zone, out),
            Values::Struct(fields) => {
                put(out, (fields.len() as i32).to_be_bytes());
                for field in fields {
                    put(out, field.oid.to_be_bytes());
                    field.put_binary(row, zone, out)?;
                }
            }
            Values::Dictionary(keys, values) => values.push_binary(keys[row], zone, out)?,
            Values::Decimal256(values, scale) => {
                with_wide_digits(values[row], |sign, digits| {
                    binary::push_long_numeric(out, sign, digits, *scale);
                });
            }
            _ => match self.decimal(row) {
                Some((value, scale)) => binary::push_numeric(out, value, scale),
                None => {
                    // The version of the binary form.
                    out.extend_from_slice(if self.oid == types::JSONB { &[1] } else { &[] });
                    out.extend_from_slice(self.raw(row));
                }
            },
        }
        Ok(())
    }

    /// Units and scale of a decimal up to 128 bits, `None` for other types.
    #[inline]
    fn decimal(&self, row: usize) -> Option<(i128, i8)> {
        Some(match &self.values {
            Values::U64(values) => (i128::from(values[row]), 0),
            Values::Decimal32(values, scale) => (i128::from(values[row]), *scale),
            Values::Decimal64(values, scale) => (i128::from(values[row]), *scale),
            Values::Decimal128(values, scale) => self.places.kept(values[row], *scale),
            _ => return None,
        })
    }

    /// Months, days and ticks of an interval, and how many ticks a second has.
    fn interval(&self, row: usize) -> (i32, i32, i64, i64) {
        match &self.values {
            // A difference of instants is days and a time, as Postgres has it.
            Values::Duration(values, second) => {
                let day = 86_400 * second;
                let days = i32::try_from(values[row] / day);
                days.map_or((0, 0, values[row], *second), |days| {
                    (0, days, values[row] % day, *second)
                })
            }
            Values::Months(values) => (values[row], 0, 0, 1),
            Values::DayTime(values) => {
                (0, values[row].days, i64::from(values[row].milliseconds), 1_000)
            }
            Values::MonthDayNano(values) => {
                let value = values[row];
                (value.months, value.days, value.nanoseconds, 1_000_000_000)
            }
            _ => (0, 0, 0, 1),
        }
    }

    /// The bytes of a text or binary value.
    fn raw(&self, row: usize) -> &[u8] {
        match &self.values {
            Values::Text(array) => array.value(row).as_bytes(),
            Values::LargeText(array) => array.value(row).as_bytes(),
            Values::TextView(array) => array.value(row).as_bytes(),
            Values::Bytes(array) => array.value(row),
            Values::LargeBytes(array) => array.value(row),
            Values::BytesView(array) => array.value(row),
            Values::FixedBytes(array) => array.value(row),
            _ => &[],
        }
    }

    fn is_bytes(&self) -> bool {
        matches!(
            self.values,
            Values::Bytes(_) | Values::LargeBytes(_) | Values::BytesView(_) | Values::FixedBytes(_)
        )
    }
}

/// Where the text of a row is among all texts.
#[inline]
fn ends(array: &StringArray, row: usize) -> Range<usize> {
    let offsets = array.value_offsets();
    // Offsets are never negative: Arrow checks them when it makes the array.
    offsets[row] as usize..offsets[row + 1] as usize
}

/// A length of four bytes and a value of as many, in one piece.
#[inline]
fn put_four(out: &mut Vec<u8>, [a, b, c, d]: [u8; 4]) -> Result<()> {
    out.extend_from_slice(&[0, 0, 0, 4, a, b, c, d]);
    Ok(())
}

/// A length of four bytes and a value of eight, in one piece.
#[inline]
fn put_eight(out: &mut Vec<u8>, [a, b, c, d, e, f, g, h]: [u8; 8]) -> Result<()> {
    out.extend_from_slice(&[0, 0, 0, 8, a, b, c, d, e, f, g, h]);
    Ok(())
}

fn put<const N: usize>(out: &mut Vec<u8>, bytes: [u8; N]) {
    out.extend_from_slice(&bytes);
}

fn push_day(out: &mut Vec<u8>, days: i64) {
    let is_before_christ = calendar::push_date(out, days);
    calendar::push_era(out, is_before_christ);
}

/// Seconds that `zone` is ahead of UTC at an instant; 0 where the calendar ends.
fn offset(zone: Tz, ticks: i64, second: i64) -> i32 {
    if zone == Tz::UTC {
        return 0;
    }
    let instant = chrono::DateTime::from_timestamp(ticks.div_euclid(second), 0);
    instant.map_or(0, |at| zone.offset_from_utc_datetime(&at.naive_utc()).fix().local_minus_utc())
}

/// `{1,NULL,"b c"}`.
fn push_joined(out: &mut Vec<u8>, span: Range<usize>, element: &Column<'_>, zone: Tz) {
    out.push(b'{');
    let first = span.start;
    for row in span {
        if row > first {
            out.push(b',');
        }
        if element.is_null(row) {
            out.extend_from_slice(b"NULL");
            continue;
        }
        let start = out.len();
        element.push_text(row, zone, out);
        // A list in a list is not an element to quote: its braces belong to the outer one.
        if !matches!(element.values, Values::List(..)) {
            text::quote_element(out, start);
        }
    }
    out.push(b'}');
}

/// `(1,,"b c")`; NULL is nothing at all.
fn push_record(out: &mut Vec<u8>, row: usize, fields: &[Column<'_>], zone: Tz) {
    out.push(b'(');
    for (at, field) in fields.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        if !field.is_null(row) {
            let start = out.len();
            field.push_text(row, zone, out);
            text::quote_field(out, start);
        }
    }
    out.push(b')');
}

/// Dimensions (none or one), whether there are NULLs, element type, then the elements.
fn push_array(out: &mut Vec<u8>, span: Range<usize>, element: &Column<'_>, zone: Tz) -> Result<()> {
    let has_nulls = span.clone().any(|row| element.is_null(row));
    put(out, i32::from(!span.is_empty()).to_be_bytes());
    put(out, i32::from(has_nulls).to_be_bytes());
    put(out, element.oid.to_be_bytes());
    if !span.is_empty() {
        put(out, (span.len() as i32).to_be_bytes());
        put(out, 1_i32.to_be_bytes());
    }
    span.into_iter().try_for_each(|row| element.put_binary(row, zone, out))
}
