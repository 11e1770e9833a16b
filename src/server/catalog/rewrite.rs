//! Postgres-only syntax that the engine does not know, in statements that ask the catalog.

use std::ops::ControlFlow;
use std::sync::LazyLock;

use datafusion::sql::sqlparser::ast::{
    Expr, Function, Ident, ObjectName, Statement, Visit, VisitMut, Visitor,
    VisitorMut,
};
use datafusion_pg_catalog::sql::PostgresCompatibilityParser;

use super::{PG_CATALOG, PUBLIC};
use crate::error::{Error, Result};

static PARSER: LazyLock<PostgresCompatibilityParser> =
    LazyLock::new(PostgresCompatibilityParser::new);

/// The same question in the engine's words.
///
/// Only statements about the catalog are rewritten by the library: its rules simplify what the
/// engine cannot do, which is right for a tool's start-up query and wrong for a number.
///
/// # Errors
/// 42601 if the rewritten statement is not one.
pub(in crate::server) fn rewrite(mut statement: Statement) -> Result<Statement> {
    if asks_catalog(&statement) {
        let mut rewritten = PARSER
            .parse(&statement.to_string())
            .map_err(|error| Error::statement("42601", error.to_string()))?;
        if let (Some(only), true) = (rewritten.pop(), rewritten.is_empty()) {
            statement = only;
        }
    }
    let _: ControlFlow<()> = VisitMut::visit(&mut statement, &mut Unqualify);
    Ok(statement)
}

fn asks_catalog(statement: &Statement) -> bool {
    Visit::visit(statement, &mut AsksCatalog).is_break()
}

struct AsksCatalog;

impl Visitor for AsksCatalog {
    type Break = ();

    fn pre_visit_relation(&mut self, name: &ObjectName) -> ControlFlow<()> {
        let parts: Vec<String> = name.0.iter().map(|part| part.to_string().to_lowercase()).collect();
        let is_catalog = match parts.as_slice() {
            [table] => table.starts_with("pg_"),
            [.., schema, _] => schema == PG_CATALOG || schema == "information_schema",
            [] => false,
        };
        if is_catalog { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        let is_catalog = match expr {
            Expr::Cast { data_type, .. } => {
                let name = data_type.to_string().to_lowercase();
                name.starts_with("reg") || name.starts_with("pg_catalog.")
            }
            _ => false,
        };
        if is_catalog { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// Takes `pg_catalog.` and `public.` away from the names of functions.
struct Unqualify;

impl VisitorMut for Unqualify {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Function(Function { name, .. }) = expr
            && let [schema, _] = name.0.as_slice()
            && let Some(Ident { value, .. }) = schema.as_ident()
            && (value.eq_ignore_ascii_case(PG_CATALOG) || value.eq_ignore_ascii_case(PUBLIC))
            && let Some(last) = name.0.pop()
        {
            *name = ObjectName(vec![last]);
        }
        ControlFlow::Continue(())
    }
}

