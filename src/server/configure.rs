//! `SELECT set_config('name', 'value', is_local)`: a SET that answers with its value.
//!
//! pgAdmin asks `FROM pg_show_all_settings() WHERE name = '...'`, so that nothing is set where there
//! is no such setting.

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, Select,
    SelectItem, SetExpr, Statement, Value,
};

use super::names::folded;
use super::settings;

/// One setting and the value it gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Configured {
    /// Name of the setting.
    pub(super) name: String,
    /// Its new value.
    pub(super) value: String,
    /// Whether it holds for the transaction only.
    pub(super) is_local: bool,
    /// Name of the column that shows the value.
    pub(super) column: String,
}

/// A SELECT of nothing but such calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Configure {
    /// The calls in order.
    pub(super) settings: Vec<Configured>,
    /// Whether there is a row to call them for.
    pub(super) has_row: bool,
}

impl Configure {
    /// The calls of `statement`; `None` if it asks for anything else.
    pub(super) fn of(statement: &Statement) -> Option<Self> {
        let Statement::Query(query) = statement else { return None };
        let SetExpr::Select(select) = query.body.as_ref() else { return None };
        let settings: Option<Vec<_>> = select.projection.iter().map(item).collect();
        let settings = settings.filter(|settings| !settings.is_empty())?;
        Some(Self { settings, has_row: has_row(select)? })
    }
}

fn item(item: &SelectItem) -> Option<Configured> {
    let (expr, column) = match item {
        SelectItem::UnnamedExpr(expr) => (expr, "set_config".to_owned()),
        SelectItem::ExprWithAlias { expr, alias } => (expr, folded(alias)),
        _ => return None,
    };
    let Expr::Function(Function { name, args: FunctionArguments::List(list), .. }) = expr else {
        return None;
    };
    let called = name.to_string().to_lowercase();
    if called.strip_prefix("pg_catalog.").unwrap_or(&called) != "set_config" {
        return None;
    }
    let literals = list.args.iter().map(|arg| match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => literal(expr),
        _ => None,
    });
    match literals.collect::<Option<Vec<_>>>()?.as_slice() {
        [
            Value::SingleQuotedString(name),
            Value::SingleQuotedString(value),
            Value::Boolean(is_local),
        ] => Some(Configured {
            name: name.clone(),
            value: value.clone(),
            is_local: *is_local,
            column,
        }),
        _ => None,
    }
}

fn literal(expr: &Expr) -> Option<&Value> {
    match expr {
        Expr::Value(value) => Some(&value.value),
        Expr::Cast { expr, .. } | Expr::Nested(expr) => literal(expr),
        _ => None,
    }
}

/// Whether what stands behind FROM has the one setting that is asked for; `None` if it is something
/// else.
fn has_row(select: &Select) -> Option<bool> {
    let Some(from) = select.from.first() else {
        return select.selection.is_none().then_some(true);
    };
    let text = from.to_string().to_lowercase();
    let text = text.strip_prefix("pg_catalog.").unwrap_or(&text);
    let is_settings = ["pg_settings", "pg_show_all_settings()"].contains(&text);
    let Some(Expr::BinaryOp { left, op: BinaryOperator::Eq, right }) = &select.selection else {
        return None;
    };
    let is_name = matches!(left.as_ref(), Expr::Identifier(Ident { value, .. })
        if value.eq_ignore_ascii_case("name"));
    let Some(Value::SingleQuotedString(name)) = literal(right) else { return None };
    let is_known = settings::known().any(|known| known.name == name);
    (is_settings && is_name && select.from.len() == 1).then_some(is_known)
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    use super::*;

    fn of(sql: &str) -> Option<Configure> {
        Configure::of(&Parser::parse_sql(&PostgreSqlDialect {}, sql).expect(sql).remove(0))
    }

    #[test]
    fn only_what_sets_is_taken() {
        let one = of("SELECT set_config('bytea_output', 'hex', false)").expect("a call");
        assert_eq!((one.settings[0].name.as_str(), one.has_row), ("bytea_output", true));
        let two =
            of("SELECT pg_catalog.set_config('a', 'b', true) AS x, set_config('c', 'd', false)");
        let two = two.expect("two calls").settings;
        assert_eq!((two[0].column.as_str(), two[0].is_local), ("x", true));
        let asked = |name: &str| {
            let sql = format!(
                "SELECT set_config('bytea_output', 'hex', false) FROM pg_show_all_settings() \
                 WHERE name = '{name}'"
            );
            of(&sql).expect("a call").has_row
        };
        assert!(asked("bytea_output") && !asked("no_such"));
        assert_eq!(of("SELECT set_config('a', $1, true)"), None);
        assert_eq!(of("SELECT set_config('a', 'b', true), 1"), None);
        assert_eq!(of("SELECT set_config('a', 'b', true) FROM crm.users"), None);
    }
}
