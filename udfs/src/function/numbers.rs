//! Scalar functions of numbers alone: columns as slices, one tight loop.

use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanBufferBuilder, Float64Array};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Float64Type};
use datafusion_common::{Result, ScalarValue, exec_datafusion_err};
use datafusion_doc::Documentation;
use datafusion_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use crate::function::coercion::{Kind, targets};
use crate::function::page::Page;
use crate::math::{Answer, Fault};

/// A function of `N` numbers.
struct NumberFunction<const N: usize, E> {
    page: &'static Page,
    /// What an argument is when it is NULL or not given; `None`: it must be given, and NULL gives NULL.
    defaults: [Option<f64>; N],
    evaluate: E,
    /// The same for whole columns, where there is a quicker way.
    columns: Option<Columns<N>>,
    signature: Signature,
    documentation: Documentation,
}

/// A function of columns of one length: fills the last one, and says whether every row was in
/// bounds; if not, its numbers are not used.
pub(crate) type Columns<const N: usize> = fn([&[f64]; N], &mut [f64]) -> bool;

/// The function of `page`, computed by `evaluate` from one number for each of `defaults`.
pub(crate) fn numbers<const N: usize, E>(
    page: &'static Page,
    defaults: [Option<f64>; N],
    evaluate: E,
) -> Result<ScalarUDF>
where
    E: Fn([f64; N]) -> Answer + Send + Sync + 'static,
{
    number_columns(page, defaults, evaluate, None)
}

/// As [`numbers`], with a quicker way for whole columns.
pub(crate) fn number_columns<const N: usize, E>(
    page: &'static Page,
    defaults: [Option<f64>; N],
    evaluate: E,
    columns: Option<Columns<N>>,
) -> Result<ScalarUDF>
where
    E: Fn([f64; N]) -> Answer + Send + Sync + 'static,
{
    let signature = Signature::user_defined(Volatility::Immutable)
        .with_parameter_names(page.argument_names())?;
    let documentation = page.documentation();
    Ok(ScalarUDF::from(NumberFunction {
        page,
        defaults,
        evaluate,
        columns,
        signature,
        documentation,
    }))
}

// A name stands for one function: the rest follows from it.
impl<const N: usize, E> PartialEq for NumberFunction<N, E> {
    fn eq(&self, other: &Self) -> bool {
        self.page.name == other.page.name
    }
}

impl<const N: usize, E> Eq for NumberFunction<N, E> {}

impl<const N: usize, E> Hash for NumberFunction<N, E> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.page.name.hash(state);
    }
}

impl<const N: usize, E> fmt::Debug for NumberFunction<N, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("NumberFunction").field(&self.page.name).finish()
    }
}

impl<const N: usize, E> ScalarUDFImpl for NumberFunction<N, E>
where
    E: Fn([f64; N]) -> Answer + Send + Sync + 'static,
{
    fn name(&self) -> &str {
        self.page.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let needed = self.defaults.iter().filter(|default| default.is_none()).count();
        let names = self.page.arguments.iter().map(|(name, _)| (*name, Kind::Number));
        targets(self.page.name, &names.collect::<Vec<_>>(), needed, given)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_scalar = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if is_scalar { 1 } else { args.number_rows };
        let array = self.column(&args.args, rows)?;
        if is_scalar {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?));
        }
        Ok(ColumnarValue::Array(array))
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }
}

impl<const N: usize, E: Fn([f64; N]) -> Answer> NumberFunction<N, E> {
    fn column(&self, args: &[ColumnarValue], rows: usize) -> Result<ArrayRef> {
        let mut nulls: Option<NullBuffer> = None;
        let mut given: [Given<'_>; N] = [const { Given::Constant(0.0) }; N];
        for (place, default) in self.defaults.iter().enumerate() {
            let Some(values) = values(args.get(place), *default, &mut nulls)? else {
                return Ok(Arc::new(Float64Array::new_null(rows)));
            };
            given[place] = values;
        }
        if let Some(quick) = self.columns
            && let Some(numbers) = quickly(quick, &given, rows)
        {
            return Ok(Arc::new(Float64Array::new(numbers.into(), nulls)));
        }
        let mut numbers = vec![0.0; rows];
        let mut unknown: Option<BooleanBufferBuilder> = None;
        for (row, number) in numbers.iter_mut().enumerate() {
            let answer = match &nulls {
                Some(nulls) if nulls.is_null(row) => None,
                _ => self.row(std::array::from_fn(|place| given[place].at(row)))?,
            };
            match answer {
                // What overflows is not a number anybody can use.
                Some(answer) if answer.is_finite() => *number = answer,
                _ => unknown.get_or_insert_with(|| all_valid(rows)).set_bit(row, false),
            }
        }
        let nulls = unknown.map(|mut valid| NullBuffer::new(valid.finish()));
        Ok(Arc::new(Float64Array::new(numbers.into(), nulls)))
    }

    #[inline]
    fn row(&self, row: [f64; N]) -> Result<Option<f64>> {
        let is_finite = row.iter().all(|value| value.is_finite());
        let answer = if is_finite { (self.evaluate)(row) } else { Err(self.not_finite(row)) };
        answer.map_err(|fault| exec_datafusion_err!("{}: {}", self.page.name, fault.0))
    }

    #[cold]
    fn not_finite(&self, row: [f64; N]) -> Fault {
        let place = row.iter().position(|value| !value.is_finite()).unwrap_or(0);
        Fault(format!("{} must be finite, got {}", self.page.arguments[place].0, row[place]))
    }
}

fn all_valid(rows: usize) -> BooleanBufferBuilder {
    let mut valid = BooleanBufferBuilder::new(rows);
    valid.append_n(rows, true);
    valid
}

/// One argument: a value for each row, or one for all.
enum Given<'a> {
    Column(Cow<'a, [f64]>),
    Constant(f64),
}

impl Given<'_> {
    #[inline]
    fn at(&self, row: usize) -> f64 {
        match self {
            Self::Column(values) => values[row],
            Self::Constant(value) => *value,
        }
    }
}

/// Rows that are computed at a time: their columns stay in the nearest cache.
const CHUNK: usize = 1_024;

/// All rows by `quick`; `None` if one of them is not in bounds.
fn quickly<const N: usize>(
    quick: Columns<N>,
    given: &[Given<'_>; N],
    rows: usize,
) -> Option<Vec<f64>> {
    let constants: [[f64; CHUNK]; N] = std::array::from_fn(|place| match &given[place] {
        Given::Constant(value) => [*value; CHUNK],
        Given::Column(_) => [0.0; CHUNK],
    });
    let mut numbers = Vec::with_capacity(rows);
    let mut chunk = [0.0; CHUNK];
    for start in (0..rows).step_by(CHUNK) {
        let end = rows.min(start + CHUNK);
        let columns = std::array::from_fn(|place| match &given[place] {
            Given::Constant(_) => &constants[place][..end - start],
            Given::Column(values) => &values[start..end],
        });
        let chunk = &mut chunk[..end - start];
        if !quick(columns, chunk) {
            return None;
        }
        numbers.extend_from_slice(chunk);
    }
    Some(numbers)
}

/// An argument; `None` if it is NULL in every row and must not be.
fn values<'a>(
    argument: Option<&'a ColumnarValue>,
    default: Option<f64>,
    nulls: &mut Option<NullBuffer>,
) -> Result<Option<Given<'a>>> {
    let array = match argument {
        None => return Ok(default.map(Given::Constant)),
        Some(ColumnarValue::Scalar(value)) => {
            let ScalarValue::Float64(number) = value.cast_to(&DataType::Float64)? else {
                return Ok(None);
            };
            return Ok(number.or(default).map(Given::Constant));
        }
        Some(ColumnarValue::Array(array)) => array.as_primitive::<Float64Type>(),
    };
    if array.null_count() == 0 {
        return Ok(Some(Given::Column(array.values().as_ref().into())));
    }
    let Some(default) = default else {
        *nulls = NullBuffer::union(nulls.as_ref(), array.nulls());
        // What lies under a NULL may be anything; it is not looked at.
        return Ok(Some(Given::Column(array.values().as_ref().into())));
    };
    let filled = array.iter().map(|value| value.unwrap_or(default)).collect::<Vec<_>>();
    Ok(Some(Given::Column(filled.into())))
}
