//! Rows on their way into a table: fitted to its columns, held while they are few.

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::StreamExt;

use super::super::Session;
use super::types::fit;
use super::work::{PendingTable, State, bytes, rows as count};
use super::{After, Relation, Target, no_table};
use crate::error::{Error, Result};
use crate::lake::{Layout, MadeRelation, TableName, over_quota};

/// Bytes that a transaction holds of one table before they go to a file.
const HELD_BYTES_MAX: usize = 8 << 20;
/// Parquet is smaller than rows in memory; beyond this much it is not going to fit a quota.
const EXPANSION_MAX: u64 = 16;

/// `rows` with the columns of `schema`, those that they do not have NULL.
pub(super) fn by_name(
    rows: SendableRecordBatchStream,
    schema: SchemaRef,
) -> SendableRecordBatchStream {
    let target = schema.clone();
    let rows = rows.map(move |batch| {
        let batch = batch?;
        let columns = target.fields().iter().map(|field| {
            let Some(column) = batch.column_by_name(field.name()) else {
                let kind = field.data_type();
                return Ok(datafusion::arrow::array::new_null_array(kind, batch.num_rows()));
            };
            Ok(cast(column, field.data_type())?)
        });
        let columns = columns.collect::<Result<Vec<_>, DataFusionError>>()?;
        // Whether NULL may be is asked when the rows are fitted.
        let fields: Vec<_> = target
            .fields()
            .iter()
            .map(|field| field.as_ref().clone().with_nullable(true))
            .collect();
        let loose = datafusion::arrow::datatypes::Schema::new(fields);
        Ok(RecordBatch::try_new(std::sync::Arc::new(loose), columns)?)
    });
    Box::pin(RecordBatchStreamAdapter::new(schema, rows))
}

/// `rows` fitted to the columns of `table`, place by place, and not more than `bytes_max`.
fn fitted(
    rows: SendableRecordBatchStream,
    table: String,
    schema: SchemaRef,
    too_much: Option<(u64, Error)>,
) -> SendableRecordBatchStream {
    let target = schema.clone();
    let mut seen = 0;
    let mut too_much = too_much;
    let rows = rows.map(move |batch| {
        let batch = fit(&table, &batch?, &target).map_err(external)?;
        seen += batch.get_array_memory_size() as u64;
        if too_much.as_ref().is_some_and(|(most, _)| seen > *most)
            && let Some((_, error)) = too_much.take()
        {
            return Err(external(error));
        }
        Ok(batch)
    });
    Box::pin(RecordBatchStreamAdapter::new(schema, rows))
}

fn external(error: Error) -> DataFusionError {
    match error {
        Error::Query(inner) => *inner,
        other => DataFusionError::External(Box::new(other)),
    }
}

impl Session {
    /// Adds `rows` to `target`, column by column; how many there were.
    pub(super) async fn append(
        &self,
        state: &mut State,
        target: &Target,
        rows: SendableRecordBatchStream,
    ) -> Result<u64> {
        let schema = self.schema_of(state, target).await?;
        let (batches, rest) = match target {
            Target::Temporary(name) => {
                let rows = fitted(rows, name.clone(), schema, None);
                let most = self.engine.config.temporary_bytes_max;
                let room = most.saturating_sub(state.temporary_bytes());
                let (batches, rest) = first_of(rows, room).await?;
                if rest.is_some() {
                    return Err(Error::Statement {
                        sqlstate: "53200",
                        message: format!("temporary tables of a session may hold {most} bytes"),
                        hint: Some("Drop some, or narrow the rows that go into them.".into()),
                    });
                }
                (batches, None)
            }
            Target::Stored(name) => {
                let quota = self.check_quota(state, name)?;
                let rows = fitted(rows, name.table.clone(), schema, quota);
                first_of(rows, HELD_BYTES_MAX).await?
            }
        };
        let written = count(&batches);
        match target {
            Target::Temporary(name) => {
                let table = state.temporary.get_mut(name).ok_or_else(|| no_table(name))?;
                table.batches.extend(batches);
                Ok(written)
            }
            Target::Stored(name) => {
                let table = self.pending(state, name).await?;
                table.held.extend(batches);
                let Some(rest) = rest else {
                    if bytes(&table.held) > HELD_BYTES_MAX || table.held.len() > 4_096 {
                        Box::pin(self.flush(name, table)).await?;
                    }
                    return Ok(written);
                };
                Box::pin(self.flush(name, table)).await?;
                let more =
                    Box::pin(self.engine.lake.draft_add(name, &mut table.draft, rest)).await?;
                self.reread(name, table).await?;
                self.check_quota(state, name)?;
                Ok(written + more)
            }
        }
    }

    /// Writes the rows that `table` holds in memory to a file.
    pub(super) async fn flush(&self, name: &TableName, table: &mut PendingTable) -> Result<()> {
        if table.held.is_empty() {
            return Ok(());
        }
        let schema = table.stored.schema();
        let held = std::mem::take(&mut table.held).into_iter().map(Ok);
        let rows = RecordBatchStreamAdapter::new(schema, futures::stream::iter(held));
        Box::pin(self.engine.lake.draft_add(name, &mut table.draft, Box::pin(rows))).await?;
        self.reread(name, table).await
    }

    /// Makes what was just written to files of `table` readable.
    pub(super) async fn reread(&self, name: &TableName, table: &mut PendingTable) -> Result<()> {
        table.stored = Box::pin(self.engine.lake.draft_table(name, &table.draft)).await?.provider();
        Ok(())
    }

    /// The table `name`, ready to be changed.
    pub(super) async fn pending<'a>(
        &self,
        state: &'a mut State,
        name: &TableName,
    ) -> Result<&'a mut PendingTable> {
        if !state.changes.contains_key(name) {
            let made = self.tables.made();
            let Some(MadeRelation::Table(table)) = made.relation(name) else {
                return Err(match made.relation(name) {
                    Some(_) => not_a(&name.table, "table"),
                    None => no_table(&name.to_string()),
                });
            };
            let draft = Box::pin(self.engine.lake.draft_of(name, table)).await?;
            let stored = Box::pin(self.engine.lake.draft_table(name, &draft)).await?.provider();
            let before = Some(MadeRelation::Table(table.clone()));
            let after = Some(After::Table(PendingTable { draft, held: vec![], stored }));
            state.changes.insert(name.clone(), super::work::Pending { before, after });
        }
        match state.changes.get_mut(name).and_then(|pending| pending.after.as_mut()) {
            Some(After::Table(table)) => Ok(table),
            Some(After::View(_)) => Err(not_a(&name.table, "table")),
            None => Err(no_table(&name.to_string())),
        }
    }

    /// Columns of `target`.
    pub(super) async fn schema_of(&self, state: &mut State, target: &Target) -> Result<SchemaRef> {
        match target {
            Target::Temporary(name) => {
                let table = state.temporary.get(name).ok_or_else(|| no_table(name))?;
                Ok(table.schema.clone())
            }
            Target::Stored(name) => Ok(self.pending(state, name).await?.stored.schema()),
        }
    }

    /// Makes the table `name` in `state`, in the place of nothing.
    pub(super) async fn make(
        &self,
        state: &mut State,
        name: &TableName,
        schema: SchemaRef,
    ) -> Result<()> {
        self.check_quota(state, name)?;
        let layout = Layout { schema, key: vec![], meaning: String::new() };
        let draft = Box::pin(self.engine.lake.draft_new(name, &layout)).await?;
        let stored = Box::pin(self.engine.lake.draft_table(name, &draft)).await?.provider();
        let after = Some(After::Table(PendingTable { draft, held: vec![], stored }));
        self.put(state, name, after);
        Ok(())
    }

    /// Puts `after` under `name`.
    pub(super) fn put(&self, state: &mut State, name: &TableName, after: Option<After>) {
        let before = match state.changes.get(name) {
            Some(pending) => pending.before.clone(),
            None => self.tables.made().relation(name).cloned(),
        };
        state.changes.insert(name.clone(), super::work::Pending { before, after });
    }

    /// Refuses to add to a schema that is above its quota already, as the transaction leaves it; how
    /// much more may come, and what is said beyond it.
    fn check_quota(&self, state: &State, name: &TableName) -> Result<Option<(u64, Error)>> {
        let Some(quota) = self.access().limits().scratch_bytes_max else { return Ok(None) };
        let made = self.tables.made();
        let mut bytes = made.bytes(&name.schema);
        for (other, pending) in state.changes.iter().filter(|(o, _)| o.schema == name.schema) {
            bytes = bytes.saturating_sub(made.table(other).map_or(0, |table| table.bytes));
            if let Some(After::Table(table)) = &pending.after {
                bytes += table.draft.bytes();
            }
        }
        if bytes > quota {
            return Err(over_quota(&name.schema, bytes, quota));
        }
        let most = (quota - bytes).saturating_mul(EXPANSION_MAX).saturating_add(64 << 20);
        Ok(Some((most, over_quota(&name.schema, most, quota))))
    }

    /// The SELECT's rows of `plan`.
    pub(super) async fn rows_of(
        &self,
        plan: datafusion::logical_expr::LogicalPlan,
    ) -> Result<SendableRecordBatchStream> {
        Box::pin(self.run(plan)).await
    }

    /// What is under `name`, a relation of `kind`.
    pub(super) fn check_kind(
        &self,
        state: &State,
        name: &TableName,
        kind: Relation,
    ) -> Result<bool> {
        match self.relation(state, name) {
            None => Ok(false),
            Some(found) if found == kind => Ok(true),
            Some(_) => {
                Err(not_a(&name.table, if kind == Relation::Table { "table" } else { "view" }))
            }
        }
    }
}

/// 42809.
fn not_a(name: &str, kind: &str) -> Error {
    let other = if kind == "table" { "VIEW" } else { "TABLE" };
    Error::Statement {
        sqlstate: "42809",
        message: format!("\"{name}\" is not a {kind}"),
        hint: Some(format!("It is a {}.", other.to_lowercase())),
    }
}

/// The first batches of `rows`, up to `bytes_max`, and the others, if there are more.
async fn first_of(
    mut rows: SendableRecordBatchStream,
    bytes_max: usize,
) -> Result<(Vec<RecordBatch>, Option<SendableRecordBatchStream>)> {
    let schema = rows.schema();
    let (mut batches, mut seen) = (vec![], 0);
    while let Some(batch) = rows.next().await.transpose()? {
        if batch.num_rows() == 0 {
            continue;
        }
        seen += batch.get_array_memory_size();
        batches.push(batch);
        if seen > bytes_max {
            let first = futures::stream::iter(std::mem::take(&mut batches).into_iter().map(Ok));
            let all = RecordBatchStreamAdapter::new(schema, first.chain(rows));
            return Ok((vec![], Some(Box::pin(all))));
        }
    }
    Ok((batches, None))
}
