//! Making, renaming and dropping tables and views, and what is said of them.

use std::collections::HashMap;

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::sql::sqlparser::ast::{ObjectName, Query, Statement};

use super::super::{Session, limits, names};
use super::ask::{New, folded, parts};
use super::work::{After, State, Temporary};
use super::{Relation, Target, Written, no_column, no_table, types};
use crate::error::{Error, Result};
use crate::lake::{MadeRelation, MadeView, TableName};

impl Session {
    pub(super) fn create_schema(&self, name: &ObjectName, is_lenient: bool) -> Result<Written> {
        let name = parts(name)?.pop().unwrap_or_default();
        if !self.access.owns(&name) {
            return self.check_owned(&name, None).map(|()| Written::tag("CREATE SCHEMA"));
        }
        let message = format!("schema \"{name}\" already exists");
        if !is_lenient {
            return Err(Error::statement("42P06", message));
        }
        let mut written = Written::tag("CREATE SCHEMA");
        written.note("42P06", format!("{message}, skipping"));
        Ok(written)
    }

    /// Makes an empty table; `None` if it is there already and may be.
    pub(super) async fn create(
        &self,
        state: &mut State,
        new: &New,
        schema: SchemaRef,
    ) -> Result<(Option<Target>, Written)> {
        let target = self.new_target(new)?;
        let exists = match &target {
            Target::Temporary(name) => state.temporary.contains_key(name),
            Target::Stored(name) => self.relation(state, name).is_some(),
        };
        if exists {
            let message = format!("relation \"{}\" already exists", target.table());
            if !new.is_lenient {
                return Err(Error::statement("42P07", message));
            }
            let mut written = Written::tag("CREATE TABLE");
            written.note("42P07", format!("{message}, skipping"));
            return Ok((None, written));
        }
        match &target {
            Target::Stored(name) => self.make(state, name, schema).await?,
            Target::Temporary(name) => {
                let on_commit = new
                    .temporary
                    .unwrap_or(datafusion::sql::sqlparser::ast::OnCommit::PreserveRows);
                let rules = Default::default();
                let table = Temporary { schema, batches: vec![], on_commit, rules };
                state.temporary.insert(name.clone(), table);
            }
        }
        Ok((Some(target), Written::default()))
    }

    /// Where a new table goes, if the role may make it there.
    fn new_target(&self, new: &New) -> Result<Target> {
        let mut parts = parts(&new.name)?;
        let table = parts.pop().unwrap_or_default();
        let is_temporary = parts.last().is_some_and(|schema| schema == super::TEMPORARY);
        if new.temporary.is_none() && !is_temporary {
            let target = match parts.is_empty() {
                // A new table does not go where one of its name is found.
                true => TableName::new(self.new_schema(&self.search()), table),
                false => match self.found(&new.name)? {
                    Target::Stored(name) => name,
                    temporary => return Ok(temporary),
                },
            };
            self.check_owned(&target.schema, None)?;
            return Ok(Target::Stored(target));
        }
        if parts.last().is_some_and(|schema| schema != super::TEMPORARY) {
            let message = "cannot create temporary relation in non-temporary schema";
            return Err(Error::statement("42P16", message));
        }
        if self.access.owned().next().is_none() {
            return Err(Error::Statement {
                sqlstate: "42501",
                message: "permission denied to create temporary tables in database \"runrate\""
                    .to_owned(),
                hint: Some("A role that has a schema of its own may.".into()),
            });
        }
        Ok(Target::Temporary(table))
    }

    pub(super) async fn create_as(
        &self,
        state: &mut State,
        new: New,
        query: Box<Query>,
        names: Option<Vec<String>>,
        has_data: bool,
    ) -> Result<Written> {
        // Rights come first: whoever may not make the table is not told of what it would read.
        self.new_target(&new)?;
        let plan = self.plan(Statement::Query(query)).await?;
        let schema = types::storable(plan.schema().as_arrow(), names.as_deref())?;
        let (Some(target), mut written) = self.create(state, &new, schema).await? else {
            return Ok(Written::tag("CREATE TABLE AS"));
        };
        if has_data {
            let rows = Box::pin(self.rows_of(plan)).await?;
            written.rows = match Box::pin(self.append(state, &target, rows)).await {
                Ok(rows) => rows,
                Err(error) => {
                    self.forget(state, &target).await;
                    return Err(error);
                }
            };
        }
        written.tag = format!("SELECT {}", written.rows);
        Ok(written)
    }

    /// Removes the files of a table that was only just begun.
    async fn forget(&self, state: &State, target: &Target) {
        if let Target::Stored(name) = target
            && let Some(pending) = state.changes.get(name)
            && let Some(After::Table(table)) = &pending.after
        {
            self.engine.lake.draft_discard(table.draft.clone()).await;
        }
    }

    pub(super) async fn create_view(
        &self,
        state: &mut State,
        name: &ObjectName,
        query: Query,
        names: Option<Vec<String>>,
        replaces: bool,
    ) -> Result<Written> {
        let view = New { name: name.clone(), is_lenient: false, temporary: None };
        let Target::Stored(stored) = self.new_target(&view)? else {
            return Err(Error::statement("0A000", "temporary views are not available"));
        };
        match self.relation(state, &stored) {
            Some(Relation::View) if replaces => {}
            None => {}
            Some(_) if replaces => {
                self.check_kind(state, &stored, Relation::View)?;
            }
            Some(_) => {
                let message = format!("relation \"{}\" already exists", stored.table);
                return Err(Error::statement("42P07", message));
            }
        }
        let mut search = self.search();
        search.writes_all = true;
        let search_schema = search.first.clone();
        let mut statement = Statement::Query(Box::new(query));
        names::qualify(&mut statement, &search);
        let text = statement.to_string();
        if !search.temporary.is_empty() && text.contains(&format!("\"{}\"", super::TEMPORARY)) {
            let message = "a view cannot read a temporary table, which ends with the session";
            return Err(Error::statement("0A000", message));
        }
        let plan = self.plan(statement.clone()).await?;
        let shown =
            types::storable(plan.schema().as_arrow(), names.as_deref()).or_else(|error| {
                // A view may show what a table cannot store; names must be its own all the same.
                if error.sqlstate() == "0A000" {
                    Ok(plan.schema().inner().clone())
                } else {
                    Err(error)
                }
            })?;
        let sql = with_names(&text, plan.schema().inner(), &shown, names.as_deref());
        let view =
            MadeView { sql, search_schema, comment: None, column_comments: Default::default() };
        let before = state.clone();
        self.put(state, &stored, Some(After::View(view)));
        // Planned as readers will: a view that reads itself is found here.
        self.keep(state.clone())?;
        let target = Target::Stored(stored);
        let read = format!("SELECT * FROM {}", target.object_name());
        let planned = match limits::parse(&read, usize::MAX)?.pop() {
            Some(statement) => self.plan(statement).await.map(drop),
            None => Ok(()),
        };
        if let Err(error) = planned {
            self.keep(before)?;
            return Err(error);
        }
        Ok(Written::tag("CREATE VIEW"))
    }

    /// Drops the table or view called `name`, and with CASCADE the views that read it.
    pub(super) fn remove(
        &self,
        state: &mut State,
        name: &ObjectName,
        kind: Relation,
        (is_lenient, cascades): (bool, bool),
        written: &mut Written,
    ) -> Result<()> {
        let what = if kind == Relation::View { "view" } else { "table" };
        let target = self.writable(name)?;
        let is_there = match &target {
            Target::Temporary(table) if kind == Relation::Table => {
                state.temporary.remove(table).is_some()
            }
            Target::Temporary(_) => false,
            Target::Stored(stored) => self.check_kind(state, stored, kind)?,
        };
        if !is_there {
            let message = format!("{what} \"{}\" does not exist", target.table());
            if !is_lenient {
                return Err(Error::statement("42P01", message));
            }
            written.note("00000", format!("{message}, skipping"));
            return Ok(());
        }
        let Target::Stored(stored) = target else { return Ok(()) };
        for view in self.readers(state, &stored) {
            if !cascades {
                return Err(Error::Statement {
                    sqlstate: "2BP01",
                    message: format!(
                        "cannot drop {what} {} because view {view} depends on it",
                        stored.table
                    ),
                    hint: Some("Use DROP ... CASCADE to drop the view too.".into()),
                });
            }
            written.note("00000", format!("drop cascades to view {view}"));
            self.put(state, &view, None);
        }
        self.put(state, &stored, None);
        Ok(())
    }

    /// Views of the role's schemas that read `name`, directly or through others.
    fn readers(&self, state: &State, name: &TableName) -> Vec<TableName> {
        let made = self.tables.made();
        let mut views: HashMap<TableName, MadeView> = made
            .relations()
            .filter_map(|(name, relation)| match relation {
                MadeRelation::View(view) => Some((name, view.clone())),
                MadeRelation::Table(_) => None,
            })
            .collect();
        for (name, pending) in &state.changes {
            match &pending.after {
                Some(After::View(view)) => drop(views.insert(name.clone(), view.clone())),
                _ => drop(views.remove(name)),
            }
        }
        views.retain(|name, _| self.access.owns(&name.schema));
        let (mut found, mut next) = (vec![], vec![name.clone()]);
        while let Some(read) = next.pop() {
            let mut readers: Vec<TableName> = views
                .iter()
                .filter(|(_, view)| reads(view, &read))
                .map(|(name, _)| name.clone())
                .collect();
            readers.sort();
            for reader in readers {
                if reader != *name && !found.contains(&reader) {
                    next.push(reader.clone());
                    found.push(reader);
                }
            }
        }
        found
    }

    pub(super) async fn rename(
        &self,
        state: &mut State,
        name: &ObjectName,
        to: &ObjectName,
        is_lenient: bool,
    ) -> Result<Written> {
        let mut written = Written::tag("ALTER TABLE");
        let target = self.writable(name)?;
        let Some(new) = parts(to)?.pop() else { return Ok(written) };
        let stored = match &target {
            Target::Temporary(old) => {
                if state.temporary.contains_key(&new) {
                    return Err(exists(&new));
                }
                let table = state.temporary.remove(old).ok_or_else(|| no_table(old))?;
                state.temporary.insert(new, table);
                return Ok(written);
            }
            Target::Stored(stored) => stored.clone(),
        };
        let after = match self.relation(state, &stored) {
            None if is_lenient => {
                let message = format!("relation \"{}\" does not exist, skipping", stored.table);
                written.note("00000", message);
                return Ok(written);
            }
            None => return Err(no_table(&stored.table)),
            Some(Relation::Table) => After::Table(self.pending(state, &stored).await?.clone()),
            Some(Relation::View) => After::View(self.view(state, &stored)?),
        };
        let to = TableName::new(stored.schema.clone(), new);
        if self.relation(state, &to).is_some() {
            return Err(exists(&to.table));
        }
        self.put(state, &stored, None);
        self.put(state, &to, Some(after));
        Ok(written)
    }

    pub(super) fn view(&self, state: &State, name: &TableName) -> Result<MadeView> {
        if let Some(pending) = state.changes.get(name) {
            return match &pending.after {
                Some(After::View(view)) => Ok(view.clone()),
                _ => Err(no_table(&name.table)),
            };
        }
        match self.tables.made().relation(name) {
            Some(MadeRelation::View(view)) => Ok(view.clone()),
            _ => Err(no_table(&name.table)),
        }
    }

    pub(super) async fn comment(
        &self,
        state: &mut State,
        name: &ObjectName,
        is_column: bool,
        text: Option<String>,
    ) -> Result<Written> {
        let mut relation = name.clone();
        let column = match is_column {
            true => relation.0.pop().and_then(|part| part.as_ident().map(folded)),
            false => None,
        };
        let Target::Stored(stored) = self.writable(&relation)? else {
            return Err(Error::statement("0A000", "temporary tables keep no comments"));
        };
        let put = |comment: &mut Option<String>,
                   columns: &mut std::collections::BTreeMap<String, String>| {
            match (&column, &text) {
                (None, text) => comment.clone_from(text),
                (Some(column), Some(text)) => drop(columns.insert(column.clone(), text.clone())),
                (Some(column), None) => drop(columns.remove(column)),
            }
        };
        match self.relation(state, &stored) {
            None => return Err(no_table(&stored.table)),
            Some(Relation::Table) => {
                let table = self.pending(state, &stored).await?;
                if let Some(column) = &column
                    && table.stored.schema().index_of(column).is_err()
                {
                    return Err(no_column(column, &stored.table));
                }
                put(&mut table.draft.comment, &mut table.draft.column_comments);
            }
            Some(Relation::View) => {
                let mut view = self.view(state, &stored)?;
                put(&mut view.comment, &mut view.column_comments);
                self.put(state, &stored, Some(After::View(view)));
            }
        }
        Ok(Written::tag("COMMENT"))
    }
}

fn exists(name: &str) -> Error {
    Error::statement("42P07", format!("relation \"{name}\" already exists"))
}

/// `text`, a query, under the names that the view has; they may be those it has already.
fn with_names(
    text: &str,
    given: &SchemaRef,
    shown: &SchemaRef,
    names: Option<&[String]>,
) -> String {
    let is_same = given.fields().iter().zip(shown.fields()).all(|(a, b)| a.name() == b.name());
    if names.is_none() || is_same {
        return text.to_owned();
    }
    let quoted: Vec<String> = shown
        .fields()
        .iter()
        .map(|field| format!("\"{}\"", field.name().replace('"', "\"\"")))
        .collect();
    format!("SELECT * FROM ({text}) AS shown ({})", quoted.join(", "))
}

/// Whether `view` names `relation`.
fn reads(view: &MadeView, relation: &TableName) -> bool {
    use datafusion::sql::sqlparser::ast::visit_relations;
    let Ok(statements) = limits::parse(&view.sql, usize::MAX) else { return false };
    let mut found = false;
    let _: std::ops::ControlFlow<()> = visit_relations(&statements, |name| {
        if let Ok(parts) = parts(name) {
            found |= match parts.as_slice() {
                [table] => *table == relation.table && view.search_schema == relation.schema,
                [.., schema, table] => *table == relation.table && *schema == relation.schema,
                [] => false,
            };
        }
        std::ops::ControlFlow::Continue(())
    });
    found
}
