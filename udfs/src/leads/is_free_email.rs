//! `is_free_email`: whether an e-mail address is with a provider that gives one to anybody.

use datafusion_common::Result;
use datafusion_expr::ScalarUDF;

use crate::function::coercion::Kind;
use crate::function::page::Page;
use crate::function::row::{Row, scalar};
use crate::math::{Fault, identity};

pub(crate) const PAGE: Page = Page {
    name: "is_free_email",
    syntax: "is_free_email(email)",
    summary: "Whether an e-mail address is with a provider that gives one to anybody.",
    formula: "the domain is in the list of well-known free providers",
    nulls: "NULL gives NULL, as does a text that is not an address",
    errors: "anything but text",
    source: "well-known consumer mail providers",
    example: ("SELECT is_free_email('somebody@gmail.com')", "true"),
    arguments: &[("email", "e-mail address")],
};

const KINDS: &[Kind] = &[Kind::Text];

/// The function, to be registered.
pub(crate) fn udf() -> Result<ScalarUDF> {
    scalar(&PAGE, KINDS, 1, evaluate)
}

fn evaluate(row: &Row<'_>) -> std::result::Result<Option<bool>, Fault> {
    Ok(row.text(0).and_then(identity::is_free_email))
}
