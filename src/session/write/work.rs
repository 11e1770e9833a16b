//! What a session wrote and did not commit, and its temporary tables.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{MemTable, TableProvider};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};
use datafusion::sql::sqlparser::ast::OnCommit;
use parking_lot::{Mutex, MutexGuard};

use super::both::Both;
use crate::error::{Error, Result};
use crate::lake::{Draft, MadeRelation, MadeView, Rules, TableName};
use crate::session::overlay::{Overlay, Own};

/// Everything that is not committed.
pub(in crate::session) struct Work {
    inner: Mutex<Inner>,
    /// Memory of the temporary tables, counted in the pool of all queries.
    reservation: Mutex<MemoryReservation>,
}

#[derive(Default)]
struct Inner {
    state: State,
    savepoints: Vec<(String, State)>,
    /// Temporary tables before the open transaction.
    before: Option<BTreeMap<String, Temporary>>,
}

/// Changes by name, and temporary tables; cheap to clone.
#[derive(Default, Clone)]
pub(super) struct State {
    pub(super) changes: BTreeMap<TableName, Pending>,
    pub(super) temporary: BTreeMap<String, Temporary>,
}

/// What became of one name.
#[derive(Clone)]
pub(super) struct Pending {
    /// What the transaction found there.
    pub(super) before: Option<MadeRelation>,
    /// What is there now.
    pub(super) after: Option<After>,
}

/// A relation as the transaction left it.
#[derive(Clone)]
pub(super) enum After {
    Table(PendingTable),
    View(MadeView),
}

/// A table as the transaction left it.
#[derive(Clone)]
pub(super) struct PendingTable {
    pub(super) draft: Draft,
    /// Rows that are in no file yet.
    pub(super) held: Vec<RecordBatch>,
    /// What reads the files.
    pub(super) stored: Arc<dyn TableProvider>,
}

/// A table of this session only.
#[derive(Clone)]
pub(super) struct Temporary {
    pub(super) schema: SchemaRef,
    pub(super) batches: Vec<RecordBatch>,
    pub(super) on_commit: OnCommit,
    pub(super) rules: Rules,
}

pub(super) fn bytes(batches: &[RecordBatch]) -> usize {
    batches.iter().map(RecordBatch::get_array_memory_size).sum()
}

pub(super) fn rows(batches: &[RecordBatch]) -> u64 {
    batches.iter().map(|batch| batch.num_rows() as u64).sum()
}

impl PendingTable {
    pub(super) fn rows(&self) -> u64 {
        self.draft.rows() + rows(&self.held)
    }

    fn provider(&self) -> Result<Arc<dyn TableProvider>> {
        if self.held.is_empty() {
            return Ok(self.stored.clone());
        }
        let held = MemTable::try_new(self.stored.schema(), vec![self.held.clone()])?;
        Ok(Arc::new(Both { stored: self.stored.clone(), held: Arc::new(held) }))
    }
}

impl State {
    /// Bytes of all temporary tables.
    pub(super) fn temporary_bytes(&self) -> usize {
        self.temporary.values().map(|table| bytes(&table.batches)).sum()
    }

    fn overlay(&self) -> Result<Overlay> {
        let mut overlay = Overlay::default();
        for (name, pending) in &self.changes {
            let own = match &pending.after {
                None => None,
                Some(After::View(view)) => Some(Own::View(view.clone())),
                Some(After::Table(table)) => Some(Own::Table(table.provider()?)),
            };
            let relations = overlay.changed.entry(name.schema.clone()).or_default();
            relations.insert(name.table.clone(), own);
        }
        for (name, table) in &self.temporary {
            let held = MemTable::try_new(table.schema.clone(), vec![table.batches.clone()])?;
            overlay.temporary.insert(name.clone(), Arc::new(held));
        }
        Ok(overlay)
    }

    /// The drafts of tables.
    fn drafts(&self) -> impl Iterator<Item = &Draft> {
        self.changes.values().filter_map(|pending| match &pending.after {
            Some(After::Table(table)) => Some(&table.draft),
            _ => None,
        })
    }
}

impl Work {
    pub(in crate::session) fn new(pool: &Arc<dyn MemoryPool>) -> Self {
        let reservation = MemoryConsumer::new("temporary tables").register(pool);
        Self { inner: Mutex::default(), reservation: Mutex::new(reservation) }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock()
    }

    /// A copy of what is not committed.
    pub(super) fn state(&self) -> State {
        self.inner().state.clone()
    }

    /// Whether a table, view or temporary table was changed since the last commit.
    pub(super) fn is_changed(&self) -> bool {
        let inner = self.inner();
        !inner.state.changes.is_empty() || inner.before.is_some()
    }

    /// Whether there is a temporary table.
    pub(super) fn has_temporary(&self) -> bool {
        !self.inner().state.temporary.is_empty()
    }

    /// Makes `state` what is there, and gives what the session is to see of it.
    pub(super) fn keep(&self, state: State, bytes_max: usize) -> Result<Overlay> {
        let bytes = state.temporary_bytes();
        if bytes > bytes_max {
            return Err(Error::Statement {
                sqlstate: "53200",
                message: format!(
                    "temporary tables would hold {bytes} bytes, and a session may hold {bytes_max}"
                ),
                hint: Some("Drop some, or narrow the rows that go into them.".into()),
            });
        }
        let overlay = state.overlay()?;
        let reservation = self.reservation.lock();
        reservation.try_resize(bytes)?;
        let mut inner = self.inner();
        if inner.before.is_none() {
            inner.before = Some(inner.state.temporary.clone());
        }
        inner.state = state;
        Ok(overlay)
    }

    /// Ends the transaction: its changes, taken out; temporary tables do what they are made to do.
    pub(super) fn take(&self) -> (State, Overlay) {
        let mut inner = self.inner();
        let mut taken = inner.state.clone();
        inner.savepoints.clear();
        inner.before = None;
        inner.state.changes.clear();
        inner.state.temporary.retain(|_, table| table.on_commit != OnCommit::Drop);
        for table in inner.state.temporary.values_mut() {
            if table.on_commit == OnCommit::DeleteRows {
                table.batches.clear();
            }
        }
        taken.temporary.clear();
        let overlay = self.settled(&inner);
        (taken, overlay)
    }

    /// Takes everything back to the start of the transaction; the drafts that nobody needs.
    pub(super) fn undo(&self) -> (Vec<Draft>, Overlay) {
        let mut inner = self.inner();
        inner.savepoints.clear();
        if let Some(before) = inner.before.take() {
            inner.state.temporary = before;
        }
        let drafts = inner.state.drafts().cloned().collect();
        inner.state.changes.clear();
        let overlay = self.settled(&inner);
        (drafts, overlay)
    }

    /// What is seen of temporary tables alone; their memory is given back where it can be.
    fn settled(&self, inner: &Inner) -> Overlay {
        let reservation = self.reservation.lock();
        // It only shrinks here, or goes back to what it was.
        drop(reservation.try_resize(inner.state.temporary_bytes()));
        inner.state.overlay().unwrap_or_default()
    }

    /// Ends all temporary tables.
    pub(super) fn discard_temporary(&self) -> Overlay {
        let mut inner = self.inner();
        inner.state.temporary.clear();
        inner.before = None;
        self.settled(&inner)
    }

    pub(super) fn save(&self, name: &str) {
        let mut inner = self.inner();
        let state = inner.state.clone();
        inner.savepoints.push((name.to_owned(), state));
    }

    /// Forgets the newest savepoint called `name` and those after it.
    pub(super) fn release(&self, name: &str) -> Result<()> {
        let mut inner = self.inner();
        let at = place(&inner.savepoints, name)?;
        inner.savepoints.truncate(at);
        Ok(())
    }

    /// Goes back to the newest savepoint called `name`, which stays.
    pub(super) fn back_to(&self, name: &str) -> Result<Overlay> {
        let mut inner = self.inner();
        let at = place(&inner.savepoints, name)?;
        inner.savepoints.truncate(at + 1);
        inner.state = inner.savepoints[at].1.clone();
        Ok(self.settled(&inner))
    }
}

fn place(savepoints: &[(String, State)], name: &str) -> Result<usize> {
    savepoints
        .iter()
        .rposition(|(other, _)| other == name)
        .ok_or_else(|| Error::statement("3B001", format!("savepoint \"{name}\" does not exist")))
}
