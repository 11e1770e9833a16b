//! Postgres-only syntax that the engine does not know, in statements that ask the catalog.
//!
//! The rules of datafusion-pg-catalog that say the same in other words are taken from there; those
//! that say less (a NULL in the place of a correlated subquery, an empty answer to a question known
//! by its wording) are not: [`subqueries`] says them in full.

mod identities;
mod places;
mod subqueries;

use std::ops::ControlFlow;
use std::sync::LazyLock;

use datafusion::sql::sqlparser::ast::{
    Expr, Function, Ident, ObjectName, ObjectNamePart, Statement, TableFactor, Visit, VisitMut,
    Visitor, VisitorMut,
};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;
use datafusion_pg_catalog::sql::rules::{
    AliasDuplicatedProjectionRewrite, CurrentUserVariableToSessionUserFunctionCall,
    FixArrayLiteral, ResolveUnqualifiedIdentifier, RewriteArrayAnyAllOperation,
    RewritePgCatalogOperator, SqlStatementRewriteRule, StripCallableQualifier, StripCollate,
};

use super::system;
use super::{INFORMATION_SCHEMA, PG_CATALOG, PUBLIC};

/// Rules of the library, in the order in which they rest on each other.
static RULES: LazyLock<Vec<Box<dyn SqlStatementRewriteRule>>> = LazyLock::new(|| {
    vec![
        Box::new(AliasDuplicatedProjectionRewrite),
        Box::new(ResolveUnqualifiedIdentifier),
        Box::new(RewriteArrayAnyAllOperation),
        Box::new(StripCallableQualifier),
        Box::new(FixArrayLiteral),
        Box::new(CurrentUserVariableToSessionUserFunctionCall),
        Box::new(StripCollate),
        Box::new(RewritePgCatalogOperator),
    ]
});

/// Functions that give the rows of a view.
const FUNCTIONS: &[(&str, &str)] = &[
    ("pg_available_extensions", "pg_available_extensions"),
    ("pg_available_extension_versions", "pg_available_extension_versions"),
    ("pg_cursor", "pg_cursors"),
    ("pg_lock_status", "pg_locks"),
    ("pg_prepared_statement", "pg_prepared_statements"),
    ("pg_show_all_settings", "pg_settings"),
    ("pg_timezone_abbrevs", "pg_timezone_abbrevs"),
    ("pg_timezone_names", "pg_timezone_names"),
];

/// The same question in the engine's words.
///
/// Only statements about the catalog are rewritten as a whole: what they join is small, and how they
/// ask is known.
/// A statement that cannot be said in the engine's words fails where it is planned.
pub(in crate::server) fn rewrite(mut statement: Statement) -> Statement {
    let is_catalog = asks_catalog(&statement);
    if is_catalog {
        let _: ControlFlow<()> = VisitMut::visit(&mut statement, &mut Qualify);
        identities::rewrite(&mut statement);
        for rule in RULES.iter() {
            statement = rule.rewrite(statement);
        }
    }
    let _: ControlFlow<()> = VisitMut::visit(&mut statement, &mut Unqualify);
    if is_catalog {
        places::rewrite(&mut statement);
        subqueries::rewrite(&mut statement);
    }
    statement
}

fn asks_catalog(statement: &Statement) -> bool {
    Visit::visit(statement, &mut AsksCatalog).is_break()
}

struct AsksCatalog;

impl Visitor for AsksCatalog {
    type Break = ();

    fn pre_visit_relation(&mut self, name: &ObjectName) -> ControlFlow<()> {
        let parts = lower(name);
        let is_catalog = match parts.as_slice() {
            [table] => table.starts_with("pg_"),
            [.., schema, _] => schema == PG_CATALOG || schema == INFORMATION_SCHEMA,
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

/// Puts `pg_catalog.` before the names of its tables: Postgres looks there first.
struct Qualify;

impl VisitorMut for Qualify {
    type Break = ();

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        // Some views are functions too, without arguments.
        if let TableFactor::Table { name, args, .. } = factor
            && args.as_ref().is_some_and(|given| given.args.is_empty())
            && let Some(called) = lower(name).pop()
            && let Some((_, view)) = FUNCTIONS.iter().find(|(function, _)| *function == called)
        {
            *name = ObjectName::from(vec![Ident::new(*view)]);
            *args = None;
        }
        if let TableFactor::Table { name, args: None, .. } = factor
            && let [only] = name.0.as_slice()
            && let Some(ident) = only.as_ident()
            && system::is_table(&ident.value.to_lowercase())
        {
            name.0.insert(0, ObjectNamePart::Identifier(Ident::new(PG_CATALOG)));
        }
        ControlFlow::Continue(())
    }
}

/// Takes `pg_catalog.`, `information_schema.` and `public.` away from the names of functions.
struct Unqualify;

impl VisitorMut for Unqualify {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Function(Function { name, .. }) = expr
            && let [schema, _] = name.0.as_slice()
            && let Some(Ident { value, .. }) = schema.as_ident()
            && [PG_CATALOG, PUBLIC, INFORMATION_SCHEMA]
                .iter()
                .any(|known| value.eq_ignore_ascii_case(known))
            && let Some(last) = name.0.pop()
        {
            *name = ObjectName(vec![last]);
        }
        ControlFlow::Continue(())
    }
}

/// Parts of a name in lower case.
fn lower(name: &ObjectName) -> Vec<String> {
    let part = |part: &ObjectNamePart| match part.as_ident() {
        Some(ident) => ident.value.to_lowercase(),
        None => part.to_string().to_lowercase(),
    };
    name.0.iter().map(part).collect()
}

/// Last part of a function's name in lower case; empty if `expr` is no call.
fn called(expr: &Expr) -> String {
    match expr {
        Expr::Function(Function { name, .. }) => lower(name).pop().unwrap_or_default(),
        _ => String::new(),
    }
}

/// `sql` as an expression; it is ours, so that it parses.
fn expression(sql: &str) -> Option<Expr> {
    let parser = Parser::new(&PostgreSqlDialect {}).try_with_sql(sql);
    parser.and_then(|mut parser| parser.parse_expr()).ok()
}

/// `expr` without the parentheses around it.
fn bare(expr: &Expr) -> &Expr {
    match expr {
        Expr::Nested(inner) => bare(inner),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(sql: &str) -> String {
        let statement = Parser::parse_sql(&PostgreSqlDialect {}, sql).expect(sql).remove(0);
        rewrite(statement).to_string()
    }

    #[test]
    fn other_statements_stay_as_they_are() {
        let sql = "SELECT amount FROM crm.opportunities WHERE stage_id = 'x'";
        assert_eq!(rewritten(sql), sql);
        assert_eq!(rewritten("SELECT pg_catalog.version()"), "SELECT version()");
    }

    #[test]
    fn names_become_numbers_and_numbers_names() {
        for (sql, wanted) in [
            (
                "SELECT 1 FROM pg_class WHERE oid = 'crm.a'::regclass",
                "SELECT 1 FROM pg_catalog.pg_class WHERE oid = regclassin('crm.a')",
            ),
            (
                "SELECT conrelid::pg_catalog.regclass FROM pg_catalog.pg_constraint",
                "SELECT regclassout(conrelid) AS conrelid FROM pg_catalog.pg_constraint",
            ),
            ("SELECT 'int4'::regtype::oid", "SELECT regtypein('int4')"),
            ("SELECT 'int4'::regtype::text", "SELECT regtypeout(regtypein('int4'))"),
        ] {
            assert_eq!(rewritten(sql), wanted);
        }
    }

    #[test]
    fn nothing_is_read_from_tables_that_stay_empty() {
        let sql = "SELECT (SELECT s.seqstart FROM pg_sequence s WHERE s.seqrelid = c.oid) AS a, \
                   EXISTS (SELECT 1 FROM pg_trigger t WHERE t.tgrelid = c.oid) AS b \
                   FROM pg_class c";
        let wanted = "SELECT NULL AS a, false AS b FROM pg_catalog.pg_class AS c";
        assert_eq!(rewritten(sql).replace("pg_class c", "pg_class AS c"), wanted);
    }

    #[test]
    fn a_subquery_for_one_value_gives_one() {
        let sql = "SELECT (SELECT t.typname FROM pg_type t WHERE t.oid = a.atttypid AND a.attnum > 0) \
                   FROM pg_attribute a";
        let text = rewritten(sql);
        assert!(
            text.contains("CASE WHEN a.attnum > 0 THEN (SELECT first_value(t.typname)"),
            "{text}"
        );
        assert!(!text.contains("AND a.attnum"), "{text}");
    }

    #[test]
    fn vectors_begin_at_zero() {
        let sql = "SELECT i.indkey[0], c.conkey[1] FROM pg_index i, pg_constraint c";
        assert!(rewritten(sql).starts_with("SELECT i.indkey[0 + 1], c.conkey[1] FROM"));
    }
}
