//! Balance: how evenly something is shared out.

mod balance_index;
mod cv;
mod gini;

use crate::function::{Function, aggregate};

/// In the order in which they are listed.
pub(crate) const FUNCTIONS: &[Function] = &[
    aggregate(&gini::PAGE, gini::udaf),
    aggregate(&cv::PAGE, cv::udaf),
    aggregate(&balance_index::PAGE, balance_index::udaf),
];
