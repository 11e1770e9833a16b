//! `assign_rep`: who gets a lead: always the same rep for the same key, in proportion to the weights.

use std::borrow::Cow;

use arrow::array::Array;
use datafusion_common::Result;
use datafusion_expr::ScalarUDF;

use crate::function::coercion::Kind;
use crate::function::page::Page;
use crate::function::row::{Row, scalar};
use crate::math::{Fault, assign};

pub(crate) const PAGE: Page = Page {
    name: "assign_rep",
    syntax: "assign_rep(key, reps, weights)",
    summary: "Who gets a lead: always the same rep for the same key, in proportion to the weights.",
    formula: "the rep with the largest -weight / ln(u), u in (0, 1) a hash of key and rep (weighted rendezvous hashing)",
    nulls: "NULL arguments give NULL, as do weights that are all 0; a rep with weight 0 gets nothing",
    errors: "lists of different lengths, a negative weight, a NULL inside a list, NaN or infinity",
    source: "D. Thaler and C. Ravishankar, 1998; when a rep leaves only their own leads move",
    example: ("SELECT assign_rep('lead-7', make_array('ana', 'bea'), make_array(0, 2))", "bea"),
    arguments: &[
        ("key", "what is assigned: the id of a lead or an account"),
        ("reps", "who may get it (list of text)"),
        ("weights", "share of each rep, in the same order: free capacity for example"),
    ],
};

const KINDS: &[Kind] = &[Kind::Text, Kind::Texts, Kind::Numbers];

/// The function, to be registered.
pub(crate) fn udf() -> Result<ScalarUDF> {
    scalar(&PAGE, KINDS, 3, evaluate)
}

fn evaluate(row: &Row<'_>) -> std::result::Result<Option<Cow<'static, str>>, Fault> {
    let (Some(key), Some(reps), Some(weights)) = (row.text(0), row.texts(1)?, row.numbers(2)?)
    else {
        return Ok(None);
    };
    let names = (0..reps.len()).map(|place| reps.value(place));
    let place = assign::winner(key, names, &weights)?;
    Ok(place.map(|place| Cow::Owned(reps.value(place).to_owned())))
}
