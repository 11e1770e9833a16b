//! `runrate query`: one statement in this process, its result on stdout as table, CSV or JSON lines.

use std::io::Write;

use arrow::csv::WriterBuilder;
use arrow::json::LineDelimitedWriter;
use arrow::util::display::FormatOptions;
use arrow::util::pretty::pretty_format_batches_with_options;
use datafusion::arrow::array::RecordBatch;
use futures::StreamExt;

use crate::cli::OutputFormat;
use crate::error::{Error, Result};
use crate::session::Session;

/// Rows that a table on a terminal shows; CSV and JSON show all.
const TABLE_ROWS_MAX: usize = 10_000;

/// Runs `sql` in `session` and writes its rows to `out`.
///
/// CSV and JSON are written batch by batch; a table is held in memory to align its columns, and
/// says so when it leaves rows out.
///
/// # Errors
/// Those of the statement, and [`Error::File`] if `out` cannot be written.
pub async fn run(
    session: &Session,
    sql: &str,
    format: OutputFormat,
    out: &mut (impl Write + Send),
) -> Result<()> {
    let mut stream = session.query(sql).await?;
    let schema = stream.schema();
    match format {
        OutputFormat::Table => {
            let mut batches = vec![];
            let (mut rows, mut is_cut) = (0, false);
            while let Some(batch) = stream.next().await.transpose()? {
                let kept = batch.num_rows().min(TABLE_ROWS_MAX - rows);
                is_cut |= kept < batch.num_rows();
                rows += kept;
                batches.push(batch.slice(0, kept));
                if is_cut {
                    break;
                }
            }
            if batches.is_empty() {
                batches.push(RecordBatch::new_empty(schema));
            }
            let options = FormatOptions::default().with_null("").with_display_error(true);
            let table = pretty_format_batches_with_options(&batches, &options)?;
            let more = if is_cut { ", more left out; use --format csv" } else { "" };
            written(writeln!(out, "{table}\n({rows} rows{more})"))
        }
        OutputFormat::Csv => {
            let mut writer = WriterBuilder::new().with_header(true).build(&mut *out);
            writer.write(&RecordBatch::new_empty(schema))?;
            while let Some(batch) = stream.next().await.transpose()? {
                writer.write(&batch)?;
            }
            drop(writer);
            written(out.flush())
        }
        OutputFormat::Json => {
            let mut writer = LineDelimitedWriter::new(&mut *out);
            while let Some(batch) = stream.next().await.transpose()? {
                writer.write(&batch)?;
            }
            writer.finish()?;
            drop(writer);
            written(out.flush())
        }
    }
}

fn written(outcome: std::io::Result<()>) -> Result<()> {
    outcome.map_err(|e| Error::file("write", "standard output", e))
}
