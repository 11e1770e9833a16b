//! `+ - * / %` of whole numbers and decimals as Postgres has them: checked, and with its scales.
//!
//! The engine wraps whole numbers around and gives a quotient four places more than its dividend;
//! Postgres refuses the first with 22003 and gives a quotient at least sixteen significant digits.
//! How many places that makes depends on the value, and a column here has one scale: quotients are
//! rounded where Postgres rounds them and kept with 20 places, and their field says under
//! [`SCALE_KEY`] that the places which Postgres would not have are not to be shown.
//!
//! Source: `select_div_scale` of PostgreSQL's documentation of numeric division is the behaviour
//! that is followed; the code is our own.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Decimal128Array, PrimitiveArray};
use datafusion::arrow::compute::kernels::arity::try_binary;
use datafusion::arrow::compute::{CastOptions, cast_with_options};
use datafusion::arrow::datatypes::{
    ArrowPrimitiveType, DataType, Decimal128Type, Field, FieldRef, Float64Type, Int16Type,
    Int32Type, Int64Type, TimeUnit, i256,
};
use datafusion::arrow::error::ArrowError;
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

/// Key of a field's metadata: which places of a decimal are shown.
///
/// The value is `trim` (no zeros at the end) or the fewest places that a quotient shows.
pub const SCALE_KEY: &str = "runrate.scale";

/// Places that a quotient is kept with.
const PLACES: i8 = 20;
/// Most places of a product; more would leave too few digits before the point.
const PLACES_MAX: i8 = 28;
const DIGITS_MAX: u8 = 38;

/// An operator between two exact numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::session) enum Operator {
    Plus,
    Minus,
    Times,
    Over,
    Modulo,
    /// A sum over a count, as an average is.
    Average,
}

impl Operator {
    pub(super) const ALL: [Self; 6] =
        [Self::Plus, Self::Minus, Self::Times, Self::Over, Self::Modulo, Self::Average];

    fn name(self) -> &'static str {
        match self {
            Self::Plus => "numeric_add",
            Self::Minus => "numeric_sub",
            Self::Times => "numeric_mul",
            Self::Over => "numeric_div",
            Self::Modulo => "numeric_mod",
            Self::Average => "numeric_avg",
        }
    }

    /// The function that computes it.
    pub(in crate::session) fn function(self) -> ScalarUDF {
        ScalarUDF::from(Arithmetic { operator: self, signature: Signature::user_defined(STABLE) })
    }
}

/// The type of a difference of instants.
const MICROSECONDS: DataType = DataType::Duration(TimeUnit::Microsecond);

const STABLE: Volatility = Volatility::Immutable;

#[derive(Debug, PartialEq, Eq, Hash)]
struct Arithmetic {
    operator: Operator,
    signature: Signature,
}

/// Digits and places of an exact number's type; whole numbers have no places.
pub(super) fn exact(data_type: &DataType) -> Option<(u8, i8)> {
    use DataType as D;
    Some(match data_type {
        D::Int8 | D::Int16 | D::UInt8 => (5, 0),
        D::Int32 | D::UInt16 => (10, 0),
        D::Int64 | D::UInt32 => (19, 0),
        D::UInt64 => (20, 0),
        D::Decimal32(p, s) | D::Decimal64(p, s) | D::Decimal128(p, s) if *s >= 0 => (*p, *s),
        _ => return None,
    })
}

/// The type that whole numbers of two types meet in; `None` if one is a decimal.
fn whole(left: &DataType, right: &DataType) -> Option<DataType> {
    let rank = |data_type: &DataType| {
        use DataType as D;
        match data_type {
            D::Int8 | D::Int16 | D::UInt8 => Some(0),
            D::Int32 | D::UInt16 => Some(1),
            D::Int64 | D::UInt32 | D::UInt64 => Some(2),
            _ => None,
        }
    };
    Some(match rank(left)?.max(rank(right)?) {
        0 => DataType::Int16,
        1 => DataType::Int32,
        _ => DataType::Int64,
    })
}

impl Operator {
    fn result(self, left: &DataType, right: &DataType) -> Result<DataType> {
        let is_average = self == Self::Average;
        if let (Some(whole), false) = (whole(left, right), is_average) {
            return Ok(whole);
        }
        let (Some((p1, s1)), Some((p2, s2))) = (exact(left), exact(right)) else {
            return match left {
                DataType::Float32 | DataType::Float64 => Ok(DataType::Float64),
                DataType::Duration(_) if is_average => Ok(MICROSECONDS),
                _ => plan_err!("operator does not exist: {left} {} {right}", self.name()),
            };
        };
        let before = |p: u8, s: i8| p.saturating_sub(s.unsigned_abs());
        let (digits, places) = match self {
            Self::Plus | Self::Minus => {
                let places = s1.max(s2);
                (before(p1, s1).max(before(p2, s2)) + places.unsigned_abs() + 1, places)
            }
            Self::Times if s1 + s2 <= PLACES_MAX => (p1 + p2, s1 + s2),
            Self::Times => (DIGITS_MAX, PLACES_MAX.max(s1).max(s2)),
            Self::Over | Self::Average => (DIGITS_MAX, PLACES.max(s1).max(s2)),
            Self::Modulo => (DIGITS_MAX, s1.max(s2)),
        };
        Ok(DataType::Decimal128(digits.min(DIGITS_MAX), places))
    }
}

impl ScalarUDFImpl for Arithmetic {
    fn name(&self) -> &str {
        self.operator.name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let [left, right] = given else {
            return plan_err!("{}: takes two numbers", self.operator.name());
        };
        let narrow = |data_type: &DataType| match data_type {
            DataType::Float32 => DataType::Float64,
            DataType::UInt64 => DataType::Int64,
            other => other.clone(),
        };
        let (left, right) = (narrow(left), narrow(right));
        let result = self.operator.result(&left, &right)?;
        Ok(match result {
            DataType::Duration(_) => vec![result, DataType::Int64],
            DataType::Decimal128(..) => vec![as_decimal(&left), as_decimal(&right)],
            whole => vec![whole.clone(), whole],
        })
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType> {
        self.operator.result(&given[0], &given[1])
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let types: Vec<_> = args.arg_fields.iter().map(|f| f.data_type().clone()).collect();
        let data_type = self.return_type(&types)?;
        let is_quotient = matches!(self.operator, Operator::Over | Operator::Average);
        let mut field = Field::new(self.name(), data_type, true);
        if is_quotient && matches!(field.data_type(), DataType::Decimal128(..)) {
            let least = types.iter().filter_map(exact).map(|(_, places)| places);
            let least = least.filter(|places| *places < PLACES).max().unwrap_or(0);
            field.set_metadata([(SCALE_KEY.to_owned(), least.to_string())].into());
        }
        Ok(Arc::new(field))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_scalar = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if is_scalar { 1 } else { args.number_rows };
        let arrays = args.args.iter().map(|arg| arg.to_array(rows)).collect::<Result<Vec<_>>>()?;
        let [left, right] = arrays.as_slice() else {
            return exec_err!("{}: takes two numbers", self.name());
        };
        let array = self.operator.of(left, right, args.return_field.data_type())?;
        Ok(match is_scalar {
            true => {
                ColumnarValue::Scalar(datafusion::common::ScalarValue::try_from_array(&array, 0)?)
            }
            false => ColumnarValue::Array(array),
        })
    }
}

fn as_decimal(data_type: &DataType) -> DataType {
    let (digits, places) = exact(data_type).unwrap_or((DIGITS_MAX, 0));
    DataType::Decimal128(digits.clamp(1, DIGITS_MAX), places)
}

/// 22003 with Postgres' words.
fn out_of_range(data_type: &DataType) -> ArrowError {
    let name = match data_type {
        DataType::Int16 => "smallint",
        DataType::Int32 => "integer",
        DataType::Int64 => "bigint",
        _ => "value",
    };
    ArrowError::ArithmeticOverflow(format!("{name} out of range"))
}

impl Operator {
    fn of(self, left: &ArrayRef, right: &ArrayRef, result: &DataType) -> Result<ArrayRef> {
        if *result == MICROSECONDS {
            // The average of differences of instants.
            let options = CastOptions { safe: false, ..Default::default() };
            let cast = |array: &ArrayRef, to| cast_with_options(array, to, &options);
            let us = cast(left, &DataType::Int64)?;
            return Ok(cast(&self.wholes::<Int64Type>(&us, right)?, result)?);
        }
        let decimals = [left, right].map(|array| {
            let options = CastOptions { safe: false, ..Default::default() };
            cast_with_options(array, &as_decimal(array.data_type()), &options)
        });
        Ok(match result {
            DataType::Int16 => self.wholes::<Int16Type>(left, right)?,
            DataType::Int32 => self.wholes::<Int32Type>(left, right)?,
            DataType::Int64 => self.wholes::<Int64Type>(left, right)?,
            DataType::Float64 => self.floats(left, right)?,
            DataType::Decimal128(digits, places) => {
                let [left, right] = decimals;
                let (left, right) = (left?, right?);
                self.decimals(left.as_primitive(), right.as_primitive(), *digits, *places)?
            }
            other => return exec_err!("{}: no result of type {other}", self.name()),
        })
    }

    fn floats(self, left: &ArrayRef, right: &ArrayRef) -> Result<ArrayRef> {
        let (left, right) = (left.as_primitive::<Float64Type>(), right);
        let made: PrimitiveArray<Float64Type> =
            try_binary(left, right.as_primitive::<Float64Type>(), |a, b| match (self, b) {
                (Self::Over | Self::Average | Self::Modulo, 0.0) => Err(ArrowError::DivideByZero),
                (Self::Over | Self::Average, b) => Ok(a / b),
                (Self::Modulo, b) => Ok(a % b),
                (Self::Plus, b) => Ok(a + b),
                (Self::Minus, b) => Ok(a - b),
                (Self::Times, b) => Ok(a * b),
            })?;
        Ok(Arc::new(made))
    }

    fn wholes<T>(self, left: &ArrayRef, right: &ArrayRef) -> Result<ArrayRef>
    where
        T: ArrowPrimitiveType,
        T::Native: Into<i64> + TryFrom<i64>,
    {
        let refuse = || out_of_range(&T::DATA_TYPE);
        let (left, right) = (left.as_primitive::<T>(), right.as_primitive::<T>());
        let made: PrimitiveArray<T> = try_binary(left, right, |a, b| {
            let (a, b): (i64, i64) = (a.into(), b.into());
            let value = match self {
                Self::Plus => a.checked_add(b),
                Self::Minus => a.checked_sub(b),
                Self::Times => a.checked_mul(b),
                Self::Over | Self::Modulo | Self::Average if b == 0 => {
                    return Err(ArrowError::DivideByZero);
                }
                Self::Over | Self::Average => a.checked_div(b),
                Self::Modulo => Some(a.checked_rem(b).unwrap_or(0)),
            };
            value.and_then(|value| T::Native::try_from(value).ok()).ok_or_else(refuse)
        })?;
        Ok(Arc::new(made))
    }

    fn decimals(
        self,
        left: &Decimal128Array,
        right: &Decimal128Array,
        digits: u8,
        places: i8,
    ) -> Result<ArrayRef> {
        let (s1, s2) = (left.scale(), right.scale());
        let limit = 10_i128.pow(digits.into());
        let made: PrimitiveArray<Decimal128Type> = try_binary(left, right, |a, b| {
            let value = match self {
                Self::Plus => aligned(a, s1, places)
                    .zip(aligned(b, s2, places))
                    .and_then(|(a, b)| a.checked_add(b)),
                Self::Minus => aligned(a, s1, places)
                    .zip(aligned(b, s2, places))
                    .and_then(|(a, b)| a.checked_sub(b)),
                Self::Times => product(a, b, s1 + s2 - places),
                Self::Over | Self::Average | Self::Modulo if b == 0 => {
                    return Err(ArrowError::DivideByZero);
                }
                Self::Over | Self::Average => quotient((a, s1), (b, s2), places),
                Self::Modulo => aligned(a, s1, places)
                    .zip(aligned(b, s2, places))
                    .map(|(a, b)| a.checked_rem(b).unwrap_or(0)),
            };
            match value {
                Some(value) if value.checked_abs().is_some_and(|size| size < limit) => Ok(value),
                _ => {
                    Err(ArrowError::ArithmeticOverflow("value overflows numeric format".to_owned()))
                }
            }
        })?;
        Ok(Arc::new(made.with_precision_and_scale(digits, places)?))
    }
}

/// `value` of `from` places with `to` places, which are no fewer.
fn aligned(value: i128, from: i8, to: i8) -> Option<i128> {
    value.checked_mul(10_i128.checked_pow((to - from).max(0).unsigned_abs().into())?)
}

/// `a * b` without its last `drop` places, rounded half away from zero.
fn product(a: i128, b: i128, drop: i8) -> Option<i128> {
    if drop <= 0
        && let Some(value) = a.checked_mul(b)
    {
        return Some(value);
    }
    let value = i256::from_i128(a).checked_mul(i256::from_i128(b))?;
    rounded(value, power(drop.max(0).unsigned_abs())?)?.to_i128()
}

fn power(places: u8) -> Option<i256> {
    i256::from_i128(10).checked_pow(places.into())
}

/// `value / step`, rounded half away from zero.
fn rounded(value: i256, step: i256) -> Option<i256> {
    let (whole, rest) = (value.checked_div(step)?, value.checked_rem(step)?);
    let double = rest.checked_mul(i256::from_i128(2))?;
    let size = |number: i256| if number.is_negative() { number.wrapping_neg() } else { number };
    if size(double) < size(step) {
        return Some(whole);
    }
    match value.is_negative() == step.is_negative() {
        true => whole.checked_add(i256::ONE),
        false => whole.checked_sub(i256::ONE),
    }
}

/// `a / b` rounded where Postgres rounds it, with `places` places.
fn quotient((a, s1): (i128, i8), (b, s2): (i128, i8), places: i8) -> Option<i128> {
    let kept = i16::from(quotient_places((a, s1), (b, s2))).min(places.into()) as i8;
    // a / 10^s1 / (b / 10^s2), with `kept` places.
    let shift = i16::from(kept) + i16::from(s2) - i16::from(s1);
    let by = power(u8::try_from(shift.unsigned_abs()).ok()?)?;
    let (mut over, mut under) = (i256::from_i128(a), i256::from_i128(b));
    if shift >= 0 {
        over = over.checked_mul(by)?;
    } else {
        under = under.checked_mul(by)?;
    }
    let value = rounded(over, under)?.to_i128()?;
    aligned(value, kept, places)
}

/// Places that Postgres gives `a / b`: so that there are sixteen significant digits.
fn quotient_places(a: (i128, i8), b: (i128, i8)) -> i8 {
    let ((w1, first1), (w2, first2)) = (weight(a.0, a.1), weight(b.0, b.1));
    let weight = w1 - w2 - i32::from(first1 <= first2);
    let own = |(value, scale): (i128, i8)| match scale >= PLACES {
        // A quotient: it has the places that are shown of it.
        true => shown_places(value, scale, 0),
        false => scale,
    };
    let places = (16 - weight * 4).clamp(0, i32::from(PLACES_MAX) * 2) as i8;
    places.max(own(a)).max(own(b))
}

/// Power and value of the first digit of a decimal in base 10,000; zero has power 0 and value 0.
fn weight(value: i128, scale: i8) -> (i32, u32) {
    let missing = (4 - scale.rem_euclid(4)) % 4;
    let mut rest = value.unsigned_abs();
    let below = i32::from(scale + missing) / 4;
    let (mut groups, mut first) = (0, 0);
    // The last group has fewer digits where the scale is no multiple of four.
    let step = 10_u128.pow(4 - missing.unsigned_abs() as u32);
    if missing > 0 && rest > 0 {
        first = (rest % step) as u32 * 10_u32.pow(missing.unsigned_abs().into());
        rest /= step;
        groups += 1;
    }
    while rest > 0 {
        first = (rest % 10_000) as u32;
        rest /= 10_000;
        groups += 1;
    }
    if groups == 0 { (0, 0) } else { (groups - 1 - below, first) }
}

/// Places that are shown of the quotient `value`: at least `least`, and at most all.
pub fn shown_places(value: i128, scale: i8, least: i8) -> i8 {
    if value == 0 {
        return scale.min(PLACES);
    }
    let (weight, _) = weight(value, scale);
    let places = (16 - weight * 4).clamp(0, i32::from(scale)) as i8;
    let mut rest = value;
    let mut needed = scale;
    // Never fewer than there are digits: sums of quotients have more.
    while needed > places && rest % 10 == 0 {
        rest /= 10;
        needed -= 1;
    }
    needed.max(least)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `a / b` as Postgres shows it.
    fn shown(a: (i128, i8), b: (i128, i8)) -> String {
        let value = quotient(a, b, PLACES).expect("fits");
        let places = shown_places(value, PLACES, a.1.max(b.1));
        let text = format!("{:0>21}", value.unsigned_abs());
        let (whole, part) = text.split_at(text.len() - 20);
        let sign = if value < 0 { "-" } else { "" };
        format!("{sign}{whole}.{}", &part[..places as usize])
    }

    #[test]
    fn quotients_have_the_places_of_postgres() {
        assert_eq!(shown((70, 1), (2, 0)), "3.5000000000000000");
        assert_eq!(shown((10, 1), (3, 0)), "0.33333333333333333333");
        assert_eq!(shown((20, 1), (3, 0)), "0.66666666666666666667");
        assert_eq!(shown((-1000, 1), (3, 0)), "-33.3333333333333333");
        assert_eq!(shown((100_000, 1), (3, 0)), "3333.3333333333333333");
        assert_eq!(shown((1_250_000, 2), (25, 0)), "500.0000000000000000");
        assert_eq!(shown((20_550_249, 2), (13, 0)), "15807.883846153846");
    }

    #[test]
    fn weights_count_groups_of_four_digits() {
        assert_eq!(weight(0, 2), (0, 0));
        assert_eq!(weight(1, 0), (0, 1));
        assert_eq!(weight(12_345, 0), (1, 1));
        assert_eq!(weight(5, 1), (-1, 5_000));
        assert_eq!(weight(5, 5), (-2, 5_000));
        assert_eq!(weight(123_456, 2), (0, 1_234));
    }

    #[test]
    fn halves_are_rounded_away_from_zero() {
        let of = |value, step| {
            rounded(i256::from_i128(value), i256::from_i128(step)).and_then(i256::to_i128)
        };
        assert_eq!(of(25, 10), Some(3));
        assert_eq!(of(-25, 10), Some(-3));
        assert_eq!(of(24, 10), Some(2));
        assert_eq!(of(25, -10), Some(-3));
    }
}
