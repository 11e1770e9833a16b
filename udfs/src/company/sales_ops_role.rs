//! `sales_ops_role`: role that should lead sales operations at a level of annual recurring revenue.

use std::borrow::Cow;

use datafusion_common::Result;
use datafusion_expr::ScalarUDF;

use crate::function::coercion::Kind;
use crate::function::page::Page;
use crate::function::row::{Row, scalar};
use crate::math::{Fault, company};

pub(crate) const PAGE: Page = Page {
    name: "sales_ops_role",
    syntax: "sales_ops_role(arr)",
    summary: "Role that should lead sales operations at a level of annual recurring revenue.",
    formula: "under 1M: technical sales operations representative; from 1M: sales effectiveness manager; from 10M: director of sales operations",
    nulls: "NULL gives NULL, as does a negative arr",
    errors: "NaN or infinity",
    source: "team structure by revenue, in three stages of growth",
    example: ("SELECT sales_ops_role(1000000)", "sales effectiveness manager"),
    arguments: &[("arr", "annual recurring revenue, in the currency the bands are meant in")],
};

const KINDS: &[Kind] = &[Kind::Number];

/// The function, to be registered.
pub(crate) fn udf() -> Result<ScalarUDF> {
    scalar(&PAGE, KINDS, 1, evaluate)
}

fn evaluate(row: &Row<'_>) -> std::result::Result<Option<Cow<'static, str>>, Fault> {
    Ok(row.number(0)?.and_then(company::sales_ops_role).map(Cow::Borrowed))
}
