//! What was said of tables and views made over SQL: comments, and the SELECT of a view.

use std::fmt;
use std::sync::{Arc, Weak};

use super::Session;
use super::catalog::SessionCatalog;
use super::overlay::Own;
use crate::lake::{MadeRelation, MadeView, TableName};

/// The tables and views made over SQL, as one session sees them now.
#[derive(Clone)]
pub struct Described {
    /// Weak, because schemas that the catalog holds hold it.
    tables: Weak<SessionCatalog>,
}

impl fmt::Debug for Described {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Described")
    }
}

impl Session {
    /// What was said of its tables and views made over SQL.
    pub fn described(&self) -> Described {
        Described { tables: Arc::downgrade(&self.tables) }
    }
}

impl Described {
    /// Comment of `column` of a relation, or of the relation itself if it is empty.
    pub fn comment(&self, schema: &str, relation: &str, column: &str) -> Option<String> {
        if let Some(view) = self.own_view(schema, relation) {
            return said(&view.comment, &view.column_comments, column);
        }
        match self.tables.upgrade()?.made().relation(&TableName::new(schema, relation))? {
            MadeRelation::Table(table) => said(&table.comment, &table.column_comments, column),
            MadeRelation::View(view) => said(&view.comment, &view.column_comments, column),
        }
    }

    /// Name of the column with `number`, from 1, of a table.
    ///
    /// Those of a view are known only when it is planned.
    pub fn column(&self, schema: &str, table: &str, number: i64) -> Option<String> {
        let columns = self.tables.upgrade()?.stored_columns(&TableName::new(schema, table))?;
        let at = usize::try_from(number.checked_sub(1)?).ok()?;
        columns.fields().get(at).map(|field| field.name().clone())
    }

    /// The SELECT of a view.
    pub fn definition(&self, schema: &str, view: &str) -> Option<String> {
        if let Some(view) = self.own_view(schema, view) {
            return Some(view.sql);
        }
        match self.tables.upgrade()?.made().relation(&TableName::new(schema, view))? {
            MadeRelation::View(view) => Some(view.sql.clone()),
            MadeRelation::Table(_) => None,
        }
    }

    /// A view of this session's open transaction.
    fn own_view(&self, schema: &str, view: &str) -> Option<MadeView> {
        match self.tables.upgrade()?.overlay().changed.get(schema)?.get(view)? {
            Some(Own::View(view)) => Some(view.clone()),
            _ => None,
        }
    }
}

fn said(
    own: &Option<String>,
    columns: &std::collections::BTreeMap<String, String>,
    column: &str,
) -> Option<String> {
    match column {
        "" => own.clone(),
        column => columns.get(column).cloned(),
    }
}
