//! COPY ... FROM STDIN: rows from the client into a table, a batch at a time, in one commit.

use std::time::Instant;

use arrow::datatypes::SchemaRef;
use datafusion::error::DataFusionError;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::sql::sqlparser::ast::{CopySource, CopyTarget, Ident, ObjectName, Statement};
use tokio::sync::mpsc;

use super::cancel::Stops;
use super::connection::Connection;
use super::copy::{Options, unsupported};
use super::copy_rows::{Forced, Form, RowReader};
use super::fault::Fault;
use super::framing::{Body, Frames};
use super::masking::Masked;
use super::names::folded;
use super::settings;
use crate::error::{Error, Result};

/// Batches that are read ahead of the writer.
const AHEAD: usize = 2;

/// A COPY from the client.
#[derive(Debug, Clone)]
pub(super) struct CopyIn {
    pub(super) table: ObjectName,
    columns: Vec<Ident>,
    options: Options,
}

impl CopyIn {
    /// The COPY that `statement` is, if it reads from the client; else the statement.
    ///
    /// # Errors
    /// 42601 and 0A000 for options that no COPY FROM takes.
    pub(super) fn of(statement: Statement) -> std::result::Result<Result<Self>, Box<Statement>> {
        match statement {
            Statement::Copy {
                source: CopySource::Table { table_name, columns },
                to: false,
                target: CopyTarget::Stdin,
                options,
                legacy_options,
                ..
            } => Ok(Options::read(options, legacy_options).and_then(|options| {
                if options.quotes() {
                    return Err(unsupported("FORCE_QUOTE is of COPY TO"));
                }
                Ok(Self { table: table_name, columns, options })
            })),
            other => Err(Box::new(other)),
        }
    }

    fn forced(&self, schema: &SchemaRef) -> Result<Forced> {
        let among = |names: &[Ident]| -> Result<Vec<bool>> {
            let is_all = names.iter().any(|name| name.value == "*");
            for name in names.iter().map(folded) {
                if !is_all && schema.index_of(&name).is_err() {
                    let message = format!("column \"{name}\" does not exist");
                    return Err(Error::statement("42703", message));
                }
            }
            let is_in = |field: &str| is_all || names.iter().any(|name| folded(name) == field);
            Ok(schema.fields().iter().map(|field| is_in(field.name())).collect())
        };
        Ok(Forced {
            not_null: among(&self.options.not_null)?,
            null: among(&self.options.null_in_quotes)?,
        })
    }
}

impl Connection {
    /// Takes the rows of `copy` from the client; how many there were.
    pub(super) async fn copy_from(&mut self, copy: &CopyIn) -> Result<u64, Fault> {
        self.check_writable("COPY FROM")?;
        let begun = Instant::now();
        let outcome = self.copied(copy).await;
        match &outcome {
            Ok(rows) => self.ended(begun, *rows, 0, None),
            Err(fault) => self.ended(begun, 0, 0, Some(fault)),
        }
        outcome
    }

    async fn copied(&mut self, copy: &CopyIn) -> Result<u64, Fault> {
        let stops = self.begin_said(Masked::of(&self.source))?;
        let schema = Box::pin(self.session.copied_columns(&copy.table, &copy.columns)).await?;
        let (form, forced) = (copy.options.form()?, copy.forced(&schema)?);
        let is_binary = matches!(form, Form::Binary);
        let table =
            copy.table.0.last().map_or(String::new(), |part| {
                part.as_ident().map_or_else(|| part.to_string(), folded)
            });
        let zone = settings::zone(&self.session);
        let has_header = copy.options.has_header;
        let mut reader = RowReader::new(&table, schema.clone(), form, forced, has_header, zone)?;
        let _turn = self.shared.turns.take(&stops, &mut self.wire.frames).await?;
        self.wire.outbox.copy_in(schema.fields().len(), is_binary);
        self.wire.flush().await?;
        let (sender, receiver) = mpsc::channel(AHEAD);
        let rows = futures::stream::unfold(receiver, |mut receiver: mpsc::Receiver<_>| async {
            receiver.recv().await.map(|batch| (batch, receiver))
        });
        let rows = Box::pin(RecordBatchStreamAdapter::new(schema, rows));
        let writing = Box::pin(self.session.copy_in(&copy.table, rows));
        let reading = read(&mut self.wire.frames, &mut reader, sender, &stops);
        match futures::join!(writing, reading) {
            (_, Err(Some(fault))) => Err(fault),
            (Err(error), _) => {
                let fault = Fault::from(error);
                Err(match fault.context {
                    Some(_) => fault,
                    None => fault.with_context(format!("COPY {table}")),
                })
            }
            (Ok(rows), _) => Ok(rows),
        }
    }
}

type Batch = std::result::Result<arrow::array::RecordBatch, DataFusionError>;

/// Reads the stream to its end, into `sender`.
///
/// # Errors
/// What is wrong with the stream; `None` if the writer knows.
async fn read(
    frames: &mut Frames,
    reader: &mut RowReader,
    sender: mpsc::Sender<Batch>,
    stops: &Stops,
) -> Result<(), Option<Fault>> {
    let outcome = batches(frames, reader, &sender, stops).await;
    if let Err(Some(_)) = &outcome {
        // Not the end of the rows: what came so far is not kept.
        let stopped = DataFusionError::Execution("the stream of rows was cut off".into());
        drop(sender.send(Err(stopped)).await);
    }
    outcome
}

async fn batches(
    frames: &mut Frames,
    reader: &mut RowReader,
    sender: &mpsc::Sender<Batch>,
    stops: &Stops,
) -> Result<(), Option<Fault>> {
    loop {
        let frame = tokio::select! {
            biased;
            fault = stops.halted() => return Err(Some(fault)),
            frame = frames.next() => frame.map_err(Some)?,
        };
        let Some(frame) = frame else {
            return Err(Some(Fault::fatal("08006", "connection to client lost")));
        };
        match frame.kind {
            b'd' => {
                for batch in reader.take(&frame.body)? {
                    sender.send(Ok(batch)).await.map_err(|_| None)?;
                }
            }
            b'c' => {
                if let Some(batch) = reader.end()? {
                    sender.send(Ok(batch)).await.map_err(|_| None)?;
                }
                return Ok(());
            }
            b'f' => {
                let reason = Body(frame.body).text()?;
                let message = format!("COPY from stdin failed: {reason}");
                return Err(Some(Fault::error("57014", message)));
            }
            // Drivers send these before they know that rows are wanted.
            b'H' | b'S' => {}
            b'X' => return Err(Some(Fault::fatal("08006", "connection to client lost"))),
            kind => {
                let message =
                    format!("unexpected message type 0x{kind:02X} during COPY from stdin");
                return Err(Some(Fault::fatal("08P01", message)));
            }
        }
    }
}
