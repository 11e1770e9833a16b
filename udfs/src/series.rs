//! Series over time: forecasts.

mod forecast;

use crate::function::{Function, aggregate};

/// In the order in which they are listed.
pub(crate) const FUNCTIONS: &[Function] = &[aggregate(&forecast::PAGE, forecast::udaf)];
