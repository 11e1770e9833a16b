//! The tables that SQL sees: one immutable [`Generation`] per set of commits, shared by all sessions.
//!
//! A generation pins every table to a version; a statement plans against one generation, and a
//! transaction keeps it, so what it reads cannot change under it.
//! Canonical tables that the lake does not have yet are empty tables with the right columns, so
//! that every report always plans.
//! Views are planned when first asked for, once a generation, and once more for each set of row
//! policies: the views of the system read for a role what its policies leave.
//! What a role does not see is not in its session's catalog at all.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{CatalogProvider, SchemaProvider, TableProvider};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::ViewTable;
use datafusion::datasource::empty::EmptyTable;
use datafusion::error::{DataFusionError, Result as EngineResult};
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::context::SessionState;
use datafusion::logical_expr::{LogicalPlan, TableType};
use datafusion::sql::parser::Statement as EngineStatement;
use parking_lot::{Mutex, RwLock};
use tokio::sync::OnceCell;

use super::access::{Access, Granted};
use super::barrier::Guarded;
use super::beside::{Beside, BesideSchema};
use super::database::SessionCatalogs;
use super::expand::TableFunctions;
use super::overlay::{Overlay, SessionSchema, ViewPlanner};
use super::past::{self, Travel};
use super::policy::Policies;
use super::{gate, limits};
use crate::error::{Error, Result};
use crate::lake::{At, Lake, LakeTable, Made, MadeRelation, MadeView, TableName};
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

    /// Plans `view` over all tables as `policies` leave them.
    async fn plan(
        &self,
        view: &ViewDefinition,
        tables: Arc<Generation>,
        policies: &Arc<Policies>,
    ) -> Result<ViewTable> {
        let mut statements = limits::parse(&view.sql, usize::MAX)?;
        let Some(mut statement) = statements.pop() else {
            return Err(Error::Definition { name: view.name.clone(), reason: "is empty".into() });
        };
        gate::check_statement(&statement)?;
        self.table_functions.expand(&mut statement)?;
        let access = Arc::new(Access::of_definer(policies));
        let state = SessionStateBuilder::new_from_existing(self.state.clone())
            .with_catalog_list(SessionCatalogs::new(SessionCatalog::new(
                tables,
                Granted::new(access),
            )))
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
    /// What was made over SQL.
    made: Arc<Made>,
    schemas: BTreeMap<String, BTreeMap<String, Relation>>,
    definer: Definer,
}

impl Generation {
    /// Reads the lake's tables and lays the views over them; `before` is the generation until now,
    /// whose plans of views hold as long as nothing below them changed.
    pub(super) async fn load(
        lake: &Lake,
        views: &[ViewDefinition],
        definer: Definer,
        before: Option<Arc<Self>>,
    ) -> Result<Arc<Self>> {
        // The token is read first: a commit in between is then seen by the next look.
        let token = lake.change_token().await?;
        let mut made = lake.made().await?;
        // Again if a transaction commits meanwhile: its tables are seen together or not at all.
        loop {
            let mut loaded = Self::load_with(lake, views, &definer, &token, &made, None).await?;
            let newest = lake.made().await?;
            if newest == made {
                if let Some(before) = &before {
                    loaded.keep_plans(before);
                }
                return Ok(Arc::new(loaded));
            }
            made = newest;
        }
    }

    pub(super) async fn load_with(
        lake: &Lake,
        views: &[ViewDefinition],
        definer: &Definer,
        token: &str,
        made: &Arc<Made>,
        instant: Option<DateTime<Utc>>,
    ) -> Result<Self> {
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
        // What was made over SQL is no part of the past.
        let left_out = match instant {
            Some(_) => lake.made().await?,
            None => Arc::default(),
        };
        for name in lake.tables().await? {
            if left_out.table(&name).is_some() {
                continue;
            }
            let at = instant.map_or(At::Latest, At::Timestamp);
            let table = lake.table(&name, at).await?;
            let is_then =
                |table: &Arc<LakeTable>| instant.is_none_or(|i| table.committed_at() <= i);
            if let Some(table) = table.filter(is_then) {
                let tables = stored.entry(name.schema).or_default();
                tables.insert(name.table, Relation::Stored(table));
            }
        }
        for (name, relation) in made.relations() {
            if let MadeRelation::View(view) = relation {
                let tables = stored.entry(name.schema).or_default();
                tables.insert(name.table, Relation::Made(view.clone()));
            }
        }
        for view in views {
            let relation = Relation::View(Arc::new(LazyView::new(view.clone(), definer.clone())));
            stored.entry(view.schema.clone()).or_default().insert(view.name.clone(), relation);
        }
        let (token, made, definer) = (token.to_owned(), made.clone(), definer.clone());
        Ok(Self { token, made, schemas: stored, definer })
    }

    /// Takes over the plans of `before` if only tables made over SQL changed, which no view of
    /// `sql/` reads: a commit to a scratch schema must not have sixty reports planned anew.
    fn keep_plans(&mut self, before: &Self) {
        let ingested = |generation: &Self| -> Vec<(TableName, i64)> {
            let versions = generation.versions();
            versions.filter(|(name, _)| generation.made.table(name).is_none()).collect()
        };
        if ingested(self) != ingested(before) {
            return;
        }
        for (schema, relations) in &mut self.schemas {
            for (name, relation) in relations {
                let known = before.schemas.get(schema).and_then(|known| known.get(name));
                if let (Relation::View(view), Some(Relation::View(planned))) = (relation, known) {
                    *view = planned.clone();
                }
            }
        }
    }

    /// The lake's change token when this was read.
    pub(super) fn token(&self) -> &str {
        &self.token
    }

    /// What was made over SQL.
    pub(super) fn made(&self) -> &Arc<Made> {
        &self.made
    }

    /// Version of every stored table.
    pub(super) fn versions(&self) -> impl Iterator<Item = (TableName, i64)> + '_ {
        self.schemas.iter().flat_map(|(schema, relations)| {
            relations.iter().filter_map(|(table, relation)| match relation {
                Relation::Stored(stored) => {
                    Some((TableName::new(schema.clone(), table.clone()), stored.version()))
                }
                _ => None,
            })
        })
    }

    /// Plans every view of `sql/`, so that the first question about the catalog need not.
    ///
    /// One that cannot be planned is told to whoever reads it.
    pub(super) async fn plan_views(self: &Arc<Self>, goes_on: impl Fn() -> bool) {
        for relation in self.schemas.values().flat_map(|relations| relations.values()) {
            match relation {
                Relation::View(view) if goes_on() => {
                    drop(view.table(self.clone(), &Arc::default()).await);
                }
                _ => {}
            }
        }
    }

    /// What `name` is, as its policies among `policies` leave it.
    pub(super) async fn open(
        self: &Arc<Self>,
        name: &TableName,
        policies: &Arc<Policies>,
    ) -> EngineResult<Option<Arc<dyn TableProvider>>> {
        let Some(relations) = self.schemas.get(&name.schema) else { return Ok(None) };
        let table: Arc<dyn TableProvider> = match relations.get(&name.table) {
            None => return Ok(None),
            Some(Relation::Empty(table)) => table.clone(),
            Some(Relation::Stored(table)) => table.provider(),
            Some(Relation::View(view)) => view.table(self.clone(), policies).await?,
            // Each session plans those itself, before it asks here.
            Some(Relation::Made(_)) => {
                return Err(DataFusionError::Plan(format!("view {name} cannot be read here")));
            }
        };
        Ok(Some(Guarded::through(policies, name, table, &self.definer.state)))
    }

    /// What `name` is for `access`, if it exists for it.
    async fn seen(
        self: &Arc<Self>,
        name: &TableName,
        access: &Access,
    ) -> EngineResult<Option<Arc<dyn TableProvider>>> {
        if !access.sees(&name.schema, &name.table) {
            return Ok(None);
        }
        let Some(table) = self.open(name, access.policies()).await? else { return Ok(None) };
        // What a view leaves out of a table that the role does not see must not be found out.
        let is_barrier = match table.get_logical_plan() {
            Some(plan) => !self.sees_all_of(&plan, access)?,
            None => false,
        };
        Ok(Some(Guarded::narrowed(access, name, table, is_barrier)))
    }

    /// Whether `access` sees every table and column that `plan` reads.
    fn sees_all_of(&self, plan: &LogicalPlan, access: &Access) -> EngineResult<bool> {
        let mut sees_all = true;
        plan.apply_with_subqueries(|node| {
            if let LogicalPlan::TableScan(scan) = node {
                let schema = scan.table_name.schema().unwrap_or(schema::CRM);
                let relation = scan.table_name.table();
                let sees = |name: &str| access.sees_column(schema, relation, name);
                sees_all &= access.sees(schema, relation)
                    && scan.source.schema().fields().iter().all(|field| sees(field.name()));
            }
            Ok(match sees_all {
                true => TreeNodeRecursion::Continue,
                false => TreeNodeRecursion::Stop,
            })
        })?;
        Ok(sees_all)
    }

    /// Whether there is a relation `name`.
    pub(super) fn has(&self, name: &TableName) -> bool {
        self.schemas.get(&name.schema).is_some_and(|known| known.contains_key(&name.table))
    }

    /// Whether `name` is a view made over SQL.
    fn is_made(&self, name: &TableName) -> bool {
        let relations = self.schemas.get(&name.schema);
        matches!(relations.and_then(|known| known.get(&name.table)), Some(Relation::Made(_)))
    }

    /// Refuses `policies` that do not fit the relations they are on.
    ///
    /// Those on relations that do not exist do not matter, until they do.
    pub(super) async fn check(self: &Arc<Self>, policies: &Policies) -> Result<()> {
        for (name, _) in policies.relations() {
            if self.is_made(name) {
                // It is planned with the rights of who reads it; if it does not fit then, nobody does.
                continue;
            }
            let Some(table) = self.open(name, &Arc::default()).await? else { continue };
            Guarded::checked(policies, name, table, &self.definer.state).map_err(|error| {
                let name = format!("row policy or mask of {name}");
                Error::Definition { name, reason: error.chain() }
            })?;
        }
        Ok(())
    }
}

#[derive(Debug)]
enum Relation {
    Empty(Arc<EmptyTable>),
    Stored(Arc<LakeTable>),
    View(Arc<LazyView>),
    /// Made over SQL; each session plans it for itself.
    Made(MadeView),
}

struct LazyView {
    definition: ViewDefinition,
    definer: Definer,
    planned: Mutex<HashMap<Arc<Policies>, Planned>>,
}

/// A view's plan, once it was asked for.
type Planned = Arc<OnceCell<Arc<ViewTable>>>;

impl fmt::Debug for LazyView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LazyView({}.{})", self.definition.schema, self.definition.name)
    }
}

impl LazyView {
    fn new(definition: ViewDefinition, definer: Definer) -> Self {
        Self { definition, definer, planned: Mutex::default() }
    }

    async fn table(
        &self,
        tables: Arc<Generation>,
        policies: &Arc<Policies>,
    ) -> EngineResult<Arc<dyn TableProvider>> {
        let planned = self.planned.lock().entry(policies.clone()).or_default().clone();
        let planned = planned
            .get_or_try_init(|| async {
                // Boxed: a view over views plans them in turn.
                let plan = Box::pin(self.definer.plan(&self.definition, tables, policies)).await;
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

/// The database as one session sees it: a generation, through the session's rights, and schemas that
/// the session was given.
#[derive(Debug)]
pub(super) struct SessionCatalog {
    generation: RwLock<Arc<Generation>>,
    granted: Arc<Granted>,
    is_pinned: AtomicBool,
    added: RwLock<BTreeMap<String, Arc<dyn SchemaProvider>>>,
    /// Tables beside those of a schema, by schema and name.
    beside: RwLock<BTreeMap<String, Beside>>,
    /// What only this session sees.
    overlay: RwLock<Arc<Overlay>>,
    planner: OnceLock<Arc<ViewPlanner>>,
    travel: OnceLock<Travel>,
}

impl SessionCatalog {
    pub(super) fn new(generation: Arc<Generation>, granted: Arc<Granted>) -> Arc<Self> {
        Arc::new(Self {
            generation: RwLock::new(generation),
            granted,
            is_pinned: AtomicBool::new(false),
            added: RwLock::default(),
            beside: RwLock::default(),
            overlay: RwLock::default(),
            planner: OnceLock::new(),
            travel: OnceLock::new(),
        })
    }

    /// Puts `table` beside those of `schema`.
    pub(super) fn add_table(&self, schema: &str, name: &str, table: Arc<dyn TableProvider>) {
        let mut beside = self.beside.write();
        let tables = Arc::make_mut(beside.entry(schema.to_owned()).or_default());
        tables.insert(name.to_owned(), table);
    }

    /// Plans views made over SQL with `planner` from now on.
    pub(super) fn plan_views(&self, planner: ViewPlanner) {
        // Set once, when the session is made.
        drop(self.planner.set(Arc::new(planner)));
    }

    /// Finds tables of other instants with `travel` from now on.
    pub(super) fn travel(&self, travel: Travel) {
        drop(self.travel.set(travel)); // once, as above
    }

    /// Shows `overlay` over what all see.
    pub(super) fn show(&self, overlay: Overlay) {
        *self.overlay.write() = Arc::new(overlay);
    }

    pub(super) fn overlay(&self) -> Arc<Overlay> {
        self.overlay.read().clone()
    }

    /// What was made over SQL, as this session sees it.
    pub(super) fn made(&self) -> Arc<Made> {
        self.generation().made().clone()
    }

    /// Columns of the stored table `name`.
    pub(super) fn stored_columns(&self, name: &TableName) -> Option<SchemaRef> {
        let generation = self.generation();
        match generation.schemas.get(&name.schema)?.get(&name.table)? {
            Relation::Stored(table) => Some(table.provider().schema()),
            _ => None,
        }
    }

    /// Goes to `next`, unless pinned.
    pub(super) fn advance(&self, next: Arc<Generation>) {
        if !self.is_pinned() {
            *self.generation.write() = next;
        }
    }

    /// Goes to `past`, pinned or not.
    pub(super) fn turn(&self, past: Arc<Generation>) {
        *self.generation.write() = past;
    }

    /// Stays where it is (true), or follows again (false).
    pub(super) fn pin(&self, is_pinned: bool) {
        self.is_pinned.store(is_pinned, Ordering::Release);
    }

    /// Whether it stays where it is.
    pub(super) fn is_pinned(&self) -> bool {
        self.is_pinned.load(Ordering::Acquire)
    }

    fn generation(&self) -> Arc<Generation> {
        self.generation.read().clone()
    }
}

impl CatalogProvider for SessionCatalog {
    fn schema_names(&self) -> Vec<String> {
        let added = self.added.read();
        let (generation, access) = (self.generation(), self.granted.now());
        let seen = generation.schemas.keys().filter(|name| access.sees_schema(name));
        let mut names: Vec<String> = seen.chain(added.keys()).cloned().collect();
        let is_empty = |owned: &&str| !generation.schemas.contains_key(*owned);
        names.extend(access.owned().filter(is_empty).map(str::to_owned));
        names
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        let added = self.added.read();
        if let Some(schema) = added.get(name) {
            return Some(schema.clone());
        }
        let (generation, access) = (self.generation(), self.granted.now());
        let exists = generation.schemas.contains_key(name) && access.sees_schema(name);
        let overlay = self.overlay();
        let beside = self.beside.read();
        let beside = beside.get(name).cloned();
        if !exists && !overlay.is_about(name) && !access.owns(name) {
            return Some(BesideSchema::over(None, beside?));
        }
        let travel = self.travel.get().cloned();
        let base = exists.then(|| SeenSchema { name: name.to_owned(), generation, access, travel });
        let planner = self.planner.get().cloned();
        let schema = Arc::new(SessionSchema { name: name.to_owned(), base, overlay, planner });
        Some(match beside {
            Some(beside) => BesideSchema::over(Some(schema), beside),
            None => schema,
        })
    }

    fn register_schema(
        &self,
        name: &str,
        schema: Arc<dyn SchemaProvider>,
    ) -> EngineResult<Option<Arc<dyn SchemaProvider>>> {
        let mut added = self.added.write();
        Ok(added.insert(name.to_owned(), schema))
    }
}

/// One schema of a generation, as a session sees it.
#[derive(Debug)]
pub(super) struct SeenSchema {
    name: String,
    generation: Arc<Generation>,
    access: Arc<Access>,
    travel: Option<Travel>,
}

impl SeenSchema {
    fn relations(&self) -> impl Iterator<Item = (&String, &Relation)> {
        let all = self.generation.schemas.get(&self.name).into_iter().flatten();
        all.filter(|(relation, _)| self.access.sees(&self.name, relation))
    }

    /// What the session sees of `table`, planned as `name` of this schema with the session's rights.
    pub(super) fn guarded(
        &self,
        name: &str,
        table: Arc<dyn TableProvider>,
    ) -> Arc<dyn TableProvider> {
        let name = TableName::new(self.name.clone(), name);
        let (policies, state) = (self.access.policies(), &self.generation.definer.state);
        let table = Guarded::through(policies, &name, table, state);
        Guarded::narrowed(&self.access, &name, table, false)
    }

    /// The view called `name`, if it was made over SQL and the session sees it.
    pub(super) fn made_view(&self, name: &str) -> Option<&MadeView> {
        match self.relations().find(|(known, _)| *known == name)?.1 {
            Relation::Made(view) => Some(view),
            _ => None,
        }
    }
}

#[async_trait]
impl SchemaProvider for SeenSchema {
    fn table_names(&self) -> Vec<String> {
        self.relations().map(|(name, _)| name.clone()).collect()
    }

    async fn table(&self, name: &str) -> EngineResult<Option<Arc<dyn TableProvider>>> {
        let (table, instant) = past::split(name);
        let generation = match (instant, &self.travel) {
            (Some(instant), Some(travel)) => {
                let gone = travel.to(instant).await;
                gone.map_err(|error| DataFusionError::External(Box::new(error)))?
            }
            (Some(_), None) => return Ok(None),
            (None, _) => self.generation.clone(),
        };
        generation.seen(&TableName::new(self.name.clone(), table), &self.access).await
    }

    async fn table_type(&self, name: &str) -> EngineResult<Option<TableType>> {
        let found = self.relations().find(|(known, _)| *known == name);
        Ok(found.map(|(_, relation)| match relation {
            Relation::View(_) | Relation::Made(_) => TableType::View,
            Relation::Empty(_) | Relation::Stored(_) => TableType::Base,
        }))
    }

    fn table_exist(&self, name: &str) -> bool {
        self.relations().any(|(known, _)| known == past::split(name).0)
    }
}
