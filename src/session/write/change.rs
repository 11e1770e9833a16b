//! Each kind of write, done to what a transaction holds; rows here, tables in [`super::define`].

use std::collections::HashMap;

use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::sqlparser::ast::{
    Assignment, AssignmentTarget, Delete, Expr, FromTable, Ident, Insert, ObjectName, OnInsert,
    Query, SelectItem, SetExpr, Statement, TableAlias, TableFactor, TableObject, TableWithJoins,
    Update, Value,
};

use super::super::{Session, gate, limits};
use super::ask::{is_default, parts};
use super::merge::Asked;
use super::returning::Returning;
use super::rules::{default_of, with_defaults};
use super::work::State;
use super::{Notice, Relation, Target, Write, Written, no_column, no_table, types};
use crate::error::{Error, Result};
use crate::lake::Rules;

impl Session {
    pub(super) async fn change(&self, state: &mut State, write: Write) -> Result<Written> {
        match write {
            Write::CreateSchema { name, is_lenient } => self.create_schema(&name, is_lenient),
            Write::CreateTable { target, columns, rules } => {
                let schema = types::Column::schema(&columns);
                let (made, mut written) = Box::pin(self.create(state, &target, schema)).await?;
                if let Some(made) = made {
                    Box::pin(self.put_rules(state, &made, rules)).await?;
                    written.tag = "CREATE TABLE".to_owned();
                }
                Ok(written)
            }
            Write::CreateTableAs { target, query, names, has_data } => {
                Box::pin(self.create_as(state, target, query, names, has_data)).await
            }
            Write::CreateView { name, query, names, replaces } => {
                Box::pin(self.create_view(state, &name, *query, names, replaces)).await
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
                Box::pin(self.rename(state, &name, &to, is_lenient)).await
            }
            Write::Truncate { names, is_lenient } => {
                let mut written = Written::tag("TRUNCATE TABLE");
                for name in &names {
                    let target = self.writable(name)?;
                    match Box::pin(self.empty(state, &target)).await {
                        Ok(()) => {}
                        Err(error) if is_lenient && error.sqlstate() == "42P01" => {
                            written.note("00000", format!("{error}, skipping"));
                        }
                        Err(error) => return Err(error),
                    }
                }
                Ok(written)
            }
            Write::Insert { table, insert } => Box::pin(self.insert(state, &table, *insert)).await,
            Write::Update { table, update } => Box::pin(self.update(state, &table, *update)).await,
            Write::Delete { table, delete } => Box::pin(self.delete(state, &table, *delete)).await,
            Write::Merge { table, merge } => Box::pin(self.merge(state, &table, *merge)).await,
            Write::Comment { name, is_column, text } => {
                Box::pin(self.comment(state, &name, is_column, text)).await
            }
            Write::Nothing { tag, name, notice } => self.nothing(tag, name.as_ref(), notice),
            Write::Refused { sqlstate, message, hint } => {
                Err(Error::Statement { sqlstate, message, hint })
            }
        }
    }

    /// Takes all rows out of `target`.
    pub(super) async fn empty(&self, state: &mut State, target: &Target) -> Result<()> {
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

    pub(super) async fn rows_in(&self, state: &mut State, target: &Target) -> Result<u64> {
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
        mut insert: Insert,
    ) -> Result<Written> {
        let target = self.writable(table)?;
        let schema = self.schema_of(state, &target).await?;
        let rules = self.rules_of(state, &target).await?;
        let conflict = insert.on.take();
        let own = insert.table_alias.as_ref().map(|alias| alias.alias.clone());
        let returning = Returning::of_insert(&mut insert, &target);
        let plan = self.insert_plan(insert, &target, &schema, &rules).await?;
        let state_of_planner = self.context.state();
        let plan = self
            .on_planning_thread(async move { super::super::analyzed(&state_of_planner, plan) })
            .await?;
        let appending = async {
            if let Some(OnInsert::OnConflict(conflict)) = conflict {
                let found = self.rows_of(plan).await?;
                let found = self.aside(found, target.table(), &schema).await?;
                let asked = Asked { found, conflict, own, returning };
                return self.insert_beside(state, &target, asked).await;
            }
            let rows = self.rows_of(plan).await?;
            let Some(returning) = returning else {
                return Ok((self.append(state, &target, rows).await?, None));
            };
            let rows = self.aside(rows, target.table(), &schema).await?;
            let count = self.append_aside(state, &target, &rows).await?;
            let returned = self.returned(state, returning, &schema, rows).await?;
            Ok((count, Some(returned)))
        };
        let (rows, returned) = Box::pin(appending).await.map_err(|e| of_null(e, target.table()))?;
        Ok(Written { rows, returned, ..Written::tag(format!("INSERT 0 {rows}")) })
    }

    /// The SELECT that gives the rows of `insert`, in the order of the table's columns.
    async fn insert_plan(
        &self,
        mut insert: Insert,
        target: &Target,
        schema: &SchemaRef,
        rules: &Rules,
    ) -> Result<LogicalPlan> {
        (insert.on, insert.returning) = (None, None);
        let names: Vec<String> = schema.fields().iter().map(|f| f.name().clone()).collect();
        with_defaults(&mut insert, &names, rules)?;
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
            }
        }
        insert.table = TableObject::TableName(target.object_name());
        insert.table_alias = None;
        let plan = self.planned_in_its_words(Statement::Insert(insert), |_, plan| Ok(plan)).await?;
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
        mut delete: Delete,
    ) -> Result<Written> {
        let target = self.writable(table)?;
        let before = self.rows_in(state, &target).await?;
        let returning = Returning::of_delete(&mut delete, &target);
        if let Some(returning) = returning {
            return self.delete_returning(state, &target, delete, returning).await;
        }
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
        let plan = Box::pin(self.plan(Statement::Query(Box::new(rest)))).await?;
        let kept = self.replace(state, &target, vec![plan]).await?;
        let rows = before.saturating_sub(kept.iter().sum());
        Ok(Written { rows, ..Written::tag(format!("DELETE {rows}")) })
    }

    async fn update(
        &self,
        state: &mut State,
        table: &ObjectName,
        mut update: Update,
    ) -> Result<Written> {
        let target = self.writable(table)?;
        let schema = self.schema_of(state, &target).await?;
        let rules = self.rules_of(state, &target).await?;
        let returning = Returning::of_update(&mut update, &target);
        let changed = changed_columns(&update.assignments, &schema, &target, &rules, None)?;
        let from = vec![renamed(update.table, &target)];
        let changed_rows = select(from.clone(), changed, update.selection.clone())?;
        let mut plans = vec![self.plan(Statement::Query(Box::new(changed_rows))).await?];
        if let Some(condition) = update.selection {
            let stays = Expr::IsNotTrue(Box::new(Expr::Nested(Box::new(condition))));
            let rest = select(from, all_columns(), Some(stays))?;
            let plan = Box::pin(self.plan(Statement::Query(Box::new(rest)))).await?;
            // It is asked twice, of the rows that change and of those that stay.
            check_steady(&plan)?;
            plans.push(plan);
        }
        let Some(returning) = returning else {
            let rows = self.replace(state, &target, plans).await?.first().copied().unwrap_or(0);
            return Ok(Written { rows, ..Written::tag(format!("UPDATE {rows}")) });
        };
        let changed = self.rows_of(plans.remove(0)).await?;
        let changed = self.aside(changed, target.table(), &schema).await?;
        self.replace(state, &target, plans).await?;
        let rows = self.append_aside(state, &target, &changed).await?;
        let returned = Some(self.returned(state, returning, &schema, changed).await?);
        Ok(Written { rows, returned, ..Written::tag(format!("UPDATE {rows}")) })
    }

    /// Puts the rows of `plans` in the place of what `target` holds; how many each gave.
    pub(super) async fn replace(
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
            counts.push(Box::pin(self.append(state, target, rows)).await?);
        }
        Ok(counts)
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
        statement: Statement,
        write: Write,
    ) -> Result<HashMap<String, Option<DataType>>> {
        self.advance();
        let plan = match write {
            Write::Insert { table, insert } => {
                let target = self.writable(&table)?;
                let mut state = self.work.state();
                let schema = self.schema_of(&mut state, &target).await?;
                let rules = self.rules_of(&mut state, &target).await?;
                self.insert_plan(*insert, &target, &schema, &rules).await?
            }
            Write::CreateTableAs { query, .. } => self.planned(Statement::Query(query)).await?,
            Write::Update { table, .. } | Write::Delete { table, .. } => {
                self.writable(&table)?;
                self.planned_in_its_words(statement, |_, plan| Ok(plan)).await?
            }
            Write::Merge { table, .. } => {
                self.writable(&table)?;
                return Ok(HashMap::new());
            }
            _ => return Ok(HashMap::new()),
        };
        Ok(plan.get_parameter_types()?)
    }
}

/// The engine's refusal of NULL in a column that takes none, as Postgres words it.
fn of_null(error: Error, table: &str) -> Error {
    let text = error.chain();
    let Some((before, _)) = text.split_once("' is declared as non-nullable") else { return error };
    let column = before.rsplit('\'').next().unwrap_or_default();
    let message = format!(
        "null value in column \"{column}\" of relation \"{table}\" violates not-null constraint"
    );
    Error::statement("23502", message)
}

/// `table`, by the name that the planner finds.
pub(super) fn renamed(mut table: TableWithJoins, target: &Target) -> TableWithJoins {
    if let TableFactor::Table { name, alias, .. } = &mut table.relation {
        if alias.is_none() {
            let own = Ident::with_quote('"', target.table());
            *alias = Some(TableAlias { explicit: true, name: own, columns: vec![], at: None });
        }
        *name = target.object_name();
    }
    table
}

pub(super) fn all_columns() -> Vec<SelectItem> {
    vec![SelectItem::Wildcard(Default::default())]
}

/// `SELECT items FROM tables WHERE condition`.
pub(super) fn select(
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

/// The columns of a row that UPDATE changes, all of them, in the order of the table; those that stay
/// are read from `own`, if there is another table beside.
pub(super) fn changed_columns(
    assignments: &[Assignment],
    schema: &SchemaRef,
    target: &Target,
    rules: &Rules,
    own: Option<&Ident>,
) -> Result<Vec<SelectItem>> {
    let mut values: HashMap<String, Expr> = HashMap::new();
    for assignment in assignments {
        let AssignmentTarget::ColumnName(name) = &assignment.target else {
            let message = "assigning a row of columns at once is not available";
            return Err(Error::statement("0A000", message));
        };
        let column = parts(name)?.pop().unwrap_or_default();
        if schema.index_of(&column).is_err() {
            return Err(no_column(&column, target.table()));
        }
        let value = match is_default(&assignment.value) {
            true => default_of(rules, &column)?,
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
            None => SelectItem::UnnamedExpr(match own {
                Some(own) => Expr::CompoundIdentifier(vec![own.clone(), name]),
                None => Expr::Identifier(name),
            }),
        }
    });
    Ok(items.collect())
}

/// Refuses a condition that may answer otherwise when it is asked again.
pub(super) fn check_steady(plan: &LogicalPlan) -> Result<()> {
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
