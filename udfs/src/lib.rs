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
//! `FROM forecast(...)` and `FROM lead_model(...)` need one more call: see [`relation`].
//!
//! The formulas are in [`math`], free of Arrow and of the engine.

pub mod math;

mod accuracy;
mod balance;
mod calendar;
mod capacity;
mod company;
mod function;
mod leads;
mod models;
mod pipeline;
mod quality;
mod quotas;
pub mod relation;
mod series;

#[cfg(test)]
mod random_calls;
#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use datafusion_common::Result;
use datafusion_expr::registry::FunctionRegistry;
pub use function::page::Page;
pub use function::{Function, Made};

/// All functions, by topic.
static FUNCTIONS: LazyLock<Vec<Function>> = LazyLock::new(|| {
    [
        leads::FUNCTIONS,
        models::FUNCTIONS,
        quotas::FUNCTIONS,
        capacity::FUNCTIONS,
        pipeline::FUNCTIONS,
        series::FUNCTIONS,
        accuracy::FUNCTIONS,
        balance::FUNCTIONS,
        quality::FUNCTIONS,
        calendar::FUNCTIONS,
        company::FUNCTIONS,
    ]
    .concat()
});

/// All functions of this crate.
pub fn functions() -> &'static [Function] {
    &FUNCTIONS
}

/// Registers every function of this crate.
///
/// # Errors
/// If the registry takes no functions.
///
/// # Examples
/// ```
/// use datafusion::execution::FunctionRegistry;
/// use datafusion::prelude::SessionContext;
///
/// let mut state = SessionContext::new().state();
/// runrate_udfs::register_all(&mut state)?;
/// assert!(state.udf("lead_score").is_ok());
/// assert!(state.udaf("forecast").is_ok());
/// # Ok::<(), datafusion::error::DataFusionError>(())
/// ```
pub fn register_all(registry: &mut dyn FunctionRegistry) -> Result<()> {
    for function in functions() {
        match function.make()? {
            Made::Scalar(function) => drop(registry.register_udf(function)?),
            Made::Aggregate(function) => drop(registry.register_udaf(function)?),
        }
    }
    Ok(())
}
