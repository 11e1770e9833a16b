//! Quality of data.

mod data_quality_score;

use crate::function::{Function, aggregate};

/// In the order in which they are listed.
pub(crate) const FUNCTIONS: &[Function] =
    &[aggregate(&data_quality_score::PAGE, data_quality_score::udaf)];
