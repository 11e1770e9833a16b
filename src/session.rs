//! The only maker of query contexts: one [`Engine`] a process, one [`Session`] a connection.
//!
//! An engine owns the lake, the memory and the functions; a session adds one client's settings and
//! the catalog it sees.
//! A statement goes: text, [`Session::parse`] (limits on size and depth), [`Session::plan`] (table
//! functions expanded, tables pinned to one [`catalog::Generation`], allow-list of nodes),
//! [`Session::run`] (a memory pool of its own).
//! Planning runs on a thread with a large stack and a time limit, because the planner is
//! synchronous and recursive: no timeout can stop it, and a deep statement would end the process.

mod access;
mod barrier;
mod beside;
mod caps;
mod catalog;
mod database;
mod described;
mod dialect;
mod expand;
mod explain;
mod functions;
mod gate;
mod lateral;
mod limits;
mod masks;
mod memory;
mod names;
mod numbered;
mod overlay;
mod pages;
mod past;
mod planning;
mod plans;
mod policy;
mod postgres;
mod redact;
mod references;
mod repeats;
mod scope;
mod settings;
mod spill;
mod stop;
mod told;
mod unnested;
mod usage;
mod whole_rows;
mod workers;
mod write;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use datafusion::catalog::TableProvider;
use datafusion::execution::context::SessionState;
use datafusion::execution::memory_pool::{GreedyMemoryPool, MemoryPool, TrackConsumersPool};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::{SendableRecordBatchStream, SessionStateBuilder, TaskContext};
use datafusion::logical_expr::LogicalPlan;
use datafusion::optimizer::Optimizer;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::sql::sqlparser::ast::Statement;
use parking_lot::RwLock;

pub use access::{Access, Granted, Limits, Profile, Scope, Sight};
pub use catalog::{CATALOG, ViewDefinition};
pub use described::Described;
pub use dialect::{MOVED, array_elements, column_name, folded, outermost};
pub use expand::TableFunctionDefinition;
pub use limits::parse as parse_statements;
pub use pages::{FunctionPage, pages as function_pages};
pub use policy::{Mask, Policies, Policy, check_condition};
pub use postgres::{SCALE_KEY, shown_places};
pub use repeats::APART;
pub use usage::Usage;
pub use workers::LASTING;
pub use write::{Notice, Returned, Write, Written};

use crate::config::Config;
use crate::error::{Error, Result};
use crate::lake::{Lake, TableName};
use crate::schema;

/// Stack of a planning thread; 64 MiB carries the deepest statement that [`limits`] lets through.
const PLAN_STACK_BYTES: usize = 64 << 20;

/// Everything a process needs to answer SQL: the lake, memory, functions and views.
pub struct Engine {
    config: Config,
    lake: Lake,
    base: SessionState,
    runtime: Arc<RuntimeEnv>,
    workers: workers::Workers,
    abandoned: Arc<plans::Abandoned>,
    _spill: spill::SpillFolder,
    views: Vec<ViewDefinition>,
    table_functions: Arc<expand::TableFunctions>,
    current: RwLock<Arc<catalog::Generation>>,
    /// One look for news at a time: an older one must not take the place of a newer one.
    looking: tokio::sync::Mutex<()>,
    past: past::Past,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("lake", &self.lake).finish_non_exhaustive()
    }
}

impl Engine {
    /// Opens the lake of `config` and loads its catalog.
    ///
    /// # Errors
    /// If the lake cannot be opened, or a table function is not a SELECT.
    pub async fn open(
        config: Config,
        views: Vec<ViewDefinition>,
        table_functions: Vec<TableFunctionDefinition>,
    ) -> Result<Arc<Self>> {
        let lake = Lake::open(&config).await?;
        Self::open_on(lake, config, views, table_functions).await
    }

    /// The same over a lake that is open.
    ///
    /// # Errors
    /// If its catalog cannot be loaded, or a table function is not a SELECT.
    pub async fn open_on(
        lake: Lake,
        config: Config,
        views: Vec<ViewDefinition>,
        table_functions: Vec<TableFunctionDefinition>,
    ) -> Result<Arc<Self>> {
        let spill = spill::SpillFolder::open(config.spill_dir.as_deref())?;
        let runtime = runtime(&config, spill.path())?;
        let workers = workers::Workers::new(config.threads_resolved())?;
        let (url, store) = lake.object_store();
        // The engine registers the whole local disk by itself; nothing but the lake is to be read.
        if let Ok(local) = url::Url::parse("file:///") {
            drop(runtime.deregister_object_store(&local));
        }
        runtime.register_object_store(&url, store);
        let base = base_state(&config, runtime.clone())?;
        let table_functions = Arc::new(expand::TableFunctions::new(table_functions)?);
        let definer = catalog::Definer::new(base.clone(), table_functions.clone());
        let first = catalog::Generation::load(&lake, &views, definer, None).await?;
        Ok(Arc::new(Self {
            config,
            lake,
            base,
            runtime,
            workers,
            abandoned: Arc::default(),
            _spill: spill,
            views,
            table_functions,
            current: RwLock::new(first),
            looking: tokio::sync::Mutex::default(),
            past: past::Past::default(),
        }))
    }

    /// The configuration of the process.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The lake.
    pub fn lake(&self) -> &Lake {
        &self.lake
    }

    /// The views of `sql/`, in the order of their dependencies.
    pub fn views(&self) -> &[ViewDefinition] {
        &self.views
    }

    /// The table functions of `sql/functions/`.
    pub fn table_functions(&self) -> &[TableFunctionDefinition] {
        self.table_functions.definitions()
    }

    /// Memory held by running queries (bytes).
    pub fn memory_reserved_bytes(&self) -> usize {
        self.runtime.memory_pool.reserved()
    }

    /// Bytes of spilled data on disk.
    pub fn spilled_bytes(&self) -> u64 {
        self.runtime.disk_manager.used_disk_space()
    }

    /// Plans that were given up and still compute (count).
    pub fn plans_abandoned(&self) -> usize {
        self.abandoned.total()
    }

    /// Queries that panicked (count); each was an error of that query only.
    pub fn panic_count(&self) -> u64 {
        self.workers.panic_count()
    }

    /// Version of every table that sessions now see.
    pub fn table_versions(&self) -> Vec<(String, i64)> {
        self.generation().versions().map(|(name, version)| (name.to_string(), version)).collect()
    }

    /// Looks for commits since the last look; true if there were any.
    ///
    /// # Errors
    /// If the lake cannot be read; sessions then go on with what they see.
    pub async fn refresh(&self) -> Result<bool> {
        let _one = self.looking.lock().await;
        let token = self.lake.change_token().await?;
        if token == self.generation().token() {
            return Ok(false);
        }
        let definer = catalog::Definer::new(self.base.clone(), self.table_functions.clone());
        let next =
            catalog::Generation::load(&self.lake, &self.views, definer, Some(self.generation()))
                .await?;
        *self.current.write() = next;
        Ok(true)
    }

    /// Plans every view on a thread of its own, as roles without row policies see them.
    ///
    /// Whoever asks for a view before it is planned plans it, or waits for it, as ever; the thread
    /// gives way to them, and ends when there is a newer generation.
    pub fn plan_views(self: &Arc<Self>) {
        let (generation, handle) = (self.generation(), tokio::runtime::Handle::current());
        let engine = Arc::downgrade(self);
        let planning = move || {
            workers::give_way_here();
            let is_newest = || {
                engine
                    .upgrade()
                    .is_some_and(|engine| Arc::ptr_eq(&engine.generation(), &generation))
            };
            handle.block_on(generation.plan_views(is_newest));
        };
        let thread = std::thread::Builder::new().name("views".into()).stack_size(PLAN_STACK_BYTES);
        if let Err(error) = thread.spawn(planning) {
            tracing::warn!(%error, "views are planned when they are asked for");
        }
    }

    /// Refuses `policies` that do not fit the relations they are on.
    ///
    /// # Errors
    /// [`Error::Definition`] naming the relation, and what is wrong.
    pub async fn check_policies(self: &Arc<Self>, policies: &Arc<Policies>) -> Result<()> {
        if policies.is_empty() {
            return Ok(());
        }
        let (generation, policies) = (self.generation(), policies.clone());
        let limit = Duration::from_millis(self.config.plan_timeout_ms);
        let work = async move { generation.check(&policies).await };
        on_planning_thread(limit, &self.abandoned, "", work).await
    }

    /// Whether there is a relation `name`.
    pub fn knows(&self, name: &TableName) -> bool {
        self.generation().has(name)
    }

    fn generation(&self) -> Arc<catalog::Generation> {
        self.current.read().clone()
    }

    /// A new session that reads everything as `user`, which is how the process itself works.
    pub fn session(self: &Arc<Self>, user: &str) -> Session {
        self.session_with(Arc::new(Access::reading(user)))
    }

    /// A new session with the rights of `access`; its statements see commits made before they start.
    pub fn session_with(self: &Arc<Self>, access: Arc<Access>) -> Session {
        let granted = Granted::new(access.clone());
        let tables = catalog::SessionCatalog::new(self.generation(), granted.clone());
        let mut config = self.base.config().clone();
        // Without a zone of its own the engine would have instants as clocks of no zone.
        config.options_mut().execution.time_zone = Some("UTC".to_owned());
        let state = SessionStateBuilder::new_from_existing(self.base.clone())
            .with_config(config)
            .with_session_id(format!("{}-{:p}", access.role(), Arc::as_ptr(&tables)))
            .with_catalog_list(database::SessionCatalogs::new(tables.clone()))
            .with_expr_planners(postgres::planners(&self.base))
            .build();
        let context = SessionContext::new_with_state(state);
        let state = context.state_weak_ref();
        let current = move || state.upgrade().map(|state| state.read().clone());
        let planner = overlay::ViewPlanner::new(current, self.table_functions.clone());
        tables.plan_views(planner);
        tables.travel(past::Travel::with(self));
        let work = write::Work::new(&self.runtime.memory_pool);
        let told = Arc::default();
        Session { engine: self.clone(), context, access, granted, tables, told, work }
    }
}

/// One client's settings, functions and view of the catalog.
pub struct Session {
    engine: Arc<Engine>,
    context: SessionContext,
    access: Arc<Access>,
    granted: Arc<Granted>,
    tables: Arc<catalog::SessionCatalog>,
    told: Arc<told::Told>,
    /// What it wrote and did not commit, and its temporary tables.
    work: write::Work,
}

impl Session {
    /// The engine it belongs to.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// Role that logged in.
    pub fn user(&self) -> &str {
        self.access.role()
    }

    /// What it may see and change.
    pub fn access(&self) -> &Arc<Access> {
        &self.access
    }

    /// The same, for what outlives a change of the role.
    pub fn granted(&self) -> &Arc<Granted> {
        &self.granted
    }

    /// Goes on with the rights of `access`, which its role has now.
    pub fn regrant(&mut self, access: Arc<Access>) {
        self.granted.become_now(access.clone());
        self.access = access;
    }

    /// The context, for registering more schemas and functions before the first statement.
    pub fn context(&self) -> &SessionContext {
        &self.context
    }

    /// Puts `table` into `schema` beside what the lake has there, for this session.
    pub fn add_table(&self, schema: &str, name: &str, table: Arc<dyn TableProvider>) {
        self.tables.add_table(schema, name, table);
    }

    /// Statements of `sql`, in the Postgres dialect.
    ///
    /// # Errors
    /// 42601 for a syntax error, 54000 or 54001 beyond the limits on size and depth.
    pub fn parse(&self, sql: &str) -> Result<Vec<Statement>> {
        limits::parse(sql, self.engine.config.statement_bytes_max)
    }

    /// Sees commits made until now, unless the session is pinned; [`Session::plan`] does so first.
    pub fn advance(&self) {
        self.tables.advance(self.engine.generation());
    }

    /// Keeps (true) or stops keeping (false) the catalog as it is: a transaction's snapshot.
    pub fn pin(&self, is_pinned: bool) {
        self.tables.pin(is_pinned);
    }

    /// Sets `name` (`runrate.as_of`, `runrate.lake_at`, `search_path` or `timezone`) here.
    ///
    /// # Errors
    /// 42704 for another name, 22023 for a value it cannot take, 25001 for another instant in a
    /// transaction.
    pub fn set(&self, name: &str, value: &str) -> Result<()> {
        self.may_travel(name, value)?;
        settings::set(&self.context, name, value)
    }

    /// Tells the value that a setting of the client's connection now has, for `current_setting`.
    pub fn tell(&self, name: &str, value: &str) {
        self.told.put(name, value);
    }

    /// The value of a setting that [`Session::set`] takes.
    pub fn show(&self, name: &str) -> Option<String> {
        settings::show(&self.context, name)
    }

    fn planning(&self) -> scope::Scope {
        scope::Scope::planning(Duration::from_millis(self.engine.config.plan_timeout_ms))
    }

    /// The state of the context, for one run of one statement.
    fn state(&self, scope: scope::Scope) -> SessionState {
        let mut state = self.context.state();
        state.config_mut().options_mut().extensions.insert(scope);
        state.mark_start_execution();
        state
    }

    /// Whether `plan` only looks up the catalog or computes a row of constants: it is over at once,
    /// and need not wait for others.
    pub fn is_light(&self, plan: &LogicalPlan) -> bool {
        limits::is_light(plan)
    }

    /// Starts `plan` within the memory limit of one query; dropping the stream stops it.
    ///
    /// # Errors
    /// What the optimizer finds wrong; errors of execution come through the stream.
    pub async fn run(&self, plan: LogicalPlan) -> Result<SendableRecordBatchStream> {
        Ok(self.start(plan).await?.0)
    }

    /// As [`Session::run`]; also what the query costs, which can be watched while it runs.
    ///
    /// # Errors
    /// As [`Session::run`].
    pub async fn start(&self, plan: LogicalPlan) -> Result<(SendableRecordBatchStream, Usage)> {
        let is_explained = matches!(plan, LogicalPlan::Explain(_) | LogicalPlan::Analyze(_));
        let configured = self.engine.config.memory_query_bytes_max;
        let own = self.access.limits().memory_query_bytes_max.unwrap_or(configured);
        let query_pool = Arc::new(memory::QueryPool::new(
            own.min(configured),
            self.engine.runtime.memory_pool.clone(),
        ));
        let pool: Arc<dyn MemoryPool> = query_pool.clone();
        let stop = stop::Stop::default();
        let mut state = self.state(self.planning().counting(&pool, stop.clone()));
        let (physical, logical, state) = self
            .on_planning_thread(async move {
                let logical = state.optimize(&plan)?;
                if let Some(rows) = caps::rows_at_once(&logical)? {
                    let rows = rows.min(state.config().batch_size()).to_string();
                    let options = state.config_mut().options_mut();
                    options.set("datafusion.execution.batch_size", &rows)?;
                    state.mark_start_execution();
                }
                let physical = state.query_planner().create_physical_plan(&logical, &state);
                Ok((physical.await?, logical, state))
            })
            .await?;
        let usage = Usage::new(query_pool, physical.clone(), &logical);
        let runtime = RuntimeEnv { memory_pool: pool, ..self.engine.runtime.as_ref().clone() };
        let task = TaskContext::from(&state).with_runtime(Arc::new(runtime));
        let mut rows = self.engine.workers.run(physical, Arc::new(task), stop)?;
        if !self.access.policies().is_empty() {
            rows = redact::without_values(rows);
        }
        if is_explained {
            let prefix = self.engine.lake.prefix()?;
            rows = explain::without_prefix(rows, prefix, self.access.is_admin());
        }
        Ok((rows, usage))
    }

    /// Parses, plans and starts the one statement of `sql`.
    ///
    /// # Errors
    /// As [`Session::plan`] and [`Session::run`]; 42601 if there is not exactly one statement.
    pub async fn query(&self, sql: &str) -> Result<SendableRecordBatchStream> {
        let mut statements = self.parse(sql)?;
        let (Some(statement), true) = (statements.pop(), statements.is_empty()) else {
            return Err(Error::statement("42601", "exactly one statement is expected"));
        };
        self.run(self.plan(statement).await?).await
    }

    /// Runs `work` on a thread with a large stack, for at most `plan_timeout_ms`.
    async fn on_planning_thread<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let limit = Duration::from_millis(self.engine.config.plan_timeout_ms);
        let (abandoned, most) = (&self.engine.abandoned, self.engine.config.plans_abandoned_max);
        abandoned.check(self.access.role(), most)?;
        on_planning_thread(limit, abandoned, self.access.role(), work).await
    }
}

/// Runs `work` of `role` on a thread with a large stack, for at most `limit`; if it takes longer, the
/// thread is counted among the `abandoned` until it ends.
async fn on_planning_thread<T, F>(
    limit: Duration,
    abandoned: &Arc<plans::Abandoned>,
    role: &str,
    work: F,
) -> Result<T>
where
    T: Send + 'static,
    F: Future<Output = Result<T>> + Send + 'static,
{
    let (sender, receiver) = tokio::sync::oneshot::channel();
    // Given to the thread when it is abandoned, so that it is counted until it ends.
    let (counting, counted) = std::sync::mpsc::channel::<plans::Counted>();
    let handle = tokio::runtime::Handle::current();
    std::thread::Builder::new()
        .name("plan".into())
        .stack_size(PLAN_STACK_BYTES)
        .spawn(move || {
            drop(sender.send(handle.block_on(work)));
            drop(counted);
        })
        .map_err(|e| Error::file("start a planning thread for", "statement", e))?;
    match tokio::time::timeout(limit, receiver).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) => Err(Error::statement("XX000", "planning ended without an answer")),
        Err(_) => {
            tracing::warn!(limit_ms = limit.as_millis() as u64, "planning abandoned");
            // If it has ended just now, nobody receives it, and it is not counted.
            drop(counting.send(abandoned.count(role)));
            Err(Error::statement(
                "54001",
                format!("statement took longer than {} ms to plan", limit.as_millis()),
            ))
        }
    }
}

/// `plan` with its types coerced, as it will run.
fn analyzed(state: &SessionState, plan: LogicalPlan) -> Result<LogicalPlan> {
    Ok(state.analyzer().execute_and_check(plan, state.config_options(), |_, _| {})?)
}

/// Memory, spill space and caches shared by all sessions.
fn runtime(config: &Config, spill: &std::path::Path) -> Result<Arc<RuntimeEnv>> {
    let most = std::num::NonZeroUsize::MIN.saturating_add(4);
    let pool = TrackConsumersPool::new(GreedyMemoryPool::new(config.memory_pool_bytes_max), most);
    let builder = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(pool))
        .with_max_temp_directory_size(config.spill_bytes_max)
        .with_temp_file_path(spill);
    Ok(builder.build_arc()?)
}

/// The state that every session starts from: Postgres-like defaults and our functions.
fn base_state(config: &Config, runtime: Arc<RuntimeEnv>) -> Result<SessionState> {
    let mut options = SessionConfig::new()
        .with_default_catalog_and_schema(CATALOG, schema::CRM)
        .with_information_schema(true)
        .with_create_default_catalog_and_schema(false)
        .with_target_partitions(config.threads_resolved())
        .with_option_extension(settings::SessionSettings::default());
    let engine = options.options_mut();
    // 99999999999999999999.99 is a number people type; as a float it would lose its cents.
    engine.sql_parser.parse_float_as_decimal = true;
    engine.sql_parser.dialect = datafusion::common::config::Dialect::PostgreSQL;
    engine.sql_parser.collect_spans = true;
    // Nothing that reads or writes files by name: no formats, no factories of tables.
    let state = functions::allowed(SessionStateBuilder::new())
        .with_config(options)
        .with_runtime_env(runtime)
        .with_physical_optimizer_rule(Arc::new(workers::YieldAfterJoins))
        .with_optimizer_rules(scope::timed(unnested::KeysRepeat::among(Optimizer::new().rules)))
        .build();
    let context = SessionContext::new_with_state(state);
    context.register_udf(settings::session_as_of());
    context.register_udf(settings::corporate_currency(&config.corporate_currency));
    postgres::register(&context);
    numbered::register(&context);
    let mut state = context.state();
    runrate_udfs::register_all(&mut state)?;
    caps::install(&mut state)?;
    Ok(state)
}
