//! Subqueries for one value, a list or a yes, so that the engine can join them to the rows around.
//!
//! It joins a subquery that aggregates and compares columns of its own with those around it by `=`.
//! What tools ask for is unique by itself: its only value is then its first.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, FunctionArguments, GroupByExpr, Ident, JoinOperator, LimitClause,
    OrderByKind, Query, Select, SelectItem, SetExpr, Statement, TableFactor, TableWithJoins, Value,
    Visit, VisitMut, Visitor, VisitorMut, visit_expressions_mut,
};

use super::{called, expression, lower};
use crate::server::catalog::system;

const AGGREGATES: &[&str] = &[
    "min",
    "max",
    "count",
    "sum",
    "avg",
    "array_agg",
    "string_agg",
    "bool_and",
    "bool_or",
    "first_value",
    "json_agg",
    "jsonb_agg",
    "json_object_agg",
    "jsonb_object_agg",
];

/// Columns that are lists, and NULL in every row if there are rows at all.
const UNSET: &[&str] = &[
    "reloptions",
    "attoptions",
    "evttags",
    "fdwoptions",
    "srvoptions",
    "ftoptions",
    "umoptions",
    "available_versions",
];

pub(super) fn rewrite(statement: &mut Statement) {
    let _: ControlFlow<()> = VisitMut::visit(statement, &mut Subqueries);
}

struct Subqueries;

impl VisitorMut for Subqueries {
    type Break = ();

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        // Nobody will ask for a value of a row that is not there.
        if is_empty(select) {
            let mut bare = select.clone();
            let _: ControlFlow<()> = visit_expressions_mut(&mut bare.projection, |expr| {
                if matches!(expr, Expr::Subquery(_)) {
                    *expr = Expr::Value(Value::Null.into());
                }
                ControlFlow::Continue(())
            });
            // What aggregates gives a row all the same.
            if !aggregates(&bare) {
                *select = bare;
            }
        }
        tell_apart(select);
        ControlFlow::Continue(())
    }

    fn post_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        // Where rows are chosen the engine has its own way with EXISTS.
        for item in &mut select.projection {
            if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item {
                let _: ControlFlow<()> = VisitMut::visit(expr, &mut Counted);
            }
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let made = match &mut *expr {
            Expr::Subquery(query) => match (reads_nothing(query), counts_nothing(query)) {
                (true, _) => Some(Expr::Value(Value::Null.into())),
                (_, true) => expression("0"),
                _ => one(query),
            },
            Expr::Exists { subquery, negated } if reads_nothing(subquery) => {
                Some(Expr::Value(Value::Boolean(*negated).into()))
            }
            Expr::InSubquery { subquery, negated, .. } if reads_nothing(subquery) => {
                Some(Expr::Value(Value::Boolean(*negated).into()))
            }
            Expr::Function(function) => match &mut function.args {
                FunctionArguments::Subquery(query)
                    if lower(&function.name).last().is_some_and(|name| name == "array") =>
                {
                    list(query)
                }
                _ => None,
            },
            _ => None,
        };
        if let Some(made) = made {
            *expr = made;
        }
        ControlFlow::Continue(())
    }
}

/// Gives items that say the same a name each: `SELECT NULL, NULL` in an arm of a UNION.
fn tell_apart(select: &mut Select) {
    let mut seen = vec![];
    for (at, item) in select.projection.iter_mut().enumerate() {
        let SelectItem::UnnamedExpr(expr) = item else { continue };
        let text = expr.to_string();
        if seen.contains(&text) {
            let alias = Ident::with_quote('"', format!("{text}:{}", at + 1));
            *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias };
        } else {
            seen.push(text);
        }
    }
}

/// Makes EXISTS in what is shown a count.
struct Counted;

impl VisitorMut for Counted {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Exists { subquery, negated } = expr
            && let SetExpr::Select(select) = subquery.body.as_mut()
            && let Some(count) = expression("count(*)")
        {
            select.projection = vec![SelectItem::UnnamedExpr(count)];
            subquery.limit_clause = None;
            subquery.order_by = None;
            let sign = if *negated { "=" } else { ">" };
            if let Some(made) = expression(&format!("coalesce(({subquery}), 0) {sign} 0")) {
                *expr = made;
            }
        }
        ControlFlow::Continue(())
    }
}

/// Whether a query joins a table that never has rows here, so that it gives none.
fn reads_nothing(query: &Query) -> bool {
    match query.body.as_ref() {
        SetExpr::Select(select) => (!aggregates(select) || !counts(select)) && is_empty(select),
        _ => false,
    }
}

/// Whether a query counts the rows of such a table.
fn counts_nothing(query: &Query) -> bool {
    let SetExpr::Select(select) = query.body.as_ref() else { return false };
    let [SelectItem::UnnamedExpr(item) | SelectItem::ExprWithAlias { expr: item, .. }] =
        select.projection.as_slice()
    else {
        return false;
    };
    called(item) == "count" && counts(select) && is_empty(select)
}

fn is_empty(select: &Select) -> bool {
    let is_empty = |factor: &TableFactor| match factor {
        TableFactor::Table { name, args: None, .. } => {
            lower(name).pop().is_some_and(|table| system::is_always_empty(&table))
        }
        // The elements of a list that is NULL everywhere.
        TableFactor::Table { args: Some(_), .. }
        | TableFactor::Function { .. }
        | TableFactor::UNNEST { .. } => {
            let text = factor.to_string().to_lowercase();
            UNSET.iter().any(|column| text.contains(column))
        }
        _ => false,
    };
    let is_inner = |operator: &JoinOperator| {
        matches!(
            operator,
            JoinOperator::Join(_) | JoinOperator::Inner(_) | JoinOperator::CrossJoin(_)
        )
    };
    select.from.iter().any(|table| {
        let joins = table.joins.iter();
        let has_outer = table.joins.iter().any(|join| !is_inner(&join.join_operator));
        (is_empty(&table.relation) && (!has_outer || table.joins.iter().all(is_left)))
            || joins.clone().any(|join| is_empty(&join.relation) && !has_outer)
    })
}

fn is_left(join: &datafusion::sql::sqlparser::ast::Join) -> bool {
    matches!(
        join.join_operator,
        JoinOperator::Left(_)
            | JoinOperator::LeftOuter(_)
            | JoinOperator::Join(_)
            | JoinOperator::Inner(_)
    )
}

/// Whether a SELECT gives a row for each group, or one for all.
fn aggregates(select: &Select) -> bool {
    let mut found = Aggregates(false);
    let _: ControlFlow<()> = Visit::visit(&select.projection, &mut found);
    found.0 || select.group_by != GroupByExpr::Expressions(vec![], vec![])
}

/// Whether a SELECT tells how many rows it has, which is something without any, too.
fn counts(select: &Select) -> bool {
    let items = select.projection.iter().map(ToString::to_string);
    let is_grouped = select.group_by != GroupByExpr::Expressions(vec![], vec![]);
    !is_grouped && items.into_iter().any(|item| item.to_lowercase().contains("count("))
}

struct Aggregates(bool);

impl Visitor for Aggregates {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        self.0 |= AGGREGATES.contains(&called(expr).as_str());
        ControlFlow::Continue(())
    }
}

/// Makes of a subquery for one value one that the engine sees to give at most one.
fn one(query: &mut Query) -> Option<Expr> {
    let is_one = match &query.limit_clause {
        None => true,
        Some(LimitClause::LimitOffset { limit: Some(limit), offset: None, .. }) => {
            limit.to_string() == "1"
        }
        Some(_) => false,
    };
    let SetExpr::Select(select) = query.body.as_mut() else { return None };
    if select.from.is_empty() || !is_one || select.distinct.is_some() {
        return None;
    }
    let mut condition = None;
    if !aggregates(select) {
        condition = apart(select);
        let order = order(&query.order_by);
        let [SelectItem::UnnamedExpr(item) | SelectItem::ExprWithAlias { expr: item, .. }] =
            select.projection.as_mut_slice()
        else {
            return None;
        };
        if called(item) == "unnest" {
            return None;
        }
        *item = expression(&format!("first_value({item}{order})"))?;
    }
    // One value has no order, and is one already.
    if select.group_by == GroupByExpr::Expressions(vec![], vec![]) {
        query.order_by = None;
        query.limit_clause = None;
    }
    let condition = condition?;
    expression(&format!("CASE WHEN {condition} THEN ({query}) END"))
}

/// `ARRAY(SELECT ...)`: what it gives, in its order.
fn list(query: &mut Query) -> Option<Expr> {
    let none = || expression("CAST(ARRAY[] AS TEXT[])");
    // With a WITH it walks from role to role that it belongs to: here, none.
    if reads_nothing(query) || query.with.is_some() {
        return none();
    }
    let order = order(&query.order_by);
    let SetExpr::Select(select) = query.body.as_mut() else { return none() };
    // Members of a list around it: the engine cannot join by that, and no list has any here.
    let has_members = select.selection.as_ref().is_some_and(|condition| {
        let text = condition.to_string().to_lowercase();
        text.contains("array_contains(") || text.contains(" any(")
    });
    if has_members {
        return none();
    }
    let condition = apart(select);
    let [SelectItem::UnnamedExpr(item) | SelectItem::ExprWithAlias { expr: item, .. }] =
        select.projection.as_mut_slice()
    else {
        return none();
    };
    *item = expression(&format!("array_agg({item}{order})"))?;
    query.order_by = None;
    match condition {
        Some(condition) => expression(&format!("CASE WHEN {condition} THEN ({query}) END")),
        None => expression(&format!("({query})")),
    }
}

fn order(by: &Option<datafusion::sql::sqlparser::ast::OrderBy>) -> String {
    match by.as_ref().map(|by| &by.kind) {
        Some(OrderByKind::Expressions(keys)) => {
            // A place counts the items of the SELECT, which an aggregate does not have.
            let keys = keys.iter().map(ToString::to_string);
            let keys: Vec<String> = keys.filter(|key| key.parse::<u8>().is_err()).collect();
            if keys.is_empty() { String::new() } else { format!(" ORDER BY {}", keys.join(", ")) }
        }
        _ => String::new(),
    }
}

/// Takes conditions about the rows around the subquery alone out of it, joined by AND.
fn apart(select: &mut Select) -> Option<String> {
    let own = names(&select.from);
    let mut conditions = vec![];
    conjuncts(select.selection.take()?, &mut conditions);
    let is_apart = |condition: &Expr| {
        let mut used = Used { own: &own, around: false, inside: false };
        let _: ControlFlow<()> = Visit::visit(condition, &mut used);
        used.around && !used.inside
    };
    let (around, mut inside): (Vec<Expr>, Vec<Expr>) = conditions.into_iter().partition(is_apart);
    substitute(&mut inside, &own);
    select.selection = inside.into_iter().reduce(|left, right| Expr::BinaryOp {
        left: Box::new(left),
        op: BinaryOperator::And,
        right: Box::new(right),
    });
    let around: Vec<String> = around.iter().map(ToString::to_string).collect();
    (!around.is_empty()).then(|| around.join(" AND "))
}

/// Says conditions about both the rows around and the query's own by columns of the query alone:
/// where `c.oid = a.attcollation` must hold, `a.attcollation <> t.typcollation` is about `c.oid`.
fn substitute(conditions: &mut [Expr], own: &[String]) {
    let is_own = |expr: &Expr| {
        let mut used = Used { own, around: false, inside: false };
        let _: ControlFlow<()> = Visit::visit(expr, &mut used);
        matches!(expr, Expr::CompoundIdentifier(_)).then_some(used.inside)
    };
    let mut equal = vec![];
    for condition in conditions.iter() {
        if let Expr::BinaryOp { left, op: BinaryOperator::Eq, right } = condition {
            match (is_own(left), is_own(right)) {
                (Some(true), Some(false)) => equal.push((right.to_string(), left.clone())),
                (Some(false), Some(true)) => equal.push((left.to_string(), right.clone())),
                _ => {}
            }
        }
    }
    for condition in conditions.iter_mut() {
        if matches!(condition, Expr::BinaryOp { op: BinaryOperator::Eq, .. }) {
            continue;
        }
        let _: ControlFlow<()> = visit_expressions_mut(condition, |expr| {
            if let Expr::CompoundIdentifier(_) = expr
                && let Some((_, same)) = equal.iter().find(|(text, _)| *text == expr.to_string())
            {
                *expr = same.as_ref().clone();
            }
            ControlFlow::Continue(())
        });
    }
}

fn conjuncts(condition: Expr, all: &mut Vec<Expr>) {
    match condition {
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
            conjuncts(*left, all);
            conjuncts(*right, all);
        }
        Expr::Nested(inner) if matches!(*inner, Expr::BinaryOp { op: BinaryOperator::And, .. }) => {
            conjuncts(*inner, all);
        }
        other => all.push(other),
    }
}

/// What the tables of a FROM are called.
fn names(from: &[TableWithJoins]) -> Vec<String> {
    let mut found = vec![];
    for table in from {
        let joined = table.joins.iter().map(|join| &join.relation);
        for factor in std::iter::once(&table.relation).chain(joined) {
            let (alias, name) = match factor {
                TableFactor::Table { name, alias, .. } => (alias, lower(name).pop()),
                TableFactor::Derived { alias, .. } | TableFactor::UNNEST { alias, .. } => {
                    (alias, None)
                }
                TableFactor::NestedJoin { table_with_joins, .. } => {
                    found.extend(names(std::slice::from_ref(table_with_joins)));
                    continue;
                }
                _ => continue,
            };
            found.extend(alias.as_ref().map(|alias| alias.name.value.to_lowercase()).or(name));
        }
    }
    found
}

/// Whether an expression names columns of the tables of its query, and of those around it.
struct Used<'a> {
    own: &'a [String],
    around: bool,
    inside: bool,
}

impl Visitor for Used<'_> {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        match expr {
            Expr::CompoundIdentifier(parts) => {
                let table = parts.iter().rev().nth(1).map(|table| table.value.to_lowercase());
                let is_own = table.is_some_and(|table| self.own.contains(&table));
                self.inside |= is_own;
                self.around |= !is_own;
            }
            // Without its table, a column is the query's own.
            Expr::Identifier(_) | Expr::Subquery(_) | Expr::Exists { .. } => self.inside = true,
            _ => {}
        }
        ControlFlow::Continue(())
    }
}
