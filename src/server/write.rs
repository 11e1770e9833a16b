//! Statements that write, and the transactions they are in.
//!
//! Outside BEGIN a text of several statements is one transaction, and so are the messages of the
//! extended protocol up to Sync, as in Postgres.

use std::collections::BTreeMap;
use std::time::Instant;

use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::sql::sqlparser::ast::{Expr, Statement};

use super::connection::Connection;
use super::encode::{Form, Format};
use super::fault::Fault;
use super::masking::Masked;
use super::outbox::TransactionStatus;
use super::prepared::Columns;
use super::rows::{Rows, Sending, guarded};
use super::statement::Command;
use super::{catalog, names, parameters, rows, settings};
use crate::error::Result;
use crate::session::{Session, Write};

/// What is told of a COMMIT of nothing.
const NO_TRANSACTION: &str = "there is no transaction in progress";

/// What Postgres calls the columns of RETURNING; `None` behind a `*`.
fn returning_names(write: &Write) -> Option<Vec<String>> {
    names::of_items(write.returning()?)
}

/// The columns that RETURNING of `write` gives; `None` without it.
///
/// # Errors
/// What the planner finds wrong with it.
pub(super) async fn returning_columns(session: &Session, write: &Write) -> Result<Option<Columns>> {
    let Some(statement) = session.returning(write)? else { return Ok(None) };
    let plan = session.plan(statement).await?;
    rows::columns(plan.schema().as_arrow(), returning_names(write).as_deref()).map(Some)
}

impl Connection {
    /// Does what `statement` writes, with `values` in the place of its parameters; the tag.
    ///
    /// What RETURNING gives is sent in `formats`, which Bind brings; without them it is announced.
    pub(super) async fn write(
        &mut self,
        statement: &Statement,
        values: &BTreeMap<usize, Expr>,
        formats: Option<&[Format]>,
    ) -> Result<String, Fault> {
        let begun = Instant::now();
        let outcome = self.written(statement, values, formats).await;
        match &outcome {
            Ok((_, rows)) => self.ended(begun, *rows, 0, None),
            Err(fault) => self.ended(begun, 0, 0, Some(fault)),
        }
        outcome.map(|(tag, _)| tag)
    }

    async fn written(
        &mut self,
        statement: &Statement,
        values: &BTreeMap<usize, Expr>,
        formats: Option<&[Format]>,
    ) -> Result<(String, u64), Fault> {
        let mut statement = statement.clone();
        parameters::substitute(&mut statement, values);
        let Some(mut write) = Write::of(&statement) else {
            return Err(Fault::error("42501", "permission denied: this statement writes"));
        };
        if !self.session.is_of_temporary(&write) {
            let words = statement.to_string();
            let words: Vec<&str> = words.split_whitespace().take(2).collect();
            let word = match words.as_slice() {
                [first @ ("INSERT" | "UPDATE" | "DELETE" | "TRUNCATE"), ..] => (*first).to_owned(),
                words => words.join(" "),
            };
            self.check_writable(&word)?;
        }
        if let Some(query) = write.query_mut() {
            let asked = Statement::Query(query.clone());
            let found = names::of(&asked);
            if let Statement::Query(rewritten) = catalog::rewrite(asked) {
                *query = rewritten;
            }
            write.name_columns(found);
        }
        let returning = returning_names(&write);
        let stops = self.begin_said(Masked::of_statement(&self.source, &statement))?;
        let mut turn = self.shared.turns.take(&stops, &mut self.wire.frames).await?;
        let written = tokio::select! {
            biased;
            fault = stops.stopped(&mut self.wire.frames) => return Err(fault),
            written = guarded(Box::pin(self.session.write(write))) => written??,
        };
        for notice in &written.notices {
            let fault = Fault::notice(notice.sqlstate, notice.message.clone());
            self.wire.outbox.notice(&fault);
        }
        if let Some(returned) = written.returned {
            let columns = rows::columns(&returned.schema, returning.as_deref())?;
            if formats.is_none() {
                self.wire.outbox.row_description(&columns, &[]);
            }
            let batches = futures::stream::iter(returned.batches.into_iter().map(Ok));
            let stream = RecordBatchStreamAdapter::new(returned.schema, batches);
            let zone = settings::zone(&self.session);
            let form = Form::Rows(formats.unwrap_or_default());
            let sending = Sending { form, zone, rows_max: 0 };
            let mut rows = Rows::new(Box::pin(stream));
            Box::pin(rows.send(sending, &mut self.wire, &stops, &mut turn)).await?;
        }
        self.settle_if_alone().await?;
        Ok((written.tag, written.rows))
    }

    /// Refuses `what` in a transaction that only reads; a role that never writes is told so by the
    /// session.
    pub(super) fn check_writable(&self, what: &str) -> Result<(), Fault> {
        let may_write = self.session.access().owned().next().is_some();
        if may_write && self.settings.is_read_only() {
            let message = format!("cannot execute {what} in a read-only transaction");
            return Err(Fault::error("25006", message));
        }
        Ok(())
    }

    /// Commits what a statement wrote that is no part of anything larger.
    pub(super) async fn settle_if_alone(&mut self) -> Result<(), Fault> {
        if self.commits_at_once && self.status == TransactionStatus::Idle {
            self.settle(false).await?;
        }
        Ok(())
    }

    /// Ends a transaction that no BEGIN opened.
    pub(super) async fn settle(&mut self, has_failed: bool) -> Result<(), Fault> {
        if self.status != TransactionStatus::Idle || !self.session.has_changes() {
            return Ok(());
        }
        if has_failed {
            Box::pin(self.session.rollback()).await;
            return Ok(());
        }
        Ok(Box::pin(self.session.commit()).await?)
    }

    /// BEGIN, COMMIT and their kin; the tag of the answer.
    pub(super) async fn transaction(&mut self, command: &Command) -> Result<&'static str, Fault> {
        use TransactionStatus::{Failed, Idle, Open};
        let is_open = self.status != Idle;
        match command {
            Command::Begin { is_read_only } if is_open => {
                self.warn("25001", "there is already a transaction in progress");
                self.set_read_only(*is_read_only, false)?;
                Ok("BEGIN")
            }
            Command::Begin { is_read_only } => {
                self.begin(*is_read_only)?;
                Ok("BEGIN")
            }
            Command::SetTransaction { is_read_only, is_session } => {
                if !is_open && !is_session {
                    self.warn("25P01", "SET TRANSACTION can only be used in transaction blocks");
                    return Ok("SET");
                }
                self.set_read_only(*is_read_only, *is_session)?;
                Ok("SET")
            }
            Command::Commit { is_chained } => {
                let has_failed = self.status == Failed;
                self.end(has_failed, *is_chained).await?;
                Ok(if has_failed { "ROLLBACK" } else { "COMMIT" })
            }
            Command::Rollback { is_chained } => {
                self.end(true, *is_chained).await?;
                Ok("ROLLBACK")
            }
            _ if !is_open => {
                let what = match command {
                    Command::RollbackTo(_) => "ROLLBACK TO SAVEPOINT",
                    Command::Release(_) => "RELEASE SAVEPOINT",
                    _ => "SAVEPOINT",
                };
                let message = format!("{what} can only be used in transaction blocks");
                Err(Fault::error("25P01", message))
            }
            Command::RollbackTo(name) => {
                self.session.rollback_to(name)?;
                self.status = Open;
                Ok("ROLLBACK")
            }
            Command::Release(name) => {
                self.session.release(name)?;
                Ok("RELEASE")
            }
            Command::Savepoint(name) => {
                self.session.savepoint(name);
                Ok("SAVEPOINT")
            }
            _ => Err(Fault::error("0A000", "this statement cannot be run here")),
        }
    }

    /// READ ONLY or READ WRITE, of this transaction or of all to come.
    fn set_read_only(&mut self, is_wanted: Option<bool>, is_session: bool) -> Result<(), Fault> {
        let Some(is_read_only) = is_wanted else { return Ok(()) };
        let name = match is_session {
            true => "default_transaction_read_only",
            false => "transaction_read_only",
        };
        self.settings.set(name, if is_read_only { "on" } else { "off" }, !is_session)?;
        Ok(())
    }

    /// Opens a transaction: all its statements read the tables as they are now.
    fn begin(&mut self, is_read_only: Option<bool>) -> Result<(), Fault> {
        let default = self.settings.is_read_only();
        self.session.advance();
        self.session.pin(true);
        self.settings.begin();
        self.status = TransactionStatus::Open;
        self.set_read_only(Some(is_read_only.unwrap_or(default)), false)
    }

    async fn end(&mut self, has_failed: bool, is_chained: bool) -> Result<(), Fault> {
        if self.status == TransactionStatus::Idle {
            self.warn("25P01", NO_TRANSACTION);
            // What stands before it in the same text is ended with it.
            return self.settle(has_failed).await;
        }
        let is_read_only = self.settings.is_read_only();
        let committed = match has_failed {
            true => {
                Box::pin(self.session.rollback()).await;
                Ok(())
            }
            false => Box::pin(self.session.commit()).await.map_err(Fault::from),
        };
        let has_failed = has_failed || committed.is_err();
        self.session.pin(false);
        for (name, value) in self.settings.end(has_failed) {
            self.apply(name, &value);
        }
        self.portals.clear();
        self.end_cursors(has_failed);
        self.status = TransactionStatus::Idle;
        committed?;
        match is_chained {
            true => self.begin(Some(is_read_only)),
            false => Ok(()),
        }
    }
}
