//! Sales-operations functions for any DataFusion program.

pub mod math;

use datafusion_common::Result;
use datafusion_expr::registry::FunctionRegistry;

/// Registers every function of this crate.
pub fn register_all(_registry: &mut dyn FunctionRegistry) -> Result<()> {
    Ok(())
}
