//! Lists as the catalog has them: their places, their elements with places, composite values.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    AccessExpr, BinaryOperator, Expr, FunctionArguments, Statement, Subscript, Value, VisitMut,
    VisitorMut,
};

use super::{called, expression};

/// Columns whose first element is at place 0, as it is in Postgres' vectors.
const VECTORS: &[&str] = &["indkey", "indclass", "indcollation", "indoption"];

pub(super) fn rewrite(statement: &mut Statement) {
    let _: ControlFlow<()> = VisitMut::visit(statement, &mut Places);
}

struct Places;

impl VisitorMut for Places {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let made = match &mut *expr {
            Expr::CompoundFieldAccess { root, access_chain } => {
                shift(root, access_chain);
                field(root, access_chain)
            }
            Expr::Function(function) => {
                let argument = match &function.args {
                    FunctionArguments::List(list) => list.args.first().map(ToString::to_string),
                    _ => None,
                };
                let name = super::lower(&function.name).pop().unwrap_or_default();
                match (name.as_str(), argument) {
                    ("generate_subscripts", Some(list)) => subscripts(&list),
                    ("_pg_expandarray", Some(list)) => {
                        expression(&format!("unnest(pg_expanded({list}))"))
                    }
                    ("array_upper", Some(list)) if is_vector(&list) => {
                        expression(&format!("array_length({list}) - 1"))
                    }
                    ("array_lower", Some(list)) if is_vector(&list) => expression("0"),
                    ("pg_partition_ancestors", _) => Some(Expr::Value(Value::Null.into())),
                    _ => None,
                }
            }
            // A function as a number is 0 where there is none; here it is a name, or `-`.
            Expr::BinaryOp { left, op: BinaryOperator::NotEq | BinaryOperator::Eq, right }
                if is_function_column(left) && right.to_string() == "0" =>
            {
                **right = Expr::Value(Value::SingleQuotedString("-".into()).into());
                None
            }
            _ => None,
        };
        if let Some(made) = made {
            *expr = made;
        }
        ControlFlow::Continue(())
    }
}

fn subscripts(list: &str) -> Option<Expr> {
    match is_vector(list) {
        true => expression(&format!("unnest(generate_series(0, array_length({list}) - 1))")),
        false => expression(&format!("unnest(generate_series(1, array_length({list})))")),
    }
}

fn is_vector(text: &str) -> bool {
    let last = text.rsplit('.').next().unwrap_or_default();
    VECTORS.contains(&last.trim_matches('"').to_lowercase().as_str())
}

/// `indkey[0]` is the first.
fn shift(root: &Expr, chain: &mut [AccessExpr]) {
    if let [AccessExpr::Subscript(Subscript::Index { index })] = chain
        && is_vector(&root.to_string())
        && let Some(made) = expression(&format!("{index} + 1"))
    {
        *index = made;
    }
    // A column with its table is a chain of names to the parser.
    if let [.., AccessExpr::Dot(name), AccessExpr::Subscript(Subscript::Index { index })] = chain
        && is_vector(&name.to_string())
        && let Some(made) = expression(&format!("{index} + 1"))
    {
        *index = made;
    }
}

/// `(value).name`.
fn field(root: &Expr, chain: &[AccessExpr]) -> Option<Expr> {
    match (root, chain) {
        (Expr::Nested(value), [AccessExpr::Dot(Expr::Identifier(name))]) => {
            expression(&format!("get_field({value}, '{}')", name.value))
        }
        _ => None,
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
        Expr::Nested(inner) => return is_function_column(inner),
        other => return called(other) == "regprocin",
    };
    ["typreceive", "typsend", "typinput", "typoutput"].contains(&name.as_str())
}
