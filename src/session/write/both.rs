//! A table in two parts: rows in files, and rows that a transaction still holds in memory.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::datasource::TableType;
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::union::UnionExec;

/// Both parts, as one table.
#[derive(Debug)]
pub(super) struct Both {
    pub(super) stored: Arc<dyn TableProvider>,
    pub(super) held: Arc<dyn TableProvider>,
}

#[async_trait]
impl TableProvider for Both {
    fn schema(&self) -> SchemaRef {
        self.stored.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let stored = self.stored.scan(state, projection, filters, limit).await?;
        let held = self.held.scan(state, projection, &[], limit).await?;
        UnionExec::try_new(vec![stored, held])
    }
}
