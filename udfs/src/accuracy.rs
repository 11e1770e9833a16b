//! Accuracy of forecasts.

mod forecast_accuracy;
mod forecast_bias;
mod mape;
mod mase;
mod wape;

use crate::function::{Function, aggregate};

/// In the order in which they are listed.
pub(crate) const FUNCTIONS: &[Function] = &[
    aggregate(&wape::PAGE, wape::udaf),
    aggregate(&forecast_bias::PAGE, forecast_bias::udaf),
    aggregate(&mape::PAGE, mape::udaf),
    aggregate(&forecast_accuracy::PAGE, forecast_accuracy::udaf),
    aggregate(&mase::PAGE, mase::udaf),
];
