//! Which view reads which, and an order in which each comes after those it reads.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Ident, ObjectName, ObjectNamePart, Query, Statement, TableFactor, Visit, Visitor,
};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;

use crate::error::{Error, Result};
use crate::schema;
use crate::session::{TableFunctionDefinition, ViewDefinition};

/// Table functions that the session itself brings.
const BUILT_IN: &[&str] = &["forecast"];

/// `views` in dependency order, by name where either order would do.
pub(super) fn by_dependency(
    views: Vec<ViewDefinition>,
    functions: &[TableFunctionDefinition],
) -> Result<Vec<ViewDefinition>> {
    let named = views.iter().map(|view| (format!("{}.{}", view.schema, view.name), &view.sql));
    let called = functions.iter().map(|function| (function.name.clone(), &function.sql));
    let bodies: BTreeMap<String, &String> = named.chain(called).collect();
    let mut reads = BTreeMap::new();
    for (name, sql) in &bodies {
        reads.insert(name.clone(), references(name, sql, &bodies)?);
    }
    let mut order = Order { reads: &reads, done: vec![], path: vec![] };
    for name in reads.keys() {
        order.visit(name)?;
    }
    let place: BTreeMap<&String, usize> =
        order.done.iter().enumerate().map(|(place, name)| (name, place)).collect();
    let mut views = views;
    views.sort_by_key(|view| place.get(&format!("{}.{}", view.schema, view.name)).copied());
    Ok(views)
}

struct Order<'a> {
    reads: &'a BTreeMap<String, BTreeSet<String>>,
    done: Vec<String>,
    path: Vec<String>,
}

impl Order<'_> {
    fn visit(&mut self, name: &str) -> Result<()> {
        if self.done.iter().any(|done| done == name) {
            return Ok(());
        }
        if let Some(start) = self.path.iter().position(|before| before == name) {
            let mut circle = self.path[start..].to_vec();
            circle.push(name.to_owned());
            let reason = format!("reads itself: {}", circle.join(" -> "));
            return Err(Error::Definition { name: name.into(), reason });
        }
        self.path.push(name.to_owned());
        for read in self.reads.get(name).into_iter().flatten() {
            self.visit(read)?;
        }
        self.path.pop();
        self.done.push(name.to_owned());
        Ok(())
    }
}

/// The views and table functions that the body of `name` reads.
fn references(
    name: &str,
    sql: &str,
    bodies: &BTreeMap<String, &String>,
) -> Result<BTreeSet<String>> {
    let wrong = |reason: String| Error::Definition { name: name.into(), reason };
    let statements = Parser::parse_sql(&PostgreSqlDialect {}, sql)
        .map_err(|e| wrong(format!("is not SQL: {e}")))?;
    let [Statement::Query(query)] = statements.as_slice() else {
        return Err(wrong("is not one SELECT".into()));
    };
    let mut found = Relations::default();
    let _ = query.visit(&mut found);
    let mut reads = BTreeSet::new();
    for relation in found.relations {
        if bodies.contains_key(&relation) {
            reads.insert(relation);
        } else if !is_stored(&relation)
            && !found.local.contains(&relation)
            && !BUILT_IN.contains(&relation.as_str())
        {
            return Err(wrong(format!("reads {relation}, which is no canonical table or view")));
        }
    }
    Ok(reads)
}

/// Canonical tables and the ledger of ingest.
fn is_stored(relation: &str) -> bool {
    match relation.split_once('.') {
        Some((schema::CRM, table)) => schema::table(table).is_some(),
        Some((schema::OPS, table)) => schema::ops_tables().any(|t| t.name == table),
        _ => false,
    }
}

#[derive(Default)]
struct Relations {
    relations: BTreeSet<String>,
    /// Names that WITH gives.
    local: BTreeSet<String>,
}

impl Visitor for Relations {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let tables = query.with.iter().flat_map(|with| &with.cte_tables);
        self.local.extend(tables.map(|table| lower(&table.alias.name)));
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table { name, .. } = factor {
            self.relations.insert(dotted(name));
        }
        ControlFlow::Continue(())
    }
}

fn dotted(name: &ObjectName) -> String {
    let parts: Vec<String> = name
        .0
        .iter()
        .map(|part| match part {
            ObjectNamePart::Identifier(ident) => lower(ident),
            other => other.to_string(),
        })
        .collect();
    parts.join(".")
}

/// An identifier as Postgres folds it.
fn lower(ident: &Ident) -> String {
    match ident.quote_style {
        Some(_) => ident.value.clone(),
        None => ident.value.to_lowercase(),
    }
}
