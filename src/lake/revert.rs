//! A table put back to what it held in an earlier version, by a new commit: nothing is lost, and the
//! same way leads back again.
//!
//! A batch that came after that version is no longer in the table, so the commit also takes back
//! what the log says of it: ingested again, it is loaded again.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use deltalake::DeltaTable;
use deltalake::kernel::transaction::CommitBuilder;
use deltalake::kernel::{Action, Add, Transaction};
use deltalake::protocol::{DeltaOperation, SaveMode};
use object_store::ObjectStoreExt;

use super::history::{Log, actions};
use super::write::{known, removes};
use super::{Batch, Lake, TableName, Writer};
use crate::error::{Error, Result};
use crate::schema::OPS;

/// Commits that bring no rows of their own, and of which nothing is taken back.
const OWN: &[&str] = &["runrate:restore-", "runrate:compact-"];

/// What became of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reverted {
    /// The table.
    pub name: TableName,
    /// The version whose content it has now; none if there was no table then: it is empty now.
    pub to: Option<i64>,
    /// The version before, and after if anything changed.
    pub versions: (i64, Option<i64>),
    /// Rows before and after.
    pub rows: (u64, u64),
    /// Batches that the table no longer holds (count).
    pub batches: usize,
}

impl Lake {
    /// Refuses a version of the table stored as `stored` of which files are gone.
    pub(super) async fn check_whole(
        &self,
        name: &TableName,
        stored: &TableName,
        version: i64,
    ) -> Result<()> {
        let root = &self.inner.root;
        let log = Log::list(root, stored).await?;
        let refused = |reason: String| Error::NoTable { table: name.to_string(), reason };
        if version < 0 || !log.is_readable(version) {
            let newest = log.commits.keys().next_back().copied().unwrap_or_default();
            let oldest = log.oldest().unwrap_or(newest);
            let reason = format!(
                "has no version {version} any more or yet: {oldest} to {newest} can be read"
            );
            return Err(refused(reason));
        }
        for (path, _) in log.live(root, name, version).await? {
            let location = root.exact(&path)?;
            match root.store.head(&location).await {
                Ok(_) => {}
                Err(object_store::Error::NotFound { .. }) => {
                    let reason =
                        format!("has no version {version} any more: its file {path} is gone");
                    return Err(refused(reason));
                }
                Err(source) => {
                    return Err(Error::Store { action: "inspect", path, source });
                }
            }
        }
        Ok(())
    }
}

impl Writer {
    /// Puts every table back to what it held at `instant`, the ledger first: a kill between two
    /// tables leaves rows whose batch is not in the ledger and never the other way round, so that a
    /// batch is never taken for loaded when it is not.
    ///
    /// Tables made over SQL stay as they are.
    ///
    /// # Errors
    /// [`Error::NoTable`] if the history of a table does not reach back so far, before anything is
    /// changed; [`Error::Place`] if there was no table at all; those of [`Writer::revert`].
    pub async fn revert_all(&self, instant: DateTime<Utc>) -> Result<Vec<Reverted>> {
        let made = self.lake.made().await?;
        let mut names = self.lake.tables().await?;
        names.retain(|name| made.table(name).is_none());
        names.sort_by_key(|name| (name.schema != OPS, name.table != "ingest_runs"));
        let mut wanted = vec![];
        for name in names {
            let version = self.lake.version_at(&name, &name, instant).await?;
            if let Some(version) = version {
                self.lake.check_whole(&name, &name, version).await?;
            }
            wanted.push((name, version));
        }
        if wanted.iter().all(|(_, version)| version.is_none()) {
            let reason = format!("it had no table at {instant}; nothing was changed");
            return Err(Error::Place { place: self.lake.inner.root.url.to_string(), reason });
        }
        let mut done = vec![];
        for (name, version) in wanted {
            done.push(Box::pin(self.revert(&name, version)).await?);
        }
        Ok(done)
    }

    /// Puts `name` back to what it held in version `to`; to no rows at all if there is none.
    ///
    /// # Errors
    /// [`Error::NoTable`] if there is no such version, or files of it are gone; [`Error::Place`]
    /// for a table made over SQL; [`Error::Delta`] if it cannot be committed.
    pub async fn revert(&self, name: &TableName, to: Option<i64>) -> Result<Reverted> {
        if self.lake.made().await?.table(name).is_some() {
            let reason = "it was made over SQL: a backup has its earlier content".to_owned();
            return Err(Error::Place { place: name.to_string(), reason });
        }
        let table = self.open(name).await?;
        let now = table.version().unwrap_or_default() as i64;
        let mut rows = (super::Snapshot::of(name, &table)?.rows(), 0);
        let mut before = None;
        if let Some(version) = to {
            self.lake.check_whole(name, name, version).await?;
            let wanted = u64::try_from(version).unwrap_or(u64::MAX);
            let mut earlier = self.lake.inner.root.delta(name)?;
            earlier.load_version(wanted).await.map_err(|e| Error::delta(name, "read", e))?;
            rows.1 = super::Snapshot::of(name, &earlier)?.rows();
            before = Some(earlier);
        }
        let transactions = self.transactions(name, now, to, before.as_ref()).await?;
        let actions = changes(name, &table, before.as_ref())?;
        let batches = transactions.iter().filter(|one| one.version == 0).count();
        let mut versions = (now, None);
        if !actions.is_empty() || !transactions.is_empty() {
            versions.1 = Some(self.put_back(name, &table, actions, transactions, to).await?);
        }
        Ok(Reverted { name: name.clone(), to, versions, rows, batches })
    }

    /// What the log is to say of batches that one of the two versions knows and the other does not.
    async fn transactions(
        &self,
        name: &TableName,
        now: i64,
        to: Option<i64>,
        before: Option<&DeltaTable>,
    ) -> Result<Vec<Transaction>> {
        let root = &self.lake.inner.root;
        let log = Log::list(root, name).await?;
        let mut newest: BTreeMap<String, i64> = BTreeMap::new();
        for (version, file) in log.between(to.unwrap_or(-1), now) {
            for action in actions(root, file, name, *version).await? {
                if let Action::Txn(one) = action
                    && !OWN.iter().any(|own| one.app_id.starts_with(own))
                {
                    newest.insert(one.app_id, one.version);
                }
            }
        }
        let failed = |e| Error::delta(name, "read", e);
        let mut changed = vec![];
        for (app_id, version) in newest {
            let mut earlier = 0;
            if let Some(table) = before {
                let (log, state) = (table.log_store(), table.snapshot().map_err(failed)?);
                let found = state.transaction_version(log.as_ref(), &app_id).await;
                earlier = found.map_err(failed)?.unwrap_or(0);
            }
            if earlier != version {
                changed.push(Transaction::new(app_id, earlier));
            }
        }
        Ok(changed)
    }

    async fn put_back(
        &self,
        name: &TableName,
        table: &DeltaTable,
        actions: Vec<Action>,
        mut transactions: Vec<Transaction>,
        to: Option<i64>,
    ) -> Result<i64> {
        let now = table.version().unwrap_or_default();
        let batch = Batch {
            id: format!("restore-{name}-{now}-{}", to.unwrap_or(-1)),
            command: "restore".to_owned(),
        };
        transactions.push(known(&batch));
        let properties = self.properties(&batch).with_application_transactions(transactions);
        let operation = DeltaOperation::Write {
            mode: SaveMode::Overwrite,
            partition_by: None,
            predicate: None,
        };
        let state = table.snapshot().map_err(|e| Error::delta(name, "restore", e))?;
        let done = CommitBuilder::from(properties)
            .with_actions(actions)
            .build(Some(state), table.log_store(), operation)
            .await
            .map_err(|e| Error::delta(name, "restore", e))?;
        self.mark().await?;
        Ok(done.version() as i64)
    }
}

/// What takes `table` to what `before` holds: nothing if it holds that already.
fn changes(
    name: &TableName,
    table: &DeltaTable,
    before: Option<&DeltaTable>,
) -> Result<Vec<Action>> {
    let failed = |e| Error::delta(name, "read", e);
    let ours = files(name, table)?;
    let theirs = before.map(|before| files(name, before)).transpose()?.unwrap_or_default();
    let mut actions = vec![];
    if let Some(before) = before {
        let (now, then) = (table.snapshot().map_err(failed)?, before.snapshot().map_err(failed)?);
        if now.snapshot().arrow_schema() != then.snapshot().arrow_schema() {
            actions.push(Action::Metadata(then.metadata().clone()));
        }
    }
    let gone = removes(table, |path| !theirs.contains_key(path))?;
    actions.extend(gone.into_iter().map(Action::Remove));
    let back = theirs.into_iter().filter(|(path, _)| !ours.contains_key(path));
    actions.extend(back.map(|(_, add)| Action::Add(Add { data_change: true, ..add })));
    Ok(actions)
}

/// The files of `table` as its log has them, by path.
// Nothing else gives an entry whole, bounds included.
#[allow(deprecated)]
fn files(name: &TableName, table: &DeltaTable) -> Result<BTreeMap<String, Add>> {
    let state = table.snapshot().map_err(|e| Error::delta(name, "read", e))?;
    let files = state.log_data().into_iter();
    Ok(files.map(|file| (file.path().into_owned(), file.add_action())).collect())
}
