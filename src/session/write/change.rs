//! Each kind of write, done to what a transaction holds.

use std::collections::HashMap;

use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::sqlparser::ast::{
    AssignmentTarget, Delete, Expr, FromTable, Ident, Insert, ObjectName, Query, SelectItem,
    SetExpr, Statement, TableAlias, TableFactor, TableObject, TableWithJoins, Update, Value,
};

use super::super::{Session, gate, limits, names, repeats};
use super::ask::{New, folded, is_default, parts};
use super::work::{After, State, Temporary};
use super::{Notice, Relation, Target, Write, Written, no_column, no_table, types};
use crate::error::{Error, Result};
use crate::lake::{MadeRelation, MadeView, TableName};

impl Session {
    pub(super) async fn change(&self, state: &mut State, write: Write) -> Result<Written> {
        match write {
            Write::CreateSchema { name, is_lenient } => self.create_schema(&name, is_lenient),
            Write::CreateTable { target, columns } => {
                let schema = types::Column::schema(&columns);
                let (made, mut written) = self.create(state, &target, schema).await?;
                if made.is_some() {
                    written.tag = "CREATE TABLE".to_owned();
                }
                Ok(written)
            }
            Write::CreateTableAs { target, query, names, has_data } => {
                self.create_as(state, target, query, names, has_data).await
            }
            Write::CreateView { name, query, names, replaces } => {
                self.create_view(state, &name, *query, names, replaces).await
            }
            Write::Drop { is_view, names, is_lenient, cascades } => {
                let kind = if is_view { Relation::View } else { Relation::Table };
                let mut written = Written::tag(if is_view { "DROP VIEW" } else { "DROP TABLE" });
                for name in &names {
                    self.remove(state, name, kind, (is_lenient, cascades), &mut written)?;
                }
                Ok(written)
            }
            Write::DropNothing { what, names, is_lenient } => {
                let mut written = Written::tag(format!("DROP {}", what.to_uppercase()));
                for name in &names {
                    let message = format!("{what} \"{name}\" does not exist");
                    match is_lenient {
                        true => written.note("00000", format!("{message}, skipping")),
                        false => return Err(Error::statement("42704", message)),
                    }
                }
                Ok(written)
            }
            Write::Rename { name, to, is_lenient } => {
                self.rename(state, &name, &to, is_lenient).await
            }
            Write::Truncate { names, is_lenient } => {
                let mut written = Written::tag("TRUNCATE TABLE");
                for name in &names {
                    let target = self.writable(name)?;
                    match self.empty(state, &target).await {
                        Ok(()) => {}
                        Err(error) if is_lenient && error.sqlstate() == "42P01" => {
                            written.note("00000", format!("{error}, skipping"));
                        }
                        Err(error) => return Err(error),
                    }
                }
                Ok(written)
            }
            Write::Insert { table, insert } => self.insert(state, &table, *insert).await,
            Write::Update { table, update } => self.update(state, &table, *update).await,
            Write::Delete { table, delete } => self.delete(state, &table, *delete).await,
            Write::Comment { name, is_column, text } => {
                self.comment(state, &name, is_column, text).await
            }
            Write::Nothing { tag, name, notice } => self.nothing(tag, name.as_ref(), notice),
            Write::Refused { sqlstate, message, hint } => {
                Err(Error::Statement { sqlstate, message, hint })
            }
        }
    }

    fn create_schema(&self, name: &ObjectName, is_lenient: bool) -> Result<Written> {
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
    async fn create(
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
                let table = Temporary { schema, batches: vec![], on_commit };
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

    async fn create_as(
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
            let rows = self.rows_of(plan).await?;
            written.rows = match self.append(state, &target, rows).await {
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

    async fn create_view(
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
    fn remove(
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

    async fn rename(
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

    fn view(&self, state: &State, name: &TableName) -> Result<MadeView> {
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

    /// Takes all rows out of `target`.
    async fn empty(&self, state: &mut State, target: &Target) -> Result<()> {
        match target {
            Target::Temporary(name) => {
                let table = state.temporary.get_mut(name).ok_or_else(|| no_table(name))?;
                table.batches.clear();
            }
            Target::Stored(name) => {
                let table = self.pending(state, name).await?;
                table.draft.clear();
                table.held.clear();
                self.reread(name, table).await?;
            }
        }
        Ok(())
    }

    async fn rows_in(&self, state: &mut State, target: &Target) -> Result<u64> {
        Ok(match target {
            Target::Temporary(name) => {
                let table = state.temporary.get(name).ok_or_else(|| no_table(name))?;
                super::work::rows(&table.batches)
            }
            Target::Stored(name) => self.pending(state, name).await?.rows(),
        })
    }

    async fn insert(
        &self,
        state: &mut State,
        table: &ObjectName,
        insert: Insert,
    ) -> Result<Written> {
        let target = self.writable(table)?;
        let schema = self.schema_of(state, &target).await?;
        let plan = self.insert_plan(insert, &target, &schema).await?;
        let state_of_planner = self.context.state();
        let plan = self
            .on_planning_thread(async move { super::super::analyzed(&state_of_planner, plan) })
            .await?;
        let rows = self.rows_of(plan).await?;
        let rows = self.append(state, &target, rows).await?;
        Ok(Written { rows, ..Written::tag(format!("INSERT 0 {rows}")) })
    }

    /// The SELECT that gives the rows of `insert`, in the order of the table's columns.
    async fn insert_plan(
        &self,
        mut insert: Insert,
        target: &Target,
        schema: &SchemaRef,
    ) -> Result<LogicalPlan> {
        if let Some(query) = &mut insert.source {
            gate::check_statement(&Statement::Query(query.clone()))?;
            if let SetExpr::Values(values) = query.body.as_mut() {
                let width = values.rows.first().map_or(0, |row| row.content.len());
                check_width(width, &insert.columns, schema, target)?;
                if insert.columns.is_empty() && width < schema.fields().len() {
                    let first = schema.fields().iter().take(width);
                    insert.columns = first
                        .map(|f| ObjectName::from(vec![Ident::with_quote('"', f.name())]))
                        .collect();
                }
                for value in values.rows.iter_mut().flat_map(|row| row.content.iter_mut()) {
                    if is_default(value) {
                        *value = Expr::Value(Value::Null.into());
                    }
                }
            }
        }
        insert.table = TableObject::TableName(target.object_name());
        insert.table_alias = None;
        let mut statement = Statement::Insert(insert);
        self.engine.table_functions.expand(&mut statement)?;
        repeats::tell_apart(&mut statement);
        names::qualify(&mut statement, &self.search());
        let plan = self.planned_as_it_is(statement).await?;
        let LogicalPlan::Dml(dml) = plan else {
            return Err(Error::statement("42601", "INSERT needs VALUES or a query"));
        };
        let rows = std::sync::Arc::unwrap_or_clone(dml.input);
        gate::check_plan(&rows)?;
        Ok(rows)
    }

    async fn delete(
        &self,
        state: &mut State,
        table: &ObjectName,
        delete: Delete,
    ) -> Result<Written> {
        let target = self.writable(table)?;
        let before = self.rows_in(state, &target).await?;
        let Some(condition) = delete.selection else {
            self.empty(state, &target).await?;
            return Ok(Written { rows: before, ..Written::tag(format!("DELETE {before}")) });
        };
        let (FromTable::WithFromKeyword(mut from) | FromTable::WithoutKeyword(mut from)) =
            delete.from;
        let from = from.pop().map(|from| renamed(from, &target)).into_iter().collect();
        let stays = match delete.using {
            None => Expr::IsNotTrue(Box::new(Expr::Nested(Box::new(condition)))),
            Some(using) => {
                let one =
                    SelectItem::UnnamedExpr(Expr::Value(Value::Number("1".into(), false).into()));
                let found = select(using, vec![one], Some(condition))?;
                Expr::Exists { subquery: Box::new(found), negated: true }
            }
        };
        let rest = select(from, all_columns(), Some(stays))?;
        let plan = self.plan(Statement::Query(Box::new(rest))).await?;
        let kept = self.replace(state, &target, vec![plan]).await?;
        let rows = before.saturating_sub(kept.iter().sum());
        Ok(Written { rows, ..Written::tag(format!("DELETE {rows}")) })
    }

    async fn update(
        &self,
        state: &mut State,
        table: &ObjectName,
        update: Update,
    ) -> Result<Written> {
        let target = self.writable(table)?;
        let schema = self.schema_of(state, &target).await?;
        let changed = changed_columns(&update, &schema, &target)?;
        let from = vec![renamed(update.table, &target)];
        let changed_rows = select(from.clone(), changed, update.selection.clone())?;
        let mut plans = vec![self.plan(Statement::Query(Box::new(changed_rows))).await?];
        if let Some(condition) = update.selection {
            let stays = Expr::IsNotTrue(Box::new(Expr::Nested(Box::new(condition))));
            let rest = select(from, all_columns(), Some(stays))?;
            let plan = self.plan(Statement::Query(Box::new(rest))).await?;
            // It is asked twice, of the rows that change and of those that stay.
            check_steady(&plan)?;
            plans.push(plan);
        }
        let rows = self.replace(state, &target, plans).await?.first().copied().unwrap_or(0);
        Ok(Written { rows, ..Written::tag(format!("UPDATE {rows}")) })
    }

    /// Puts the rows of `plans` in the place of what `target` holds; how many each gave.
    async fn replace(
        &self,
        state: &mut State,
        target: &Target,
        plans: Vec<LogicalPlan>,
    ) -> Result<Vec<u64>> {
        // Started before: they read what is there now.
        let mut streams = vec![];
        for plan in plans {
            streams.push(self.rows_of(plan).await?);
        }
        self.empty(state, target).await?;
        let mut counts = vec![];
        for rows in streams {
            counts.push(self.append(state, target, rows).await?);
        }
        Ok(counts)
    }

    async fn comment(
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

    /// Takes a statement that does nothing here, from whoever owns the table, or a schema.
    fn nothing(&self, tag: &str, name: Option<&ObjectName>, notice: &str) -> Result<Written> {
        match name {
            Some(name) => drop(self.writable(name)?),
            None if self.access.owned().next().is_some() => {}
            None => self.check_owned(&self.search().first, None)?,
        }
        if tag.is_empty() {
            return Err(Error::statement("0A000", notice));
        }
        let notices = vec![Notice { sqlstate: "00000", message: notice.to_owned() }];
        Ok(Written { notices, ..Written::tag(tag) })
    }

    /// Types of the parameters of a writing `statement`.
    pub(in crate::session) async fn write_parameter_types(
        &self,
        mut statement: Statement,
        write: Write,
    ) -> Result<HashMap<String, Option<DataType>>> {
        self.advance();
        let plan = match write {
            Write::Insert { table, insert } => {
                let target = self.writable(&table)?;
                let schema = self.schema_of(&mut self.work.state(), &target).await?;
                self.insert_plan(*insert, &target, &schema).await?
            }
            Write::CreateTableAs { query, .. } => self.planned(Statement::Query(query)).await?,
            Write::Update { table, .. } | Write::Delete { table, .. } => {
                self.writable(&table)?;
                names::qualify(&mut statement, &self.search());
                self.planned_as_it_is(statement).await?
            }
            _ => return Ok(HashMap::new()),
        };
        Ok(plan.get_parameter_types()?)
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

/// `table`, by the name that the planner finds.
fn renamed(mut table: TableWithJoins, target: &Target) -> TableWithJoins {
    if let TableFactor::Table { name, alias, .. } = &mut table.relation {
        if alias.is_none() {
            let own = Ident::with_quote('"', target.table());
            *alias = Some(TableAlias { explicit: true, name: own, columns: vec![], at: None });
        }
        *name = target.object_name();
    }
    table
}

fn all_columns() -> Vec<SelectItem> {
    vec![SelectItem::Wildcard(Default::default())]
}

/// `SELECT items FROM tables WHERE condition`.
fn select(
    tables: Vec<TableWithJoins>,
    items: Vec<SelectItem>,
    condition: Option<Expr>,
) -> Result<Query> {
    let Some(Statement::Query(mut query)) = limits::parse("SELECT 1", usize::MAX)?.pop() else {
        return Err(Error::statement("XX000", "a SELECT could not be made"));
    };
    if let SetExpr::Select(select) = query.body.as_mut() {
        select.projection = items;
        select.from = tables;
        select.selection = condition;
    }
    Ok(*query)
}

/// The columns of a row that UPDATE changes, all of them, in the order of the table.
fn changed_columns(
    update: &Update,
    schema: &SchemaRef,
    target: &Target,
) -> Result<Vec<SelectItem>> {
    let mut values: HashMap<String, Expr> = HashMap::new();
    for assignment in &update.assignments {
        let AssignmentTarget::ColumnName(name) = &assignment.target else {
            let message = "assigning a row of columns at once is not available";
            return Err(Error::statement("0A000", message));
        };
        let column = parts(name)?.pop().unwrap_or_default();
        if schema.index_of(&column).is_err() {
            return Err(no_column(&column, target.table()));
        }
        let value = match is_default(&assignment.value) {
            true => Expr::Value(Value::Null.into()),
            false => assignment.value.clone(),
        };
        if values.insert(column.clone(), value).is_some() {
            return Err(types::twice(&column));
        }
    }
    let items = schema.fields().iter().map(|field| {
        let name = Ident::with_quote('"', field.name());
        match values.remove(field.name()) {
            Some(expr) => SelectItem::ExprWithAlias { expr, alias: name },
            None => SelectItem::UnnamedExpr(Expr::Identifier(name)),
        }
    });
    Ok(items.collect())
}

/// Refuses a condition that may answer otherwise when it is asked again.
fn check_steady(plan: &LogicalPlan) -> Result<()> {
    let mut is_volatile = false;
    plan.apply_with_subqueries(|node| {
        is_volatile |= node.expressions().iter().any(|expr| expr.is_volatile());
        Ok(TreeNodeRecursion::Continue)
    })?;
    match is_volatile {
        true => Err(Error::statement(
            "0A000",
            "the WHERE of an UPDATE cannot call functions that answer otherwise every time",
        )),
        false => Ok(()),
    }
}

/// Refuses rows of VALUES with too many columns, or fewer than are named.
fn check_width(
    width: usize,
    columns: &[ObjectName],
    schema: &SchemaRef,
    target: &Target,
) -> Result<()> {
    for column in columns {
        let name = parts(column)?.pop().unwrap_or_default();
        if schema.index_of(&name).is_err() {
            return Err(no_column(&name, target.table()));
        }
    }
    let most = if columns.is_empty() { schema.fields().len() } else { columns.len() };
    if width > most {
        return Err(Error::statement("42601", "INSERT has more expressions than target columns"));
    }
    if !columns.is_empty() && width < columns.len() {
        return Err(Error::statement("42601", "INSERT has more target columns than expressions"));
    }
    Ok(())
}
