//! The tables that SQL sees: one immutable [`Generation`] per set of commits, shared by all sessions.
//!
//! A generation pins every table to a version; a statement plans against one generation, and a
//! transaction keeps it, so what it reads cannot change under it.
//! Canonical tables that the lake does not have yet are empty tables with the right columns, so
//! that every report always plans.
//! Views are planned when first asked for, once a generation.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, Weak};

use async_trait::async_trait;
use datafusion::catalog::{CatalogProvider, CatalogProviderList, SchemaProvider, TableProvider};
use datafusion::datasource::ViewTable;
use datafusion::datasource::empty::EmptyTable;
use datafusion::error::{DataFusionError, Result as EngineResult};
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::context::SessionState;
use datafusion::logical_expr::TableType;
use datafusion::sql::parser::Statement as EngineStatement;
use tokio::sync::OnceCell;

use super::expand::TableFunctions;
use super::{gate, limits};
use crate::error::{Error, Result};
use crate::lake::{At, Lake, LakeTable, TableName};
use crate::schema;

/// Name of the one database.
pub const CATALOG: &str = "runrate";

/// A view of `sql/`, as its file says.
#[derive(Debug, Clone)]
pub struct ViewDefinition {
    /// Schema, the directory of the file.
    pub schema: String,
    /// Name, the stem of the file.
    pub name: String,
    /// The SELECT.
    pub sql: String,
    /// The question it answers, its grain and units: the comment of the view.
    pub comment: String,
}

/// What views are planned with: our functions, no client's settings.
#[derive(Clone)]
pub(super) struct Definer {
    state: SessionState,
    table_functions: Arc<TableFunctions>,
}

impl fmt::Debug for Definer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Definer")
    }
}

impl Definer {
    pub(super) fn new(state: SessionState, table_functions: Arc<TableFunctions>) -> Self {
        Self { state, table_functions }
    }

    async fn plan(&self, view: &ViewDefinition, tables: Arc<Generation>) -> Result<ViewTable> {
        let mut statements = limits::parse(&view.sql, usize::MAX)?;
        let Some(mut statement) = statements.pop() else {
            return Err(Error::Definition { name: view.name.clone(), reason: "is empty".into() });
        };
        gate::check_statement(&statement)?;
        self.table_functions.expand(&mut statement)?;
        let state = SessionStateBuilder::new_from_existing(self.state.clone())
            .with_catalog_list(SessionCatalogs::new(SessionCatalog::new(tables)))
            .build();
        let statement = EngineStatement::Statement(Box::new(statement));
        let plan = state.statement_to_plan(statement).await?;
        gate::check_plan(&plan)?;
        let plan = super::analyzed(&state, plan)?;
        Ok(ViewTable::new(plan, Some(view.sql.clone())))
    }
}

/// Every table and view at one set of versions.
#[derive(Debug)]
pub(super) struct Generation {
    token: String,
    schemas: BTreeMap<String, Arc<SchemaTables>>,
}

impl Generation {
    /// Reads the lake's tables and lays the views over them.
    pub(super) async fn load(
        lake: &Lake,
        views: &[ViewDefinition],
        definer: Definer,
    ) -> Result<Arc<Self>> {
        // The token is read first: a commit in between is then seen by the next look.
        let token = lake.change_token().await?;
        let mut stored: BTreeMap<String, BTreeMap<String, Relation>> = BTreeMap::new();
        for table in schema::tables() {
            let empty = Arc::new(EmptyTable::new(table.arrow_schema()));
            let tables = stored.entry(schema::CRM.into()).or_default();
            tables.insert(table.name.into(), Relation::Empty(empty));
        }
        for table in schema::ops_tables() {
            let empty = Arc::new(EmptyTable::new(table.own_schema()));
            let tables = stored.entry(schema::OPS.into()).or_default();
            tables.insert(table.name.into(), Relation::Empty(empty));
        }
        for schema in [schema::RAW, schema::MART] {
            stored.entry(schema.into()).or_default();
        }
        for name in lake.tables().await? {
            if let Some(table) = lake.table(&name, At::Latest).await? {
                let tables = stored.entry(name.schema).or_default();
                tables.insert(name.table, Relation::Stored(table));
            }
        }
        for view in views {
            let relation = Relation::View(Arc::new(LazyView::new(view.clone(), definer.clone())));
            stored.entry(view.schema.clone()).or_default().insert(view.name.clone(), relation);
        }
        Ok(Arc::new_cyclic(|generation| Self {
            token,
            schemas: stored
                .into_iter()
                .map(|(name, relations)| {
                    let tables = SchemaTables {
                        name: name.clone(),
                        relations,
                        generation: generation.clone(),
                    };
                    (name, Arc::new(tables))
                })
                .collect(),
        }))
    }

    /// The lake's change token when this was read.
    pub(super) fn token(&self) -> &str {
        &self.token
    }

    /// Version of every stored table.
    pub(super) fn versions(&self) -> impl Iterator<Item = (TableName, i64)> + '_ {
        self.schemas.values().flat_map(|schema| {
            schema.relations.iter().filter_map(|(table, relation)| match relation {
                Relation::Stored(stored) => {
                    Some((TableName::new(schema.name.clone(), table.clone()), stored.version()))
                }
                _ => None,
            })
        })
    }
}

#[derive(Debug)]
enum Relation {
    Empty(Arc<EmptyTable>),
    Stored(Arc<LakeTable>),
    View(Arc<LazyView>),
}

struct LazyView {
    definition: ViewDefinition,
    definer: Definer,
    planned: OnceCell<Arc<ViewTable>>,
}

impl fmt::Debug for LazyView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LazyView({}.{})", self.definition.schema, self.definition.name)
    }
}

impl LazyView {
    fn new(definition: ViewDefinition, definer: Definer) -> Self {
        Self { definition, definer, planned: OnceCell::new() }
    }

    async fn table(&self, tables: Arc<Generation>) -> EngineResult<Arc<dyn TableProvider>> {
        let planned = self
            .planned
            .get_or_try_init(|| async {
                // Boxed: a view over views plans them in turn.
                let plan = Box::pin(self.definer.plan(&self.definition, tables)).await;
                plan.map(Arc::new).map_err(|error| self.broken(error))
            })
            .await?;
        Ok(planned.clone())
    }

    fn broken(&self, error: Error) -> DataFusionError {
        let name = format!("view {}.{}", self.definition.schema, self.definition.name);
        DataFusionError::External(Box::new(Error::Definition { name, reason: error.chain() }))
    }
}

/// One schema of a generation.
#[derive(Debug)]
struct SchemaTables {
    name: String,
    relations: BTreeMap<String, Relation>,
    generation: Weak<Generation>,
}

#[async_trait]
impl SchemaProvider for SchemaTables {
    fn table_names(&self) -> Vec<String> {
        self.relations.keys().cloned().collect()
    }

    async fn table(&self, name: &str) -> EngineResult<Option<Arc<dyn TableProvider>>> {
        Ok(match self.relations.get(name) {
            None => None,
            Some(Relation::Empty(table)) => Some(table.clone()),
            Some(Relation::Stored(table)) => Some(table.provider()),
            Some(Relation::View(view)) => match self.generation.upgrade() {
                Some(generation) => Some(view.table(generation).await?),
                None => None,
            },
        })
    }

    async fn table_type(&self, name: &str) -> EngineResult<Option<TableType>> {
        Ok(self.relations.get(name).map(|relation| match relation {
            Relation::View(_) => TableType::View,
            Relation::Empty(_) | Relation::Stored(_) => TableType::Base,
        }))
    }

    fn table_exist(&self, name: &str) -> bool {
        self.relations.contains_key(name)
    }
}

/// The database as one session sees it: a generation, and schemas that the session was given.
#[derive(Debug)]
pub(super) struct SessionCatalog {
    generation: RwLock<Arc<Generation>>,
    is_pinned: AtomicBool,
    added: RwLock<BTreeMap<String, Arc<dyn SchemaProvider>>>,
    /// Tables beside those of a schema, by schema and name.
    beside: RwLock<BTreeMap<String, Beside>>,
}

/// Tables that a session was given beside those of a schema, whatever its rights.
type Beside = Arc<BTreeMap<String, Arc<dyn TableProvider>>>;

impl SessionCatalog {
    pub(super) fn new(generation: Arc<Generation>) -> Arc<Self> {
        Arc::new(Self {
            generation: RwLock::new(generation),
            is_pinned: AtomicBool::new(false),
            added: RwLock::default(),
            beside: RwLock::default(),
        })
    }

    /// Puts `table` beside those of `schema`.
    pub(super) fn add_table(&self, schema: &str, name: &str, table: Arc<dyn TableProvider>) {
        let mut beside = self.beside.write().unwrap_or_else(PoisonError::into_inner);
        let tables = Arc::make_mut(beside.entry(schema.to_owned()).or_default());
        tables.insert(name.to_owned(), table);
    }

    /// Goes to `next`, unless pinned.
    pub(super) fn advance(&self, next: Arc<Generation>) {
        if !self.is_pinned.load(Ordering::Acquire) {
            *self.generation.write().unwrap_or_else(PoisonError::into_inner) = next;
        }
    }

    /// Stays where it is (true), or follows again (false).
    pub(super) fn pin(&self, is_pinned: bool) {
        self.is_pinned.store(is_pinned, Ordering::Release);
    }

    fn generation(&self) -> Arc<Generation> {
        self.generation.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl CatalogProvider for SessionCatalog {
    fn schema_names(&self) -> Vec<String> {
        let added = self.added.read().unwrap_or_else(PoisonError::into_inner);
        self.generation().schemas.keys().chain(added.keys()).cloned().collect()
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        let added = self.added.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(schema) = added.get(name) {
            return Some(schema.clone());
        }
        // The schema keeps only a weak link, so this keeps the generation alive while it is used.
        let generation = self.generation();
        let schema = generation.schemas.get(name)?.clone();
        let beside = self.beside.read().unwrap_or_else(PoisonError::into_inner);
        let beside = beside.get(name).cloned().unwrap_or_default();
        Some(Arc::new(HeldSchema { schema, beside, _generation: generation }))
    }

    fn register_schema(
        &self,
        name: &str,
        schema: Arc<dyn SchemaProvider>,
    ) -> EngineResult<Option<Arc<dyn SchemaProvider>>> {
        let mut added = self.added.write().unwrap_or_else(PoisonError::into_inner);
        Ok(added.insert(name.to_owned(), schema))
    }
}

/// A schema together with the generation it belongs to.
#[derive(Debug)]
struct HeldSchema {
    schema: Arc<SchemaTables>,
    beside: Beside,
    _generation: Arc<Generation>,
}

#[async_trait]
impl SchemaProvider for HeldSchema {
    fn table_names(&self) -> Vec<String> {
        let mut names = self.schema.table_names();
        names.extend(self.beside.keys().cloned());
        names
    }

    async fn table(&self, name: &str) -> EngineResult<Option<Arc<dyn TableProvider>>> {
        match self.beside.get(name) {
            Some(table) => Ok(Some(table.clone())),
            None => self.schema.table(name).await,
        }
    }

    async fn table_type(&self, name: &str) -> EngineResult<Option<TableType>> {
        match self.beside.get(name) {
            Some(table) => Ok(Some(table.table_type())),
            None => self.schema.table_type(name).await,
        }
    }

    fn table_exist(&self, name: &str) -> bool {
        self.beside.contains_key(name) || self.schema.table_exist(name)
    }
}

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
