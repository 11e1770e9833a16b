//! The rows of one query on their way: pulled only as fast as the client takes them.

use std::panic::AssertUnwindSafe;

use chrono_tz::Tz;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::Schema;
use datafusion::execution::SendableRecordBatchStream;
use futures::{FutureExt, StreamExt};

use super::cancel::Stops;
use super::encode::{Form, RowEncoder, types};
use super::fault::Fault;
use super::outbox::ColumnDescription;
use super::turns::Turn;
use super::wire::{FLUSH_BYTES, Wire};
use crate::error::{Error, Result};
use crate::session::{APART, Usage};

/// A query that runs, and what of its rows is not sent yet.
pub(super) struct Rows {
    stream: SendableRecordBatchStream,
    /// A batch and the next row of it.
    current: Option<(RecordBatch, usize)>,
    /// What it costs, for the statement that goes on with it.
    usage: Option<Usage>,
    is_light: bool,
    largest: Largest,
    rows: u64,
    bytes: u64,
}

/// How large a result may be; 0 is no limit.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Largest {
    pub(super) rows: u64,
    pub(super) bytes: u64,
}

/// How far [`Rows::send`] came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Progress {
    /// Rows sent this time.
    pub(super) rows: u64,
    /// Bytes of them.
    pub(super) bytes: u64,
    /// Whether there are no more.
    pub(super) is_end: bool,
}

/// How rows are written, and how many.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sending<'a> {
    /// The messages they are sent in.
    pub(super) form: Form<'a>,
    /// Where instants are shown.
    pub(super) zone: Tz,
    /// Stop after so many rows; 0 is no limit.
    pub(super) rows_max: u64,
}

impl Rows {
    pub(super) fn new(stream: SendableRecordBatchStream) -> Self {
        let (usage, largest) = (None, Largest::default());
        Self { stream, current: None, usage, is_light: false, largest, rows: 0, bytes: 0 }
    }

    /// The same, with what it costs and how large it may be.
    pub(super) fn watched(self, usage: Usage, is_light: bool, largest: Largest) -> Self {
        Self { usage: Some(usage), is_light, largest, ..self }
    }

    /// What it costs, and whether it is over at once and waits for nobody.
    pub(super) fn watch(&self) -> (Option<Usage>, bool) {
        (self.usage.clone(), self.is_light)
    }

    /// Refuses `rows` and `bytes` more than the result may have.
    fn check_size(&self, rows: u64, bytes: u64) -> Result<(), Fault> {
        let Largest { rows: rows_max, bytes: bytes_max } = self.largest;
        let what = match () {
            () if rows_max > 0 && self.rows + rows > rows_max => format!("{rows_max} rows"),
            () if bytes_max > 0 && self.bytes + bytes > bytes_max => format!("{bytes_max} bytes"),
            () => return Ok(()),
        };
        Err(Fault::error("54000", format!("the result has more than {what}, which is the limit"))
            .with_hint("Add a LIMIT, aggregate, or fetch the parts one after the other."))
    }

    /// Sends rows until there are no more, `rows_max` are sent, or `stops` says so.
    pub(super) async fn send(
        &mut self,
        sending: Sending<'_>,
        wire: &mut Wire,
        stops: &Stops,
        turn: &mut Turn,
    ) -> Result<Progress, Fault> {
        let mut progress = Progress { rows: 0, bytes: 0, is_end: false };
        loop {
            turn.share(stops, &mut wire.frames).await?;
            let Some((batch, start)) = self.next(stops, wire).await? else {
                progress.is_end = true;
                return Ok(progress);
            };
            let wanted = match sending.rows_max {
                0 => usize::MAX,
                most => usize::try_from(most - progress.rows).unwrap_or(usize::MAX),
            };
            let part = batch.slice(start, wanted.min(batch.num_rows() - start));
            let is_first = progress.rows == 0;
            self.check_size(part.num_rows() as u64, 0)?;
            let bytes = self.write(&part, sending, is_first, wire, stops, turn).await?;
            self.rows += part.num_rows() as u64;
            self.bytes += bytes;
            stops.record.sent(part.num_rows() as u64, bytes);
            progress.bytes += bytes;
            progress.rows += part.num_rows() as u64;
            if start + part.num_rows() < batch.num_rows() {
                self.current = Some((batch, start + part.num_rows()));
            }
            if sending.rows_max > 0 && progress.rows == sending.rows_max {
                return Ok(progress);
            }
        }
    }

    /// Passes over `count` rows, or as many as there are.
    pub(super) async fn pass(
        &mut self,
        count: u64,
        stops: &Stops,
        wire: &mut Wire,
    ) -> Result<Progress, Fault> {
        let mut progress = Progress { rows: 0, bytes: 0, is_end: false };
        while progress.rows < count {
            let Some((batch, start)) = self.next(stops, wire).await? else {
                progress.is_end = true;
                break;
            };
            let wanted = usize::try_from(count - progress.rows).unwrap_or(usize::MAX);
            let part = wanted.min(batch.num_rows() - start);
            progress.rows += part as u64;
            if start + part < batch.num_rows() {
                self.current = Some((batch, start + part));
            }
        }
        Ok(progress)
    }

    async fn next(
        &mut self,
        stops: &Stops,
        wire: &mut Wire,
    ) -> Result<Option<(RecordBatch, usize)>, Fault> {
        if let Some(current) = self.current.take() {
            return Ok(Some(current));
        }
        let batch = guarded(self.stream.next());
        tokio::select! {
            biased;
            fault = stops.stopped(&mut wire.frames) => Err(fault),
            batch = batch => match batch? {
                None => Ok(None),
                Some(Ok(batch)) => Ok(Some((batch, 0))),
                Some(Err(error)) => Err(Fault::from(Error::from(error))),
            }
        }
    }
}

impl Rows {
    /// Writes `batch` piece by piece; bytes of it.
    async fn write(
        &mut self,
        batch: &RecordBatch,
        sending: Sending<'_>,
        is_first: bool,
        wire: &mut Wire,
        stops: &Stops,
        turn: &mut Turn,
    ) -> Result<u64, Fault> {
        let encoder = RowEncoder::new(batch, sending.form, sending.zone)?;
        let encoder = if is_first { encoder.first() } else { encoder };
        let (mut row, mut bytes) = (0, 0);
        while row < batch.num_rows() {
            let before = wire.outbox.bytes.len();
            let wanted = FLUSH_BYTES.max(before + 1);
            match encoder.encode(row, wanted, &mut wire.outbox.bytes) {
                Ok(next) => row = next,
                Err(error) => {
                    // A row that was begun is taken back: messages go out whole or not at all.
                    wire.outbox.bytes.truncate(before);
                    return Err(error.into());
                }
            }
            bytes += (wire.outbox.bytes.len() - before) as u64;
            if let Err(fault) = self.check_size(0, bytes) {
                // A batch can be larger than any result: looked at piece by piece.
                wire.outbox.bytes.truncate(before);
                return Err(fault);
            }
            if wire.outbox.bytes.len() >= FLUSH_BYTES {
                wire.flush_rows(stops, turn).await?;
            }
        }
        Ok(bytes)
    }
}

/// Runs `work`; a panic in it is an error of this statement and not the end of the connection.
pub(super) async fn guarded<T>(work: impl Future<Output = T>) -> Result<T, Fault> {
    AssertUnwindSafe(work).catch_unwind().await.map_err(|_| {
        super::metrics::METRICS.panics.add(1);
        tracing::error!("a statement panicked");
        Fault::error("XX000", "internal error: the statement could not be finished")
    })
}

/// The columns of `schema` as they are announced, under `names` where given.
///
/// # Errors
/// 0A000 for a column whose type cannot be sent, 54011 for more columns than a row can have.
pub(super) fn columns(schema: &Schema, names: Option<&[String]>) -> Result<Vec<ColumnDescription>> {
    let fields = schema.fields();
    if i16::try_from(fields.len()).is_err() {
        return Err(Error::statement("54011", "a result can have at most 32767 columns"));
    }
    // Names are those of the text only if there is one for every column.
    let names = names.filter(|names| names.len() == fields.len());
    let describe = |(at, field): (usize, &std::sync::Arc<_>)| {
        let name = names.map_or_else(|| plain(field), |names| names[at].clone());
        Ok(ColumnDescription { name, pg_type: types::of_field(field)? })
    };
    fields.iter().enumerate().map(describe).collect()
}

/// The engine's own name, without what tells it from another that is the same.
fn plain(field: &datafusion::arrow::datatypes::Field) -> String {
    let name = field.name();
    let name = name.split(APART).next().unwrap_or(name);
    name.strip_prefix("__alias_").unwrap_or(name).to_owned()
}
