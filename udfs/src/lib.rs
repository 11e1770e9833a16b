//! Sales-operations functions for any DataFusion program: lead scores, quotas, capacity, forecasts.
//!
//! Register them once and they are SQL:
//!
//! ```
//! use datafusion::prelude::*;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> datafusion::error::Result<()> {
//! let context = SessionContext::new();
//! let mut state = context.state();
//! runrate_udfs::register_all(&mut state)?;
//! let context = SessionContext::new_with_state(state);
//! let frame = context.sql("SELECT lead_score(80, 60) AS score").await?;
//! let batches = frame.collect().await?;
//! assert_eq!(batches[0].num_rows(), 1);
//! # Ok(())
//! # }
//! ```
//!
//! Conventions: ratios are fractions (0.25 is 25 %), scores run from 0 to 100, periods include both
//! their ends, every moment is an argument, and what is unknown or divided by zero is NULL.
//! Arguments can be named: `lead_score(fit => 80, engagement => 60)`.
//! Bad values are refused with the name of the function and of the argument.
//!
//! The formulas are in [`math`], free of Arrow and of the engine.

pub mod math;

mod capacity_gap;
mod coercion;
mod engagement_score;
mod fold;
mod forecast;
mod hires_needed;
mod lead_grade;
mod lead_score;
mod page;
mod pipeline_coverage;
mod prorate;
mod quota_attainment;
mod quota_pace;
mod ramp_pct;
mod ramped_fte;
mod row;
mod run_rate;
mod sales_velocity;
mod win_rate;
mod win_rate_hi;
mod win_rate_lo;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use datafusion_common::Result;
use datafusion_expr::registry::FunctionRegistry;
use datafusion_expr::{AggregateUDF, ScalarUDF};
pub use page::Page;

/// One function: its page, and what makes it.
#[derive(Debug, Clone, Copy)]
pub struct Function {
    page: &'static Page,
    make: Make,
}

#[derive(Debug, Clone, Copy)]
enum Make {
    Scalar(fn() -> Result<ScalarUDF>),
    Aggregate(fn() -> Result<AggregateUDF>),
}

impl Function {
    /// Name in SQL.
    pub fn name(&self) -> &'static str {
        self.page.name
    }

    /// Its documentation.
    pub fn page(&self) -> &'static Page {
        self.page
    }

    /// `scalar` or `aggregate`.
    pub fn kind(&self) -> &'static str {
        match self.make {
            Make::Scalar(_) => "scalar",
            Make::Aggregate(_) => "aggregate",
        }
    }
}

const fn scalar(page: &'static Page, make: fn() -> Result<ScalarUDF>) -> Function {
    Function { page, make: Make::Scalar(make) }
}

const fn aggregate(page: &'static Page, make: fn() -> Result<AggregateUDF>) -> Function {
    Function { page, make: Make::Aggregate(make) }
}

/// All functions, by topic: leads, quotas, capacity, pipeline, forecast.
const FUNCTIONS: &[Function] = &[
    scalar(&lead_score::PAGE, lead_score::udf),
    aggregate(&engagement_score::PAGE, engagement_score::udaf),
    scalar(&lead_grade::PAGE, lead_grade::udf),
    scalar(&quota_attainment::PAGE, quota_attainment::udf),
    scalar(&quota_pace::PAGE, quota_pace::udf),
    scalar(&prorate::PAGE, prorate::udf),
    scalar(&capacity_gap::PAGE, capacity_gap::udf),
    scalar(&hires_needed::PAGE, hires_needed::udf),
    scalar(&ramp_pct::PAGE, ramp_pct::udf),
    scalar(&ramped_fte::PAGE, ramped_fte::udf),
    aggregate(&win_rate::PAGE, win_rate::udaf),
    scalar(&win_rate_lo::PAGE, win_rate_lo::udf),
    scalar(&win_rate_hi::PAGE, win_rate_hi::udf),
    scalar(&pipeline_coverage::PAGE, pipeline_coverage::udf),
    scalar(&sales_velocity::PAGE, sales_velocity::udf),
    scalar(&run_rate::PAGE, run_rate::udf),
    aggregate(&forecast::PAGE, forecast::udaf),
];

/// All functions of this crate.
pub fn functions() -> &'static [Function] {
    FUNCTIONS
}

/// Registers every function of this crate.
///
/// # Errors
/// If the registry takes no functions.
pub fn register_all(registry: &mut dyn FunctionRegistry) -> Result<()> {
    for function in FUNCTIONS {
        match function.make {
            Make::Scalar(make) => drop(registry.register_udf(Arc::new(make()?))?),
            Make::Aggregate(make) => drop(registry.register_udaf(Arc::new(make()?))?),
        }
    }
    Ok(())
}
