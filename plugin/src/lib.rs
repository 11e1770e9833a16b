//! The functions of `runrate-udfs` behind a C interface: built as a shared library, they run in any
//! program that speaks `datafusion-ffi` of the same major version, the Python package among them.
//!
//! A host asks for the count, then for each function by its place: its name, and a pointer to an
//! `FFI_ScalarUDF` or an `FFI_AggregateUDF`; the pointer that does not apply is null.
//! What a pointer points at lives as long as the process; hosts clone it.
// Exported names are the only reason: nothing here reads or writes through a pointer.
#![allow(unsafe_code)]

use std::ffi::{CString, c_char};
use std::sync::{Arc, LazyLock};

use datafusion_expr::{AggregateUDF, ScalarUDF};
use datafusion_ffi::udaf::FFI_AggregateUDF;
use datafusion_ffi::udf::FFI_ScalarUDF;
use runrate_udfs::{Made, functions};

/// Name and function, by place.
static FUNCTIONS: LazyLock<Vec<(CString, Made)>> = LazyLock::new(|| {
    let named = functions().iter().filter_map(|function| {
        let name = CString::new(function.name()).ok()?;
        Some((name, function.make().ok()?))
    });
    named.collect()
});

/// Major version of the interface; a host must have the same.
#[unsafe(no_mangle)]
pub extern "C" fn runrate_interface_version() -> u64 {
    datafusion_ffi::version()
}

/// How many functions there are.
#[unsafe(no_mangle)]
pub extern "C" fn runrate_function_count() -> usize {
    FUNCTIONS.len()
}

/// Name of the function at `place`; null beyond the last one.
#[unsafe(no_mangle)]
pub extern "C" fn runrate_function_name(place: usize) -> *const c_char {
    FUNCTIONS.get(place).map_or(std::ptr::null(), |(name, _)| name.as_ptr())
}

/// The function at `place`, if it is a scalar one; else null.
#[unsafe(no_mangle)]
pub extern "C" fn runrate_scalar_udf(place: usize) -> *mut FFI_ScalarUDF {
    match scalar(place) {
        Some(function) => Box::into_raw(Box::new(FFI_ScalarUDF::from(function))),
        None => std::ptr::null_mut(),
    }
}

/// The function at `place`, if it is an aggregate; else null.
#[unsafe(no_mangle)]
pub extern "C" fn runrate_aggregate_udf(place: usize) -> *mut FFI_AggregateUDF {
    match aggregate(place) {
        Some(function) => Box::into_raw(Box::new(FFI_AggregateUDF::from(function))),
        None => std::ptr::null_mut(),
    }
}

fn scalar(place: usize) -> Option<Arc<ScalarUDF>> {
    match FUNCTIONS.get(place) {
        Some((_, Made::Scalar(function))) => Some(function.clone()),
        _ => None,
    }
}

fn aggregate(place: usize) -> Option<Arc<AggregateUDF>> {
    match FUNCTIONS.get(place) {
        Some((_, Made::Aggregate(function))) => Some(function.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use datafusion::error::Result;
    use datafusion::prelude::SessionContext;
    use datafusion_proto::bytes::{logical_plan_from_bytes, logical_plan_to_bytes};

    fn context() -> Result<SessionContext> {
        let mut state = SessionContext::new().state();
        runrate_udfs::register_all(&mut state)?;
        Ok(SessionContext::new_with_state(state))
    }

    #[tokio::test]
    async fn plans_travel_with_their_functions_by_name() -> Result<()> {
        let (here, there) = (context()?, context()?);
        for function in runrate_udfs::functions() {
            let frame = here.sql(function.page().example.0).await?;
            let bytes = logical_plan_to_bytes(frame.logical_plan())?;
            let plan = logical_plan_from_bytes(&bytes, &there.task_ctx())?;
            let answer = there.execute_logical_plan(plan).await?.collect().await?;
            let (name, wanted) = (function.name(), frame.collect().await?);
            assert_eq!(answer[0].column(0), wanted[0].column(0), "{name}");
        }
        Ok(())
    }
}
