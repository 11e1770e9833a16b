//! `cv`: coefficient of variation: standard deviation over mean (ratio; 0 is even).

use datafusion_common::Result;
use datafusion_expr::AggregateUDF;

use crate::function::aggregate::aggregate;
use crate::function::coercion::Kind;
use crate::function::page::Page;
use crate::function::values::AllValues;
use crate::math::spread;

pub(crate) const PAGE: Page = Page {
    name: "cv",
    syntax: "cv(value)",
    summary: "Coefficient of variation: standard deviation over mean (ratio; 0 is even).",
    formula: "stddev_pop(value) / avg(value)",
    nulls: "a NULL value is ignored; no value gives NULL; values of nothing but 0 give 0",
    errors: "a negative value, NaN or infinity",
    source: "K. Pearson, 1896; of all values, not of a sample",
    example: ("SELECT round(cv(x), 4) FROM (VALUES (1), (2), (3), (10)) AS t(x)", "0.8839"),
    arguments: &[("value", "what each one has: accounts, pipeline, load; not negative")],
};

const KINDS: &[Kind] = &[Kind::Number];

/// The function, to be registered.
pub(crate) fn udaf() -> Result<AggregateUDF> {
    aggregate(&PAGE, KINDS, 1, AllValues { value: |row| row.number(0), finish: spread::variation })
}
