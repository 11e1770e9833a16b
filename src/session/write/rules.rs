//! What rows keep to beyond their types: primary keys, UNIQUE, and defaults of columns.
//!
//! A key is checked after each statement on all rows that the table then has, so that it holds
//! whatever the statement was; two sessions that write one table do not both commit.

use datafusion::arrow::array::{Array, RecordBatch};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::sql::sqlparser::ast::{
    ColumnOption, CreateTable, Expr, Ident, IndexColumn, Insert, ObjectName, Query, Select,
    SelectItem, SetExpr, Statement, TableConstraint, Value,
};
use futures::TryStreamExt;

use super::super::dialect::made;
use super::super::{Session, limits};
use super::ask::{folded, is_default, parts};
use super::work::{After, State};
use super::{Target, types};
use crate::error::{Error, Result};
use crate::lake::{Rules, TableKey};

/// The rules that `create` gives its table.
///
/// # Errors
/// 0A000 for a constraint that is not held to, 42P16 for a second primary key.
pub(super) fn of(create: &CreateTable) -> Result<Rules> {
    let table = create.name.0.last().and_then(|part| part.as_ident()).map(folded);
    let table = table.unwrap_or_default();
    let mut rules = Rules::default();
    for column in &create.columns {
        let name = folded(&column.name);
        for option in &column.options {
            let given = option.name.as_ref();
            match &option.option {
                ColumnOption::PrimaryKey(_) => {
                    add(&mut rules, &table, given, vec![name.clone()], true)?;
                }
                ColumnOption::Unique(_) => {
                    add(&mut rules, &table, given, vec![name.clone()], false)?;
                }
                ColumnOption::Default(value) => {
                    drop(rules.defaults.insert(name.clone(), value.to_string()));
                }
                _ => {}
            }
        }
    }
    for constraint in &create.constraints {
        match constraint {
            TableConstraint::PrimaryKey(key) => {
                add(&mut rules, &table, key.name.as_ref(), columns(&key.columns)?, true)?;
            }
            TableConstraint::Unique(key) => {
                add(&mut rules, &table, key.name.as_ref(), columns(&key.columns)?, false)?;
            }
            other => return Err(types::unheld(&other.to_string())),
        }
    }
    Ok(rules)
}

fn columns(named: &[IndexColumn]) -> Result<Vec<String>> {
    let name = |column: &IndexColumn| match &column.column.expr {
        Expr::Identifier(name) => Ok(folded(name)),
        other => Err(types::unheld(&format!("UNIQUE ({other})"))),
    };
    named.iter().map(name).collect()
}

fn add(
    rules: &mut Rules,
    table: &str,
    given: Option<&Ident>,
    columns: Vec<String>,
    is_primary: bool,
) -> Result<()> {
    if is_primary && rules.keys.iter().any(|key| key.is_primary) {
        let message = format!("multiple primary keys for table \"{table}\" are not allowed");
        return Err(Error::statement("42P16", message));
    }
    let name = match (given, is_primary) {
        (Some(name), _) => folded(name),
        (None, true) => format!("{table}_pkey"),
        (None, false) => format!("{table}_{}_key", columns.join("_")),
    };
    rules.keys.push(TableKey { name, columns, is_primary });
    Ok(())
}

fn quoted(name: &str) -> String {
    Ident::with_quote('"', name).to_string()
}

impl Session {
    /// The rules of `target`, as `state` has it.
    pub(super) async fn rules_of(&self, state: &mut State, target: &Target) -> Result<Rules> {
        Ok(match target {
            Target::Temporary(name) => {
                state.temporary.get(name).map(|table| table.rules.clone()).unwrap_or_default()
            }
            Target::Stored(name) => self.pending(state, name).await?.draft.rules.clone(),
        })
    }

    /// Gives `target`, which was just made, its rules.
    ///
    /// # Errors
    /// What is wrong with a default: it reads no columns.
    pub(super) async fn put_rules(
        &self,
        state: &mut State,
        target: &Target,
        rules: Rules,
    ) -> Result<()> {
        for value in rules.defaults.values() {
            if let Some(asked) = limits::parse(&format!("SELECT {value}"), usize::MAX)?.pop() {
                Box::pin(self.plan(asked)).await?;
            }
        }
        match target {
            Target::Temporary(name) => {
                if let Some(table) = state.temporary.get_mut(name) {
                    table.rules = rules;
                }
            }
            Target::Stored(name) => self.pending(state, name).await?.draft.rules = rules,
        }
        Ok(())
    }

    /// Refuses rows of `target` that share a key, as the session sees them now.
    ///
    /// # Errors
    /// 23505, which names the key and its value.
    pub(super) async fn check_keys(&self, target: &Target) -> Result<()> {
        let state = self.work.state();
        let rules = match target {
            Target::Temporary(name) => state.temporary.get(name).map(|table| &table.rules),
            Target::Stored(name) => match state.changes.get(name).map(|pending| &pending.after) {
                Some(Some(After::Table(table))) => Some(&table.draft.rules),
                _ => None,
            },
        };
        for key in rules.map(|rules| rules.keys.clone()).unwrap_or_default() {
            let Some(found) = self.shared_key(&key, &target.object_name().to_string()).await?
            else {
                continue;
            };
            return Err(Error::Statement {
                sqlstate: "23505",
                message: format!("duplicate key value violates unique constraint \"{}\"", key.name),
                hint: Some(format!("Key ({}) = ({found}) is there twice.", key.columns.join(", "))),
            });
        }
        Ok(())
    }

    /// A value of `key` that two rows of `relation` have.
    pub(super) async fn shared_key(
        &self,
        key: &TableKey,
        relation: &str,
    ) -> Result<Option<String>> {
        let names: Vec<String> = key.columns.iter().map(|name| quoted(name)).collect();
        let known: Vec<String> = names.iter().map(|name| format!("{name} IS NOT NULL")).collect();
        let (names, known) = (names.join(", "), known.join(" AND "));
        let sql = format!(
            "SELECT {names} FROM {relation} WHERE {known} \
             GROUP BY {names} HAVING count(*) > 1 LIMIT 1"
        );
        let Some(asked) = limits::parse(&sql, usize::MAX)?.pop() else { return Ok(None) };
        let plan = Box::pin(self.plan(asked)).await?;
        let batches: Vec<RecordBatch> = Box::pin(self.run(plan)).await?.try_collect().await?;
        let Some(batch) = batches.iter().find(|batch| batch.num_rows() > 0) else {
            return Ok(None);
        };
        let options = FormatOptions::default();
        let shown = batch.columns().iter().map(|column| {
            let column: &dyn Array = column.as_ref();
            Ok(ArrayFormatter::try_new(column, &options)?.value(0).to_string())
        });
        let shown =
            shown.collect::<std::result::Result<Vec<_>, datafusion::arrow::error::ArrowError>>();
        Ok(Some(shown.map_err(datafusion::error::DataFusionError::from)?.join(", ")))
    }
}

/// The default of `column`, NULL if it has none.
pub(super) fn default_of(rules: &Rules, column: &str) -> Result<Expr> {
    match rules.defaults.get(column) {
        Some(text) => Ok(Expr::Nested(Box::new(made(text, &[])?))),
        None => Ok(Expr::Value(Value::Null.into())),
    }
}

/// Names, in a row of `insert`, columns that have a default and are not named, and puts it there.
///
/// `columns` are those of the table, in order.
pub(super) fn with_defaults(insert: &mut Insert, columns: &[String], rules: &Rules) -> Result<()> {
    if insert.source.is_none() {
        // DEFAULT VALUES.
        let Some(first) = columns.first() else { return Ok(()) };
        let row = default_of(rules, first)?;
        let Some(Statement::Query(mut query)) = limits::parse("VALUES (NULL)", usize::MAX)?.pop()
        else {
            return Ok(());
        };
        if let SetExpr::Values(values) = query.body.as_mut() {
            values.rows[0].content = vec![row];
        }
        insert.source = Some(query);
        insert.columns = vec![ObjectName::from(vec![Ident::with_quote('"', first)])];
    }
    let Some(query) = &mut insert.source else { return Ok(()) };
    let mut named: Vec<String> = vec![];
    for column in &insert.columns {
        named.push(parts(column)?.pop().unwrap_or_default());
    }
    if named.is_empty() {
        let width = width_of(query).unwrap_or(columns.len());
        named = columns.iter().take(width).cloned().collect();
    }
    if let SetExpr::Values(values) = query.body.as_mut() {
        for row in &mut values.rows {
            for (value, column) in row.content.iter_mut().zip(&named) {
                if is_default(value) {
                    *value = default_of(rules, column)?;
                }
            }
        }
    }
    let missing: Vec<&String> = columns
        .iter()
        .filter(|column| rules.defaults.contains_key(*column) && !named.contains(column))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let more = missing.iter().map(|column| default_of(rules, column));
    add_columns(query, more.collect::<Result<Vec<_>>>()?)?;
    let all = named.iter().chain(missing);
    insert.columns =
        all.map(|column| ObjectName::from(vec![Ident::with_quote('"', column)])).collect();
    Ok(())
}

/// How many columns `query` has, if it says so.
fn width_of(query: &Query) -> Option<usize> {
    match query.body.as_ref() {
        SetExpr::Values(values) => values.rows.first().map(|row| row.content.len()),
        SetExpr::Select(select) => {
            let is_plain = |item: &SelectItem| {
                matches!(item, SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. })
            };
            let select: &Select = select;
            select.projection.iter().all(is_plain).then_some(select.projection.len())
        }
        _ => None,
    }
}

/// Puts `more` behind the columns of `query`.
fn add_columns(query: &mut Box<Query>, more: Vec<Expr>) -> Result<()> {
    if let SetExpr::Values(values) = query.body.as_mut() {
        for row in &mut values.rows {
            row.content.extend(more.iter().cloned());
        }
        return Ok(());
    }
    let texts: Vec<String> = more.iter().map(ToString::to_string).collect();
    let sql = format!("SELECT \"rows\".*, {} FROM ({query}) AS \"rows\"", texts.join(", "));
    if let Some(Statement::Query(wider)) = limits::parse(&sql, usize::MAX)?.pop() {
        *query = wider;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(sql: &str) -> Result<Rules> {
        match limits::parse(sql, 1 << 10)?.pop() {
            Some(Statement::CreateTable(create)) => of(&create),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn keys_are_named_as_postgres_names_them() {
        let found = rules(
            "CREATE TABLE t (id int PRIMARY KEY, a text UNIQUE, b int DEFAULT 1 + 1, \
             CONSTRAINT pair UNIQUE (a, B))",
        )
        .expect("rules");
        let names: Vec<&str> = found.keys.iter().map(|key| key.name.as_str()).collect();
        assert_eq!(names, ["t_pkey", "t_a_key", "pair"]);
        assert_eq!(found.keys[2].columns, ["a", "b"]);
        assert_eq!(found.defaults["b"], "1 + 1");
        let twice = rules("CREATE TABLE t (id int PRIMARY KEY, b int, PRIMARY KEY (b))");
        assert_eq!(twice.expect_err("two").sqlstate(), "42P16");
        let checked = rules("CREATE TABLE t (id int, CHECK (id > 0))");
        assert_eq!(checked.expect_err("not held").sqlstate(), "0A000");
    }

    #[test]
    fn defaults_take_the_places_that_are_not_named() {
        let rules = rules("CREATE TABLE t (a int, b int DEFAULT 7, c text)").expect("rules");
        let columns = ["a", "b", "c"].map(str::to_owned);
        for (sql, wanted) in [
            ("INSERT INTO t (a) VALUES (1), (2)", "(\"a\", \"b\") VALUES (1, (7)), (2, (7))"),
            ("INSERT INTO t VALUES (1, DEFAULT)", " VALUES (1, (7))"),
            ("INSERT INTO t VALUES (1)", "(\"a\", \"b\") VALUES (1, (7))"),
            ("INSERT INTO t DEFAULT VALUES", "(\"a\", \"b\") VALUES (NULL, (7))"),
            (
                "INSERT INTO t (c) SELECT x FROM y",
                "(\"c\", \"b\") SELECT \"rows\".*, (7) FROM (SELECT x FROM y) AS \"rows\"",
            ),
        ] {
            let Some(Statement::Insert(mut insert)) = limits::parse(sql, 1 << 10).expect(sql).pop()
            else {
                panic!("{sql}");
            };
            with_defaults(&mut insert, &columns, &rules).expect(sql);
            let said = insert.to_string();
            assert!(said.ends_with(wanted), "{sql}: {said}");
        }
    }
}
