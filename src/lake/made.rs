//! Tables and views made over SQL: which there are, where they lie, and which version of each counts.
//!
//! All of it is one small file, `_tables.json` in the root of the lake, and putting that file is the
//! commit: every table of a transaction becomes visible, renamed or dropped at that instant, or none.
//! A table's files lie in `_made/<place>`, a Delta table like all others, and never move: renaming
//! changes the one file only, so that a query that reads the old name goes on.
//! A Delta version above the one that counts is of a commit that did not come to its end; whoever
//! writes the table next takes it back.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use object_store::ObjectStoreExt;
use serde::{Deserialize, Serialize};

use super::{Lake, TableName};
use crate::error::{Error, Result};

/// The file that says what there is.
pub(super) const FILE: &str = "_tables.json";
/// Directory of the tables made over SQL.
pub(super) const FOLDER: &str = "_made";
/// How long the files of a dropped table stay, for queries that read them.
const DROPPED_KEPT_MINUTES: i64 = 60;
/// Age at which a place that no table has is of a transaction that is long over.
const ORPHAN_HOURS: i64 = 24;

/// Everything that was made over SQL.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Made {
    pub(super) schemas: BTreeMap<String, BTreeMap<String, MadeRelation>>,
    /// Places of dropped tables, and since when.
    #[serde(default)]
    pub(super) dropped: BTreeMap<String, DateTime<Utc>>,
}

/// A table or a view.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum MadeRelation {
    /// A Delta table.
    Table(MadeTable),
    /// A SELECT.
    View(MadeView),
}

/// Where a table lies.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MadeTable {
    /// Directory below `_made`.
    pub place: String,
    /// The version that counts.
    pub version: i64,
    /// Bytes of its files.
    pub bytes: u64,
    /// What COMMENT says of it.
    #[serde(default)]
    pub comment: Option<String>,
    /// What COMMENT says of its columns.
    #[serde(default)]
    pub column_comments: BTreeMap<String, String>,
    /// What its rows keep to.
    #[serde(default, skip_serializing_if = "Rules::is_empty")]
    pub rules: Rules,
}

/// What the rows of a table keep to, beyond the types of its columns.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// Columns whose values no two rows share.
    #[serde(default)]
    pub keys: Vec<TableKey>,
    /// What stands in a column that a new row does not name, as SQL.
    #[serde(default)]
    pub defaults: BTreeMap<String, String>,
}

/// A primary key or a UNIQUE constraint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableKey {
    /// Name of the constraint.
    pub name: String,
    /// Its columns; rows with NULL in one of them share nothing.
    pub columns: Vec<String>,
    /// Whether it is the primary key.
    pub is_primary: bool,
}

impl Rules {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.defaults.is_empty()
    }
}

/// What a view shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MadeView {
    /// The SELECT.
    pub sql: String,
    /// Schema of the names in it that have none.
    pub search_schema: String,
    /// What COMMENT says of it.
    #[serde(default)]
    pub comment: Option<String>,
    /// What COMMENT says of its columns.
    #[serde(default)]
    pub column_comments: BTreeMap<String, String>,
}

impl Made {
    /// The relation called `name`.
    pub fn relation(&self, name: &TableName) -> Option<&MadeRelation> {
        self.schemas.get(&name.schema)?.get(&name.table)
    }

    /// The table called `name`.
    pub fn table(&self, name: &TableName) -> Option<&MadeTable> {
        match self.relation(name)? {
            MadeRelation::Table(table) => Some(table),
            MadeRelation::View(_) => None,
        }
    }

    /// Every table and view with its name, sorted.
    pub fn relations(&self) -> impl Iterator<Item = (TableName, &MadeRelation)> {
        self.schemas.iter().flat_map(|(schema, relations)| {
            relations
                .iter()
                .map(|(name, relation)| (TableName::new(schema.clone(), name.clone()), relation))
        })
    }

    /// Bytes of all tables of `schema`.
    pub fn bytes(&self, schema: &str) -> u64 {
        let relations = self.schemas.get(schema).into_iter().flatten();
        let bytes = relations.map(|(_, relation)| match relation {
            MadeRelation::Table(table) => table.bytes,
            MadeRelation::View(_) => 0,
        });
        bytes.sum()
    }

    /// Puts `relation` under `name`, or takes away what is there.
    pub(super) fn put(&mut self, name: &TableName, relation: Option<MadeRelation>) {
        let relations = self.schemas.entry(name.schema.clone()).or_default();
        match relation {
            Some(relation) => drop(relations.insert(name.table.clone(), relation)),
            None => drop(relations.remove(&name.table)),
        }
    }

    fn holds(&self, place: &str) -> bool {
        self.relations().any(|(_, relation)| match relation {
            MadeRelation::Table(table) => table.place == place,
            MadeRelation::View(_) => false,
        })
    }

    /// Notes places that `before` had and this has not as dropped now.
    pub(super) fn note_dropped(&mut self, before: &Self) {
        for (_, relation) in before.relations() {
            if let MadeRelation::Table(table) = relation
                && !self.holds(&table.place)
            {
                self.dropped.insert(table.place.clone(), Utc::now());
            }
        }
    }
}

impl Lake {
    /// What was made over SQL, as it is now.
    ///
    /// # Errors
    /// [`Error::Store`] if the file cannot be read, [`Error::Definition`] if it is not understood.
    pub async fn made(&self) -> Result<std::sync::Arc<Made>> {
        let root = &self.inner.root;
        let found = root.read_small(&root.path(FILE)?).await?;
        Ok(std::sync::Arc::new(parse(found.as_deref())?))
    }

    /// Puts `made` in the place of `before`; the instant of commit.
    pub(super) async fn put_made(&self, before: &Made, made: &Made) -> Result<()> {
        let root = &self.inner.root;
        let bytes = serde_json::to_vec_pretty(made).map_err(|e| Error::Definition {
            name: FILE.to_owned(),
            reason: format!("cannot be written: {e}"),
        })?;
        let is_before =
            |found: Option<&str>| parse(found.map(str::as_bytes)).is_ok_and(|now| now == *before);
        match root.swap_small(&root.path(FILE)?, is_before, bytes).await? {
            true => Ok(()),
            false => Err(Error::Conflict { table: FILE.to_owned(), attempts: 1 }),
        }
    }

    /// Removes the files of tables dropped long ago, and of transactions that ended without word.
    pub(super) async fn sweep(&self, made: &mut Made) -> Result<()> {
        let root = &self.inner.root;
        let kept = Utc::now() - chrono::Duration::minutes(DROPPED_KEPT_MINUTES);
        let due: Vec<String> = made
            .dropped
            .iter()
            .filter(|(_, since)| **since < kept)
            .map(|(place, _)| place.clone())
            .collect();
        for place in due {
            self.remove_place(&place).await?;
            made.dropped.remove(&place);
        }
        let folder = root.path(FOLDER)?;
        let failed = |e| Error::Store { action: "list", path: folder.to_string(), source: e };
        let places = root.store.list_with_delimiter(Some(&folder)).await.map_err(failed)?;
        let old = Utc::now() - chrono::Duration::hours(ORPHAN_HOURS);
        for path in places.common_prefixes {
            let Some(place) = path.filename().map(str::to_owned) else { continue };
            if made.holds(&place) || made.dropped.contains_key(&place) {
                continue;
            }
            let mut files = root.store.list(Some(&path));
            let mut is_old = true;
            while let Some(file) = files.try_next().await.map_err(failed)? {
                is_old &= file.last_modified < old;
            }
            if is_old {
                self.remove_place(&place).await?;
            }
        }
        Ok(())
    }

    /// Removes every file of `place`.
    pub(super) async fn remove_place(&self, place: &str) -> Result<()> {
        let root = &self.inner.root;
        let path = root.path(&format!("{FOLDER}/{place}"))?;
        let failed = |e| Error::Store { action: "remove", path: path.to_string(), source: e };
        let files: Vec<_> = root.store.list(Some(&path)).try_collect().await.map_err(failed)?;
        for file in files {
            match root.store.delete(&file.location).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(failed(error)),
            }
        }
        if let Some(dir) = &root.local {
            // Only empty directories are left.
            drop(std::fs::remove_dir_all(dir.join(FOLDER).join(place)));
        }
        Ok(())
    }
}

/// What the file says; nothing if there is none.
fn parse(bytes: Option<&[u8]>) -> Result<Made> {
    let Some(bytes) = bytes else { return Ok(Made::default()) };
    serde_json::from_slice(bytes).map_err(|e| Error::Definition {
        name: FILE.to_owned(),
        reason: format!("is not understood: {e}"),
    })
}
