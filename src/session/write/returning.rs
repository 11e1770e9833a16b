//! RETURNING: what a write gives back of the rows that it wrote.
//!
//! The rows are held in memory, like a temporary table that only the one SELECT reads.

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::sql::sqlparser::ast::{
    Delete, Expr, FromTable, Ident, Insert, ObjectName, OnCommit, Query, SelectItem, Statement,
    TableAlias, TableFactor, TableWithJoins, Update, Value,
};
use futures::{StreamExt, TryStreamExt};

use super::super::Session;
use super::change::{renamed, select};
use super::work::{State, Temporary, rows as count};
use super::{Returned, Target, Write, Written, types};
use crate::error::{Error, Result};

/// Name under which rows are put aside; no client's table has it.
pub(super) const ASIDE: &str = "runrate rows";

/// What a write gives back, and the name that its table has there.
pub(super) struct Returning {
    items: Vec<SelectItem>,
    alias: Ident,
}

impl Returning {
    fn of(items: Option<Vec<SelectItem>>, alias: Option<Ident>, target: &Target) -> Option<Self> {
        let alias = alias.unwrap_or_else(|| Ident::with_quote('"', target.table()));
        items.map(|items| Self { items, alias })
    }

    /// Takes RETURNING out of `insert`.
    pub(super) fn of_insert(insert: &mut Insert, target: &Target) -> Option<Self> {
        let alias = insert.table_alias.as_ref().map(|alias| alias.alias.clone());
        Self::of(insert.returning.take(), alias, target)
    }

    /// Takes RETURNING out of `update`.
    pub(super) fn of_update(update: &mut Update, target: &Target) -> Option<Self> {
        Self::of(update.returning.take(), alias_of(&update.table), target)
    }

    /// Takes RETURNING out of `delete`.
    pub(super) fn of_delete(delete: &mut Delete, target: &Target) -> Option<Self> {
        let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
        let alias = from.first().and_then(alias_of);
        Self::of(delete.returning.take(), alias, target)
    }

    /// The SELECT of what is given back, from `relation`.
    fn query(self, relation: ObjectName) -> Result<Query> {
        let alias = TableAlias { explicit: true, name: self.alias, columns: vec![], at: None };
        let mut from = select(vec![], self.items, None)?;
        let table = TableFactor::Table {
            name: relation,
            alias: Some(alias),
            args: None,
            with_hints: vec![],
            version: None,
            with_ordinality: false,
            partitions: vec![],
            json_path: None,
            sample: None,
            index_hints: vec![],
        };
        if let datafusion::sql::sqlparser::ast::SetExpr::Select(select) = from.body.as_mut() {
            select.from = vec![TableWithJoins { relation: table, joins: vec![] }];
        }
        Ok(from)
    }
}

fn alias_of(table: &TableWithJoins) -> Option<Ident> {
    match &table.relation {
        TableFactor::Table { alias, .. } => alias.as_ref().map(|alias| alias.name.clone()),
        _ => None,
    }
}

impl Session {
    /// The SELECT that has the columns of what `write` gives back; `None` if it gives nothing back.
    ///
    /// # Errors
    /// 42501 and 42P01 for a table that cannot be written.
    pub fn returning(&self, write: &Write) -> Result<Option<Statement>> {
        self.advance();
        let Some(table) = write.rows_of().filter(|_| write.returning().is_some()) else {
            return Ok(None);
        };
        let target = self.writable(table)?;
        let returning = match write.clone() {
            Write::Insert { mut insert, .. } => Returning::of_insert(&mut insert, &target),
            Write::Update { mut update, .. } => Returning::of_update(&mut update, &target),
            Write::Delete { mut delete, .. } => Returning::of_delete(&mut delete, &target),
            _ => None,
        };
        let Some(returning) = returning else { return Ok(None) };
        let query = returning.query(target.object_name())?;
        Ok(Some(Statement::Query(Box::new(query))))
    }

    /// `rows` of `table` in memory, fitted to `schema`.
    pub(super) async fn aside(
        &self,
        mut rows: SendableRecordBatchStream,
        table: &str,
        schema: &SchemaRef,
    ) -> Result<Vec<RecordBatch>> {
        let most = self.engine.config.temporary_bytes_max;
        let (mut batches, mut bytes) = (vec![], 0);
        while let Some(batch) = rows.next().await.transpose()? {
            if batch.num_rows() == 0 {
                continue;
            }
            let batch = types::fit(table, &batch, schema)?;
            bytes += batch.get_array_memory_size();
            if bytes > most {
                return Err(Error::Statement {
                    sqlstate: "53200",
                    message: format!(
                        "a statement with RETURNING or ON CONFLICT may write {most} bytes"
                    ),
                    hint: Some("Write in several statements, or without RETURNING.".into()),
                });
            }
            batches.push(batch);
        }
        Ok(batches)
    }

    /// Adds rows that were put aside to `target`; how many there were.
    pub(super) async fn append_aside(
        &self,
        state: &mut State,
        target: &Target,
        batches: &[RecordBatch],
    ) -> Result<u64> {
        if batches.is_empty() {
            return Ok(0);
        }
        let schema = batches[0].schema();
        let rows = futures::stream::iter(batches.to_vec().into_iter().map(Ok));
        let rows = Box::pin(RecordBatchStreamAdapter::new(schema, rows));
        Box::pin(self.append(state, target, rows)).await?;
        Ok(count(batches))
    }

    /// Shows `batches` to this session under [`ASIDE`], beside all else in `state`.
    pub(super) fn show_aside(
        &self,
        state: &State,
        schema: &SchemaRef,
        batches: Vec<RecordBatch>,
    ) -> Result<()> {
        let mut shown = state.clone();
        // Rows that were joined may be NULL where the table's may not.
        let schema = Schema::clone(schema);
        let rules = Default::default();
        let on_commit = OnCommit::PreserveRows;
        let table = Temporary { schema: schema.into(), batches, on_commit, rules };
        shown.temporary.insert(ASIDE.to_owned(), table);
        self.keep(shown)
    }

    /// What `returning` says of `batches`.
    pub(super) async fn returned(
        &self,
        state: &State,
        returning: Returning,
        schema: &SchemaRef,
        batches: Vec<RecordBatch>,
    ) -> Result<Returned> {
        self.show_aside(state, schema, batches)?;
        let query = returning.query(Target::Temporary(ASIDE.to_owned()).object_name())?;
        let plan = Box::pin(self.plan(Statement::Query(Box::new(query)))).await?;
        let schema: SchemaRef = plan.schema().inner().clone();
        let batches = Box::pin(self.run(plan)).await?.try_collect().await?;
        Ok(Returned { schema, batches })
    }

    /// DELETE ... RETURNING: the rows are read before they are taken out.
    pub(super) async fn delete_returning(
        &self,
        state: &mut State,
        target: &Target,
        delete: Delete,
        returning: Returning,
    ) -> Result<Written> {
        if delete.using.is_some() {
            return Err(Error::Statement {
                sqlstate: "0A000",
                message: "DELETE ... USING ... RETURNING is not available".into(),
                hint: Some("Use a subquery in WHERE.".into()),
            });
        }
        let schema = self.schema_of(state, target).await?;
        let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = delete.from;
        let from: Vec<TableWithJoins> =
            from.into_iter().map(|from| renamed(from, target)).collect();
        let all = || vec![SelectItem::Wildcard(Default::default())];
        let condition = match delete.selection {
            Some(condition) => condition,
            None => Expr::Value(Value::Boolean(true).into()),
        };
        let gone = select(from.clone(), all(), Some(condition.clone()))?;
        let gone = Box::pin(self.plan(Statement::Query(Box::new(gone)))).await?;
        super::change::check_steady(&gone)?;
        let gone = self.rows_of(gone).await?;
        let gone = self.aside(gone, target.table(), &schema).await?;
        let stays = Expr::IsNotTrue(Box::new(Expr::Nested(Box::new(condition))));
        let rest = select(from, all(), Some(stays))?;
        let rest = Box::pin(self.plan(Statement::Query(Box::new(rest)))).await?;
        self.replace(state, target, vec![rest]).await?;
        let rows = count(&gone);
        let returned = Some(self.returned(state, returning, &schema, gone).await?);
        Ok(Written { rows, returned, ..Written::tag(format!("DELETE {rows}")) })
    }
}
