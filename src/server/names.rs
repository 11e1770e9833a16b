//! Column names as Postgres gives them: `count` and `?column?`, not the engine's own.

use datafusion::sql::sqlparser::ast::{
    Expr, Function, Ident, Query, Select, SelectItem, SetExpr, Statement,
};

/// Names of the columns of `statement`.
///
/// `None` where they are the engine's to say: behind a `*`, and for anything but a SELECT.
pub(super) fn of(statement: &Statement) -> Option<Vec<String>> {
    let Statement::Query(query) = statement else { return None };
    let items = &outermost(query)?.projection;
    items
        .iter()
        .map(|item| match item {
            SelectItem::UnnamedExpr(expr) => Some(name(expr)),
            SelectItem::ExprWithAlias { alias, .. } => Some(folded(alias)),
            _ => None,
        })
        .collect()
}

fn outermost(query: &Query) -> Option<&Select> {
    let mut body = query.body.as_ref();
    loop {
        body = match body {
            SetExpr::Select(select) => return Some(select),
            SetExpr::Query(inner) => return outermost(inner),
            SetExpr::SetOperation { left, .. } => left,
            _ => return None,
        };
    }
}

/// In lower case, unless quoted.
pub(super) fn folded(name: &Ident) -> String {
    match name.quote_style {
        Some(_) => name.value.clone(),
        None => name.value.to_lowercase(),
    }
}

const UNNAMED: &str = "?column?";

/// The name Postgres would find in `expr`.
fn name(expr: &Expr) -> String {
    match expr {
        Expr::Identifier(name) => folded(name),
        Expr::CompoundIdentifier(parts) => parts.last().map_or(UNNAMED.into(), folded),
        Expr::Function(Function { name, .. }) => {
            let last = name.0.last().and_then(|part| part.as_ident());
            last.map_or(UNNAMED.into(), folded)
        }
        Expr::Cast { expr, data_type, .. } => match name(expr) {
            unnamed if unnamed == UNNAMED => type_name(&data_type.to_string()),
            named => named,
        },
        Expr::Nested(inner) | Expr::Collate { expr: inner, .. } => name(inner),
        Expr::Case { else_result, .. } => match else_result.as_deref().map(name) {
            Some(named) if named != UNNAMED => named,
            _ => "case".into(),
        },
        Expr::Exists { .. } => "exists".into(),
        Expr::Extract { .. } => "extract".into(),
        Expr::Substring { .. } => "substring".into(),
        Expr::Position { .. } => "position".into(),
        Expr::Trim { .. } => "btrim".into(),
        Expr::Ceil { .. } => "ceil".into(),
        Expr::Floor { .. } => "floor".into(),
        Expr::Array(_) => "array".into(),
        Expr::Tuple(_) => "row".into(),
        Expr::TypedString(typed) => type_name(&typed.data_type.to_string()),
        Expr::Interval(_) => "interval".into(),
        Expr::Subquery(query) => {
            let items = outermost(query).map(|select| select.projection.as_slice());
            match items {
                Some([SelectItem::UnnamedExpr(expr)]) => name(expr),
                Some([SelectItem::ExprWithAlias { alias, .. }]) => folded(alias),
                _ => UNNAMED.into(),
            }
        }
        Expr::CompoundFieldAccess { root, .. } => name(root),
        Expr::Value(value) => match value.value.to_string().as_str() {
            "true" | "false" => "bool".into(),
            _ => UNNAMED.into(),
        },
        _ => UNNAMED.into(),
    }
}

/// A type as `pg_type` calls it.
fn type_name(written: &str) -> String {
    let lower = written.to_lowercase();
    let bare = lower.split('(').next().unwrap_or_default().trim();
    match bare {
        "int" | "integer" => "int4",
        "bigint" => "int8",
        "smallint" => "int2",
        "double precision" | "double" | "float" => "float8",
        "real" => "float4",
        "boolean" => "bool",
        "decimal" | "dec" => "numeric",
        "character varying" => "varchar",
        "timestamp with time zone" => "timestamptz",
        other => other,
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    use super::*;

    fn parsed(sql: &str) -> Statement {
        Parser::parse_sql(&PostgreSqlDialect {}, sql).expect(sql).remove(0)
    }

    #[test]
    fn names_are_those_of_postgres() {
        let sql = "SELECT count(*), 1, 'a', a.Id, \"B\", x::int, 1::bigint, a + 1 AS Sum, \
                   CASE WHEN a THEN 1 END, (SELECT max(b) FROM t), EXISTS (SELECT 1), true, now()";
        let expected = [
            "count", "?column?", "?column?", "id", "B", "x", "int8", "sum", "case", "max",
            "exists", "bool", "now",
        ];
        assert_eq!(of(&parsed(sql)).expect("named"), expected);
        assert_eq!(of(&parsed("SELECT *, 1 FROM t")), None);
        assert_eq!(of(&parsed("SELECT 1 AS a UNION SELECT 2")), Some(vec!["a".into()]));
    }
}
