//! Schema `information_schema` as the SQL standard has it, with Postgres' names of types.
//!
//! The engine has one of its own, which names its own types; tools compare them with what they know.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::{Int32Array, RecordBatch};
use datafusion::catalog::{MemTable, SchemaProvider, TableProvider};
use datafusion::error::Result;

use super::relations::{PgCatalog, Relation};
use super::rows::Rows;
use super::{OWNER, PUBLIC, keys, privileges, standard};
use crate::server::encode::types::{self, PgType};
use crate::session::{CATALOG, FunctionPage};

/// Names of the tables.
const TABLES: &[&str] = &[
    "schemata",
    "tables",
    "columns",
    "views",
    "routines",
    "table_constraints",
    "key_column_usage",
    "referential_constraints",
    "constraint_column_usage",
    "table_privileges",
    "role_table_grants",
    "column_privileges",
    "role_column_grants",
    "enabled_roles",
    "applicable_roles",
];

/// `information_schema` of one session.
#[derive(Debug)]
pub(super) struct InformationSchema(pub(super) Arc<PgCatalog>);

impl InformationSchema {
    fn schemata(&self) -> Result<RecordBatch> {
        let names = self.0.all_schemas();
        let mut rows = Rows::new(names.len());
        rows.same("catalog_name", CATALOG);
        rows.texts("schema_name", names);
        rows.same("schema_owner", OWNER);
        for name in ["default_character_set_catalog", "default_character_set_name", "sql_path"] {
            rows.null(name);
        }
        rows.finish()
    }

    async fn tables(&self) -> Result<RecordBatch> {
        let relations = self.0.relations().await?;
        let mut rows = Rows::new(relations.len());
        rows.same("table_catalog", CATALOG);
        rows.texts("table_schema", relations.iter().map(|r| r.schema.clone()).collect());
        rows.texts("table_name", relations.iter().map(|r| r.name.clone()).collect());
        let kind = |is_view| if is_view { "VIEW" } else { "BASE TABLE" }.to_owned();
        rows.texts("table_type", relations.iter().map(|r| kind(r.kind == 'v')).collect());
        rows.same("is_insertable_into", "NO");
        rows.same("is_typed", "NO");
        for name in ["self_referencing_column_name", "reference_generation", "commit_action"] {
            rows.null(name);
        }
        rows.finish()
    }

    async fn columns(&self) -> Result<RecordBatch> {
        let relations = self.0.relations().await?;
        let columns: Vec<_> = relations
            .iter()
            .flat_map(|relation| {
                let fields = relation.columns.fields().iter().enumerate();
                fields.map(move |(at, field)| (relation, at as i32 + 1, field))
            })
            .collect();
        let kinds: Vec<PgType> = columns
            .iter()
            .map(|(.., field)| {
                let text = PgType { oid: types::TEXT, width: -1, modifier: -1 };
                types::of_field(field).unwrap_or(text)
            })
            .collect();
        let mut rows = Rows::new(columns.len());
        rows.same("table_catalog", CATALOG);
        rows.texts("table_schema", columns.iter().map(|(r, ..)| r.schema.clone()).collect());
        rows.texts("table_name", columns.iter().map(|(r, ..)| r.name.clone()).collect());
        rows.texts("column_name", columns.iter().map(|(.., f)| f.name().clone()).collect());
        let places = columns.iter().map(|(_, place, _)| *place);
        rows.push("ordinal_position", Arc::new(Int32Array::from_iter_values(places)), None);
        rows.null("column_default");
        let nullable = |is_nullable| if is_nullable { "YES" } else { "NO" }.to_owned();
        let nullables = columns.iter().map(|(.., field)| nullable(field.is_nullable()));
        rows.texts("is_nullable", nullables.collect());
        rows.texts("data_type", kinds.iter().map(|kind| names(kind.oid).0.to_owned()).collect());
        for name in ["character_maximum_length", "character_octet_length"] {
            rows.null(name);
        }
        let mut number = |name: &str, pick: &dyn Fn(PgType) -> Option<i32>| {
            let values = kinds.iter().map(|kind| pick(*kind));
            rows.push(name, Arc::new(Int32Array::from_iter(values)), None);
        };
        number("numeric_precision", &|kind| standard::precision(kind).0);
        number("numeric_precision_radix", &|kind| standard::precision(kind).1);
        number("numeric_scale", &|kind| standard::precision(kind).2);
        number("datetime_precision", &|kind| match kind.oid {
            types::DATE => Some(0),
            types::TIME | types::TIMESTAMP | types::TIMESTAMPTZ | types::INTERVAL => Some(6),
            _ => None,
        });
        for name in ["interval_type", "interval_precision", "character_set_name"] {
            rows.null(name);
        }
        for name in ["collation_catalog", "collation_schema", "collation_name", "domain_name"] {
            rows.null(name);
        }
        rows.same("udt_catalog", CATALOG);
        rows.same("udt_schema", super::PG_CATALOG);
        rows.texts("udt_name", kinds.iter().map(|kind| names(kind.oid).1.to_owned()).collect());
        let places = columns.iter().map(|(_, place, _)| place.to_string());
        rows.texts("dtd_identifier", places.collect());
        rows.same("is_self_referencing", "NO");
        rows.same("is_identity", "NO");
        for name in ["identity_generation", "identity_start", "identity_increment"] {
            rows.null(name);
        }
        rows.null("generation_expression");
        rows.same("is_generated", "NEVER");
        rows.same("is_updatable", "NO");
        rows.finish()
    }

    async fn views(&self) -> Result<RecordBatch> {
        let mut relations = self.0.relations().await?;
        relations.retain(|relation| relation.kind == 'v');
        let mut rows = Rows::new(relations.len());
        rows.same("table_catalog", CATALOG);
        rows.texts("table_schema", relations.iter().map(|r| r.schema.clone()).collect());
        rows.texts("table_name", relations.iter().map(|r| r.name.clone()).collect());
        let definition = |r: &Relation| self.0.definition(r);
        rows.texts("view_definition", relations.iter().map(definition).collect());
        rows.same("check_option", "NONE");
        rows.same("is_updatable", "NO");
        rows.same("is_insertable_into", "NO");
        rows.finish()
    }

    /// Our functions, with their pages: what `\df` shows and more.
    fn routines(&self) -> Result<RecordBatch> {
        let pages = &self.0.pages.0;
        let mut rows = Rows::new(pages.len());
        let texts = |text: &dyn Fn(&FunctionPage) -> String| pages.iter().map(text).collect();
        // Two functions may have one name, a scalar and a table function.
        let specific = |page: &FunctionPage| format!("{}_{}", page.name, page.kind);
        rows.same("specific_catalog", CATALOG);
        rows.same("specific_schema", PUBLIC);
        rows.texts("specific_name", texts(&specific));
        rows.same("routine_catalog", CATALOG);
        rows.same("routine_schema", PUBLIC);
        rows.texts("routine_name", texts(&|page| page.name.clone()));
        rows.same("routine_type", "FUNCTION");
        rows.texts("function_type", texts(&|page| page.kind.to_owned()));
        rows.same("data_type", "anyelement");
        rows.same("external_language", "INTERNAL");
        rows.same("security_type", "INVOKER");
        rows.same("is_deterministic", "YES");
        rows.texts("description", texts(&|page| page.summary.clone()));
        rows.texts("syntax_example", texts(&|page| page.syntax.clone()));
        rows.texts("arguments", texts(&FunctionPage::argument_lines));
        for (column, note) in [
            ("formula", "Formula"),
            ("null_rule", "Nulls"),
            ("error_rule", "Errors"),
            ("source", "Source"),
            ("rule", "Rules"),
            ("grain", "Grain"),
            ("unit", "Units"),
        ] {
            rows.texts(column, texts(&|page| page.note(note).to_owned()));
        }
        rows.texts("example", texts(&|page| page.example.clone()));
        rows.texts("example_result", texts(&|page| page.gives.clone().unwrap_or_default()));
        rows.finish()
    }

    async fn batch(&self, name: &str) -> Result<Option<RecordBatch>> {
        Ok(Some(match name {
            "schemata" => self.schemata()?,
            "tables" => self.tables().await?,
            "columns" => self.columns().await?,
            "views" => self.views().await?,
            "routines" => self.routines()?,
            "table_privileges" | "role_table_grants" => {
                privileges::of_tables(&self.0.relations().await?, &self.0.granted.now())?
            }
            "column_privileges" | "role_column_grants" => {
                privileges::of_columns(&self.0.relations().await?, &self.0.granted.now())?
            }
            "enabled_roles" => privileges::enabled_roles(&self.0.granted.now())?,
            "applicable_roles" => privileges::applicable_roles(&self.0.granted.now())?,
            other => return keys::information(other, &self.0.granted.now()),
        }))
    }
}

#[async_trait]
impl SchemaProvider for InformationSchema {
    fn table_names(&self) -> Vec<String> {
        TABLES.iter().copied().chain(standard::names()).map(str::to_owned).collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let name = name.to_ascii_lowercase();
        let batch = match self.batch(&name).await? {
            Some(batch) => Some(batch),
            None => standard::batch(&self.0, &name)?,
        };
        let Some(batch) = batch else { return Ok(None) };
        Ok(Some(Arc::new(MemTable::try_new(batch.schema(), vec![vec![batch]])?)))
    }

    fn table_exist(&self, name: &str) -> bool {
        self.table_names().iter().any(|known| known.eq_ignore_ascii_case(name))
    }
}

/// Names of columns, their places in a key, and their places in the key that it points to.
pub(super) fn names_and_positions(
    rows: &mut Rows,
    names: Vec<String>,
    places: Vec<i32>,
    targets: Vec<Option<i32>>,
) {
    rows.texts("column_name", names);
    rows.push("ordinal_position", Arc::new(Int32Array::from(places)), None);
    rows.push("position_in_unique_constraint", Arc::new(Int32Array::from(targets)), None);
}

/// A type as the standard calls it, and as `pg_type` does.
fn names(oid: u32) -> (&'static str, &'static str) {
    match oid {
        types::BOOL => ("boolean", "bool"),
        types::BYTEA => ("bytea", "bytea"),
        types::INT8 => ("bigint", "int8"),
        types::INT2 => ("smallint", "int2"),
        types::INT4 => ("integer", "int4"),
        types::FLOAT4 => ("real", "float4"),
        types::FLOAT8 => ("double precision", "float8"),
        types::DATE => ("date", "date"),
        types::TIME => ("time without time zone", "time"),
        types::TIMESTAMP => ("timestamp without time zone", "timestamp"),
        types::TIMESTAMPTZ => ("timestamp with time zone", "timestamptz"),
        types::INTERVAL => ("interval", "interval"),
        types::NUMERIC => ("numeric", "numeric"),
        types::RECORD => ("record", "record"),
        1009 => ("ARRAY", "_text"),
        1016 => ("ARRAY", "_int8"),
        1022 => ("ARRAY", "_float8"),
        2287 => ("ARRAY", "_record"),
        oid if types::ARRAYS.iter().any(|(_, array)| *array == oid) => ("ARRAY", "anyarray"),
        _ => ("text", "text"),
    }
}
