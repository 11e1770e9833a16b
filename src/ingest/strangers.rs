//! Rows whose key a row of another source has: one would take the other's place, and whatever points
//! to the one would be joined to the other.
//!
//! Ids are unique within a system, not among systems: two CRMs that count from 1 share every small
//! number. A batch that meets an id of another system is refused whole, because its references cannot
//! be told from the other's. Where the key is no id (a day, a pair of currencies, the name of a stage)
//! a row that says the same is welcome, and one that says something else is left out.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::array::{AsArray, RecordBatch};
use datafusion::arrow::datatypes::{DataType, Int64Type};
use datafusion::common::JoinType;
use datafusion::prelude::{DataFrame, Expr, cast, col, ident, lit};
use futures::TryStreamExt;

use super::check::BadRow;
use super::crm::{BAD_ROWS_MAX, BadRows};
use super::derived::OWN;
use super::mapping::ROW;
use super::stage::Staged;
use crate::error::{Error, Result};
use crate::lake::{At, TableName};
use crate::schema::{CRM, Table};
use crate::session::{Engine, Session};

/// Code of rows whose id is one of another system: their batch is refused.
pub(super) const ID: &str = "id_of_other_source";
/// Code of rows that contradict a row of another system.
const ROW_OF_OTHER: &str = "row_of_other_source";
/// Source of what people write in spreadsheets.
const SPREADSHEET: &str = "template";

/// Puts the rows that overlap with another source's among the bad; true if there are new ones.
pub(super) async fn put(
    engine: &Arc<Engine>,
    session: &Session,
    staged: &[Staged],
    source_system: &str,
    bad: &mut BadRows,
) -> Result<bool> {
    let mut has_new = false;
    for staged in staged {
        let known = bad.entry(staged.object.name.clone()).or_default();
        for (row, fault) in find(engine, session, staged, source_system).await? {
            has_new |= !known.contains_key(&row);
            known.entry(row).or_insert(fault);
        }
    }
    Ok(has_new)
}

/// Fails if there are more such rows than `bad` has, once nobody else writes: another process may
/// have been faster.
///
/// # Errors
/// [`Error::Refused`].
pub(super) async fn check_again(
    engine: &Arc<Engine>,
    session: &Session,
    staged: &[Staged],
    source_system: &str,
    bad: &mut BadRows,
) -> Result<()> {
    if !put(engine, session, staged, source_system, bad).await? {
        return Ok(());
    }
    let reason = "another process has just loaded the same ids; ingest again to see which";
    Err(Error::Refused { subject: source_system.to_owned(), reason: reason.into() })
}

/// The rows of `staged` whose key a row of another source has, by identity.
async fn find(
    engine: &Arc<Engine>,
    session: &Session,
    staged: &Staged,
    source_system: &str,
) -> Result<BTreeMap<i64, BadRow>> {
    let table = staged.table;
    let name = TableName::new(CRM, table.name);
    let Some(stored) = engine.lake().table(&name, At::Latest).await? else {
        return Ok(BTreeMap::new());
    };
    let stored = session.context().read_table(stored.provider())?;
    let text = |column: &str| cast(ident(column), DataType::Utf8);
    let mut stored = stored.filter(text("source_system").not_eq(lit(OWN)))?;
    if !staged.names_sources {
        stored = stored.filter(text("source_system").not_eq(lit(source_system)))?;
    }
    if table.name == "users" {
        // Whom a spreadsheet planned, the CRM has hired.
        stored = stored.filter(text("source_system").not_eq(lit(SPREADSHEET)))?;
    }
    // Nearly always there is no other source, which one column tells.
    let others = stored.clone().select(vec![lit(1)])?.limit(0, Some(1))?;
    if run(session, others).await?.iter().all(|rows| rows.num_rows() == 0) {
        return Ok(BTreeMap::new());
    }
    let met = joined(session, staged, stored)?;
    let mut found = BTreeMap::new();
    for rows in run(session, met).await? {
        let ids = rows.column(0).as_primitive::<Int64Type>();
        let [key, theirs, own] = [1, 2, 3].map(|n| rows.column(n).as_string::<i32>());
        for row in 0..rows.num_rows() {
            let (key, theirs, own) = (key.value(row), theirs.value(row), own.value(row));
            found.entry(ids.value(row)).or_insert_with(|| fault(table, key, theirs, own));
        }
    }
    Ok(found)
}

fn fault(table: &Table, key: &str, theirs: &str, own: &str) -> BadRow {
    let columns = table.key.join(", ");
    let (code, advice) = match has_ids(table) {
        true => (
            ID,
            "their ids overlap, so that they cannot be told apart in one lake: give each a lake of \
             its own",
        ),
        false => (ROW_OF_OTHER, "what another source says is not overwritten"),
    };
    let reason = format!(
        "{columns} \"{key}\" is in crm.{} from {theirs} and comes from {own}: {advice}",
        table.name
    );
    BadRow { table: table.name.to_owned(), column: table.key[0].to_owned(), code, reason }
}

/// True for a table whose rows are told apart by an id that a system made.
fn has_ids(table: &Table) -> bool {
    table.key[0].ends_with("_id") && table.name != "stage_definitions" && table.name != "targets"
}

/// Identity, key, source of the stored row and own source of the rows that are in both.
fn joined(session: &Session, staged: &Staged, stored: DataFrame) -> Result<DataFrame> {
    let table = staged.table;
    let as_stored = |column: &str| {
        let kind = table.column(column).map_or(DataType::Utf8, |c| c.kind.data_type());
        cast(ident(column), kind)
    };
    let content: Vec<&str> = match has_ids(table) {
        true => vec![],
        false => {
            let own = table.columns.iter().map(|column| column.name);
            own.filter(|name| !table.key.contains(name)).chain(["is_deleted"]).collect()
        }
    };
    let wanted = || table.key.iter().copied().chain(content.iter().copied());
    let named = |prefix: &'static str| {
        let renamed = move |name: &str| as_stored(name).alias(format!("{prefix}{name}"));
        wanted().chain(["source_system"]).map(renamed).collect::<Vec<Expr>>()
    };
    let mut own = named("own_");
    own.insert(0, ident(ROW));
    let own = session.context().read_table(staged.provider()?)?.select(own)?;
    let keys = |prefix: &str| table.key.iter().map(|k| format!("{prefix}{k}")).collect::<Vec<_>>();
    let (left, right) = (keys("own_"), keys("their_"));
    let (left, right): (Vec<&str>, Vec<&str>) =
        (left.iter().map(String::as_str).collect(), right.iter().map(String::as_str).collect());
    let met = own.join(stored.select(named("their_"))?, JoinType::Inner, &left, &right, None)?;
    let (ours, theirs) = (col("own_source_system"), col("their_source_system"));
    let mut met = met.filter(ours.clone().not_eq(theirs.clone()))?;
    let differs = content.iter().map(|name| {
        let own = ident(format!("own_{name}"));
        let their = ident(format!("their_{name}"));
        datafusion::logical_expr::binary_expr(
            own,
            datafusion::logical_expr::Operator::IsDistinctFrom,
            their,
        )
    });
    if let Some(differs) = differs.reduce(Expr::or) {
        met = met.filter(differs)?;
    }
    let parts: Vec<Expr> = left.iter().map(|key| cast(ident(*key), DataType::Utf8)).collect();
    let key = datafusion::functions::expr_fn::concat_ws(lit(", "), parts);
    let key = cast(key, DataType::Utf8);
    Ok(met.select(vec![ident(ROW), key, theirs, ours])?.limit(0, Some(BAD_ROWS_MAX + 1))?)
}

async fn run(session: &Session, rows: DataFrame) -> Result<Vec<RecordBatch>> {
    Ok(session.run(rows.into_unoptimized_plan()).await?.try_collect().await?)
}
