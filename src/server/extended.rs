//! The extended protocol: Parse, Bind, Describe, Execute, Close.

use std::sync::Arc;
use std::time::Instant;

use pgwire::messages::extendedquery::{Bind, Close, Describe, Execute, Parse};

use super::connection::Connection;
use super::encode::Form;
use super::fault::Fault;
use super::parameters::Sent;
use super::prepared::{Portal, Prepared, formats};
use super::rows::{Sending, guarded};
use super::settings;
use super::statement::Command;

const STATEMENT: u8 = b'S';

impl Connection {
    pub(super) async fn parse(&mut self, parse: Parse) -> Result<(), Fault> {
        self.source = parse.query.clone();
        let name = parse.name.unwrap_or_default();
        if !name.is_empty() {
            if self.statements.contains_key(&name) {
                let message = format!("prepared statement \"{name}\" already exists");
                return Err(Fault::error("42P05", message));
            }
            Self::check_room(self.statements.len(), "prepared statements")?;
        }
        let parsed = guarded(Prepared::parse(&self.session, &parse.query, &parse.type_oids));
        let parsed = parsed.await?.map_err(|error| Fault::from(error).at(&parse.query));
        let mut prepared = parsed?;
        if let Some(Command::Fetch(fetch)) = &prepared.command
            && !fetch.is_move
        {
            prepared.columns = Some(self.cursor(&fetch.name)?.columns.clone());
        }
        if !prepared.command.as_ref().is_some_and(|command| command.ends_transaction()) {
            self.check_transaction()?;
        }
        self.statements.insert(name, Arc::new(prepared));
        self.wire.outbox.parse_complete();
        Ok(())
    }

    pub(super) fn bind(&mut self, bind: Bind) -> Result<(), Fault> {
        let name = bind.portal_name.unwrap_or_default();
        if !name.is_empty() {
            if self.portals.contains_key(&name) {
                let message = format!("cursor \"{name}\" already exists");
                return Err(Fault::error("42P03", message));
            }
            Self::check_room(self.portals.len(), "portals")?;
        }
        let prepared = self.prepared(bind.statement_name.as_deref().unwrap_or_default())?;
        let sent_formats = formats(&bind.parameter_format_codes, bind.parameters.len())?;
        let sent: Vec<Sent> = sent_formats
            .into_iter()
            .zip(bind.parameters)
            .map(|(format, bytes)| Sent { format, bytes })
            .collect();
        let values = prepared.bind(&sent)?;
        let columns = prepared.columns.as_ref().map_or(0, Vec::len);
        let formats = match columns {
            0 => vec![],
            count => formats(&bind.result_column_format_codes, count)?,
        };
        let portal = Portal { prepared, values, formats, rows: None, is_done: false };
        self.portals.insert(name, portal);
        self.wire.outbox.bind_complete();
        Ok(())
    }

    pub(super) fn describe(&mut self, describe: &Describe) -> Result<(), Fault> {
        let name = describe.name.as_deref().unwrap_or_default();
        let (prepared, formats) = if describe.target_type == STATEMENT {
            let prepared = self.prepared(name)?;
            self.wire.outbox.parameter_description(&prepared.parameters);
            (prepared, vec![])
        } else {
            // A cursor of SQL is a portal too.
            if let (None, Ok(cursor)) = (self.portals.get(name), self.cursor(name)) {
                let (columns, formats) = cursor.announced();
                self.wire.outbox.row_description(&columns, &formats);
                return Ok(());
            }
            let portal = self.portals.get(name).ok_or_else(|| no_portal(name))?;
            (portal.prepared.clone(), portal.formats.clone())
        };
        match &prepared.columns {
            Some(columns) => self.wire.outbox.row_description(columns, &formats),
            None => self.wire.outbox.no_data(),
        }
        Ok(())
    }

    pub(super) async fn execute_portal(&mut self, execute: &Execute) -> Result<(), Fault> {
        let name = execute.name.as_deref().unwrap_or_default();
        // Out of the map while it runs: a portal that fails is gone.
        let portal = self.portals.remove(name).ok_or_else(|| no_portal(name))?;
        let Some(mut command) = portal.prepared.command.clone() else {
            self.wire.outbox.empty_query();
            self.portals.insert(name.to_owned(), portal);
            return Ok(());
        };
        if let Command::Declare(declared) = &mut command {
            declared.values = portal.values.clone();
        }
        self.source.clone_from(&portal.prepared.source);
        if let Command::Write(statement) = &command {
            self.check_transaction()?;
            let tag =
                Box::pin(self.write(statement, &portal.values, Some(&portal.formats))).await?;
            self.wire.outbox.complete(&tag);
            return Ok(());
        }
        if portal.prepared.query.is_none() {
            Box::pin(self.noted_command(command, Some(&portal.formats))).await?;
            return Ok(());
        }
        self.check_transaction()?;
        let rows_max = u64::try_from(execute.max_rows).unwrap_or(0);
        let begun = Instant::now();
        match Box::pin(self.continue_portal(portal, rows_max)).await {
            Ok((portal, rows, bytes)) => {
                self.ended(begun, rows, bytes, None);
                if portal.is_done {
                    self.wire.outbox.complete(&format!("SELECT {rows}"));
                } else {
                    self.wire.outbox.portal_suspended();
                }
                self.portals.insert(name.to_owned(), portal);
                Ok(())
            }
            Err(fault) => {
                self.ended(begun, 0, 0, Some(&fault));
                Err(fault)
            }
        }
    }

    async fn continue_portal(
        &mut self,
        mut portal: Portal,
        rows_max: u64,
    ) -> Result<(Portal, u64, u64), Fault> {
        let prepared = portal.prepared.clone();
        let (Some(query), false) = (&prepared.query, portal.is_done) else {
            return Ok((portal, 0, 0));
        };
        let stops = self.begin_query(query)?;
        let (mut rows, mut turn) = match portal.rows.take() {
            Some(rows) => {
                let turn = self.go_on(rows.watch(), &stops).await?;
                (rows, turn)
            }
            None => {
                let started = Box::pin(self.start(query, &portal.values, &stops));
                let (rows, columns, turn) = started.await?;
                let types = |columns: &[super::outbox::ColumnDescription]| -> Vec<u32> {
                    columns.iter().map(|column| column.pg_type.oid).collect()
                };
                let described = prepared.columns.as_deref().unwrap_or_default();
                if types(&columns) != types(described) {
                    // A table changed since Parse; the client would read bytes of another type.
                    return Err(Fault::error("0A000", "cached plan must not change result type"));
                }
                (rows, turn)
            }
        };
        let zone = settings::zone(&self.session);
        let sending = Sending { form: Form::Rows(&portal.formats), zone, rows_max };
        let progress = Box::pin(rows.send(sending, &mut self.wire, &stops, &mut turn)).await?;
        portal.is_done = progress.is_end;
        portal.rows = (!progress.is_end).then_some(rows);
        Ok((portal, progress.rows, progress.bytes))
    }

    pub(super) fn close(&mut self, close: &Close) -> Result<(), Fault> {
        let name = close.name.as_deref().unwrap_or_default();
        if close.target_type == STATEMENT {
            self.statements.remove(name);
        } else {
            self.portals.remove(name);
        }
        self.wire.outbox.close_complete();
        Ok(())
    }
}

fn no_portal(name: &str) -> Fault {
    Fault::error("34000", format!("portal \"{name}\" does not exist"))
}
