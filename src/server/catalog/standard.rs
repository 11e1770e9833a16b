//! The tables of `information_schema` that say little or nothing here, with all their columns.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, RecordBatch, StringArray, new_null_array};
use datafusion::arrow::datatypes::Schema;
use datafusion::error::Result;

use super::relations::PgCatalog;
use super::{OWNER, PG_CATALOG, PUBLIC, system};
use crate::server::encode::types;
use crate::session::CATALOG;

/// Columns of the tables.
const TABLES: &[(&str, &str)] = &[
    (
        "character_sets",
        "character_set_catalog text, character_set_schema text, character_set_name text, \
         character_repertoire text, form_of_use text, default_collate_catalog text, \
         default_collate_schema text, default_collate_name text",
    ),
    (
        "check_constraints",
        "constraint_catalog text, constraint_schema text, constraint_name text, \
         check_clause text",
    ),
    (
        "collations",
        "collation_catalog text, collation_schema text, collation_name text, pad_attribute text",
    ),
    (
        "column_domain_usage",
        "domain_catalog text, domain_schema text, domain_name text, table_catalog text, \
         table_schema text, table_name text, column_name text",
    ),
    (
        "column_udt_usage",
        "udt_catalog text, udt_schema text, udt_name text, table_catalog text, \
         table_schema text, table_name text, column_name text",
    ),
    (
        "constraint_table_usage",
        "table_catalog text, table_schema text, table_name text, constraint_catalog text, \
         constraint_schema text, constraint_name text",
    ),
    (
        "domain_constraints",
        "constraint_catalog text, constraint_schema text, constraint_name text, \
         domain_catalog text, domain_schema text, domain_name text, is_deferrable text, \
         initially_deferred text",
    ),
    (
        "domains",
        "domain_catalog text, domain_schema text, domain_name text, data_type text, \
         character_maximum_length int4, numeric_precision int4, numeric_scale int4, \
         domain_default text, udt_catalog text, udt_schema text, udt_name text",
    ),
    (
        "element_types",
        "object_catalog text, object_schema text, object_name text, object_type text, \
         collection_type_identifier text, data_type text, udt_catalog text, udt_schema text, \
         udt_name text, dtd_identifier text",
    ),
    (
        "foreign_servers",
        "foreign_server_catalog text, foreign_server_name text, \
         foreign_data_wrapper_catalog text, foreign_data_wrapper_name text, \
         foreign_server_type text, foreign_server_version text, authorization_identifier text",
    ),
    (
        "foreign_tables",
        "foreign_table_catalog text, foreign_table_schema text, foreign_table_name text, \
         foreign_server_catalog text, foreign_server_name text",
    ),
    ("information_schema_catalog_name", "catalog_name text"),
    (
        "parameters",
        "specific_catalog text, specific_schema text, specific_name text, \
         ordinal_position int4, parameter_mode text, is_result text, as_locator text, \
         parameter_name text, data_type text, udt_catalog text, udt_schema text, udt_name text, \
         parameter_default text",
    ),
    ("role_routine_grants", ROUTINE_GRANTS),
    ("role_usage_grants", USAGE_GRANTS),
    ("routine_privileges", ROUTINE_GRANTS),
    (
        "sequences",
        "sequence_catalog text, sequence_schema text, sequence_name text, data_type text, \
         numeric_precision int4, numeric_precision_radix int4, numeric_scale int4, \
         start_value text, minimum_value text, maximum_value text, increment text, \
         cycle_option text",
    ),
    (
        "sql_features",
        "feature_id text, feature_name text, sub_feature_id text, sub_feature_name text, \
         is_supported text, is_verified_by text, comments text",
    ),
    (
        "triggered_update_columns",
        "trigger_catalog text, trigger_schema text, trigger_name text, \
         event_object_catalog text, event_object_schema text, event_object_table text, \
         event_object_column text",
    ),
    (
        "triggers",
        "trigger_catalog text, trigger_schema text, trigger_name text, event_manipulation text, \
         event_object_catalog text, event_object_schema text, event_object_table text, \
         action_order int4, action_condition text, action_statement text, \
         action_orientation text, action_timing text, created timestamptz",
    ),
    ("usage_privileges", USAGE_GRANTS),
    (
        "user_defined_types",
        "user_defined_type_catalog text, user_defined_type_schema text, \
         user_defined_type_name text, user_defined_type_category text, is_instantiable text, \
         is_final text, data_type text",
    ),
    (
        "view_column_usage",
        "view_catalog text, view_schema text, view_name text, table_catalog text, \
         table_schema text, table_name text, column_name text",
    ),
    (
        "view_table_usage",
        "view_catalog text, view_schema text, view_name text, table_catalog text, \
         table_schema text, table_name text",
    ),
];

const ROUTINE_GRANTS: &str = "grantor text, grantee text, specific_catalog text, specific_schema text, \
     specific_name text, routine_catalog text, routine_schema text, routine_name text, \
     privilege_type text, is_grantable text";
const USAGE_GRANTS: &str = "grantor text, grantee text, object_catalog text, object_schema text, object_name text, \
     object_type text, privilege_type text, is_grantable text";

/// Names of the tables.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    TABLES.iter().map(|(name, _)| *name)
}

/// A table; `None` for another name.
///
/// # Errors
/// If its columns do not fit together, which would be our mistake.
pub(super) fn batch(catalog: &PgCatalog, name: &str) -> Result<Option<RecordBatch>> {
    let Some((_, columns)) = TABLES.iter().find(|(known, _)| *known == name) else {
        return Ok(None);
    };
    let schema = system::columns_of(columns);
    let texts = |values: Vec<String>| -> ArrayRef { Arc::new(StringArray::from(values)) };
    let one = |text: &str| texts(vec![text.to_owned()]);
    let rows: Vec<(&str, ArrayRef)> = match name {
        "information_schema_catalog_name" => vec![("catalog_name", one(CATALOG))],
        "character_sets" => vec![
            ("character_set_name", one("UTF8")),
            ("character_repertoire", one("UCS")),
            ("form_of_use", one("UTF8")),
            ("default_collate_catalog", one(CATALOG)),
            ("default_collate_schema", one(PG_CATALOG)),
            ("default_collate_name", one("C")),
        ],
        "collations" => vec![
            ("collation_catalog", one(CATALOG)),
            ("collation_schema", one(PG_CATALOG)),
            ("collation_name", one("C")),
            ("pad_attribute", one("NO PAD")),
        ],
        "parameters" => parameters(catalog),
        "routine_privileges" | "role_routine_grants" => {
            let names: Vec<String> =
                catalog.pages.0.iter().map(|page| format!("{}_{}", page.name, page.kind)).collect();
            let same = |text: &str| texts(vec![text.to_owned(); names.len()]);
            vec![
                ("grantor", same(OWNER)),
                ("grantee", same(if name == "routine_privileges" { "PUBLIC" } else { OWNER })),
                ("specific_schema", same(PUBLIC)),
                ("routine_schema", same(PUBLIC)),
                ("routine_name", texts(catalog.pages.0.iter().map(|p| p.name.clone()).collect())),
                ("privilege_type", same("EXECUTE")),
                ("is_grantable", same("NO")),
                ("specific_name", texts(names.clone())),
            ]
        }
        _ => vec![],
    };
    filled(&schema, &rows).map(Some)
}

/// Arguments of our functions, in order.
fn parameters(catalog: &PgCatalog) -> Vec<(&'static str, ArrayRef)> {
    let all: Vec<(String, i32, &str)> = catalog
        .pages
        .0
        .iter()
        .flat_map(|page| {
            let specific = format!("{}_{}", page.name, page.kind);
            let names = page.arguments.iter().enumerate();
            names.map(move |(at, (name, _))| (specific.clone(), at as i32 + 1, name.as_str()))
        })
        .collect();
    let texts = |text: &dyn Fn(&(String, i32, &str)) -> String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(all.iter().map(text)))
    };
    let places = all.iter().map(|(_, place, _)| *place);
    vec![
        ("specific_catalog", texts(&|_| CATALOG.into())),
        ("specific_schema", texts(&|_| PUBLIC.into())),
        ("specific_name", texts(&|(specific, ..)| specific.clone())),
        (
            "ordinal_position",
            Arc::new(datafusion::arrow::array::Int32Array::from_iter_values(places)),
        ),
        ("parameter_mode", texts(&|_| "IN".into())),
        ("is_result", texts(&|_| "NO".into())),
        ("parameter_name", texts(&|(.., name)| (*name).into())),
        ("data_type", texts(&|_| "anyelement".into())),
        ("udt_schema", texts(&|_| PG_CATALOG.into())),
        ("udt_name", texts(&|_| "anyelement".into())),
    ]
}

/// A table with the columns that are given, and NULL in the others.
pub(super) fn filled(schema: &Schema, columns: &[(&str, ArrayRef)]) -> Result<RecordBatch> {
    let count = columns.first().map_or(0, |(_, array)| array.len());
    let arrays = schema.fields().iter().map(|field| {
        match columns.iter().find(|(name, _)| name == field.name()) {
            Some((_, array)) => Ok(datafusion::arrow::compute::cast(array, field.data_type())?),
            None => Ok(new_null_array(field.data_type(), count)),
        }
    });
    let arrays = arrays.collect::<Result<Vec<_>>>()?;
    Ok(RecordBatch::try_new(Arc::new(schema.clone()), arrays)?)
}

/// Bits or digits that a number type holds, the base they are counted in, and its scale.
pub(super) fn precision(kind: types::PgType) -> (Option<i32>, Option<i32>, Option<i32>) {
    match kind.oid {
        types::INT2 => (Some(16), Some(2), Some(0)),
        types::INT4 => (Some(32), Some(2), Some(0)),
        types::INT8 => (Some(64), Some(2), Some(0)),
        types::FLOAT4 => (Some(24), Some(2), None),
        types::FLOAT8 => (Some(53), Some(2), None),
        types::NUMERIC => match kind.modifier.checked_sub(4).filter(|packed| *packed >= 0) {
            Some(packed) => (Some(packed >> 16), Some(10), Some(packed & 0xffff)),
            None => (None, Some(10), None),
        },
        _ => (None, None, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_tell_their_precision() {
        let money =
            types::PgType { oid: types::NUMERIC, width: -1, modifier: ((18 << 16) | 2) + 4 };
        assert_eq!(precision(money), (Some(18), Some(10), Some(2)));
        assert_eq!(precision(types::PgType { modifier: -1, ..money }), (None, Some(10), None));
        assert_eq!(
            precision(types::PgType { oid: types::INT8, ..money }),
            (Some(64), Some(2), Some(0))
        );
        assert_eq!(precision(types::PgType { oid: types::TEXT, ..money }), (None, None, None));
    }

    #[test]
    fn what_has_no_rows_has_columns() {
        for (name, columns) in TABLES {
            assert!(!system::columns_of(columns).fields().is_empty(), "{name}");
        }
    }
}
