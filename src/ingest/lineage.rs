//! Which raw columns become numbers and dates, so that a declared spelling can be led back before a
//! mapping computes with them.
//!
//! A column is a number or a date if its value, whole or in part, goes into a canonical column of
//! that kind, or if a mapping casts it to one; the way may lead through look-ups and subqueries.
//! A column that is passed on whole to a canonical text as well is ambiguous: an id that looks like
//! a number must stay as it is, so a spelling cannot be declared for it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments,
    ObjectName, Query, Select, SelectItem, SetExpr, Statement, TableFactor, visit_expressions,
};

use super::Request;
use super::datasets::Dataset;
use super::export::Object;
use super::mapping::{EXPORT, EXTRA, ROW};
use super::spelling::Quantity;
use crate::error::{Error, Result};
use crate::schema::Kind;
use crate::source::locale::Locale;

/// Functions whose arguments are dates, whatever they make of them.
const OF_DATES: &[&str] = &["day", "instant", "utc", "seconds_between", "days_between"];
/// Functions whose result is no value of their argument, or whose argument has a spelling of its own.
const OPAQUE: &[&str] = &["flag", "count", "json_text", "months", "clock_seconds"];
/// Functions that pass an argument on whole.
const PASSING: &[&str] = &["coalesce", "max", "min", "nullif", "trim", "first_value", "last_value"];

/// What a column is used as.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Uses {
    is_number: bool,
    is_date: bool,
    /// Passed on whole as a text.
    is_text: bool,
}

impl Uses {
    /// Whether a value could be meant in two ways, of which one must not be led back.
    fn is_ambiguous(self) -> bool {
        (self.is_text && (self.is_number || self.is_date)) || (self.is_number && self.is_date)
    }
}

/// Object and column, in lower case.
type Column = (String, String);
/// Columns that a value is made of, each with whether it is passed on whole.
type Parts = BTreeSet<(Column, bool)>;
/// Columns of a relation by name, in order.
type Made = Vec<(String, Parts)>;

/// The uses of every raw column that the mappings of `dataset` read.
fn of(dataset: &Dataset) -> BTreeMap<Column, Uses> {
    let mut trace = Trace::default();
    for mapping in &dataset.mappings {
        for branch in &mapping.branches {
            let Statement::Query(query) = &branch.statement else { continue };
            for (name, parts) in trace.query(query) {
                if let Some(column) = mapping.table.column(&name) {
                    trace.note(&parts, column.kind);
                }
            }
        }
    }
    // What the loader adds to every object is no column of the export.
    trace.uses.retain(|(_, column), _| column != ROW && column != EXTRA);
    trace.uses
}

/// Columns whose spelling is declared, by object.
pub(super) type Spelled = BTreeMap<String, BTreeMap<String, Quantity>>;

/// The columns of `objects` whose numbers and dates are led back to one spelling before the mappings
/// see them.
///
/// # Errors
/// [`Error::Refused`] for one that is read in more than one way.
pub(super) fn spelled(
    dataset: &Dataset,
    objects: &BTreeMap<String, Arc<Object>>,
    request: &Request,
) -> Result<Spelled> {
    let locale = request.options.locale;
    let mut spelled = Spelled::new();
    if locale == Locale::default() {
        return Ok(spelled);
    }
    let (is_number, is_date) =
        (locale.decimal.is_some(), locale.date_order.is_some() || locale.serials.is_some());
    for ((name, column), uses) in of(dataset) {
        let Some(object) = objects.get(&name).filter(|o| o.columns().contains(&column)) else {
            continue;
        };
        let quantity = match (uses.is_number && is_number, uses.is_date && is_date) {
            (false, false) => continue,
            (true, _) => Quantity::Number,
            (false, true) => Quantity::Date,
        };
        if uses.is_ambiguous() {
            let reason = format!(
                "{column} is read in more than one way by the mappings of {}, so that no decimal \
                 sign, date order or count of days can be declared for it",
                dataset.crm
            );
            return Err(Error::Refused { subject: object.paths(), reason });
        }
        spelled.entry(name).or_default().insert(column, quantity);
    }
    Ok(spelled)
}

#[derive(Default)]
struct Trace {
    uses: BTreeMap<Column, Uses>,
    ctes: BTreeMap<String, Made>,
}

/// What stands in FROM.
enum Relation {
    Object(String),
    Made(Made),
}

type Scope = Vec<(String, Relation)>;

impl Trace {
    fn note(&mut self, parts: &Parts, kind: Kind) {
        for (column, is_whole) in parts {
            let uses = self.uses.entry(column.clone()).or_default();
            match kind {
                Kind::Integer | Kind::Number | Kind::Money => uses.is_number = true,
                Kind::Date | Kind::Timestamp => uses.is_date = true,
                Kind::Text => uses.is_text |= is_whole,
                Kind::Boolean => {}
            }
        }
    }

    fn query(&mut self, query: &Query) -> Made {
        for cte in query.with.iter().flat_map(|with| &with.cte_tables) {
            let made = self.query(&cte.query);
            self.ctes.insert(cte.alias.name.value.to_lowercase(), made);
        }
        self.body(&query.body)
    }

    fn body(&mut self, body: &SetExpr) -> Made {
        match body {
            SetExpr::Select(select) => self.select(select),
            SetExpr::Query(query) => self.query(query),
            SetExpr::SetOperation { left, right, .. } => {
                let (mut made, other) = (self.body(left), self.body(right));
                for ((_, parts), (_, more)) in made.iter_mut().zip(other) {
                    parts.extend(more);
                }
                made
            }
            _ => Made::new(),
        }
    }

    fn select(&mut self, select: &Select) -> Made {
        let mut scope = Scope::new();
        for from in &select.from {
            self.relation(&from.relation, &mut scope);
            from.joins.iter().for_each(|join| self.relation(&join.relation, &mut scope));
        }
        self.casts(select, &scope);
        let mut made = Made::new();
        for item in &select.projection {
            match item {
                SelectItem::ExprWithAlias { expr, alias } => {
                    made.push((alias.value.to_lowercase(), self.value(expr, &scope)));
                }
                SelectItem::UnnamedExpr(expr) => {
                    let name = match expr {
                        Expr::Identifier(name) => name.value.to_lowercase(),
                        Expr::CompoundIdentifier(path) => {
                            path.last().map(|name| name.value.to_lowercase()).unwrap_or_default()
                        }
                        _ => String::new(),
                    };
                    made.push((name, self.value(expr, &scope)));
                }
                _ => {
                    for (_, relation) in &scope {
                        if let Relation::Made(columns) = relation {
                            made.extend(columns.iter().cloned());
                        }
                    }
                }
            }
        }
        made
    }

    fn relation(&mut self, factor: &TableFactor, scope: &mut Scope) {
        match factor {
            TableFactor::Table { name, alias, .. } => {
                let (place, table) = last_two(name);
                let called = alias.as_ref().map_or(&table, |a| &a.name.value).to_lowercase();
                let relation = match self.ctes.get(&table) {
                    Some(made) if place.as_deref() != Some(EXPORT) => Relation::Made(made.clone()),
                    _ => Relation::Object(table),
                };
                scope.push((called, relation));
            }
            TableFactor::Derived { subquery, alias, .. } => {
                let called = alias.as_ref().map(|a| a.name.value.to_lowercase());
                let made = self.query(subquery);
                scope.push((called.unwrap_or_default(), Relation::Made(made)));
            }
            _ => {}
        }
    }

    /// Notes what is cast, anywhere in `select` but its subqueries in FROM.
    fn casts(&mut self, select: &Select, scope: &Scope) {
        let mut found = Vec::new();
        let mut see = |expr: &Expr| {
            if let Expr::Cast { expr, data_type, .. } = expr
                && let Some(kind) = kind(data_type)
            {
                found.push((expr.as_ref().clone(), kind));
            }
            if let Expr::Function(function) = expr
                && OF_DATES.contains(&name_of(function).as_str())
            {
                found.extend(arguments(function).map(|a| (a.clone(), Kind::Timestamp)));
            }
            ControlFlow::<()>::Continue(())
        };
        let _ = visit_expressions(&select.projection, &mut see);
        let _ = visit_expressions(&select.selection, &mut see);
        let _ = visit_expressions(&select.having, &mut see);
        for (expr, kind) in found {
            let parts = self.value(&expr, scope);
            self.note(&parts, kind);
        }
    }

    /// The columns that the value of `expr` is made of.
    fn value(&mut self, expr: &Expr, scope: &Scope) -> Parts {
        let composed = |parts: Parts| parts.into_iter().map(|(c, _)| (c, false)).collect();
        match expr {
            Expr::Identifier(name) => resolve(scope, None, &name.value),
            Expr::CompoundIdentifier(path) => match path.as_slice() {
                [alias, name] => resolve(scope, Some(&alias.value), &name.value),
                _ => Parts::new(),
            },
            Expr::Nested(inner) | Expr::Cast { expr: inner, .. } => self.value(inner, scope),
            Expr::Case { conditions, else_result, .. } => {
                let results = conditions.iter().map(|when| &when.result);
                let results = results.chain(else_result.as_deref());
                results.flat_map(|result| self.value(result, scope)).collect()
            }
            Expr::Function(function) => {
                let name = name_of(function);
                if OF_DATES.contains(&name.as_str()) || OPAQUE.contains(&name.as_str()) {
                    return Parts::new();
                }
                let parts: Parts = arguments(function).flat_map(|a| self.value(a, scope)).collect();
                if PASSING.contains(&name.as_str()) { parts } else { composed(parts) }
            }
            Expr::Trim { expr, .. } => self.value(expr, scope),
            Expr::UnaryOp { expr, .. } => composed(self.value(expr, scope)),
            Expr::BinaryOp { left, op, right } if makes_value(op) => {
                let mut parts = self.value(left, scope);
                parts.extend(self.value(right, scope));
                composed(parts)
            }
            Expr::Subquery(query) => {
                self.query(query).into_iter().flat_map(|(_, parts)| parts).collect()
            }
            _ => Parts::new(),
        }
    }
}

/// The columns that `name` stands for in `scope`.
fn resolve(scope: &Scope, alias: Option<&str>, name: &str) -> Parts {
    let name = name.to_lowercase();
    let found = match alias {
        Some(alias) => scope.iter().find(|(called, _)| *called == alias.to_lowercase()),
        None => scope.first(),
    };
    match found {
        Some((_, Relation::Object(object))) => Parts::from([((object.clone(), name), true)]),
        Some((_, Relation::Made(made))) => {
            let column = made.iter().find(|(column, _)| *column == name);
            column.map(|(_, parts)| parts.clone()).unwrap_or_default()
        }
        None => Parts::new(),
    }
}

fn makes_value(operator: &BinaryOperator) -> bool {
    use BinaryOperator::{Divide, Minus, Modulo, Multiply, Plus, StringConcat};
    matches!(operator, Divide | Minus | Modulo | Multiply | Plus | StringConcat)
}

fn name_of(function: &Function) -> String {
    last_two(&function.name).1
}

fn arguments(function: &Function) -> impl Iterator<Item = &Expr> {
    let list = match &function.args {
        FunctionArguments::List(list) => list.args.as_slice(),
        _ => &[],
    };
    list.iter().filter_map(|argument| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
        FunctionArg::Named { arg: FunctionArgExpr::Expr(expr), .. } => Some(expr),
        _ => None,
    })
}

/// Schema and name, in lower case.
fn last_two(name: &ObjectName) -> (Option<String>, String) {
    let mut parts: Vec<String> = name
        .0
        .iter()
        .filter_map(|part| part.as_ident().map(|ident| ident.value.to_lowercase()))
        .collect();
    let last = parts.pop().unwrap_or_default();
    (parts.pop(), last)
}

/// The kind of value that a cast to `data_type` makes, if it is one with spellings.
fn kind(data_type: &DataType) -> Option<Kind> {
    let name = data_type.to_string().to_uppercase();
    let is = |starts: &[&str]| starts.iter().any(|start| name.starts_with(start));
    if is(&["DATE", "TIMESTAMP"]) {
        return Some(Kind::Timestamp);
    }
    let numbers = ["DECIMAL", "NUMERIC", "DOUBLE", "FLOAT", "REAL", "INT", "BIGINT", "SMALLINT"];
    is(&numbers).then_some(Kind::Number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::datasets;
    use crate::ingest::mapping::Mapping;
    use crate::schema;

    fn uses(text: &str) -> BTreeMap<Column, Uses> {
        let table = schema::table("opportunities").expect("a table");
        let mapping = Mapping::parse("t.sql", table, text).expect("parses");
        let (crm, version) = ("t".to_owned(), String::new());
        of(&Dataset { crm, mappings: vec![mapping], seeds: vec![], version })
    }

    fn shown(uses: &BTreeMap<Column, Uses>) -> Vec<String> {
        let line = |((object, column), uses): (&Column, &Uses)| {
            let letter = |is: bool, letter: char| if is { letter } else { '-' };
            let letters =
                [letter(uses.is_number, 'n'), letter(uses.is_date, 'd'), letter(uses.is_text, 't')];
            format!("{object}.{column} {}", letters.iter().collect::<String>())
        };
        uses.iter().map(line).collect()
    }

    fn ambiguous(uses: &BTreeMap<Column, Uses>) -> Vec<&str> {
        let both = uses.iter().filter(|(_, uses)| uses.is_ambiguous());
        both.map(|((_, column), _)| column.as_str()).collect()
    }

    #[test]
    fn columns_are_followed_through_functions_subqueries_and_casts() {
        let found = uses(
            "SELECT o.Id AS opportunity_id, coalesce(o.Amount, p.price) AS amount, \
               percent(o.Chance) AS probability, day(o.Closed) AS close_date, \
               o.Created AS created_at, o.Owner || ':' || o.Closed AS owner_id, \
               CASE WHEN TRY_CAST(o.Stage AS DOUBLE) = 1 THEN 'won' ELSE o.Name END AS stage_id, \
               o.Both AS amount, o.Both AS name \
             FROM Opportunity o \
             LEFT JOIN (SELECT Id, max(UnitPrice) AS price FROM Product GROUP BY Id) p ON p.Id = o.Product",
        );
        assert_eq!(
            shown(&found),
            [
                "opportunity.amount n--",
                "opportunity.both n-t",
                "opportunity.chance n--",
                "opportunity.closed -d-",
                "opportunity.created -d-",
                "opportunity.id --t",
                "opportunity.name --t",
                "opportunity.owner ---",
                "opportunity.stage n--",
                "product.unitprice n--",
            ]
        );
        assert_eq!(ambiguous(&found), ["both"]);
    }

    #[test]
    fn the_template_is_never_ambiguous() {
        let dataset = datasets::load(datasets::TEMPLATE).expect("sound");
        let uses = of(&dataset);
        assert_eq!(ambiguous(&uses), [""; 0]);
        assert!(uses.values().filter(|uses| uses.is_number).count() > 20);
    }
}
