//! Scalar functions that compute a row at a time: arrays in, one path, an array out.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Date32Array, Float64Array, Int64Array, ListArray, StringBuilder,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type, Float64Type, Int64Type};
use datafusion_common::{Result, ScalarValue, exec_datafusion_err, plan_err};
use datafusion_doc::Documentation;
use datafusion_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use crate::function::coercion::{Kind, targets};
use crate::function::page::Page;
use crate::math::Fault;

/// What a row evaluates to.
pub(crate) enum Value {
    Number(Option<f64>),
    Integer(Option<i64>),
    Text(Option<&'static str>),
}

/// A function of the arguments of one row.
pub(crate) type Evaluate = fn(&Row<'_>) -> std::result::Result<Value, Fault>;

/// A scalar function: its page, its parameters, and what it computes.
#[derive(Debug)]
pub(crate) struct RowFunction {
    page: &'static Page,
    kinds: &'static [Kind],
    needed: usize,
    output: DataType,
    evaluate: Evaluate,
    signature: Signature,
    documentation: Documentation,
}

impl RowFunction {
    /// The function of `page`, whose arguments hold `kinds` and of which the first `needed` must be given.
    pub(crate) fn udf(
        page: &'static Page,
        kinds: &'static [Kind],
        needed: usize,
        output: DataType,
        evaluate: Evaluate,
    ) -> Result<ScalarUDF> {
        let signature = Signature::user_defined(Volatility::Immutable)
            .with_parameter_names(page.argument_names())?;
        let documentation = page.documentation();
        let function = Self { page, kinds, needed, output, evaluate, signature, documentation };
        Ok(ScalarUDF::from(function))
    }

    fn parameters(&self) -> Vec<(&'static str, Kind)> {
        self.page.arguments.iter().map(|(name, _)| *name).zip(self.kinds.iter().copied()).collect()
    }
}

// A name stands for one function: the rest follows from it.
impl PartialEq for RowFunction {
    fn eq(&self, other: &Self) -> bool {
        self.page.name == other.page.name
    }
}

impl Eq for RowFunction {}

impl Hash for RowFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.page.name.hash(state);
    }
}

impl ScalarUDFImpl for RowFunction {
    fn name(&self) -> &str {
        self.page.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.output.clone())
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        targets(self.page.name, &self.parameters(), self.needed, given)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_scalar = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if is_scalar { 1 } else { args.number_rows };
        let mut columns = Vec::with_capacity(args.args.len());
        for (at, (argument, kind)) in args.args.iter().zip(self.kinds).enumerate() {
            let column = Column::of(argument, *kind, rows)?;
            columns.push(column.map_err(|text| {
                let (name, _) = self.page.arguments[at];
                let function = self.page.name;
                exec_datafusion_err!(
                    "{function}: {name} must be a date such as 2026-07-31, got \"{text}\""
                )
            })?);
        }
        let names = self.page.arguments;
        let evaluated = (0..rows).map(|place| {
            (self.evaluate)(&Row { columns: &columns, names, place })
                .map_err(|fault| exec_datafusion_err!("{}: {}", self.page.name, fault.0))
        });
        let array = collected(&self.output, evaluated, rows)?;
        if is_scalar {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?));
        }
        Ok(ColumnarValue::Array(array))
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }
}

fn collected(
    output: &DataType,
    values: impl Iterator<Item = Result<Value>>,
    rows: usize,
) -> Result<ArrayRef> {
    match output {
        DataType::Float64 => {
            let mut numbers = Float64Array::builder(rows);
            for value in values {
                // What overflows is not a number anybody can use.
                let Value::Number(number) = value? else { continue };
                numbers.append_option(number.filter(|number| number.is_finite()));
            }
            Ok(Arc::new(numbers.finish()))
        }
        DataType::Int64 => {
            let mut numbers = Int64Array::builder(rows);
            for value in values {
                let Value::Integer(number) = value? else { continue };
                numbers.append_option(number);
            }
            Ok(Arc::new(numbers.finish()))
        }
        DataType::Utf8 => {
            let mut texts = StringBuilder::new();
            for value in values {
                let Value::Text(text) = value? else { continue };
                texts.append_option(text);
            }
            Ok(Arc::new(texts.finish()))
        }
        other => plan_err!("a row function cannot give {other}"),
    }
}

/// One argument, typed once a batch; a constant has one value for all rows.
enum Column {
    Numbers(Float64Array, bool),
    Integers(Int64Array, bool),
    Dates(Date32Array, bool),
    Lists(ListArray, bool),
}

impl Column {
    /// `argument` as a column; the inner error is a text that is no date.
    fn of(
        argument: &ColumnarValue,
        kind: Kind,
        rows: usize,
    ) -> Result<std::result::Result<Self, String>> {
        let (array, is_constant) = match argument {
            ColumnarValue::Array(array) => (array.clone(), false),
            ColumnarValue::Scalar(value) => (value.to_array()?, rows > 1),
        };
        if let (Kind::Date, DataType::Utf8) = (kind, array.data_type()) {
            let texts = array.as_string::<i32>();
            let dates = cast(&array, &DataType::Date32)?;
            let wrong = (0..texts.len()).find(|row| texts.is_valid(*row) && dates.is_null(*row));
            return Ok(match wrong {
                Some(row) => Err(texts.value(row).to_owned()),
                None => Ok(Self::Dates(dates.as_primitive::<Date32Type>().clone(), is_constant)),
            });
        }
        Ok(Ok(match kind {
            Kind::Integer => Self::Integers(array.as_primitive::<Int64Type>().clone(), is_constant),
            Kind::Date => Self::Dates(array.as_primitive::<Date32Type>().clone(), is_constant),
            Kind::Numbers => Self::Lists(array.as_list::<i32>().clone(), is_constant),
            _ => Self::Numbers(array.as_primitive::<Float64Type>().clone(), is_constant),
        }))
    }
}

/// The arguments of one row.
pub(crate) struct Row<'a> {
    columns: &'a [Column],
    names: &'a [(&'static str, &'static str)],
    place: usize,
}

impl Row<'_> {
    /// The number at `index`; `None` if it is NULL or was not given.
    pub(crate) fn number(&self, index: usize) -> std::result::Result<Option<f64>, Fault> {
        let Some(Column::Numbers(array, is_constant)) = self.columns.get(index) else {
            return Ok(None);
        };
        let place = if *is_constant { 0 } else { self.place };
        if array.is_null(place) {
            return Ok(None);
        }
        let value = array.value(place);
        if value.is_finite() {
            return Ok(Some(value));
        }
        Err(Fault(format!("{} must be finite, got {value}", self.names[index].0)))
    }

    /// How many arguments were given.
    pub(crate) fn count(&self) -> usize {
        self.columns.len()
    }

    /// The number at `index`, or `default`.
    pub(crate) fn number_or(&self, index: usize, default: f64) -> std::result::Result<f64, Fault> {
        Ok(self.number(index)?.unwrap_or(default))
    }

    /// The whole number at `index`, or `default`.
    pub(crate) fn integer_or(&self, index: usize, default: i64) -> i64 {
        match self.columns.get(index) {
            Some(Column::Integers(array, is_constant)) => {
                let place = if *is_constant { 0 } else { self.place };
                if array.is_null(place) { default } else { array.value(place) }
            }
            _ => default,
        }
    }

    /// The day at `index`, counted from 1970-01-01.
    pub(crate) fn day(&self, index: usize) -> Option<i32> {
        match self.columns.get(index) {
            Some(Column::Dates(array, is_constant)) => {
                let place = if *is_constant { 0 } else { self.place };
                array.is_valid(place).then(|| array.value(place))
            }
            _ => None,
        }
    }

    /// The list at `index`; a NULL inside it is refused.
    pub(crate) fn numbers(&self, index: usize) -> std::result::Result<Option<Vec<f64>>, Fault> {
        let Some(Column::Lists(array, is_constant)) = self.columns.get(index) else {
            return Ok(None);
        };
        let place = if *is_constant { 0 } else { self.place };
        if array.is_null(place) {
            return Ok(None);
        }
        let items = array.value(place);
        let items = items.as_primitive::<Float64Type>();
        if items.null_count() > 0 {
            return Err(Fault(format!("{} must not hold NULL", self.names[index].0)));
        }
        Ok(Some(items.values().to_vec()))
    }
}
