//! The lake as it was: a session that has set `runrate.lake_at` reads every table as it was loaded at
//! that instant, under the reports of today; a statement can read single tables so.

use std::fmt;
use std::sync::{Arc, Weak};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use super::catalog::{Definer, Generation};
use super::{Engine, Session, ViewDefinition, settings};
use crate::error::{Error, Result};
use crate::lake::{Lake, Made};

/// Past instants whose tables are kept open.
const PAST_MAX: usize = 4;

/// Generations of instants that sessions asked for, the last one first.
pub(super) type Past = tokio::sync::Mutex<Vec<(DateTime<Utc>, Arc<Generation>)>>;

/// Stands between the name of a table and the instant that it is read at.
const AS_OF: &str = " FOR SYSTEM_TIME AS OF ";

/// An instant as RFC 3339, or with a space for the `T`.
pub(super) fn instant(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim().replacen(' ', "T", 1);
    DateTime::parse_from_rfc3339(&text).ok().map(|at| at.with_timezone(&Utc))
}

/// The name of `table` at `instant`.
pub(super) fn named(table: &str, instant: DateTime<Utc>) -> String {
    format!("{table}{AS_OF}{}", instant.to_rfc3339_opts(SecondsFormat::Micros, true))
}

/// The table that a name is of, and the instant if it has one.
pub(super) fn split(name: &str) -> (&str, Option<DateTime<Utc>>) {
    let parts = name.rsplit_once(AS_OF).and_then(|(table, at)| Some((table, instant(at)?)));
    parts.map_or((name, None), |(table, at)| (table, Some(at)))
}

/// Where a session's catalog finds the tables of an instant.
#[derive(Clone)]
pub(super) struct Travel(Weak<Engine>);

impl fmt::Debug for Travel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Travel")
    }
}

impl Travel {
    pub(super) fn with(engine: &Arc<Engine>) -> Self {
        Self(Arc::downgrade(engine))
    }

    /// The tables as they were at `instant`.
    pub(super) async fn to(&self, instant: DateTime<Utc>) -> Result<Arc<Generation>> {
        match self.0.upgrade() {
            Some(engine) => engine.generation_at(instant).await,
            None => Err(Error::statement("57P01", "the server has ended")),
        }
    }
}

impl Session {
    /// Goes to the newest generation, or to that of the instant the session reads at.
    pub(super) async fn arrive(&self) -> Result<()> {
        match settings::lake_at(&self.context) {
            // What is past does not change: a transaction that keeps its tables reads it too.
            Some(instant) => self.tables.turn(self.engine.generation_at(instant).await?),
            None => self.advance(),
        }
        Ok(())
    }

    /// Refuses another instant for a session whose transaction keeps the tables it began with.
    pub(super) fn may_travel(&self, name: &str, value: &str) -> Result<()> {
        let is_instant = name.eq_ignore_ascii_case("runrate.lake_at");
        match is_instant && self.tables.is_pinned() && self.show(name).as_deref() != Some(value) {
            false => Ok(()),
            true => Err(Error::statement(
                "25001",
                "runrate.lake_at cannot be set in a transaction, which reads one snapshot",
            )),
        }
    }

    /// Refuses to write for a session that reads the past.
    pub(super) fn writes_now(&self) -> Result<()> {
        match settings::lake_at(&self.context) {
            None => Ok(()),
            Some(_) => Err(Error::statement(
                "25006",
                "cannot write while runrate.lake_at is set: it reads the past",
            )),
        }
    }
}

impl Engine {
    /// The tables as they were at `instant`.
    async fn generation_at(&self, instant: DateTime<Utc>) -> Result<Arc<Generation>> {
        let mut past = self.past.lock().await;
        if let Some((_, known)) = past.iter().find(|(at, _)| *at == instant) {
            return Ok(known.clone());
        }
        let definer = Definer::new(self.base.clone(), self.table_functions.clone());
        let loaded = Generation::load_at(&self.lake, &self.views, definer, instant).await?;
        // What is not over yet is not known once and for all.
        if instant < Utc::now() - TimeDelta::seconds(5) {
            past.truncate(PAST_MAX - 1);
            past.insert(0, (instant, loaded.clone()));
        }
        Ok(loaded)
    }
}

impl Generation {
    /// The tables as they were at `instant`, under the views of today; what was made over SQL is left
    /// out, and a table that did not exist then is empty, or not there if it has no schema of ours.
    async fn load_at(
        lake: &Lake,
        views: &[ViewDefinition],
        definer: Definer,
        instant: DateTime<Utc>,
    ) -> Result<Arc<Self>> {
        let made = Arc::new(Made::default());
        let loaded = Self::load_with(lake, views, &definer, "", &made, Some(instant)).await?;
        Ok(Arc::new(loaded))
    }
}
