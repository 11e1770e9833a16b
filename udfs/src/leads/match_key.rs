//! `match_key`: key under which spellings of one name meet: lower case, without accents, punctuation or legal form.

use std::borrow::Cow;

use datafusion_common::Result;
use datafusion_expr::ScalarUDF;

use crate::function::coercion::Kind;
use crate::function::page::Page;
use crate::function::row::{Row, scalar};
use crate::math::{Fault, identity};

pub(crate) const PAGE: Page = Page {
    name: "match_key",
    syntax: "match_key(name)",
    summary: "Key under which spellings of one name meet: lower case, without accents, punctuation or legal form.",
    formula: "lower case; accents off; & as and; punctuation off; a leading the and trailing legal forms (inc, ltd, gmbh, ...) off",
    nulls: "NULL gives NULL, as does a name without a letter or digit",
    errors: "anything but text",
    source: "name normalisation as used to find duplicates",
    example: ("SELECT match_key('The ACME Company, Inc.')", "acme"),
    arguments: &[("name", "name of a company or a person")],
};

const KINDS: &[Kind] = &[Kind::Text];

/// The function, to be registered.
pub(crate) fn udf() -> Result<ScalarUDF> {
    scalar(&PAGE, KINDS, 1, evaluate)
}

fn evaluate(row: &Row<'_>) -> std::result::Result<Option<Cow<'static, str>>, Fault> {
    Ok(row.text(0).and_then(identity::match_key).map(Cow::Owned))
}
