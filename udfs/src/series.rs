//! Series over time: forecasts, what they rest on, and what the open pipeline adds up to.

mod cmgr;
pub(crate) mod forecast;
mod forecast_info;
mod growth_rate;
mod history;
mod pipeline_forecast;
mod seasonal_index;

use crate::function::{Function, aggregate, scalar};

/// In the order in which they are listed.
pub(crate) const FUNCTIONS: &[Function] = &[
    aggregate(&forecast::PAGE, forecast::udaf),
    aggregate(&seasonal_index::PAGE, seasonal_index::udaf),
    scalar(&growth_rate::PAGE, growth_rate::udf),
    scalar(&cmgr::PAGE, cmgr::udf),
    aggregate(&forecast_info::PAGE, forecast_info::udaf),
    aggregate(&pipeline_forecast::PAGE, pipeline_forecast::udaf),
];
