//! What tables, columns, views and functions say of themselves.

use std::collections::HashMap;

use crate::schema;
use crate::session::{Access, Engine};

/// What the schemas are for.
const SCHEMAS: &[(&str, &str)] = &[
    ("crm", "canonical tables, filled from exports of the CRM"),
    ("raw", "files loaded as they are"),
    ("mart", "reports written as tables"),
    ("ops", "ledger of ingests, quarantine, the date reports are made for"),
    ("collect", "reports: what happened"),
    ("demand", "reports: what will be sold"),
    ("supply", "reports: who can sell and deliver it"),
    ("reconcile", "reports: where demand and supply part"),
    ("measure", "reports: how well it went"),
    ("pg_catalog", "system catalog"),
    ("information_schema", "system catalog as the standard has it"),
    ("public", "functions"),
];

/// Comments by schema and relation; an empty column is the relation itself.
#[derive(Debug, Default)]
pub(super) struct Comments {
    texts: HashMap<(String, String, String), String>,
    /// Statements of views by schema and name.
    definitions: HashMap<(String, String), String>,
}

impl Comments {
    pub(super) fn new(engine: &Engine) -> Self {
        let mut comments = Self::default();
        let groups = schema::tables()
            .map(|table| (schema::CRM, table))
            .chain(schema::ops_tables().map(|table| (schema::OPS, table)));
        for (schema, table) in groups {
            comments.add(schema, table.name, "", table.meaning);
            for column in table.all_columns() {
                comments.add(schema, table.name, column.name, column.meaning);
            }
        }
        for view in engine.views() {
            comments.add(&view.schema, &view.name, "", &view.comment);
            let key = (view.schema.clone(), view.name.clone());
            comments.definitions.insert(key, view.sql.clone());
        }
        comments
    }

    /// What a schema is for.
    pub(super) fn schema(name: &str) -> Option<&'static str> {
        SCHEMAS.iter().find(|(schema, _)| *schema == name).map(|(_, text)| *text)
    }

    fn add(&mut self, schema: &str, relation: &str, column: &str, text: &str) {
        let key = (schema.to_owned(), relation.to_owned(), column.to_owned());
        self.texts.insert(key, text.to_owned());
    }

    /// Comment of the column with `number` (from 1, among those seen) of a canonical table.
    pub(super) fn of_number(
        &self,
        schema: &str,
        relation: &str,
        number: i64,
        access: &Access,
    ) -> Option<&str> {
        let at = usize::try_from(number.checked_sub(1)?).ok()?;
        let table = match schema {
            schema::CRM => schema::table(relation),
            schema::OPS => schema::ops_tables().find(|table| table.name == relation),
            _ => None,
        };
        let mut columns =
            table?.all_columns().filter(|c| access.sees_column(schema, relation, c.name));
        self.of(schema, relation, columns.nth(at)?.name)
    }

    /// Comment of `column` of a relation, or of the relation itself if it is empty.
    pub(super) fn of(&self, schema: &str, relation: &str, column: &str) -> Option<&str> {
        let key = (schema.to_owned(), relation.to_owned(), column.to_owned());
        self.texts.get(&key).map(String::as_str)
    }

    /// The SELECT of a view; empty if it is none.
    pub(super) fn definition(&self, schema: &str, view: &str) -> String {
        let key = (schema.to_owned(), view.to_owned());
        self.definitions.get(&key).cloned().unwrap_or_default()
    }
}
