//! Calendar: fiscal periods and working days.

mod fiscal_period;
mod fiscal_quarter;
mod fiscal_year;
mod fq_end;
mod fq_start;
mod workdays;

use crate::function::{Function, scalar};

/// In the order in which they are listed.
pub(crate) const FUNCTIONS: &[Function] = &[
    scalar(&fiscal_year::PAGE, fiscal_year::udf),
    scalar(&fiscal_quarter::PAGE, fiscal_quarter::udf),
    scalar(&fiscal_period::PAGE, fiscal_period::udf),
    scalar(&fq_start::PAGE, fq_start::udf),
    scalar(&fq_end::PAGE, fq_end::udf),
    scalar(&workdays::PAGE, workdays::udf),
];
