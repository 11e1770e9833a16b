//! Column names as Postgres gives them: `count` and `?column?`, not the engine's own.

use datafusion::sql::sqlparser::ast::{
    ArrayElemTypeDef, DataType, Expr, Function, Ident, Query, Select, SelectItem, SetExpr,
    TrimWhereField, UnaryOperator, Value,
};

/// The name of a column that has none.
pub const UNNAMED: &str = "?column?";

/// In lower case, unless quoted.
pub fn folded(name: &Ident) -> String {
    match name.quote_style {
        Some(_) => name.value.clone(),
        None => name.value.to_lowercase(),
    }
}

/// The SELECT that names the columns of `query`: the first of a UNION.
pub fn outermost(query: &Query) -> Option<&Select> {
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

/// The name Postgres would find in `expr`.
pub fn column_name(expr: &Expr) -> String {
    named(expr).map_or(UNNAMED.to_owned(), |(name, _)| name)
}

/// A name, and whether it is a better one than that of a type around it.
fn named(expr: &Expr) -> Option<(String, bool)> {
    let good = |name: &str| Some((name.to_owned(), true));
    match expr {
        Expr::Identifier(name) => good(&folded(name)),
        Expr::CompoundIdentifier(parts) => good(&folded(parts.last()?)),
        Expr::Function(Function { name, .. }) => good(&folded(name.0.last()?.as_ident()?)),
        Expr::Cast { expr, data_type, .. } => match named(expr) {
            Some((name, true)) => Some((name, true)),
            _ => Some((type_name(data_type), false)),
        },
        Expr::TypedString(typed) => Some((type_name(&typed.data_type), false)),
        Expr::Interval(_) => Some(("interval".into(), false)),
        Expr::Nested(inner) | Expr::Collate { expr: inner, .. } => named(inner),
        Expr::Case { else_result, .. } => match else_result.as_deref().and_then(named) {
            Some((name, true)) => Some((name, true)),
            _ => Some(("case".into(), false)),
        },
        Expr::Exists { negated: false, .. } => good("exists"),
        Expr::Extract { .. } => good("extract"),
        Expr::Substring { shorthand, .. } => good(if *shorthand { "substr" } else { "substring" }),
        Expr::Position { .. } => good("position"),
        Expr::Overlay { .. } => good("overlay"),
        Expr::Trim { trim_where, .. } => good(match trim_where {
            Some(TrimWhereField::Leading) => "ltrim",
            Some(TrimWhereField::Trailing) => "rtrim",
            _ => "btrim",
        }),
        Expr::Ceil { .. } => good("ceil"),
        Expr::Floor { .. } => good("floor"),
        Expr::Array(_) => good("array"),
        Expr::Tuple(_) => good("row"),
        Expr::AtTimeZone { .. } => good("timezone"),
        Expr::Subquery(query) => match outermost(query)?.projection.as_slice() {
            [SelectItem::UnnamedExpr(expr)] => named(expr).map(|(name, _)| (name, true)),
            [SelectItem::ExprWithAlias { alias, .. }] => good(&folded(alias)),
            _ => None,
        },
        Expr::CompoundFieldAccess { root, .. } => named(root),
        _ => None,
    }
}

/// Whether `expr` is a whole number written out, perhaps with a sign.
pub(super) fn is_whole_literal(expr: &Expr) -> bool {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::Number(text, _) => text.parse::<i32>().is_ok(),
            _ => false,
        },
        Expr::UnaryOp { op: UnaryOperator::Minus | UnaryOperator::Plus, expr } => {
            is_whole_literal(expr)
        }
        _ => false,
    }
}

/// A type as `pg_type` calls it.
fn type_name(data_type: &DataType) -> String {
    if let DataType::Array(ArrayElemTypeDef::SquareBracket(element, _)) = data_type {
        return type_name(element);
    }
    let lower = data_type.to_string().to_lowercase();
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
        "char" | "character" => "bpchar",
        "timestamp with time zone" => "timestamptz",
        "timestamp without time zone" => "timestamp",
        "time without time zone" => "time",
        other => other,
    }
    .to_owned()
}
