//! `current_setting('name')`: settings that the client's connection keeps, told to the session.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::{PoisonError, RwLock};

use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Statement, Value,
    visit_expressions_mut,
};

use crate::error::{Error, Result};

/// Values by name, in lower case.
#[derive(Debug, Default)]
pub(super) struct Told(RwLock<BTreeMap<String, String>>);

impl Told {
    pub(super) fn put(&self, name: &str, value: &str) {
        let mut values = self.0.write().unwrap_or_else(PoisonError::into_inner);
        values.insert(name.to_lowercase(), value.to_owned());
    }

    /// Puts values in the places of `current_setting('name')`.
    ///
    /// # Errors
    /// 42704 for a name that is not known, 0A000 for `set_config` and for a name that is computed.
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

    fn value(&self, expr: &Expr) -> Result<Option<Expr>> {
        let Expr::Function(Function { name, args: FunctionArguments::List(list), .. }) = expr
        else {
            return Ok(None);
        };
        let called = name.to_string().to_lowercase();
        let refuse = |message: &str| Err(Error::statement("0A000", message));
        match called.strip_prefix("pg_catalog.").unwrap_or(&called) {
            "current_setting" => {}
            "set_config" => return refuse("set_config is not supported: use SET"),
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
            _ => return refuse("current_setting takes a name that is written out"),
        };
        let values = self.0.read().unwrap_or_else(PoisonError::into_inner);
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
        for (sql, state) in [
            ("SELECT current_setting('no.such')", "42704"),
            ("SELECT current_setting(name) FROM t", "0A000"),
            ("SELECT set_config('TimeZone', 'UTC', false)", "0A000"),
        ] {
            assert_eq!(substituted(sql).expect_err(sql).sqlstate(), state, "{sql}");
        }
    }
}
