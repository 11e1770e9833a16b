//! Series over time: forecasts, what they rest on, and what the open pipeline adds up to.

mod forecast;
mod forecast_info;
mod history;
mod pipeline_forecast;

use crate::function::{Function, aggregate};

/// In the order in which they are listed.
pub(crate) const FUNCTIONS: &[Function] = &[
    aggregate(&forecast::PAGE, forecast::udaf),
    aggregate(&forecast_info::PAGE, forecast_info::udaf),
    aggregate(&pipeline_forecast::PAGE, pipeline_forecast::udaf),
];
