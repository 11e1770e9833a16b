//! `current_setting('name')`: settings that the client's connection keeps, told to the session.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Statement, Value,
    visit_expressions_mut,
};

use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;
use parking_lot::RwLock;

use crate::error::{Error, Result};

/// Values by name, in lower case.
#[derive(Debug, Default)]
pub(super) struct Told(RwLock<BTreeMap<String, String>>);

impl Told {
    pub(super) fn put(&self, name: &str, value: &str) {
        let mut values = self.0.write();
        values.insert(name.to_lowercase(), value.to_owned());
    }

    /// Puts values in the places of `current_setting('name')`.
    ///
    /// # Errors
    /// 42704 for a name that is not known, 0A000 for `set_config` among other things.
    pub(super) fn substitute(&self, statement: &mut Statement) -> Result<()> {
        let flow = visit_expressions_mut(statement, |expr| match self.value(expr) {
            Ok(None) => ControlFlow::Continue(()),
            Ok(Some(value)) => {
                *expr = value;
                ControlFlow::Continue(())
            }
            Err(error) => ControlFlow::Break(error),
        });
        match flow {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(error) => Err(error),
        }
    }

    /// The value by a name that is only known when the query runs; NULL for an unknown one.
    fn chosen(&self, name: Option<&FunctionArg>) -> Option<Expr> {
        let values = self.0.read();
        let quoted = |text: &str| Value::SingleQuotedString(text.to_owned()).to_string();
        let cases: String = values
            .iter()
            .map(|(name, value)| format!(" WHEN {} THEN {}", quoted(name), quoted(value)))
            .collect();
        let sql = format!("CASE lower(CAST({} AS TEXT)){cases} END", name?);
        let parser = Parser::new(&PostgreSqlDialect {}).try_with_sql(&sql);
        parser.and_then(|mut parser| parser.parse_expr()).ok()
    }

    fn value(&self, expr: &Expr) -> Result<Option<Expr>> {
        let Expr::Function(Function { name, args: FunctionArguments::List(list), .. }) = expr
        else {
            return Ok(None);
        };
        let called = name.to_string().to_lowercase();
        let refuse = |message: &str| Err(Error::statement("0A000", message));
        match called.strip_prefix("pg_catalog.").unwrap_or(&called) {
            "current_setting" => {}
            "set_config" => {
                return refuse("set_config stands alone in a SELECT, with literals for arguments");
            }
            _ => return Ok(None),
        }
        let literals = list.args.iter().map(|arg| match arg {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(value))) => Some(&value.value),
            _ => None,
        });
        let (name, is_optional) = match literals.collect::<Option<Vec<_>>>().as_deref() {
            Some([Value::SingleQuotedString(name)]) => (name, false),
            Some([Value::SingleQuotedString(name), Value::Boolean(is_optional)]) => {
                (name, *is_optional)
            }
            // A name that is computed, or a parameter.
            _ => return Ok(self.chosen(list.args.first())),
        };
        let values = self.0.read();
        match values.get(&name.to_lowercase()) {
            Some(value) => Ok(Some(Expr::Value(Value::SingleQuotedString(value.clone()).into()))),
            None if is_optional => Ok(Some(Expr::Value(Value::Null.into()))),
            None => {
                let message = format!("unrecognized configuration parameter \"{name}\"");
                Err(Error::statement("42704", message))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::limits;

    fn substituted(sql: &str) -> Result<String> {
        let told = Told::default();
        told.put("TimeZone", "UTC");
        let mut statement = limits::parse(sql, 1 << 10)?.remove(0);
        told.substitute(&mut statement)?;
        Ok(statement.to_string())
    }

    #[test]
    fn known_settings_are_their_values() {
        let found = substituted("SELECT pg_catalog.current_setting('timezone')").expect("known");
        assert_eq!(found, "SELECT 'UTC'");
        let found = substituted("SELECT current_setting('no.such', true)").expect("optional");
        assert_eq!(found, "SELECT NULL");
        let found = substituted("SELECT current_setting(name) FROM t").expect("computed");
        let wanted = "SELECT CASE lower(CAST(name AS TEXT)) WHEN 'timezone' THEN 'UTC' END FROM t";
        assert_eq!(found, wanted);
        for (sql, state) in [
            ("SELECT current_setting('no.such')", "42704"),
            ("SELECT set_config('TimeZone', 'UTC', false)", "0A000"),
        ] {
            assert_eq!(substituted(sql).expect_err(sql).sqlstate(), state, "{sql}");
        }
    }
}
