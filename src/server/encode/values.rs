//! The arrays of a column by their types, downcast once.

use std::ops::Range;

use datafusion::arrow::array::*;
use datafusion::arrow::datatypes::*;

use super::column::Column;
use super::types;
use crate::error::{Error, Result};

/// The values of one array.
pub(super) enum Values<'a> {
    Null,
    Bool(&'a BooleanArray),
    I8(&'a [i8]),
    I16(&'a [i16]),
    I32(&'a [i32]),
    I64(&'a [i64]),
    U8(&'a [u8]),
    U16(&'a [u16]),
    U32(&'a [u32]),
    U64(&'a [u64]),
    F16(&'a Float16Array),
    F32(&'a [f32]),
    F64(&'a [f64]),
    Decimal32(&'a [i32], i8),
    Decimal64(&'a [i64], i8),
    Decimal128(&'a [i128], i8),
    Decimal256(&'a [i256], i8),
    Text(&'a StringArray),
    LargeText(&'a LargeStringArray),
    TextView(&'a StringViewArray),
    Bytes(&'a BinaryArray),
    LargeBytes(&'a LargeBinaryArray),
    BytesView(&'a BinaryViewArray),
    FixedBytes(&'a FixedSizeBinaryArray),
    Date32(&'a [i32]),
    Date64(&'a [i64]),
    Time32(&'a [i32], i64),
    Time64(&'a [i64], i64),
    Timestamp(&'a [i64], i64),
    TimestampTz(&'a [i64], i64),
    Duration(&'a [i64], i64),
    Months(&'a [i32]),
    DayTime(&'a [IntervalDayTime]),
    MonthDayNano(&'a [IntervalMonthDayNano]),
    List(Spans<'a>, Box<Column<'a>>, bool),
    Struct(Vec<Column<'a>>),
    Dictionary(Vec<usize>, Box<Column<'a>>),
}

/// Where the elements of each list are.
pub(super) enum Spans<'a> {
    Small(&'a [i32]),
    Large(&'a [i64]),
    Fixed(usize),
    SmallView(&'a [i32], &'a [i32]),
    LargeView(&'a [i64], &'a [i64]),
}

impl Spans<'_> {
    /// Offsets are never negative: Arrow checks them when it makes the array.
    pub(super) fn at(&self, row: usize) -> Range<usize> {
        match self {
            Self::Small(offsets) => offsets[row] as usize..offsets[row + 1] as usize,
            Self::Large(offsets) => offsets[row] as usize..offsets[row + 1] as usize,
            Self::Fixed(size) => row * size..(row + 1) * size,
            Self::SmallView(offsets, sizes) => {
                offsets[row] as usize..(offsets[row] + sizes[row]) as usize
            }
            Self::LargeView(offsets, sizes) => {
                offsets[row] as usize..(offsets[row] + sizes[row]) as usize
            }
        }
    }
}

/// Ticks in a second.
fn second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    }
}

/// The values of a primitive array.
fn native<T: ArrowPrimitiveType>(array: &dyn Array) -> &[T::Native] {
    array.as_primitive::<T>().values()
}

impl<'a> Values<'a> {
    /// Takes `array` for what it is.
    ///
    /// # Errors
    /// 0A000 for a type that [`types::of`] refuses.
    pub(super) fn new(array: &'a dyn Array) -> Result<Self> {
        use DataType as D;
        use TimeUnit as U;
        Ok(match array.data_type() {
            D::Null => Self::Null,
            D::Boolean => Self::Bool(array.as_boolean()),
            D::Int8 => Self::I8(native::<Int8Type>(array)),
            D::Int16 => Self::I16(native::<Int16Type>(array)),
            D::Int32 => Self::I32(native::<Int32Type>(array)),
            D::Int64 => Self::I64(native::<Int64Type>(array)),
            D::UInt8 => Self::U8(native::<UInt8Type>(array)),
            D::UInt16 => Self::U16(native::<UInt16Type>(array)),
            D::UInt32 => Self::U32(native::<UInt32Type>(array)),
            D::UInt64 => Self::U64(native::<UInt64Type>(array)),
            D::Float16 => Self::F16(array.as_primitive()),
            D::Float32 => Self::F32(native::<Float32Type>(array)),
            D::Float64 => Self::F64(native::<Float64Type>(array)),
            D::Decimal32(_, s) => Self::Decimal32(native::<Decimal32Type>(array), *s),
            D::Decimal64(_, s) => Self::Decimal64(native::<Decimal64Type>(array), *s),
            D::Decimal128(_, s) => Self::Decimal128(native::<Decimal128Type>(array), *s),
            D::Decimal256(_, s) => Self::Decimal256(native::<Decimal256Type>(array), *s),
            D::Utf8 => Self::Text(array.as_string()),
            D::LargeUtf8 => Self::LargeText(array.as_string()),
            D::Utf8View => Self::TextView(array.as_string_view()),
            D::Binary => Self::Bytes(array.as_binary()),
            D::LargeBinary => Self::LargeBytes(array.as_binary()),
            D::BinaryView => Self::BytesView(array.as_binary_view()),
            D::FixedSizeBinary(_) => Self::FixedBytes(array.as_fixed_size_binary()),
            D::Date32 => Self::Date32(native::<Date32Type>(array)),
            D::Date64 => Self::Date64(native::<Date64Type>(array)),
            D::Time32(U::Second) => Self::Time32(native::<Time32SecondType>(array), 1),
            D::Time32(_) => Self::Time32(native::<Time32MillisecondType>(array), 1_000),
            D::Time64(U::Microsecond) => {
                Self::Time64(native::<Time64MicrosecondType>(array), 1_000_000)
            }
            D::Time64(_) => Self::Time64(native::<Time64NanosecondType>(array), 1_000_000_000),
            D::Timestamp(unit, None) => Self::Timestamp(timestamps(array, *unit), second(*unit)),
            D::Timestamp(unit, Some(_)) => {
                Self::TimestampTz(timestamps(array, *unit), second(*unit))
            }
            D::Duration(unit) => Self::Duration(durations(array, *unit), second(*unit)),
            D::Interval(IntervalUnit::YearMonth) => {
                Self::Months(native::<IntervalYearMonthType>(array))
            }
            D::Interval(IntervalUnit::DayTime) => {
                Self::DayTime(native::<IntervalDayTimeType>(array))
            }
            D::Interval(IntervalUnit::MonthDayNano) => {
                Self::MonthDayNano(native::<IntervalMonthDayNanoType>(array))
            }
            _ => Self::nested(array)?,
        })
    }

    fn nested(array: &'a dyn Array) -> Result<Self> {
        use DataType as D;
        let is_array = types::of(array.data_type())?.oid != types::TEXT;
        let list = |spans, values: &'a ArrayRef| -> Result<Self> {
            Ok(Self::List(spans, Box::new(Column::child(values)?), is_array))
        };
        match array.data_type() {
            D::List(_) => {
                let array = array.as_list::<i32>();
                list(Spans::Small(array.value_offsets()), array.values())
            }
            D::LargeList(_) => {
                let array = array.as_list::<i64>();
                list(Spans::Large(array.value_offsets()), array.values())
            }
            D::FixedSizeList(_, size) => {
                let array = array.as_fixed_size_list();
                list(Spans::Fixed(usize::try_from(*size).unwrap_or(0)), array.values())
            }
            D::ListView(_) => {
                let array = array.as_list_view::<i32>();
                list(Spans::SmallView(array.offsets(), array.sizes()), array.values())
            }
            D::LargeListView(_) => {
                let array = array.as_list_view::<i64>();
                list(Spans::LargeView(array.offsets(), array.sizes()), array.values())
            }
            D::Map(..) => {
                let array = array.as_map();
                let entries = Column::child(array.entries())?;
                Ok(Self::List(Spans::Small(array.value_offsets()), Box::new(entries), is_array))
            }
            D::Struct(_) => {
                let fields = array.as_struct().columns().iter();
                Ok(Self::Struct(fields.map(|f| Column::child(f)).collect::<Result<_>>()?))
            }
            D::Dictionary(..) => {
                let array = array.as_any_dictionary();
                let values = Column::child(array.values())?;
                // A NULL key has no place among the values; it is never looked up.
                let keys = match array.values().is_empty() {
                    true => vec![0; array.len()],
                    false => array.normalized_keys(),
                };
                Ok(Self::Dictionary(keys, Box::new(values)))
            }
            other => {
                Err(Error::statement("0A000", format!("results of type {other} cannot be sent")))
            }
        }
    }
}

fn timestamps(array: &dyn Array, unit: TimeUnit) -> &[i64] {
    match unit {
        TimeUnit::Second => native::<TimestampSecondType>(array),
        TimeUnit::Millisecond => native::<TimestampMillisecondType>(array),
        TimeUnit::Microsecond => native::<TimestampMicrosecondType>(array),
        TimeUnit::Nanosecond => native::<TimestampNanosecondType>(array),
    }
}

fn durations(array: &dyn Array, unit: TimeUnit) -> &[i64] {
    match unit {
        TimeUnit::Second => native::<DurationSecondType>(array),
        TimeUnit::Millisecond => native::<DurationMillisecondType>(array),
        TimeUnit::Microsecond => native::<DurationMicrosecondType>(array),
        TimeUnit::Nanosecond => native::<DurationNanosecondType>(array),
    }
}
