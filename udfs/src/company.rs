//! The company: bands of revenue, and the roles they need.

mod arr_band;
mod sales_ops_role;

use crate::function::{Function, scalar};

/// In the order in which they are listed.
pub(crate) const FUNCTIONS: &[Function] =
    &[scalar(&arr_band::PAGE, arr_band::udf), scalar(&sales_ops_role::PAGE, sales_ops_role::udf)];
