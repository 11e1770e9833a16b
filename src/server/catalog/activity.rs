//! The views of `pg_catalog` with something to say: settings, sessions, keys, sizes, time zones.

use std::sync::Arc;

use chrono::{DateTime, Offset, Utc};
use chrono_tz::{OffsetName, TZ_VARIANTS};
use datafusion::arrow::array::{
    ArrayRef, BooleanArray, Int32Array, Int64Array, IntervalMonthDayNanoArray, RecordBatch,
    StringArray, TimestampMicrosecondArray,
};
use datafusion::arrow::datatypes::{IntervalMonthDayNano, Schema};
use datafusion::error::Result;

use super::oids::Object;
use super::relations::{PgCatalog, Relation};
use super::{OWNER, keys, standard};
use crate::schema::CRM;
use crate::server::cancel::SessionRow;
use crate::server::settings;
use crate::session::CATALOG;

/// The rows of a view; `None` if it has none.
pub(super) async fn rows(
    catalog: &PgCatalog,
    name: &str,
    schema: &Schema,
) -> Result<Option<RecordBatch>> {
    let columns = match name {
        "pg_settings" => settings(),
        "pg_stat_activity" => sessions(catalog),
        "pg_prepared_statements" => {
            let name = |oid: u32| catalog.type_text(oid);
            return catalog.seat.open.statements(schema, name).map(Some);
        }
        "pg_cursors" => return catalog.seat.open.cursors(schema).map(Some),
        "pg_indexes" => indexes(&catalog.primary_keys()),
        "pg_user" | "pg_shadow" => users(catalog),
        "pg_stat_user_tables" | "pg_stat_all_tables" | "pg_statio_user_tables" => {
            tables(catalog, &catalog.relations().await?)
        }
        "pg_stat_user_indexes" | "pg_stat_all_indexes" => index_use(catalog),
        "pg_stat_database" => vec![
            ("datid", Arc::new(Int32Array::from(vec![catalog.oids.of(Object::Database)])) as _),
            ("datname", texts([CATALOG])),
        ],
        "pg_timezone_names" => zones(),
        "pg_timezone_abbrevs" => vec![
            ("abbrev", texts(["GMT", "UTC", "Z"])),
            ("utc_offset", Arc::new(offsets(&[0, 0, 0])) as ArrayRef),
            ("is_dst", Arc::new(BooleanArray::from(vec![false; 3]))),
        ],
        _ => return Ok(None),
    };
    standard::filled(schema, &columns).map(Some)
}

type Columns = Vec<(&'static str, ArrayRef)>;

fn texts<T: AsRef<str>>(values: impl IntoIterator<Item = T>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}

/// Settings with the values that sessions start from.
fn settings() -> Columns {
    let known: Vec<settings::Known> = settings::known().collect();
    let column = |pick: fn(&settings::Known) -> &'static str| texts(known.iter().map(pick));
    let same = |text: &'static str| texts(vec![text; known.len()]);
    vec![
        ("name", column(|known| known.name)),
        ("setting", column(|known| known.default)),
        ("category", same("Runrate")),
        ("short_desc", column(|known| known.meaning)),
        ("context", column(|known| if known.is_fixed { "internal" } else { "user" })),
        ("vartype", column(|known| known.kind)),
        ("source", same("default")),
        ("boot_val", column(|known| known.default)),
        ("reset_val", column(|known| known.default)),
        ("pending_restart", Arc::new(BooleanArray::from(vec![false; known.len()]))),
    ]
}

/// The sessions of the role that asks, to an admin all: what others do is not for every role to see.
fn sessions(catalog: &PgCatalog) -> Columns {
    let access = catalog.granted.now();
    let mut rows = catalog.seat.sessions.list();
    rows.retain(|row| access.is_admin() || row.role == catalog.user);
    let users = rows.iter().map(|row| catalog.oids.of(Object::Role(row.role.clone())));
    let database = catalog.oids.of(Object::Database);
    let ports = rows.iter().map(|row| row.client.map(|client| i32::from(client.port())));
    let client = |row: &SessionRow| row.client.map(|client| client.ip().to_string());
    let said = |row: &SessionRow| row.last.as_ref().map(|last| last.said.text.clone());
    let instants = |of: &dyn Fn(&SessionRow) -> Option<DateTime<Utc>>| -> ArrayRef {
        let values = rows.iter().map(|row| of(row).map(|at| at.timestamp_micros()));
        Arc::new(TimestampMicrosecondArray::from_iter(values).with_timezone("UTC"))
    };
    vec![
        ("datid", Arc::new(Int32Array::from(vec![database; rows.len()]))),
        ("datname", texts(vec![CATALOG; rows.len()])),
        ("pid", Arc::new(Int32Array::from_iter_values(rows.iter().map(|row| row.process)))),
        ("usesysid", Arc::new(Int32Array::from_iter_values(users))),
        ("usename", texts(rows.iter().map(|row| row.role.as_str()))),
        ("application_name", texts(rows.iter().map(|row| row.application_name.as_str()))),
        ("client_addr", Arc::new(StringArray::from_iter(rows.iter().map(client)))),
        ("client_port", Arc::new(Int32Array::from_iter(ports))),
        ("backend_start", instants(&|row| Some(row.connected_at))),
        ("query_start", instants(&|row| row.last.as_ref().map(|last| last.started_at))),
        ("state_change", instants(&|row| Some(row.state_since))),
        ("state", texts(rows.iter().map(|row| row.state))),
        ("query", Arc::new(StringArray::from_iter(rows.iter().map(said)))),
        ("backend_type", texts(vec!["client backend"; rows.len()])),
    ]
}

fn indexes(keys: &[&keys::Key]) -> Columns {
    vec![
        ("schemaname", texts(vec![CRM; keys.len()])),
        ("tablename", texts(keys.iter().map(|key| key.table.name))),
        ("indexname", texts(keys.iter().map(|key| key.name.as_str()))),
        ("indexdef", texts(keys.iter().map(|key| key.index_definition(None)))),
    ]
}

fn users(catalog: &PgCatalog) -> Columns {
    let own = catalog.oids.of(Object::Role(catalog.user.clone()));
    let no = || -> ArrayRef { Arc::new(BooleanArray::from(vec![false; 2])) };
    vec![
        ("usename", texts([OWNER, catalog.user.as_str()])),
        ("usesysid", Arc::new(Int32Array::from(vec![10, own]))),
        ("usecreatedb", no()),
        ("usesuper", no()),
        ("userepl", no()),
        ("usebypassrls", no()),
    ]
}

fn tables(catalog: &PgCatalog, relations: &[Relation]) -> Columns {
    let tables: Vec<&Relation> = relations.iter().filter(|r| r.kind == 'r').collect();
    let counts = tables.iter().map(|table| table.size.rows.map(|rows| rows as i64));
    let oids = tables.iter().map(|table| catalog.relation_oid(table));
    let zeros = || -> ArrayRef { Arc::new(Int64Array::from(vec![0; tables.len()])) };
    let mut columns: Columns = vec![
        ("relid", Arc::new(Int32Array::from_iter_values(oids))),
        ("schemaname", texts(tables.iter().map(|table| table.schema.as_str()))),
        ("relname", texts(tables.iter().map(|table| table.name.as_str()))),
        ("n_live_tup", Arc::new(counts.collect::<Int64Array>())),
    ];
    for name in ["n_dead_tup", "n_mod_since_analyze", "seq_scan", "seq_tup_read", "idx_scan"] {
        columns.push((name, zeros()));
    }
    columns
}

fn index_use(catalog: &PgCatalog) -> Columns {
    let keys = catalog.primary_keys();
    let numbers = |number: &dyn Fn(&keys::Key) -> i32| -> ArrayRef {
        Arc::new(Int32Array::from_iter_values(keys.iter().map(|key| number(key))))
    };
    vec![
        ("relid", numbers(&|key| keys::table_oid(&catalog.oids, key.table))),
        ("indexrelid", numbers(&|key| key.index_oid(&catalog.oids))),
        ("schemaname", texts(vec![CRM; keys.len()])),
        ("relname", texts(keys.iter().map(|key| key.table.name))),
        ("indexrelname", texts(keys.iter().map(|key| key.name.as_str()))),
        ("idx_scan", Arc::new(Int64Array::from(vec![0; keys.len()]))),
    ]
}

/// Every zone as it is now.
fn zones() -> Columns {
    use chrono_tz::OffsetComponents;
    let now = Utc::now();
    let zones: Vec<_> =
        TZ_VARIANTS.iter().map(|zone| (zone.name(), *now.with_timezone(zone).offset())).collect();
    let seconds: Vec<i32> =
        zones.iter().map(|(_, offset)| offset.fix().local_minus_utc()).collect();
    let is_dst = zones.iter().map(|(_, offset)| Some(!offset.dst_offset().is_zero()));
    vec![
        ("name", texts(zones.iter().map(|(name, _)| *name))),
        ("abbrev", texts(zones.iter().map(|(_, o)| o.abbreviation().unwrap_or("").to_owned()))),
        ("utc_offset", Arc::new(offsets(&seconds))),
        ("is_dst", Arc::new(is_dst.collect::<BooleanArray>())),
    ]
}

/// Seconds as intervals.
fn offsets(seconds: &[i32]) -> IntervalMonthDayNanoArray {
    let nanos = seconds.iter().map(|seconds| i64::from(*seconds) * 1_000_000_000);
    let intervals = nanos.map(|nanos| IntervalMonthDayNano::new(0, 0, nanos));
    IntervalMonthDayNanoArray::from_iter_values(intervals)
}

#[cfg(test)]
mod tests {
    use super::super::system;
    use super::*;
    use crate::session::Access;

    #[test]
    fn what_is_filled_in_has_a_column() {
        let indexes = indexes(&keys::primary(&Access::reading("ana")));
        let made = [("pg_settings", settings()), ("pg_indexes", indexes)];
        for (name, columns) in made.into_iter().chain([("pg_timezone_names", zones())]) {
            let schema = system::view(name).expect(name);
            for (column, array) in &columns {
                assert!(schema.field_with_name(column).is_ok(), "{name}.{column}");
                assert!(!array.is_empty(), "{name}.{column}");
            }
            let batch = standard::filled(&schema, &columns).expect(name);
            assert!(batch.num_rows() > 20, "{name}");
        }
    }
}
