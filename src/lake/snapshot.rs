//! One version of one table: its files with what the log says of each.

use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use datafusion::arrow::datatypes::{DataType, FieldRef, SchemaRef, TimeUnit};
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, ScalarValue, Statistics};
use deltalake::DeltaTable;
use deltalake::kernel::Add;
use object_store::ObjectMeta;
use object_store::path::Path;
use serde_json::Value;

use super::{Layout, TableName};
use crate::error::{Error, Result};

/// Table property that keeps the key of a table, comma-separated.
pub(super) const KEY_PROPERTY: &str = "runrate.key";

/// One data file.
#[derive(Debug, Clone)]
pub(super) struct DataFile {
    /// Path below the table, as the log has it.
    pub relative: String,
    /// Path from the root of the store, size and time.
    pub meta: ObjectMeta,
    /// Rows, exact.
    pub rows: u64,
    /// Bounds and null counts by column of the table.
    pub statistics: Arc<Statistics>,
}

/// Everything a scan needs to know of a version.
#[derive(Debug)]
pub(super) struct Snapshot {
    pub name: TableName,
    pub version: i64,
    pub committed_at: DateTime<Utc>,
    pub schema: SchemaRef,
    pub key: Vec<String>,
    pub files: Vec<DataFile>,
}

impl Snapshot {
    /// Reads the loaded state of `table`.
    pub(super) fn of(name: &TableName, table: &DeltaTable) -> Result<Self> {
        let failed = |e| Error::delta(name, "read", e);
        let state = table.snapshot().map_err(failed)?;
        let snapshot = state.snapshot();
        let schema = snapshot.arrow_schema();
        refuse_unreadable(name, snapshot.protocol())?;
        let version = table.version().unwrap_or_default();
        let committed_at = state
            .version_timestamp(version)
            .and_then(DateTime::from_timestamp_millis)
            .unwrap_or(DateTime::UNIX_EPOCH);
        let configuration = snapshot.metadata().configuration();
        let key = configuration
            .get(KEY_PROPERTY)
            .map(|text| text.split(',').filter(|k| !k.is_empty()).map(str::to_owned).collect())
            .unwrap_or_default();
        let base = Path::from_url_path(table.table_url().path()).map_err(|e| Error::NoTable {
            table: name.to_string(),
            reason: format!("has a bad path: {e}"),
        })?;
        let mut files = Vec::new();
        for view in snapshot.log_data().iter() {
            let relative = view.path().into_owned();
            let location = relative.split('/').fold(base.clone(), |path, part| path.join(part));
            let rows = view.num_records().unwrap_or_default() as u64;
            let statistics = statistics(&schema, view.stats().as_deref(), rows);
            files.push(DataFile {
                relative,
                meta: ObjectMeta {
                    location,
                    last_modified: view.modification_datetime().map_err(failed)?,
                    size: view.size() as u64,
                    e_tag: None,
                    version: None,
                },
                rows,
                statistics: Arc::new(statistics),
            });
        }
        let version = version as i64;
        Ok(Self { name: name.clone(), version, committed_at, schema, key, files })
    }

    /// A table of `layout` that is still to be made.
    pub(super) fn planned(name: &TableName, layout: &Layout) -> Self {
        Self {
            name: name.clone(),
            version: 0,
            committed_at: DateTime::UNIX_EPOCH,
            schema: layout.schema.clone(),
            key: layout.key.clone(),
            files: vec![],
        }
    }

    /// Whether it has the columns of `layout`, and its key.
    pub(super) fn is_of(&self, layout: &Layout) -> bool {
        let column = |field: &FieldRef| (field.name().clone(), field.data_type().clone());
        let (ours, theirs) = (self.schema.fields().iter(), layout.schema.fields().iter());
        self.key == layout.key && ours.map(column).eq(theirs.map(column))
    }

    /// Counts `adds`, files beside those of `table` that are not committed, as its own.
    pub(super) fn add_files(&mut self, table: &DeltaTable, adds: &[Add]) -> Result<()> {
        let base = Path::from_url_path(table.table_url().path()).map_err(|e| Error::NoTable {
            table: self.name.to_string(),
            reason: format!("has a bad path: {e}"),
        })?;
        for add in adds {
            let location = add.path.split('/').fold(base.clone(), |path, part| path.join(part));
            let parsed: Value =
                add.stats.as_deref().and_then(|s| serde_json::from_str(s).ok()).unwrap_or_default();
            let rows = parsed.get("numRecords").and_then(Value::as_u64).unwrap_or_default();
            let statistics = statistics(&self.schema, add.stats.as_deref(), rows);
            self.files.push(DataFile {
                relative: add.path.clone(),
                meta: ObjectMeta {
                    location,
                    last_modified: DateTime::from_timestamp_millis(add.modification_time)
                        .unwrap_or(DateTime::UNIX_EPOCH),
                    size: add.size.unsigned_abs(),
                    e_tag: None,
                    version: None,
                },
                rows,
                statistics: Arc::new(statistics),
            });
        }
        Ok(())
    }

    /// Rows of all files.
    pub(super) fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.rows).sum()
    }

    /// Places of the key columns in the schema; empty if there is no key or a column of it is gone.
    pub(super) fn key_indices(&self) -> Vec<usize> {
        let found: Option<Vec<usize>> =
            self.key.iter().map(|name| self.schema.index_of(name).ok()).collect();
        found.unwrap_or_default()
    }
}

/// Features that need more than a plain scan of the files.
fn refuse_unreadable(name: &TableName, protocol: &deltalake::kernel::Protocol) -> Result<()> {
    let text = format!("{protocol:?}");
    for feature in ["DeletionVectors", "ColumnMapping"] {
        if protocol.min_reader_version() >= 3 && text.contains(feature) {
            let reason =
                format!("uses the Delta feature {feature}, which this version cannot read");
            return Err(Error::NoTable { table: name.to_string(), reason });
        }
    }
    Ok(())
}

/// What the log's JSON says of a file; anything it does not say is absent.
fn statistics(schema: &SchemaRef, json: Option<&str>, rows: u64) -> Statistics {
    let parsed: Value = json.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let column_statistics = schema
        .fields()
        .iter()
        .map(|field| {
            let bound = |which: &str| parsed.get(which).and_then(|v| v.get(field.name()));
            let nulls = bound("nullCount").and_then(Value::as_u64);
            let mut column = ColumnStatistics::new_unknown();
            if let Some(nulls) = nulls {
                column.null_count = Precision::Exact(nulls as usize);
            }
            if let Some(low) = bound("minValues").and_then(|v| low(field.data_type(), v)) {
                column.min_value = low;
            }
            if let Some(high) = bound("maxValues").and_then(|v| high(field.data_type(), v)) {
                column.max_value = high;
            }
            column
        })
        .collect();
    Statistics {
        num_rows: Precision::Exact(rows as usize),
        total_byte_size: Precision::Absent,
        column_statistics,
    }
}

/// A lower bound: exact for numbers and dates, inexact for text (truncated) and instants
/// (cut to the millisecond). Decimals are left out: JSON carries them as floats.
fn low(data_type: &DataType, value: &Value) -> Option<Precision<ScalarValue>> {
    bound(data_type, value, 0)
}

/// An upper bound; an instant is rounded up to the end of its millisecond.
fn high(data_type: &DataType, value: &Value) -> Option<Precision<ScalarValue>> {
    bound(data_type, value, 999)
}

fn bound(data_type: &DataType, value: &Value, extra_us: i64) -> Option<Precision<ScalarValue>> {
    use Precision::{Exact, Inexact};
    Some(match data_type {
        DataType::Int64 => Exact(ScalarValue::Int64(Some(value.as_i64()?))),
        DataType::Int32 => Exact(ScalarValue::Int32(Some(value.as_i64()?.try_into().ok()?))),
        DataType::Float64 => Exact(ScalarValue::Float64(Some(value.as_f64()?))),
        DataType::Date32 => {
            let day: NaiveDate = value.as_str()?.parse().ok()?;
            let days = day.signed_duration_since(NaiveDate::default()).num_days();
            Exact(ScalarValue::Date32(Some(days.try_into().ok()?)))
        }
        DataType::Utf8 => Inexact(ScalarValue::Utf8(Some(value.as_str()?.to_owned()))),
        DataType::Timestamp(TimeUnit::Microsecond, zone) => {
            let instant = instant(value.as_str()?)?.checked_add(extra_us)?;
            Inexact(ScalarValue::TimestampMicrosecond(Some(instant), zone.clone()))
        }
        _ => return None,
    })
}

/// Microseconds of an RFC 3339 instant, or of a timestamp without zone.
fn instant(text: &str) -> Option<i64> {
    if let Ok(instant) = DateTime::parse_from_rfc3339(text) {
        return Some(instant.timestamp_micros());
    }
    let naive: chrono::NaiveDateTime = text.parse().ok()?;
    Some(naive.and_utc().timestamp_micros())
}
