//! Table functions as macros: `FROM name(args)` becomes the SELECT that `sql/functions/name.sql` holds.
//!
//! DataFusion's own table functions take neither named arguments nor subqueries, and see no tables
//! while planning.
//! Expanding the syntax tree instead gives the planner an ordinary subquery: filters are pushed
//! into it, its tables are pinned with the rest, placeholders work, and every engine that runs
//! plans runs these.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, FunctionArg, Query, Statement, TableFactor, Value, VisitMut, VisitorMut,
};

use runrate_udfs::math::Fault;
use runrate_udfs::relation::{self, RelationFunction};

use super::limits;
use crate::error::{Error, Result};

/// A parameterised SELECT that `FROM name(...)` stands for.
#[derive(Debug, Clone)]
pub struct TableFunctionDefinition {
    /// Name in SQL.
    pub name: String,
    /// Parameters in order, with the SQL text of the default of those that have one.
    pub parameters: Vec<(String, Option<String>)>,
    /// The SELECT, with `$parameter` where an argument goes.
    pub sql: String,
    /// What it answers.
    pub comment: String,
    /// A query that calls it.
    pub example: String,
}

struct Template {
    parameters: Vec<(String, Option<Expr>)>,
    query: Query,
}

/// The table functions, parsed.
pub(super) struct TableFunctions {
    definitions: Vec<TableFunctionDefinition>,
    templates: BTreeMap<String, Template>,
}

impl TableFunctions {
    pub(super) fn new(definitions: Vec<TableFunctionDefinition>) -> Result<Self> {
        let mut templates = BTreeMap::new();
        for definition in &definitions {
            templates.insert(definition.name.clone(), template(definition)?);
        }
        Ok(Self { definitions, templates })
    }

    pub(super) fn definitions(&self) -> &[TableFunctionDefinition] {
        &self.definitions
    }

    /// Replaces every call of a table function in `statement`.
    pub(super) fn expand(&self, statement: &mut Statement) -> Result<()> {
        let mut expander = Expander { functions: self, depth: 0 };
        match VisitMut::visit(statement, &mut expander) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(error) => Err(*error),
        }
    }

    fn call(&self, name: &str, arguments: &[FunctionArg]) -> Result<Option<Query>> {
        if let Some(function) = RelationFunction::named(name) {
            return function.query(arguments).map(Some).map_err(refused);
        }
        let Some(template) = self.templates.get(name) else { return Ok(None) };
        let names: Vec<&str> = template.parameters.iter().map(|(name, _)| name.as_str()).collect();
        let given = relation::given(name, &names, arguments).map_err(refused)?;
        let mut values = BTreeMap::new();
        for (parameter, default) in &template.parameters {
            let value = given.get(parameter.as_str()).or(default.as_ref()).ok_or_else(|| {
                let message = format!("{name}: argument {parameter} is missing");
                Error::statement("42883", message)
            })?;
            values.insert(format!("${parameter}"), Expr::Nested(Box::new(value.clone())));
        }
        let mut query = template.query.clone();
        let _ = VisitMut::visit(&mut query, &mut Substitution { values });
        Ok(Some(query))
    }
}

fn template(definition: &TableFunctionDefinition) -> Result<Template> {
    let wrong = |reason: String| Error::Definition { name: definition.name.clone(), reason };
    let Some(Statement::Query(query)) = limits::parse(&definition.sql, usize::MAX)?.pop() else {
        return Err(wrong("is not a SELECT".into()));
    };
    let mut parameters = Vec::new();
    for (name, default) in &definition.parameters {
        let default = match default {
            Some(text) => Some(expression(text).map_err(|e| wrong(e.to_string()))?),
            None => None,
        };
        parameters.push((name.clone(), default));
    }
    Ok(Template { parameters, query: *query })
}

/// The expression that `text` is.
fn expression(text: &str) -> Result<Expr> {
    use datafusion::sql::sqlparser::ast::{SelectItem, SetExpr};
    let parsed = limits::parse(&format!("SELECT {text}"), usize::MAX)?.pop();
    if let Some(Statement::Query(query)) = parsed
        && let SetExpr::Select(select) = *query.body
        && let Some(SelectItem::UnnamedExpr(expr)) = select.projection.into_iter().next()
    {
        return Ok(expr);
    }
    Err(Error::statement("42601", format!("\"{text}\" is not an expression")))
}

fn refused(fault: Fault) -> Error {
    Error::statement("42883", fault.0)
}

/// Depth to which table functions may call each other.
const DEPTH_MAX: usize = 16;

struct Expander<'a> {
    functions: &'a TableFunctions,
    depth: usize,
}

impl VisitorMut for Expander<'_> {
    type Break = Box<Error>;

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Self::Break> {
        let TableFactor::Table { name, args: Some(arguments), alias, .. } = factor else {
            return ControlFlow::Continue(());
        };
        let called = name.to_string().to_lowercase();
        let query = match self.functions.call(&called, &arguments.args) {
            Ok(Some(query)) => query,
            Ok(None) => return ControlFlow::Continue(()),
            Err(error) => return ControlFlow::Break(Box::new(error)),
        };
        if self.depth >= DEPTH_MAX {
            let message =
                format!("{called}: table functions call each other more than {DEPTH_MAX} deep");
            return ControlFlow::Break(Box::new(Error::statement("54001", message)));
        }
        let alias = alias.take().or_else(|| Some(named(&called)));
        let mut query = Box::new(query);
        let mut inner = Expander { functions: self.functions, depth: self.depth + 1 };
        VisitMut::visit(query.as_mut(), &mut inner)?;
        *factor = TableFactor::Derived { lateral: false, subquery: query, alias, sample: None };
        ControlFlow::Continue(())
    }
}

/// The alias that Postgres gives a function in FROM: its name.
fn named(function: &str) -> datafusion::sql::sqlparser::ast::TableAlias {
    use datafusion::sql::sqlparser::ast::{Ident, TableAlias};
    TableAlias { explicit: true, name: Ident::new(function), columns: vec![], at: None }
}

struct Substitution {
    values: BTreeMap<String, Expr>,
}

impl VisitorMut for Substitution {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Self::Break> {
        if let Expr::Value(value) = expr
            && let Value::Placeholder(name) = &value.value
            && let Some(argument) = self.values.get(name)
        {
            *expr = argument.clone();
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn functions() -> TableFunctions {
        TableFunctions::new(vec![TableFunctionDefinition {
            name: "between_days".into(),
            parameters: vec![("low".into(), None), ("high".into(), Some("low_default + 1".into()))],
            sql: "SELECT d FROM days WHERE d >= $low AND d <= $high".into(),
            comment: String::new(),
            example: String::new(),
        }])
        .expect("a valid definition")
    }

    fn expanded(sql: &str) -> Result<String> {
        let mut statement = limits::parse(sql, 1 << 20)?.remove(0);
        functions().expand(&mut statement)?;
        Ok(statement.to_string())
    }

    #[test]
    fn arguments_take_their_places_by_order_and_by_name() {
        let wanted = "SELECT * FROM (SELECT d FROM days WHERE d >= (1) AND d <= (2 + 3)) x";
        assert_eq!(expanded("select * from between_days(1, 2+3) x").expect("expands"), wanted);
        let named = "select * from between_days(high => 2+3, low => 1) x";
        assert_eq!(expanded(named).expect("expands"), wanted);
        let default = expanded("select * from between_days(1)").expect("expands");
        assert!(default.contains("d <= (low_default + 1)) AS between_days"), "{default}");
    }

    #[test]
    fn placeholders_of_the_client_stay() {
        let sql = expanded("select * from between_days($1, 2)").expect("expands");
        assert!(sql.contains("d >= ($1)"), "{sql}");
    }

    #[test]
    fn wrong_arguments_are_named() {
        for (sql, words) in [
            ("select * from between_days()", "argument low is missing"),
            ("select * from between_days(1,2,3)", "takes at most 2 arguments"),
            ("select * from between_days(1, low => 2)", "argument low is given twice"),
            ("select * from between_days(1, top => 2)", "no argument is called top"),
        ] {
            let error = expanded(sql).expect_err(sql);
            assert!(error.to_string().contains(words), "{sql}: {error}");
        }
    }

    #[test]
    fn forecasts_and_models_become_aggregates() {
        let sql = expanded("select * from forecast('demand.bookings', 'month', 'amount', 12)");
        let sql = sql.expect("expands");
        assert!(
            sql.contains("forecast(\"month\", \"amount\", 12, NULL, NULL, NULL, NULL"),
            "{sql}"
        );
        assert!(sql.contains("FROM \"demand\".\"bookings\")"), "{sql}");
        let sql = expanded(
            "select * from forecast((select * from b), ts => m, value => amount * 2, \
             horizon => $1, level => 0.8, group_by => (region, team)) f",
        );
        let sql = sql.expect("expands");
        assert!(sql.contains("GROUP BY region, team"), "{sql}");
        assert!(sql.contains("forecast(m, amount * 2, $1, NULL, 0.8, NULL, NULL, NULL"), "{sql}");
        assert!(sql.ends_with("AS steps) f"), "{sql}");
        let sql = expanded(
            "select * from lead_model((select * from l), label => won, \
             features => (source, visits), group_by => 'segment')",
        );
        let sql = sql.expect("expands");
        let call = "lead_model(won, named_struct('source', source, 'visits', visits), NULL, NULL)";
        assert!(sql.contains(call), "{sql}");
        assert!(sql.contains("GROUP BY \"segment\""), "{sql}");
    }
}
