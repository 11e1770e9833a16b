//! A function of mappings over rows of text, whatever it makes of a row.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use chrono_tz::Tz;
use datafusion::arrow::array::{Array, ArrayRef, AsArray, ListBuilder, StringArray, StringBuilder};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::exec_err;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

/// What a function makes of a row.
pub(super) trait Made: fmt::Debug + Sized + 'static {
    /// Type of a column of it.
    fn data_type() -> DataType;
    /// A column of it; `None` is NULL.
    fn column(made: impl Iterator<Item = Option<Self>>) -> ArrayRef;
}

impl Made for String {
    fn data_type() -> DataType {
        DataType::Utf8
    }

    fn column(made: impl Iterator<Item = Option<Self>>) -> ArrayRef {
        Arc::new(made.collect::<StringArray>())
    }
}

impl Made for Vec<String> {
    fn data_type() -> DataType {
        DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true)))
    }

    fn column(made: impl Iterator<Item = Option<Self>>) -> ArrayRef {
        let mut out = ListBuilder::new(StringBuilder::new());
        made.for_each(|list| out.append_option(list.map(|list| list.into_iter().map(Some))));
        Arc::new(out.finish())
    }
}

/// One function over rows of text: `None` in an argument is NULL, `None` as the result too.
pub(super) type Body<T> = fn(&[Option<&str>], Tz) -> Option<T>;

/// Name, number of arguments, and what it does.
pub(super) type Entry<T> = (&'static str, usize, Body<T>);

/// The functions of `entries`, for an ingest whose unmarked times are of `zone`.
pub(super) fn all<T: Made>(
    entries: &'static [Entry<T>],
    zone: Tz,
) -> impl Iterator<Item = ScalarUDF> {
    entries.iter().map(move |(name, arguments, body)| {
        let signature = Signature::any(*arguments, Volatility::Immutable);
        ScalarUDF::from(RowFunction { name, body: *body, zone, signature })
    })
}

#[derive(Debug)]
struct RowFunction<T> {
    name: &'static str,
    body: Body<T>,
    zone: Tz,
    signature: Signature,
}

impl<T> PartialEq for RowFunction<T> {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.zone == other.zone
    }
}

impl<T> Eq for RowFunction<T> {}

impl<T> Hash for RowFunction<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
        self.zone.name().hash(state);
    }
}

impl<T: Made> ScalarUDFImpl for RowFunction<T> {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(T::data_type())
    }

    fn invoke_with_args(&self, call: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if call.args.is_empty() {
            return exec_err!("{} needs an argument", self.name);
        }
        let arrays: Vec<ArrayRef> = call
            .args
            .iter()
            .map(|argument| Ok(cast(&argument.to_array(call.number_rows)?, &DataType::Utf8)?))
            .collect::<Result<_>>()?;
        let texts: Vec<_> = arrays.iter().map(|array| array.as_string::<i32>()).collect();
        let mut values = vec![None; texts.len()];
        let made = (0..call.number_rows).map(|row| {
            for (value, text) in values.iter_mut().zip(&texts) {
                *value = text.is_valid(row).then(|| text.value(row));
            }
            (self.body)(&values, self.zone)
        });
        Ok(ColumnarValue::Array(T::column(made)))
    }
}
