//! `arr_band`: band of annual recurring revenue that a company is in.

use std::borrow::Cow;

use datafusion_common::Result;
use datafusion_expr::ScalarUDF;

use crate::function::coercion::Kind;
use crate::function::page::Page;
use crate::function::row::{Row, scalar};
use crate::math::{Fault, company};

pub(crate) const PAGE: Page = Page {
    name: "arr_band",
    syntax: "arr_band(arr)",
    summary: "Band of annual recurring revenue that a company is in.",
    formula: "under 1M, 1M to 10M, 10M and over; a boundary belongs to the band above",
    nulls: "NULL gives NULL, as does a negative arr",
    errors: "NaN or infinity",
    source: "team structure by revenue, in three stages of growth",
    example: ("SELECT arr_band(1000000)", "1M to 10M"),
    arguments: &[("arr", "annual recurring revenue, in the currency the bands are meant in")],
};

const KINDS: &[Kind] = &[Kind::Number];

/// The function, to be registered.
pub(crate) fn udf() -> Result<ScalarUDF> {
    scalar(&PAGE, KINDS, 1, evaluate)
}

fn evaluate(row: &Row<'_>) -> std::result::Result<Option<Cow<'static, str>>, Fault> {
    Ok(row.number(0)?.and_then(company::arr_band).map(Cow::Borrowed))
}
