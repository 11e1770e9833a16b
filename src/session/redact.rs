//! Errors of execution without the values that they quote, for roles that do not see every row.
//!
//! The barrier already keeps hidden rows from whatever could fail; this is the second lock.

use datafusion::arrow::error::ArrowError;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::StreamExt;

/// `rows`, whose errors quote nothing.
pub(super) fn without_values(rows: SendableRecordBatchStream) -> SendableRecordBatchStream {
    let schema = rows.schema();
    let rows = rows.map(|batch| batch.map_err(redacted));
    Box::pin(RecordBatchStreamAdapter::new(schema, rows))
}

fn redacted(error: DataFusionError) -> DataFusionError {
    let arrow = match error.find_root() {
        DataFusionError::ArrowError(arrow, _) => match arrow.as_ref() {
            ArrowError::CastError(text) => ArrowError::CastError(without_quoted(text)),
            ArrowError::ParseError(text) => ArrowError::ParseError(without_quoted(text)),
            ArrowError::InvalidArgumentError(text) => {
                ArrowError::InvalidArgumentError(without_quoted(text))
            }
            ArrowError::ArithmeticOverflow(_) => {
                ArrowError::ArithmeticOverflow("value out of range".into())
            }
            _ => return error,
        },
        DataFusionError::Execution(text) => {
            return DataFusionError::Execution(without_quoted(text));
        }
        _ => return error,
    };
    DataFusionError::ArrowError(Box::new(arrow), None)
}

/// `text` without what stands between its first and its last quote, and without numbers.
fn without_quoted(text: &str) -> String {
    let is_quote = |c: char| matches!(c, '\'' | '"' | '`');
    let text = match (text.find(is_quote), text.rfind(is_quote)) {
        (Some(first), Some(last)) if first < last => {
            format!("{}…{}", &text[..=first], &text[last..])
        }
        _ => text.to_owned(),
    };
    let mut shown = String::new();
    for character in text.chars() {
        // The width of a type stays: it is part of a name.
        let is_number = character.is_ascii_digit() && !shown.ends_with(char::is_alphanumeric);
        match (is_number || (character.is_ascii_digit() && shown.ends_with('…')), character) {
            (true, _) if shown.ends_with('…') => {}
            (true, _) => shown.push('…'),
            (false, _) => shown.push(character),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn what_is_quoted_is_left_out() {
        let text = "Cannot cast string 'bob's@secret.example' to value of Int32 type";
        assert!(!without_quoted(text).contains("secret"), "{}", without_quoted(text));
        assert_eq!(without_quoted("value 4711 is out of range"), "value … is out of range");
        let error = ArrowError::CastError("Cannot cast string 'x@y' to Int32".into());
        let shared = DataFusionError::Shared(Arc::new(error.into()));
        assert!(!redacted(shared).to_string().contains("x@y"));
    }
}
