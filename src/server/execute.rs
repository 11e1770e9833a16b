//! Running statements: the simple protocol, and what both protocols share.

use std::sync::Arc;
use std::time::Instant;

use datafusion::sql::sqlparser::ast::Statement;

use super::connection::Connection;
use super::copy::CopyOut;
use super::encode::copy::{BINARY_END, BINARY_HEAD, copy_data};
use super::encode::{CopyFormat, Form, Format};
use super::fault::{Fault, Severity};
use super::outbox::TransactionStatus;
use super::parameters;
use super::prepared::{Prepared, Query};
use super::rows::Sending;
use super::settings;
use super::statement::Command;

/// What is told of a COMMIT of nothing.
const NO_TRANSACTION: &str = "there is no transaction in progress";

impl Connection {
    /// Answers a text of the simple protocol: statements in order, up to the first that fails.
    ///
    /// # Errors
    /// Those that end the connection; the others are told the client.
    pub(super) async fn simple(&mut self, sql: &str) -> Result<(), Fault> {
        self.source = sql.to_owned();
        let statements = match self.session.parse(sql) {
            Ok(statements) => statements,
            Err(error) => {
                self.failed(&error.into());
                return Ok(());
            }
        };
        if statements.is_empty() {
            self.wire.outbox.empty_query();
        }
        let text = (statements.len() == 1).then_some(sql);
        for statement in statements {
            match self.simple_statement(statement, text).await {
                Ok(()) => {}
                Err(fault) if fault.severity == Severity::Fatal => return Err(fault),
                Err(fault) => {
                    self.failed(&fault);
                    break;
                }
            }
        }
        Ok(())
    }

    async fn simple_statement(
        &mut self,
        mut statement: Statement,
        text: Option<&str>,
    ) -> Result<(), Fault> {
        if text.is_none() {
            self.source = statement.to_string();
        }
        if parameters::count(&mut statement)? > 0 {
            return Err(Fault::error("42P02", "there is no parameter $1"));
        }
        match Command::of(statement) {
            Command::Query(statement) => {
                self.check_transaction()?;
                let query = Query::new(*statement, text)?;
                Box::pin(self.whole_query(&query, &Default::default())).await
            }
            Command::Execute { name, parameters } => {
                self.check_transaction()?;
                let prepared = self.prepared(&name)?;
                let values = prepared.typed(parameters)?;
                match &prepared.query {
                    Some(query) => self.whole_query(query, &values).await,
                    None => match prepared.command.clone() {
                        Some(command) => Box::pin(self.noted_command(command, None)).await,
                        None => Ok(()),
                    },
                }
            }
            command => Box::pin(self.noted_command(command, None)).await,
        }
    }

    /// As [`Connection::command`], and writes down that it was done.
    pub(super) async fn noted_command(
        &mut self,
        command: Command,
        formats: Option<&[Format]>,
    ) -> Result<(), Fault> {
        let before = self.statements_ended;
        Box::pin(self.command(command, formats)).await?;
        // Those that run a query did so themselves.
        if self.statements_ended == before {
            self.note_command();
        }
        Ok(())
    }

    /// Plans `query`, announces its columns and sends all its rows as text.
    async fn whole_query(
        &mut self,
        query: &Query,
        values: &std::collections::BTreeMap<usize, datafusion::sql::sqlparser::ast::Expr>,
    ) -> Result<(), Fault> {
        let rows = self.all_rows(query, values, None).await?;
        self.wire.outbox.complete(&format!("SELECT {rows}"));
        Ok(())
    }

    /// Sends what a query gives as COPY does.
    async fn copy_out(&mut self, copy: &CopyOut) -> Result<u64, Fault> {
        let query = Query::new(copy.statement.as_ref().clone(), None)?;
        self.all_rows(&query, &Default::default(), Some(copy)).await
    }

    /// Announces and sends all rows of `query`, as DataRow or as `copy` wants them; how many.
    async fn all_rows(
        &mut self,
        query: &Query,
        values: &std::collections::BTreeMap<usize, datafusion::sql::sqlparser::ast::Expr>,
        copy: Option<&CopyOut>,
    ) -> Result<u64, Fault> {
        let begun = Instant::now();
        let stops = self.begin_query(query)?;
        let outcome = async {
            let started = Box::pin(self.start(query, values, &stops)).await?;
            let (mut rows, columns, mut turn) = started;
            let zone = settings::zone(&self.session);
            let Some(copy) = copy else {
                self.wire.outbox.row_description(&columns, &[]);
                let sending = Sending { form: Form::Rows(&[]), zone, rows_max: 0 };
                return Box::pin(rows.send(sending, &mut self.wire, &stops, &mut turn)).await;
            };
            let format = copy.format(&columns)?;
            let is_binary = format == CopyFormat::Binary;
            self.wire.outbox.copy_out(columns.len(), is_binary);
            let out = &mut self.wire.outbox.bytes;
            if copy.has_header() {
                let names = columns.iter().map(|column| column.name.as_str());
                copy_data(out, |out| {
                    format.put_names(names, out);
                    Ok(())
                })?;
            }
            let sending = Sending { form: Form::Copy(&format), zone, rows_max: 0 };
            let sent = Box::pin(rows.send(sending, &mut self.wire, &stops, &mut turn));
            let progress = sent.await?;
            if is_binary {
                copy_data(&mut self.wire.outbox.bytes, |out| {
                    out.extend_from_slice(if progress.rows == 0 { BINARY_HEAD } else { &[] });
                    out.extend_from_slice(BINARY_END);
                    Ok(())
                })?;
            }
            self.wire.outbox.copy_done();
            Ok(progress)
        }
        .await;
        match outcome {
            Ok(progress) => {
                self.ended(begun, progress.rows, progress.bytes, None);
                Ok(progress.rows)
            }
            Err(fault) => {
                self.ended(begun, 0, 0, Some(&fault));
                Err(fault)
            }
        }
    }

    /// The prepared statement called `name`.
    pub(super) fn prepared(&self, name: &str) -> Result<Arc<Prepared>, Fault> {
        self.statements.get(name).cloned().ok_or_else(|| {
            Fault::error("26000", format!("prepared statement \"{name}\" does not exist"))
        })
    }

    /// Refuses what a failed transaction does not take.
    pub(super) fn check_transaction(&self) -> Result<(), Fault> {
        if self.status != TransactionStatus::Failed {
            return Ok(());
        }
        let message =
            "current transaction is aborted, commands ignored until end of transaction block";
        Err(Fault::error("25P02", message))
    }

    /// Runs a command that the session answers itself; without `formats`, which Bind gives, its
    /// columns are announced here.
    pub(super) async fn command(
        &mut self,
        command: Command,
        formats: Option<&[Format]>,
    ) -> Result<(), Fault> {
        if !command.ends_transaction() {
            self.check_transaction()?;
        }
        if let (None, Some(columns)) = (formats, command.columns()) {
            self.wire.outbox.row_description(&columns, &[]);
        }
        let tag: &str = match command {
            Command::Set { name, value, is_local } => {
                self.set(&name, value.as_deref(), is_local)?;
                "SET"
            }
            Command::Accept(tag) => tag,
            Command::Show(name) => {
                let (_, value) = self.settings.show(&name)?;
                self.wire.outbox.text_row(&[Some(value)]);
                "SHOW"
            }
            Command::ShowAll => {
                for (name, value, meaning) in self.settings.all() {
                    self.wire.outbox.text_row(&[Some(name), Some(value), Some(meaning)]);
                }
                "SHOW"
            }
            Command::Reset(name) => {
                self.reset(name.as_deref())?;
                "RESET"
            }
            Command::Discard { is_all } => {
                if is_all {
                    self.discard_all()?;
                    "DISCARD ALL"
                } else {
                    "DISCARD"
                }
            }
            Command::Prepare { name, types, statement } => {
                self.prepare(name, &types, *statement).await?;
                "PREPARE"
            }
            Command::Deallocate(name) => {
                self.deallocate(name.as_deref())?;
                "DEALLOCATE"
            }
            Command::Declare(declared) => {
                Box::pin(self.declare(declared)).await?;
                "DECLARE CURSOR"
            }
            Command::Fetch(fetch) => &Box::pin(self.fetch(&fetch, formats)).await?,
            Command::Copy(copy) => &format!("COPY {}", Box::pin(self.copy_out(&copy)).await?),
            Command::Close(name) => {
                self.close_cursor(name.as_deref())?;
                if name.is_some() { "CLOSE CURSOR" } else { "CLOSE CURSOR ALL" }
            }
            Command::Refused { sqlstate, message } => return Err(Fault::error(sqlstate, message)),
            Command::Query(_) | Command::Execute { .. } => {
                return Err(Fault::error("0A000", "EXECUTE cannot be prepared"));
            }
            transaction => self.transaction(&transaction)?,
        };
        self.wire.outbox.complete(tag);
        Ok(())
    }

    /// BEGIN, COMMIT and their kin; the tag of the answer.
    fn transaction(&mut self, command: &Command) -> Result<&'static str, Fault> {
        use TransactionStatus::{Failed, Idle, Open};
        let is_open = self.status != Idle;
        match command {
            Command::Begin if is_open => {
                self.warn("25001", "there is already a transaction in progress");
                Ok("BEGIN")
            }
            Command::Begin => {
                self.begin();
                Ok("BEGIN")
            }
            Command::Commit { is_chained } => {
                let has_failed = self.status == Failed;
                self.end(has_failed, *is_chained);
                Ok(if has_failed { "ROLLBACK" } else { "COMMIT" })
            }
            Command::Rollback { is_chained } => {
                self.end(true, *is_chained);
                Ok("ROLLBACK")
            }
            _ if !is_open => {
                Err(Fault::error("25P01", "SAVEPOINT can only be used in transaction blocks"))
            }
            // Nothing is written, so that going back to a savepoint has nothing to undo.
            Command::RollbackTo => {
                self.status = Open;
                Ok("ROLLBACK")
            }
            Command::Release => Ok("RELEASE"),
            _ => Ok("SAVEPOINT"),
        }
    }

    /// Opens a transaction: all its statements read the tables as they are now.
    fn begin(&mut self) {
        self.session.advance();
        self.session.pin(true);
        self.settings.begin();
        self.status = TransactionStatus::Open;
    }

    fn end(&mut self, has_failed: bool, is_chained: bool) {
        if self.status == TransactionStatus::Idle {
            self.warn("25P01", NO_TRANSACTION);
            return;
        }
        self.session.pin(false);
        for (name, value) in self.settings.end(has_failed) {
            self.apply(name, &value);
        }
        self.portals.clear();
        self.end_cursors(has_failed);
        self.status = TransactionStatus::Idle;
        if is_chained {
            self.begin();
        }
    }

    fn warn(&mut self, sqlstate: &str, message: &str) {
        self.wire.outbox.notice(&Fault::warning(sqlstate, message));
    }

    fn set(&mut self, name: &str, value: Option<&str>, is_local: bool) -> Result<(), Fault> {
        if is_local && self.status == TransactionStatus::Idle {
            self.warn("25P01", "SET LOCAL can only be used in transaction blocks");
            return Ok(());
        }
        let (name, value) = match value {
            None => self.settings.reset(name)?,
            Some(value) => {
                let (known, _) = self.settings.show(name)?;
                if settings::is_of_session(known) {
                    self.session.set(known, value)?;
                }
                self.settings.set(name, value, is_local)?
            }
        };
        self.apply(name, &value);
        Ok(())
    }

    fn reset(&mut self, name: Option<&str>) -> Result<(), Fault> {
        let names: Vec<&str> = match name {
            Some(name) => vec![name],
            None => self.settings.all().map(|(name, ..)| name).collect(),
        };
        for name in names {
            let (name, value) = self.settings.reset(name)?;
            self.apply(name, &value);
        }
        Ok(())
    }

    /// Makes a value that is known to be good hold, and tells the client if it wants to know.
    fn apply(&mut self, name: &'static str, value: &str) {
        if settings::is_of_session(name)
            && let Err(error) = self.session.set(name, value)
        {
            tracing::error!(name, error = error.chain(), "a setting was not taken back");
        }
        if name == "application_name" {
            self.registration.rename(value);
        }
        if settings::is_reported(name) {
            self.wire.outbox.parameter_status(name, value);
        }
    }

    fn discard_all(&mut self) -> Result<(), Fault> {
        if self.status != TransactionStatus::Idle {
            return Err(Fault::error("25001", "DISCARD ALL cannot run inside a transaction block"));
        }
        self.portals.clear();
        self.cursors.clear();
        self.statements.clear();
        self.reset(None)
    }

    async fn prepare(
        &mut self,
        name: String,
        types: &[String],
        statement: Statement,
    ) -> Result<(), Fault> {
        Self::check_room(self.statements.len(), "prepared statements")?;
        if self.statements.contains_key(&name) {
            let message = format!("prepared statement \"{name}\" already exists");
            return Err(Fault::error("42P05", message));
        }
        let declared: Vec<u32> = types
            .iter()
            .map(|text| {
                parameters::oid_of_name(text).ok_or_else(|| {
                    Fault::error(
                        "42704",
                        format!("type \"{}\" does not exist", text.to_lowercase()),
                    )
                })
            })
            .collect::<Result<_, _>>()?;
        let prepared = Prepared::of(&self.session, statement, None, &declared).await?;
        if prepared.query.is_none() {
            return Err(Fault::error("42601", "only a query can be prepared"));
        }
        self.statements.insert(name, Arc::new(prepared));
        Ok(())
    }

    fn deallocate(&mut self, name: Option<&str>) -> Result<(), Fault> {
        match name {
            None => self.statements.clear(),
            Some(name) => {
                self.prepared(name)?;
                self.statements.remove(name);
            }
        }
        Ok(())
    }
}
