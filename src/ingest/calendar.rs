//! The fiscal calendar of a lake: the days that a source brought, and for all others those of a year
//! that begins in the configured month.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{Datelike, Months, NaiveDate, Weekday};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Date32Array, Int64Array};
use datafusion::arrow::datatypes::{DataType, Date32Type};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::functions_aggregate::expr_fn::{max, min};
use datafusion::prelude::{cast, col};
use runrate_udfs::math::fiscal::{self, NameBy};

use super::derived::{OWN, put, select};
use super::ledger::Run;
use crate::error::{Error, Result};
use crate::lake::Writer;
use crate::session::Engine;

/// Days that a calendar can have: a sentinel such as 9999-12-31 is no reason for more.
const YEARS_MAX: i32 = 200;

/// Gives every day around the dates of the lake a place in the calendar, unless a source has.
pub(super) async fn derive(
    engine: &Arc<Engine>,
    writer: &Writer,
    run: &Run,
    command: &str,
) -> Result<()> {
    let mut days = Vec::new();
    for (table, column) in [
        ("opportunities", "close_date"),
        ("opportunities", "created_at"),
        ("quotas", "period_start"),
        ("quotas", "period_end"),
        ("targets", "period_start"),
    ] {
        let day = cast(col(column), DataType::Date32);
        let range = vec![min(day.clone()).alias("from"), max(day).alias("to")];
        days.extend(dates(&select(engine, table, range).await?));
    }
    let (given, held) = calendar_days(engine).await?;
    days.extend(&given);
    let (Some(first), Some(last)) = (days.iter().min(), days.iter().max()) else { return Ok(()) };
    let start = engine.config().fiscal_year_start_month;
    // One more year, because plans and forecasts reach beyond the last date known.
    let from = held.iter().chain([first]).min().copied().unwrap_or(*first);
    let (from, to) = (year_start(from, start), year_start(*last, start) + Months::new(24));
    let to = held.iter().copied().chain([to]).max().unwrap_or(to);
    if to.year() - from.year() > YEARS_MAX {
        return Ok(());
    }
    let days: Vec<NaiveDate> = from
        .iter_days()
        .take_while(|day| *day < to || held.contains(day))
        .filter(|day| !given.contains(day))
        .collect();
    let ids = days.iter().map(ToString::to_string).collect();
    put(writer, run, "fiscal_calendar", columns(&days, start)?, ids, command).await
}

/// The days that a source brought, and those that were made here before.
async fn calendar_days(engine: &Arc<Engine>) -> Result<(BTreeSet<NaiveDate>, BTreeSet<NaiveDate>)> {
    let wanted = vec![col("date"), cast(col("source_system"), DataType::Utf8).alias("system")];
    let (mut given, mut held) = (BTreeSet::new(), BTreeSet::new());
    for batch in select(engine, "fiscal_calendar", wanted).await? {
        let days = batch.column(0).as_primitive::<Date32Type>();
        let systems = batch.column(1).as_string::<i32>();
        for row in 0..batch.num_rows() {
            let Some(day) = Date32Type::to_naive_date_opt(days.value(row)) else { continue };
            let of = if systems.value(row) == OWN { &mut held } else { &mut given };
            of.insert(day);
        }
    }
    Ok((given, held))
}

/// First day of the fiscal year of `day`.
fn year_start(day: NaiveDate, start: u32) -> NaiveDate {
    let year = if day.month() < start { day.year() - 1 } else { day.year() };
    NaiveDate::from_ymd_opt(year, start, 1).unwrap_or(day)
}

/// The non-NULL dates of the first row.
fn dates(batches: &[RecordBatch]) -> Vec<NaiveDate> {
    let Some(batch) = batches.first() else { return vec![] };
    let value = |column: &ArrayRef| {
        let days = column.as_primitive_opt::<Date32Type>()?;
        days.is_valid(0).then(|| Date32Type::to_naive_date_opt(days.value(0)))?
    };
    batch.columns().iter().filter_map(value).collect()
}

/// The own columns of `fiscal_calendar` for years that begin in month `start`.
fn columns(days: &[NaiveDate], start: u32) -> Result<Vec<ArrayRef>> {
    let start = i64::from(start);
    let refuse = |fault: runrate_udfs::math::Fault| Error::Definition {
        name: "fiscal_year_start_month".into(),
        reason: fault.0,
    };
    let numbers: Vec<i32> = days.iter().map(|day| Date32Type::from_naive_date(*day)).collect();
    let mut columns: Vec<ArrayRef> = vec![Arc::new(Date32Array::from(numbers.clone()))];
    let parts: [fn(i32, i64) -> std::result::Result<i64, runrate_udfs::math::Fault>; 3] =
        [|day, start| fiscal::year(day, start, NameBy::End), fiscal::quarter, fiscal::period];
    for part in parts {
        let values: std::result::Result<Vec<i64>, _> =
            numbers.iter().map(|day| part(*day, start)).collect();
        columns.push(Arc::new(Int64Array::from(values.map_err(refuse)?)));
    }
    let spans: std::result::Result<Vec<_>, _> =
        numbers.iter().map(|day| fiscal::quarter_days(*day, start)).collect();
    let spans = spans.map_err(refuse)?;
    let end = |of: fn((i32, i32)) -> i32| -> ArrayRef {
        Arc::new(spans.iter().map(|span| span.map(of)).collect::<Date32Array>())
    };
    columns.push(end(|(first, _)| first));
    columns.push(end(|(_, last)| last));
    let is_workday = |day: &NaiveDate| !matches!(day.weekday(), Weekday::Sat | Weekday::Sun);
    columns.push(Arc::new(days.iter().map(|day| Some(is_workday(day))).collect::<BooleanArray>()));
    Ok(columns)
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::datatypes::Int64Type;

    use super::*;

    #[test]
    fn quarters_end_where_the_next_begins() {
        let day = |m, d| NaiveDate::from_ymd_opt(2024, m, d).expect("a date");
        let of = |start| {
            let columns = columns(&[day(2, 29), day(12, 31)], start).expect("a calendar");
            let number =
                |column: usize, row| columns[column].as_primitive::<Int64Type>().value(row);
            let date = |column: usize, row| {
                let days = columns[column].as_primitive::<Date32Type>().value(row);
                Date32Type::to_naive_date_opt(days).expect("a date").to_string()
            };
            let row = |row| {
                let (year, quarter) = (number(1, row), number(2, row));
                format!("{year} {quarter} {} {} {}", number(3, row), date(4, row), date(5, row))
            };
            [row(0), row(1)]
        };
        assert_eq!(of(1), ["2024 1 2 2024-01-01 2024-03-31", "2024 4 12 2024-10-01 2024-12-31"]);
        assert_eq!(of(2), ["2025 1 1 2024-02-01 2024-04-30", "2025 4 11 2024-11-01 2025-01-31"]);
    }
}
