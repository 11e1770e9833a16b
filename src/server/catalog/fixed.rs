//! The tables of `pg_catalog` that are the same everywhere, with the types that clients expect.
//!
//! datafusion-pg-catalog holds them as texts and whole numbers: lists are written out, and nothing
//! says which number is an object's. Both are put right once, when the server starts.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, AsArray, Int16Builder, Int32Builder, ListBuilder, RecordBatch, StringBuilder,
};
use datafusion::arrow::datatypes::{DataType, Field, Int32Type, Schema, SchemaRef};
use datafusion::error::Result;
use datafusion_pg_catalog::pg_catalog::context::EmptyContextProvider;
use datafusion_pg_catalog::pg_catalog::{
    PG_CATALOG_TABLES, PgCatalogSchemaProvider, PgCatalogStaticTables, PgCatalogTable,
};

use super::oids::FIRST;
use super::system;
use crate::server::encode::types::{self, OID_KEY};

/// Columns that are lists, with their element types.
const LISTS: &[(&str, &str)] = &[
    ("typacl", "text"),
    ("lanacl", "text"),
    ("spcacl", "text"),
    ("spcoptions", "text"),
    ("setconfig", "text"),
    ("defaclacl", "text"),
    ("fdwacl", "text"),
    ("fdwoptions", "text"),
    ("srvacl", "text"),
    ("srvoptions", "text"),
    ("ftoptions", "text"),
    ("umoptions", "text"),
    ("evttags", "text"),
    ("lomacl", "text"),
    ("initprivs", "text"),
    ("subpublications", "text"),
    ("stxkind", "char"),
    ("stxkeys", "int2"),
    ("prattrs", "int2"),
    ("partattrs", "int2"),
    ("tgattr", "int2"),
    ("proacl", "text"),
    ("proconfig", "text"),
    ("proargnames", "text"),
    ("proargmodes", "char"),
    ("proallargtypes", "oid"),
    ("protrftypes", "oid"),
];

/// Whole numbers that count something; all others are numbers of objects.
const COUNTS: &[&str] = &[
    "typtypmod",
    "typndims",
    "collencoding",
    "conforencoding",
    "contoencoding",
    "pageno",
    "objsubid",
    "refobjsubid",
    "inhseqno",
    "aggtransspace",
    "aggmtransspace",
    "stawidth",
    "maptokentype",
    "mapseqno",
];

/// A table, ready to be read.
#[derive(Debug, Clone)]
pub(super) struct Fixed {
    pub(super) schema: SchemaRef,
    pub(super) batches: Vec<RecordBatch>,
}

/// The tables by name.
#[derive(Debug)]
pub(super) struct FixedTables {
    tables: HashMap<&'static str, Fixed>,
    /// Numbers of types by name, and names by number.
    types: HashMap<String, i32>,
    type_names: HashMap<i32, String>,
    functions: HashMap<String, i32>,
    function_names: HashMap<i32, String>,
}

impl FixedTables {
    /// Reads the library's tables.
    ///
    /// # Errors
    /// If one of them is broken.
    pub(super) fn new(library: &Arc<PgCatalogStaticTables>) -> Result<Self> {
        // The library's own view of the catalog is never asked: those tables are made here.
        let nothing: Arc<dyn datafusion::catalog::CatalogProviderList> =
            Arc::new(datafusion::catalog::MemoryCatalogProviderList::new());
        let provider =
            PgCatalogSchemaProvider::try_new(nothing, library.clone(), EmptyContextProvider)?;
        let mut tables = HashMap::new();
        for name in PG_CATALOG_TABLES {
            let Some(table) = provider.build_table_by_name(name)? else { continue };
            let batches = match &table {
                // What is not said to be here is not here.
                PgCatalogTable::Static(_) if system::is_always_empty(name) => vec![],
                PgCatalogTable::Static(table) => table.data().to_vec(),
                _ => vec![],
            };
            tables.insert(*name, typed(&table.schema(), &batches)?);
        }
        let types = named(&tables, "pg_type", "typname")?;
        let functions = named(&tables, "pg_proc", "proname")?;
        let turned = |names: &[(String, i32)]| {
            names.iter().map(|(name, oid)| (*oid, name.clone())).collect::<HashMap<_, _>>()
        };
        Ok(Self {
            tables,
            type_names: turned(&types),
            function_names: turned(&functions),
            // The first of a name is the one that Postgres finds first.
            functions: functions.into_iter().rev().collect(),
            types: types.into_iter().collect(),
        })
    }

    /// A table, with lists and numbers of objects as such.
    pub(super) fn table(&self, name: &str) -> Option<&Fixed> {
        self.tables.get(name)
    }

    /// Number of a type, by any of the names that Postgres takes.
    pub(super) fn type_oid(&self, name: &str) -> Option<i32> {
        let lower = name.trim().to_lowercase();
        let lower = lower.strip_prefix("pg_catalog.").unwrap_or(&lower).trim_matches('"');
        if let Some(element) = lower.strip_suffix("[]") {
            let element = self.type_oid(element)?;
            return self.types.get(&format!("_{}", self.type_names.get(&element)?)).copied();
        }
        let bare = lower.split('(').next().unwrap_or_default().trim();
        let known = SPELLINGS.iter().find(|(_, written)| *written == bare);
        self.types.get(known.map_or(bare, |(name, _)| *name)).copied()
    }

    /// A type as Postgres shows it, its modifier in parentheses.
    pub(super) fn type_text(&self, oid: i64, modifier: i64) -> String {
        let Some(name) = i32::try_from(oid).ok().and_then(|oid| self.type_names.get(&oid)) else {
            return if oid == 0 { "-".into() } else { "???".into() };
        };
        if let Some(element) = name.strip_prefix('_').and_then(|element| self.types.get(element)) {
            return format!("{}[]", self.type_text(i64::from(*element), modifier));
        }
        let spelled = SPELLINGS.iter().find(|(known, _)| known == name);
        let spelled = spelled.map_or(name.as_str(), |(_, written)| *written);
        match (name.as_str(), modifier) {
            ("numeric", 4..) => {
                let packed = modifier - 4;
                format!("numeric({},{})", packed >> 16, packed & 0xffff)
            }
            ("bpchar" | "varchar", 4..) => format!("{spelled}({})", modifier - 4),
            ("char", _) => "\"char\"".into(),
            _ => spelled.to_owned(),
        }
    }

    /// Number of a function of Postgres.
    pub(super) fn function_oid(&self, name: &str) -> Option<i32> {
        self.functions.get(name).copied()
    }

    /// Name of a function of Postgres.
    pub(super) fn function_name(&self, oid: i64) -> Option<&str> {
        self.function_names.get(&i32::try_from(oid).ok()?).map(String::as_str)
    }
}

/// Types by the name in `pg_type` and the one that Postgres shows.
const SPELLINGS: &[(&str, &str)] = &[
    ("bool", "boolean"),
    ("int2", "smallint"),
    ("int4", "integer"),
    ("int4", "int"),
    ("int8", "bigint"),
    ("float4", "real"),
    ("float8", "double precision"),
    ("float8", "float"),
    ("numeric", "numeric"),
    ("numeric", "decimal"),
    ("bpchar", "character"),
    ("varchar", "character varying"),
    ("time", "time without time zone"),
    ("timetz", "time with time zone"),
    ("timestamp", "timestamp without time zone"),
    ("timestamptz", "timestamp with time zone"),
    ("varbit", "bit varying"),
];

/// Names and numbers of the rows of a table, in its order.
fn named(
    tables: &HashMap<&'static str, Fixed>,
    table: &str,
    column: &str,
) -> Result<Vec<(String, i32)>> {
    let mut found = vec![];
    for batch in tables.get(table).map_or(&[][..], |table| table.batches.as_slice()) {
        let (Some(oids), Some(names)) = (batch.column_by_name("oid"), batch.column_by_name(column))
        else {
            continue;
        };
        let oids = oids.as_primitive::<Int32Type>();
        let names = names.as_string::<i32>();
        found.extend((0..batch.num_rows()).map(|at| (names.value(at).to_owned(), oids.value(at))));
    }
    // What the cluster that the tables came from had made for itself.
    found.retain(|(_, oid)| *oid < FIRST);
    Ok(found)
}

fn typed(schema: &SchemaRef, batches: &[RecordBatch]) -> Result<Fixed> {
    let fields: Vec<Field> = schema.fields().iter().map(|field| retyped(field)).collect();
    let schema = Arc::new(Schema::new(fields));
    let batches = batches
        .iter()
        .map(|batch| {
            let columns = schema.fields().iter().zip(batch.columns());
            let columns = columns.map(|(field, array)| converted(field, array));
            Ok(RecordBatch::try_new(schema.clone(), columns.collect::<Result<Vec<_>>>()?)?)
        })
        .collect::<Result<Vec<_>>>()?;
    Ok(Fixed { schema, batches })
}

fn retyped(field: &Field) -> Field {
    let name = match field.name().as_str() {
        // As it was called up to Postgres 16.
        "colllocale" => "colliculocale",
        name => name,
    };
    if let Some((_, element)) = LISTS.iter().find(|(list, _)| *list == name) {
        return system::field(name, &format!("{element}[]"));
    }
    let is_number = field.data_type() == &DataType::Int32 && !COUNTS.contains(&name);
    let plain = Field::new(name, field.data_type().clone(), true);
    match (is_number, name) {
        (true, _) => plain.with_metadata([(OID_KEY.to_owned(), types::OID.to_string())].into()),
        (false, "proargtypes") => plain.with_metadata([(OID_KEY.to_owned(), "30".into())].into()),
        _ => plain,
    }
}

fn converted(field: &Field, array: &ArrayRef) -> Result<ArrayRef> {
    let DataType::List(element) = field.data_type() else { return Ok(array.clone()) };
    let texts = datafusion::arrow::compute::cast(array, &DataType::Utf8)?;
    let texts = texts.as_string::<i32>();
    let lists = texts.iter().map(|text| text.map(elements));
    Ok(match element.data_type() {
        DataType::Int32 => {
            let mut builder = ListBuilder::new(Int32Builder::new()).with_field(element.clone());
            for list in lists {
                let numbers = list.map(|list| {
                    list.into_iter().map(|text| text.parse().ok()).collect::<Vec<Option<i32>>>()
                });
                builder.append_option(numbers);
            }
            Arc::new(builder.finish())
        }
        DataType::Int16 => {
            let mut builder = ListBuilder::new(Int16Builder::new()).with_field(element.clone());
            for list in lists {
                let numbers = list.map(|list| {
                    list.into_iter().map(|text| text.parse().ok()).collect::<Vec<Option<i16>>>()
                });
                builder.append_option(numbers);
            }
            Arc::new(builder.finish())
        }
        _ => {
            let mut builder = ListBuilder::new(StringBuilder::new()).with_field(element.clone());
            for list in lists {
                builder.append_option(list.map(|list| list.into_iter().map(Some)));
            }
            Arc::new(builder.finish())
        }
    })
}

/// Elements of a list that is written out, as `{a,b}` or `['a', 'b']`.
fn elements(text: &str) -> Vec<String> {
    let inside = text.trim().trim_matches(['{', '}', '[', ']']);
    let parts = inside.split(',').map(|part| part.trim().trim_matches(['\'', '"']));
    parts.filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tables() -> FixedTables {
        let library = Arc::new(PgCatalogStaticTables::try_new().expect("the library's tables"));
        FixedTables::new(&library).expect("sound")
    }

    #[test]
    fn types_have_all_their_names() {
        let tables = tables();
        for (name, oid) in [
            ("int4", 23),
            ("integer", 23),
            ("pg_catalog.int8", 20),
            ("TEXT[]", 1009),
            ("timestamp with time zone", 1184),
            ("numeric(18,2)", 1700),
        ] {
            assert_eq!(tables.type_oid(name), Some(oid), "{name}");
        }
        assert_eq!(tables.type_oid("hstore"), None);
        assert_eq!(tables.type_text(1700, ((18 << 16) | 2) + 4), "numeric(18,2)");
        assert_eq!(
            (tables.type_text(1700, -1), tables.type_text(23, -1)),
            ("numeric".into(), "integer".into())
        );
        assert_eq!(tables.type_text(1009, -1), "text[]");
        assert_eq!(tables.type_text(18, -1), "\"char\"");
        assert_eq!(
            (tables.type_text(0, -1), tables.type_text(99_999, -1)),
            ("-".into(), "???".into())
        );
        assert_eq!(
            tables.function_name(tables.function_oid("int4in").expect("a number").into()),
            Some("int4in")
        );
    }

    #[test]
    fn lists_are_lists() {
        assert_eq!(elements("{postgres=X/postgres}"), ["postgres=X/postgres"]);
        assert_eq!(elements("['v', 'i']"), ["v", "i"]);
        assert!(elements("[]").is_empty());
        let tables = tables();
        let procedures = tables.table("pg_proc").expect("a table");
        let modes = procedures.schema.field_with_name("proargmodes").expect("a column");
        assert_eq!(types::of_field(modes).expect("a type").oid, 1002);
    }
}
