//! Writing over SQL: into schemas that the role owns, and into temporary tables.
//!
//! A write is settled on the syntax tree ([`Write`]); the engine only ever plans the SELECT in it,
//! and its own DDL and DML are never run.
//! What a transaction writes goes to files that nobody else sees ([`crate::lake::Draft`]), or stays
//! in memory while it is little; COMMIT makes all of it visible at once.

mod ask;
mod both;
mod change;
mod define;
mod merge;
mod returning;
mod rows;
mod rules;
mod types;
mod work;

use std::collections::{BTreeMap, BTreeSet};

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::sql::sqlparser::ast::{Ident, ObjectName};

pub use ask::Write;
pub(super) use work::Work;

use super::names::Search;
use super::overlay::TEMPORARY;
use super::{CATALOG, Session};
use crate::error::{Error, Result};
use crate::lake::{Change, Drafted, MadeRelation, TableName};
use crate::schema;
use ask::{folded, parts};
use work::{After, State};

/// Schemas that ingest and reports fill; nobody writes them over SQL.
const DATA: &[&str] = &[schema::CRM, schema::RAW, schema::OPS, schema::MART];

/// Something a client is told beside the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Five characters.
    pub sqlstate: &'static str,
    /// One sentence.
    pub message: String,
}

/// What a write did.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Written {
    /// As Postgres reports it, such as `INSERT 0 3`.
    pub tag: String,
    /// What else is to be told.
    pub notices: Vec<Notice>,
    /// Rows written (count).
    pub rows: u64,
    /// What RETURNING gives.
    pub returned: Option<Returned>,
}

/// Rows that a write gives back.
#[derive(Debug, Clone, PartialEq)]
pub struct Returned {
    /// Their columns.
    pub schema: SchemaRef,
    /// The rows.
    pub batches: Vec<RecordBatch>,
}

impl Written {
    fn tag(tag: impl Into<String>) -> Self {
        Self { tag: tag.into(), ..Self::default() }
    }

    fn note(&mut self, sqlstate: &'static str, message: String) {
        self.notices.push(Notice { sqlstate, message });
    }
}

/// A table that can be written.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Target {
    /// In the lake.
    Stored(TableName),
    /// Of this session.
    Temporary(String),
}

impl Target {
    fn table(&self) -> &str {
        match self {
            Self::Stored(name) => &name.table,
            Self::Temporary(name) => name,
        }
    }

    /// The name as the planner finds it.
    fn object_name(&self) -> ObjectName {
        let (schema, table) = match self {
            Self::Stored(name) => (name.schema.as_str(), name.table.as_str()),
            Self::Temporary(name) => (TEMPORARY, name.as_str()),
        };
        ObjectName::from(vec![Ident::with_quote('"', schema), Ident::with_quote('"', table)])
    }
}

impl Session {
    /// Does `write`, which stays this session's own until [`Session::commit`].
    ///
    /// # Errors
    /// 42501 outside the schemas that the role owns, 42P01 and 42P07 for what is not there or is,
    /// 0A000 for what tables cannot do, 22xxx and 23502 for rows that do not fit.
    pub async fn write(&self, write: Write) -> Result<Written> {
        self.writes_now()?;
        self.advance();
        let before = self.work.state();
        let mut state = before.clone();
        let keyed = write.rows_of().cloned();
        let outcome = async {
            let written = Box::pin(self.change(&mut state, write)).await?;
            self.keep(state)?;
            if let Some(table) = keyed {
                Box::pin(self.check_keys(&self.writable(&table)?)).await?;
            }
            Ok(written)
        };
        let outcome = Box::pin(outcome).await;
        if outcome.is_err() {
            // On the way it showed itself rows that are not to be.
            self.keep(before)?;
        }
        outcome
    }

    /// Whether there is something to commit.
    pub fn has_changes(&self) -> bool {
        self.work.is_changed()
    }

    /// Whether `write` goes into a temporary table, which a transaction that only reads may do.
    pub fn is_of_temporary(&self, write: &Write) -> bool {
        let Some(table) = write.rows_of() else { return false };
        matches!(self.found(table), Ok(Target::Temporary(_)))
    }

    /// Columns that a COPY into `table` fills, in the order in which they come.
    ///
    /// # Errors
    /// 42501 if the role does not own it, 42P01 and 42703 for what is not there.
    pub async fn copied_columns(&self, table: &ObjectName, columns: &[Ident]) -> Result<SchemaRef> {
        self.advance();
        let target = self.writable(table)?;
        let mut state = self.work.state();
        let schema = self.schema_of(&mut state, &target).await?;
        if columns.is_empty() {
            return Ok(schema);
        }
        let mut places = vec![];
        for name in columns.iter().map(folded) {
            let at = schema.index_of(&name).map_err(|_| no_column(&name, target.table()))?;
            if places.contains(&at) {
                return Err(types::twice(&name));
            }
            places.push(at);
        }
        Ok(std::sync::Arc::new(schema.project(&places)?))
    }

    /// Adds `rows`, whose columns are called as those of `table`; how many there were.
    ///
    /// # Errors
    /// As [`Session::write`], and those of `rows`.
    pub async fn copy_in(
        &self,
        table: &ObjectName,
        rows: SendableRecordBatchStream,
    ) -> Result<u64> {
        self.writes_now()?;
        self.advance();
        let target = self.writable(table)?;
        let before = self.work.state();
        let mut state = before.clone();
        let schema = self.schema_of(&mut state, &target).await?;
        let rows = rows::by_name(rows, schema);
        let count = Box::pin(self.append(&mut state, &target, rows)).await?;
        self.keep(state)?;
        if let Err(error) = Box::pin(self.check_keys(&target)).await {
            self.keep(before)?;
            return Err(error);
        }
        Ok(count)
    }

    fn keep(&self, state: State) -> Result<()> {
        let bytes_max = self.engine.config.temporary_bytes_max;
        self.tables.show(self.work.keep(state, bytes_max)?);
        Ok(())
    }

    /// Makes everything written visible to all, at one instant.
    ///
    /// # Errors
    /// 40001 if another session changed the same tables, 53100 above the quota; then, and if it
    /// cannot be written, everything is as it was before.
    pub async fn commit(&self) -> Result<()> {
        let mut state = self.work.state();
        if state.changes.is_empty() {
            let (_, overlay) = self.work.take();
            self.tables.show(overlay);
            return Ok(());
        }
        let outcome = Box::pin(self.settle(&mut state)).await;
        if outcome.is_err() {
            self.rollback().await;
            return outcome;
        }
        let (_, overlay) = self.work.take();
        self.tables.show(overlay);
        Ok(())
    }

    async fn settle(&self, state: &mut State) -> Result<()> {
        let mut changes = vec![];
        for (name, pending) in &mut state.changes {
            let after = match &mut pending.after {
                None => None,
                Some(After::View(view)) => Some(Drafted::View(view.clone())),
                Some(After::Table(table)) => {
                    Box::pin(self.flush(name, table)).await?;
                    Some(Drafted::Table(table.draft.clone()))
                }
            };
            if after.is_some() || pending.before.is_some() {
                changes.push(Change { name: name.clone(), before: pending.before.clone(), after });
            }
        }
        let schemas: BTreeSet<String> = changes.iter().map(|c| c.name.schema.clone()).collect();
        let quota = self.access().limits().scratch_bytes_max;
        let quotas: BTreeMap<String, u64> =
            schemas.into_iter().filter_map(|schema| Some((schema, quota?))).collect();
        let engine = self.engine.clone();
        let id = format!("{}-{:x}", self.user(), chrono::Utc::now().timestamp_micros());
        // A task of its own: a client that goes away does not cut a commit in two.
        let committing = tokio::spawn(async move {
            let writer = engine.lake.writer("sql").await?;
            Box::pin(writer.settle(&changes, &quotas, &id)).await?;
            drop(writer);
            if let Err(error) = Box::pin(engine.refresh()).await {
                // It is committed; the look for news goes on trying.
                tracing::warn!(error = error.chain(), "a commit is not seen yet");
            }
            tokio::spawn(async move { maintain(&engine, &changes).await });
            Ok(())
        });
        committing.await.unwrap_or_else(|stopped| {
            tracing::error!(%stopped, "a commit stopped");
            Err(Error::statement("XX000", "the commit ended without an answer"))
        })
    }

    /// Takes back everything since the last commit.
    pub async fn rollback(&self) {
        let (drafts, overlay) = self.work.undo();
        self.tables.show(overlay);
        for draft in drafts {
            self.engine.lake.draft_discard(draft).await;
        }
    }

    /// Remembers how things are as `name`.
    pub fn savepoint(&self, name: &str) {
        self.work.save(name);
    }

    /// Forgets a savepoint.
    ///
    /// # Errors
    /// 3B001 if there is none called `name`.
    pub fn release(&self, name: &str) -> Result<()> {
        self.work.release(name)
    }

    /// Goes back to a savepoint.
    ///
    /// # Errors
    /// 3B001 if there is none called `name`.
    pub fn rollback_to(&self, name: &str) -> Result<()> {
        self.tables.show(self.work.back_to(name)?);
        Ok(())
    }

    /// Ends all temporary tables.
    pub fn discard_temporary(&self) {
        if self.work.has_temporary() {
            self.tables.show(self.work.discard_temporary());
        }
    }

    /// Where names without a schema are looked for.
    pub(super) fn search(&self) -> Search {
        let state = self.context.state_ref();
        let first = state.read().config().options().catalog.default_schema.clone();
        let others = self.access.owned().filter(|schema| *schema != first);
        Search {
            tables: self.tables.clone(),
            temporary: self.tables.overlay().temporary.keys().cloned().collect(),
            others: others.map(str::to_owned).collect(),
            first,
            writes_all: false,
        }
    }

    /// The table or view that `name` means; where a new one would be if there is none.
    fn found(&self, name: &ObjectName) -> Result<Target> {
        let mut parts = parts(name)?;
        if parts.len() == 3 {
            let catalog = parts.remove(0);
            if catalog != CATALOG {
                let message = format!("cross-database references are not implemented: \"{name}\"");
                return Err(Error::statement("0A000", message));
            }
        }
        match parts.as_slice() {
            [table] => {
                let search = self.search();
                match search.schema_of(table) {
                    Some(schema) if schema == TEMPORARY => Ok(Target::Temporary(table.clone())),
                    Some(schema) => Ok(Target::Stored(TableName::new(schema, table))),
                    None => Ok(Target::Stored(TableName::new(self.new_schema(&search), table))),
                }
            }
            [schema, table] if schema == TEMPORARY => Ok(Target::Temporary(table.clone())),
            [schema, table] => Ok(Target::Stored(TableName::new(schema, table))),
            _ => Err(Error::statement("42601", format!("improper relation name: {name}"))),
        }
    }

    /// Schema of a new table whose name has none: the first of the search path if the role owns
    /// it, else the role's own.
    fn new_schema(&self, search: &Search) -> String {
        match self.access.owns(&search.first) {
            true => search.first.clone(),
            false => self.access.owned().next().unwrap_or(&search.first).to_owned(),
        }
    }

    /// The table that `name` means, if the role may change it.
    fn writable(&self, name: &ObjectName) -> Result<Target> {
        let target = self.found(name)?;
        if let Target::Stored(stored) = &target {
            self.check_owned(&stored.schema, Some(&stored.table))?;
        }
        Ok(target)
    }

    /// Refuses to change what is in `schema` unless the role owns it.
    fn check_owned(&self, schema: &str, table: Option<&str>) -> Result<()> {
        let is_data =
            DATA.contains(&schema) || self.engine.views().iter().any(|view| view.schema == schema);
        if self.access.owns(schema) && !is_data {
            return Ok(());
        }
        let exists = table.is_some_and(|table| {
            use datafusion::catalog::CatalogProvider;
            self.tables.schema(schema).is_some_and(|schema| schema.table_exist(table))
        });
        let message = match table {
            Some(table) if exists => format!("permission denied for table {table}"),
            _ => format!("permission denied for schema {schema}"),
        };
        let owned: Vec<&str> = self.access.owned().collect();
        let hint = match owned.as_slice() {
            [] => "This connection only reads; data comes in through runrate ingest.".to_owned(),
            owned => format!("The role may write in its own schema: {}.", owned.join(", ")),
        };
        Err(Error::Statement { sqlstate: "42501", message, hint: Some(hint) })
    }

    /// What is under `name` now: what the transaction left there, or what was committed.
    fn relation(&self, state: &State, name: &TableName) -> Option<Relation> {
        if let Some(pending) = state.changes.get(name) {
            return pending.after.as_ref().map(|after| match after {
                After::Table(_) => Relation::Table,
                After::View(_) => Relation::View,
            });
        }
        self.tables.made().relation(name).map(|made| match made {
            MadeRelation::Table(_) => Relation::Table,
            MadeRelation::View(_) => Relation::View,
        })
    }
}

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relation {
    Table,
    View,
}

/// Joins small files of the tables that were committed to, if it is time.
async fn maintain(engine: &super::Engine, changes: &[Change]) {
    for change in changes.iter().filter(|change| matches!(change.after, Some(Drafted::Table(_)))) {
        let outcome = async {
            let writer = engine.lake.writer("upkeep").await?;
            match writer.is_due(&change.name).await? {
                true => Box::pin(writer.maintain(&change.name)).await.map(drop),
                false => Ok(()),
            }
        };
        if let Err(error) = outcome.await {
            // Another transaction may have dropped it meanwhile; the next upkeep tries again.
            tracing::info!(table = %change.name, error = error.chain(), "table not maintained");
        }
    }
}

fn no_table(name: &str) -> Error {
    Error::NoTable { table: name.to_owned(), reason: "does not exist".to_owned() }
}

fn no_column(column: &str, table: &str) -> Error {
    let message = format!("column \"{column}\" of relation \"{table}\" does not exist");
    Error::statement("42703", message)
}
