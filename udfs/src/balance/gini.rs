//! `gini`: Gini coefficient: how unevenly something is shared out (ratio; 0 is even).

use datafusion_common::Result;
use datafusion_expr::AggregateUDF;

use crate::function::aggregate::aggregate;
use crate::function::coercion::Kind;
use crate::function::page::Page;
use crate::function::values::AllValues;
use crate::math::spread;

pub(crate) const PAGE: Page = Page {
    name: "gini",
    syntax: "gini(value)",
    summary: "Gini coefficient: how unevenly something is shared out (ratio; 0 is even).",
    formula: "2 * sum(rank * value) / (n * sum(value)) - (n + 1) / n, ranks in ascending order",
    nulls: "a NULL value is ignored; no value gives NULL; values of nothing but 0 give 0",
    errors: "a negative value, NaN or infinity",
    source: "C. Gini, 1912",
    example: ("SELECT round(gini(x), 4) FROM (VALUES (1), (2), (3), (10)) AS t(x)", "0.4375"),
    arguments: &[("value", "what each one has: accounts, pipeline, load; not negative")],
};

const KINDS: &[Kind] = &[Kind::Number];

/// The function, to be registered.
pub(crate) fn udaf() -> Result<AggregateUDF> {
    aggregate(&PAGE, KINDS, 1, AllValues { value: |row| row.number(0), finish: spread::gini })
}
