//! Tables that a session was given beside those of a schema, whatever its rights.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{SchemaProvider, TableProvider};
use datafusion::error::Result;
use datafusion::logical_expr::TableType;

/// Such tables of one schema, by name.
pub(super) type Beside = Arc<BTreeMap<String, Arc<dyn TableProvider>>>;

/// A schema and what is beside it.
#[derive(Debug)]
pub(super) struct BesideSchema {
    /// `None` if the session sees nothing of the schema itself.
    schema: Option<Arc<dyn SchemaProvider>>,
    beside: Beside,
}

impl BesideSchema {
    pub(super) fn over(
        schema: Option<Arc<dyn SchemaProvider>>,
        beside: Beside,
    ) -> Arc<dyn SchemaProvider> {
        Arc::new(Self { schema, beside })
    }
}

#[async_trait]
impl SchemaProvider for BesideSchema {
    fn table_names(&self) -> Vec<String> {
        let mut names = self.schema.as_ref().map_or_else(Vec::new, |schema| schema.table_names());
        names.extend(self.beside.keys().cloned());
        names
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        match (self.beside.get(name), &self.schema) {
            (Some(table), _) => Ok(Some(table.clone())),
            (None, Some(schema)) => schema.table(name).await,
            (None, None) => Ok(None),
        }
    }

    async fn table_type(&self, name: &str) -> Result<Option<TableType>> {
        match (self.beside.get(name), &self.schema) {
            (Some(table), _) => Ok(Some(table.table_type())),
            (None, Some(schema)) => schema.table_type(name).await,
            (None, None) => Ok(None),
        }
    }

    fn table_exist(&self, name: &str) -> bool {
        let is_in = |schema: &Arc<dyn SchemaProvider>| schema.table_exist(name);
        self.beside.contains_key(name) || self.schema.as_ref().is_some_and(is_in)
    }
}
