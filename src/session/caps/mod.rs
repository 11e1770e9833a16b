//! Limits on what functions make: the memory pool sees operators, and a function is none.
//!
//! Every function whose result has no fixed width is called through [`Capped`]: it refuses a value
//! over [`VALUE_BYTES_MAX`] and a batch over [`BATCH_BYTES_MAX`], and counts the rest against the
//! memory of its query.
//! Functions that make much of little ([`growth`]) are estimated before they are called; the
//! others can at most double or so what they were given, and are measured afterwards.

mod concatenation;
mod growth;
mod size;

use std::hash::Hash;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef};
use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::error::DataFusionError;
use datafusion::execution::FunctionRegistry;
use datafusion::execution::context::SessionState;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::expr_rewriter::FunctionRewrite;
use datafusion::logical_expr::interval_arithmetic::Interval;
use datafusion::logical_expr::preimage::PreimageResult;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Documentation, Expr, ExprSchemable, ExpressionPlacement, Operator,
    ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, StructFieldMapping,
};

use super::scope::Scope;
use crate::error::Error;
use growth::Growth;

pub(super) use size::rows_at_once;

/// Bytes of one value that a function may make.
pub(super) const VALUE_BYTES_MAX: u64 = 16 << 20;
/// Bytes of all values that a function may make at once, for some thousand rows.
pub(super) const BATCH_BYTES_MAX: u64 = 128 << 20;

/// What the engine looks for by type: under a cover it would not find it.
const LEFT_ALONE: &[&str] = &["get_field", "named_struct", "struct", "log", "power"];

/// Caps the functions of `state`: those registered that make much of little, and through a rewrite
/// of every plan all others, whoever put them there.
pub(super) fn install(state: &mut SessionState) -> Result<()> {
    for name in growth::names() {
        if let Some(function) = state.scalar_functions().get(name).cloned() {
            state.register_udf(capped(function))?;
        }
    }
    state.register_function_rewrite(Arc::new(CapAll))
}

/// 54000, naming what was too large.
fn too_large(name: &str, what: &str, most: u64) -> DataFusionError {
    let message = format!("{name}: {what} would be larger than {} MiB", most >> 20);
    DataFusionError::External(Box::new(Error::statement("54000", message)))
}

/// Puts a cover over every function of a plan, and makes `||` of texts one.
#[derive(Debug)]
struct CapAll;

impl FunctionRewrite for CapAll {
    fn name(&self) -> &str {
        "cap_all"
    }

    fn rewrite(
        &self,
        expr: Expr,
        schema: &DFSchema,
        _: &ConfigOptions,
    ) -> Result<Transformed<Expr>> {
        match expr {
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::StringConcat, right })
                if concatenation::is_text(&left, &right, schema) =>
            {
                let function =
                    ScalarFunction::new_udf(concatenation::function(), vec![*left, *right]);
                Ok(Transformed::yes(Expr::ScalarFunction(function)))
            }
            Expr::ScalarFunction(call) if needs_cover(&call, schema) => {
                let func = capped(call.func);
                Ok(Transformed::yes(Expr::ScalarFunction(ScalarFunction { func, ..call })))
            }
            other => Ok(Transformed::no(other)),
        }
    }
}

fn needs_cover(call: &ScalarFunction, schema: &DFSchema) -> bool {
    let inner = call.func.inner();
    if inner.is::<Capped>() || LEFT_ALONE.contains(&inner.name()) || call.func.as_async().is_some()
    {
        return false;
    }
    // Before types are coerced a call may have none yet.
    let result = Expr::ScalarFunction(call.clone()).get_type(schema);
    result.map_or(true, |data_type| !size::is_fixed(&data_type))
}

fn capped(function: Arc<ScalarUDF>) -> Arc<ScalarUDF> {
    if function.inner().is::<Capped>() {
        return function;
    }
    let growth = growth::of(function.name());
    Arc::new(ScalarUDF::from(Capped { inner: function, growth }))
}

/// A function under its limits; everything else it is asked, it answers as the function does.
#[derive(Debug)]
struct Capped {
    inner: Arc<ScalarUDF>,
    growth: Option<Growth>,
}

impl PartialEq for Capped {
    fn eq(&self, other: &Self) -> bool {
        self.inner == other.inner
    }
}

impl Eq for Capped {}

impl Hash for Capped {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.inner.hash(state);
    }
}

impl Capped {
    /// Refuses what is too large, and counts what is large.
    fn checked(&self, value: ColumnarValue, scope: Option<&Scope>) -> Result<ColumnarValue> {
        let name = self.inner.name();
        match &value {
            ColumnarValue::Array(array) => {
                let bytes = size::check(array, name)?;
                if let Some(scope) = scope {
                    scope.count_array(array, usize::try_from(bytes).unwrap_or(usize::MAX))?;
                }
            }
            ColumnarValue::Scalar(scalar) => {
                let bytes = scalar_bytes(scalar);
                if bytes as u64 > VALUE_BYTES_MAX {
                    return Err(too_large(name, "a value", VALUE_BYTES_MAX));
                }
                if let Some(scope) = scope {
                    scope.count_scalar(bytes)?;
                }
            }
        }
        Ok(value)
    }

    /// Calls the function on a few rows at a time, because its results may be large.
    fn in_parts(&self, args: ScalarFunctionArgs, rows: usize) -> Result<ColumnarValue> {
        let mut parts: Vec<ArrayRef> = vec![];
        let mut bytes = 0;
        for start in (0..args.number_rows).step_by(rows) {
            let length = rows.min(args.number_rows - start);
            let slice = |arg: &ColumnarValue| match arg {
                ColumnarValue::Array(array) => ColumnarValue::Array(array.slice(start, length)),
                scalar => scalar.clone(),
            };
            let part = ScalarFunctionArgs {
                args: args.args.iter().map(slice).collect(),
                number_rows: length,
                ..args.clone()
            };
            let part = self.inner.invoke_with_args(part)?.into_array(length)?;
            bytes += size::check(&part, self.inner.name())?;
            if bytes > BATCH_BYTES_MAX {
                return Err(too_large(self.inner.name(), "a batch of values", BATCH_BYTES_MAX));
            }
            parts.push(part);
        }
        let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
        Ok(ColumnarValue::Array(datafusion::arrow::compute::concat(&parts)?))
    }
}

/// Bytes of a value, without what surrounds it.
fn scalar_bytes(value: &ScalarValue) -> usize {
    match value {
        ScalarValue::Utf8(Some(text))
        | ScalarValue::LargeUtf8(Some(text))
        | ScalarValue::Utf8View(Some(text)) => text.len(),
        other => other.size(),
    }
}

impl ScalarUDFImpl for Capped {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        self.inner.schema_name(args)
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType> {
        self.inner.return_type(given)
    }

    fn with_updated_config(&self, config: &ConfigOptions) -> Option<ScalarUDF> {
        let inner = Arc::new(self.inner.inner().with_updated_config(config)?);
        Some(ScalarUDF::from(Self { inner, growth: self.growth }))
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        self.inner.return_field_from_args(args)
    }

    fn is_strict(&self) -> bool {
        self.inner.is_strict()
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let options = args.config_options.clone();
        let scope = Scope::of(&options);
        if let Some(scope) = scope {
            scope.check_stop()?;
        }
        let rows = match self.growth {
            None => args.number_rows,
            Some(growth) => growth.check(self.inner.name(), &args)?,
        };
        if rows < args.number_rows {
            return self.checked(self.in_parts(args, rows)?, scope);
        }
        self.checked(self.inner.invoke_with_args(args)?, scope)
    }

    fn simplify(&self, args: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        // What these simplify to is themselves again, without a cover.
        match self.growth {
            Some(_) => Ok(ExprSimplifyResult::Original(args)),
            None => self.inner.simplify(args, info),
        }
    }

    fn preimage(
        &self,
        args: &[Expr],
        literal: &Expr,
        info: &SimplifyContext,
    ) -> Result<PreimageResult> {
        self.inner.preimage(args, literal, info)
    }

    fn short_circuits(&self) -> bool {
        self.inner.short_circuits()
    }

    fn conditional_arguments<'a>(
        &self,
        args: &'a [Expr],
    ) -> Option<(Vec<&'a Expr>, Vec<&'a Expr>)> {
        self.inner.conditional_arguments(args)
    }

    fn evaluate_bounds(&self, inputs: &[&Interval]) -> Result<Interval> {
        self.inner.evaluate_bounds(inputs)
    }

    fn propagate_constraints(
        &self,
        interval: &Interval,
        inputs: &[&Interval],
    ) -> Result<Option<Vec<Interval>>> {
        self.inner.propagate_constraints(interval, inputs)
    }

    fn output_ordering(&self, inputs: &[ExprProperties]) -> Result<SortProperties> {
        self.inner.output_ordering(inputs)
    }

    fn preserves_lex_ordering(&self, inputs: &[ExprProperties]) -> Result<bool> {
        self.inner.preserves_lex_ordering(inputs)
    }

    fn strictly_order_preserving(&self, inputs: &[ExprProperties]) -> Result<bool> {
        self.inner.strictly_order_preserving(inputs)
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(given)
    }

    fn struct_field_mapping(&self, given: &[Option<ScalarValue>]) -> Option<StructFieldMapping> {
        self.inner.struct_field_mapping(given)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }

    fn placement(&self, args: &[ExpressionPlacement]) -> ExpressionPlacement {
        self.inner.placement(args)
    }
}

#[cfg(test)]
mod tests;
