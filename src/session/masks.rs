//! Masked values: what stands in a column in the place of what the lake holds.
//!
//! The functions are not registered anywhere: only a barrier calls them.
//! The key of hashes never appears in a plan's text, so that EXPLAIN cannot tell it.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Column, Result, ScalarValue, exec_datafusion_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::policy::Mask;

/// Bytes of a hash that are shown, two digits each.
const HASH_BYTES: usize = 16;

/// What is seen of `column`, of type `data_type`, through `mask`.
///
/// Only text is hashed or shown in part; of everything else nothing is shown.
pub(super) fn masked(column: &str, data_type: &DataType, mask: Mask, key: &[u8]) -> Result<Expr> {
    let is_text = data_type.is_string();
    if mask == Mask::Null || !is_text {
        return Ok(Expr::Literal(ScalarValue::try_from(data_type)?, None));
    }
    let function = Masked {
        mask,
        key: key.to_vec(),
        signature: Signature::exact(vec![data_type.clone()], Volatility::Immutable),
    };
    Ok(ScalarUDF::from(function).call(vec![Expr::Column(Column::new_unqualified(column))]))
}

#[derive(PartialEq, Eq, Hash)]
struct Masked {
    mask: Mask,
    key: Vec<u8>,
    signature: Signature,
}

impl fmt::Debug for Masked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Masked({})", self.mask.name())
    }
}

impl ScalarUDFImpl for Masked {
    fn name(&self) -> &str {
        "masked"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType> {
        given.first().cloned().ok_or_else(|| exec_datafusion_err!("a mask without a column"))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [values] = ColumnarValue::values_to_arrays(&args.args)?
            .try_into()
            .map_err(|_| exec_datafusion_err!("a mask has one column"))?;
        let texts = cast(&values, &DataType::Utf8)?;
        let texts = texts.as_any().downcast_ref::<StringArray>();
        let hash = Hmac::<Sha256>::new_from_slice(&self.key)
            .map_err(|_| exec_datafusion_err!("a mask without a key"))?;
        let shown = |text: &str| match self.mask {
            Mask::Hash => hashed(hash.clone(), text),
            Mask::Partial | Mask::Null => partial(text),
        };
        let masked: StringArray = texts.into_iter().flatten().map(|text| text.map(shown)).collect();
        let masked: ArrayRef = Arc::new(masked);
        Ok(ColumnarValue::Array(cast(&masked, values.data_type())?))
    }
}

fn hashed(hash: Hmac<Sha256>, text: &str) -> String {
    let digest = hash.chain_update(text).finalize().into_bytes();
    digest[..HASH_BYTES].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `a***@acme.example` of an e-mail address, `***4711` of a long text, `***` of a short one.
fn partial(text: &str) -> String {
    if let Some((name, domain)) = text.rsplit_once('@') {
        let first: String = name.chars().take(1).collect();
        return format!("{first}***@{domain}");
    }
    let count = text.chars().count();
    if count <= 8 {
        return "***".into();
    }
    let last: String = text.chars().skip(count - 4).collect();
    format!("***{last}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_show_little() {
        for (text, shown) in [
            ("ana@acme.example", "a***@acme.example"),
            ("@acme.example", "***@acme.example"),
            ("a@b@acme.example", "a***@acme.example"),
            ("+34 600 123 456", "*** 456"),
            ("12345678", "***"),
            ("", "***"),
            ("año nuevo en París", "***arís"),
        ] {
            assert_eq!(partial(text), shown, "{text}");
        }
    }

    #[test]
    fn hashes_join_and_depend_on_the_key() {
        let with = |key: &[u8], text| {
            hashed(Hmac::<Sha256>::new_from_slice(key).expect("any length"), text)
        };
        assert_eq!(with(b"one", "ana"), with(b"one", "ana"));
        assert_ne!(with(b"one", "ana"), with(b"one", "bob"));
        assert_ne!(with(b"one", "ana"), with(b"two", "ana"));
        assert_eq!(with(b"one", "ana").len(), 32);
    }

    #[test]
    fn numbers_are_not_shown_at_all() {
        let expr =
            masked("amount", &DataType::Decimal128(18, 2), Mask::Hash, b"key").expect("masks");
        assert_eq!(expr, Expr::Literal(ScalarValue::Decimal128(None, 18, 2), None));
        let expr = masked("email", &DataType::Utf8View, Mask::Hash, b"secret key").expect("masks");
        assert!(!format!("{expr} {expr:?}").contains("secret"), "{expr:?}");
    }
}
