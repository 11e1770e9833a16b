//! Capacity: ramp-up, heads, gaps, hires.

mod capacity_gap;
mod hires_needed;
mod latest_start;
mod ramp_pct;
mod ramped_fte;
mod safety_stock;

use crate::function::{Function, scalar};

/// In the order in which they are listed.
pub(crate) const FUNCTIONS: &[Function] = &[
    scalar(&capacity_gap::PAGE, capacity_gap::udf),
    scalar(&hires_needed::PAGE, hires_needed::udf),
    scalar(&ramp_pct::PAGE, ramp_pct::udf),
    scalar(&ramped_fte::PAGE, ramped_fte::udf),
    scalar(&latest_start::PAGE, latest_start::udf),
    scalar(&safety_stock::PAGE, safety_stock::udf),
];
