//! How large values are.

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::compute::kernels::length::length;
use datafusion::arrow::datatypes::{DataType, Int64Type};
use datafusion::common::Result;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{Expr, LogicalPlan};

use super::{BATCH_BYTES_MAX, VALUE_BYTES_MAX, too_large};

/// Constants below this fit into any batch (bytes).
const LITERAL_BYTES_MIN: usize = 1 << 10;

/// For how many rows at once the constants of `plan` may be repeated; `None` if they are small.
///
/// Operators repeat a constant for every row of a batch, and a megabyte times some thousand rows is
/// more than a process may hold.
pub(in crate::session) fn rows_at_once(plan: &LogicalPlan) -> Result<Option<usize>> {
    let mut bytes = 0_usize;
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                if let Expr::Literal(value, _) = expr {
                    let own = super::scalar_bytes(value);
                    bytes = bytes.saturating_add(if own < LITERAL_BYTES_MIN { 0 } else { own });
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    let most = usize::try_from(BATCH_BYTES_MAX).unwrap_or(usize::MAX);
    Ok((bytes > 0).then(|| (most / bytes).max(1)))
}

/// Whether all values of a type have the same width.
pub(super) fn is_fixed(data_type: &DataType) -> bool {
    data_type.is_primitive() || matches!(data_type, DataType::Boolean | DataType::Null)
}

/// Refuses an array that is too large, or has a value that is; bytes of it.
pub(super) fn check(array: &ArrayRef, name: &str) -> Result<u64> {
    // No value can be larger than all of them, nor all of them than what they keep.
    let kept = array.get_array_memory_size() as u64;
    if kept <= VALUE_BYTES_MAX {
        return Ok(kept);
    }
    let (total, largest) = measured(array)?;
    if largest > VALUE_BYTES_MAX {
        return Err(too_large(name, "a value", VALUE_BYTES_MAX));
    }
    if total > BATCH_BYTES_MAX {
        return Err(too_large(name, "a batch of values", BATCH_BYTES_MAX));
    }
    Ok(total)
}

/// Bytes of all values of `array`, and of the largest.
fn measured(array: &ArrayRef) -> Result<(u64, u64)> {
    let Some((counts, width)) = counts(array)? else {
        let bytes = array.to_data().get_slice_memory_size()? as u64;
        return Ok((bytes, bytes / array.len().max(1) as u64));
    };
    let counts = counts.as_primitive::<Int64Type>();
    let (mut total, mut largest) = (0, 0);
    for count in counts.iter().flatten() {
        let bytes = u64::try_from(count).unwrap_or(0).saturating_mul(width);
        (total, largest) = (bytes.saturating_add(total), bytes.max(largest));
    }
    Ok((total, largest))
}

/// For texts their lengths, and 1; for lists the number of elements, and bytes of one on average.
pub(super) fn counts(array: &ArrayRef) -> Result<Option<(ArrayRef, u64)>> {
    use DataType as D;
    let width = match array.data_type() {
        D::Utf8 | D::LargeUtf8 | D::Utf8View | D::Binary | D::LargeBinary | D::BinaryView => 1,
        D::List(_) => element_bytes(array.as_list::<i32>().values())?,
        D::LargeList(_) => element_bytes(array.as_list::<i64>().values())?,
        _ => return Ok(None),
    };
    let counts = length(array.as_ref())?;
    Ok(Some((datafusion::arrow::compute::cast(&counts, &D::Int64)?, width)))
}

/// Bytes of an element on average, with its place in the list.
fn element_bytes(elements: &ArrayRef) -> Result<u64> {
    let bytes = elements.to_data().get_slice_memory_size()? as u64;
    Ok(bytes.div_ceil(elements.len().max(1) as u64).max(1))
}
