//! What stands in FROM and reads columns beside it: said as plain joins before the plan is checked.
//!
//! `FROM t, unnest(t.list)` and `LATERAL (SELECT ... WHERE x = t.y ORDER BY z LIMIT 1)` are, to the
//! planner, joins whose right side reads the left. The engine undoes the simple ones only.
//! Here the left side is pushed into the right one until nothing in it reads outward ([`push`]):
//! - Where each row of the left leads to rows of its own, the left goes in whole, once.
//! - Where rows are grouped, counted or may be missing, only the values that are read go in, each
//!   once, and the answer is joined with the left on them (NULL being like NULL).
//!
//! A subquery for one value that ends in LIMIT 1 is such a join too, and is made one first.

mod push;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion, TreeNodeRewriter};
use datafusion::common::{Column, DFSchema, NullEquality, Result, TableReference};
use datafusion::logical_expr::logical_plan::{Filter, Join, Projection, Subquery, SubqueryAlias};
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{
    Expr, JoinConstraint, JoinType, Limit, LogicalPlan, LogicalPlanBuilder, lit,
};

use push::{Pushing, place};

/// Numbers the joins of a process, so that what is made for them has names of its own.
static NUMBER: AtomicUsize = AtomicUsize::new(0);

fn fresh(what: &str) -> String {
    format!("runrate_{what}_{}", NUMBER.fetch_add(1, Ordering::Relaxed))
}

/// `plan` without lateral joins, as far as they can be said otherwise; the others stay.
pub(super) fn flattened(plan: LogicalPlan) -> Result<LogicalPlan> {
    Ok(plan.rewrite_with_subqueries(&mut Flattening)?.data)
}

struct Flattening;

impl TreeNodeRewriter for Flattening {
    type Node = LogicalPlan;

    fn f_up(&mut self, node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
        let node = match with_joined_values(&node)? {
            Some(joined) => return Ok(Transformed::yes(joined)),
            None => node,
        };
        let LogicalPlan::Join(join) = &node else { return Ok(Transformed::no(node)) };
        Ok(match flat(join)? {
            Some(flat) => Transformed::yes(flat),
            None => Transformed::no(node),
        })
    }
}

/// The subquery that the right side of a join is, and the alias around it.
fn subquery_of(plan: &LogicalPlan) -> Option<(&Subquery, Option<&TableReference>)> {
    match plan {
        LogicalPlan::Subquery(subquery) => Some((subquery, None)),
        LogicalPlan::SubqueryAlias(alias) => match alias.input.as_ref() {
            LogicalPlan::Subquery(subquery) => Some((subquery, Some(&alias.alias))),
            // Names given to columns are a projection between the two.
            LogicalPlan::Projection(_) => None,
            _ => None,
        },
        _ => None,
    }
}

/// `join` without the lateral; `None` if it is none, or one that cannot be undone here.
fn flat(join: &Join) -> Result<Option<LogicalPlan>> {
    if !matches!(join.join_type, JoinType::Inner | JoinType::Left) {
        return Ok(None);
    }
    let (right, names) = match bare_right(&join.right)? {
        Some(found) => found,
        None => return Ok(None),
    };
    let read = outward(&right, join.left.schema())?;
    if read.is_empty() {
        return Ok(None);
    }
    match join.join_type == JoinType::Inner && push::keeps_rows(&right) {
        true => whole(join, &right, &names),
        false => by_values(join, &right, &names, &read),
    }
}

/// What the right side is without marks around it, and its columns as the join shows them.
fn bare_right(right: &LogicalPlan) -> Result<Option<(LogicalPlan, Vec<Named>)>> {
    let shown = |plan: &LogicalPlan| -> Vec<Named> {
        plan.schema().iter().map(|(table, field)| (table.cloned(), field.name().clone())).collect()
    };
    if let Some((subquery, _)) = subquery_of(right) {
        return Ok(Some((subquery.subquery.as_ref().clone(), shown(right))));
    }
    // Names of columns: SubqueryAlias(Projection(SubqueryAlias(Subquery))), with each part its own.
    let mut has_subquery = false;
    let bare = right.clone().transform_down(|node| {
        Ok(match node {
            LogicalPlan::Subquery(subquery) => {
                has_subquery = true;
                let inner = Arc::unwrap_or_clone(subquery.subquery);
                Transformed::new(inner, true, TreeNodeRecursion::Jump)
            }
            LogicalPlan::SubqueryAlias(_) | LogicalPlan::Projection(_) => Transformed::no(node),
            other => Transformed::new(other, false, TreeNodeRecursion::Jump),
        })
    })?;
    Ok(has_subquery.then(|| (bare.data, shown(right))))
}

/// A column as a join shows it: its table and its name.
type Named = (Option<TableReference>, String);

/// Columns of `outside` that `plan` reads, each once.
fn outward(plan: &LogicalPlan, outside: &DFSchema) -> Result<Vec<Column>> {
    let mut found: Vec<Column> = vec![];
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|part| {
                if let Expr::OuterReferenceColumn(_, column) = part
                    && outside.has_column(column)
                    && !found.contains(column)
                {
                    found.push(column.clone());
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(found)
}

/// The left side goes into the right one whole.
fn whole(join: &Join, right: &LogicalPlan, names: &[Named]) -> Result<Option<LogicalPlan>> {
    let alias = fresh("left");
    let left = join.left.schema();
    let carried: Vec<(Column, Column)> =
        left.columns().into_iter().enumerate().map(|(at, c)| (c, place(&alias, at))).collect();
    let mut columns: Vec<Expr> =
        carried.iter().map(|(from, to)| push::renamed(Expr::Column(from.clone()), to)).collect();
    let mut carrier = LogicalPlanBuilder::from(join.left.as_ref().clone());
    let mut key = vec![];
    if push::needs_key(right) {
        // Within one run each row has one number, and the rows are read once.
        let number = Column::from_name(fresh("row"));
        carrier = carrier.window([push::row_number(vec![], vec![])?.alias(&number.name)])?;
        key.push(Column::new(Some(alias.as_str()), "row"));
        columns.push(push::renamed(Expr::Column(number), &key[0]));
    }
    let carrier = LogicalPlan::Projection(Projection::try_new(columns, carrier.build()?.into())?);
    let mut pushing = Pushing::new(carrier, carried, key);
    let Some(pushed) = pushing.push(right)? else { return Ok(None) };
    if pushing.uses != 1 {
        return Ok(None);
    }
    let of_left = left.iter().enumerate().map(|(at, (table, field))| {
        Expr::Column(place(&alias, at)).alias_qualified(table.cloned(), field.name())
    });
    let columns = of_left.chain(shown(right, names)).collect();
    let joined = LogicalPlan::Projection(Projection::try_new(columns, pushed.into())?);
    Ok(Some(match condition(join) {
        Some(condition) => LogicalPlan::Filter(Filter::try_new(condition, joined.into())?),
        None => joined,
    }))
}

/// Columns of `plan` under the names that the join shows them by.
fn shown(plan: &LogicalPlan, names: &[Named]) -> Vec<Expr> {
    let columns = plan.schema().columns().into_iter().zip(names);
    columns
        .map(|(column, (table, name))| {
            Expr::Column(column).alias_qualified(table.clone(), name.clone())
        })
        .collect()
}

/// Everything that the join wants to hold between its sides.
fn condition(join: &Join) -> Option<Expr> {
    let pairs = join.on.iter().map(|(a, b)| a.clone().eq(b.clone()));
    conjunction(pairs.chain(join.filter.clone()).filter(|part| *part != lit(true)))
}

/// The values that the right side reads go into it, each once.
fn by_values(
    join: &Join,
    right: &LogicalPlan,
    names: &[Named],
    read: &[Column],
) -> Result<Option<LogicalPlan>> {
    let alias = fresh("left");
    let carried: Vec<(Column, Column)> =
        read.iter().enumerate().map(|(at, c)| (c.clone(), place(&alias, at))).collect();
    let columns =
        carried.iter().map(|(from, to)| push::renamed(Expr::Column(from.clone()), to)).collect();
    let values = LogicalPlan::Projection(Projection::try_new(columns, join.left.clone())?);
    let carrier = LogicalPlanBuilder::from(values).distinct()?.build()?;
    let key: Vec<Column> = carried.iter().map(|(_, to)| to.clone()).collect();
    let Some(pushed) = Pushing::new(carrier, carried, key.clone()).push(right)? else {
        return Ok(None);
    };
    let columns = key.iter().cloned().map(Expr::Column).chain(shown(right, names)).collect();
    let pushed = LogicalPlan::Projection(Projection::try_new(columns, pushed.into())?);
    let on = read.iter().cloned().map(Expr::Column).zip(key.into_iter().map(Expr::Column));
    let joined = LogicalPlan::Join(Join::try_new(
        join.left.clone(),
        pushed.into(),
        on.collect(),
        condition(join),
        join.join_type,
        JoinConstraint::On,
        NullEquality::NullEqualsNull,
        false,
    )?);
    let of_left = join.left.schema().columns().into_iter().map(Expr::Column);
    let of_right =
        names.iter().map(|(table, name)| Expr::Column(Column::new(table.clone(), name.clone())));
    let columns = of_left.chain(of_right).collect();
    Ok(Some(LogicalPlan::Projection(Projection::try_new(columns, joined.into())?)))
}

/// `node` with its subqueries for the first of several rows joined to what it reads; `None` if it
/// has none.
fn with_joined_values(node: &LogicalPlan) -> Result<Option<LogicalPlan>> {
    let (LogicalPlan::Projection(_) | LogicalPlan::Filter(_)) = node else { return Ok(None) };
    let Some(input) = node.inputs().first().map(|input| (*input).clone()) else { return Ok(None) };
    let mut joined = input.clone();
    let mut count = 0;
    let mut exprs = vec![];
    for expr in node.expressions() {
        let mut replace = |part: Expr| -> Result<Transformed<Expr>> {
            let Expr::ScalarSubquery(subquery) = &part else { return Ok(Transformed::no(part)) };
            if !is_first_row(&subquery.subquery)
                || outward(&subquery.subquery, input.schema())?.is_empty()
            {
                return Ok(Transformed::no(part));
            }
            let alias = fresh("value");
            let right = LogicalPlan::SubqueryAlias(SubqueryAlias::try_new(
                Arc::new(LogicalPlan::Subquery(subquery.clone())),
                alias.as_str(),
            )?);
            let Some((table, field)) = right.schema().iter().next() else {
                return Ok(Transformed::no(part));
            };
            let column = Column::new(table.cloned(), field.name());
            let join = Join::try_new(
                joined.clone().into(),
                right.into(),
                vec![],
                None,
                JoinType::Left,
                JoinConstraint::On,
                NullEquality::NullEqualsNothing,
                false,
            )?;
            let Some(flat) = flat(&join)? else { return Ok(Transformed::no(part)) };
            joined = flat;
            count += 1;
            Ok(Transformed::yes(Expr::Column(column)))
        };
        let name = expr.qualified_name();
        let changed = expr.transform_down(&mut replace)?;
        exprs.push(match changed.transformed && matches!(node, LogicalPlan::Projection(_)) {
            true => changed.data.unalias().alias_qualified(name.0, name.1),
            false => changed.data,
        });
    }
    if count == 0 {
        return Ok(None);
    }
    Ok(Some(match node {
        LogicalPlan::Filter(_) => {
            let kept = input.schema().columns().into_iter().map(Expr::Column).collect();
            let condition = conjunction(exprs).unwrap_or_else(|| lit(true));
            let filtered = LogicalPlan::Filter(Filter::try_new(condition, joined.into())?);
            LogicalPlan::Projection(Projection::try_new(kept, filtered.into())?)
        }
        _ => LogicalPlan::Projection(Projection::try_new(exprs, joined.into())?),
    }))
}

/// Whether `plan` gives at most one row because it takes the first of several.
fn is_first_row(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Limit(Limit { fetch: Some(fetch), .. }) => **fetch == lit(1_i64),
        LogicalPlan::Projection(projection) => is_first_row(&projection.input),
        _ => false,
    }
}
