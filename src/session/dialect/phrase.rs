//! Expressions from a template: what Postgres says, in words of the engine.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Value, visit_expressions_mut,
};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;

use crate::error::{Error, Result};

/// The expression `template`, with `given` in the places of `$1`, `$2`, ...
///
/// What is put in is not looked at again, so that placeholders of the client stay.
///
/// # Errors
/// XX000 for a template that is no expression, which is a bug of ours.
pub(in crate::session) fn made(template: &str, given: &[Expr]) -> Result<Expr> {
    let parsed = Parser::new(&PostgreSqlDialect {})
        .try_with_sql(template)
        .and_then(|mut parser| parser.parse_expr());
    let mut expr = parsed.map_err(|e| Error::statement("XX000", format!("{template}: {e}")))?;
    let _: ControlFlow<()> = visit_expressions_mut(&mut expr, |expr| {
        if let Expr::Value(value) = expr
            && let Value::Placeholder(place) = &value.value
            && let Some(at) = place.strip_prefix('$').and_then(|at| at.parse::<usize>().ok())
            && let Some(given) = at.checked_sub(1).and_then(|at| given.get(at))
        {
            *expr = match given {
                Expr::BinaryOp { .. } | Expr::UnaryOp { .. } => Expr::Nested(given.clone().into()),
                given => given.clone(),
            };
        }
        ControlFlow::Continue(())
    });
    Ok(expr)
}

/// A text as it is written in SQL.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A text as an expression.
pub(in crate::session) fn string(text: &str) -> Expr {
    Expr::Value(Value::SingleQuotedString(text.to_owned()).into())
}

/// The text of a literal.
pub(super) fn text_of(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) | Value::EscapedStringLiteral(text) => Some(text),
            Value::DollarQuotedString(text) => Some(&text.value),
            _ => None,
        },
        Expr::Nested(inner) => text_of(inner),
        _ => None,
    }
}

/// The digits of a number that is written as a literal.
pub(super) fn number_of(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::Number(text, _) => Some(text),
            _ => None,
        },
        _ => None,
    }
}

/// The arguments of a call that has only plain ones.
pub(super) fn arguments(function: &Function) -> Option<Vec<Expr>> {
    let FunctionArguments::List(list) = &function.args else { return None };
    list.args
        .iter()
        .map(|arg| match arg {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
            _ => None,
        })
        .collect()
}

/// `function` under another name, of other arguments; DISTINCT, FILTER and OVER stay.
pub(super) fn renamed(function: &Function, name: &str, given: Vec<Expr>) -> Function {
    let mut other = function.clone();
    other.name = datafusion::sql::sqlparser::ast::ObjectName::from(vec![
        datafusion::sql::sqlparser::ast::Ident::new(name),
    ]);
    if let FunctionArguments::List(list) = &mut other.args {
        let given = given.into_iter().map(|e| FunctionArg::Unnamed(FunctionArgExpr::Expr(e)));
        list.args = given.collect();
    }
    other
}
