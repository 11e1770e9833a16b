//! The only maker of query contexts: one [`Engine`] a process, one [`Session`] a connection.

use std::sync::Arc;

use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::SessionContext;
use datafusion::sql::sqlparser::ast::Statement;

use crate::config::Config;
use crate::error::Result;
use crate::lake::Lake;

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

/// A parameterised SELECT that `FROM name(...)` stands for.
#[derive(Debug, Clone)]
pub struct TableFunctionDefinition {
    /// Name in SQL.
    pub name: String,
    /// Parameters in order, with the SQL text of the default of those that have one.
    pub parameters: Vec<(String, Option<String>)>,
    /// The SELECT, with `$parameter` where an argument goes.
    pub sql: String,
    /// What it answers.
    pub comment: String,
}

/// Everything a process needs to answer SQL: the lake, memory, functions and views.
#[derive(Debug)]
pub struct Engine {
    config: Config,
    lake: Lake,
}

impl Engine {
    /// Opens the lake of `config` and loads its catalog.
    pub async fn open(
        config: Config,
        _views: Vec<ViewDefinition>,
        _table_functions: Vec<TableFunctionDefinition>,
    ) -> Result<Arc<Self>> {
        let lake = Lake::open(&config).await?;
        Ok(Arc::new(Self { config, lake }))
    }

    /// The configuration of the process.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The lake.
    pub fn lake(&self) -> &Lake {
        &self.lake
    }

    /// Looks for commits since the last look; true if there were any.
    pub async fn refresh(&self) -> Result<bool> {
        Ok(false)
    }

    /// A new session of role `user`; later sessions and statements see later commits.
    pub fn session(self: &Arc<Self>, user: &str) -> Session {
        Session { engine: self.clone(), context: SessionContext::new(), user: user.into() }
    }
}

/// One client's settings, functions and view of the catalog.
pub struct Session {
    engine: Arc<Engine>,
    context: SessionContext,
    user: String,
}

impl Session {
    /// The engine it belongs to.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// Role that logged in.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The context, for registering more schemas and functions before the first statement.
    pub fn context(&self) -> &SessionContext {
        &self.context
    }

    /// Statements of `sql`, in the Postgres dialect, within the limits on size and depth.
    pub fn parse(&self, _sql: &str) -> Result<Vec<Statement>> {
        Ok(vec![])
    }

    /// Sees commits made until now; unless pinned, every statement does so first.
    pub fn advance(&self) {}

    /// Keeps (true) or stops keeping (false) the catalog of the last statement: a transaction's snapshot.
    pub fn pin(&self, _on: bool) {}

    /// Sets `name` of this session (such as `runrate.as_of`, `timezone`).
    pub fn set(&self, _name: &str, _value: &str) -> Result<()> {
        Ok(())
    }

    /// The plan of a reading `statement`; anything that is not on the allow-list is refused with 42501.
    pub async fn plan(&self, _statement: Statement) -> Result<LogicalPlan> {
        unreachable!("session stub")
    }

    /// Starts `plan` within the memory limit of one query.
    pub async fn run(&self, _plan: LogicalPlan) -> Result<SendableRecordBatchStream> {
        unreachable!("session stub")
    }

    /// Parses, plans and starts the one statement of `sql`.
    pub async fn query(&self, sql: &str) -> Result<SendableRecordBatchStream> {
        let statement = self.parse(sql)?.remove(0);
        self.run(self.plan(statement).await?).await
    }
}
