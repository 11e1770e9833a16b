//! What a writing statement asks for: the writes that are allowed, and nothing else.
//!
//! A statement that is in no arm here is refused by [`super::super::gate`], as one that does not
//! only read.

use datafusion::sql::sqlparser::ast::{
    AlterTableOperation, CommentObject, CreateTable, CreateView, Delete, Expr, FromTable, Ident,
    Insert, Merge, ObjectName, ObjectType, OnCommit, OnInsert, Query, RenameTableNameKind,
    SchemaName, SelectItem, SetExpr, Statement, TableObject, TableWithJoins, Update,
};

use super::types::Column;
use crate::error::{Error, Result};
use crate::lake::Rules;

/// A write, as it is asked for.
#[derive(Debug, Clone)]
#[allow(missing_docs)] // the fields are the parts of the statement
pub enum Write {
    /// `CREATE SCHEMA`.
    CreateSchema { name: ObjectName, is_lenient: bool },
    /// `CREATE TABLE t (...)`.
    CreateTable { target: New, columns: Vec<Column>, rules: Rules },
    /// `CREATE TABLE t AS`, `SELECT INTO`.
    CreateTableAs { target: New, query: Box<Query>, names: Option<Vec<String>>, has_data: bool },
    /// `CREATE VIEW`.
    CreateView { name: ObjectName, query: Box<Query>, names: Option<Vec<String>>, replaces: bool },
    /// `DROP TABLE`, `DROP VIEW`.
    Drop { is_view: bool, names: Vec<ObjectName>, is_lenient: bool, cascades: bool },
    /// A drop of something of which there is none.
    DropNothing { what: &'static str, names: Vec<ObjectName>, is_lenient: bool },
    /// `ALTER TABLE ... RENAME TO`.
    Rename { name: ObjectName, to: ObjectName, is_lenient: bool },
    /// `TRUNCATE`.
    Truncate { names: Vec<ObjectName>, is_lenient: bool },
    /// `INSERT`.
    Insert { table: ObjectName, insert: Box<Insert> },
    /// `UPDATE`.
    Update { table: ObjectName, update: Box<Update> },
    /// `DELETE`.
    Delete { table: ObjectName, delete: Box<Delete> },
    /// `MERGE`.
    Merge { table: ObjectName, merge: Box<Merge> },
    /// `COMMENT ON` a table or view, or a column of one.
    Comment { name: ObjectName, is_column: bool, text: Option<String> },
    /// Taken because tools send it; nothing is done.
    Nothing { tag: &'static str, name: Option<ObjectName>, notice: &'static str },
    /// Known, and not done here.
    Refused { sqlstate: &'static str, message: String, hint: Option<String> },
}

/// A table that is to be made.
#[derive(Debug, Clone)]
pub struct New {
    /// Its name.
    pub name: ObjectName,
    /// Whether it may be there already.
    pub is_lenient: bool,
    /// Whether it is of this session only, and what becomes of it at COMMIT.
    pub temporary: Option<OnCommit>,
}

impl Write {
    /// The write that `statement` is; `None` if it is none that could be allowed.
    pub fn of(statement: &Statement) -> Option<Self> {
        Some(match statement {
            Statement::CreateSchema { schema_name, if_not_exists, .. } => match schema_name {
                SchemaName::Simple(name) | SchemaName::NamedAuthorization(name, _) => {
                    Self::CreateSchema { name: name.clone(), is_lenient: *if_not_exists }
                }
                SchemaName::UnnamedAuthorization(_) => return None,
            },
            Statement::CreateTable(create) => of_create(create),
            Statement::CreateView(create) => of_view(create),
            Statement::Query(query) => return of_select_into(query),
            Statement::Drop { .. } => return of_drop(statement),
            Statement::AlterTable(alter) => match alter.operations.as_slice() {
                [AlterTableOperation::RenameTable { table_name }] => {
                    let (RenameTableNameKind::To(to) | RenameTableNameKind::As(to)) = table_name;
                    let (name, to) = (alter.name.clone(), to.clone());
                    Self::Rename { name, to, is_lenient: alter.if_exists }
                }
                _ => Self::Nothing {
                    tag: "",
                    name: Some(alter.name.clone()),
                    notice: "of a table only the name can be altered; make it anew with \
                             CREATE TABLE ... AS SELECT",
                },
            },
            Statement::Truncate(truncate) => Self::Truncate {
                names: truncate.table_names.iter().map(|table| table.name.clone()).collect(),
                is_lenient: truncate.if_exists,
            },
            Statement::Insert(insert) => of_insert(insert),
            Statement::Update(update) => of_update(update),
            Statement::Delete(delete) => of_delete(delete),
            Statement::Merge(merge) => of_merge(merge),
            Statement::Comment { object_type, object_name, comment, .. } => match object_type {
                CommentObject::Table | CommentObject::View | CommentObject::Column => {
                    let is_column = *object_type == CommentObject::Column;
                    let (name, text) = (object_name.clone(), comment.clone());
                    Self::Comment { name, is_column, text }
                }
                _ => return None,
            },
            other => return of_nothing(other),
        })
    }

    /// The query in it, to be taken over from Postgres' words.
    pub fn query_mut(&mut self) -> Option<&mut Box<Query>> {
        match self {
            Self::CreateTableAs { query, .. } | Self::CreateView { query, .. } => Some(query),
            Self::Insert { insert, .. } => insert.source.as_mut(),
            _ => None,
        }
    }

    /// What RETURNING asks for; `None` without it.
    pub fn returning(&self) -> Option<&[SelectItem]> {
        match self {
            Self::Insert { insert, .. } => insert.returning.as_deref(),
            Self::Update { update, .. } => update.returning.as_deref(),
            Self::Delete { delete, .. } => delete.returning.as_deref(),
            _ => None,
        }
    }

    /// The table whose rows it writes.
    pub fn rows_of(&self) -> Option<&ObjectName> {
        match self {
            Self::Insert { table, .. }
            | Self::Update { table, .. }
            | Self::Delete { table, .. }
            | Self::Merge { table, .. } => Some(table),
            _ => None,
        }
    }

    /// Names the columns of the table or view as Postgres would.
    pub fn name_columns(&mut self, found: Option<Vec<String>>) {
        if let Self::CreateTableAs { names, .. } | Self::CreateView { names, .. } = self
            && names.is_none()
        {
            *names = found;
        }
    }
}

/// A refusal with what to do instead.
fn refuse(sqlstate: &'static str, message: &str, hint: &str) -> Write {
    Write::Refused { sqlstate, message: message.to_owned(), hint: Some(hint.to_owned()) }
}

fn refused(error: &Error) -> Write {
    let (sqlstate, message) = (error.sqlstate(), error.to_string());
    Write::Refused { sqlstate, message, hint: error.hint() }
}

fn of_drop(statement: &Statement) -> Option<Write> {
    let Statement::Drop { object_type, if_exists, names, cascade, .. } = statement else {
        return None;
    };
    let (names, is_lenient) = (names.clone(), *if_exists);
    Some(match object_type {
        ObjectType::Table | ObjectType::View => {
            let is_view = *object_type == ObjectType::View;
            Write::Drop { is_view, names, is_lenient, cascades: *cascade }
        }
        ObjectType::MaterializedView => {
            Write::DropNothing { what: "materialized view", names, is_lenient }
        }
        ObjectType::Index => Write::DropNothing { what: "index", names, is_lenient },
        ObjectType::Schema => refuse(
            "0A000",
            "a schema belongs to its role and is not dropped",
            "Drop its tables and views instead.",
        ),
        _ => return None,
    })
}

/// What tools send and nothing needs.
fn of_nothing(statement: &Statement) -> Option<Write> {
    Some(match statement {
        Statement::Analyze(analyze) => Write::Nothing {
            tag: "ANALYZE",
            name: analyze.table_name.clone(),
            notice: "statistics are kept with every commit; there is nothing to analyze",
        },
        Statement::Vacuum(vacuum) => Write::Nothing {
            tag: "VACUUM",
            name: vacuum.table_name.clone(),
            notice: "tables are maintained by the server; there is nothing to vacuum",
        },
        Statement::CreateIndex(create) if !create.unique => Write::Nothing {
            tag: "CREATE INDEX",
            name: Some(create.table_name.clone()),
            notice: "no index was made: scans skip files and row groups by their bounds",
        },
        _ => return None,
    })
}

fn of_create(create: &CreateTable) -> Write {
    let is_plain = !create.external
        && create.like.is_none()
        && create.clone.is_none()
        && create.inherits.is_none()
        && create.partition_by.is_none()
        && create.partition_of.is_none()
        && create.location.is_none();
    if !is_plain {
        let hint = "Give its columns, or CREATE TABLE ... AS SELECT.";
        return refuse("0A000", "this kind of table is not available", hint);
    }
    let temporary = create.temporary.then(|| create.on_commit.unwrap_or(OnCommit::PreserveRows));
    let target = New { name: create.name.clone(), is_lenient: create.if_not_exists, temporary };
    if let Some(query) = &create.query {
        let names: Vec<String> = create.columns.iter().map(|column| folded(&column.name)).collect();
        let names = (!names.is_empty()).then_some(names);
        return Write::CreateTableAs { target, query: query.clone(), names, has_data: true };
    }
    match Column::of_all(create) {
        Ok(columns) => match super::rules::of(create) {
            Ok(rules) => Write::CreateTable { target, columns, rules },
            Err(error) => refused(&error),
        },
        Err(error) => refused(&error),
    }
}

fn of_view(create: &CreateView) -> Write {
    if create.materialized || create.temporary {
        let hint = "CREATE TABLE ... AS SELECT keeps what a query gives now.";
        return refuse("0A000", "only plain views are available", hint);
    }
    let names: Vec<String> = create.columns.iter().map(|column| folded(&column.name)).collect();
    Write::CreateView {
        name: create.name.clone(),
        query: create.query.clone(),
        names: (!names.is_empty()).then_some(names),
        replaces: create.or_replace,
    }
}

fn of_select_into(query: &Query) -> Option<Write> {
    let SetExpr::Select(select) = query.body.as_ref() else { return None };
    let into = select.into.clone()?;
    let mut query = query.clone();
    if let SetExpr::Select(select) = query.body.as_mut() {
        select.into = None;
    }
    let temporary = into.temporary.then_some(OnCommit::PreserveRows);
    let target = New { name: into.name, is_lenient: false, temporary };
    Some(Write::CreateTableAs { target, query: Box::new(query), names: None, has_data: true })
}

fn of_insert(insert: &Insert) -> Write {
    let is_other = matches!(insert.on, Some(OnInsert::DuplicateKeyUpdate(_)));
    if is_other || insert.or.is_some() || insert.replace_into || insert.ignore {
        let hint = "Say INSERT ... ON CONFLICT.";
        return refuse("0A000", "this way of INSERT is not available", hint);
    }
    match &insert.table {
        TableObject::TableName(name) => {
            Write::Insert { table: name.clone(), insert: Box::new(insert.clone()) }
        }
        _ => refuse("0A000", "INSERT needs the name of a table", "Name the table."),
    }
}

fn of_update(update: &Update) -> Write {
    if update.from.is_some() || update.limit.is_some() || !update.table.joins.is_empty() {
        let hint = "Use a subquery in WHERE or in SET.";
        return refuse("0A000", "UPDATE ... FROM is not available", hint);
    }
    match table_name(&update.table) {
        Some(table) => Write::Update { table, update: Box::new(update.clone()) },
        None => refuse("0A000", "UPDATE needs the name of a table", "Name the table."),
    }
}

fn of_delete(delete: &Delete) -> Write {
    let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
    match from.as_slice() {
        [only] if delete.limit.is_none() && delete.tables.is_empty() => match table_name(only) {
            Some(table) => Write::Delete { table, delete: Box::new(delete.clone()) },
            None => refuse("0A000", "DELETE needs the name of a table", "Name the table."),
        },
        _ => refuse("0A000", "DELETE takes one table", "Name the others in USING."),
    }
}

fn of_merge(merge: &Merge) -> Write {
    let joins = vec![];
    let table = TableWithJoins { relation: merge.table.clone(), joins };
    match table_name(&table) {
        Some(table) if merge.output.is_none() => {
            Write::Merge { table, merge: Box::new(merge.clone()) }
        }
        _ => refuse("0A000", "MERGE needs the name of a table", "Name the table."),
    }
}

fn table_name(table: &TableWithJoins) -> Option<ObjectName> {
    use datafusion::sql::sqlparser::ast::TableFactor;
    match &table.relation {
        TableFactor::Table { name, args: None, .. } if table.joins.is_empty() => Some(name.clone()),
        _ => None,
    }
}

/// In lower case, unless quoted.
pub(super) fn folded(name: &Ident) -> String {
    match name.quote_style {
        Some(_) => name.value.clone(),
        None => name.value.to_lowercase(),
    }
}

/// The parts of `name`, folded.
///
/// # Errors
/// 42601 for what is no name.
pub(super) fn parts(name: &ObjectName) -> Result<Vec<String>> {
    name.0
        .iter()
        .map(|part| part.as_ident().map(folded))
        .collect::<Option<Vec<_>>>()
        .ok_or_else(|| Error::statement("42601", format!("\"{name}\" is no name of a table")))
}

/// `expr` as something of a list of columns.
pub(super) fn is_default(expr: &Expr) -> bool {
    matches!(expr, Expr::Identifier(name)
        if name.quote_style.is_none() && name.value.eq_ignore_ascii_case("default"))
}
