//! Who may do what, as Postgres tells it: `has_*_privilege`, access lists, the standard's views.
//!
//! What a session does not see does not exist, so that asking about it answers NULL, as for a number
//! that was never given.

use std::sync::{Arc, Weak};

use datafusion::arrow::array::{ArrayRef, ListBuilder, StringBuilder};
use datafusion::arrow::datatypes::DataType;
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::catalog::CatalogProvider;
use datafusion::common::{Result, ScalarValue};
use datafusion::prelude::SessionContext;

use super::functions::{Registrar, number, string};
use super::oids::{Object, Oids};
use super::relations::Relation;
use super::rows::Rows;
use super::{Catalog, INFORMATION_SCHEMA, OWNER, PG_CATALOG, PUBLIC};
use crate::session::{Access, CATALOG, Granted, Session};

/// What the owner of a relation may do with it, in the order of an access list.
const OWNED: [&str; 7] =
    ["INSERT", "SELECT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"];

/// What the questions are answered from.
#[derive(Clone)]
struct Register {
    granted: Arc<Granted>,
    oids: Arc<Oids>,
    /// Weak, because the database's context holds the functions.
    database: Weak<dyn CatalogProvider>,
}

/// Adds the functions that ask about privileges to `context`.
pub(super) fn register(context: &SessionContext, shared: &Catalog, session: &Session) {
    let Some(database) = context.catalog(CATALOG) else { return };
    let register = Register {
        granted: session.granted().clone(),
        oids: shared.oids.clone(),
        database: Arc::downgrade(&database),
    };
    let registrar = Registrar(context);
    let asked = register.clone();
    registrar.add("has_table_privilege", &[2, 3], DataType::Boolean, move |given, options| {
        let schema = &options.catalog.default_schema;
        asked.answer(given, 1, |access, object, wanted| {
            asked.relation(object, schema).map(|(schema, _)| may(access, &schema, wanted))
        })
    });
    let asked = register.clone();
    registrar.add("has_any_column_privilege", &[2, 3], DataType::Boolean, move |given, options| {
        let schema = &options.catalog.default_schema;
        asked.answer(given, 1, |access, object, wanted| {
            asked.relation(object, schema).map(|(schema, _)| may(access, &schema, wanted))
        })
    });
    let asked = register.clone();
    registrar.add("has_column_privilege", &[3, 4], DataType::Boolean, move |given, options| {
        let schema = &options.catalog.default_schema;
        let column = given.get(given.len() - 2).cloned();
        asked.answer(given, 2, |access, object, wanted| {
            let (schema, relation) = asked.relation(object, schema)?;
            // A column by its number is one of those that are listed, and they are seen.
            let is_seen = match column.as_ref().filter(|c| c.data_type().is_string()) {
                Some(name) => access.sees_column(&schema, &relation, &string(Some(name))?),
                None => true,
            };
            is_seen.then(|| may(access, &schema, wanted))
        })
    });
    let asked = register.clone();
    registrar.add("has_schema_privilege", &[2, 3], DataType::Boolean, move |given, _| {
        asked.answer(given, 1, |access, object, wanted| {
            let schema = asked.schema(object)?;
            Some(wanted == "USAGE" || (wanted == "CREATE" && access.owns(&schema)))
        })
    });
    for (name, has) in [
        ("has_database_privilege", &["CONNECT"][..]),
        ("has_function_privilege", &["EXECUTE"]),
        ("has_language_privilege", &["USAGE"]),
        ("has_type_privilege", &["USAGE"]),
        ("has_sequence_privilege", &[]),
        ("has_tablespace_privilege", &[]),
    ] {
        let asked = register.clone();
        registrar.add(name, &[2, 3], DataType::Boolean, move |given, _| {
            asked.answer(given, 1, |_, _, wanted| Some(has.contains(&wanted)))
        });
    }
    registrar.add("pg_has_role", &[2, 3], DataType::Boolean, move |given, _| {
        register.answer(given, 1, |access, object, _| Some(access.acts_as(&register.role(object)?)))
    });
}

/// Whether `access` may do `wanted` with the relations of `schema` that it sees.
fn may(access: &Access, schema: &str, wanted: &str) -> bool {
    wanted == "SELECT" || (OWNED.contains(&wanted) && access.owns(schema))
}

impl Register {
    /// Answers `has_..([role,] object, [column,] privileges)`, the object being `back` places before the last.
    fn answer(
        &self,
        given: &[ScalarValue],
        back: usize,
        has: impl Fn(&Access, &ScalarValue, &str) -> Option<bool>,
    ) -> ScalarValue {
        let access = self.granted.now();
        let is_own = given.len() < back + 2
            || given.first().and_then(|role| self.role(role)).is_some_and(|r| r == access.role());
        let answer = || {
            let object = given.get(given.len().checked_sub(1 + back)?)?;
            let privileges = string(given.last())?.to_uppercase();
            let mut any = false;
            for wanted in privileges.split(',') {
                // None can be passed on: every role that has a right has it from the owner.
                let wanted = wanted.trim();
                any |= match wanted.strip_suffix(" WITH GRANT OPTION") {
                    Some(_) => false,
                    None => has(&access, object, wanted)?,
                };
            }
            Some(any)
        };
        // Nobody is told what other roles may do.
        ScalarValue::Boolean(if is_own { answer() } else { None })
    }

    fn object(&self, value: &ScalarValue) -> Option<Object> {
        self.oids.object(number(Some(value))?)
    }

    fn role(&self, value: &ScalarValue) -> Option<String> {
        if value.data_type().is_string() {
            return string(Some(value));
        }
        match self.object(value) {
            Some(Object::Role(name)) => Some(name),
            _ => (number(Some(value)) == Some(10)).then(|| OWNER.to_owned()),
        }
    }

    fn schema(&self, value: &ScalarValue) -> Option<String> {
        let name = match self.object(value).filter(|_| !value.data_type().is_string()) {
            Some(Object::Schema(name)) => name,
            Some(_) => return None,
            None if value.data_type().is_string() => folded(&string(Some(value))?),
            None if number(Some(value)) == Some(11) => PG_CATALOG.to_owned(),
            None => return None,
        };
        let is_always = [PG_CATALOG, INFORMATION_SCHEMA, PUBLIC].contains(&name.as_str());
        let exists = is_always || self.database.upgrade()?.schema(&name).is_some();
        exists.then_some(name)
    }

    /// Schema and name of a relation that the session sees.
    fn relation(&self, value: &ScalarValue, default: &str) -> Option<(String, String)> {
        let (schema, name) = match value.data_type().is_string() {
            true => {
                let text = folded(&string(Some(value))?);
                match text.split_once('.') {
                    Some((schema, name)) => (schema.to_owned(), name.to_owned()),
                    None => (default.to_owned(), text),
                }
            }
            false => match self.object(value) {
                Some(Object::Relation(schema, name)) => (schema, name),
                // One of the catalog's own tables.
                None => return Some((PG_CATALOG.to_owned(), String::new())),
                Some(_) => return None,
            },
        };
        let exists = self.database.upgrade()?.schema(&schema)?.table_exist(&name);
        exists.then_some((schema, name))
    }
}

/// A name as it is written in SQL, folded; quotes are taken away.
fn folded(text: &str) -> String {
    let parts = text.split('.').map(|part| match part.strip_prefix('"') {
        Some(quoted) => quoted.trim_end_matches('"').to_owned(),
        None => part.to_lowercase(),
    });
    parts.collect::<Vec<_>>().join(".")
}

/// The access list of a relation of `schema`; `None` for an index, which has none.
pub(super) fn acl(access: &Access, schema: &str, kind: char) -> Option<Vec<String>> {
    if kind == 'i' {
        return None;
    }
    let mine = if access.owns(schema) { "arwdDxt" } else { "r" };
    Some(vec![
        format!("{OWNER}=arwdDxt/{OWNER}"),
        format!("{}={mine}/{OWNER}", quoted(access.role())),
    ])
}

/// A role's name in an access list.
fn quoted(name: &str) -> String {
    match name.chars().all(|c| c.is_alphanumeric() || c == '_') {
        true => name.to_owned(),
        false => format!("\"{name}\""),
    }
}

/// Access lists as a column.
pub(super) fn acls(lists: impl Iterator<Item = Option<Vec<String>>>) -> ArrayRef {
    let mut builder = ListBuilder::new(StringBuilder::new());
    for list in lists {
        match list {
            Some(list) => builder.append_value(list.into_iter().map(Some)),
            None => builder.append_null(),
        }
    }
    Arc::new(builder.finish())
}

/// `table_privileges`: a row for each privilege on each relation.
pub(super) fn of_tables(relations: &[Relation], access: &Access) -> Result<RecordBatch> {
    let granted: Vec<(&Relation, &str)> =
        relations.iter().flat_map(|r| on(access, r).map(move |privilege| (r, privilege))).collect();
    let mut rows = Rows::new(granted.len());
    parties(&mut rows, access);
    rows.texts("table_schema", granted.iter().map(|(r, _)| r.schema.clone()).collect());
    rows.texts("table_name", granted.iter().map(|(r, _)| r.name.clone()).collect());
    rows.texts("privilege_type", granted.iter().map(|(_, p)| (*p).to_owned()).collect());
    rows.same("is_grantable", "NO");
    let reads = |p: &str| if p == "SELECT" { "YES" } else { "NO" }.to_owned();
    rows.texts("with_hierarchy", granted.iter().map(|(_, p)| reads(p)).collect());
    rows.finish()
}

/// `column_privileges`: the same for each column.
pub(super) fn of_columns(relations: &[Relation], access: &Access) -> Result<RecordBatch> {
    let granted: Vec<(&Relation, &str, &str)> = relations
        .iter()
        .flat_map(|r| {
            let columns = r.columns.fields().iter().map(|field| field.name().as_str());
            columns.flat_map(move |column| on_columns(access, r).map(move |p| (r, column, p)))
        })
        .collect();
    let mut rows = Rows::new(granted.len());
    parties(&mut rows, access);
    rows.texts("table_schema", granted.iter().map(|(r, ..)| r.schema.clone()).collect());
    rows.texts("table_name", granted.iter().map(|(r, ..)| r.name.clone()).collect());
    rows.texts("column_name", granted.iter().map(|(_, c, _)| (*c).to_owned()).collect());
    rows.texts("privilege_type", granted.iter().map(|(.., p)| (*p).to_owned()).collect());
    rows.same("is_grantable", "NO");
    rows.finish()
}

fn parties(rows: &mut Rows, access: &Access) {
    rows.same("grantor", OWNER);
    rows.same("grantee", access.role());
    rows.same("table_catalog", CATALOG);
}

fn on(access: &Access, relation: &Relation) -> impl Iterator<Item = &'static str> {
    let schema = relation.schema.clone();
    let mine: Vec<&str> = OWNED.into_iter().filter(|p| may(access, &schema, p)).collect();
    mine.into_iter()
}

/// Those of [`on`] that a column can have.
fn on_columns(access: &Access, relation: &Relation) -> impl Iterator<Item = &'static str> {
    on(access, relation).filter(|p| ["SELECT", "INSERT", "UPDATE", "REFERENCES"].contains(p))
}

/// `enabled_roles`: the role itself, and those that it is a member of.
pub(super) fn enabled_roles(access: &Access) -> Result<RecordBatch> {
    let names: Vec<String> =
        std::iter::once(access.role()).chain(access.memberships()).map(str::to_owned).collect();
    let mut rows = Rows::new(names.len());
    rows.texts("role_name", names);
    rows.finish()
}

/// `applicable_roles`: who is a member of what.
pub(super) fn applicable_roles(access: &Access) -> Result<RecordBatch> {
    let names: Vec<String> = access.memberships().map(str::to_owned).collect();
    let mut rows = Rows::new(names.len());
    rows.same("grantee", access.role());
    rows.texts("role_name", names);
    rows.same("is_grantable", "NO");
    rows.finish()
}
