//! Lists as the catalog has them: their places, their elements with places, composite values.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    AccessExpr, BinaryOperator, Expr, FunctionArguments, Ident, SelectItem, Statement, Subscript,
    Value, VisitMut, VisitorMut,
};

use super::identities::each_item;
use super::{called, expression};

/// Columns whose first element is at place 0, as it is in Postgres' vectors.
const VECTORS: &[&str] = &["indkey", "indclass", "indcollation", "indoption"];

pub(super) fn rewrite(statement: &mut Statement) {
    let _: ControlFlow<()> = VisitMut::visit(statement, &mut Places);
    // Drivers read a vector as Postgres writes it, without the braces of a list.
    if let Statement::Query(query) = statement {
        each_item(query.body.as_mut(), &mut |item| {
            let (expr, alias) = match item {
                SelectItem::UnnamedExpr(expr) => (expr, None),
                SelectItem::ExprWithAlias { expr, alias } => (expr, Some(alias.clone())),
                _ => return,
            };
            let Some(name) = column_name(expr).filter(|name| VECTORS.contains(&name.as_str()))
            else {
                return;
            };
            if let Some(expr) = expression(&format!("array_to_string({expr}, ' ')")) {
                let alias = alias.unwrap_or_else(|| Ident::new(name));
                *item = SelectItem::ExprWithAlias { expr, alias };
            }
        });
    }
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
                        expression(&format!("{} - 1", length(&list)))
                    }
                    ("array_lower", Some(list)) if is_vector(&list) => expression("0"),
                    ("pg_partition_ancestors", _) => Some(Expr::Value(Value::Null.into())),
                    _ => None,
                }
            }
            Expr::Cast { expr: column, data_type, .. }
                if column_name(column).is_some_and(|name| VECTORS.contains(&name.as_str()))
                    && data_type.to_string().eq_ignore_ascii_case("text") =>
            {
                expression(&format!("array_to_string({column}, ' ')"))
            }
            Expr::Cast { expr: column, data_type, .. }
                if is_function_column(column)
                    && data_type.to_string().eq_ignore_ascii_case("oid") =>
            {
                expression(&format!("regprocin({column})"))
            }
            Expr::BinaryOp { left, op: BinaryOperator::NotEq | BinaryOperator::Eq, right } => {
                compared(left, right);
                compared(right, left);
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
        true => expression(&format!("unnest(range(0, {}))", length(list))),
        false => expression(&format!("unnest(range(1, {} + 1))", length(list))),
    }
}

/// The engine counts without sign, and does not count a list that is NULL.
fn length(list: &str) -> String {
    format!("CAST(array_length({list}) AS BIGINT)")
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

/// Says what a column is compared with as the column is kept here.
fn compared(column: &mut Expr, other: &mut Expr) {
    let Some(name) = column_name(column) else { return };
    if is_function_column(column) {
        of_function(column, other);
    } else if TRUTHS.iter().any(|start| name.starts_with(start))
        && let Expr::Value(value) = &*other
        && let Value::SingleQuotedString(text) = &value.value
    {
        // Postgres takes these texts for yes and no.
        let truth = match text.to_lowercase().as_str() {
            "t" | "true" | "yes" | "on" | "1" => true,
            "f" | "false" | "no" | "off" | "0" => false,
            _ => return,
        };
        *other = Expr::Value(Value::Boolean(truth).into());
    }
}

fn column_name(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Identifier(name) => Some(name.value.to_lowercase()),
        Expr::CompoundIdentifier(parts) => parts.last().map(|name| name.value.to_lowercase()),
        _ => None,
    }
}

fn is_function_column(expr: &Expr) -> bool {
    column_name(expr).is_some_and(|name| FUNCTION_COLUMNS.contains(&name.as_str()))
}

/// A function as a number is 0 where there is none; here it is kept as a name, or `-`.
fn of_function(column: &mut Expr, other: &mut Expr) {
    let text = |text: &str| Expr::Value(Value::SingleQuotedString(text.into()).into());
    match &*other {
        Expr::Value(value) => {
            if value.value.to_string() == "0" {
                *other = text("-");
            }
        }
        Expr::Function(function) if called(other) == "regprocin" => {
            if let FunctionArguments::List(list) = &function.args
                && let Some(name) = list.args.first()
                && let Some(name) = expression(&name.to_string())
            {
                *other = name;
            }
        }
        _ => {
            if let Some(number) = expression(&format!("regprocin({column})")) {
                *column = number;
            }
        }
    }
}

/// Columns that name a function.
const FUNCTION_COLUMNS: &[&str] = &[
    "typinput",
    "typoutput",
    "typreceive",
    "typsend",
    "typmodin",
    "typmodout",
    "typanalyze",
    "typsubscript",
    "oprcode",
    "oprrest",
    "oprjoin",
    "aggfnoid",
    "aggtransfn",
    "aggfinalfn",
    "amproc",
    "amhandler",
    "conproc",
    "prosupport",
    "rngcanonical",
    "rngsubdiff",
];

/// What the names of columns begin with that say yes or no.
const TRUTHS: &[&str] = &[
    "attis",
    "attnotnull",
    "atthas",
    "relhas",
    "relis",
    "indis",
    "condefer",
    "convalid",
    "proret",
    "prois",
    "prosec",
    "typis",
    "typby",
    "typnotnull",
    "rolsuper",
    "rolcan",
    "rolcreate",
    "datis",
    "datallow",
    "is_grantable",
];
