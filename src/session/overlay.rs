//! What one session sees over the tables that all see: its uncommitted changes, its temporary
//! tables, and the views made over SQL, which are planned with the rights of who reads them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{SchemaProvider, TableProvider};
use datafusion::datasource::ViewTable;
use datafusion::error::{DataFusionError, Result as EngineResult};
use datafusion::execution::context::SessionState;
use datafusion::logical_expr::TableType;
use datafusion::sql::parser::Statement as EngineStatement;

use super::catalog::SeenSchema;
use super::expand::TableFunctions;
use super::{dialect, gate, lateral, limits, numbered, repeats};
use crate::error::{Error, Result};
use crate::lake::MadeView;

/// Schema of the temporary tables of a session.
pub(super) const TEMPORARY: &str = "pg_temp";
/// How deep views made over SQL may read each other.
const DEPTH_MAX: usize = 16;

tokio::task_local! {
    /// How many views are being planned, one within the other.
    static DEPTH: usize;
}

/// A relation that only this session sees, or sees so.
#[derive(Debug, Clone)]
pub(super) enum Own {
    /// A table with its rows as they are now.
    Table(Arc<dyn TableProvider>),
    /// A view.
    View(MadeView),
}

/// What a session sees over the catalog of all.
#[derive(Debug, Default, Clone)]
pub(super) struct Overlay {
    /// Changes by schema and name; `None` is dropped.
    pub(super) changed: BTreeMap<String, BTreeMap<String, Option<Own>>>,
    /// Temporary tables.
    pub(super) temporary: BTreeMap<String, Arc<dyn TableProvider>>,
}

impl Overlay {
    /// Whether it has anything to say of `schema`.
    pub(super) fn is_about(&self, schema: &str) -> bool {
        self.changed.contains_key(schema) || (schema == TEMPORARY && !self.temporary.is_empty())
    }
}

/// Plans views as a session would plan their SELECT itself.
pub(super) struct ViewPlanner {
    /// The session's state as it is now; `None` once the session is gone.
    state: Box<dyn Fn() -> Option<SessionState> + Send + Sync>,
    table_functions: Arc<TableFunctions>,
}

impl fmt::Debug for ViewPlanner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ViewPlanner")
    }
}

impl ViewPlanner {
    pub(super) fn new(
        state: impl Fn() -> Option<SessionState> + Send + Sync + 'static,
        table_functions: Arc<TableFunctions>,
    ) -> Self {
        Self { state: Box::new(state), table_functions }
    }

    async fn plan(&self, name: &str, view: &MadeView) -> Result<Arc<dyn TableProvider>> {
        let depth = DEPTH.try_with(|depth| *depth).unwrap_or(0);
        if depth >= DEPTH_MAX {
            let message = format!("views read each other more than {DEPTH_MAX} deep at \"{name}\"");
            return Err(Error::statement("42P17", message));
        }
        let Some(mut state) = (self.state)() else {
            return Err(Error::statement("57P01", "the session has ended"));
        };
        let mut statements = limits::parse(&view.sql, usize::MAX)?;
        let (Some(mut statement), true) = (statements.pop(), statements.is_empty()) else {
            let reason = "is not one SELECT".to_owned();
            return Err(Error::Definition { name: name.to_owned(), reason });
        };
        gate::check_statement(&statement)?;
        dialect::reword(&mut statement)?;
        self.table_functions.expand(&mut statement)?;
        repeats::tell_apart(&mut statement);
        let options = state.config_mut().options_mut();
        options.catalog.default_schema.clone_from(&view.search_schema);
        let statement = EngineStatement::Statement(Box::new(statement));
        // Boxed: a view over views plans them in turn.
        let planning = Box::pin(state.statement_to_plan(statement));
        let plan = DEPTH.scope(depth + 1, planning).await?;
        let plan = lateral::flattened(numbered::numbered(plan)?)?;
        gate::check_plan(&plan)?;
        let plan = super::analyzed(&state, plan)?;
        Ok(Arc::new(ViewTable::new(plan, Some(view.sql.clone()))))
    }
}

/// One schema as a session sees it.
#[derive(Debug)]
pub(super) struct SessionSchema {
    pub(super) name: String,
    pub(super) base: Option<SeenSchema>,
    pub(super) overlay: Arc<Overlay>,
    pub(super) planner: Option<Arc<ViewPlanner>>,
}

impl SessionSchema {
    fn own(&self, name: &str) -> Option<&Option<Own>> {
        self.overlay.changed.get(&self.name)?.get(name)
    }

    async fn view(&self, name: &str, view: &MadeView) -> EngineResult<Arc<dyn TableProvider>> {
        let Some(planner) = &self.planner else {
            return Err(DataFusionError::Plan(format!("view {name} cannot be read here")));
        };
        let planned = planner.plan(name, view).await;
        planned.map_err(|error| match error {
            Error::Query(inner) => *inner,
            other => DataFusionError::External(Box::new(other)),
        })
    }
}

#[async_trait]
impl SchemaProvider for SessionSchema {
    fn table_names(&self) -> Vec<String> {
        if self.name == TEMPORARY {
            return self.overlay.temporary.keys().cloned().collect();
        }
        let mut names = self.base.as_ref().map(SeenSchema::table_names).unwrap_or_default();
        if let Some(changed) = self.overlay.changed.get(&self.name) {
            names.retain(|name| !changed.contains_key(name));
            names.extend(changed.iter().filter(|(_, own)| own.is_some()).map(|(n, _)| n.clone()));
        }
        names
    }

    async fn table(&self, name: &str) -> EngineResult<Option<Arc<dyn TableProvider>>> {
        if self.name == TEMPORARY {
            return Ok(self.overlay.temporary.get(name).cloned());
        }
        match self.own(name) {
            Some(None) => return Ok(None),
            Some(Some(Own::Table(table))) => return Ok(Some(table.clone())),
            Some(Some(Own::View(view))) => return self.view(name, view).await.map(Some),
            None => {}
        }
        let Some(base) = &self.base else { return Ok(None) };
        match base.made_view(name) {
            Some(view) => Ok(Some(base.guarded(name, self.view(name, view).await?))),
            None => base.table(name).await,
        }
    }

    async fn table_type(&self, name: &str) -> EngineResult<Option<TableType>> {
        if self.name == TEMPORARY {
            let found = self.overlay.temporary.get(name);
            return Ok(found.map(|_| TableType::Temporary));
        }
        match (self.own(name), &self.base) {
            (Some(own), _) => Ok(own.as_ref().map(|own| match own {
                Own::Table(_) => TableType::Base,
                Own::View(_) => TableType::View,
            })),
            (None, Some(base)) => base.table_type(name).await,
            (None, None) => Ok(None),
        }
    }

    fn table_exist(&self, name: &str) -> bool {
        if self.name == TEMPORARY {
            return self.overlay.temporary.contains_key(name);
        }
        match self.own(name) {
            Some(own) => own.is_some(),
            None => self.base.as_ref().is_some_and(|base| base.table_exist(name)),
        }
    }
}
