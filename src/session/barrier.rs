//! A relation as a role with policies sees it: its rows filtered and its values masked below everything
//! that a client wrote.
//!
//! A filter of the client's that ran before the policy could tell what the policy hides: by an error
//! (`10/(amount-500)`), by the value in an error's text, by the counts of EXPLAIN ANALYZE.
//! So a guarded relation is a leaf: the plan below it is made and optimised when it is scanned, is
//! not among its children, and no rule or display of the plan above can look into it.
//! Only comparisons of a bare column with a constant, which neither fail nor tell, are taken below.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DFSchema, Statistics, ToDFSchema, internal_err};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::context::SessionState;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{Expr, Operator, TableProviderFilterPushDown, TableType};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::filter_pushdown::FilterPushdown;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties,
};
use futures::StreamExt;

use super::access::Access;
use super::masks;
use super::policy::Policies;
use crate::error::Error;
use crate::lake::TableName;

/// A relation behind a policy, or with only some of its columns.
pub(super) struct Guarded {
    name: TableName,
    inner: Arc<dyn TableProvider>,
    schema: SchemaRef,
    /// Place in `inner` of each column of `schema`.
    places: Vec<usize>,
    /// What a row must meet.
    condition: Option<Expr>,
    /// What stands for a column of `inner`, by its place.
    masks: BTreeMap<usize, Expr>,
    /// Whether anything must be kept from the plan above.
    is_barrier: bool,
    /// Whether it cannot be read at all.
    is_closed: bool,
}

impl fmt::Debug for Guarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guarded").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Guarded {
    /// `inner` through the policies on `name`; itself where there are none.
    ///
    /// If a policy does not fit the relation, nobody it holds for reads it.
    pub(super) fn through(
        policies: &Policies,
        name: &TableName,
        inner: Arc<dyn TableProvider>,
        state: &SessionState,
    ) -> Arc<dyn TableProvider> {
        if policies.of(name).is_none() {
            return inner;
        }
        Arc::new(Self::checked(policies, name, inner.clone(), state).unwrap_or_else(|error| {
            tracing::error!(%name, error = error.chain(), "a row policy or mask does not fit");
            Self { is_barrier: true, is_closed: true, ..Self::whole(name, inner) }
        }))
    }

    /// `inner` through the policies on `name`, if they fit it.
    ///
    /// # Errors
    /// 42703 for a masked column that is not there, and those of [`Policies::condition`].
    pub(super) fn checked(
        policies: &Policies,
        name: &TableName,
        inner: Arc<dyn TableProvider>,
        state: &SessionState,
    ) -> crate::error::Result<Self> {
        let schema = inner.schema();
        let mut guarded = Self::whole(name, inner);
        guarded.is_barrier = true;
        let Some(policy) = policies.of(name) else { return Ok(guarded) };
        let columns = DFSchema::try_from_qualified_schema(name.table.as_str(), &schema)?;
        guarded.condition = policies.condition(policy, state, &columns)?;
        for (column, mask) in &policy.masks {
            let Ok(at) = schema.index_of(column) else {
                let message = format!("column \"{column}\" of relation {name} does not exist");
                return Err(Error::statement("42703", message));
            };
            let expr = masks::masked(column, schema.field(at).data_type(), *mask, policies.key())?;
            guarded.masks.insert(at, expr);
        }
        guarded.describe();
        Ok(guarded)
    }

    /// `inner` with the columns that `access` sees; behind a barrier if `is_barrier`.
    pub(super) fn narrowed(
        access: &Access,
        name: &TableName,
        inner: Arc<dyn TableProvider>,
        is_barrier: bool,
    ) -> Arc<dyn TableProvider> {
        let schema = inner.schema();
        let sees = |field: &Field| access.sees_column(&name.schema, &name.table, field.name());
        let places: Vec<usize> =
            (0..schema.fields().len()).filter(|at| sees(schema.field(*at))).collect();
        if places.len() == schema.fields().len() && !is_barrier {
            return inner;
        }
        let mut guarded = Self { places, is_barrier, ..Self::whole(name, inner) };
        guarded.describe();
        Arc::new(guarded)
    }

    fn whole(name: &TableName, inner: Arc<dyn TableProvider>) -> Self {
        let schema = inner.schema();
        Self {
            name: name.clone(),
            places: (0..schema.fields().len()).collect(),
            schema,
            inner,
            condition: None,
            masks: BTreeMap::new(),
            is_barrier: false,
            is_closed: false,
        }
    }

    /// Settles `schema`: a masked value may be NULL.
    fn describe(&mut self) {
        let whole = self.inner.schema();
        let field = |at: &usize| {
            let field = whole.field(*at).clone();
            let is_nullable = field.is_nullable() || self.masks.contains_key(at);
            field.with_nullable(is_nullable)
        };
        let fields: Vec<Field> = self.places.iter().map(field).collect();
        self.schema = Arc::new(Schema::new_with_metadata(fields, whole.metadata().clone()));
    }

    /// Whether `filter` may run below the policy: it cannot fail and cannot tell.
    fn is_leakproof(&self, filter: &Expr) -> bool {
        let literal = |expr: &Expr| match expr {
            Expr::Literal(value, _) => Some(value.data_type()),
            _ => None,
        };
        let column = |expr: &Expr| match expr {
            Expr::Column(column) => {
                let at = self.inner.schema().index_of(&column.name).ok()?;
                let is_bare = !self.masks.contains_key(&at) && self.places.contains(&at);
                is_bare.then(|| self.inner.schema().field(at).data_type().clone())
            }
            _ => None,
        };
        let compares =
            |a: &Expr, b: &Expr| matches!((column(a), literal(b)), (Some(a), Some(b)) if a == b);
        match filter {
            Expr::BinaryExpr(binary) => match binary.op {
                Operator::Eq
                | Operator::NotEq
                | Operator::Lt
                | Operator::LtEq
                | Operator::Gt
                | Operator::GtEq => {
                    compares(&binary.left, &binary.right) || compares(&binary.right, &binary.left)
                }
                Operator::And | Operator::Or => {
                    self.is_leakproof(&binary.left) && self.is_leakproof(&binary.right)
                }
                _ => false,
            },
            Expr::InList(list) => list.list.iter().all(|value| compares(&list.expr, value)),
            Expr::Between(range) => {
                compares(&range.expr, &range.low) && compares(&range.expr, &range.high)
            }
            Expr::IsNull(expr) | Expr::IsNotNull(expr) => column(expr).is_some(),
            _ => false,
        }
    }

    /// The plan behind the barrier: scan, policy and leakproof filters, masks.
    async fn behind(
        &self,
        state: &dyn Session,
        wanted: &[usize],
        filters: &[Expr],
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let whole = self.inner.schema();
        let condition = self.condition.iter().cloned().flat_map(split_conjunction_owned);
        let all: Vec<Expr> = condition.chain(filters.iter().cloned()).map(unqualified).collect();
        let named: BTreeSet<String> = all
            .iter()
            .flat_map(|expr| expr.column_refs().into_iter().map(|column| column.name.clone()))
            .collect();
        let is_needed = |at: &usize| wanted.contains(at) || named.contains(whole.field(*at).name());
        let needed: Vec<usize> = (0..whole.fields().len()).filter(is_needed).collect();
        let mut plan = self.inner.scan(state, Some(&needed), &all, None).await?;
        let options = state.config_options();
        let partitions = state.config().target_partitions();
        if let Some(split) = plan.repartitioned(partitions, options)? {
            plan = split;
        }
        let seen = plan.schema().to_dfschema()?;
        if let Some(all) = conjunction(all) {
            let predicate = state.create_physical_expr(all, &seen)?;
            plan = Arc::new(FilterExec::try_new(predicate, plan)?);
        }
        let mut columns: Vec<(Arc<dyn PhysicalExpr>, String)> = vec![];
        for at in wanted {
            let name = whole.field(*at).name();
            let bare = || Expr::Column(datafusion::common::Column::new_unqualified(name));
            let expr = self.masks.get(at).cloned().unwrap_or_else(bare);
            columns.push((state.create_physical_expr(expr, &seen)?, name.clone()));
        }
        plan = Arc::new(ProjectionExec::try_new(columns, plan)?);
        FilterPushdown::new().optimize(plan, options)
    }
}

/// `expr` without the names of relations before its columns.
fn unqualified(expr: Expr) -> Expr {
    datafusion::logical_expr::expr_rewriter::unnormalize_col(expr)
}

#[async_trait]
impl TableProvider for Guarded {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        self.inner.table_type()
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        if !self.is_barrier {
            return self.inner.supports_filters_pushdown(filters);
        }
        let support = |filter: &&Expr| match self.is_leakproof(filter) {
            true => TableProviderFilterPushDown::Exact,
            false => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(support).collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if self.is_closed {
            let message = format!("permission denied for relation {}", self.name);
            let hint = Some("The policy on it does not fit it any more; tell an operator.".into());
            let refusal = Error::Statement { sqlstate: "42501", message, hint };
            return Err(DataFusionError::External(Box::new(refusal)));
        }
        let wanted: Vec<usize> = match projection {
            Some(chosen) => chosen.iter().map(|at| self.places[*at]).collect(),
            None => self.places.clone(),
        };
        if !self.is_barrier {
            return self.inner.scan(state, Some(&wanted), filters, limit).await;
        }
        if let Some(other) = filters.iter().find(|filter| !self.is_leakproof(filter)) {
            return internal_err!("a filter came to a barrier that takes none such: {other}");
        }
        let schema = datafusion::physical_plan::project_schema(&self.schema, projection)?;
        let plan = self.behind(state, &wanted, filters).await?;
        Ok(Arc::new(Barrier::new(self.name.clone(), schema, plan)))
    }
}

/// A plan whose inside nobody sees.
pub(super) struct Barrier {
    name: TableName,
    schema: SchemaRef,
    plan: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Barrier").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Barrier {
    fn new(name: TableName, schema: SchemaRef, plan: Arc<dyn ExecutionPlan>) -> Self {
        let ordering = plan.output_ordering().cloned();
        let equivalence = EquivalenceProperties::new_with_orderings(schema.clone(), ordering);
        let properties = PlanProperties::new(
            equivalence,
            datafusion::physical_plan::Partitioning::UnknownPartitioning(
                plan.output_partitioning().partition_count(),
            ),
            plan.pipeline_behavior(),
            plan.boundedness(),
        );
        let metrics = ExecutionPlanMetricsSet::new();
        Self { name, schema, plan, properties: Arc::new(properties), metrics }
    }

    /// The same barrier before what `change` makes of the plan behind it.
    pub(super) fn map(
        &self,
        change: impl FnOnce(Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let plan = change(self.plan.clone())?;
        Ok(Arc::new(Self::new(self.name.clone(), self.schema.clone(), plan)))
    }
}

impl DisplayAs for Barrier {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Barrier: relation={}", self.name)
    }
}

impl ExecutionPlan for Barrier {
    fn name(&self) -> &str {
        "Barrier"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match children.is_empty() {
            true => Ok(self),
            false => internal_err!("a barrier has no children"),
        }
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        let (schema, name) = (self.schema.clone(), self.name.clone());
        let declared = schema.clone();
        let rows = self.plan.execute(partition, context).map_err(|e| concealed(&name, e))?;
        let rows = rows.map(move |batch| {
            let batch = batch.map_err(|error| concealed(&name, error))?;
            metrics.record_output(batch.num_rows());
            let options = datafusion::arrow::array::RecordBatchOptions::new()
                .with_row_count(Some(batch.num_rows()));
            let columns = batch.columns().to_vec();
            Ok(RecordBatch::try_new_with_options(declared.clone(), columns, &options)?)
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn partition_statistics(&self, _: Option<usize>) -> Result<Arc<Statistics>> {
        Ok(Arc::new(Statistics::new_unknown(&self.schema)))
    }
}

/// What the client is told of an error behind the barrier, which may hold values of rows it does not
/// see: nothing but where; the log has the rest.
fn concealed(name: &TableName, error: DataFusionError) -> DataFusionError {
    match error.find_root() {
        DataFusionError::ResourcesExhausted(_)
        | DataFusionError::ObjectStore(_)
        | DataFusionError::IoError(_) => error,
        _ => {
            tracing::error!(relation = %name, %error, "a row policy failed");
            let message = format!("relation {name} cannot be read through the policy on it");
            DataFusionError::External(Box::new(Error::statement("42501", message)))
        }
    }
}
