//! Functions with one true answer here, because what they ask for does not exist.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use datafusion::arrow::array::{Array, ArrayRef, Int32Array, StructArray};
use datafusion::arrow::datatypes::{DataType, Field, Fields, TimeUnit};
use datafusion::common::ScalarValue;

use super::functions::{Registrar, string};
use crate::server::encode::types;

/// Registers them.
pub(super) fn register(registrar: &Registrar<'_>) {
    said_of_everything(registrar);
    // What there is of expressions is kept as it is written.
    registrar.add("pg_get_expr", &[2, 3], DataType::Utf8, |given, _| {
        ScalarValue::Utf8(string(given.first()))
    });
    registrar.text("pg_tablespace_location", &[1], Some(String::new()));
    registrar.text("getdatabaseencoding", &[0], Some("UTF8".into()));
    registrar.text("pg_client_encoding", &[0], Some("UTF8".into()));
    registrar.add("pg_char_to_encoding", &[1], DataType::Int32, |given, _| {
        let name = string(given.first()).unwrap_or_default().to_uppercase();
        ScalarValue::Int32(Some(if ["UTF8", "UTF-8"].contains(&name.as_str()) { 6 } else { -1 }))
    });
    for (name, counts, value) in [
        ("pg_encoding_max_length", 1, 4),
        ("pg_relation_is_updatable", 2, 0),
        ("pg_stat_get_backend_idset", 0, 0),
    ] {
        registrar
            .add(name, &[counts], DataType::Int32, move |_, _| ScalarValue::Int32(Some(value)));
    }
    // There are no transactions that clients could tell apart.
    for name in ["txid_current", "pg_current_xact_id", "pg_current_xact_id_if_assigned"] {
        registrar.add(name, &[0], DataType::Int64, |_, _| ScalarValue::Int64(Some(1)));
    }
    let item = Arc::new(Field::new_list_field(DataType::Int32, true));
    registrar.add("pg_blocking_pids", &[1], DataType::List(item), |_, _| {
        ScalarValue::List(ScalarValue::new_list(&[], &DataType::Int32, true))
    });
    let started = started_us();
    let instant = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    for name in ["pg_postmaster_start_time", "pg_conf_load_time"] {
        registrar.add(name, &[0], instant.clone(), move |_, _| {
            ScalarValue::TimestampMicrosecond(Some(started), Some("UTC".into()))
        });
    }
    expanded(registrar);
    if !registrar.has("json_build_object") {
        registrar.variadic("json_build_object", DataType::Utf8, |given| {
            ScalarValue::Utf8(Some(object(given)))
        });
    }
}

/// Yes or no whatever is asked about, or nothing known.
fn said_of_everything(registrar: &Registrar<'_>) {
    for what in [
        "conversion",
        "opclass",
        "opfamily",
        "statistics_obj",
        "ts_config",
        "ts_dict",
        "ts_parser",
        "ts_template",
    ] {
        registrar.boolean(&format!("pg_{what}_is_visible"), &[1], true);
    }
    for (name, counts) in [
        ("pg_is_other_temp_schema", &[1][..]),
        ("pg_is_wal_replay_paused", &[0]),
        ("pg_column_is_updatable", &[3]),
        ("pg_jit_available", &[0]),
        ("pg_relation_is_publishable", &[1]),
        ("row_security_active", &[1]),
        ("pg_index_has_property", &[2]),
        ("pg_index_column_has_property", &[3]),
        ("pg_indexam_has_property", &[2]),
    ] {
        registrar.boolean(name, counts, false);
    }
    for (name, counts) in [
        ("inet_server_port", &[0][..]),
        ("inet_client_port", &[0]),
        ("pg_relation_filepath", &[1]),
        ("pg_get_partition_constraintdef", &[1]),
        ("pg_get_partkeydef", &[1]),
        ("pg_get_statisticsobjdef", &[1]),
        ("pg_get_statisticsobjdef_columns", &[1]),
        ("pg_get_statisticsobjdef_expressions", &[1]),
        ("pg_get_replica_identity_index", &[1]),
        ("pg_current_wal_lsn", &[0]),
        ("pg_last_wal_receive_lsn", &[0]),
        ("pg_last_wal_replay_lsn", &[0]),
        ("pg_last_xact_replay_timestamp", &[0]),
        ("pg_describe_object", &[3]),
        ("pg_function_sqlbody", &[1]),
    ] {
        registrar.text(name, counts, None);
    }
}

/// When this process first asked, which is when it made its first session (microseconds).
fn started_us() -> i64 {
    static STARTED: std::sync::OnceLock<i64> = std::sync::OnceLock::new();
    *STARTED.get_or_init(|| {
        let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        elapsed.as_micros() as i64
    })
}

/// A list as pairs of element and place, which Postgres calls `_pg_expandarray`.
fn expanded(registrar: &Registrar<'_>) {
    let fields = Fields::from(vec![
        Field::new("x", DataType::Int32, true),
        Field::new("n", DataType::Int32, true),
    ]);
    let pair = DataType::Struct(fields.clone());
    let list = DataType::List(Arc::new(Field::new_list_field(pair.clone(), true)));
    registrar.add("pg_expanded", &[1], list, move |given, _| {
        let elements = match given.first() {
            Some(ScalarValue::List(list)) if !list.is_empty() => list.value(0),
            _ => Arc::new(Int32Array::from(Vec::<i32>::new())),
        };
        let elements = datafusion::arrow::compute::cast(&elements, &DataType::Int32)
            .unwrap_or_else(|_| Arc::new(Int32Array::from(Vec::<i32>::new())));
        let places: ArrayRef = Arc::new(Int32Array::from_iter_values(1..=elements.len() as i32));
        let pairs =
            StructArray::from(fields.iter().cloned().zip([elements, places]).collect::<Vec<_>>());
        let values: Vec<ScalarValue> = (0..pairs.len())
            .filter_map(|at| ScalarValue::try_from_array(&pairs, at).ok())
            .collect();
        ScalarValue::List(ScalarValue::new_list(&values, &pair, true))
    });
}

/// Names and values in turn as JSON.
fn object(given: &[ScalarValue]) -> String {
    let quoted = |text: String| serde_json::Value::String(text).to_string();
    let value = |value: &ScalarValue| match (value.is_null(), types::of(&value.data_type())) {
        (true, _) => "null".to_owned(),
        (_, Ok(kind)) if kind.oid == types::TEXT => quoted(string(Some(value)).unwrap_or_default()),
        _ => string(Some(value)).unwrap_or_default(),
    };
    let pairs = given.chunks(2).map(|pair| {
        let name = quoted(string(pair.first()).unwrap_or_default());
        format!("{name} : {}", pair.get(1).map_or_else(|| "null".into(), value))
    });
    format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_json() {
        let given = ["a".into(), 1_i64.into(), "b".into(), "say \"x\"".into()];
        assert_eq!(object(&given), "{\"a\" : 1, \"b\" : \"say \\\"x\\\"\"}");
        assert_eq!(object(&["a".into(), ScalarValue::Utf8(None)]), "{\"a\" : null}");
    }
}
