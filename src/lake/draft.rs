//! Tables as an open transaction leaves them: data files that nobody else sees, and their commit.
//!
//! What a transaction writes goes to data files at once, beside those that are committed; a
//! [`Draft`] lists them.
//! [`Writer::settle`] commits a transaction: first each table's log, then the one file that says
//! which versions count (see [`super::made`]).

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::Utc;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::object_store::ObjectStoreUrl;
use deltalake::DeltaTable;
use deltalake::kernel::Add;
use deltalake::protocol::SaveMode;
use object_store::ObjectStoreExt;

use super::made::{FOLDER, Made, MadeRelation, MadeTable, MadeView, Rules};
use super::snapshot::Snapshot;
use super::write::removes;
use super::{Batch, Lake, LakeTable, Layout, TableName, Writer};
use crate::error::{Error, Result};

/// A table as a transaction leaves it.
#[derive(Debug, Clone)]
pub struct Draft {
    place: String,
    /// The committed version it builds upon.
    version: i64,
    /// Whether the rows of that version stay.
    keeps: bool,
    /// Whether this transaction made it.
    is_new: bool,
    base_rows: u64,
    base_bytes: u64,
    schema: SchemaRef,
    adds: Vec<Add>,
    rows: u64,
    /// What COMMENT says of it.
    pub comment: Option<String>,
    /// What COMMENT says of its columns.
    pub column_comments: BTreeMap<String, String>,
    /// What its rows keep to.
    pub rules: Rules,
}

/// A relation as a transaction leaves it.
#[derive(Debug, Clone)]
pub enum Drafted {
    /// A table.
    Table(Draft),
    /// A view.
    View(MadeView),
}

/// What a transaction did to one name.
#[derive(Debug, Clone)]
pub struct Change {
    /// The name.
    pub name: TableName,
    /// What the transaction found there.
    pub before: Option<MadeRelation>,
    /// What it leaves there.
    pub after: Option<Drafted>,
}

impl Draft {
    /// Columns and types.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Rows it holds now.
    pub fn rows(&self) -> u64 {
        self.rows + if self.keeps { self.base_rows } else { 0 }
    }

    /// Bytes of its files.
    pub fn bytes(&self) -> u64 {
        let own: i64 = self.adds.iter().map(|add| add.size).sum();
        own.unsigned_abs() + if self.keeps { self.base_bytes } else { 0 }
    }

    /// Takes all rows away.
    pub fn clear(&mut self) {
        self.keeps = false;
        self.adds.clear();
        self.rows = 0;
    }

    /// Whether rows were only added.
    fn only_adds(&self) -> bool {
        self.keeps
    }

    fn made(&self, version: i64, bytes: u64) -> MadeTable {
        MadeTable {
            place: self.place.clone(),
            version,
            bytes,
            comment: self.comment.clone(),
            column_comments: self.column_comments.clone(),
            rules: self.rules.clone(),
        }
    }
}

impl Lake {
    /// The table of `place`, not loaded.
    fn made_delta(&self, place: &str) -> Result<DeltaTable> {
        self.inner.root.delta(&TableName::new(FOLDER, place))
    }

    async fn made_at(&self, name: &TableName, place: &str, version: i64) -> Result<DeltaTable> {
        let mut table = self.made_delta(place)?;
        let wanted = u64::try_from(version).unwrap_or_default();
        table.load_version(wanted).await.map_err(|e| Error::delta(name, "open", e))?;
        Ok(table)
    }

    /// A new table, which nobody sees before its transaction commits.
    ///
    /// # Errors
    /// [`Error::Delta`] if it cannot be made, as with a type that Delta does not store.
    pub async fn draft_new(&self, name: &TableName, layout: &Layout) -> Result<Draft> {
        // Readable, and never the same twice: two sessions may make the same name at once.
        let stamp = Utc::now().timestamp_micros();
        let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let process = std::process::id();
        let readable: String = format!("{}.{}", name.schema, name.table)
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' })
            .take(64)
            .collect();
        let place = format!("{readable}-{stamp:x}-{process:x}-{number:x}");
        let table = self.made_delta(&place)?;
        super::write::create(name, table, layout).await?;
        Ok(Draft {
            place,
            version: 0,
            keeps: true,
            is_new: true,
            base_rows: 0,
            base_bytes: 0,
            schema: layout.schema.clone(),
            adds: vec![],
            rows: 0,
            comment: None,
            column_comments: BTreeMap::new(),
            rules: Rules::default(),
        })
    }

    /// A draft that holds what `made` holds.
    ///
    /// # Errors
    /// [`Error::Delta`] if it cannot be read.
    pub async fn draft_of(&self, name: &TableName, made: &MadeTable) -> Result<Draft> {
        let table = self.made_at(name, &made.place, made.version).await?;
        let snapshot = Snapshot::of(name, &table)?;
        Ok(Draft {
            place: made.place.clone(),
            version: made.version,
            keeps: true,
            is_new: false,
            base_rows: snapshot.rows(),
            base_bytes: made.bytes,
            schema: snapshot.schema.clone(),
            adds: vec![],
            rows: 0,
            comment: made.comment.clone(),
            column_comments: made.column_comments.clone(),
            rules: made.rules.clone(),
        })
    }

    /// Writes `rows` to data files of `draft`; how many there were.
    ///
    /// # Errors
    /// Those of `rows`, and [`Error::Delta`] or [`Error::Store`] if they cannot be written.
    pub async fn draft_add(
        &self,
        name: &TableName,
        draft: &mut Draft,
        rows: SendableRecordBatchStream,
    ) -> Result<u64> {
        let table = self.made_at(name, &draft.place, draft.version).await?;
        let snapshot = Snapshot::of(name, &table)?;
        let (adds, count) = super::write::write_guarded(&table, &snapshot, rows).await?;
        draft.adds.extend(adds);
        draft.rows += count;
        Ok(count)
    }

    /// What `draft` holds, as a table to scan.
    ///
    /// # Errors
    /// [`Error::Delta`] if it cannot be read.
    pub async fn draft_table(&self, name: &TableName, draft: &Draft) -> Result<Arc<LakeTable>> {
        let table = self.made_at(name, &draft.place, draft.version).await?;
        let mut snapshot = Snapshot::of(name, &table)?;
        if !draft.keeps {
            snapshot.files.clear();
        }
        snapshot.add_files(&table, &draft.adds)?;
        let store = ObjectStoreUrl::parse(self.inner.root.store_url.as_str())?;
        Ok(Arc::new(LakeTable { snapshot: Arc::new(snapshot), store }))
    }

    /// Removes the files of `draft`, which is not committed; what cannot be removed is swept later.
    pub async fn draft_discard(&self, draft: Draft) {
        let outcome = async {
            if draft.is_new {
                return self.remove_place(&draft.place).await;
            }
            let root = &self.inner.root;
            for add in &draft.adds {
                let path = root.path(&format!("{FOLDER}/{}/{}", draft.place, add.path))?;
                drop(root.store.delete(&path).await);
            }
            Ok(())
        };
        if let Err(error) = outcome.await {
            tracing::warn!(error = error.chain(), "files of a transaction were not removed");
        }
    }
}

static NUMBER: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);

impl Writer {
    /// Commits what a transaction did: all of it, or nothing.
    ///
    /// `quotas` are the bytes that schemas may have.
    ///
    /// # Errors
    /// 40001 if another transaction changed the same names, 53100 above a quota; [`Error::Delta`]
    /// and [`Error::Store`] if it cannot be written, when nothing is visible.
    pub async fn settle(
        &self,
        changes: &[Change],
        quotas: &BTreeMap<String, u64>,
        id: &str,
    ) -> Result<()> {
        let before = self.lake.made().await?;
        let mut made = before.as_ref().clone();
        for change in changes {
            check_unchanged(&before, change)?;
            let after = change.after.as_ref().map(|after| match after {
                Drafted::View(view) => MadeRelation::View(view.clone()),
                Drafted::Table(draft) => {
                    MadeRelation::Table(draft.made(draft.version, bytes_after(&before, draft)))
                }
            });
            made.put(&change.name, after);
        }
        for (schema, quota) in quotas {
            check_quota(schema, &before, &made, *quota)?;
        }
        for change in changes {
            if let Some(Drafted::Table(draft)) = &change.after {
                let version = Box::pin(self.settle_table(&before, change, draft, id)).await?;
                let bytes = bytes_after(&before, draft);
                let table = MadeRelation::Table(draft.made(version, bytes));
                made.put(&change.name, Some(table));
            }
        }
        made.note_dropped(&before);
        if let Err(error) = Box::pin(self.lake.sweep(&mut made)).await {
            tracing::warn!(error = error.chain(), "old files were not removed");
        }
        self.check_held()?;
        self.lake.put_made(&before, &made).await?;
        self.mark().await
    }

    /// Commits the files of one table to its log; the version that is to count.
    pub(super) async fn settle_table(
        &self,
        before: &Made,
        change: &Change,
        draft: &Draft,
        id: &str,
    ) -> Result<i64> {
        let name = &change.name;
        let counts = version_of(before, &draft.place).unwrap_or(draft.version);
        if draft.adds.is_empty() && draft.keeps {
            return Ok(counts);
        }
        let table = Box::pin(self.at_version(name, &draft.place, counts)).await?;
        let gone = if draft.keeps { vec![] } else { removes(&table, |_| true)? };
        let mode = if draft.keeps { SaveMode::Append } else { SaveMode::Overwrite };
        let batch = Batch { id: format!("{id} {name}"), command: "sql".to_owned() };
        let committing = self.commit_files(name, &table, draft.adds.clone(), gone, &batch, mode);
        Box::pin(committing).await
    }

    /// The table of `place` at `version`, its newest; what a crash left above it is taken back.
    pub(super) async fn at_version(
        &self,
        name: &TableName,
        place: &str,
        version: i64,
    ) -> Result<DeltaTable> {
        let failed = |e| Error::delta(name, "open", e);
        let mut table = self.lake.made_delta(place)?;
        table.load().await.map_err(failed)?;
        if table.version() == Some(version as u64) {
            return Ok(table);
        }
        tracing::warn!(table = %name, version, "a commit that did not come to its end is undone");
        let restored = table.restore().with_version_to_restore(version as u64).await;
        let (table, _) = restored.map_err(|e| Error::delta(name, "restore", e))?;
        Ok(table)
    }

    /// After a commit to a table made over SQL: its new version counts.
    pub(super) async fn follow(&self, name: &TableName, version: i64) -> Result<()> {
        let before = self.lake.made().await?;
        let Some(table) = before.table(name).cloned() else { return Ok(()) };
        let mut made = before.as_ref().clone();
        made.put(name, Some(MadeRelation::Table(MadeTable { version, ..table })));
        self.lake.put_made(&before, &made).await
    }
}

/// The version of the table at `place` that counts.
fn version_of(made: &Made, place: &str) -> Option<i64> {
    made.relations().find_map(|(_, relation)| match relation {
        MadeRelation::Table(table) if table.place == place => Some(table.version),
        _ => None,
    })
}

/// Bytes of the table of `draft` once it is committed on top of what there is now.
fn bytes_after(before: &Made, draft: &Draft) -> u64 {
    let own: i64 = draft.adds.iter().map(|add| add.size).sum();
    let base = before.relations().find_map(|(_, relation)| match relation {
        MadeRelation::Table(table) if table.place == draft.place => Some(table.bytes),
        _ => None,
    });
    let base = if draft.keeps { base.unwrap_or(draft.base_bytes) } else { 0 };
    own.unsigned_abs() + base
}

/// Refuses a change of what another transaction changed meanwhile; rows added by both are no
/// conflict.
fn check_unchanged(now: &Made, change: &Change) -> Result<()> {
    let found = now.relation(&change.name);
    if found == change.before.as_ref() {
        return Ok(());
    }
    if let (Some(MadeRelation::Table(found)), Some(Drafted::Table(draft))) = (found, &change.after)
        && found.place == draft.place
        && draft.only_adds()
    {
        return Ok(());
    }
    Err(Error::Statement {
        sqlstate: "40001",
        message: format!(
            "could not serialize access due to concurrent update of \"{}\"",
            change.name
        ),
        hint: Some("Run the transaction again; nothing was written.".into()),
    })
}

/// Refuses what takes a schema above its quota; what makes it smaller is always taken.
fn check_quota(schema: &str, before: &Made, after: &Made, quota: u64) -> Result<()> {
    let (was, would_be) = (before.bytes(schema), after.bytes(schema));
    if would_be <= quota || would_be <= was {
        return Ok(());
    }
    Err(over_quota(schema, would_be, quota))
}

/// 53100 with the figures.
pub fn over_quota(schema: &str, bytes: u64, quota: u64) -> Error {
    Error::Statement {
        sqlstate: "53100",
        message: format!(
            "schema \"{schema}\" would have {bytes} bytes, and its quota is {quota} bytes"
        ),
        hint: Some("Drop tables that are not needed any more, or ask for a larger quota.".into()),
    }
}
