//! `balance_index`: largest share over the mean share (ratio; 1 is even, 2 means somebody carries twice the mean).

use datafusion_common::Result;
use datafusion_expr::AggregateUDF;

use crate::function::aggregate::aggregate;
use crate::function::coercion::Kind;
use crate::function::page::Page;
use crate::function::values::AllValues;
use crate::math::spread;

pub(crate) const PAGE: Page = Page {
    name: "balance_index",
    syntax: "balance_index(value)",
    summary: "Largest share over the mean share (ratio; 1 is even, 2 means somebody carries twice the mean).",
    formula: "max(value) / avg(value)",
    nulls: "a NULL value is ignored; no value gives NULL; values of nothing but 0 give 0",
    errors: "a negative value, NaN or infinity",
    source: "load balance of territories",
    example: ("SELECT round(balance_index(x), 4) FROM (VALUES (1), (2), (3), (10)) AS t(x)", "2.5"),
    arguments: &[("value", "what each one has: accounts, pipeline, load; not negative")],
};

const KINDS: &[Kind] = &[Kind::Number];

/// The function, to be registered.
pub(crate) fn udaf() -> Result<AggregateUDF> {
    aggregate(&PAGE, KINDS, 1, AllValues { value: |row| row.number(0), finish: spread::balance })
}
