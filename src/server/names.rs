//! Column names as Postgres gives them: `count` and `?column?`, not the engine's own.

use datafusion::sql::sqlparser::ast::{SelectItem, Statement};

pub(super) use crate::session::folded;
use crate::session::{column_name, outermost};

/// Names of the columns of `statement`.
///
/// `None` where they are the engine's to say: behind a `*`, and for anything but a SELECT.
pub(super) fn of(statement: &Statement) -> Option<Vec<String>> {
    let Statement::Query(query) = statement else { return None };
    of_items(&outermost(query)?.projection)
}

/// Names of the columns that `items` are.
pub(super) fn of_items(items: &[SelectItem]) -> Option<Vec<String>> {
    items
        .iter()
        .map(|item| match item {
            SelectItem::UnnamedExpr(expr) => Some(column_name(expr)),
            SelectItem::ExprWithAlias { alias, .. } => Some(folded(alias)),
            _ => None,
        })
        .collect()
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
            "exists", "?column?", "now",
        ];
        assert_eq!(of(&parsed(sql)).expect("named"), expected);
        assert_eq!(of(&parsed("SELECT *, 1 FROM t")), None);
        assert_eq!(of(&parsed("SELECT 1 AS a UNION SELECT 2")), Some(vec!["a".into()]));
    }
}
