//! How a query begins: written down, planned, given its turn, started.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use datafusion::sql::sqlparser::ast::Expr;

use super::activity::Phase;
use super::cancel::Stops;
use super::connection::Connection;
use super::fault::Fault;
use super::masking::Masked;
use super::prepared::{Columns, Query};
use super::rows::{Largest, Rows, guarded};
use super::turns::Turn;
use crate::session::Usage;

impl Connection {
    /// What can stop `query`, which begins now.
    ///
    /// # Errors
    /// As [`Connection::begin_said`].
    pub(super) fn begin_query(&self, query: &Query) -> Result<Stops, Fault> {
        self.show_open(query.source());
        self.begin_said(query.said())
    }

    /// What can stop the statement `said`, which begins now.
    ///
    /// # Errors
    /// 58030 while it could not be written down that it ran.
    pub(super) fn begin_said(&self, said: Arc<Masked>) -> Result<Stops, Fault> {
        self.shared.audit.check()?;
        let config = self.shared.engine.config();
        let own = self.session.access().limits().statement_timeout_ms_max;
        let limits = [self.settings.statement_timeout_ms(config), own.filter(|ms| *ms > 0)];
        let limit_ms = limits.into_iter().flatten().min();
        Ok(self.registration.begin(said, limit_ms, self.shared.stopping.clone()))
    }

    /// Plans `query`, waits for its turn and starts it.
    ///
    /// Planning comes first, because only then it is known whether it has to wait at all; plans are
    /// bounded by their own limits.
    pub(super) async fn start(
        &mut self,
        query: &Query,
        values: &BTreeMap<usize, Expr>,
        stops: &Stops,
    ) -> Result<(Rows, Columns, Turn), Fault> {
        let begun = Instant::now();
        let (plan, columns) = tokio::select! {
            biased;
            fault = stops.stopped(&mut self.wire.frames) => return Err(fault),
            planned = guarded(Box::pin(query.plan(&self.session, values))) => planned??,
        };
        stops.record.planned(begun.elapsed());
        let is_light = self.session.is_light(&plan);
        let turns = if is_light { &self.shared.light_turns } else { &self.shared.turns };
        let turn = turns.take(stops, &mut self.wire.frames).await?;
        let begun = Instant::now();
        stops.record.enter(Phase::Planning);
        let (stream, usage) = tokio::select! {
            biased;
            fault = stops.stopped(&mut self.wire.frames) => return Err(fault),
            started = guarded(Box::pin(self.session.start(plan))) => started??,
        };
        stops.record.planned(begun.elapsed());
        stops.record.enter(Phase::Running);
        stops.record.costs(usage.clone());
        let rows = Rows::new(stream).watched(usage, is_light, self.largest());
        Ok((rows, columns, turn))
    }

    /// The turn of a query that began before.
    pub(super) async fn go_on(
        &mut self,
        (usage, is_light): (Option<Usage>, bool),
        stops: &Stops,
    ) -> Result<Turn, Fault> {
        if let Some(usage) = usage {
            stops.record.costs(usage);
        }
        let turns = if is_light { &self.shared.light_turns } else { &self.shared.turns };
        turns.take(stops, &mut self.wire.frames).await
    }

    /// How large its result may be.
    fn largest(&self) -> Largest {
        let config = self.shared.engine.config();
        let own = self.session.access().limits().result_rows_max;
        let rows = [Some(config.result_rows_max), own].into_iter().flatten().filter(|n| *n > 0);
        Largest { rows: rows.min().unwrap_or(0), bytes: config.result_bytes_max }
    }
}
