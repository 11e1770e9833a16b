//! `regclass` and its family, and the columns that every table of Postgres has.
//!
//! Postgres shows such a number as the name it stands for, and takes the name for the number.
//! Which of the two a cast means is seen from where it stands: what is shown, joined to text or cast
//! to text becomes a name, everything else a number.

use std::collections::HashMap;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    ArrayElemTypeDef, BinaryOperator, DataType, Expr, Ident, Query, SelectItem, SetExpr, Statement,
    TableFactor, Value, VisitMut, VisitorMut,
};

use super::{bare, called, expression, lower};
use crate::server::catalog::system;

/// Types whose values are numbers of objects, shown as names.
const KINDS: &[&str] =
    &["regclass", "regtype", "regproc", "regprocedure", "regnamespace", "regrole"];

/// Functions that make a text of their arguments.
const TEXT_FUNCTIONS: &[&str] =
    &["format", "concat", "concat_ws", "quote_ident", "replace", "lower"];

/// Says each such cast as a call of the function that Postgres itself has for it.
pub(super) fn rewrite(statement: &mut Statement) {
    let mut tables = Tables::default();
    let _: ControlFlow<()> = VisitMut::visit(statement, &mut tables);
    let _: ControlFlow<()> = VisitMut::visit(statement, &mut Identities { tables: tables.0 });
}

/// What tables of the catalog are called in a statement.
#[derive(Default)]
struct Tables(HashMap<String, String>);

impl VisitorMut for Tables {
    type Break = ();

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table { name, alias, .. } = factor
            && let Some(table) = lower(name).pop()
            && system::is_table(&table)
        {
            let called = alias.as_ref().map_or(table.clone(), |a| a.name.value.to_lowercase());
            self.0.insert(called, table);
        }
        ControlFlow::Continue(())
    }
}

struct Identities {
    tables: HashMap<String, String>,
}

impl Identities {
    /// The value of a column that every table has, as text of SQL.
    fn system_column(&self, expr: &Expr) -> Option<String> {
        let (table, column) = match expr {
            Expr::Identifier(column) => (None, column),
            Expr::CompoundIdentifier(parts) => match parts.as_slice() {
                [.., table, column] => (Some(table.value.to_lowercase()), column),
                _ => return None,
            },
            _ => return None,
        };
        let known = match &table {
            Some(table) => self.tables.get(table)?,
            None if self.tables.len() == 1 => self.tables.values().next()?,
            None => return None,
        };
        match column.value.to_lowercase().as_str() {
            "tableoid" => Some(system::oid(known).to_string()),
            // Nothing here changes by transactions that clients could tell apart.
            "xmin" | "cmin" => Some("1".into()),
            "xmax" | "cmax" => Some("0".into()),
            "ctid" => Some("'(0,1)'".into()),
            _ => None,
        }
    }

    fn shown(&self, item: &mut SelectItem, is_outermost: bool) {
        let (expr, has_alias) = match &*item {
            SelectItem::UnnamedExpr(expr) => (expr, false),
            SelectItem::ExprWithAlias { expr, .. } => (expr, true),
            _ => return,
        };
        let name = name(expr);
        let made = if let Some((kind, inner)) = cast(expr) {
            // Below, what looks like a name is compared with a number.
            let is_number = !is_outermost && matches!(inner, Expr::Value(_));
            if is_number { None } else { out(kind, inner) }
        } else {
            self.system_column(expr).and_then(|text| expression(&text))
        };
        let Some(made) = made else { return };
        *item = match (&*item, name) {
            (SelectItem::ExprWithAlias { alias, .. }, _) if has_alias => {
                SelectItem::ExprWithAlias { expr: made, alias: alias.clone() }
            }
            (_, Some(name)) => SelectItem::ExprWithAlias { expr: made, alias: name },
            _ => SelectItem::UnnamedExpr(made),
        };
    }
}

impl VisitorMut for Identities {
    type Break = ();

    fn pre_visit_statement(&mut self, statement: &mut Statement) -> ControlFlow<()> {
        if let Statement::Query(query) = statement {
            each_item(query.body.as_mut(), &mut |item| self.shown(item, true));
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        each_item(query.body.as_mut(), &mut |item| self.shown(item, false));
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let named = |part: &Expr| cast(part).and_then(|(kind, inner)| out(kind, inner));
        let made = match &mut *expr {
            Expr::Cast { expr: inner, data_type, .. } => match (cast(inner), kind(data_type)) {
                (Some((from, name)), None) if is_text(data_type) => out(from, name),
                (Some((from, name)), None) => call(from, "in", name),
                (None, Some(to)) => call(to, "in", inner),
                (Some((from, name)), Some(to)) if from == to => call(to, "in", name),
                _ => {
                    if let Some(plain) = plain(data_type) {
                        *data_type = plain;
                    }
                    None
                }
            },
            Expr::BinaryOp { left, op: BinaryOperator::StringConcat, right } => {
                for side in [left, right] {
                    if let Some(made) = named(side) {
                        **side = made;
                    }
                }
                None
            }
            Expr::Function(function) => {
                use datafusion::sql::sqlparser::ast::{
                    FunctionArg, FunctionArgExpr, FunctionArguments,
                };
                let name = lower(&function.name).pop().unwrap_or_default();
                let is_text = TEXT_FUNCTIONS.contains(&name.as_str());
                let mut age = None;
                if let FunctionArguments::List(list) = &mut function.args {
                    for argument in &mut list.args {
                        let FunctionArg::Unnamed(FunctionArgExpr::Expr(argument)) = argument else {
                            continue;
                        };
                        if is_text && let Some(made) = named(argument) {
                            *argument = made;
                        }
                        if name == "age" && self.system_column(argument).is_some() {
                            age = expression("1");
                        }
                    }
                }
                age
            }
            other => self.system_column(other).and_then(|text| expression(&text)),
        };
        if let Some(made) = made {
            *expr = made;
        }
        ControlFlow::Continue(())
    }
}

/// Every item that the SELECTs of a query show.
pub(super) fn each_item(body: &mut SetExpr, visit: &mut impl FnMut(&mut SelectItem)) {
    match body {
        SetExpr::Select(select) => select.projection.iter_mut().for_each(visit),
        SetExpr::SetOperation { left, right, .. } => {
            each_item(left, visit);
            each_item(right, visit);
        }
        SetExpr::Query(query) => each_item(query.body.as_mut(), visit),
        _ => {}
    }
}

/// The type of the family that `data_type` is.
fn kind(data_type: &DataType) -> Option<&'static str> {
    let name = data_type.to_string().to_lowercase();
    let name = name.strip_prefix("pg_catalog.").unwrap_or(&name);
    KINDS.iter().find(|kind| **kind == name).copied()
}

/// The type that the engine has for one that is only another name for it.
fn plain(data_type: &DataType) -> Option<DataType> {
    let name = data_type.to_string().to_lowercase();
    let name = name.strip_prefix("pg_catalog.").unwrap_or(&name);
    let name = name.strip_prefix("information_schema.").unwrap_or(name);
    let text = |element| DataType::Array(ArrayElemTypeDef::SquareBracket(Box::new(element), None));
    Some(match name {
        "name" | "\"char\"" | "sql_identifier" | "character_data" | "yes_or_no" | "aclitem" => {
            DataType::Text
        }
        "xid" | "cid" | "cardinal_number" => DataType::Integer(None),
        "_text" | "_name" | "_varchar" | "name[]" | "\"char\"[]" => text(DataType::Text),
        "_int2" | "_int4" | "_oid" | "int2vector" | "oidvector" => text(DataType::Integer(None)),
        _ => return None,
    })
}

fn is_text(data_type: &DataType) -> bool {
    let name = data_type.to_string().to_lowercase();
    let name = name.strip_prefix("pg_catalog.").unwrap_or(&name);
    ["text", "varchar", "character varying", "name", "char", "bpchar"]
        .iter()
        .any(|text| name == *text || name.starts_with(&format!("{text}(")))
}

/// The type and the operand, if `expr` is a cast to one of the family.
fn cast(expr: &Expr) -> Option<(&'static str, &Expr)> {
    match bare(expr) {
        Expr::Cast { expr, data_type, .. } => Some((kind(data_type)?, expr.as_ref())),
        _ => None,
    }
}

fn call(kind: &str, way: &str, operand: &Expr) -> Option<Expr> {
    // What is cast to the family twice is a number already.
    if called(operand).ends_with("in") && called(operand).starts_with("reg") {
        return Some(operand.clone());
    }
    expression(&format!("{kind}{way}({operand})"))
}

/// The name that `operand` stands for.
fn out(kind: &str, operand: &Expr) -> Option<Expr> {
    let is_number = match bare(operand) {
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) => true,
        Expr::Cast { data_type, .. } => data_type.to_string().eq_ignore_ascii_case("oid"),
        _ => false,
    };
    match is_number {
        true => call(kind, "out", operand),
        false => expression(&format!("{kind}out({kind}in({operand}))")),
    }
}

/// What Postgres calls a column that shows `expr`.
fn name(expr: &Expr) -> Option<Ident> {
    match expr {
        Expr::Identifier(name) => Some(name.clone()),
        Expr::CompoundIdentifier(parts) => parts.last().cloned(),
        Expr::Cast { expr, data_type, .. } => match expr.as_ref() {
            Expr::Value(value) if !matches!(value.value, Value::Null) => {
                kind(data_type).map(Ident::new)
            }
            inner => name(inner),
        },
        Expr::Nested(inner) => name(inner),
        _ => None,
    }
}
