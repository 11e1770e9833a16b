//! Series over time: forecasts.

mod cmgr;
mod forecast;
mod growth_rate;
mod seasonal_index;

use crate::function::{Function, aggregate, scalar};

/// In the order in which they are listed.
pub(crate) const FUNCTIONS: &[Function] = &[
    aggregate(&forecast::PAGE, forecast::udaf),
    aggregate(&seasonal_index::PAGE, seasonal_index::udaf),
    scalar(&growth_rate::PAGE, growth_rate::udf),
    scalar(&cmgr::PAGE, cmgr::udf),
];
