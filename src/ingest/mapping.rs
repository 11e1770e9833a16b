//! A mapping is a SELECT: parsed, split into branches, and led to the raw columns it names.
//!
//! The text of `datasets/<crm>/<table>.sql` is what an analyst reads; this module adds to its syntax
//! tree what the loader needs and the reader should not have to see:
//! - each arm of a top-level UNION ALL is a [`Branch`] of its own, driven by the first relation of its FROM;
//! - the driving relation's hidden `_row` (where the row came from) and `_extra` (columns that no
//!   mapping takes) travel along;
//! - a relation without a schema is an object of the export, names are matched case aside, and a
//!   column that a file lacks is NULL.
//!
//! Directives are comments before the SELECT: `-- requires: Object(Column, ...)` lists columns an
//! export must have; `-- labels: Object(Column = Label, ...)` gives the headers that people see in
//! place of names; `-- else Object: SELECT ...` stands in for a look-up that is not in this export.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Ident, JoinConstraint, JoinOperator, ObjectName, Query, Select, SelectItem, SetExpr,
    SetOperator, SetQuantifier, Statement, TableAlias, TableFactor, VisitMut, visit_expressions,
    visit_expressions_mut,
};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;

use crate::error::{Error, Result};
use crate::schema::Table;

/// Schema that the objects of an export are registered in.
pub(super) const EXPORT: &str = "export";
/// Hidden column: which row of which file of the object.
pub(super) const ROW: &str = "_row";
/// Hidden column: JSON of the columns that no mapping takes.
pub(super) const EXTRA: &str = "_extra";

/// The mapping of one canonical table.
#[derive(Debug)]
pub(super) struct Mapping {
    /// Path within `datasets/`, for messages.
    pub name: String,
    /// Table it fills.
    pub table: &'static Table,
    /// Columns that objects must have, by object, as written.
    pub requires: Vec<(String, Vec<String>)>,
    /// Headers that stand for a column: object, label and column, in lower case.
    pub labels: Vec<(String, String, String)>,
    /// SELECT that stands in for an object that is not in the export.
    pub stand_ins: Vec<(String, String)>,
    /// Arms of the UNION ALL.
    pub branches: Vec<Branch>,
}

/// One SELECT of a mapping.
#[derive(Debug)]
pub(super) struct Branch {
    /// Object whose rows become rows of the table.
    pub driver: String,
    /// Columns of the table that it fills.
    pub fills: BTreeSet<String>,
    /// Every object it reads, with the columns it names, in lower case.
    pub reads: BTreeMap<String, BTreeSet<String>>,
    /// True if it has one row for each row of its driver: no WHERE, no rows made from lists.
    pub is_one_to_one: bool,
    /// True if each of its rows depends on one row of its driver alone, beside the look-ups: the
    /// driver is read once, and nothing looks at the rows around.
    pub is_row_by_row: bool,
    /// Ready to be planned.
    pub statement: Statement,
}

impl Mapping {
    /// Reads the mapping `text` of `table`.
    ///
    /// # Errors
    /// [`Error::Definition`] if it is not one SELECT, or not one the loader can follow.
    pub(super) fn parse(name: &str, table: &'static Table, text: &str) -> Result<Self> {
        let refuse = |reason: String| Error::Definition { name: name.to_owned(), reason };
        let Directives { requires, labels, stand_ins } = directives(text).map_err(refuse)?;
        let mut statements =
            Parser::parse_sql(&PostgreSqlDialect {}, text).map_err(|e| refuse(e.to_string()))?;
        let Some(Statement::Query(query)) = statements.pop().filter(|_| statements.is_empty())
        else {
            return Err(refuse("must be one SELECT".into()));
        };
        let mut arms = Vec::new();
        split_union(&query, *query.body.clone(), &mut arms);
        let branches =
            arms.into_iter().map(Branch::new).collect::<Result<_, _>>().map_err(refuse)?;
        Ok(Self { name: name.to_owned(), table, requires, labels, stand_ins, branches })
    }
}

impl Branch {
    fn new(mut query: Query) -> Result<Self, String> {
        let fills = filled(&query);
        let mut walk = Walk::default();
        let driver = walk.query(&mut query, true)?;
        let SetExpr::Select(select) = query.body.as_ref() else {
            return Err("an arm of the UNION ALL must be a SELECT".into());
        };
        let is_derived = matches!(select.from[0].relation, TableFactor::Derived { .. });
        let is_one_to_one = select.selection.is_none() && !is_derived;
        let is_row_by_row = walk.times.get(&driver) == Some(&1) && !has_window(&query);
        let statement = Statement::Query(Box::new(query));
        Ok(Self { driver, fills, reads: walk.reads, is_one_to_one, is_row_by_row, statement })
    }
}

/// Whether a function of `query` looks at the rows around.
fn has_window(query: &Query) -> bool {
    let is_window = |expr: &Expr| matches!(expr, Expr::Function(f) if f.over.is_some());
    let found = visit_expressions(query, |expr| match is_window(expr) {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    });
    found.is_break()
}

/// The columns that `query` gives more than NULL.
fn filled(query: &Query) -> BTreeSet<String> {
    let SetExpr::Select(select) = query.body.as_ref() else { return BTreeSet::new() };
    let name = |item: &SelectItem| match item {
        SelectItem::ExprWithAlias { expr, .. } if expr.to_string().starts_with("CAST(NULL") => None,
        SelectItem::ExprWithAlias { alias, .. } => Some(alias.value.to_lowercase()),
        SelectItem::UnnamedExpr(Expr::Identifier(name)) => Some(name.value.to_lowercase()),
        _ => None,
    };
    select.projection.iter().filter_map(name).collect()
}

/// Arms of the UNION ALLs at the top of `body`, each with the WITH of `whole`.
fn split_union(whole: &Query, body: SetExpr, arms: &mut Vec<Query>) {
    match body {
        SetExpr::SetOperation {
            op: SetOperator::Union,
            set_quantifier: SetQuantifier::All,
            left,
            right,
        } => {
            split_union(whole, *left, arms);
            split_union(whole, *right, arms);
        }
        SetExpr::Query(query) if query.with.is_none() => split_union(whole, *query.body, arms),
        body => arms.push(Query { body: Box::new(body), ..whole.clone() }),
    }
}

/// What the comments before a SELECT say.
#[derive(Default)]
struct Directives {
    requires: Vec<(String, Vec<String>)>,
    labels: Vec<(String, String, String)>,
    stand_ins: Vec<(String, String)>,
}

fn directives(text: &str) -> Result<Directives, String> {
    let mut found = Directives::default();
    let parts = |rest: &str, kind: &str| -> Result<(String, Vec<String>), String> {
        let parts = rest.trim().strip_suffix(')').and_then(|rest| rest.split_once('('));
        let (object, items) =
            parts.ok_or_else(|| format!("{kind}: expected Object(Column, ...), got {rest}"))?;
        Ok((object.trim().to_owned(), items.split(',').map(|c| c.trim().to_owned()).collect()))
    };
    for line in text.lines().filter_map(|line| line.trim().strip_prefix("--")) {
        let line = line.trim();
        if let Some(rest) = line.strip_prefix("requires:") {
            found.requires.push(parts(rest, "requires")?);
        } else if let Some(rest) = line.strip_prefix("labels:") {
            let (object, pairs) = parts(rest, "labels")?;
            for pair in pairs {
                let (column, label) = pair
                    .split_once('=')
                    .ok_or_else(|| format!("labels: expected Column = Label, got {pair}"))?;
                let [object, label, column] =
                    [&object, label, column].map(|text| text.trim().to_lowercase());
                found.labels.push((object, label, column));
            }
        } else if let Some(rest) = line.strip_prefix("else ") {
            let (object, sql) = rest
                .split_once(':')
                .ok_or_else(|| format!("else: expected Object: SELECT, got {rest}"))?;
            found.stand_ins.push((object.trim().to_lowercase(), sql.trim().to_owned()));
        }
    }
    Ok(found)
}

/// The walk over one branch.
#[derive(Default)]
struct Walk {
    reads: BTreeMap<String, BTreeSet<String>>,
    /// How often each object stands in a FROM.
    times: BTreeMap<String, usize>,
    /// Names of CTEs, which are no objects.
    defined: BTreeSet<String>,
}

impl Walk {
    /// Leads `query` to its objects; with `is_driving`, hidden columns travel through it.
    fn query(&mut self, query: &mut Query, is_driving: bool) -> Result<String, String> {
        if let Some(with) = &mut query.with {
            for cte in &mut with.cte_tables {
                self.query(&mut cte.query, false)?;
                self.defined.insert(cte.alias.name.value.to_lowercase());
            }
        }
        match query.body.as_mut() {
            SetExpr::Select(select) => self.select(select, is_driving),
            SetExpr::Query(query) => self.query(query, is_driving),
            SetExpr::SetOperation { left, right, .. } if !is_driving => {
                for side in [left, right] {
                    let SetExpr::Select(select) = side.as_mut() else {
                        return Err("a nested set operation is not supported here".into());
                    };
                    self.select(select, false)?;
                }
                Ok(String::new())
            }
            _ => Err("the driving relation must be a SELECT or an object".into()),
        }
    }

    fn select(&mut self, select: &mut Select, is_driving: bool) -> Result<String, String> {
        // What each alias stands for: an object, or nothing we need to follow.
        let mut scope: Vec<(String, Option<String>)> = Vec::new();
        let mut driver = String::new();
        for (n, from) in select.from.iter_mut().enumerate() {
            let leads = is_driving && n == 0;
            let (alias, object, led_by) = self.relation(&mut from.relation, leads)?;
            if leads {
                driver = led_by;
            }
            scope.push((alias, object));
            for join in &mut from.joins {
                let (alias, object, _) = self.relation(&mut join.relation, false)?;
                scope.push((alias, object));
            }
        }
        if is_driving && (scope.is_empty() || driver.is_empty()) {
            return Err("no object of the export drives the SELECT".into());
        }
        self.columns(select, &scope);
        if is_driving {
            let alias = scope[0].0.clone();
            carry(select, &alias, ROW, ROW);
            let has_extra = select.projection.iter().any(|item| names(item, "extra"));
            if !has_extra {
                let inner = if matches!(select.from[0].relation, TableFactor::Derived { .. }) {
                    "extra"
                } else {
                    EXTRA
                };
                carry(select, &alias, inner, "extra");
            }
        }
        Ok(driver)
    }

    /// Alias of `relation`, the object it is (if it is one) and the object that drives it.
    fn relation(
        &mut self,
        relation: &mut TableFactor,
        leads: bool,
    ) -> Result<(String, Option<String>, String), String> {
        match relation {
            TableFactor::Table { name, alias, args: None, .. } => {
                let parts: Vec<String> = name.0.iter().map(ToString::to_string).collect();
                let object = parts.last().map_or("", |p| p.trim_matches('"')).to_lowercase();
                let called = alias.as_ref().map_or(object.clone(), |a| a.name.value.to_lowercase());
                if parts.len() > 1 || self.defined.contains(&object) {
                    return Ok((called, None, String::new()));
                }
                *name = ObjectName::from(
                    [EXPORT, &object].map(|part| Ident::with_quote('"', part)).to_vec(),
                );
                *alias = Some(TableAlias {
                    explicit: true,
                    name: Ident::with_quote('"', &called),
                    columns: vec![],
                    at: None,
                });
                self.reads.entry(object.clone()).or_default();
                *self.times.entry(object.clone()).or_default() += 1;
                Ok((called, Some(object.clone()), object))
            }
            TableFactor::Derived { subquery, alias: Some(alias), .. } => {
                let driver = self.query(subquery, leads)?;
                Ok((alias.name.value.to_lowercase(), None, driver))
            }
            other => Err(format!("relation not supported in a mapping: {other}")),
        }
    }

    /// Notes and lower-cases the columns that `select` names itself, not those of its subqueries.
    fn columns(&mut self, select: &mut Select, scope: &[(String, Option<String>)]) {
        for item in &mut select.projection {
            match item {
                SelectItem::ExprWithAlias { expr, alias } => {
                    self.expression(expr, scope);
                    *alias = Ident::with_quote('"', alias.value.to_lowercase());
                }
                SelectItem::UnnamedExpr(expr) => self.expression(expr, scope),
                _ => {}
            }
        }
        if let Some(expr) = &mut select.selection {
            self.expression(expr, scope);
        }
        if let Some(expr) = &mut select.having {
            self.expression(expr, scope);
        }
        self.expression(&mut select.group_by, scope);
        for join in select.from.iter_mut().flat_map(|from| &mut from.joins) {
            if let JoinOperator::Left(JoinConstraint::On(expr))
            | JoinOperator::LeftOuter(JoinConstraint::On(expr))
            | JoinOperator::Join(JoinConstraint::On(expr))
            | JoinOperator::Inner(JoinConstraint::On(expr)) = &mut join.join_operator
            {
                self.expression(expr, scope);
            }
        }
    }

    fn expression<V: VisitMut>(&mut self, expr: &mut V, scope: &[(String, Option<String>)]) {
        let _ = visit_expressions_mut(expr, |expr| {
            match expr {
                Expr::Identifier(column) => {
                    *column = Ident::with_quote('"', column.value.to_lowercase());
                    if let Some((_, Some(object))) = scope.first() {
                        self.note(object, &column.value);
                    }
                }
                Expr::CompoundIdentifier(parts) => {
                    for part in parts.iter_mut() {
                        *part = Ident::with_quote('"', part.value.to_lowercase());
                    }
                    if let [alias, column] = parts.as_slice() {
                        let found = scope.iter().find(|(a, _)| *a == alias.value);
                        if let Some((_, Some(object))) = found {
                            self.note(object, &column.value);
                        }
                    }
                }
                _ => {}
            }
            ControlFlow::<()>::Continue(())
        });
    }

    fn note(&mut self, object: &str, column: &str) {
        if column == ROW || column == EXTRA {
            return; // every object has them
        }
        self.reads.entry(object.to_owned()).or_default().insert(column.to_owned());
    }
}

fn names(item: &SelectItem, column: &str) -> bool {
    match item {
        SelectItem::ExprWithAlias { alias, .. } => alias.value == column,
        SelectItem::UnnamedExpr(Expr::Identifier(name)) => name.value == column,
        _ => false,
    }
}

/// Adds `alias.column AS called` to what `select` produces.
fn carry(select: &mut Select, alias: &str, column: &str, called: &str) {
    let path = [alias, column].map(|part| Ident::with_quote('"', part)).to_vec();
    select.projection.push(SelectItem::ExprWithAlias {
        expr: Expr::CompoundIdentifier(path),
        alias: Ident::with_quote('"', called),
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema;

    fn parse(text: &str) -> Result<Mapping> {
        Mapping::parse("t.sql", schema::table("opportunities").expect("a table"), text)
    }

    #[test]
    fn branches_follow_their_driver_and_note_what_they_read() {
        let mapping = parse(
            "-- requires: Opportunity(Id, StageName)\n\
             -- else product: SELECT name AS Id FROM crm.products\n\
             SELECT Id AS opportunity_id, percent(o.Probability) AS probability, p.\"Price\" AS amount\n\
             FROM Opportunity o \
             LEFT JOIN (SELECT Id, max(UnitPrice) AS price FROM Product GROUP BY Id) p\n\
               ON p.Id = o.ProductId\n\
             UNION ALL SELECT x.dealid AS opportunity_id FROM deals x WHERE amount > 0",
        )
        .expect("parses");
        assert_eq!(
            mapping.requires,
            [("Opportunity".into(), vec!["Id".into(), "StageName".into()])]
        );
        assert_eq!(mapping.stand_ins[0].0, "product");
        let [first, second] = mapping.branches.as_slice() else { panic!("two branches") };
        assert_eq!((first.driver.as_str(), second.driver.as_str()), ("opportunity", "deals"));
        assert!(first.is_one_to_one && !second.is_one_to_one);
        assert!(first.is_row_by_row && second.is_row_by_row);
        let set = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<BTreeSet<_>>();
        assert_eq!(first.reads["opportunity"], set(&["id", "probability", "productid"]));
        assert_eq!(first.reads["product"], set(&["id", "unitprice"]));
        assert_eq!(second.reads["deals"], set(&["amount", "dealid"]));
        let sql = first.statement.to_string();
        assert!(sql.contains("\"o\".\"_row\" AS \"_row\", \"o\".\"_extra\" AS \"extra\""), "{sql}");
        assert!(sql.contains("\"export\".\"opportunity\" AS \"o\""), "{sql}");
        assert!(!sql.contains("\"p\".\"_row\""), "{sql}");
    }

    #[test]
    fn hidden_columns_travel_through_a_driving_subquery() {
        let mapping = parse(
            "SELECT merged AS opportunity_id FROM (SELECT unnest(string_to_array(ids, ';')) AS merged FROM contacts) m",
        )
        .expect("parses");
        let sql = mapping.branches[0].statement.to_string();
        assert!(sql.contains("\"m\".\"_row\""), "{sql}");
        assert!(sql.contains("\"contacts\".\"_row\""), "{sql}");
        assert!(!mapping.branches[0].is_one_to_one);
    }

    #[test]
    fn what_looks_at_other_rows_of_its_driver_is_known() {
        for text in [
            "SELECT Id AS opportunity_id, lead(Id) OVER (ORDER BY Id) AS name FROM Deal",
            "SELECT d.Id AS opportunity_id FROM Deal d LEFT JOIN (SELECT Id FROM Deal) x ON x.Id = d.Id",
            "WITH all_of_them AS (SELECT Id FROM Deal) SELECT d.Id AS opportunity_id \
             FROM Deal d LEFT JOIN all_of_them x ON x.Id = d.Id",
        ] {
            assert!(!parse(text).expect("parses").branches[0].is_row_by_row, "{text}");
        }
    }

    #[test]
    fn labels_stand_for_columns() {
        let mapping = parse(
            "-- labels: Deal(Stage = Deal Stage, Id = Record ID)\nSELECT Id AS opportunity_id FROM Deal",
        );
        let wanted = [("deal", "deal stage", "stage"), ("deal", "record id", "id")]
            .map(|(object, l, c)| (object.to_owned(), l.to_owned(), c.to_owned()));
        assert_eq!(mapping.expect("parses").labels, wanted);
        assert!(parse("-- labels: Deal(Stage)\nSELECT Id AS opportunity_id FROM Deal").is_err());
    }

    #[test]
    fn what_is_not_one_select_is_refused() {
        for text in ["DELETE FROM x", "SELECT 1 AS a; SELECT 2 AS a", "SELECT 1 AS a", "SELEC"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
