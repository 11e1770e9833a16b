//! Postgres-only syntax that the engine does not know, in statements that ask the catalog.

use std::ops::ControlFlow;
use std::sync::LazyLock;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Function, FunctionArguments, GroupByExpr, Ident, ObjectName, Query,
    SelectItem, SetExpr, Statement, Value, Visit, VisitMut, Visitor, VisitorMut,
};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;
use datafusion_pg_catalog::sql::PostgresCompatibilityParser;

use super::{PG_CATALOG, PUBLIC};
use crate::error::{Error, Result};

static PARSER: LazyLock<PostgresCompatibilityParser> =
    LazyLock::new(PostgresCompatibilityParser::new);

/// No list of texts.
static NO_LIST: LazyLock<Expr> = LazyLock::new(|| {
    Parser::new(&PostgreSqlDialect {})
        .try_with_sql("CAST(NULL AS TEXT[])")
        .and_then(|mut parser| parser.parse_expr())
        .unwrap_or(Expr::Value(Value::Null.into()))
});

/// The same question in the engine's words.
///
/// Only statements about the catalog are rewritten by the library: its rules simplify what the
/// engine cannot do, which is right for a tool's start-up query and wrong for a number.
///
/// The library knows some questions by their wording, so it gets the client's own `text` where
/// that holds nothing but the statement.
///
/// # Errors
/// 42601 if the rewritten statement is not one.
pub(in crate::server) fn rewrite(
    mut statement: Statement,
    text: Option<&str>,
) -> Result<Statement> {
    let is_catalog = asks_catalog(&statement);
    if is_catalog {
        let printed = text.is_none().then(|| statement.to_string());
        let text = text.or(printed.as_deref()).unwrap_or_default();
        let mut rewritten =
            PARSER.parse(text).map_err(|error| Error::statement("42601", error.to_string()))?;
        if let (Some(only), true) = (rewritten.pop(), rewritten.is_empty()) {
            statement = only;
        }
        let _: ControlFlow<()> = VisitMut::visit(&mut statement, &mut NoLists);
    }
    let _: ControlFlow<()> = VisitMut::visit(&mut statement, &mut Unqualify);
    if is_catalog {
        let _: ControlFlow<()> = VisitMut::visit(&mut statement, &mut Reworded);
    }
    Ok(statement)
}

fn asks_catalog(statement: &Statement) -> bool {
    Visit::visit(statement, &mut AsksCatalog).is_break()
}

struct AsksCatalog;

impl Visitor for AsksCatalog {
    type Break = ();

    fn pre_visit_relation(&mut self, name: &ObjectName) -> ControlFlow<()> {
        let parts: Vec<String> =
            name.0.iter().map(|part| part.to_string().to_lowercase()).collect();
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

/// Puts NULL in the place of `ARRAY(SELECT ...)`, which the engine does not have.
///
/// Tools gather with it who belongs to a role and whom a policy is for: here, nobody.
struct NoLists;

impl VisitorMut for NoLists {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Function(Function { name, args: FunctionArguments::Subquery(_), .. }) = expr
            && name.to_string().eq_ignore_ascii_case("array")
        {
            *expr = NO_LIST.clone();
        }
        ControlFlow::Continue(())
    }
}

/// Says in the engine's words what lists have as places, and which functions a type has.
struct Reworded;

impl VisitorMut for Reworded {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        match expr {
            Expr::Function(function)
                if function.name.to_string().eq_ignore_ascii_case("generate_subscripts") =>
            {
                if let FunctionArguments::List(list) = &function.args
                    && let Some(array) = list.args.first()
                    && let Some(places) =
                        expression(&format!("unnest(generate_series(1, array_length({array})))"))
                {
                    *expr = places;
                }
            }
            // A function as a number is 0 where there is none; here it is a name, or `-`.
            Expr::BinaryOp { left, op: BinaryOperator::NotEq | BinaryOperator::Eq, right }
                if is_function_column(left) && right.to_string() == "0" =>
            {
                **right = Expr::Value(Value::SingleQuotedString("-".into()).into());
            }
            Expr::Function(function)
                if function.name.to_string().eq_ignore_ascii_case("pg_partition_ancestors") =>
            {
                *expr = Expr::Value(Value::Null.into());
            }
            Expr::Subquery(query) => {
                if query.to_string().contains("pg_partition_ancestors") {
                    *expr = Expr::Value(Value::Null.into());
                } else {
                    at_most_one(query);
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// Makes of a subquery for one value one that the engine sees to give at most one: what it gives is
/// unique, for it asks by a number.
fn at_most_one(query: &mut Query) {
    const AGGREGATES: &[&str] =
        &["min(", "max(", "count(", "sum(", "array_agg(", "string_agg(", "bool_and(", "bool_or("];
    if query.limit_clause.is_some() || query.order_by.is_some() {
        return;
    }
    let SetExpr::Select(select) = query.body.as_mut() else { return };
    let is_grouped = select.group_by != GroupByExpr::Expressions(vec![], vec![]);
    let [SelectItem::UnnamedExpr(item) | SelectItem::ExprWithAlias { expr: item, .. }] =
        select.projection.as_mut_slice()
    else {
        return;
    };
    let text = item.to_string();
    let lower = text.to_lowercase();
    if select.from.is_empty() || is_grouped || AGGREGATES.iter().any(|name| lower.contains(name)) {
        return;
    }
    if let Some(one) = expression(&format!("max({text})")) {
        *item = one;
    }
}

/// Columns of `pg_type` that name a function.
fn is_function_column(expr: &Expr) -> bool {
    let name = match expr {
        Expr::Identifier(name) => &name.value,
        Expr::CompoundIdentifier(parts) => match parts.last() {
            Some(name) => &name.value,
            None => return false,
        },
        _ => return false,
    };
    ["typreceive", "typsend", "typinput", "typoutput"].contains(&name.as_str())
}

fn expression(sql: &str) -> Option<Expr> {
    let parser = Parser::new(&PostgreSqlDialect {}).try_with_sql(sql);
    parser.and_then(|mut parser| parser.parse_expr()).ok()
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
