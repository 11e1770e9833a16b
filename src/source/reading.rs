//! A file read to its end, for tests of readers.

use datafusion::arrow::array::{Array, AsArray};

use super::{Rejected, Rows};
use crate::error::Result;

/// Names of columns, rows, and records that are no rows.
pub(super) type Table = (Vec<String>, Vec<Vec<Option<String>>>, Vec<Rejected>);

/// Everything that `reader` has.
pub(super) fn whole(mut reader: impl Rows) -> Result<Table> {
    let names = reader.schema().fields().iter().map(|f| f.name().clone()).collect();
    let (mut rows, mut rejected) = (vec![], vec![]);
    while let Some(chunk) = reader.next_chunk()? {
        for row in 0..chunk.ordinals.len() {
            let values = chunk.columns.iter().map(|column| {
                let column = column.as_string::<i32>();
                column.is_valid(row).then(|| column.value(row).to_owned())
            });
            rows.push(values.collect());
        }
        rejected.extend(chunk.rejected);
    }
    Ok((names, rows, rejected))
}
