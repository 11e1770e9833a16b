//! Functions of a model and features: rows that share a model together, as columns.

use std::hash::{Hash, Hasher};

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, StructArray, UInt32Array};
use arrow::compute::{concat, take};
use arrow::datatypes::{DataType, Int64Type};
use datafusion_common::{Result, ScalarValue, exec_datafusion_err};
use datafusion_doc::Documentation;
use datafusion_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::scorer::{Scorer, distinct, scorer};
use crate::function::coercion::{Kind, targets};
use crate::function::page::Page;
use crate::math::Fault;

/// The whole number that rows are computed with.
#[derive(Debug, Clone, Copy)]
pub(super) enum Top<'a> {
    /// One for all.
    One(Option<i64>),
    /// One each.
    Each(&'a Int64Array),
}

impl Top<'_> {
    /// That of `row`.
    pub(super) fn of(self, row: usize) -> Option<i64> {
        match self {
            Self::One(top) => top,
            Self::Each(tops) => tops.is_valid(row).then(|| tops.value(row)),
        }
    }
}

/// Computes rows from their model, their features and a whole number.
pub(super) type Run =
    fn(Option<&Scorer>, &StructArray, Top<'_>) -> std::result::Result<ArrayRef, Fault>;

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
        let top = match args.get(2) {
            None => Given::One(None),
            Some(ColumnarValue::Scalar(ScalarValue::Int64(top))) => Given::One(*top),
            Some(other) => Given::Each(other.to_array(rows)?),
        };
        let run = |text: Option<&str>, features: &ArrayRef, top: &Given| {
            let scorer = text.map(scorer).transpose().map_err(error)?;
            let top = match top {
                Given::One(top) => Top::One(*top),
                Given::Each(tops) => Top::Each(tops.as_primitive::<Int64Type>()),
            };
            (self.shape.run)(scorer.as_deref(), features.as_struct(), top).map_err(error)
        };
        if let ColumnarValue::Scalar(model) = &args[0] {
            return run(model.try_as_str().flatten(), &features, &top);
        }
        let models = args[0].to_array(rows)?;
        let (texts, places) = distinct(models.as_string_view());
        if let [] | [_] = texts[..] {
            return run(texts.first().copied().flatten(), &features, &top);
        }
        // Rows of one model go together, and back to where they came from.
        let mut parts = Vec::with_capacity(texts.len());
        let mut order = vec![0_u32; rows];
        let mut done = 0;
        for (text, place) in texts.iter().zip(0..) {
            let of_text = places.iter().zip(0_u32..).filter(|(known, _)| **known == place);
            let picked: Vec<u32> = of_text.map(|(_, row)| row).collect();
            picked.iter().zip(done..).for_each(|(row, to)| order[*row as usize] = to);
            done += picked.len() as u32;
            let picked = UInt32Array::from(picked);
            let top = match &top {
                Given::One(top) => Given::One(*top),
                Given::Each(tops) => Given::Each(take(tops, &picked, None)?),
            };
            parts.push(run(*text, &take(&features, &picked, None)?, &top)?);
        }
        let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
        Ok(take(&concat(&parts)?, &UInt32Array::from(order), None)?)
    }
}

/// The whole numbers of a batch, as they were given.
enum Given {
    One(Option<i64>),
    Each(ArrayRef),
}
