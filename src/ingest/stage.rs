//! Between mapping and lake: typed, sorted rows on disk, so that a batch is judged before any of it
//! is committed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::File;
use std::io::BufReader;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use datafusion::arrow::array::{
    ArrayRef, AsArray, BooleanArray, StringArray, TimestampMicrosecondArray,
};
use datafusion::arrow::compute::filter_record_batch;
use datafusion::arrow::datatypes::{Int64Type, SchemaRef};
use datafusion::arrow::ipc::reader::StreamReader;
use datafusion::arrow::ipc::writer::StreamWriter;
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::arrow::row::{OwnedRow, RowConverter, SortField};
use datafusion::catalog::TableProvider;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::error::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, SpillFile, TaskContext};
use datafusion::physical_plan::stream::{RecordBatchReceiverStream, RecordBatchStreamAdapter};
use datafusion::physical_plan::streaming::PartitionStream;
use datafusion::prelude::{col, ident};
use datafusion::sql::parser::Statement as EngineStatement;
use futures::StreamExt;
use parking_lot::Mutex;

use super::Line;
use super::check::{BadRow, Checker, checked_schema};
use super::export::Object;
use super::mapping::{Branch, Mapping, ROW};
use super::money::Account;
use super::progress::Progress;
use super::spelling::Spelling;
use crate::error::{Error, Result};
use crate::schema::{CRM, Table};
use crate::session::Session;

/// What one object brings to one table.
#[derive(Debug)]
pub(super) struct Unit<'a> {
    pub mapping: &'a Mapping,
    pub object: Arc<Object>,
    pub branches: Vec<&'a Branch>,
}

/// A unit after its check: its good rows on disk, sorted by key, the newest of a key first.
pub(super) struct Staged {
    pub table: &'static Table,
    pub object: Arc<Object>,
    /// Rows the mapping made.
    pub made: u64,
    /// Those of them that failed this table's check.
    pub bad: u64,
    /// Money of the rows made, and of those that failed this table's check.
    pub account: Account,
    /// True if rows say themselves that they are of another system.
    pub names_sources: bool,
    file: Arc<dyn SpillFile>,
}

/// What a check counts while rows stream through it.
#[derive(Debug, Default)]
struct Tally {
    made: u64,
    bad: u64,
    account: Account,
    names_sources: bool,
    rows: BTreeMap<i64, BadRow>,
}

/// Runs the mapping of `unit`, checks its rows and writes the good ones to a temporary file.
///
/// # Errors
/// [`Error::Definition`] if the mapping does not plan, yields columns the table lacks, or makes more
/// or fewer rows than its driver has without saying so in a WHERE.
pub(super) async fn stage(
    session: &Session,
    unit: &Unit<'_>,
    source_system: &str,
    spelling: Spelling,
    progress: &Arc<dyn Progress>,
) -> Result<(Staged, BTreeMap<i64, BadRow>)> {
    let table = unit.mapping.table;
    progress.begin(&format!("mapping {} to {}", unit.object.label, table.name));
    let mut tallies = Vec::new();
    let mut partitions: Vec<Arc<dyn PartitionStream>> = Vec::new();
    for branch in &unit.branches {
        let tally = Arc::new(Mutex::new(Tally::default()));
        let rows =
            checked(session, unit, branch, source_system, spelling, progress, &tally).await?;
        partitions
            .push(Arc::new(Once { schema: checked_schema(table), rows: Mutex::new(Some(rows)) }));
        tallies.push((branch, tally));
    }
    let streams = StreamingTable::try_new(checked_schema(table), partitions)?;
    let mut order: Vec<_> = table.key.iter().map(|key| ident(*key).sort(true, true)).collect();
    order.push(col("updated_at").sort(false, false));
    order.push(ident(ROW).sort(false, false));
    let sorted = session.context().read_table(Arc::new(streams))?.sort(order)?;
    let rows = session.run(sorted.into_unoptimized_plan()).await?;
    let file = write(session, rows).await?;
    let mut staged = Staged {
        table,
        object: unit.object.clone(),
        made: 0,
        bad: 0,
        account: Account::default(),
        names_sources: false,
        file,
    };
    let mut bad = BTreeMap::new();
    for (branch, tally) in tallies {
        let mut tally = tally.lock();
        if branch.is_one_to_one && tally.made != unit.object.good() {
            let (made, had) = (tally.made, unit.object.good());
            let reason = format!("makes {made} rows of {had}: a look-up has more than one match");
            return Err(Error::Definition { name: unit.mapping.name.clone(), reason });
        }
        staged.made += tally.made;
        staged.bad += tally.bad;
        staged.names_sources |= tally.names_sources;
        staged.account.read += &tally.account.read;
        staged.account.quarantined += &tally.account.quarantined;
        bad.append(&mut tally.rows);
    }
    Ok((staged, bad))
}

/// The checked rows of one branch.
async fn checked(
    session: &Session,
    unit: &Unit<'_>,
    branch: &Branch,
    source_system: &str,
    spelling: Spelling,
    progress: &Arc<dyn Progress>,
    tally: &Arc<Mutex<Tally>>,
) -> Result<SendableRecordBatchStream> {
    let name = &unit.mapping.name;
    let statement = EngineStatement::Statement(Box::new(branch.statement.clone()));
    let plan = session.context().state().statement_to_plan(statement).await;
    let plan = plan.map_err(|e| Error::Definition { name: name.clone(), reason: e.to_string() })?;
    let rows = session.run(plan).await?;
    let table = unit.mapping.table;
    let checker = Checker::new(name, table, &rows.schema(), source_system, spelling)?;
    let (tally, progress) = (tally.clone(), progress.clone());
    let source_system = source_system.to_owned();
    let rows = rows.map(move |batch| {
        let batch = batch?;
        let checked = checker.check(&batch).map_err(|e| DataFusionError::External(Box::new(e)))?;
        progress.advance(batch.num_rows() as u64);
        let mut tally = tally.lock();
        tally.made += batch.num_rows() as u64;
        tally.bad += checked.bad_count;
        let systems = checked.good.column_by_name("source_system");
        let systems = systems.and_then(|column| column.as_string_opt::<i32>());
        let is_other = |system: Option<&str>| system != Some(source_system.as_str());
        tally.names_sources |= systems.is_some_and(|systems| systems.iter().any(is_other));
        tally.account.read += &checked.money.0;
        tally.account.quarantined += &checked.money.1;
        for (row, fault) in checked.bad {
            tally.rows.entry(row).or_insert(fault);
        }
        Ok(checked.good)
    });
    Ok(Box::pin(RecordBatchStreamAdapter::new(checked_schema(table), rows)))
}

async fn write(
    session: &Session,
    mut rows: SendableRecordBatchStream,
) -> Result<Arc<dyn SpillFile>> {
    let disk = session.context().runtime_env().disk_manager.clone();
    let file = disk.create_tmp_file("staging an ingest")?;
    let mut writer = StreamWriter::try_new(file.open_writer()?, &rows.schema())?;
    while let Some(batch) = rows.next().await {
        writer.write(&batch?)?;
    }
    writer.finish()?;
    writer.into_inner()?.finish()?;
    Ok(file)
}

/// A stream that can be executed once.
struct Once {
    schema: SchemaRef,
    rows: Mutex<Option<SendableRecordBatchStream>>,
}

impl fmt::Debug for Once {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Once")
    }
}

impl PartitionStream for Once {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let rows = self.rows.lock().take();
        rows.unwrap_or_else(|| {
            let again = DataFusionError::Internal("a staged stream was started twice".into());
            let stream = futures::stream::iter([Err(again)]);
            Box::pin(RecordBatchStreamAdapter::new(self.schema.clone(), stream))
        })
    }
}

/// What became of staged rows on their way to the lake.
#[derive(Debug, Default)]
pub(super) struct Sent {
    /// Rows handed to the lake.
    pub rows: u64,
    /// Rows whose object's row failed in another table.
    pub bad: u64,
    /// Rows of a key that a newer row of the same batch has.
    pub duplicates: u64,
    /// Money of the rows handed over, of the bad ones and of the duplicates.
    pub account: Account,
}

impl Staged {
    /// What would be loaded of it, as far as can be told without looking at the table.
    pub(super) fn line(&self) -> Line {
        let bad = self.object.rejected() + self.bad;
        Line {
            object: self.object.label.clone(),
            table: format!("{CRM}.{}", self.table.name),
            rows_read: self.made + self.object.rejected(),
            rows_loaded: self.made - self.bad,
            rows_quarantined: bad,
            ..Line::default()
        }
    }

    /// The staged rows, to be read once.
    pub(super) fn provider(&self) -> Result<Arc<dyn TableProvider>> {
        let schema = checked_schema(self.table);
        let file = self.file.clone();
        let mut stream = RecordBatchReceiverStream::builder(schema.clone(), 2);
        let sender = stream.tx();
        stream.spawn_blocking(move || {
            for batch in reader(&*file)? {
                if sender.blocking_send(Ok(batch?)).is_err() {
                    break;
                }
            }
            Ok(())
        });
        let rows = Mutex::new(Some(stream.build()));
        let once: Arc<dyn PartitionStream> = Arc::new(Once { schema: schema.clone(), rows });
        Ok(Arc::new(StreamingTable::try_new(schema, vec![once])?))
    }

    /// The rows as the lake stores them: without those of `bad`, one a key, stamped.
    pub(super) fn rows(
        &self,
        bad: Arc<BTreeSet<i64>>,
        batch_id: &str,
        at: DateTime<Utc>,
        sent: Arc<Mutex<Sent>>,
    ) -> Result<SendableRecordBatchStream> {
        let schema = self.table.arrow_schema();
        let mut finish = Finish::new(self.table, bad, batch_id, at, sent)?;
        let file = self.file.clone();
        let mut stream = RecordBatchReceiverStream::builder(schema, 2);
        let sender = stream.tx();
        stream.spawn_blocking(move || {
            for batch in reader(&*file)? {
                let batch = finish.batch(&batch?)?;
                if batch.num_rows() > 0 && sender.blocking_send(Ok(batch)).is_err() {
                    break; // the lake gave up and says why itself
                }
            }
            Ok(())
        });
        Ok(stream.build())
    }
}

/// The batches of a staged file.
fn reader(file: &dyn SpillFile) -> Result<StreamReader<BufReader<File>>, DataFusionError> {
    let path = file
        .path()
        .ok_or_else(|| DataFusionError::Execution("staged rows must be on a local disk".into()))?;
    Ok(StreamReader::try_new_buffered(File::open(path)?, None)?)
}

/// The last step of staged rows.
struct Finish {
    table: &'static Table,
    schema: SchemaRef,
    key: Vec<usize>,
    converter: RowConverter,
    last: Option<OwnedRow>,
    bad: Arc<BTreeSet<i64>>,
    batch_id: String,
    at: DateTime<Utc>,
    sent: Arc<Mutex<Sent>>,
}

impl Finish {
    fn new(
        table: &'static Table,
        bad: Arc<BTreeSet<i64>>,
        batch_id: &str,
        at: DateTime<Utc>,
        sent: Arc<Mutex<Sent>>,
    ) -> Result<Self> {
        let staged = checked_schema(table);
        let key: Vec<usize> =
            table.key.iter().map(|name| staged.index_of(name)).collect::<Result<_, _>>()?;
        let fields = key.iter().map(|n| SortField::new(staged.field(*n).data_type().clone()));
        let converter = RowConverter::new(fields.collect())?;
        let schema = table.arrow_schema();
        let batch_id = batch_id.into();
        Ok(Self { table, schema, key, converter, last: None, bad, batch_id, at, sent })
    }

    fn batch(&mut self, batch: &RecordBatch) -> Result<RecordBatch, DataFusionError> {
        let ids = batch.column(0).as_primitive::<Int64Type>();
        let keys: Vec<ArrayRef> = self.key.iter().map(|n| batch.column(*n).clone()).collect();
        let keys = self.converter.convert_columns(&keys)?;
        let mut sent = self.sent.lock();
        let mut keep = Vec::with_capacity(batch.num_rows());
        for (row, key) in keys.iter().enumerate() {
            let is_bad = self.bad.contains(&ids.value(row));
            let is_repeated = !is_bad && self.last.as_ref().is_some_and(|last| last.row() == key);
            if !is_bad && !is_repeated {
                self.last = Some(key.owned());
            }
            sent.bad += u64::from(is_bad);
            sent.duplicates += u64::from(is_repeated);
            keep.push(!is_bad && !is_repeated);
        }
        let is_bad = |row: usize| self.bad.contains(&ids.value(row));
        let account = &mut sent.account;
        account.quarantined.add(self.table, batch, is_bad);
        account.repeated.add(self.table, batch, |row| !keep[row] && !is_bad(row));
        account.sent.add(self.table, batch, |row| keep[row]);
        let kept = filter_record_batch(batch, &BooleanArray::from(keep))?;
        sent.rows += kept.num_rows() as u64;
        let mut columns: Vec<ArrayRef> = kept.columns()[1..].to_vec();
        let rows = kept.num_rows();
        let at = TimestampMicrosecondArray::from_value(self.at.timestamp_micros(), rows);
        columns.push(Arc::new(at.with_timezone("UTC")));
        columns.push(Arc::new(StringArray::from(vec![self.batch_id.as_str(); rows])));
        Ok(RecordBatch::try_new(self.schema.clone(), columns)?)
    }
}
