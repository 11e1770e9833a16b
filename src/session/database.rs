//! The one database, as the engine looks it up.

use std::sync::Arc;

use datafusion::catalog::{CatalogProvider, CatalogProviderList};

use super::catalog::{CATALOG, SessionCatalog};

/// The list with the one database.
#[derive(Debug)]
pub(super) struct SessionCatalogs {
    only: Arc<SessionCatalog>,
}

impl SessionCatalogs {
    pub(super) fn new(only: Arc<SessionCatalog>) -> Arc<Self> {
        Arc::new(Self { only })
    }
}

impl CatalogProviderList for SessionCatalogs {
    fn register_catalog(
        &self,
        _: String,
        _: Arc<dyn CatalogProvider>,
    ) -> Option<Arc<dyn CatalogProvider>> {
        None
    }

    fn catalog_names(&self) -> Vec<String> {
        vec![CATALOG.to_owned()]
    }

    fn catalog(&self, name: &str) -> Option<Arc<dyn CatalogProvider>> {
        (name == CATALOG).then(|| self.only.clone() as Arc<dyn CatalogProvider>)
    }
}
