//! How large the result of a function will be that can make much of little, before it is called.

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int64Type, TimeUnit};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs};

use super::{BATCH_BYTES_MAX, VALUE_BYTES_MAX, size, too_large};

/// Nanoseconds of a day.
const DAY_NS: i128 = 86_400_000_000_000;
/// A bound that is seldom met may be this much larger than what is allowed.
const SLACK: u64 = 16;

/// How a result grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Growth {
    /// The first argument, as often as the second says.
    Repeat,
    /// As long as the second argument says.
    Pad,
    /// A list with the first argument as often as the second says.
    ListRepeat,
    /// A list with as many elements as the second argument says.
    Resize,
    /// A list from a first to a last value.
    Series,
    /// The third argument for every occurrence of the second in the first.
    Replace,
    /// The third argument for every match of the second in the first.
    Match,
    /// All arguments one after the other, or so.
    Sum,
    /// The elements of a list with the second argument between them.
    Join,
}

const GROWTHS: &[(&str, Growth)] = &[
    ("repeat", Growth::Repeat),
    ("lpad", Growth::Pad),
    ("rpad", Growth::Pad),
    ("array_repeat", Growth::ListRepeat),
    ("array_resize", Growth::Resize),
    ("generate_series", Growth::Series),
    ("range", Growth::Series),
    ("replace", Growth::Replace),
    ("regexp_replace", Growth::Match),
    ("array_concat", Growth::Sum),
    ("array_append", Growth::Sum),
    ("array_prepend", Growth::Sum),
    ("concat", Growth::Sum),
    ("concat_ws", Growth::Sum),
    ("make_array", Growth::Sum),
    ("overlay", Growth::Sum),
    ("text_concat", Growth::Sum),
    ("translate", Growth::Sum),
    ("array_to_string", Growth::Join),
];

/// Names of the functions that make much of little.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    GROWTHS.iter().map(|(name, _)| *name)
}

/// How the result of `name` grows, if it does.
pub(super) fn of(name: &str) -> Option<Growth> {
    GROWTHS.iter().find(|(known, _)| *known == name).map(|(_, growth)| *growth)
}

/// An argument: a value for each row, or one for all.
struct Argument {
    array: ArrayRef,
    is_scalar: bool,
    /// Lengths of texts or lists, and the bytes that one stands for.
    counts: Option<(ArrayRef, u64)>,
    /// Whole numbers, as 64 bits.
    numbers: Option<ArrayRef>,
}

impl Argument {
    fn new(value: &ColumnarValue) -> Result<Self> {
        let (array, is_scalar) = match value {
            ColumnarValue::Array(array) => (array.clone(), false),
            ColumnarValue::Scalar(scalar) => (scalar.to_array()?, true),
        };
        let counts = size::counts(&array)?;
        let is_whole = array.data_type().is_integer();
        let numbers = is_whole.then(|| cast(&array, &DataType::Int64)).transpose()?;
        Ok(Self { array, is_scalar, counts, numbers })
    }

    fn at(&self, row: usize) -> usize {
        if self.is_scalar { 0 } else { row }
    }

    /// Bytes of a text, or of a list; 8 for what has a fixed width.
    fn bytes(&self, row: usize) -> u64 {
        match &self.counts {
            Some((_, width)) => self.count(row).saturating_mul(*width),
            None => 8,
        }
    }

    /// Bytes of a text, elements of a list.
    fn count(&self, row: usize) -> u64 {
        let Some((counts, _)) = &self.counts else { return 0 };
        let counts = counts.as_primitive::<Int64Type>();
        let at = self.at(row);
        if counts.is_null(at) { 0 } else { u64::try_from(counts.value(at)).unwrap_or(0) }
    }

    /// A whole number, which is not negative; `None` if it is NULL or no number.
    fn number(&self, row: usize) -> Option<u64> {
        self.signed(row).map(|number| u64::try_from(number.max(0)).unwrap_or(u64::MAX))
    }

    fn signed(&self, row: usize) -> Option<i128> {
        if let Some(numbers) = &self.numbers {
            let numbers = numbers.as_primitive::<Int64Type>();
            let at = self.at(row);
            return (!numbers.is_null(at)).then(|| i128::from(numbers.value(at)));
        }
        let value = ScalarValue::try_from_array(&self.array, self.at(row)).ok()?;
        match value.cast_to(&DataType::Int64).ok()? {
            ScalarValue::Int64(number) => number.map(i128::from),
            _ => None,
        }
    }

    fn text(&self, row: usize) -> Option<String> {
        let value = ScalarValue::try_from_array(&self.array, self.at(row)).ok()?;
        value.try_as_str().flatten().map(str::to_owned)
    }

    /// Nanoseconds of a date, an instant or a step; a plain number as it is.
    fn position(&self, row: usize) -> Option<i128> {
        match self.array.data_type() {
            DataType::Date32 => Some(self.signed(row)? * DAY_NS),
            DataType::Timestamp(_, zone) => {
                let to = DataType::Timestamp(TimeUnit::Microsecond, zone.clone());
                let value = cast(&self.array.slice(self.at(row), 1), &to).ok()?;
                let value = cast(&value, &DataType::Int64).ok()?;
                let value = value.as_primitive::<Int64Type>();
                (!value.is_null(0)).then(|| i128::from(value.value(0)) * 1_000)
            }
            DataType::Interval(_) => {
                match ScalarValue::try_from_array(&self.array, self.at(row)).ok()? {
                    ScalarValue::IntervalMonthDayNano(Some(step)) => {
                        // No month is shorter than 28 days.
                        let days = i128::from(step.months) * 28 + i128::from(step.days);
                        Some(days * DAY_NS + i128::from(step.nanoseconds))
                    }
                    ScalarValue::IntervalDayTime(Some(step)) => Some(
                        i128::from(step.days) * DAY_NS + i128::from(step.milliseconds) * 1_000_000,
                    ),
                    ScalarValue::IntervalYearMonth(Some(months)) => {
                        Some(i128::from(months) * 28 * DAY_NS)
                    }
                    _ => None,
                }
            }
            _ => self.signed(row),
        }
    }
}

impl Growth {
    /// Refuses a call whose result will be too large; else for how many rows at once to call it.
    ///
    /// # Errors
    /// 54000 naming `name` and the limit.
    pub(super) fn check(self, name: &str, args: &ScalarFunctionArgs) -> Result<usize> {
        if self == Self::Sum && is_small(args) {
            return Ok(args.number_rows);
        }
        let given = args.args.iter().map(Argument::new).collect::<Result<Vec<_>>>()?;
        let is_scalar = given.iter().all(|argument| argument.is_scalar);
        let rows = if is_scalar { 1 } else { args.number_rows };
        let is_bound = self == Self::Match;
        let most = if is_bound { VALUE_BYTES_MAX * SLACK } else { VALUE_BYTES_MAX };
        let (mut total, mut largest) = (0_u64, 0);
        for row in 0..rows {
            let bytes = self.bytes(&given, row);
            if bytes > most {
                return Err(too_large(name, "a value", VALUE_BYTES_MAX));
            }
            (total, largest) = (total.saturating_add(bytes), bytes.max(largest));
        }
        if total <= BATCH_BYTES_MAX {
            return Ok(args.number_rows);
        }
        if !is_bound {
            return Err(too_large(name, "a batch of values", BATCH_BYTES_MAX));
        }
        Ok(usize::try_from(BATCH_BYTES_MAX / largest.max(1)).unwrap_or(usize::MAX).max(1))
    }

    /// Bytes of the result in one row.
    fn bytes(self, given: &[Argument], row: usize) -> u64 {
        let bytes = |at: usize| given.get(at).map_or(0, |argument| argument.bytes(row));
        let number = |at: usize| given.get(at).and_then(|argument| argument.number(row));
        match self {
            Self::Repeat | Self::ListRepeat => bytes(0).saturating_mul(number(1).unwrap_or(0)),
            Self::Pad => number(1).unwrap_or(0),
            Self::Resize => {
                let width = given.get(2).map_or(8, |argument| argument.bytes(row)).max(8);
                number(1).unwrap_or(0).saturating_mul(width)
            }
            Self::Series => series_bytes(given, row),
            Self::Replace => replaced_bytes(given, row),
            Self::Match => {
                let (text, replacement) = (bytes(0), bytes(2));
                (text + 1).saturating_mul(replacement).saturating_add(text)
            }
            Self::Sum => (0..given.len()).fold(0, |sum: u64, at| sum.saturating_add(bytes(at))),
            Self::Join => {
                let elements = given.first().map_or(0, |argument| argument.count(row));
                bytes(0).saturating_add(elements.saturating_mul(bytes(1)))
            }
        }
    }
}

/// Whether all arguments together are no more than one value may be.
fn is_small(args: &ScalarFunctionArgs) -> bool {
    let bytes = args.args.iter().map(|arg| match arg {
        ColumnarValue::Array(array) => array.get_array_memory_size(),
        ColumnarValue::Scalar(scalar) => scalar.size().saturating_mul(args.number_rows),
    });
    bytes.fold(0, usize::saturating_add) as u64 <= VALUE_BYTES_MAX
}

fn series_bytes(given: &[Argument], row: usize) -> u64 {
    let position = |at: usize| given.get(at).and_then(|argument| argument.position(row));
    // With one argument a range begins at 0.
    let (first, last) = match given.len() {
        1 => (Some(0), position(0)),
        _ => (position(0), position(1)),
    };
    let step = if given.len() > 2 { position(2) } else { Some(1) };
    let (Some(first), Some(last), Some(step)) = (first, last, step) else { return 0 };
    if step == 0 || (last - first).signum() * step.signum() < 0 {
        return 0;
    }
    let count = (last - first) / step + 1;
    u64::try_from(count).unwrap_or(u64::MAX).saturating_mul(8)
}

fn replaced_bytes(given: &[Argument], row: usize) -> u64 {
    let [text, from, to, ..] = given else { return 0 };
    let (length, to_length) = (text.bytes(row), to.bytes(row));
    let from_length = from.bytes(row);
    let most = length.saturating_add((length / from_length.max(1) + 1).saturating_mul(to_length));
    if most <= VALUE_BYTES_MAX / 256 {
        return most;
    }
    let (Some(text), Some(from)) = (text.text(row), from.text(row)) else { return 0 };
    // More than so many are too many, however many more.
    let most = usize::try_from(VALUE_BYTES_MAX / to_length.max(1) + 1).unwrap_or(usize::MAX);
    let count = match from.is_empty() {
        // The engine puts it between all characters.
        true => text.chars().count() as u64 + 1,
        false => text.matches(from.as_str()).take(most).count() as u64,
    };
    length.saturating_add(count.saturating_mul(to_length))
}
