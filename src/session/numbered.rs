//! What Postgres does by counting rows and the engine does not: `EXCEPT ALL`, `INTERSECT ALL`, and
//! `FETCH FIRST n ROWS WITH TIES`.
//!
//! The syntax tree gets a mark ([`COPY`], [`TIES`]), since it does not know the columns; the plan
//! that comes of it has a count of rows in the place of the mark.
//! The third of three equal rows on one side is met by the third on the other, and by no other.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{Result, ScalarValue, not_impl_err, plan_err};
use datafusion::functions_window::expr_fn::{rank, row_number};
use datafusion::logical_expr::logical_plan::{FetchType, Projection, SkipType};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExprFunctionExt, Limit, LogicalPlan, LogicalPlanBuilder,
    ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, SortExpr, Volatility, ident, lit,
};
use datafusion::prelude::SessionContext;

/// Stands for the number of a row among those that are like it.
pub(super) const COPY: &str = "runrate_copy";
/// Stands around a number of rows that takes those like the last too.
pub(super) const TIES: &str = "runrate_ties";

/// Makes the marks known to the planner.
pub(super) fn register(context: &SessionContext) {
    let copy = Signature::nullary(Volatility::Volatile);
    let ties = Signature::exact(vec![DataType::Int64], Volatility::Stable);
    for (name, signature) in [(COPY, copy), (TIES, ties)] {
        context.register_udf(ScalarUDF::from(Mark { name, signature }));
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Mark {
    name: &'static str,
    signature: Signature,
}

impl ScalarUDFImpl for Mark {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        plan_err!("invalid function '{}'", self.name)
    }
}

/// The arguments of the mark `name`, if `expr` is it.
fn marked<'a>(expr: &'a Expr, name: &str) -> Option<&'a [Expr]> {
    match expr {
        Expr::ScalarFunction(call) if call.name() == name => Some(&call.args),
        Expr::Alias(alias) => marked(&alias.expr, name),
        Expr::Cast(cast) => marked(&cast.expr, name),
        _ => None,
    }
}

/// `plan` with counts of rows in the places of the marks.
pub(super) fn numbered(plan: LogicalPlan) -> Result<LogicalPlan> {
    let made = plan.transform_up_with_subqueries(|node| match node {
        LogicalPlan::Projection(projection)
            if projection.expr.iter().any(|expr| marked(expr, COPY).is_some()) =>
        {
            copies(projection).map(Transformed::yes)
        }
        LogicalPlan::Limit(limit) => match limit.fetch.as_deref().and_then(|f| marked(f, TIES)) {
            Some([count]) => {
                let fetch = Some(Box::new(count.clone()));
                with_ties(&Limit { fetch, ..limit.clone() }).map(Transformed::yes)
            }
            _ => Ok(Transformed::no(LogicalPlan::Limit(limit))),
        },
        other => Ok(Transformed::no(other)),
    })?;
    Ok(made.data)
}

/// Numbers rows that are alike, each kind from 1.
fn copies(projection: Projection) -> Result<LogicalPlan> {
    let columns: Vec<Expr> =
        projection.input.schema().columns().into_iter().map(Expr::Column).collect();
    let number = row_number().partition_by(columns).build()?.alias(COPY);
    let input = LogicalPlanBuilder::from(projection.input.as_ref().clone()).window([number])?;
    let exprs = projection.expr.into_iter().map(|expr| match marked(&expr, COPY) {
        Some(_) => ident(COPY).alias(expr.schema_name().to_string()),
        None => expr,
    });
    input.project(exprs)?.build()
}

/// The first rows in the order below, and those that are like the last of them in it.
fn with_ties(limit: &Limit) -> Result<LogicalPlan> {
    if let LogicalPlan::Projection(projection) = limit.input.as_ref() {
        let input = with_ties(&Limit { input: projection.input.clone(), ..limit.clone() })?;
        let exprs = projection.expr.clone();
        return Ok(LogicalPlan::Projection(Projection::try_new(exprs, input.into())?));
    }
    let LogicalPlan::Sort(sort) = limit.input.as_ref() else {
        return plan_err!("WITH TIES cannot be specified without ORDER BY clause");
    };
    let (SkipType::Literal(skip), FetchType::Literal(Some(fetch))) =
        (limit.get_skip_type()?, limit.get_fetch_type()?)
    else {
        return not_impl_err!("FETCH FIRST ... WITH TIES takes a number that is written out");
    };
    let order: Vec<SortExpr> = sort.expr.clone();
    let number = |count: usize| lit(ScalarValue::UInt64(u64::try_from(count).ok()));
    let (place, row) = ("runrate.place", "runrate.row");
    let windows = [
        rank().order_by(order.clone()).build()?.alias(place),
        row_number().order_by(order.clone()).build()?.alias(row),
    ];
    let kept =
        ident(place).lt_eq(number(skip.saturating_add(fetch))).and(ident(row).gt(number(skip)));
    let columns = sort.input.schema().columns().into_iter().map(Expr::Column);
    LogicalPlanBuilder::from(sort.input.as_ref().clone())
        .window(windows)?
        .filter(kept)?
        .project(columns)?
        .sort(order)?
        .build()
}
