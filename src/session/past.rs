//! The lake as it was: a session that has set `runrate.lake_at` reads every table as it was loaded at
//! that instant, under the reports of today.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::catalog::{Definer, Generation};
use super::{Engine, Session, ViewDefinition, settings};
use crate::error::{Error, Result};
use crate::lake::{Lake, Made};

/// Past instants whose tables are kept open.
const PAST_MAX: usize = 4;

/// Generations of instants that sessions asked for, the last one first.
pub(super) type Past = tokio::sync::Mutex<Vec<(DateTime<Utc>, Arc<Generation>)>>;

impl Session {
    /// Goes to the newest generation, or to that of the instant the session reads at.
    pub(super) async fn arrive(&self) -> Result<()> {
        match settings::lake_at(&self.context) {
            Some(instant) => self.tables.advance(self.engine.generation_at(instant).await?),
            None => self.advance(),
        }
        Ok(())
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
        past.truncate(PAST_MAX - 1);
        past.insert(0, (instant, loaded.clone()));
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
