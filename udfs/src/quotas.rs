//! Quotas: attainment, pace, proration.

mod commission;
mod prorate;
mod quota_attainment;
mod quota_gap;
mod quota_pace;
mod ramped_quota;
mod required_run_rate;

use crate::function::{Function, scalar};

/// In the order in which they are listed.
pub(crate) const FUNCTIONS: &[Function] = &[
    scalar(&quota_attainment::PAGE, quota_attainment::udf),
    scalar(&quota_pace::PAGE, quota_pace::udf),
    scalar(&prorate::PAGE, prorate::udf),
    scalar(&ramped_quota::PAGE, ramped_quota::udf),
    scalar(&quota_gap::PAGE, quota_gap::udf),
    scalar(&required_run_rate::PAGE, required_run_rate::udf),
    scalar(&commission::PAGE, commission::udf),
];
