//! Scalar functions that compute a row at a time: arrays in, one path, an array out.

use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, BooleanBuilder, Date32Array, Date32Builder,
    Decimal128Array, Decimal128Builder, Float64Array, Float64Builder, Int64Array, Int64Builder,
    ListArray, ListBuilder, StringArray, StringBuilder, TimestampMicrosecondArray,
};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float64Type, Int64Type, TimeUnit,
    TimestampMicrosecondType,
};
use datafusion_common::{Result, ScalarValue, exec_datafusion_err, exec_err};
use datafusion_doc::Documentation;
use datafusion_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use crate::function::coercion::{Kind, targets};
use crate::function::page::Page;
use crate::math::Fault;
use crate::math::money::{Cents, Micros};

/// Days since 1970-01-01, as the result of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Day(pub i32);

/// What a function gives for a row; `None` is NULL.
pub(crate) trait Cell: Sized + 'static {
    /// Its type in SQL, for arguments of the types `given`.
    fn data_type(given: &[DataType]) -> DataType;
    /// Cells as an array of `kind`, which is such a type.
    fn array(
        kind: &DataType,
        rows: usize,
        cells: impl Iterator<Item = Result<Option<Self>>>,
    ) -> Result<ArrayRef>;
}

macro_rules! cell {
    ($cell:ty, $type:expr, $builder:expr, $value:expr) => {
        impl Cell for $cell {
            fn data_type(_: &[DataType]) -> DataType {
                $type
            }

            fn array(
                _: &DataType,
                rows: usize,
                cells: impl Iterator<Item = Result<Option<Self>>>,
            ) -> Result<ArrayRef> {
                let mut builder = $builder(rows);
                for cell in cells {
                    builder.append_option(cell?.and_then($value));
                }
                Ok(Arc::new(builder.finish()))
            }
        }
    };
}

// What overflows is not a number anybody can use.
cell!(f64, DataType::Float64, Float64Builder::with_capacity, |n: f64| n.is_finite().then_some(n));
cell!(i64, DataType::Int64, Int64Builder::with_capacity, Some);
cell!(bool, DataType::Boolean, BooleanBuilder::with_capacity, Some);
cell!(Day, DataType::Date32, Date32Builder::with_capacity, |day: Day| Some(day.0));
cell!(Cow<'static, str>, DataType::Utf8, texts, Some);
cell!(Cents, DataType::Decimal128(18, 2), decimals, |cents: Cents| Some(cents.0));

impl Cell for Vec<f64> {
    fn data_type(_: &[DataType]) -> DataType {
        DataType::new_list(DataType::Float64, true)
    }

    fn array(
        _: &DataType,
        rows: usize,
        cells: impl Iterator<Item = Result<Option<Self>>>,
    ) -> Result<ArrayRef> {
        let mut lists = ListBuilder::with_capacity(Float64Builder::new(), rows);
        for cell in cells {
            match cell? {
                Some(numbers) => {
                    lists.append_value(numbers.into_iter().map(|n| n.is_finite().then_some(n)));
                }
                None => lists.append_null(),
            }
        }
        Ok(Arc::new(lists.finish()))
    }
}

fn texts(rows: usize) -> StringBuilder {
    StringBuilder::with_capacity(rows, rows * 8)
}

fn decimals(rows: usize) -> Decimal128Builder {
    Decimal128Builder::with_capacity(rows).with_data_type(Cents::data_type(&[]))
}

/// A scalar function: its page, its parameters, and what it computes.
struct RowFunction<C, E> {
    page: &'static Page,
    kinds: &'static [Kind],
    needed: usize,
    evaluate: E,
    signature: Signature,
    documentation: Documentation,
    cell: std::marker::PhantomData<fn() -> C>,
}

/// The function of `page`, whose arguments hold `kinds` and of which the first `needed` must be given.
pub(crate) fn scalar<C: Cell, E>(
    page: &'static Page,
    kinds: &'static [Kind],
    needed: usize,
    evaluate: E,
) -> Result<ScalarUDF>
where
    E: Fn(&Row<'_>) -> std::result::Result<Option<C>, Fault> + Send + Sync + 'static,
{
    let signature = Signature::user_defined(Volatility::Immutable)
        .with_parameter_names(page.argument_names())?;
    let documentation = page.documentation();
    let cell = std::marker::PhantomData;
    let function = RowFunction { page, kinds, needed, evaluate, signature, documentation, cell };
    Ok(ScalarUDF::from(function))
}

impl<C, E> RowFunction<C, E> {
    fn parameters(&self) -> Vec<(&'static str, Kind)> {
        self.page.arguments.iter().map(|(name, _)| *name).zip(self.kinds.iter().copied()).collect()
    }
}

// A name stands for one function: the rest follows from it.
impl<C, E> PartialEq for RowFunction<C, E> {
    fn eq(&self, other: &Self) -> bool {
        self.page.name == other.page.name
    }
}

impl<C, E> Eq for RowFunction<C, E> {}

impl<C, E> Hash for RowFunction<C, E> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.page.name.hash(state);
    }
}

impl<C, E> fmt::Debug for RowFunction<C, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RowFunction").field(&self.page.name).finish()
    }
}

impl<C: Cell, E> ScalarUDFImpl for RowFunction<C, E>
where
    E: Fn(&Row<'_>) -> std::result::Result<Option<C>, Fault> + Send + Sync + 'static,
{
    fn name(&self) -> &str {
        self.page.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType> {
        Ok(C::data_type(given))
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        targets(self.page.name, &self.parameters(), self.needed, given)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_scalar = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if is_scalar { 1 } else { args.number_rows };
        let mut columns = Vec::with_capacity(args.args.len());
        for ((argument, kind), (name, _)) in
            args.args.iter().zip(self.kinds).zip(self.page.arguments)
        {
            let (array, is_constant) = match argument {
                ColumnarValue::Array(array) => (array.clone(), false),
                ColumnarValue::Scalar(value) => (value.to_array()?, rows > 1),
            };
            let column = Column::of(self.page, name, &array, *kind)?;
            columns.push(Column { is_constant, ..column });
        }
        let names = self.page.arguments;
        let cells = (0..rows).map(|place| {
            (self.evaluate)(&Row { columns: &columns, names, place })
                .map_err(|fault| exec_datafusion_err!("{}: {}", self.page.name, fault.0))
        });
        let array = C::array(args.return_field.data_type(), rows, cells)?;
        if is_scalar {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?));
        }
        Ok(ColumnarValue::Array(array))
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }
}

/// One argument, typed once a batch.
pub(crate) struct Column {
    values: Values,
    /// One value for all rows.
    is_constant: bool,
}

enum Values {
    Numbers(Float64Array),
    Integers(Int64Array),
    Dates(Date32Array),
    /// Microseconds, and how many of them each value lasts.
    Instants(TimestampMicrosecondArray, i64),
    Flags(BooleanArray),
    Texts(StringArray),
    Lists(ListArray),
    Decimals(Decimal128Array, i8),
}

impl Column {
    /// An argument called `name` of `page`'s function, already cast to what `kind` is cast to.
    pub(crate) fn of(page: &Page, name: &str, array: &ArrayRef, kind: Kind) -> Result<Self> {
        let values = match (kind, array.data_type()) {
            (Kind::Time | Kind::Moment, from) => {
                let day_us = if from == &DataType::Date32 { DAY_US } else { 1 };
                Values::Instants(instants(array)?, day_us)
            }
            (Kind::Integer, _) => Values::Integers(array.as_primitive::<Int64Type>().clone()),
            (Kind::Date, _) => Values::Dates(dates(page, name, array)?),
            (Kind::Boolean, _) => Values::Flags(array.as_boolean().clone()),
            (Kind::Text, _) => Values::Texts(array.as_string::<i32>().clone()),
            (Kind::Money, DataType::Decimal128(_, scale)) => {
                let scale = *scale;
                Values::Decimals(array.as_primitive::<Decimal128Type>().clone(), scale)
            }
            (_, DataType::List(_)) => Values::Lists(array.as_list::<i32>().clone()),
            _ => Values::Numbers(array.as_primitive::<Float64Type>().clone()),
        };
        Ok(Self { values, is_constant: false })
    }

    fn array(&self) -> &dyn Array {
        match &self.values {
            Values::Numbers(array) => array,
            Values::Integers(array) => array,
            Values::Dates(array) => array,
            Values::Instants(array, _) => array,
            Values::Flags(array) => array,
            Values::Texts(array) => array,
            Values::Lists(array) => array,
            Values::Decimals(array, _) => array,
        }
    }
}

const DAY_US: i64 = 86_400_000_000;

/// Microseconds of a date or timestamp column, of one with a zone in UTC.
pub(crate) fn instants(array: &ArrayRef) -> Result<TimestampMicrosecondArray> {
    let zone = match array.data_type() {
        DataType::Timestamp(_, Some(_)) => Some("+00:00".into()),
        _ => None,
    };
    let cast = cast(array, &DataType::Timestamp(TimeUnit::Microsecond, zone))?;
    Ok(cast.as_primitive::<TimestampMicrosecondType>().clone().with_timezone_opt(None::<&str>))
}

/// Dates; quoted ones are read here, so that an error can name the argument.
pub(crate) fn dates(page: &Page, name: &str, array: &ArrayRef) -> Result<Date32Array> {
    let Some(texts) = array.as_string_opt::<i32>() else {
        return Ok(array.as_primitive::<Date32Type>().clone());
    };
    let dates = cast(array, &DataType::Date32)?;
    let wrong = (0..texts.len()).find(|row| texts.is_valid(*row) && dates.is_null(*row));
    if let Some(row) = wrong {
        let (function, text) = (page.name, texts.value(row));
        return exec_err!("{function}: {name} must be a date such as 2026-07-31, got \"{text}\"");
    }
    Ok(dates.as_primitive::<Date32Type>().clone())
}

/// The arguments of one row.
pub(crate) struct Row<'a> {
    pub(super) columns: &'a [Column],
    pub(super) names: &'a [(&'static str, &'static str)],
    pub(super) place: usize,
}

impl<'a> Row<'a> {
    /// The column at `index` and the place in it, unless NULL or not given.
    fn at(&self, index: usize) -> Option<(&'a Values, usize)> {
        let column = self.columns.get(index)?;
        let place = if column.is_constant { 0 } else { self.place };
        column.array().is_valid(place).then_some((&column.values, place))
    }

    /// The number at `index`; `None` if it is NULL or was not given.
    pub(crate) fn number(&self, index: usize) -> std::result::Result<Option<f64>, Fault> {
        match self.at(index) {
            Some((Values::Numbers(array), place)) => {
                let value = array.value(place);
                match value.is_finite() {
                    true => Ok(Some(value)),
                    false => {
                        Err(Fault(format!("{} must be finite, got {value}", self.names[index].0)))
                    }
                }
            }
            _ => Ok(None),
        }
    }

    /// The number at `index` as it is, be it finite or not.
    pub(crate) fn raw(&self, index: usize) -> Option<f64> {
        match self.at(index) {
            Some((Values::Numbers(array), place)) => Some(array.value(place)),
            _ => None,
        }
    }

    /// How many arguments were given.
    pub(crate) fn count(&self) -> usize {
        self.columns.len()
    }

    /// The number at `index`, or `default`.
    pub(crate) fn number_or(&self, index: usize, default: f64) -> std::result::Result<f64, Fault> {
        Ok(self.number(index)?.unwrap_or(default))
    }

    /// The whole number at `index`.
    pub(crate) fn integer(&self, index: usize) -> Option<i64> {
        match self.at(index) {
            Some((Values::Integers(array), place)) => Some(array.value(place)),
            _ => None,
        }
    }

    /// The whole number at `index`, or `default`.
    pub(crate) fn integer_or(&self, index: usize, default: i64) -> i64 {
        self.integer(index).unwrap_or(default)
    }

    /// The day at `index`, counted from 1970-01-01.
    pub(crate) fn day(&self, index: usize) -> Option<i32> {
        match self.at(index) {
            Some((Values::Dates(array), place)) => Some(array.value(place)),
            _ => None,
        }
    }

    /// First and last microsecond of the moment at `index`: a date lasts its whole day.
    pub(crate) fn moment(&self, index: usize) -> Option<(i64, i64)> {
        match self.at(index) {
            Some((Values::Instants(array, length), place)) => {
                let start = array.value(place);
                Some((start, start.saturating_add(length - 1)))
            }
            _ => None,
        }
    }

    /// Whether the argument at `index` is true.
    pub(crate) fn flag(&self, index: usize) -> Option<bool> {
        match self.at(index) {
            Some((Values::Flags(array), place)) => Some(array.value(place)),
            _ => None,
        }
    }

    /// The text at `index`.
    pub(crate) fn text(&self, index: usize) -> Option<&'a str> {
        match self.at(index) {
            Some((Values::Texts(array), place)) => Some(array.value(place)),
            _ => None,
        }
    }

    /// The exact amount at `index`.
    pub(crate) fn money(&self, index: usize) -> std::result::Result<Option<Micros>, Fault> {
        let name = self.names[index].0;
        match self.at(index) {
            Some((Values::Decimals(array, scale), place)) => {
                Micros::of_decimal(name, array.value(place), *scale).map(Some)
            }
            Some((Values::Numbers(array), place)) => {
                Micros::of_float(name, array.value(place)).map(Some)
            }
            _ => Ok(None),
        }
    }

    fn list(&self, index: usize) -> Option<ArrayRef> {
        match self.at(index) {
            Some((Values::Lists(array), place)) => Some(array.value(place)),
            _ => None,
        }
    }

    /// The list at `index`; a NULL inside it is refused.
    pub(crate) fn numbers(&self, index: usize) -> std::result::Result<Option<Vec<f64>>, Fault> {
        let Some(items) = self.list(index) else { return Ok(None) };
        self.refuse_null(index, &items)?;
        Ok(Some(items.as_primitive::<Float64Type>().values().to_vec()))
    }

    /// The list at `index`, NULLs inside it kept.
    pub(crate) fn options(&self, index: usize) -> Option<Vec<Option<f64>>> {
        let items = self.list(index)?;
        Some(items.as_primitive::<Float64Type>().iter().collect())
    }

    /// The list of texts at `index`; a NULL inside it is refused.
    pub(crate) fn texts(&self, index: usize) -> std::result::Result<Option<StringArray>, Fault> {
        let Some(items) = self.list(index) else { return Ok(None) };
        self.refuse_null(index, &items)?;
        Ok(Some(items.as_string::<i32>().clone()))
    }

    /// The list of days at `index`, NULLs inside it left out.
    pub(crate) fn days(&self, index: usize) -> Option<Vec<i32>> {
        let items = self.list(index)?;
        Some(items.as_primitive::<Date32Type>().iter().flatten().collect())
    }

    /// The list of pairs at `index`; a NULL inside it is refused.
    pub(crate) fn pairs(
        &self,
        index: usize,
    ) -> std::result::Result<Option<Vec<(f64, f64)>>, Fault> {
        let Some(items) = self.list(index) else { return Ok(None) };
        self.refuse_null(index, &items)?;
        let columns = items.as_struct().columns();
        columns.iter().try_for_each(|column| self.refuse_null(index, column))?;
        let [from, rate] = [0, 1].map(|at| columns[at].as_primitive::<Float64Type>().values());
        Ok(Some(from.iter().copied().zip(rate.iter().copied()).collect()))
    }

    fn refuse_null(&self, index: usize, items: &dyn Array) -> std::result::Result<(), Fault> {
        match items.null_count() {
            0 => Ok(()),
            _ => Err(Fault(format!("{} must not hold NULL", self.names[index].0))),
        }
    }
}
