//! Running statements: the simple protocol, and what both protocols share.

use std::sync::Arc;
use std::time::Instant;

use datafusion::sql::sqlparser::ast::Statement;

use super::configure::Configure;
use super::connection::Connection;
use super::copy::CopyOut;
use super::encode::copy::{BINARY_END, BINARY_HEAD, copy_data};
use super::encode::{CopyFormat, Form, Format};
use super::fault::{Fault, Severity};
use super::outbox::TransactionStatus;
use super::parameters;
use super::prepared::{Prepared, Query, is_of_rows};
use super::rows::Sending;
use super::settings;
use super::statement::{Command, Discarded};

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
                let settled = self.settle(true).await;
                self.failed(&Fault::from(error).at(sql));
                return settled;
            }
        };
        if statements.is_empty() {
            self.wire.outbox.empty_query();
        }
        let text = (statements.len() == 1).then_some(sql);
        let mut outcome = Ok(());
        let count = statements.len();
        for (at, statement) in statements.into_iter().enumerate() {
            self.commits_at_once = at + 1 == count;
            outcome = Box::pin(self.simple_statement(statement, text)).await;
            if outcome.is_err() {
                break;
            }
        }
        self.commits_at_once = false;
        let settled = self.settle(outcome.is_err()).await;
        match outcome.and(settled) {
            Err(fault) if fault.severity == Severity::Fatal => Err(fault),
            Err(fault) => {
                self.failed(&fault.at(sql));
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    async fn simple_statement(
        &mut self,
        mut statement: Statement,
        text: Option<&str>,
    ) -> Result<(), Fault> {
        if text.is_none() {
            self.source = statement.to_string();
        }
        let is_prepared = matches!(statement, Statement::Prepare { .. });
        if !is_prepared && parameters::count(&mut statement)? > 0 {
            return Err(Fault::error("42P02", "there is no parameter $1"));
        }
        match Command::of(statement) {
            Command::Query(statement) => {
                self.check_transaction()?;
                let query = Query::new(*statement, text);
                Box::pin(self.whole_query(&query, &Default::default())).await
            }
            Command::Execute { name, parameters } => {
                self.check_transaction()?;
                let prepared = self.prepared(&name)?;
                let values = prepared.typed(parameters)?;
                match (&prepared.query, prepared.command.clone()) {
                    (Some(query), _) => self.whole_query(query, &values).await,
                    (None, Some(Command::Write(statement))) => {
                        let tag = Box::pin(self.write(&statement, &values, None)).await?;
                        self.wire.outbox.complete(&tag);
                        Ok(())
                    }
                    (None, Some(command)) => Box::pin(self.noted_command(command, None)).await,
                    (None, None) => Ok(()),
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
        let query = Query::new(copy.statement.as_ref().clone(), None);
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
            Command::Configure(asked) => &self.configure(&asked)?,
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
            Command::Discard(what) => self.discard(what).await?,
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
            Command::Write(statement) => {
                &Box::pin(self.write(&statement, &Default::default(), None)).await?
            }
            Command::CopyIn(copy) => {
                let rows = Box::pin(self.copy_from(&copy)).await?;
                self.settle_if_alone().await?;
                &format!("COPY {rows}")
            }
            Command::Materialize(asked) => Box::pin(self.materialize(&asked)).await?,
            Command::Copy(copy) => &format!("COPY {}", Box::pin(self.copy_out(&copy)).await?),
            Command::Close(name) => {
                self.close_cursor(name.as_deref())?;
                if name.is_some() { "CLOSE CURSOR" } else { "CLOSE CURSOR ALL" }
            }
            Command::Refused { sqlstate, message } => return Err(Fault::error(sqlstate, message)),
            Command::Query(_) | Command::Execute { .. } => {
                return Err(Fault::error("0A000", "EXECUTE cannot be prepared"));
            }
            transaction => Box::pin(self.transaction(&transaction)).await?,
        };
        self.wire.outbox.complete(tag);
        Ok(())
    }

    pub(super) fn warn(&mut self, sqlstate: &str, message: &str) {
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

    /// Sets what `set_config` is called for and shows the values; the tag.
    fn configure(&mut self, asked: &Configure) -> Result<String, Fault> {
        if !asked.has_row {
            return Ok("SELECT 0".into());
        }
        for setting in &asked.settings {
            // Outside a transaction there is nothing for it to hold for.
            if !setting.is_local || self.status != TransactionStatus::Idle {
                self.set(&setting.name, Some(&setting.value), setting.is_local)?;
            }
        }
        let values: Vec<Option<&str>> =
            asked.settings.iter().map(|setting| Some(setting.value.as_str())).collect();
        self.wire.outbox.text_row(&values);
        Ok("SELECT 1".into())
    }

    /// Makes a value that is known to be good hold, and tells the client if it wants to know.
    pub(super) fn apply(&mut self, name: &'static str, value: &str) {
        self.session.tell(name, value);
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

    async fn discard(&mut self, what: Discarded) -> Result<&'static str, Fault> {
        match what {
            Discarded::All => {
                self.discard_all().await?;
                Ok("DISCARD ALL")
            }
            // Plans are made anew each time, and there are no sequences.
            Discarded::Plans => Ok("DISCARD PLANS"),
            Discarded::Sequences => Ok("DISCARD SEQUENCES"),
            Discarded::Temporary => {
                self.session.discard_temporary();
                Ok("DISCARD TEMP")
            }
        }
    }

    async fn discard_all(&mut self) -> Result<(), Fault> {
        if self.status != TransactionStatus::Idle {
            return Err(Fault::error("25001", "DISCARD ALL cannot run inside a transaction block"));
        }
        self.settle(false).await?;
        self.portals.clear();
        self.cursors.clear();
        self.statements.clear();
        self.session.discard_temporary();
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
        let is_write =
            matches!(&prepared.command, Some(Command::Write(write)) if is_of_rows(write));
        if prepared.query.is_none() && !is_write {
            let message = "only a query, INSERT, UPDATE, DELETE or MERGE can be prepared";
            return Err(Fault::error("42601", message));
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
