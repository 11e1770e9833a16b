//! `email_ok`: whether a text is an e-mail address by its form.

use datafusion_common::Result;
use datafusion_expr::ScalarUDF;

use crate::function::coercion::Kind;
use crate::function::page::Page;
use crate::function::row::{Row, scalar};
use crate::math::{Fault, identity};

pub(crate) const PAGE: Page = Page {
    name: "email_ok",
    syntax: "email_ok(email)",
    summary: "Whether a text is an e-mail address by its form.",
    formula: "one local part of up to 64 characters, an @, and a domain of two labels or more whose last one has letters",
    nulls: "NULL gives NULL; an empty text is not an address: false",
    errors: "anything but text",
    source: "RFC 5321 without quoted names and address literals",
    example: ("SELECT email_ok('a.b@example.org')", "true"),
    arguments: &[("email", "e-mail address")],
};

const KINDS: &[Kind] = &[Kind::Text];

/// The function, to be registered.
pub(crate) fn udf() -> Result<ScalarUDF> {
    scalar(&PAGE, KINDS, 1, evaluate)
}

fn evaluate(row: &Row<'_>) -> std::result::Result<Option<bool>, Fault> {
    Ok(row.text(0).map(|text| identity::email_domain(text).is_some()))
}
