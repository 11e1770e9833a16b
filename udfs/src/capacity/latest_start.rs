//! `latest_start`: day on which hiring must begin, so that a hire is ramped up when they are needed.

use datafusion_common::Result;
use datafusion_expr::ScalarUDF;

use crate::function::coercion::Kind;
use crate::function::page::Page;
use crate::function::row::{Day, Row, scalar};
use crate::math::{Fault, capacity};

pub(crate) const PAGE: Page = Page {
    name: "latest_start",
    syntax: "latest_start(need_by, ramp_months, recruit_days)",
    summary: "Day on which hiring must begin, so that a hire is ramped up when they are needed.",
    formula: "need_by - ramp_months months - recruit_days days",
    nulls: "NULL arguments give NULL",
    errors: "ramp_months outside 0 to 120, recruit_days outside 0 to 3650",
    source: "backward scheduling of hires",
    example: ("SELECT latest_start(DATE '2026-10-01', 3, 45)", "2026-05-17"),
    arguments: &[
        ("need_by", "day on which they must be fully productive"),
        ("ramp_months", "months of ramp-up (0 to 120)"),
        ("recruit_days", "days from the decision to the first day at work (0 to 3650)"),
    ],
};

const KINDS: &[Kind] = &[Kind::Date, Kind::Integer, Kind::Integer];

/// The function, to be registered.
pub(crate) fn udf() -> Result<ScalarUDF> {
    scalar(&PAGE, KINDS, 3, evaluate)
}

fn evaluate(row: &Row<'_>) -> std::result::Result<Option<Day>, Fault> {
    let (Some(need_by), Some(ramp), Some(recruit)) = (row.day(0), row.integer(1), row.integer(2))
    else {
        return Ok(None);
    };
    capacity::latest_start(need_by, ramp, recruit).map(Day).map(Some)
}
