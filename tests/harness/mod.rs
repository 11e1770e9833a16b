//! A small company in a lake of its own, served in this process, and clients of it in three lanes.

// Each test binary uses its own part of it.
#![allow(dead_code)]

mod binary;
pub mod faulty;
pub mod workbook;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use runrate::config::Config;
use runrate::ingest::{self, Request, Silent};
use runrate::server::encode::text_of_field;
use runrate::server::roles::rights::Rights;
use runrate::server::{Server, roles};
use runrate::session::{Engine, Session};
use runrate::{error, reports};
use tempfile::TempDir;
use tokio_postgres::{NoTls, SimpleQueryMessage};
use tokio_util::sync::{CancellationToken, DropGuard};

/// The one role.
pub const ROLE: &str = "slt";
/// Its password.
pub const PASSWORD: &str = "correct horse battery";

/// How long a test waits for what must come: longer than it takes on a machine busy with other
/// tests, and an end for what never comes. How fast it comes is measured, not tested.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// What `probe` gives once it gives something; fails after [`PATIENCE`], naming `what`.
pub async fn until<T>(what: &str, mut probe: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = probe().await {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until another session of `watcher`'s role runs a query.
pub async fn until_another_runs(watcher: &tokio_postgres::Client) {
    let sql = "SELECT query FROM ops.queries \
               WHERE ended_at IS NULL AND exec_ms > 0 AND pid <> pg_backend_pid()";
    let found = async || watcher.query(sql, &[]).await.ok()?.pop();
    until("another session's query", found).await;
}

/// How a statement reaches the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// In this process.
    InProcess,
    /// The simple protocol: text.
    Simple,
    /// The extended protocol: binary.
    Extended,
}

impl Lane {
    /// Name for `onlyif` and `skipif`.
    pub fn label(self) -> &'static str {
        match self {
            Self::InProcess => "in_process",
            Self::Simple => "wire_simple",
            Self::Extended => "wire_extended",
        }
    }
}

/// The rows of a statement as text.
pub struct Answer {
    /// Columns (count); 0 for a statement that answers with none.
    pub columns: usize,
    /// Values as psql prints them.
    pub rows: Vec<Vec<String>>,
}

/// An error as the client was told it.
#[derive(Debug, thiserror::Error)]
#[error("{sqlstate}: {message}")]
pub struct Refusal {
    /// Five characters.
    pub sqlstate: String,
    message: String,
}

impl From<error::Error> for Refusal {
    fn from(error: error::Error) -> Self {
        Self { sqlstate: error.sqlstate().into(), message: error.chain() }
    }
}

impl From<tokio_postgres::Error> for Refusal {
    fn from(error: tokio_postgres::Error) -> Self {
        let sqlstate = error.code().map_or("none", |code| code.code()).to_owned();
        let message = error.as_db_error().map_or(error.to_string(), |e| e.message().to_owned());
        Self { sqlstate, message }
    }
}

/// A served lake; gone when dropped.
pub struct Company {
    /// What answers.
    pub engine: Arc<Engine>,
    /// Where the Postgres protocol is.
    pub address: SocketAddr,
    /// Where health and metrics are.
    pub http: SocketAddr,
    _stop: DropGuard,
    _folder: TempDir,
}

impl Company {
    /// Loads `tests/slt/company` and serves it.
    pub async fn open() -> Self {
        Self::load("template", "tests/slt/company").await
    }

    /// Loads the sample of a CRM and serves it.
    pub async fn sample(crm: &str) -> Self {
        Self::load(crm, &format!("datasets/{crm}/sample")).await
    }

    async fn load(crm: &str, directory: &str) -> Self {
        let served = Self::serve(|_, _| {}).await;
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
        let request = Request::crm(crm.to_owned(), vec![directory]);
        let loaded = ingest::ingest(&served.engine, &request, Arc::new(Silent)).await;
        assert_eq!(ingest::exit_code(&loaded), 0, "{crm} is clean: {loaded:?}");
        served.engine.refresh().await.expect("refreshes");
        served
    }

    /// Serves an empty lake, with the settings that `change` makes; files can go into the folder.
    pub async fn serve(change: impl FnOnce(&mut Config, &Path)) -> Self {
        Self::serve_with(change, |_| {}).await
    }

    /// As [`Company::serve`], with the role's rights as `grant` changes them.
    pub async fn serve_with(
        change: impl FnOnce(&mut Config, &Path),
        grant: impl FnOnce(&mut Rights),
    ) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut config = Config {
            lake: folder.path().join("lake").to_string_lossy().into_owned(),
            listen: "127.0.0.1:0".into(),
            http: "127.0.0.1:0".into(),
            // An unoptimised planner on a busy machine takes its time.
            plan_timeout_ms: 60_000,
            ..Config::default()
        };
        change(&mut config, folder.path());
        let path = config.roles_path();
        roles::add(&path, ROLE, PASSWORD).expect("a role");
        let granted = roles::change(&path, ROLE, |rights| {
            grant(rights);
            Ok(())
        });
        granted.expect("rights");
        let reports = reports::load().expect("sound reports");
        let engine =
            Engine::open(config, reports.views, reports.functions).await.expect("an empty lake");
        let server = Server::bind(engine.clone()).await.expect("binds");
        let address = server.address().expect("an address");
        let http = server.http_address().expect("an address");
        let stop = CancellationToken::new();
        tokio::spawn(server.run(stop.clone(), stop.clone()));
        Self { engine, address, http, _stop: stop.drop_guard(), _folder: folder }
    }

    /// A connection string for `password`.
    pub fn connection(&self, password: &str) -> String {
        let port = self.address.port();
        format!("host=127.0.0.1 port={port} user={ROLE} password='{password}' dbname=runrate")
    }

    /// A client of the driver, logged in.
    pub async fn driver(&self) -> tokio_postgres::Client {
        let config = self.connection(PASSWORD);
        let (client, connection) =
            tokio_postgres::connect(&config, NoTls).await.expect("a connection");
        tokio::spawn(connection);
        client
    }

    /// A client of its own session.
    pub async fn client(&self, lane: Lane) -> Client {
        if lane == Lane::InProcess {
            return Client::InProcess(Box::new(self.engine.session(ROLE)));
        }
        let client = self.driver().await;
        if lane == Lane::Simple { Client::Simple(client) } else { Client::Extended(client) }
    }
}

/// A session in one of the lanes.
pub enum Client {
    /// In this process.
    InProcess(Box<Session>),
    /// Over the simple protocol.
    Simple(tokio_postgres::Client),
    /// Over the extended protocol.
    Extended(tokio_postgres::Client),
}

impl Client {
    /// Runs one statement.
    pub async fn run(&mut self, sql: &str) -> Result<Answer, Refusal> {
        match self {
            Self::InProcess(session) => in_process(session, sql).await,
            Self::Simple(client) => simple(client, sql).await,
            Self::Extended(client) => extended(client, sql).await,
        }
    }
}

/// NULL and the empty text are told apart.
fn shown(text: Option<&str>) -> String {
    match text {
        None => "NULL".to_owned(),
        Some("") => "(empty)".to_owned(),
        Some(text) => text.to_owned(),
    }
}

async fn in_process(session: &Session, sql: &str) -> Result<Answer, Refusal> {
    if let Some(assignment) = sql.trim().strip_prefix("SET ") {
        let (name, value) = assignment.split_once('=').expect("SET name = 'value'");
        session.set(name.trim(), value.trim().trim_matches('\''))?;
        return Ok(Answer { columns: 0, rows: vec![] });
    }
    let mut stream = session.query(sql).await?;
    let columns = stream.schema().fields().len();
    let mut rows = vec![];
    while let Some(batch) = stream.next().await {
        let batch = batch.map_err(error::Error::from)?;
        for row in 0..batch.num_rows() {
            let schema = batch.schema();
            let columns = batch.columns().iter().zip(schema.fields());
            let values = columns.map(|(column, field)| text_of_field(column, field, row));
            rows.push(values.map(|value| shown(value.as_deref())).collect());
        }
    }
    Ok(Answer { columns, rows })
}

async fn simple(client: &tokio_postgres::Client, sql: &str) -> Result<Answer, Refusal> {
    let (mut columns, mut rows) = (0, vec![]);
    for message in client.simple_query(sql).await? {
        match message {
            SimpleQueryMessage::RowDescription(described) => columns = described.len(),
            SimpleQueryMessage::Row(row) => {
                rows.push((0..row.len()).map(|at| shown(row.get(at))).collect());
            }
            _ => {}
        }
    }
    Ok(Answer { columns, rows })
}

async fn extended(client: &tokio_postgres::Client, sql: &str) -> Result<Answer, Refusal> {
    let statement = client.prepare(sql).await?;
    let columns = statement.columns().len();
    let answered = client.query(&statement, &[]).await?;
    let rows = answered.iter().map(|row| {
        let value = |at: usize| {
            let raw: Option<binary::Bytes<'_>> = row.get(at);
            let text = raw.map(|raw| binary::text(row.columns()[at].type_(), raw.0));
            shown(text.as_deref())
        };
        (0..columns).map(value).collect()
    });
    Ok(Answer { columns, rows: rows.collect() })
}
