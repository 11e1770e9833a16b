//! Arguments of a function in FROM: which parameter each is for, and what names and lists say.

use std::collections::BTreeMap;

use sqlparser::ast::{Expr, FunctionArg, FunctionArgExpr, FunctionArgOperator, Value};

use crate::math::Fault;

/// Expressions by the parameter they are for.
pub type Given = BTreeMap<String, Expr>;

/// The arguments of a call.
#[derive(Debug, Clone, Copy)]
pub struct Arguments<'a> {
    pub(super) function: &'static str,
    pub(super) given: &'a Given,
}

/// Arguments by parameter: first the unnamed ones in order, then the named ones.
///
/// # Errors
/// Arguments that are no expressions, unknown, too many or given twice.
pub fn given(
    function: &str,
    parameters: &[&str],
    arguments: &[FunctionArg],
) -> Result<Given, Fault> {
    let refuse = |reason: String| Fault(format!("{function}: {reason}"));
    let mut given = BTreeMap::new();
    for (place, argument) in arguments.iter().enumerate() {
        let (name, value) = match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(value)) => {
                let name = parameters.get(place).ok_or_else(|| {
                    refuse(format!("takes at most {} arguments", parameters.len()))
                })?;
                ((*name).to_owned(), value)
            }
            FunctionArg::Named { name, arg: FunctionArgExpr::Expr(value), operator }
                if is_arrow(operator) =>
            {
                (name.value.to_lowercase(), value)
            }
            // The Postgres dialect parses the name of an argument as an expression.
            FunctionArg::ExprNamed {
                name: Expr::Identifier(name),
                arg: FunctionArgExpr::Expr(value),
                operator,
            } if is_arrow(operator) => (name.value.to_lowercase(), value),
            other => return Err(refuse(format!("argument {other} is not an expression"))),
        };
        if !parameters.contains(&name.as_str()) {
            let known = parameters.join(", ");
            return Err(refuse(format!("no argument is called {name}; it takes {known}")));
        }
        if given.insert(name.clone(), value.clone()).is_some() {
            return Err(refuse(format!("argument {name} is given twice")));
        }
    }
    Ok(given)
}

fn is_arrow(operator: &FunctionArgOperator) -> bool {
    matches!(operator, FunctionArgOperator::RightArrow | FunctionArgOperator::Assignment)
}

impl Arguments<'_> {
    /// An argument as it was given.
    pub(super) fn needed(&self, name: &str) -> Result<&Expr, Fault> {
        let missing = || Fault(format!("{}: argument {name} is missing", self.function));
        self.given.get(name).ok_or_else(missing)
    }

    /// An argument in SQL; NULL if it was not given.
    pub(super) fn option(&self, name: &str) -> String {
        self.given.get(name).map_or_else(|| "NULL".to_owned(), ToString::to_string)
    }

    /// Whether an argument was given.
    pub(super) fn has(&self, name: &str) -> bool {
        self.given.contains_key(name)
    }

    /// The relation: bare, quoted, or a subquery.
    pub(super) fn relation(&self) -> Result<String, Fault> {
        match self.needed("relation")? {
            Expr::Subquery(query) => Ok(format!("({query}) AS series")),
            other => self.name(other),
        }
    }

    /// A column, named bare (`amount`) or quoted (`'amount'`); or an expression over columns.
    pub(super) fn column(&self, name: &str) -> Result<String, Fault> {
        self.name(self.needed(name)?)
    }

    /// Columns named as `a`, `(a, b)`, `'a,b'` or `''`; none if the argument was not given.
    pub(super) fn columns(&self, name: &str) -> Result<Vec<String>, Fault> {
        self.given.get(name).map_or(Ok(vec![]), |expr| self.names(expr))
    }

    fn names(&self, expr: &Expr) -> Result<Vec<String>, Fault> {
        match expr {
            Expr::Tuple(parts) => parts.iter().map(|part| self.name(part)).collect(),
            Expr::Nested(inner) => self.names(inner),
            other => match text(other) {
                Some(names) if names.trim().is_empty() => Ok(vec![]),
                Some(names) => names.split(',').map(|name| self.quoted(name.trim())).collect(),
                None => Ok(vec![self.name(other)?]),
            },
        }
    }

    fn name(&self, expr: &Expr) -> Result<String, Fault> {
        text(expr).map_or_else(|| Ok(expr.to_string()), |text| self.quoted(text))
    }

    fn quoted(&self, text: &str) -> Result<String, Fault> {
        let parts: Vec<&str> = text.split('.').map(str::trim).collect();
        if parts.iter().any(|part| part.is_empty()) {
            return Err(Fault(format!("{}: '{text}' is not a name", self.function)));
        }
        let parts = parts.iter().map(|part| format!("\"{}\"", part.replace('"', "")));
        Ok(parts.collect::<Vec<_>>().join("."))
    }
}

/// The last part of a column's name, as it is written.
pub(super) fn last(column: &str) -> &str {
    column.rsplit('.').next().unwrap_or(column)
}

fn text(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => Some(text),
            _ => None,
        },
        _ => None,
    }
}
