//! Pipeline: win rates, coverage, velocity.

mod close_rate;
mod convert_currency;
mod pipeline_coverage;
mod run_rate;
mod sales_cycle_days;
mod sales_cycle_days_median;
mod sales_velocity;
mod win_rate;
mod win_rate_hi;
mod win_rate_lo;

use crate::function::{Function, aggregate, scalar};

/// In the order in which they are listed.
pub(crate) const FUNCTIONS: &[Function] = &[
    aggregate(&win_rate::PAGE, win_rate::udaf),
    scalar(&win_rate_lo::PAGE, win_rate_lo::udf),
    scalar(&win_rate_hi::PAGE, win_rate_hi::udf),
    scalar(&pipeline_coverage::PAGE, pipeline_coverage::udf),
    scalar(&sales_velocity::PAGE, sales_velocity::udf),
    scalar(&run_rate::PAGE, run_rate::udf),
    aggregate(&close_rate::PAGE, close_rate::udaf),
    aggregate(&sales_cycle_days::PAGE, sales_cycle_days::udaf),
    aggregate(&sales_cycle_days_median::PAGE, sales_cycle_days_median::udaf),
    scalar(&convert_currency::PAGE, convert_currency::udf),
];
