//! MERGE, and INSERT ... ON CONFLICT, which is a MERGE of the new rows on a key.
//!
//! The table is written anew: rows that nothing happens to, rows that change, rows that are new.
//! A row that two rows of the source would change is refused, as Postgres does.

use datafusion::arrow::array::{Int64Array, RecordBatch};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::sqlparser::ast::{
    ConflictTarget, Expr, Ident, Merge, MergeAction, MergeClause, MergeClauseKind, MergeInsertKind,
    ObjectName, OnConflict, OnConflictAction, Query, SelectItem, SetExpr, Statement, TableFactor,
};

use super::super::{Session, limits};
use super::ask::{folded, parts};
use super::change::{changed_columns, check_steady};
use super::returning::{ASIDE, Returning};
use super::rules::default_of;
use super::work::State;
use super::{Returned, Target, Written, no_column};
use crate::error::{Error, Result};
use crate::lake::{Rules, TableKey};

/// Column that tells in which order the rows of an INSERT came.
const PLACE: &str = "runrate.place";

/// A merge in words of SQL.
struct Merging {
    /// The table, with the name that it goes by.
    target: String,
    /// That name.
    own: Ident,
    /// What it is merged with.
    source: String,
    /// When a row of one is a row of the other.
    on: String,
}

/// An INSERT ... ON CONFLICT.
pub(super) struct Asked {
    /// The rows, in memory.
    pub(super) found: Vec<RecordBatch>,
    pub(super) conflict: OnConflict,
    /// The name that the table goes by, if it has another one.
    pub(super) own: Option<Ident>,
    pub(super) returning: Option<Returning>,
}

/// What a clause does to rows that its condition holds for.
enum Action {
    Update(Vec<SelectItem>),
    Delete,
    Insert(Vec<Expr>),
}

impl Merging {
    fn query(&self, sql: &str) -> Result<Query> {
        match limits::parse(sql, usize::MAX)?.pop() {
            Some(Statement::Query(query)) => Ok(*query),
            _ => Err(Error::statement("XX000", "a part of MERGE is no query")),
        }
    }

    /// Rows of the table that are met by one of the source for which `when` holds.
    fn matched(&self, items: &[SelectItem], when: &str) -> Result<Query> {
        let Self { target, source, on, .. } = self;
        let mut query =
            self.query(&format!("SELECT 1 FROM {target} JOIN {source} ON {on} WHERE {when}"))?;
        if let SetExpr::Select(select) = query.body.as_mut() {
            select.projection = items.to_vec();
        }
        Ok(query)
    }

    /// Rows of the table that are not.
    fn kept(&self, when: &str) -> Result<Query> {
        let Self { target, own, source, on } = self;
        self.query(&format!(
            "SELECT {own}.* FROM {target} WHERE NOT EXISTS \
             (SELECT 1 FROM {source} WHERE ({on}) AND {when})"
        ))
    }

    /// Rows of the source that meet none of the table.
    fn new_rows(&self, values: &[Expr], when: &str) -> Result<Query> {
        let Self { target, source, on, .. } = self;
        let values: Vec<String> = values
            .iter()
            .enumerate()
            .map(|(at, value)| format!("{value} AS \"runrate.c{at}\""))
            .collect();
        self.query(&format!(
            "SELECT {} FROM {source} WHERE NOT EXISTS (SELECT 1 FROM {target} WHERE {on}) AND {when}",
            values.join(", ")
        ))
    }
}

/// What has been planned of a merge.
#[derive(Default)]
struct Planned {
    changed: Vec<LogicalPlan>,
    new: Vec<LogicalPlan>,
    /// Rows that are deleted.
    deleted: Vec<LogicalPlan>,
    kept: Option<LogicalPlan>,
}

impl Session {
    /// MERGE.
    pub(super) async fn merge(
        &self,
        state: &mut State,
        table: &ObjectName,
        merge: Merge,
    ) -> Result<Written> {
        let target = self.writable(table)?;
        let schema = self.schema_of(state, &target).await?;
        let rules = self.rules_of(state, &target).await?;
        let own = match &merge.table {
            TableFactor::Table { alias: Some(alias), .. } => alias.name.clone(),
            _ => Ident::with_quote('"', target.table()),
        };
        let merging = Merging {
            target: format!("{} AS {own}", target.object_name()),
            own,
            source: merge.source.to_string(),
            on: merge.on.to_string(),
        };
        let clauses = clauses(&merge.clauses, &schema, &target, &rules, &merging.own)?;
        let before = self.rows_in(state, &target).await?;
        let planned = self.planned_merge(&merging, &clauses).await?;
        let rows = self.done(state, &target, planned, before, "MERGE").await?;
        Ok(Written { rows, ..Written::tag(format!("MERGE {rows}")) })
    }

    /// The plans of a merge; `clauses` in the order in which they are asked.
    async fn planned_merge(
        &self,
        merging: &Merging,
        clauses: &[(Option<Expr>, Action)],
    ) -> Result<Planned> {
        let mut planned = Planned::default();
        let (mut matched, mut others): (Vec<String>, Vec<String>) = (vec![], vec![]);
        let mut gone: Vec<String> = vec![];
        for (when, action) in clauses {
            let asked = match action {
                Action::Insert(_) => &mut others,
                _ => &mut matched,
            };
            let own = when.as_ref().map_or_else(|| "true".to_owned(), |when| when.to_string());
            let own = format!("(({own}) IS TRUE)");
            let earlier = asked.iter().map(|earlier| format!(" AND NOT {earlier}"));
            let holds = format!("({own}{})", earlier.collect::<String>());
            asked.push(own);
            let (query, into) = match action {
                Action::Update(items) => {
                    gone.push(holds.clone());
                    (merging.matched(items, &holds)?, &mut planned.changed)
                }
                Action::Delete => {
                    gone.push(holds.clone());
                    let one = SelectItem::UnnamedExpr(super::super::dialect::made("1", &[])?);
                    (merging.matched(&[one], &holds)?, &mut planned.deleted)
                }
                Action::Insert(values) => (merging.new_rows(values, &holds)?, &mut planned.new),
            };
            let plan = Box::pin(self.plan(Statement::Query(Box::new(query)))).await?;
            // It is asked again, of the rows that stay.
            check_steady(&plan)?;
            into.push(plan);
        }
        if !gone.is_empty() {
            let query = merging.kept(&format!("({})", gone.join(" OR ")))?;
            planned.kept = Some(Box::pin(self.plan(Statement::Query(Box::new(query)))).await?);
        }
        Ok(planned)
    }

    /// Does what was planned; how many rows were written or deleted.
    async fn done(
        &self,
        state: &mut State,
        target: &Target,
        planned: Planned,
        before: u64,
        what: &str,
    ) -> Result<u64> {
        let mut new = vec![];
        for plan in planned.new {
            new.push(self.rows_of(plan).await?);
        }
        let mut rows = 0;
        if let Some(kept) = planned.kept {
            let mut deleted = 0;
            for plan in planned.deleted {
                let mut gone = self.rows_of(plan).await?;
                while let Some(batch) = futures::TryStreamExt::try_next(&mut gone).await? {
                    deleted += batch.num_rows() as u64;
                }
            }
            let plans = std::iter::once(kept).chain(planned.changed).collect();
            let counts = self.replace(state, target, plans).await?;
            let changed: u64 = counts.iter().skip(1).sum();
            if counts.first().copied().unwrap_or(0) + changed + deleted != before {
                return Err(twice(what));
            }
            rows += changed + deleted;
        }
        for stream in new {
            rows += Box::pin(self.append(state, target, stream)).await?;
        }
        Ok(rows)
    }

    /// INSERT ... ON CONFLICT of rows that are put aside.
    pub(super) async fn insert_beside(
        &self,
        state: &mut State,
        target: &Target,
        asked: Asked,
    ) -> Result<(u64, Option<Returned>)> {
        let Asked { found, conflict, own, returning } = asked;
        let schema = self.schema_of(state, target).await?;
        let rules = self.rules_of(state, target).await?;
        let key = key_of(&rules, conflict.conflict_target.as_ref(), &conflict.action)?;
        let (placed, wider) = with_places(&found, &schema)?;
        self.show_aside(state, &wider, placed)?;
        let aside = Target::Temporary(ASIDE.to_owned()).object_name();
        let own = own.unwrap_or_else(|| Ident::with_quote('"', target.table()));
        let quoted = |name: &String| Ident::with_quote('"', name).to_string();
        let columns: Vec<String> =
            key.iter().flat_map(|key| key.columns.iter().map(quoted)).collect();
        let on: Vec<String> =
            columns.iter().map(|name| format!("{own}.{name} = excluded.{name}")).collect();
        let on = if on.is_empty() { "false".to_owned() } else { on.join(" AND ") };
        let mut source = format!("{aside} AS excluded");
        let mut clauses = vec![];
        let values = schema.fields().iter().map(|field| {
            let name = Ident::with_quote('"', field.name());
            Expr::CompoundIdentifier(vec![Ident::new("excluded"), name])
        });
        match &conflict.action {
            OnConflictAction::DoUpdate(update) => {
                if let Some(key) = &key
                    && self.shared_key(key, &aside.to_string()).await?.is_some()
                {
                    return Err(twice("ON CONFLICT DO UPDATE"));
                }
                let changed =
                    changed_columns(&update.assignments, &schema, target, &rules, Some(&own))?;
                clauses.push((update.selection.clone(), Action::Update(changed)));
            }
            OnConflictAction::DoNothing if !columns.is_empty() => {
                source = first_of_each(&columns, &aside);
            }
            OnConflictAction::DoNothing => {}
        }
        clauses.push((None, Action::Insert(values.collect())));
        let merging =
            Merging { target: format!("{} AS {own}", target.object_name()), own, source, on };
        let before = self.rows_in(state, target).await?;
        let mut planned = self.planned_merge(&merging, &clauses).await?;
        let Some(returning) = returning else {
            let rows = self.done(state, target, planned, before, "ON CONFLICT DO UPDATE").await?;
            return Ok((rows, None));
        };
        let mut written = vec![];
        for plan in planned.changed.drain(..).chain(planned.new.drain(..)) {
            let rows = self.rows_of(plan).await?;
            written.extend(self.aside(rows, target.table(), &schema).await?);
        }
        if let Some(kept) = planned.kept {
            self.replace(state, target, vec![kept]).await?;
        }
        let rows = self.append_aside(state, target, &written).await?;
        Ok((rows, Some(self.returned(state, returning, &schema, written).await?)))
    }
}

/// Of the rows `aside` that share a key the first.
fn first_of_each(key: &[String], aside: &ObjectName) -> String {
    let unknown: Vec<String> = key.iter().map(|name| format!("{name} IS NULL")).collect();
    format!(
        "(SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY {} ORDER BY \"{PLACE}\") \
         AS \"runrate.copy\" FROM {aside}) AS \"new\" \
         WHERE \"runrate.copy\" = 1 OR {}) AS excluded",
        key.join(", "),
        unknown.join(" OR ")
    )
}

/// 21000.
fn twice(what: &str) -> Error {
    Error::Statement {
        sqlstate: "21000",
        message: format!("{what} command cannot affect row a second time"),
        hint: Some("Ensure that not more than one source row matches any one target row.".into()),
    }
}

/// The key that ON CONFLICT means.
fn key_of(
    rules: &Rules,
    target: Option<&ConflictTarget>,
    action: &OnConflictAction,
) -> Result<Option<TableKey>> {
    let found = match target {
        None => {
            return match (rules.keys.as_slice(), action) {
                (_, OnConflictAction::DoUpdate(_)) => Err(Error::statement(
                    "42601",
                    "ON CONFLICT DO UPDATE requires inference specification or constraint name",
                )),
                ([], _) => Ok(None),
                ([only], _) => Ok(Some(only.clone())),
                _ => Err(Error::Statement {
                    sqlstate: "0A000",
                    message: "ON CONFLICT DO NOTHING needs the columns of one key here".into(),
                    hint: Some("Say ON CONFLICT (columns) DO NOTHING.".into()),
                }),
            };
        }
        Some(ConflictTarget::Columns(columns)) => {
            let mut wanted: Vec<String> = columns.iter().map(folded).collect();
            wanted.sort();
            rules.keys.iter().find(|key| {
                let mut columns = key.columns.clone();
                columns.sort();
                columns == wanted
            })
        }
        Some(ConflictTarget::OnConstraint(name)) => {
            let name = parts(name)?.pop().unwrap_or_default();
            rules.keys.iter().find(|key| key.name == name)
        }
    };
    found.cloned().map(Some).ok_or_else(|| {
        Error::statement(
            "42P10",
            "there is no unique or exclusion constraint matching the ON CONFLICT specification",
        )
    })
}

/// `batches` with a column that numbers their rows.
fn with_places(
    batches: &[RecordBatch],
    schema: &SchemaRef,
) -> Result<(Vec<RecordBatch>, SchemaRef)> {
    let place = Field::new(PLACE, DataType::Int64, false);
    let fields = schema.fields().iter().map(|field| field.as_ref().clone()).chain([place]);
    let wider: SchemaRef = Schema::new(fields.collect::<Vec<_>>()).into();
    let mut next = 0_i64;
    let placed = batches.iter().map(|batch| {
        let end = next + batch.num_rows() as i64;
        let places = Int64Array::from_iter_values(next..end);
        next = end;
        let mut columns = batch.columns().to_vec();
        columns.push(std::sync::Arc::new(places));
        Ok(RecordBatch::try_new(wider.clone(), columns)?)
    });
    let placed = placed.collect::<Result<Vec<_>>>()?;
    Ok((placed, wider))
}

/// What the clauses of MERGE do, each with its condition.
fn clauses(
    given: &[MergeClause],
    schema: &SchemaRef,
    target: &Target,
    rules: &Rules,
    own: &Ident,
) -> Result<Vec<(Option<Expr>, Action)>> {
    let refuse = |what: String| Error::statement("0A000", format!("{what} is not available"));
    let one = |clause: &MergeClause| {
        let is_matched = match clause.clause_kind {
            MergeClauseKind::Matched => true,
            MergeClauseKind::NotMatched | MergeClauseKind::NotMatchedByTarget => false,
            MergeClauseKind::NotMatchedBySource => {
                return Err(refuse("WHEN NOT MATCHED BY SOURCE".into()));
            }
        };
        let action = match (&clause.action, is_matched) {
            (MergeAction::Update(update), true) => Action::Update(changed_columns(
                &update.assignments,
                schema,
                target,
                rules,
                Some(own),
            )?),
            (MergeAction::Delete { .. }, true) => Action::Delete,
            (MergeAction::Insert(insert), false) => {
                let MergeInsertKind::Values(values) = &insert.kind else {
                    return Err(refuse("INSERT ROW".into()));
                };
                let row = values.rows.first().map(|row| row.content.as_slice());
                Action::Insert(inserted(
                    &insert.columns,
                    row.unwrap_or_default(),
                    schema,
                    target,
                    rules,
                )?)
            }
            (action, _) => return Err(refuse(format!("{} {action}", clause.clause_kind))),
        };
        Ok((clause.predicate.clone(), action))
    };
    given.iter().map(one).collect()
}

/// The values of a new row in the order of the table.
fn inserted(
    columns: &[ObjectName],
    values: &[Expr],
    schema: &SchemaRef,
    target: &Target,
    rules: &Rules,
) -> Result<Vec<Expr>> {
    let mut named = vec![];
    for column in columns {
        let name = parts(column)?.pop().unwrap_or_default();
        if schema.index_of(&name).is_err() {
            return Err(no_column(&name, target.table()));
        }
        named.push(name);
    }
    if columns.is_empty() {
        named = schema.fields().iter().take(values.len()).map(|f| f.name().clone()).collect();
    }
    if values.len() != named.len() {
        let what = if values.len() > named.len() { "expressions" } else { "target columns" };
        let message = format!("INSERT has more {what} than the other");
        return Err(Error::statement("42601", message));
    }
    let value = |field: &str| match named.iter().position(|name| name == field) {
        Some(at) if !super::ask::is_default(&values[at]) => Ok(values[at].clone()),
        _ => default_of(rules, field),
    };
    schema.fields().iter().map(|field| value(field.name())).collect()
}
