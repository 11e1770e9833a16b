//! Pushing rows into a plan that reads them from outside, node by node, down to where they are met.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, NullEquality, Result, TableReference};
use datafusion::functions_window::row_number::row_number_udwf;
use datafusion::logical_expr::expr::{Sort as SortExpr, WindowFunction};
use datafusion::logical_expr::logical_plan::{
    Aggregate, FetchType, Filter, Join, Limit, Projection, SkipType, Window,
};
use datafusion::logical_expr::{
    Distinct, Expr, JoinConstraint, JoinType, LogicalPlan, LogicalPlanBuilder, Unnest, col, lit,
    when,
};

use super::{fresh, outward};

/// The column that the left side's column number `at` becomes.
pub(super) fn place(alias: &str, at: usize) -> Column {
    Column::new(Some(alias), format!("runrate.c{at}"))
}

/// `expr` under the name of `column`.
pub(super) fn renamed(expr: Expr, column: &Column) -> Expr {
    expr.alias_qualified(column.relation.clone(), column.name.clone())
}

/// The number of a row among those of one partition.
pub(super) fn row_number(partition_by: Vec<Expr>, order_by: Vec<SortExpr>) -> Result<Expr> {
    use datafusion::logical_expr::ExprFunctionExt;
    let call = Expr::from(WindowFunction::new(row_number_udwf(), vec![]));
    let call = call.partition_by(partition_by);
    // Without an order there is no frame that needs one.
    if order_by.is_empty() { call.build() } else { call.order_by(order_by).build() }
}

/// Whether each row of the left leads to rows of its own in `plan`, so that it can go in whole.
pub(super) fn keeps_rows(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Aggregate(_) | LogicalPlan::Distinct(_) => false,
        other => other.inputs().into_iter().all(keeps_rows),
    }
}

/// Whether rows of different rows of the left must be told apart in `plan`.
pub(super) fn needs_key(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Limit(_) | LogicalPlan::Window(_) => true,
        other => other.inputs().into_iter().any(needs_key),
    }
}

/// What is pushed, and where it went.
pub(super) struct Pushing {
    carrier: LogicalPlan,
    /// Columns of the left, and where they are found in what is pushed.
    carried: Vec<(Column, Column)>,
    /// What tells rows of the left apart.
    key: Vec<Column>,
    /// How often the left is read.
    pub(super) uses: usize,
}

impl Pushing {
    pub(super) fn new(
        carrier: LogicalPlan,
        carried: Vec<(Column, Column)>,
        key: Vec<Column>,
    ) -> Self {
        Self { carrier, carried, key, uses: 0 }
    }

    fn carrier(&mut self) -> LogicalPlan {
        self.uses += 1;
        self.carrier.clone()
    }

    fn keys(&self) -> Vec<Expr> {
        self.key.iter().cloned().map(Expr::Column).collect()
    }

    /// All columns that go along.
    fn along(&self) -> Vec<Expr> {
        self.carrier.schema().columns().into_iter().map(Expr::Column).collect()
    }

    /// Columns of the left as the left's plan calls them, for what reads them.
    fn outside(&self) -> Result<DFSchema> {
        let fields = self.carried.iter().filter_map(|(from, to)| {
            let field = self.carrier.schema().field_with_name(to.relation.as_ref(), &to.name);
            let field = field.ok()?.as_ref().clone().with_name(from.name.clone());
            Some((from.relation.clone(), Arc::new(field)))
        });
        DFSchema::new_with_metadata(fields.collect(), Default::default())
    }

    /// `plan` for every row of the left: the columns that go along, and its own under their names.
    ///
    /// `None` where that cannot be said.
    pub(super) fn push(&mut self, plan: &LogicalPlan) -> Result<Option<LogicalPlan>> {
        let outside = self.outside()?;
        if outward(plan, &outside)?.is_empty() {
            let is_one_row =
                matches!(plan, LogicalPlan::EmptyRelation(empty) if empty.produce_one_row);
            let carrier = self.carrier();
            return Ok(Some(match is_one_row && plan.schema().fields().is_empty() {
                true => carrier,
                false => LogicalPlanBuilder::from(carrier).cross_join(plan.clone())?.build()?,
            }));
        }
        // A subquery within an expression reads further out than its own plan: not undone here.
        for expr in plan.expressions() {
            if reads_in_subquery(&expr, &outside)? {
                return Ok(None);
            }
        }
        match plan {
            LogicalPlan::Projection(node) => self.projection(node),
            LogicalPlan::Filter(node) => {
                let Some(input) = self.push(&node.input)? else { return Ok(None) };
                let predicate = self.inward(node.predicate.clone())?;
                Ok(Some(LogicalPlan::Filter(Filter::try_new(predicate, input.into())?)))
            }
            // The order of rows in FROM is nobody's; under a LIMIT it is looked at there.
            LogicalPlan::Sort(node) if node.fetch.is_none() => self.push(&node.input),
            LogicalPlan::SubqueryAlias(node) => {
                let Some(input) = self.push(&node.input)? else { return Ok(None) };
                let columns = node.input.schema().columns();
                let own = columns.into_iter().zip(node.schema.columns());
                let own = own.map(|(from, to)| renamed(Expr::Column(from), &to));
                self.along_with(own.collect(), input).map(Some)
            }
            LogicalPlan::Unnest(node) => self.unnest(node),
            LogicalPlan::Limit(node) => self.limit(node),
            LogicalPlan::Aggregate(node) => self.aggregate(node),
            LogicalPlan::Distinct(Distinct::All(input)) => match self.push(input)? {
                Some(input) => Ok(Some(LogicalPlanBuilder::from(input).distinct()?.build()?)),
                None => Ok(None),
            },
            LogicalPlan::Window(node) => self.window(node),
            LogicalPlan::Join(node) => self.join(node),
            _ => Ok(None),
        }
    }

    /// `expr` with what it reads of the left read from what goes along.
    fn inward(&self, expr: Expr) -> Result<Expr> {
        let found = expr.transform_up(|part| {
            let Expr::OuterReferenceColumn(_, column) = &part else {
                return Ok(Transformed::no(part));
            };
            Ok(match self.carried.iter().find(|(from, _)| from == column) {
                Some((_, to)) => Transformed::yes(Expr::Column(to.clone())),
                None => Transformed::no(part),
            })
        })?;
        Ok(found.data)
    }

    /// `own` of `input` behind the columns that go along.
    fn along_with(&self, own: Vec<Expr>, input: LogicalPlan) -> Result<LogicalPlan> {
        let columns = self.along().into_iter().chain(own).collect();
        Ok(LogicalPlan::Projection(Projection::try_new(columns, input.into())?))
    }

    /// `exprs`, which are the columns of `schema`, under the names that these have.
    fn named(&self, exprs: &[Expr], schema: &DFSchema) -> Result<Vec<Expr>> {
        let pairs = exprs.iter().zip(schema.columns());
        pairs
            .map(|(expr, column)| {
                let inward = self.inward(expr.clone())?;
                Ok(match inward == *expr {
                    true => inward,
                    false => renamed(inward.unalias(), &column),
                })
            })
            .collect()
    }

    fn projection(&mut self, node: &Projection) -> Result<Option<LogicalPlan>> {
        let Some(input) = self.push(&node.input)? else { return Ok(None) };
        let own = self.named(&node.expr, &node.schema)?;
        self.along_with(own, input).map(Some)
    }

    fn unnest(&mut self, node: &Unnest) -> Result<Option<LogicalPlan>> {
        let Some(input) = self.push(&node.input)? else { return Ok(None) };
        let (columns, options) = (node.exec_columns.clone(), node.options.clone());
        let builder = LogicalPlanBuilder::from(input);
        Ok(Some(builder.unnest_columns_with_options(columns, options)?.build()?))
    }

    /// The first rows for each row of the left, in the order that is below.
    fn limit(&mut self, node: &Limit) -> Result<Option<LogicalPlan>> {
        let (SkipType::Literal(skip), FetchType::Literal(fetch)) =
            (node.get_skip_type()?, node.get_fetch_type()?)
        else {
            return Ok(None);
        };
        // A projection keeps rows as they come: the limit can as well be below it.
        if let LogicalPlan::Projection(projection) = node.input.as_ref() {
            let limit = Limit { input: projection.input.clone(), ..node.clone() };
            let input = Arc::new(LogicalPlan::Limit(limit));
            let exprs = projection.expr.clone();
            return self.projection(&Projection::try_new(exprs, input)?);
        }
        let (input, order) = match node.input.as_ref() {
            LogicalPlan::Sort(sort) if sort.fetch.is_none() => (&sort.input, sort.expr.clone()),
            _ => (&node.input, vec![]),
        };
        let Some(pushed) = self.push(input)? else { return Ok(None) };
        let inward = |sort: SortExpr| Ok(SortExpr { expr: self.inward(sort.expr)?, ..sort });
        let order = order.into_iter().map(inward).collect::<Result<Vec<_>>>()?;
        let number = fresh("place");
        let numbered = row_number(self.keys(), order)?.alias(&number);
        let place = || col(Column::from_name(number.clone()));
        let mut condition = place().gt(lit(skip as u64));
        if let Some(fetch) = fetch {
            condition = condition.and(place().lt_eq(lit(skip.saturating_add(fetch) as u64)));
        }
        let limited =
            LogicalPlanBuilder::from(pushed).window([numbered])?.filter(condition)?.build()?;
        let own = input.schema().columns().into_iter().map(Expr::Column).collect();
        self.along_with(own, limited).map(Some)
    }

    fn aggregate(&mut self, node: &Aggregate) -> Result<Option<LogicalPlan>> {
        if node.group_expr.iter().any(|expr| matches!(expr, Expr::GroupingSet(_))) {
            return Ok(None);
        }
        let Some(input) = self.push(&node.input)? else { return Ok(None) };
        let inward = |exprs: &[Expr]| -> Result<Vec<Expr>> {
            exprs.iter().map(|expr| self.inward(expr.clone())).collect()
        };
        let groups: Vec<Expr> = self.keys().into_iter().chain(inward(&node.group_expr)?).collect();
        let grouped = LogicalPlan::Aggregate(Aggregate::try_new(
            input.into(),
            groups,
            inward(&node.aggr_expr)?,
        )?);
        let made = grouped.schema().columns();
        let own = made[self.key.len()..].iter().cloned().zip(node.schema.columns());
        let own: Vec<(Column, Column)> = own.collect();
        if !node.group_expr.is_empty() {
            let own = own.iter().map(|(from, to)| renamed(Expr::Column(from.clone()), to));
            let columns = self.keys().into_iter().chain(own).collect();
            return Ok(Some(LogicalPlan::Projection(Projection::try_new(
                columns,
                grouped.into(),
            )?)));
        }
        self.of_all(node, grouped, &own)
    }

    /// An aggregate without groups gives a row also where nothing is aggregated.
    fn of_all(
        &mut self,
        node: &Aggregate,
        grouped: LogicalPlan,
        own: &[(Column, Column)],
    ) -> Result<Option<LogicalPlan>> {
        let table = TableReference::bare(fresh("grouped"));
        let at = |name: String| Column::new(Some(table.clone()), name);
        let keys = (0..self.key.len()).map(|key| at(format!("k{key}")));
        let values = (0..own.len()).map(|value| at(format!("v{value}")));
        let made = self.key.iter().chain(own.iter().map(|(from, _)| from));
        let columns = made.cloned().zip(keys.clone().chain(values.clone()));
        let columns = columns.map(|(from, to)| renamed(Expr::Column(from), &to)).collect();
        let grouped = LogicalPlan::Projection(Projection::try_new(columns, grouped.into())?);
        let on = self.keys().into_iter().zip(keys.map(Expr::Column)).collect();
        let joined = LogicalPlan::Join(Join::try_new(
            self.carrier().into(),
            grouped.into(),
            on,
            None,
            JoinType::Left,
            JoinConstraint::On,
            NullEquality::NullEqualsNull,
            false,
        )?);
        let aggregates = node.aggr_expr.iter().zip(node.schema.fields());
        let shown = values.zip(own).zip(aggregates).map(|((value, (_, to)), (expr, field))| {
            let value = Expr::Column(value);
            let empty = match expr.clone().unalias() {
                Expr::AggregateFunction(call) => call.func.default_value(field.data_type())?,
                _ => return Ok(renamed(value, to)),
            };
            Ok(match empty.is_null() {
                true => renamed(value, to),
                false => {
                    let filled = when(value.clone().is_null(), lit(empty)).otherwise(value)?;
                    renamed(filled, to)
                }
            })
        });
        let shown = shown.collect::<Result<Vec<_>>>()?;
        self.along_with(shown, joined).map(Some)
    }

    fn window(&mut self, node: &Window) -> Result<Option<LogicalPlan>> {
        let Some(input) = self.push(&node.input)? else { return Ok(None) };
        let below = input.schema().fields().len();
        let keys = self.keys();
        let parted = |expr: &Expr| {
            let found = self.inward(expr.clone())?.transform_up(|part| {
                let Expr::WindowFunction(mut call) = part else { return Ok(Transformed::no(part)) };
                call.params.partition_by.extend(keys.iter().cloned());
                Ok(Transformed::yes(Expr::WindowFunction(call)))
            })?;
            Ok(found.data)
        };
        let exprs = node.window_expr.iter().map(parted).collect::<Result<Vec<_>>>()?;
        let made = LogicalPlan::Window(Window::try_new(exprs, input.into())?);
        let own = node.input.schema().columns().into_iter().map(Expr::Column);
        let from = made.schema().columns().into_iter().skip(below).map(Expr::Column);
        let to = node.schema.columns().into_iter().skip(node.input.schema().fields().len());
        let windows = from.zip(to).map(|(from, to)| renamed(from, &to));
        let own = own.chain(windows).collect();
        self.along_with(own, made).map(Some)
    }

    /// One side of a join takes the rows; it must be one whose rows the join keeps apart.
    fn join(&mut self, node: &Join) -> Result<Option<LogicalPlan>> {
        let outside = self.outside()?;
        let reads = |plan: &LogicalPlan| outward(plan, &outside).map(|read| !read.is_empty());
        let (is_left, is_right) = (reads(&node.left)?, reads(&node.right)?);
        let (left, right) = match (is_left, is_right, node.join_type) {
            (
                _,
                false,
                JoinType::Inner | JoinType::Left | JoinType::LeftSemi | JoinType::LeftAnti,
            ) => match self.push(&node.left)? {
                Some(left) => (left, node.right.as_ref().clone()),
                None => return Ok(None),
            },
            (false, true, JoinType::Inner | JoinType::Right) => match self.push(&node.right)? {
                Some(right) => (node.left.as_ref().clone(), right),
                None => return Ok(None),
            },
            _ => return Ok(None),
        };
        let pairs =
            node.on.iter().map(|(a, b)| Ok((self.inward(a.clone())?, self.inward(b.clone())?)));
        let filter = node.filter.clone().map(|filter| self.inward(filter)).transpose()?;
        let joined = LogicalPlan::Join(Join::try_new(
            left.into(),
            right.into(),
            pairs.collect::<Result<Vec<_>>>()?,
            filter,
            node.join_type,
            node.join_constraint,
            node.null_equality,
            node.null_aware,
        )?);
        let own = node.schema.columns().into_iter().map(Expr::Column).collect();
        self.along_with(own, joined).map(Some)
    }
}

/// Whether a subquery within `expr` reads columns of `outside`.
fn reads_in_subquery(expr: &Expr, outside: &DFSchema) -> Result<bool> {
    expr.exists(|part| {
        let subquery = match part {
            Expr::ScalarSubquery(subquery) => subquery,
            Expr::Exists(exists) => &exists.subquery,
            Expr::InSubquery(within) => &within.subquery,
            Expr::SetComparison(compared) => &compared.subquery,
            _ => return Ok(false),
        };
        Ok(!outward(&subquery.subquery, outside)?.is_empty())
    })
}
