//! `commission`: commission on credited bookings, by tiers of attainment (money, to the cent).

use datafusion_common::Result;
use datafusion_expr::ScalarUDF;

use crate::function::coercion::Kind;
use crate::function::page::Page;
use crate::function::row::{Row, scalar};
use crate::math::commission::{Method, commission};
use crate::math::{Fault, money::Cents};

pub(crate) const PAGE: Page = Page {
    name: "commission",
    syntax: "commission(credited, quota, prior, tiers [, method [, cap]])",
    summary: "Commission on credited bookings, by tiers of attainment (money, to the cent).",
    formula: "paid(prior + credited) - paid(prior); marginal: paid(x) is the sum over the tiers of their slice of x times their rate, cliff: x times the rate of the tier reached; paid is at most cap; rounded once, half away from zero",
    nulls: "NULL credited, quota, prior or tiers gives NULL, as does a quota of 0; NULL method means marginal, NULL cap none",
    errors: "a negative quota or cap, no tier, tiers that do not rise, a rate outside 0 to 1, an unknown method, amounts beyond 1e15, NaN or infinity",
    source: "tiered commission plans: marginal as tax brackets, cliff as retroactive accelerators",
    example: (
        "SELECT commission(325000, 250000, 0, make_array(named_struct('from', 0.0, 'rate', 0.0), named_struct('from', 0.5, 'rate', 0.08), named_struct('from', 1.0, 'rate', 0.12), named_struct('from', 1.25, 'rate', 0.15)))",
        "19375",
    ),
    arguments: &[
        ("credited", "bookings credited now (money); below 0 a clawback"),
        ("quota", "quota of the period (money)"),
        ("prior", "bookings credited before in the same period (money)"),
        (
            "tiers",
            "list of structs (from: attainment at which the tier begins, ratio; rate: ratio), rising",
        ),
        (
            "method",
            "marginal: each slice at its own rate (default), or cliff: everything at the rate reached",
        ),
        ("cap", "most that the period pays in all (money)"),
    ],
};

const KINDS: &[Kind] =
    &[Kind::Money, Kind::Money, Kind::Money, Kind::Tiers, Kind::Text, Kind::Money];

/// The function, to be registered.
pub(crate) fn udf() -> Result<ScalarUDF> {
    scalar(&PAGE, KINDS, 4, evaluate)
}

fn evaluate(row: &Row<'_>) -> std::result::Result<Option<Cents>, Fault> {
    let (Some(credited), Some(quota), Some(prior)) = (row.money(0)?, row.money(1)?, row.money(2)?)
    else {
        return Ok(None);
    };
    let Some(tiers) = row.pairs(3)? else { return Ok(None) };
    let method = Method::parse(row.text(4).unwrap_or("marginal"))?;
    commission(credited, quota, prior, &tiers, method, row.money(5)?)
}
