//! Numbers and spans in the type that Postgres computes with: for sums, casts and fields.
//!
//! Each gives most types back as they are, and is then taken out of the plan.

use std::sync::Arc;

use chrono_tz::Tz;
use datafusion::arrow::array::{Array, ArrayRef, AsArray, IntervalMonthDayNanoArray, StringArray};
use datafusion::arrow::compute::kernels::arity::unary;
use datafusion::arrow::compute::{CastOptions, cast_with_options};
use datafusion::arrow::datatypes::{
    DataType, Decimal128Type, DurationMicrosecondType, Field, FieldRef, Float64Type,
    IntervalMonthDayNano, IntervalUnit, TimeUnit,
};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExprSchemable, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility,
};

use super::arithmetic::{SCALE_KEY, exact};
use super::{DAY_US, texts};

/// What an argument becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Conversion {
    /// A bigint becomes a decimal, so that no sum of them is too large.
    Summand,
    /// A number is rounded: decimals half away from zero, floats half to even.
    Whole,
    /// A number or text becomes a decimal with the places it has.
    Numeric,
    /// A difference of instants becomes days and a time.
    Span,
    /// What the engine would show otherwise becomes text, as Postgres shows it.
    Shown,
    /// A decimal becomes the float that is nearest to it.
    Float,
    /// Stays what it is: what stands behind it only tells its name from another.
    Apart,
}

impl Conversion {
    pub(super) const ALL: [Self; 7] = [
        Self::Summand,
        Self::Whole,
        Self::Numeric,
        Self::Span,
        Self::Shown,
        Self::Float,
        Self::Apart,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Summand => "summand",
            Self::Whole => "whole_number",
            Self::Numeric => "numeric_of",
            Self::Span => "span_of",
            Self::Shown => "shown_text",
            Self::Float => "float_of",
            Self::Apart => "told_apart",
        }
    }

    pub(super) fn function(self) -> ScalarUDF {
        let given = if self == Self::Apart { 2 } else { 1 };
        let signature = Signature::any(given, Volatility::Immutable);
        ScalarUDF::from(Converted { conversion: self, signature })
    }

    fn result(self, given: &DataType) -> DataType {
        use DataType as D;
        match (self, given) {
            (_, D::Dictionary(_, value)) => self.result(value),
            (Self::Summand, D::Int64 | D::UInt32 | D::UInt64) => D::Decimal128(20, 0),
            (Self::Whole, D::Decimal128(digits, places)) if *places > 0 => {
                // Rounding may carry into a digit more.
                D::Decimal128((digits - places.unsigned_abs() + 1).min(38), 0)
            }
            (Self::Whole, D::Float32) => D::Float64,
            (Self::Numeric, D::Float16 | D::Float32 | D::Float64 | D::Null) => {
                D::Decimal128(38, 10)
            }
            (Self::Numeric, given) if given.is_string() => D::Decimal128(38, 10),
            (Self::Numeric, given) => match exact(given) {
                Some((digits, places)) => D::Decimal128(digits, places),
                None => given.clone(),
            },
            (Self::Float, D::Decimal32(..) | D::Decimal64(..) | D::Decimal128(..)) => D::Float64,
            (Self::Span, D::Duration(_)) => D::Interval(IntervalUnit::MonthDayNano),
            (
                Self::Shown,
                D::Boolean
                | D::Float32
                | D::Float64
                | D::Timestamp(..)
                | D::Interval(_)
                | D::Duration(_)
                | D::List(_),
            ) => D::Utf8,
            (_, given) => given.clone(),
        }
    }

    fn is_same(self, given: &DataType) -> bool {
        let is_rounded = self == Self::Whole && given.is_floating();
        !is_rounded && self.result(given) == *given
    }

    fn of(self, array: &ArrayRef, result: &DataType, zone: Tz) -> Result<ArrayRef> {
        let options = CastOptions { safe: false, ..Default::default() };
        let cast = |to: &DataType| cast_with_options(array, to, &options);
        Ok(match (self, result) {
            (Self::Whole, DataType::Float64) => {
                let floats = cast(&DataType::Float64)?;
                let floats = floats.as_primitive::<Float64Type>();
                Arc::new(unary::<_, _, Float64Type>(floats, f64::round_ties_even))
            }
            (Self::Float, DataType::Float64) => match array.data_type() {
                DataType::Decimal128(_, places) => {
                    let places = *places;
                    let decimals = array.as_primitive::<Decimal128Type>();
                    let nearest = |value| nearest(value, places);
                    Arc::new(unary::<_, _, Float64Type>(decimals, nearest))
                }
                _ => cast(result)?,
            },
            (Self::Span, DataType::Interval(_)) => {
                let us = cast(&DataType::Duration(TimeUnit::Microsecond))?;
                let us = us.as_primitive::<DurationMicrosecondType>();
                let spans = us.iter().map(|us| {
                    us.map(|us| {
                        let days = i32::try_from(us / DAY_US).unwrap_or(i32::MAX);
                        IntervalMonthDayNano::new(0, days, us % DAY_US * 1_000)
                    })
                });
                Arc::new(spans.collect::<IntervalMonthDayNanoArray>())
            }
            (Self::Shown, DataType::Utf8) => {
                let row = |row| match ScalarValue::try_from_array(array, row)? {
                    value if value.is_null() => Ok(None),
                    value => texts::shown(&value, zone).map(Some),
                };
                let rows = (0..array.len()).map(row).collect::<Result<StringArray>>()?;
                Arc::new(rows)
            }
            (_, result) => cast(result)?,
        })
    }
}

/// The float nearest to `value` with `places` behind the point.
pub(super) fn nearest(value: i128, places: i8) -> f64 {
    // Both are floats to the last digit, so that their quotient is rounded once.
    if value.unsigned_abs() <= 1 << 53 && (0..=22).contains(&places) {
        return value as f64 / 10_f64.powi(i32::from(places));
    }
    format!("{value}e{}", -i32::from(places)).parse().unwrap_or(f64::NAN)
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Converted {
    conversion: Conversion,
    signature: Signature,
}

impl ScalarUDFImpl for Converted {
    fn name(&self) -> &str {
        self.conversion.name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType> {
        let Some(given) = given.first() else {
            return plan_err!("{}: takes one argument", self.name());
        };
        if self.conversion == Conversion::Numeric && matches!(given, DataType::Boolean) {
            return plan_err!("cannot cast type boolean to numeric");
        }
        Ok(self.conversion.result(given))
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let given = args.arg_fields[0].data_type();
        let data_type = self.return_type(std::slice::from_ref(given))?;
        if self.conversion.is_same(given) {
            return Ok(args.arg_fields[0].clone());
        }
        let mut field = Field::new(self.name(), data_type, true);
        if self.conversion == Conversion::Numeric && exact(given).is_none() {
            field.set_metadata([(SCALE_KEY.to_owned(), "trim".to_owned())].into());
        }
        Ok(Arc::new(field))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let result = args.return_field.data_type();
        if self.conversion.is_same(&args.args[0].data_type()) {
            return Ok(args.args[0].clone());
        }
        let zone = args.config_options.execution.time_zone.as_deref().unwrap_or("UTC");
        let zone: Tz = zone.parse().unwrap_or(Tz::UTC);
        let is_scalar = matches!(args.args[0], ColumnarValue::Scalar(_));
        let array = args.args[0].to_array(if is_scalar { 1 } else { args.number_rows })?;
        let made = self.conversion.of(&array, result, zone)?;
        Ok(match is_scalar {
            true => ColumnarValue::Scalar(ScalarValue::try_from_array(&made, 0)?),
            false => ColumnarValue::Array(made),
        })
    }

    fn simplify(&self, args: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        let given = args[0].get_type(info.schema());
        match given.is_ok_and(|given| self.conversion.is_same(&given)) {
            true => Ok(ExprSimplifyResult::Simplified(args.into_iter().next().unwrap_or_default())),
            false => Ok(ExprSimplifyResult::Original(args)),
        }
    }
}
