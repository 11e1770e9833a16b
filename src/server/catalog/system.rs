//! Which tables `pg_catalog` has, their numbers, and the columns of those that are views.

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{DataType, Field, IntervalUnit, Schema, TimeUnit};
use datafusion_pg_catalog::pg_catalog::PG_CATALOG_TABLES;

use super::rows::{CHAR, NAME};
use crate::server::encode::types::{self, OID_KEY};

/// Numbers that the tables of the catalog have everywhere, for others refer to them.
const NUMBERS: &[(&str, i32)] = &[
    ("pg_default_acl", 826),
    ("pg_tablespace", 1213),
    ("pg_shdepend", 1214),
    ("pg_type", 1247),
    ("pg_attribute", 1249),
    ("pg_proc", 1255),
    ("pg_class", 1259),
    ("pg_authid", 1260),
    ("pg_auth_members", 1261),
    ("pg_database", 1262),
    ("pg_foreign_server", 1417),
    ("pg_user_mapping", 1418),
    ("pg_sequence", 2224),
    ("pg_foreign_data_wrapper", 2328),
    ("pg_shdescription", 2396),
    ("pg_aggregate", 2600),
    ("pg_am", 2601),
    ("pg_amop", 2602),
    ("pg_amproc", 2603),
    ("pg_attrdef", 2604),
    ("pg_cast", 2605),
    ("pg_constraint", 2606),
    ("pg_conversion", 2607),
    ("pg_depend", 2608),
    ("pg_description", 2609),
    ("pg_index", 2610),
    ("pg_inherits", 2611),
    ("pg_language", 2612),
    ("pg_largeobject", 2613),
    ("pg_namespace", 2615),
    ("pg_opclass", 2616),
    ("pg_operator", 2617),
    ("pg_rewrite", 2618),
    ("pg_statistic", 2619),
    ("pg_trigger", 2620),
    ("pg_opfamily", 2753),
    ("pg_db_role_setting", 2964),
    ("pg_largeobject_metadata", 2995),
    ("pg_extension", 3079),
    ("pg_foreign_table", 3118),
    ("pg_policy", 3256),
    ("pg_partitioned_table", 3350),
    ("pg_statistic_ext", 3381),
    ("pg_init_privs", 3394),
    ("pg_statistic_ext_data", 3429),
    ("pg_collation", 3456),
    ("pg_event_trigger", 3466),
    ("pg_enum", 3501),
    ("pg_range", 3541),
    ("pg_transform", 3576),
    ("pg_shseclabel", 3592),
    ("pg_seclabel", 3596),
    ("pg_ts_dict", 3600),
    ("pg_ts_parser", 3601),
    ("pg_ts_config", 3602),
    ("pg_ts_config_map", 3603),
    ("pg_ts_template", 3764),
    ("pg_replication_origin", 6000),
    ("pg_subscription", 6100),
    ("pg_subscription_rel", 6102),
    ("pg_publication", 6104),
    ("pg_publication_rel", 6106),
    ("pg_publication_namespace", 6237),
];

/// Tables about things that are not here: they have no rows, and never will.
const EMPTY: &[&str] = &[
    "pg_attrdef",
    "pg_db_role_setting",
    "pg_default_acl",
    "pg_enum",
    "pg_event_trigger",
    "pg_foreign_data_wrapper",
    "pg_foreign_server",
    "pg_foreign_table",
    "pg_inherits",
    "pg_largeobject",
    "pg_largeobject_metadata",
    "pg_partitioned_table",
    "pg_policy",
    "pg_publication",
    "pg_publication_namespace",
    "pg_publication_rel",
    "pg_replication_origin",
    "pg_seclabel",
    "pg_sequence",
    "pg_shseclabel",
    "pg_statistic_ext",
    "pg_statistic_ext_data",
    "pg_subscription",
    "pg_subscription_rel",
    "pg_transform",
    "pg_trigger",
    "pg_user_mapping",
];

/// Columns of the views that are made here; most have rows only where there is something to say.
const VIEWS: &[(&str, &str)] = &[
    (
        "pg_available_extensions",
        "name name, default_version text, installed_version text, comment text",
    ),
    (
        "pg_available_extension_versions",
        "name name, version text, installed bool, superuser bool, trusted bool, \
         relocatable bool, schema name, requires name[], comment text",
    ),
    (
        "pg_cursors",
        "name text, statement text, is_holdable bool, is_binary bool, is_scrollable bool, \
         creation_time timestamptz",
    ),
    (
        "pg_extension",
        "oid oid, extname name, extowner oid, extnamespace oid, extrelocatable bool, \
         extversion text, extconfig oid[], extcondition text[]",
    ),
    (
        "pg_file_settings",
        "sourcefile text, sourceline int4, seqno int4, name text, setting text, applied bool, \
         error text",
    ),
    ("pg_group", "groname name, grosysid oid, grolist oid[]"),
    (
        "pg_hba_file_rules",
        "line_number int4, type text, database text[], user_name text[], address text, \
         netmask text, auth_method text, options text[], error text",
    ),
    (
        "pg_indexes",
        "schemaname name, tablename name, indexname name, tablespace name, indexdef text",
    ),
    (
        "pg_locks",
        "locktype text, database oid, relation oid, page int4, tuple int2, virtualxid text, \
         transactionid xid, classid oid, objid oid, objsubid int2, virtualtransaction text, \
         pid int4, mode text, granted bool, fastpath bool, waitstart timestamptz",
    ),
    (
        "pg_matviews",
        "schemaname name, matviewname name, matviewowner name, tablespace name, \
         hasindexes bool, ispopulated bool, definition text",
    ),
    (
        "pg_policies",
        "schemaname name, tablename name, policyname name, permissive text, roles name[], \
         cmd text, qual text, with_check text",
    ),
    (
        "pg_prepared_statements",
        "name text, statement text, prepare_time timestamptz, parameter_types text[], \
         from_sql bool, generic_plans int8, custom_plans int8",
    ),
    (
        "pg_prepared_xacts",
        "transaction xid, gid text, prepared timestamptz, owner name, database name",
    ),
    (
        "pg_publication_tables",
        "pubname name, schemaname name, tablename name, attnames name[], rowfilter text",
    ),
    (
        "pg_replication_slots",
        "slot_name name, plugin name, slot_type text, datoid oid, database name, \
         temporary bool, active bool, active_pid int4, xmin xid, catalog_xmin xid, \
         restart_lsn text, confirmed_flush_lsn text, wal_status text, safe_wal_size int8, \
         two_phase bool",
    ),
    ("pg_rules", "schemaname name, tablename name, rulename name, definition text"),
    (
        "pg_seclabels",
        "objoid oid, classoid oid, objsubid int4, objtype text, objnamespace oid, objname text, \
         provider text, label text",
    ),
    (
        "pg_sequences",
        "schemaname name, sequencename name, sequenceowner name, data_type oid, \
         start_value int8, min_value int8, max_value int8, increment_by int8, cycle bool, \
         cache_size int8, last_value int8",
    ),
    (
        "pg_settings",
        "name text, setting text, unit text, category text, short_desc text, extra_desc text, \
         context text, vartype text, source text, min_val text, max_val text, enumvals text[], \
         boot_val text, reset_val text, sourcefile text, sourceline int4, pending_restart bool",
    ),
    (
        "pg_shadow",
        "usename name, usesysid oid, usecreatedb bool, usesuper bool, userepl bool, \
         usebypassrls bool, passwd text, valuntil timestamptz, useconfig text[]",
    ),
    (
        "pg_stat_activity",
        "datid oid, datname name, pid int4, leader_pid int4, usesysid oid, usename name, \
         application_name text, client_addr text, client_hostname text, client_port int4, \
         backend_start timestamptz, xact_start timestamptz, query_start timestamptz, \
         state_change timestamptz, wait_event_type text, wait_event text, state text, \
         backend_xid xid, backend_xmin xid, query_id int8, query text, backend_type text",
    ),
    ("pg_stat_all_indexes", INDEX_USE),
    ("pg_stat_all_tables", TABLE_USE),
    (
        "pg_stat_database",
        "datid oid, datname name, numbackends int4, xact_commit int8, xact_rollback int8, \
         blks_read int8, blks_hit int8, tup_returned int8, tup_fetched int8, tup_inserted int8, \
         tup_updated int8, tup_deleted int8, conflicts int8, temp_files int8, temp_bytes int8, \
         deadlocks int8, stats_reset timestamptz",
    ),
    (
        "pg_stat_gssapi",
        "pid int4, gss_authenticated bool, principal text, encrypted bool, \
         credentials_delegated bool",
    ),
    (
        "pg_stat_replication",
        "pid int4, usesysid oid, usename name, application_name text, client_addr text, \
         client_hostname text, client_port int4, backend_start timestamptz, backend_xmin xid, \
         state text, sent_lsn text, write_lsn text, flush_lsn text, replay_lsn text, \
         sync_priority int4, sync_state text, reply_time timestamptz",
    ),
    (
        "pg_stat_ssl",
        "pid int4, ssl bool, version text, cipher text, bits int4, client_dn text, \
         client_serial numeric, issuer_dn text",
    ),
    ("pg_stat_user_indexes", INDEX_USE),
    ("pg_stat_user_tables", TABLE_USE),
    (
        "pg_statio_user_tables",
        "relid oid, schemaname name, relname name, heap_blks_read int8, heap_blks_hit int8, \
         idx_blks_read int8, idx_blks_hit int8, toast_blks_read int8, toast_blks_hit int8, \
         tidx_blks_read int8, tidx_blks_hit int8",
    ),
    (
        "pg_stats",
        "schemaname name, tablename name, attname name, inherited bool, null_frac float4, \
         avg_width int4, n_distinct float4, most_common_vals text[], \
         most_common_freqs float4[], histogram_bounds text[], correlation float4",
    ),
    ("pg_timezone_abbrevs", "abbrev text, utc_offset interval, is_dst bool"),
    ("pg_timezone_names", "name text, abbrev text, utc_offset interval, is_dst bool"),
    ("pg_transform", "oid oid, trftype oid, trflang oid, trffromsql text, trftosql text"),
    ("pg_ts_config_map", "mapcfg oid, maptokentype int4, mapseqno int4, mapdict oid"),
    (
        "pg_user",
        "usename name, usesysid oid, usecreatedb bool, usesuper bool, userepl bool, \
         usebypassrls bool, passwd text, valuntil timestamptz, useconfig text[]",
    ),
    (
        "pg_user_mappings",
        "umid oid, srvid oid, srvname name, umuser oid, usename name, umoptions text[]",
    ),
];

const TABLE_USE: &str = "relid oid, schemaname name, relname name, seq_scan int8, seq_tup_read int8, idx_scan int8, \
     idx_tup_fetch int8, n_tup_ins int8, n_tup_upd int8, n_tup_del int8, n_tup_hot_upd int8, \
     n_live_tup int8, n_dead_tup int8, n_mod_since_analyze int8, n_ins_since_vacuum int8, \
     last_vacuum timestamptz, last_autovacuum timestamptz, last_analyze timestamptz, \
     last_autoanalyze timestamptz, vacuum_count int8, autovacuum_count int8, \
     analyze_count int8, autoanalyze_count int8";
const INDEX_USE: &str = "relid oid, indexrelid oid, schemaname name, relname name, indexrelname name, \
     idx_scan int8, idx_tup_read int8, idx_tup_fetch int8";

/// Names of all tables of the catalog, each once.
pub(super) fn tables() -> impl Iterator<Item = &'static str> {
    let views = VIEWS.iter().map(|(name, _)| *name);
    let more = views.filter(|name| !PG_CATALOG_TABLES.contains(name));
    PG_CATALOG_TABLES.iter().copied().chain(more)
}

/// Whether the catalog has a table of this name, in lower case.
pub(super) fn is_table(name: &str) -> bool {
    name.starts_with("pg_") && tables().any(|known| known == name)
}

/// Whether a table is a view to Postgres.
pub(super) fn is_view(name: &str) -> bool {
    !NUMBERS.iter().any(|(known, _)| *known == name)
}

/// Whether a table of the catalog never has rows.
pub(super) fn is_always_empty(name: &str) -> bool {
    EMPTY.contains(&name)
}

/// Number of a table of the catalog; 0 if it has none of its own.
pub(super) fn oid(name: &str) -> i32 {
    NUMBERS.iter().find(|(known, _)| *known == name).map_or(0, |(_, oid)| *oid)
}

/// Name of the table of the catalog with a number of its own.
pub(super) fn name(oid: i64) -> Option<&'static str> {
    NUMBERS.iter().find(|(_, known)| i64::from(*known) == oid).map(|(name, _)| *name)
}

/// Columns of a view that is made here.
pub(super) fn view(name: &str) -> Option<Schema> {
    let (_, columns) = VIEWS.iter().find(|(known, _)| *known == name)?;
    Some(columns_of(columns))
}

/// Columns as written above: a name and a type each.
pub(super) fn columns_of(written: &str) -> Schema {
    let fields = written.split(", ").filter_map(|column| column.split_once(' '));
    Schema::new(fields.map(|(name, kind)| field(name, kind)).collect::<Vec<_>>())
}

/// A table with these columns and no row.
pub(super) fn empty(schema: Schema) -> RecordBatch {
    RecordBatch::new_empty(Arc::new(schema))
}

/// A column of a type as Postgres calls it.
pub(super) fn field(name: &str, kind: &str) -> Field {
    if let Some(element) = kind.strip_suffix("[]") {
        let element = field("item", element);
        let array = types::of_field(&element).ok().and_then(|kind| {
            types::ARRAYS.iter().find(|(oid, _)| *oid == kind.oid).map(|(_, array)| *array)
        });
        let list = Field::new(name, DataType::List(Arc::new(element)), true);
        return match array {
            Some(oid) => marked(list, oid),
            None => list,
        };
    }
    let (data_type, oid) = match kind {
        "oid" => (DataType::Int32, Some(types::OID)),
        "xid" => (DataType::Int32, Some(28)),
        "name" => (DataType::Utf8, Some(NAME)),
        "char" => (DataType::Utf8, Some(CHAR)),
        "bool" => (DataType::Boolean, None),
        "int2" => (DataType::Int16, None),
        "int4" => (DataType::Int32, None),
        "int8" => (DataType::Int64, None),
        "float4" => (DataType::Float32, None),
        "numeric" => (DataType::Decimal128(38, 0), None),
        "interval" => (DataType::Interval(IntervalUnit::MonthDayNano), None),
        "timestamptz" => (DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), None),
        _ => (DataType::Utf8, None),
    };
    let field = Field::new(name, data_type, true);
    match oid {
        Some(oid) => marked(field, oid),
        None => field,
    }
}

fn marked(field: Field, oid: u32) -> Field {
    field.with_metadata([(OID_KEY.to_owned(), oid.to_string())].into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_view_has_columns_and_every_table_one_number() {
        for (name, _) in VIEWS {
            let schema = view(name).expect(name);
            assert!(schema.fields().len() > 1, "{name}");
            assert!(is_table(name), "{name}");
        }
        let mut numbers: Vec<i32> = NUMBERS.iter().map(|(_, number)| *number).collect();
        numbers.dedup();
        assert_eq!(numbers.len(), NUMBERS.len());
        assert!(is_view("pg_locks") && !is_view("pg_class"));
        assert_eq!(tables().filter(|name| *name == "pg_matviews").count(), 1);
    }

    #[test]
    fn types_are_announced_as_postgres_does() {
        let schema = view("pg_extension").expect("a view");
        let oid = |name: &str| {
            types::of_field(schema.field_with_name(name).expect(name)).expect(name).oid
        };
        assert_eq!((oid("oid"), oid("extconfig"), oid("extname")), (26, 1028, 19));
    }
}
