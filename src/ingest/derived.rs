//! Tables that follow from others: who reports to whom at any depth, the fiscal calendar, the history
//! of deals.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::Utc;
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int64Array, StringArray, new_null_array,
};
use datafusion::arrow::datatypes::DataType;
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::prelude::{Expr, cast, col};
use futures::TryStreamExt;

use super::crm::layout;
use super::ledger::{self, Quarantined, Run};
use super::{Line, calendar, history};
use crate::error::Result;
use crate::lake::{At, Batch, TableName, Writer};
use crate::schema::{self, CRM, Kind, Table};
use crate::session::Engine;

/// Source system of rows that Runrate makes itself.
pub(super) const OWN: &str = "runrate";

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
        calendar::derive(engine, writer, run, command).await?;
    }
    if ["opportunities", "opportunity_stage_history"].iter().any(|table| changed.contains(table)) {
        let line = history::derive(engine, writer, run, command).await?;
        lines.extend(line.map(|line| (line, vec![])));
    }
    Ok(lines)
}

/// `columns` of a canonical table as it is after the batch's commits.
pub(super) async fn select(
    engine: &Arc<Engine>,
    table: &str,
    columns: Vec<Expr>,
) -> Result<Vec<RecordBatch>> {
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
        header: None,
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
    let batch = rows(run, table, own, ids)?;
    let id = format!("{}/derived", run.batch_id);
    let commit = Batch { id, command: command.to_owned() };
    writer.replace(&name, &layout(table), ledger::stream(batch), &commit).await?;
    Ok(())
}

/// Puts rows of our own, sorted by key, beside what `table` holds of others.
pub(super) async fn put(
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
    let batch = rows(run, table, own, ids)?;
    let id = format!("{}/derived", run.batch_id);
    let commit = Batch { id, command: command.to_owned() };
    writer.upsert(&name, ledger::stream(batch), &commit).await?;
    Ok(())
}

/// The columns `own` of `table` with the lineage of rows that Runrate makes.
fn rows(run: &Run, table: &Table, own: Vec<ArrayRef>, ids: Vec<String>) -> Result<RecordBatch> {
    let rows = ids.len();
    let mut columns = own;
    columns.push(ledger::same(OWN, rows));
    columns.push(Arc::new(StringArray::from(ids)));
    columns.push(Arc::new(BooleanArray::from(vec![false; rows])));
    columns.push(new_null_array(&Kind::Timestamp.data_type(), rows));
    columns.push(new_null_array(&Kind::Text.data_type(), rows));
    columns.push(ledger::instants(&vec![Some(Utc::now()); rows]));
    columns.push(ledger::same(&run.batch_id, rows));
    Ok(RecordBatch::try_new(table.arrow_schema(), columns)?)
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
}
