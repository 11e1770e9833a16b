//! `||` of texts, as a function: an operator has no limits of its own.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{ArrayRef, AsArray, StringArray, StringViewArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::compute::kernels::concat_elements::concat_elements_utf8;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::logical_expr::binary::BinaryTypeCoercer;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExprSchemable, Operator, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature, Volatility,
};

/// The function under its limits.
static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
    let inner = TextConcat { signature: Signature::user_defined(Volatility::Immutable) };
    super::capped(Arc::new(ScalarUDF::from(inner)))
});

pub(super) fn function() -> Arc<ScalarUDF> {
    FUNCTION.clone()
}

/// Whether both sides will be texts; lists have their own function.
pub(super) fn is_text(left: &Expr, right: &Expr, schema: &DFSchema) -> bool {
    let (Ok(left), Ok(right)) = (left.get_type(schema), right.get_type(schema)) else {
        return false;
    };
    coerced(&left, &right).is_ok_and(|(left, right)| left.is_string() && right.is_string())
}

/// The types that the operator itself would compute with.
fn coerced(left: &DataType, right: &DataType) -> Result<(DataType, DataType)> {
    BinaryTypeCoercer::new(left, &Operator::StringConcat, right).get_input_types()
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct TextConcat {
    signature: Signature,
}

impl ScalarUDFImpl for TextConcat {
    fn name(&self) -> &str {
        "text_concat"
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        let sides: Vec<String> = args.iter().map(|arg| arg.schema_name().to_string()).collect();
        Ok(sides.join(" || "))
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let [left, right] = given else {
            return datafusion::common::plan_err!("text_concat: takes two arguments");
        };
        coerced(left, right).map(|(left, right)| vec![left, right])
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType> {
        Ok(given.first().cloned().unwrap_or(DataType::Utf8))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_scalar = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if is_scalar { 1 } else { args.number_rows };
        let sides = args.args.iter().map(|arg| arg.to_array(rows)).collect::<Result<Vec<_>>>()?;
        let [left, right] = &sides[..] else {
            return datafusion::common::exec_err!("text_concat: takes two arguments");
        };
        let joined = joined(left, right)?;
        if is_scalar {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&joined, 0)?));
        }
        Ok(ColumnarValue::Array(joined))
    }
}

/// Both sides row by row; NULL if one is.
fn joined(left: &ArrayRef, right: &ArrayRef) -> Result<ArrayRef> {
    let wanted = left.data_type();
    if wanted == &DataType::Utf8 && right.data_type() == wanted {
        let joined: StringArray = concat_elements_utf8(left.as_string(), right.as_string())?;
        return Ok(Arc::new(joined));
    }
    let [left, right] = [left, right].map(|side| cast(side, &DataType::Utf8View));
    let (left, right) = (left?, right?);
    let pairs = left.as_string_view().iter().zip(right.as_string_view());
    let mut text = String::new();
    let mut builder = datafusion::arrow::array::StringViewBuilder::new();
    for pair in pairs {
        let (Some(left), Some(right)) = pair else {
            builder.append_null();
            continue;
        };
        text.clear();
        text.push_str(left);
        text.push_str(right);
        builder.append_value(&text);
    }
    let joined: StringViewArray = builder.finish();
    Ok(match wanted {
        DataType::Utf8View => Arc::new(joined),
        wanted => cast(&joined, wanted)?,
    })
}
