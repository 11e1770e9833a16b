//! Prepared statements and portals: what Parse and Bind leave behind.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use chrono::{DateTime, Utc};
use datafusion::arrow::datatypes::DataType;
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::sqlparser::ast::{Expr, Statement};

use super::catalog;
use super::encode::{Format, types};
use super::masking::Masked;
use super::names;
use super::outbox::ColumnDescription;
use super::parameters::{self, Sent};
use super::rows::{self, Rows};
use super::statement::Command;
use super::write::returning_columns;
use crate::error::{Error, Result};
use crate::session::{Session, Write};

/// A query in the shape that the planner takes, and the names of its columns.
#[derive(Debug, Clone)]
pub(super) struct Query {
    statement: Statement,
    names: Option<Vec<String>>,
    source: String,
    said: OnceLock<Arc<Masked>>,
}

/// What a statement answers with, as RowDescription says it.
pub(super) type Columns = Vec<ColumnDescription>;

impl Query {
    /// Takes over what only Postgres says like that; `text` is the client's, if it holds only this.
    pub(super) fn new(statement: Statement, text: Option<&str>) -> Self {
        let names = names::of(&statement);
        let source = text.map_or_else(|| statement.to_string(), str::to_owned);
        let statement = catalog::rewrite(statement);
        Self { statement, names, source, said: OnceLock::new() }
    }

    /// Its text.
    pub(super) fn source(&self) -> &str {
        &self.source
    }

    /// What is written down of it.
    pub(super) fn said(&self) -> Arc<Masked> {
        let said = || Masked::of_statement(&self.source, &self.statement);
        self.said.get_or_init(said).clone()
    }

    /// The plan with `values` in the place of its parameters, and its columns.
    pub(super) async fn plan(
        &self,
        session: &Session,
        values: &BTreeMap<usize, Expr>,
    ) -> Result<(LogicalPlan, Columns)> {
        let mut statement = self.statement.clone();
        parameters::substitute(&mut statement, values);
        let plan = session.plan(statement).await?;
        let columns = rows::columns(plan.schema().as_arrow(), self.names.as_deref())?;
        Ok((plan, columns))
    }
}

/// A statement after Parse or PREPARE.
#[derive(Debug)]
pub(super) struct Prepared {
    /// `None` is a text without a statement.
    pub(super) command: Option<Command>,
    /// The query, if it is one.
    pub(super) query: Option<Query>,
    /// Types of `$1`, `$2`, ...
    pub(super) parameters: Vec<u32>,
    /// `None` for a statement that answers with no rows.
    pub(super) columns: Option<Columns>,
    /// What the client said.
    pub(super) source: String,
    /// When it was prepared.
    pub(super) prepared_at: DateTime<Utc>,
    /// Whether PREPARE made it, and not a message of the protocol.
    pub(super) is_from_sql: bool,
}

impl Prepared {
    /// Parses `sql` and finds the types of its parameters; `declared` are those the client gave.
    ///
    /// # Errors
    /// 42601 for more than one statement, 42P02 for `$0`, and what the planner finds wrong.
    pub(super) async fn parse(session: &Session, sql: &str, declared: &[u32]) -> Result<Self> {
        let mut statements = session.parse(sql)?;
        let statement = statements.pop();
        if !statements.is_empty() {
            let message = "cannot insert multiple commands into a prepared statement";
            return Err(Error::statement("42601", message));
        }
        let Some(statement) = statement else {
            let source = String::new();
            return Ok(Self {
                command: None,
                query: None,
                parameters: vec![],
                columns: None,
                source,
                prepared_at: Utc::now(),
                is_from_sql: false,
            });
        };
        Self::of(session, statement, Some(sql), declared).await
    }

    /// As [`Prepared::parse`], for a statement that is parsed.
    pub(super) async fn of(
        session: &Session,
        mut statement: Statement,
        text: Option<&str>,
        declared_types: &[u32],
    ) -> Result<Self> {
        let source = text.map_or_else(|| statement.to_string(), str::to_owned);
        let (prepared_at, is_from_sql) = (Utc::now(), text.is_none());
        let count = parameters::count(&mut statement)?.max(declared_types.len());
        let command = Command::of(statement);
        let Command::Query(statement) = &command else {
            let mut columns = command.columns();
            let parameters = match &command {
                Command::Declare(declared) if count > 0 => {
                    infer(session, declared.statement(), count, declared_types).await?
                }
                // Asked even without parameters: what is wrong with a write is told at once.
                Command::Write(statement) if is_of_rows(statement) || count > 0 => {
                    infer_write(session, statement, count, declared_types).await?
                }
                _ => vec![],
            };
            if let Command::Write(statement) = &command {
                let mut statement = statement.as_ref().clone();
                let nulls = parameters.iter().enumerate();
                let nulls = nulls.map(|(at, oid)| (at + 1, parameters::null(*oid))).collect();
                parameters::substitute(&mut statement, &nulls);
                if let Some(write) = Write::of(&statement) {
                    columns = returning_columns(session, &write).await?;
                }
            }
            let command = Some(command);
            let query = None;
            return Ok(Self {
                command,
                query,
                parameters,
                columns,
                source,
                prepared_at,
                is_from_sql,
            });
        };
        let query = Query::new(statement.as_ref().clone(), text);
        let parameters = infer(session, statement.as_ref().clone(), count, declared_types).await?;
        let nulls = parameters.iter().enumerate();
        let nulls = nulls.map(|(at, oid)| (at + 1, parameters::null(*oid))).collect();
        let (_, columns) = query.plan(session, &nulls).await?;
        let (command, query, columns) = (Some(command), Some(query), Some(columns));
        Ok(Self { command, query, parameters, columns, source, prepared_at, is_from_sql })
    }

    /// The literals of the values that Bind brings.
    ///
    /// # Errors
    /// 08P01 for a wrong number of values, 22P02 and 22P03 for values that are none of their type.
    pub(super) fn bind(&self, sent: &[Sent]) -> Result<BTreeMap<usize, Expr>> {
        if sent.len() != self.parameters.len() {
            let message = format!(
                "bind message supplies {} parameters, but the prepared statement requires {}",
                sent.len(),
                self.parameters.len()
            );
            return Err(Error::statement("08P01", message));
        }
        let pairs = sent.iter().zip(&self.parameters).enumerate();
        pairs
            .map(|(at, (sent, oid))| Ok((at + 1, parameters::value(*oid, sent, at + 1)?)))
            .collect()
    }
}

impl Prepared {
    /// The values that EXECUTE gives, as they are written there.
    ///
    /// # Errors
    /// 42601 for a wrong number of values.
    pub(super) fn typed(&self, given: Vec<Expr>) -> Result<BTreeMap<usize, Expr>> {
        if given.len() != self.parameters.len() {
            let message = format!(
                "wrong number of parameters: {} where {} are expected",
                given.len(),
                self.parameters.len()
            );
            return Err(Error::statement("42601", message));
        }
        let pairs = given.into_iter().zip(&self.parameters).enumerate();
        Ok(pairs.map(|(at, (expr, oid))| (at + 1, parameters::typed(expr, *oid))).collect())
    }
}

/// Whether `statement` writes rows into a table that is there.
pub(super) fn is_of_rows(statement: &Statement) -> bool {
    matches!(
        statement,
        Statement::Insert(_) | Statement::Update(_) | Statement::Delete(_) | Statement::Merge(_)
    )
}

/// Types of the parameters of a write.
async fn infer_write(
    session: &Session,
    statement: &Statement,
    count: usize,
    declared: &[u32],
) -> Result<Vec<u32>> {
    if Write::of(statement).is_some_and(|write| matches!(write, Write::Refused { .. })) {
        // Told when it is executed.
        return Ok(vec![types::TEXT; count]);
    }
    let mut statement = statement.clone();
    let mut known = parameters::told_by_syntax(&mut statement);
    let given = declared.iter().enumerate().filter(|(_, oid)| ![0, types::UNKNOWN].contains(oid));
    known.extend(given.map(|(at, oid)| (at + 1, *oid)));
    let nulls = known.iter().map(|(number, oid)| (*number, parameters::null(*oid))).collect();
    parameters::substitute(&mut statement, &nulls);
    for (name, data_type) in session.parameter_types(statement).await? {
        let Some(number) = name.strip_prefix('$').and_then(|n| n.parse().ok()) else { continue };
        let found = data_type.filter(|found| *found != DataType::Null);
        let oid = found.map_or(Ok(types::TEXT), |found| types::of(&found).map(|t| t.oid))?;
        known.entry(number).or_insert(oid);
    }
    Ok((1..=count).map(|number| known.get(&number).copied().unwrap_or(types::TEXT)).collect())
}

/// Types of `count` parameters: as declared, as the syntax tells, as the planner finds, or text.
async fn infer(
    session: &Session,
    mut statement: Statement,
    count: usize,
    declared: &[u32],
) -> Result<Vec<u32>> {
    let mut known = parameters::told_by_syntax(&mut statement);
    let given = declared.iter().enumerate().filter(|(_, oid)| ![0, types::UNKNOWN].contains(oid));
    known.extend(given.map(|(at, oid)| (at + 1, *oid)));
    if (1..=count).any(|number| !known.contains_key(&number)) {
        let lists = parameters::any_to_in(&mut statement);
        let mut statement = catalog::rewrite(statement);
        let nulls = known.iter().map(|(number, oid)| (*number, parameters::null(*oid))).collect();
        parameters::substitute(&mut statement, &nulls);
        for (name, data_type) in session.parameter_types(statement).await? {
            let Some(number) = name.strip_prefix('$').and_then(|n| n.parse().ok()) else {
                continue;
            };
            let found = data_type.filter(|found| *found != DataType::Null);
            let oid = found.map_or(Ok(types::TEXT), |found| types::of(&found).map(|t| t.oid))?;
            let is_list = lists.contains(&number);
            let array = types::ARRAYS.iter().find(|(element, _)| is_list && *element == oid);
            known.entry(number).or_insert(array.map_or(oid, |(_, array)| *array));
        }
    }
    Ok((1..=count).map(|number| known.get(&number).copied().unwrap_or(types::TEXT)).collect())
}

/// A prepared statement with its values, perhaps halfway through its rows.
pub(super) struct Portal {
    pub(super) prepared: std::sync::Arc<Prepared>,
    pub(super) values: BTreeMap<usize, Expr>,
    pub(super) formats: Vec<Format>,
    /// The rows, from the first Execute on.
    pub(super) rows: Option<Rows>,
    /// Whether all rows are sent.
    pub(super) is_done: bool,
}

/// One format a column: the codes as Bind gives them (none, one for all, or one each).
///
/// # Errors
/// 08P01 for a code that is neither text nor binary, or a number of codes that does not fit.
pub(super) fn formats(codes: &[i16], columns: usize) -> Result<Vec<Format>> {
    let format = |code: &i16| match code {
        0 => Ok(Format::Text),
        1 => Ok(Format::Binary),
        _ => Err(Error::statement("08P01", format!("unsupported format code: {code}"))),
    };
    match codes {
        [] => Ok(vec![Format::Text; columns]),
        [all] => Ok(vec![format(all)?; columns]),
        each if each.len() == columns => each.iter().map(format).collect(),
        each => {
            let message = format!("{} format codes for {columns} values", each.len());
            Err(Error::statement("08P01", message))
        }
    }
}
