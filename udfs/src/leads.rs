//! Leads: fit, engagement, grades.

mod engagement_score;
mod lead_grade;
mod lead_score;

use crate::function::{Function, aggregate, scalar};

/// In the order in which they are listed.
pub(crate) const FUNCTIONS: &[Function] = &[
    scalar(&lead_score::PAGE, lead_score::udf),
    aggregate(&engagement_score::PAGE, engagement_score::udaf),
    scalar(&lead_grade::PAGE, lead_grade::udf),
];
