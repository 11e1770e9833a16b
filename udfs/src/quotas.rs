//! Quotas: attainment, pace, proration.

mod prorate;
mod quota_attainment;
mod quota_pace;

use crate::function::{Function, scalar};

/// In the order in which they are listed.
pub(crate) const FUNCTIONS: &[Function] = &[
    scalar(&quota_attainment::PAGE, quota_attainment::udf),
    scalar(&quota_pace::PAGE, quota_pace::udf),
    scalar(&prorate::PAGE, prorate::udf),
];
