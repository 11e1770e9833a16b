//! Tables that follow from others: who reports to whom at any depth, and the fiscal calendar.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{Datelike, Days, NaiveDate, Utc, Weekday};
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Int64Array, StringArray, new_null_array,
};
use datafusion::arrow::datatypes::{DataType, Date32Type};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::functions_aggregate::expr_fn::{max, min};
use datafusion::prelude::{Expr, cast, col, lit};
use futures::TryStreamExt;

use super::Line;
use super::crm::layout;
use super::ledger::{self, Quarantined, Run};
use crate::error::Result;
use crate::lake::{At, Batch, TableName, Writer};
use crate::schema::{self, CRM, Kind};
use crate::session::Engine;

/// Source system of rows that Runrate makes itself.
const OWN: &str = "runrate";

/// Makes the derived tables whose sources are among the tables that `changed`; a line for each that
/// found something wrong.
pub(super) async fn derive(
    engine: &Arc<Engine>,
    writer: &Writer,
    run: &Run,
    changed: &BTreeSet<&str>,
    command: &str,
) -> Result<Vec<(Line, Vec<Quarantined>)>> {
    let mut lines = Vec::new();
    if changed.contains("users") && !changed.contains("user_hierarchy") {
        lines.extend(user_hierarchy(engine, writer, run, command).await?);
    }
    if ["opportunities", "quotas", "targets"].iter().any(|table| changed.contains(table)) {
        fiscal_calendar(engine, writer, run, command).await?;
    }
    Ok(lines)
}

async fn select(engine: &Arc<Engine>, table: &str, columns: Vec<Expr>) -> Result<Vec<RecordBatch>> {
    let found = engine.lake().table(&TableName::new(CRM, table), At::Latest).await?;
    let Some(found) = found else { return Ok(vec![]) };
    let session = engine.session("ingest");
    let rows = session.context().read_table(found.provider())?;
    let is_aggregate = columns
        .iter()
        .any(|c| matches!(c, Expr::Alias(a) if matches!(*a.expr, Expr::AggregateFunction(_))));
    let rows = if is_aggregate { rows.aggregate(vec![], columns)? } else { rows.select(columns)? };
    Ok(session.run(rows.into_unoptimized_plan()).await?.try_collect().await?)
}

async fn user_hierarchy(
    engine: &Arc<Engine>,
    writer: &Writer,
    run: &Run,
    command: &str,
) -> Result<Option<(Line, Vec<Quarantined>)>> {
    let text = |name: &str| cast(col(name), DataType::Utf8).alias(name);
    let mut managers: BTreeMap<String, Option<String>> = BTreeMap::new();
    for batch in select(engine, "users", vec![text("user_id"), text("manager_id")]).await? {
        let (users, above) =
            (batch.column(0).as_string::<i32>(), batch.column(1).as_string::<i32>());
        for row in 0..batch.num_rows() {
            let manager = above.is_valid(row).then(|| above.value(row).to_owned());
            managers.insert(users.value(row).to_owned(), manager);
        }
    }
    let (pairs, cycles) = closure(&managers);
    let ancestors = pairs.keys().map(|(ancestor, _)| Some(*ancestor));
    let own: Vec<ArrayRef> = vec![
        Arc::new(ancestors.collect::<StringArray>()),
        Arc::new(pairs.keys().map(|(_, descendant)| Some(*descendant)).collect::<StringArray>()),
        Arc::new(Int64Array::from_iter_values(pairs.values().copied())),
    ];
    let ids = pairs.keys().map(|(ancestor, descendant)| format!("{ancestor}:{descendant}"));
    replace(writer, run, "user_hierarchy", own, ids.collect(), command).await?;
    if cycles.is_empty() {
        return Ok(None);
    }
    let line = Line {
        object: "users".into(),
        table: format!("{CRM}.user_hierarchy"),
        rows_read: cycles.len() as u64,
        rows_quarantined: cycles.len() as u64,
        ..Line::default()
    };
    let rows = cycles.iter().map(|user| Quarantined {
        object: "users".into(),
        file: format!("{CRM}.users"),
        // Not a line of a file: these rows are of the table, told apart by their place in it.
        line: 1 + managers.keys().position(|known| known == user).unwrap_or(0) as u64,
        byte_offset: 0,
        table: Some(format!("{CRM}.user_hierarchy")),
        column: Some("manager_id".into()),
        code: "manager_cycle".into(),
        reason: format!("user {user} is above themselves by manager_id"),
        raw: user.as_bytes().to_vec(),
    });
    Ok(Some((line, rows.collect())))
}

/// Every (ancestor, descendant) with its depth, and the users whose managers run in a circle.
///
/// Whoever is in a circle is nobody's descendant; whoever reports into one keeps the chain up to it.
fn closure(
    managers: &BTreeMap<String, Option<String>>,
) -> (BTreeMap<(&str, &str), i64>, BTreeSet<String>) {
    let above = |user: &str| -> Option<&str> { managers.get(user)?.as_deref() };
    let mut cycles = BTreeSet::new();
    for user in managers.keys() {
        let (mut at, mut steps) = (above(user), 0);
        while let Some(next) = at {
            if next == user {
                cycles.insert(user.clone());
                break;
            }
            steps += 1;
            if steps > managers.len() {
                break; // the circle is further up
            }
            at = above(next);
        }
    }
    let mut pairs = BTreeMap::new();
    for user in managers.keys() {
        pairs.insert((user.as_str(), user.as_str()), 0);
        let (mut below, mut depth) = (user.as_str(), 1);
        while !cycles.contains(below) {
            let Some(next) = above(below) else { break };
            pairs.insert((next, user.as_str()), depth);
            (below, depth) = (next, depth + 1);
        }
    }
    (pairs, cycles)
}

/// A calendar of whole years around all dates in the lake, unless a source brought its own.
async fn fiscal_calendar(
    engine: &Arc<Engine>,
    writer: &Writer,
    run: &Run,
    command: &str,
) -> Result<()> {
    let given = select(
        engine,
        "fiscal_calendar",
        vec![
            min(col("source_system")).alias("first"),
            max(col("source_system")).alias("last"),
            min(col("date")).alias("from"),
            max(col("date")).alias("to"),
        ],
    )
    .await?;
    let is_own = |batch: &RecordBatch, column: usize| -> Result<bool> {
        let text = datafusion::arrow::compute::cast(batch.column(column), &DataType::Utf8)?;
        Ok(text.is_null(0) || text.as_string::<i32>().value(0) == OWN)
    };
    if let Some(batch) = given.first()
        && !(is_own(batch, 0)? && is_own(batch, 1)?)
    {
        return Ok(());
    }
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
        days.extend(dates(&select(engine, table, range).await?, 0));
    }
    let held = dates(&given, 2);
    let (Some(first), Some(last)) = (days.iter().min(), days.iter().max()) else { return Ok(()) };
    // One more year, because plans and forecasts reach beyond the last date known.
    let (from, to) = (first.year(), last.year() + 1);
    let is_covered = held.iter().min().is_some_and(|d| d.year() <= from)
        && held.iter().max().is_some_and(|d| d.year() >= to);
    // A sentinel such as 9999-12-31 is no reason for eight thousand years of calendar.
    if is_covered || to - from > 200 {
        return Ok(());
    }
    let from = held.iter().map(Datelike::year).chain([from]).min().unwrap_or(from);
    let to = held.iter().map(Datelike::year).chain([to]).max().unwrap_or(to);
    let Some(first) = NaiveDate::from_ymd_opt(from, 1, 1) else { return Ok(()) };
    let days: Vec<NaiveDate> = first.iter_days().take_while(|day| day.year() <= to).collect();
    let ids = days.iter().map(ToString::to_string).collect();
    replace(writer, run, "fiscal_calendar", calendar(&days), ids, command).await
}

/// The non-NULL dates of the first row from column `from` on.
fn dates(batches: &[RecordBatch], from: usize) -> Vec<NaiveDate> {
    let Some(batch) = batches.first() else { return vec![] };
    let columns = batch.columns().iter().skip(from);
    let value = |column: &ArrayRef| {
        let days = column.as_primitive_opt::<Date32Type>()?;
        days.is_valid(0).then(|| Date32Type::to_naive_date_opt(days.value(0)))?
    };
    columns.filter_map(value).collect()
}

/// The own columns of `fiscal_calendar` for a fiscal year that is the calendar year.
fn calendar(days: &[NaiveDate]) -> Vec<ArrayRef> {
    let quarter = |day: &NaiveDate| day.month0() / 3;
    let start = |day: &NaiveDate| {
        NaiveDate::from_ymd_opt(day.year(), quarter(day) * 3 + 1, 1).unwrap_or(*day)
    };
    let end = |day: &NaiveDate| {
        let next = (quarter(day) + 1) * 3 + 1;
        let (year, month) = if next > 12 { (day.year() + 1, 1) } else { (day.year(), next) };
        let next = NaiveDate::from_ymd_opt(year, month, 1);
        next.and_then(|next| next.checked_sub_days(Days::new(1))).unwrap_or(*day)
    };
    let date = |of: &dyn Fn(&NaiveDate) -> NaiveDate| -> ArrayRef {
        let days = days.iter().map(|day| Date32Type::from_naive_date(of(day)));
        Arc::new(Date32Array::from_iter_values(days))
    };
    let number = |of: &dyn Fn(&NaiveDate) -> i64| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(days.iter().map(of)))
    };
    let is_workday = |day: &NaiveDate| !matches!(day.weekday(), Weekday::Sat | Weekday::Sun);
    vec![
        date(&|day| *day),
        number(&|day| i64::from(day.year())),
        number(&|day| i64::from(quarter(day)) + 1),
        number(&|day| i64::from(day.month())),
        date(&start),
        date(&end),
        Arc::new(days.iter().map(|day| Some(is_workday(day))).collect::<BooleanArray>()),
    ]
}

/// Puts rows of our own in the place of everything `table` holds.
async fn replace(
    writer: &Writer,
    run: &Run,
    table: &str,
    own: Vec<ArrayRef>,
    ids: Vec<String>,
    command: &str,
) -> Result<()> {
    let Some(table) = schema::table(table) else { return Ok(()) };
    let name = TableName::new(CRM, table.name);
    writer.ensure(&name, &layout(table)).await?;
    let id = format!("{}/derived", run.batch_id);
    if writer.committed(&name, &id).await?.is_some() {
        return Ok(());
    }
    let rows = ids.len();
    let mut columns = own;
    columns.push(ledger::same(OWN, rows));
    columns.push(Arc::new(StringArray::from(ids)));
    columns.push(Arc::new(BooleanArray::from(vec![false; rows])));
    columns.push(new_null_array(&Kind::Timestamp.data_type(), rows));
    columns.push(new_null_array(&Kind::Text.data_type(), rows));
    columns.push(ledger::instants(&vec![Some(Utc::now()); rows]));
    columns.push(ledger::same(&run.batch_id, rows));
    let batch = RecordBatch::try_new(table.arrow_schema(), columns)?;
    let commit = Batch { id, command: command.to_owned() };
    writer.replace(&name, ledger::stream(batch), &commit).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(edges: &[(&str, Option<&str>)]) -> BTreeMap<String, Option<String>> {
        edges.iter().map(|(u, m)| ((*u).to_owned(), m.map(str::to_owned))).collect()
    }

    #[test]
    fn everyone_is_below_themselves_and_all_above_them() {
        let managers =
            tree(&[("a", None), ("b", Some("a")), ("c", Some("b")), ("d", Some("gone"))]);
        let (pairs, cycles) = closure(&managers);
        assert!(cycles.is_empty());
        let found: Vec<_> = pairs.iter().map(|((a, d), n)| format!("{a}{d}{n}")).collect();
        assert_eq!(
            found,
            [
                "aa0",
                "ab1",
                "ac2",
                "bb0",
                "bc1",
                "cc0",
                "dd0",
                "gonedd1".replace("dd", "d").as_str()
            ]
        );
    }

    #[test]
    fn circles_are_found_and_cut() {
        let managers =
            tree(&[("a", Some("b")), ("b", Some("a")), ("c", Some("b")), ("d", Some("d"))]);
        let (pairs, cycles) = closure(&managers);
        assert_eq!(cycles.iter().map(String::as_str).collect::<Vec<_>>(), ["a", "b", "d"]);
        let found: Vec<_> = pairs.iter().map(|((a, d), n)| format!("{a}{d}{n}")).collect();
        assert_eq!(found, ["aa0", "bb0", "bc1", "cc0", "dd0"]);
    }

    #[test]
    fn quarters_end_where_the_next_begins() {
        let day = |m, d| NaiveDate::from_ymd_opt(2024, m, d).expect("a date");
        let columns = calendar(&[day(2, 29), day(12, 31)]);
        let date = |column: usize, row| {
            let days = columns[column].as_primitive::<Date32Type>().value(row);
            Date32Type::to_naive_date_opt(days).expect("a date").to_string()
        };
        assert_eq!((date(4, 0), date(5, 0)), ("2024-01-01".into(), "2024-03-31".into()));
        assert_eq!((date(4, 1), date(5, 1)), ("2024-10-01".into(), "2024-12-31".into()));
    }
}
