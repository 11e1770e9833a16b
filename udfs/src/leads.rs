//! Leads: fit, engagement, grades.

mod assign_rep;
mod decay;
mod email_ok;
mod engagement_groups;
mod engagement_score;
mod icp_fit;
mod is_free_email;
mod lead_grade;
mod lead_score;
mod lead_velocity;
mod linear_step;
mod match_key;

use crate::function::{Function, aggregate, scalar};

/// In the order in which they are listed.
pub(crate) const FUNCTIONS: &[Function] = &[
    scalar(&lead_score::PAGE, lead_score::udf),
    aggregate(&engagement_score::PAGE, engagement_score::udaf),
    scalar(&lead_grade::PAGE, lead_grade::udf),
    scalar(&decay::PAGE, decay::udf),
    scalar(&linear_step::PAGE, linear_step::udf),
    scalar(&icp_fit::PAGE, icp_fit::udf),
    scalar(&assign_rep::PAGE, assign_rep::udf),
    scalar(&lead_velocity::PAGE, lead_velocity::udf),
    scalar(&match_key::PAGE, match_key::udf),
    scalar(&email_ok::PAGE, email_ok::udf),
    scalar(&is_free_email::PAGE, is_free_email::udf),
];
