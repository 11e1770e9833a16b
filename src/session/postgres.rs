//! Functions that analysts know from Postgres and the engine lacks, or takes for something else.
//!
//! Such calls dress a result up; they are answered row by row, and say what they cannot do.

mod arithmetic;
mod calendar;
mod common_value;
mod conversions;
mod dates;
mod json;
mod json_text;
mod matches;
mod number_template;
mod numbers;
mod operators;
mod scales;
mod template;
mod texts;

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use chrono_tz::Tz;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, IntervalUnit, TimeUnit};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::execution::context::SessionState;
use datafusion::logical_expr::planner::ExprPlanner;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use datafusion::prelude::SessionContext;

pub use arithmetic::{SCALE_KEY, shown_places};
pub(super) use calendar::years_of;

/// Key of a field's metadata that names the type in `pg_type`; the server announces it.
const OID_KEY: &str = "runrate.pg_oid";

/// Microseconds of a day.
const DAY_US: i64 = 86_400_000_000;

/// What an argument is taken as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Float,
    Integer,
    /// Any number: a decimal as it is, the rest as a float or a whole number.
    Number,
    /// A date or an instant, in microseconds.
    Moment,
    /// A span of time.
    Span,
    /// A number, an instant or a span of time.
    Showable,
    Any,
}

/// A function: how it is called, and what it gives for a row without NULL.
struct Definition {
    name: &'static str,
    /// Arguments that must be given.
    needed: usize,
    /// All arguments; more of the last kind where `is_open`.
    kinds: &'static [Kind],
    is_open: bool,
    /// Whether NULL in an argument is for it to answer, and not NULL at once.
    takes_null: bool,
    returns: fn(&[DataType]) -> DataType,
    answer: fn(&[ScalarValue], Tz) -> Result<ScalarValue>,
}

impl Definition {
    /// A function of so many arguments and no more, which gives NULL for NULL.
    const fn of(
        name: &'static str,
        needed: usize,
        kinds: &'static [Kind],
        returns: fn(&[DataType]) -> DataType,
        answer: fn(&[ScalarValue], Tz) -> Result<ScalarValue>,
    ) -> Self {
        Self { name, needed, kinds, is_open: false, takes_null: false, returns, answer }
    }
}

const DEFINITIONS: &[&[Definition]] = &[
    template::DEFINITIONS,
    dates::DEFINITIONS,
    calendar::DEFINITIONS,
    numbers::DEFINITIONS,
    scales::DEFINITIONS,
    texts::DEFINITIONS,
    matches::DEFINITIONS,
    json::DEFINITIONS,
];

/// Registers the functions in `context`.
pub(super) fn register(context: &SessionContext) {
    for definition in DEFINITIONS.iter().copied().flatten() {
        // The engine's own function goes with its other names: a session is made from the list of
        // functions, in which the one under another name would take the place of ours again.
        context.deregister_udf(definition.name);
        context.register_udf(row_by_row(definition));
    }
    for operator in arithmetic::Operator::ALL {
        context.register_udf(operator.function());
    }
    for conversion in conversions::Conversion::ALL {
        context.register_udf(conversion.function());
    }
    context.register_udaf(common_value::function());
}

fn row_by_row(definition: &'static Definition) -> ScalarUDF {
    let signature = Signature::user_defined(Volatility::Stable);
    ScalarUDF::from(RowByRow { definition, signature })
}

/// A call of the function `name` of ours.
fn call(name: &str, given: Vec<Expr>) -> Result<Expr> {
    match DEFINITIONS.iter().copied().flatten().find(|definition| definition.name == name) {
        Some(definition) => Ok(row_by_row(definition).call(given)),
        None => plan_err!("invalid function '{name}'"),
    }
}

/// Who plans operators in sessions: ours first, then those of `state`.
///
/// Not the definers of views, whose numbers stay as they were written down.
pub(super) fn planners(state: &SessionState) -> Vec<Arc<dyn ExprPlanner>> {
    let ours: Arc<dyn ExprPlanner> = Arc::new(operators::Operators);
    std::iter::once(ours).chain(state.expr_planners().iter().cloned()).collect()
}

struct RowByRow {
    definition: &'static Definition,
    signature: Signature,
}

impl fmt::Debug for RowByRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RowByRow({})", self.definition.name)
    }
}

impl PartialEq for RowByRow {
    fn eq(&self, other: &Self) -> bool {
        self.definition.name == other.definition.name
    }
}

impl Eq for RowByRow {}

impl Hash for RowByRow {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.definition.name.hash(state);
    }
}

impl Kind {
    /// The type that an argument of `given` is cast to; `None` if it cannot be one of this kind.
    fn target(self, given: &DataType) -> Option<DataType> {
        use DataType as D;
        if let D::Dictionary(_, value) = given {
            return self.target(value);
        }
        let is_text = given.is_string() || given.is_null();
        let moment = |given: &DataType| match given {
            D::Timestamp(_, zone) => Some(D::Timestamp(TimeUnit::Microsecond, zone.clone())),
            D::Date32 | D::Date64 => Some(D::Timestamp(TimeUnit::Microsecond, None)),
            _ => None,
        };
        let span = |given: &DataType| match given {
            D::Interval(_) | D::Duration(_) => Some(D::Interval(IntervalUnit::MonthDayNano)),
            _ => None,
        };
        let number = |given: &DataType| match given {
            D::Decimal128(..) => Some(given.clone()),
            D::Decimal32(p, s) | D::Decimal64(p, s) => Some(D::Decimal128(*p, *s)),
            given if given.is_integer() => Some(D::Int64),
            given if given.is_floating() || given.is_null() => Some(D::Float64),
            _ => None,
        };
        match self {
            Self::Any => Some(given.clone()),
            Self::Text => is_text.then_some(D::Utf8),
            Self::Float => (given.is_numeric() || given.is_null()).then_some(D::Float64),
            Self::Integer => (given.is_integer() || given.is_null()).then_some(D::Int64),
            Self::Number => number(given),
            Self::Moment if is_text => Some(D::Timestamp(TimeUnit::Microsecond, None)),
            Self::Moment => moment(given),
            Self::Span if is_text => Some(D::Interval(IntervalUnit::MonthDayNano)),
            Self::Span => span(given),
            Self::Showable => moment(given).or_else(|| span(given)).or_else(|| number(given)),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Float | Self::Number => "a number",
            Self::Integer => "a whole number",
            Self::Moment => "a date or timestamp",
            Self::Span => "an interval",
            Self::Showable => "a number, date, timestamp or interval",
            Self::Any => "anything",
        }
    }
}

impl ScalarUDFImpl for RowByRow {
    fn name(&self) -> &str {
        self.definition.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let Definition { name, needed, kinds, is_open, .. } = self.definition;
        if given.len() < *needed || (given.len() > kinds.len() && !is_open) {
            return plan_err!(
                "{name}: takes {needed} to {} arguments, got {}",
                kinds.len(),
                given.len()
            );
        }
        let kind = |at: usize| kinds.get(at).or(kinds.last()).copied().unwrap_or(Kind::Any);
        let targets = given.iter().enumerate().map(|(at, given)| match kind(at).target(given) {
            Some(target) => Ok(target),
            None => {
                let wanted = kind(at).name();
                plan_err!("{name}: argument {} must be {wanted}, got {given}", at + 1)
            }
        });
        targets.collect()
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType> {
        Ok((self.definition.returns)(given))
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let types: Vec<_> = args.arg_fields.iter().map(|f| f.data_type().clone()).collect();
        let mut field = Field::new(self.name(), self.return_type(&types)?, true);
        let oid = match json::TYPES.iter().find(|(name, _)| *name == self.name()) {
            Some((_, 0)) => {
                args.arg_fields.first().and_then(|f| f.metadata().get(OID_KEY).cloned())
            }
            Some((_, oid)) => Some(oid.to_string()),
            None => None,
        };
        if let Some(oid) = oid {
            field.set_metadata([(OID_KEY.to_owned(), oid)].into());
        }
        if scales::TRIMMED.contains(&self.name()) {
            field.set_metadata([(SCALE_KEY.to_owned(), "trim".to_owned())].into());
        }
        Ok(Arc::new(field))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let zone = args.config_options.execution.time_zone.as_deref().unwrap_or("UTC");
        let zone: Tz = zone.parse().unwrap_or(Tz::UTC);
        let is_scalar = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if is_scalar { 1 } else { args.number_rows };
        let arrays = args.args.iter().map(|arg| arg.to_array(rows)).collect::<Result<Vec<_>>>()?;
        let null = ScalarValue::try_from(args.return_field.data_type())?;
        let row = |row: usize| -> Result<ScalarValue> {
            let given = arrays.iter().map(|array| ScalarValue::try_from_array(array, row));
            let given = given.collect::<Result<Vec<_>>>()?;
            if !self.definition.takes_null && given.iter().any(ScalarValue::is_null) {
                return Ok(null.clone());
            }
            (self.definition.answer)(&given, zone)
        };
        if is_scalar {
            return Ok(ColumnarValue::Scalar(row(0)?));
        }
        let values = (0..rows).map(row).collect::<Result<Vec<_>>>()?;
        Ok(ColumnarValue::Array(match values.is_empty() {
            true => datafusion::arrow::array::new_empty_array(args.return_field.data_type()),
            false => ScalarValue::iter_to_array(values)?,
        }))
    }
}

fn text(value: &ScalarValue) -> &str {
    value.try_as_str().flatten().unwrap_or_default()
}

fn integer(value: &ScalarValue) -> i64 {
    match value {
        ScalarValue::Int64(Some(number)) => *number,
        _ => 0,
    }
}

fn float(value: &ScalarValue) -> f64 {
    match value {
        ScalarValue::Float64(Some(number)) => *number,
        _ => f64::NAN,
    }
}

/// Microseconds of an instant, and whether it is one of a zone.
fn moment(value: &ScalarValue) -> (i64, bool) {
    match value {
        ScalarValue::TimestampMicrosecond(Some(us), zone) => (*us, zone.is_some()),
        _ => (0, false),
    }
}

/// Months, days and microseconds of an interval.
fn span(value: &ScalarValue) -> (i64, i64, i64) {
    match value {
        ScalarValue::IntervalMonthDayNano(Some(span)) => {
            (i64::from(span.months), i64::from(span.days), span.nanoseconds / 1_000)
        }
        _ => (0, 0, 0),
    }
}

#[cfg(test)]
mod tests;
