//! Models of which leads convert, and how good probabilities are.

mod auc;
mod brier;
mod coder;
mod ece;
mod features;
mod forest;
pub(crate) mod lead_model;
mod lead_model_info;
mod lead_probability;
mod lead_reasons;
mod lead_recalibrate;
mod log_loss;
mod pairs;
mod scored;
mod scorer;
mod weights;

use crate::function::{Function, aggregate, scalar};

/// In the order in which they are listed.
pub(crate) const FUNCTIONS: &[Function] = &[
    aggregate(&lead_model::PAGE, lead_model::udaf),
    aggregate(&lead_recalibrate::PAGE, lead_recalibrate::udaf),
    scalar(&lead_model_info::PAGE, lead_model_info::udf),
    scalar(&lead_probability::PAGE, lead_probability::udf),
    scalar(&lead_reasons::PAGE, lead_reasons::udf),
    aggregate(&auc::PAGE, auc::udaf),
    aggregate(&brier::PAGE, brier::udaf),
    aggregate(&log_loss::PAGE, log_loss::udaf),
    aggregate(&ece::PAGE, ece::udaf),
];
