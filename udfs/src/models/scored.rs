//! Functions of a model and features: rows in runs that share a model, columns within a run.

use std::hash::{Hash, Hasher};

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, StringViewArray, StructArray};
use arrow::compute::concat;
use arrow::datatypes::{DataType, Int64Type};
use datafusion_common::{Result, ScalarValue, exec_datafusion_err};
use datafusion_doc::Documentation;
use datafusion_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::scorer::{Readers, Scorer};
use crate::function::coercion::{Kind, targets};
use crate::function::page::Page;
use crate::math::Fault;

/// Computes a run of rows from their model, their features and a whole number each.
pub(super) type Run =
    fn(Option<&Scorer>, &StructArray, Option<&Int64Array>) -> std::result::Result<ArrayRef, Fault>;

/// What a function computes for a run of rows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub page: &'static Page,
    /// Of the arguments `model`, `features` and a whole number, how many there are.
    pub most: usize,
    pub output: fn() -> DataType,
    /// Result for rows of one model; without a model it is NULL, or what `None` gives.
    pub run: Run,
}

#[derive(Debug)]
struct Scored {
    shape: Shape,
    signature: Signature,
    documentation: Documentation,
}

/// The function of `shape`.
pub(super) fn udf(shape: Shape) -> Result<ScalarUDF> {
    let signature = Signature::user_defined(Volatility::Immutable)
        .with_parameter_names(shape.page.argument_names())?;
    let documentation = shape.page.documentation();
    Ok(ScalarUDF::from(Scored { shape, signature, documentation }))
}

// A name stands for one function: the rest follows from it.
impl PartialEq for Scored {
    fn eq(&self, other: &Self) -> bool {
        self.shape.page.name == other.shape.page.name
    }
}

impl Eq for Scored {}

impl Hash for Scored {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.shape.page.name.hash(state);
    }
}

impl ScalarUDFImpl for Scored {
    fn name(&self) -> &str {
        self.shape.page.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok((self.shape.output)())
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let kinds = [Kind::LongText, Kind::Features, Kind::Integer];
        let names = self.shape.page.arguments.iter().map(|(name, _)| *name);
        let parameters: Vec<_> = names.zip(kinds).take(self.shape.most).collect();
        targets(self.shape.page.name, &parameters, 2, given)
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

impl Scored {
    fn column(&self, args: &[ColumnarValue], rows: usize) -> Result<ArrayRef> {
        let error = |fault: Fault| exec_datafusion_err!("{}: {}", self.shape.page.name, fault.0);
        let features = args[1].to_array(rows)?;
        let option = args.get(2).map(|option| option.to_array(rows)).transpose()?;
        let option = option.as_ref().map(|option| option.as_primitive::<Int64Type>());
        let run = |scorer: Option<&Scorer>, start: usize, count: usize| {
            let features = features.slice(start, count);
            let option = option.map(|option| option.slice(start, count));
            (self.shape.run)(scorer, features.as_struct(), option.as_ref()).map_err(error)
        };
        let mut readers = Readers::default();
        if let ColumnarValue::Scalar(model) = &args[0] {
            let text = model.try_as_str().flatten();
            let scorer = text.map(|text| readers.of(text)).transpose().map_err(error)?;
            return run(scorer.as_deref(), 0, rows);
        }
        let models = args[0].to_array(rows)?;
        let models = models.as_string_view();
        let mut parts = vec![];
        let mut start = 0;
        while start < rows {
            let count = same(models, start);
            let text = models.is_valid(start).then(|| models.value(start));
            let scorer = text.map(|text| readers.of(text)).transpose().map_err(error)?;
            parts.push(run(scorer.as_deref(), start, count)?);
            start += count;
        }
        let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
        match parts.is_empty() {
            true => run(None, 0, 0),
            false => Ok(concat(&parts)?),
        }
    }
}

/// How many rows from `start` on have the same model.
fn same(models: &StringViewArray, start: usize) -> usize {
    let at = |row: usize| models.is_valid(row).then(|| models.value(row));
    let (first, views) = (at(start), models.views());
    let is_same = |row: &usize| {
        let is_one_place = views[*row] == views[start] && models.is_valid(*row) == first.is_some();
        is_one_place || at(*row) == first
    };
    (start..models.len()).take_while(is_same).count()
}
