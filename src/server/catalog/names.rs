//! Names for numbers and numbers for names: the functions behind `regclass` and its family.

use std::sync::{Arc, Weak};

use datafusion::arrow::datatypes::DataType;
use datafusion::catalog::CatalogProvider;
use datafusion::common::ScalarValue;
use datafusion::common::config::ConfigOptions;
use datafusion::error::DataFusionError;

use super::fixed::FixedTables;
use super::functions::{Registrar, number, string};
use super::oids::{Object, Oids};
use super::{Catalog, INFORMATION_SCHEMA, OWNER, PG_CATALOG, PUBLIC, Pages, keys, system};
use crate::error::Error;
use crate::schema::CRM;
use crate::session::{Access, Granted};

/// Number of the role that owns everything.
const OWNER_OID: i32 = 10;

/// What names are looked up in.
pub(super) struct Names {
    granted: Arc<Granted>,
    fixed: Arc<FixedTables>,
    pub(super) oids: Arc<Oids>,
    pages: Arc<Pages>,
    /// Weak, because the context that holds the functions holds it too.
    pub(super) database: Weak<dyn CatalogProvider>,
}

type Find = fn(&Names, &str, &ConfigOptions) -> Option<i32>;
type Show = fn(&Names, i64, &ConfigOptions) -> Option<String>;

/// The family: its type, how names are found and numbers shown, and the error for an unknown name.
const KINDS: &[(&str, Find, Show, &str, &str)] = &[
    ("regclass", Names::relation, Names::relation_text, "42P01", "relation"),
    ("regtype", Names::of_type, Names::type_text, "42704", "type"),
    ("regproc", Names::function, Names::function_text, "42883", "function"),
    ("regprocedure", Names::function, Names::function_text, "42883", "function"),
    ("regnamespace", Names::schema, Names::schema_text, "3F000", "schema"),
    ("regrole", Names::role, Names::role_text, "42704", "role"),
];

/// Registers the way in, the way out and `to_...` of each type, and `format_type`.
pub(super) fn register(
    registrar: &Registrar<'_>,
    shared: &Catalog,
    database: &Arc<dyn CatalogProvider>,
    granted: &Arc<Granted>,
) -> Arc<Names> {
    let names = Arc::new(Names {
        granted: granted.clone(),
        fixed: shared.fixed.clone(),
        oids: shared.oids.clone(),
        pages: shared.pages.clone(),
        database: Arc::downgrade(database),
    });
    for (kind, find, show, sqlstate, what) in KINDS {
        let known = names.clone();
        registrar.fallible(&format!("{kind}in"), DataType::Int32, move |given, options| {
            let Some(text) = text_or_number(given.first(), &known, options, *find) else {
                return Ok(ScalarValue::Int32(None));
            };
            text.map_or_else(
                |name| Err(unknown(sqlstate, what, &name)),
                |oid| Ok(ScalarValue::Int32(Some(oid))),
            )
        });
        let known = names.clone();
        let to = format!("to_{kind}");
        registrar.add(&to, &[1], DataType::Int32, move |given, options| {
            let found = text_or_number(given.first(), &known, options, *find);
            ScalarValue::Int32(found.and_then(std::result::Result::ok))
        });
        let known = names.clone();
        registrar.add(&format!("{kind}out"), &[1], DataType::Utf8, move |given, options| {
            ScalarValue::Utf8(match number(given.first()) {
                Some(0) => Some("-".into()),
                Some(oid) => show(&known, oid, options).or_else(|| Some(oid.to_string())),
                // Some columns are kept as names.
                None => string(given.first()),
            })
        });
    }
    let fixed = shared.fixed.clone();
    registrar.add("format_type", &[2], DataType::Utf8, move |given, _| {
        let modifier = number(given.get(1)).unwrap_or(-1);
        ScalarValue::Utf8(number(given.first()).map(|oid| fixed.type_text(oid, modifier)))
    });
    names
}

/// A number as it is, a name looked up (or given back if it is unknown); `None` is NULL.
fn text_or_number(
    given: Option<&ScalarValue>,
    names: &Names,
    options: &ConfigOptions,
    find: Find,
) -> Option<std::result::Result<i32, String>> {
    let text = string(given)?;
    if let Ok(oid) = text.trim().parse() {
        return Some(Ok(oid));
    }
    if text.trim() == "-" {
        return Some(Ok(0));
    }
    Some(find(names, text.trim(), options).ok_or(text))
}

fn unknown(sqlstate: &'static str, what: &str, name: &str) -> DataFusionError {
    let message = format!("{what} \"{name}\" does not exist");
    DataFusionError::External(Box::new(Error::statement(sqlstate, message)))
}

impl Names {
    /// The relation that an argument means, by number or by name.
    pub(super) fn relation_number(
        &self,
        given: Option<&ScalarValue>,
        options: &ConfigOptions,
    ) -> Option<i64> {
        let found = text_or_number(given, self, options, Self::relation)?;
        found.ok().map(i64::from)
    }

    fn relation(&self, text: &str, options: &ConfigOptions) -> Option<i32> {
        let parts = parts(text)?;
        let (database, access) = (self.database.upgrade()?, self.granted.now());
        let (schemas, name) = match parts.as_slice() {
            [name] => {
                let first = [PG_CATALOG, options.catalog.default_schema.as_str()];
                let all = first.into_iter().chain(access.owned());
                (all.map(str::to_owned).collect::<Vec<_>>(), name)
            }
            [.., schema, name] => (vec![schema.clone()], name),
            [] => return None,
        };
        schemas.into_iter().find_map(|schema| {
            if schema == PG_CATALOG && system::is_table(name) {
                let own = system::oid(name);
                return Some(if own == 0 { self.relation_oid(&schema, name) } else { own });
            }
            sees(database.as_ref(), &access, &schema, name)
                .then(|| self.relation_oid(&schema, name))
        })
    }

    fn relation_oid(&self, schema: &str, name: &str) -> i32 {
        self.oids.of(Object::Relation(schema.to_owned(), name.to_owned()))
    }

    fn relation_text(&self, oid: i64, options: &ConfigOptions) -> Option<String> {
        if let Some(name) = system::name(oid) {
            return Some(name.to_owned());
        }
        let Object::Relation(schema, name) = self.oids.object(oid)? else { return None };
        // What the session may not see has no name for it.
        if schema != PG_CATALOG
            && !sees(self.database.upgrade()?.as_ref(), &self.granted.now(), &schema, &name)
        {
            return None;
        }
        let is_visible = schema == options.catalog.default_schema
            || schema == PG_CATALOG
            || self.granted.now().owns(&schema);
        Some(match is_visible {
            true => quoted(&name),
            false => format!("{}.{}", quoted(&schema), quoted(&name)),
        })
    }

    fn of_type(&self, text: &str, _: &ConfigOptions) -> Option<i32> {
        self.fixed.type_oid(text)
    }

    fn type_text(&self, oid: i64, _: &ConfigOptions) -> Option<String> {
        Some(self.fixed.type_text(oid, -1)).filter(|text| text != "???")
    }

    fn function(&self, text: &str, _: &ConfigOptions) -> Option<i32> {
        let bare = text.split('(').next().unwrap_or_default();
        let name = parts(bare)?.pop()?;
        let place = self.pages.0.iter().position(|page| page.name == name);
        place
            .map(|place| self.oids.of(Object::Function(place)))
            .or_else(|| self.fixed.function_oid(&name))
    }

    fn function_text(&self, oid: i64, _: &ConfigOptions) -> Option<String> {
        match self.oids.object(oid) {
            Some(Object::Function(place)) => self.pages.0.get(place).map(|page| page.name.clone()),
            _ => self.fixed.function_name(oid).map(str::to_owned),
        }
    }

    fn schema(&self, text: &str, _: &ConfigOptions) -> Option<i32> {
        let name = parts(text)?.pop()?;
        let is_there = [PG_CATALOG, INFORMATION_SCHEMA, PUBLIC].contains(&name.as_str())
            || self.database.upgrade()?.schema(&name).is_some();
        is_there.then(|| self.oids.of(Object::Schema(name)))
    }

    fn schema_text(&self, oid: i64, _: &ConfigOptions) -> Option<String> {
        if i64::from(self.oids.of(Object::Schema(PG_CATALOG.into()))) == oid {
            return Some(PG_CATALOG.into());
        }
        match self.oids.object(oid)? {
            Object::Schema(name) => Some(quoted(&name)),
            _ => None,
        }
    }

    fn role(&self, text: &str, _: &ConfigOptions) -> Option<i32> {
        let name = parts(text)?.pop()?;
        if name == OWNER {
            return Some(OWNER_OID);
        }
        self.oids.known(&Object::Role(name))
    }

    fn role_text(&self, oid: i64, _: &ConfigOptions) -> Option<String> {
        if oid == i64::from(OWNER_OID) {
            return Some(OWNER.into());
        }
        match self.oids.object(oid)? {
            Object::Role(name) => Some(quoted(&name)),
            _ => None,
        }
    }
}

/// Whether a session's database has a table, a view or the index of a key of this name.
fn sees(database: &dyn CatalogProvider, access: &Access, schema: &str, name: &str) -> bool {
    let Some(tables) = database.schema(schema) else { return false };
    let is_indexed = || keys::primary(access).into_iter().any(|key| key.name == name);
    tables.table_exist(name) || (schema == CRM && is_indexed())
}

/// Parts of a name: lower case, unless in double quotes.
fn parts(text: &str) -> Option<Vec<String>> {
    let mut found = vec![String::new()];
    let (mut is_quoted, mut signs) = (false, text.chars().peekable());
    while let Some(sign) = signs.next() {
        let last = found.last_mut()?;
        match sign {
            '"' if is_quoted && signs.peek() == Some(&'"') => {
                signs.next();
                last.push('"');
            }
            '"' => is_quoted = !is_quoted,
            '.' if !is_quoted => found.push(String::new()),
            sign if is_quoted => last.push(sign),
            sign => last.extend(sign.to_lowercase()),
        }
    }
    (!is_quoted && found.iter().all(|part| !part.is_empty())).then_some(found)
}

/// A name as SQL takes it.
pub(super) fn quoted(name: &str) -> String {
    let is_plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if is_plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_sql_reads_them() {
        assert_eq!(parts("crm.Deals").expect("two"), ["crm", "deals"]);
        assert_eq!(parts("\"A.b\".\"say \"\"x\"\"\"").expect("two"), ["A.b", "say \"x\""]);
        assert_eq!(parts("crm."), None);
        assert_eq!(parts("\"open"), None);
        assert_eq!((quoted("deals"), quoted("My deals")), ("deals".into(), "\"My deals\"".into()));
    }
}
