//! Bounds of a column as the log tells them: from the statistics of its Parquet chunks.

use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::ScalarValue;
use parquet::data_type::AsBytes;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::statistics::Statistics;
use serde_json::{Value, json};

/// The lowest and the highest value of a column, and how many are NULL, as far as they are known.
#[derive(Debug, Default)]
pub(super) struct Bounds {
    low: Option<ScalarValue>,
    high: Option<ScalarValue>,
    nulls: Option<u64>,
    /// Whether a chunk does not tell its bounds.
    is_open: bool,
    chunks: usize,
}

impl Bounds {
    /// Counts a chunk in.
    pub(super) fn meet(&mut self, chunk: &ColumnChunkMetaData, data_type: &DataType) {
        let nulls = chunk.statistics().and_then(Statistics::null_count_opt);
        let before = if self.chunks == 0 { Some(0) } else { self.nulls };
        self.nulls = before.zip(nulls).map(|(before, more)| before + more);
        self.chunks += 1;
        if nulls == Some(chunk.num_values() as u64) {
            return;
        }
        let told = chunk.statistics().and_then(|told| bounds(told, data_type));
        let Some((low, high)) = told else {
            self.is_open = true;
            return;
        };
        if self.low.as_ref().is_none_or(|known| low < *known) {
            self.low = Some(low);
        }
        if self.high.as_ref().is_none_or(|known| high > *known) {
            self.high = Some(high);
        }
    }

    /// Puts them into what the log says of a file, under the name of the column.
    pub(super) fn put(&self, statistics: &mut Value, name: &str) {
        let is_known = !self.is_open;
        let low = self.low.as_ref().filter(|_| is_known).and_then(said);
        let high = self.high.as_ref().filter(|_| is_known).and_then(said);
        let nulls = self.nulls.map(Value::from);
        for (key, value) in [("minValues", low), ("maxValues", high), ("nullCount", nulls)] {
            let Value::Object(all) = &mut *statistics else { return };
            let Value::Object(columns) = all.entry(key).or_insert_with(|| json!({})) else {
                continue;
            };
            match value {
                Some(value) => drop(columns.insert(name.to_owned(), value)),
                None => drop(columns.remove(name)),
            }
        }
    }
}

/// The lowest and the highest value of a chunk.
fn bounds(told: &Statistics, data_type: &DataType) -> Option<(ScalarValue, ScalarValue)> {
    let pair = |low: ScalarValue, high| Some((low, high));
    match (told, data_type) {
        (Statistics::Boolean(s), DataType::Boolean) => {
            pair(ScalarValue::from(*s.min_opt()?), ScalarValue::from(*s.max_opt()?))
        }
        (Statistics::Int32(s), DataType::Int32) => {
            pair(ScalarValue::from(*s.min_opt()?), ScalarValue::from(*s.max_opt()?))
        }
        (Statistics::Int32(s), DataType::Date32) => {
            pair(ScalarValue::Date32(Some(*s.min_opt()?)), ScalarValue::Date32(Some(*s.max_opt()?)))
        }
        (Statistics::Int64(s), DataType::Int64) => {
            pair(ScalarValue::from(*s.min_opt()?), ScalarValue::from(*s.max_opt()?))
        }
        (Statistics::Int64(s), DataType::Timestamp(TimeUnit::Microsecond, zone)) => {
            let instant = |us| ScalarValue::TimestampMicrosecond(Some(us), zone.clone());
            pair(instant(*s.min_opt()?), instant(*s.max_opt()?))
        }
        (Statistics::Double(s), DataType::Float64) => {
            pair(ScalarValue::from(*s.min_opt()?), ScalarValue::from(*s.max_opt()?))
        }
        (Statistics::Int32(s), DataType::Decimal128(p, scale)) => {
            let units = |value: &i32| ScalarValue::Decimal128(Some((*value).into()), *p, *scale);
            pair(units(s.min_opt()?), units(s.max_opt()?))
        }
        (Statistics::Int64(s), DataType::Decimal128(p, scale)) => {
            let units = |value: &i64| ScalarValue::Decimal128(Some((*value).into()), *p, *scale);
            pair(units(s.min_opt()?), units(s.max_opt()?))
        }
        (Statistics::FixedLenByteArray(s), DataType::Decimal128(p, scale)) => {
            let units = |bytes: &[u8]| {
                let sign = if bytes.first()? & 0x80 == 0 { 0 } else { 0xff };
                let mut wide = [sign; 16];
                let start = wide.len().checked_sub(bytes.len())?;
                wide[start..].copy_from_slice(bytes);
                Some(ScalarValue::Decimal128(Some(i128::from_be_bytes(wide)), *p, *scale))
            };
            pair(units(s.min_opt()?.as_bytes())?, units(s.max_opt()?.as_bytes())?)
        }
        (Statistics::ByteArray(s), DataType::Utf8) => {
            let text = |bytes: &[u8]| Some(ScalarValue::from(std::str::from_utf8(bytes).ok()?));
            pair(text(s.min_opt()?.as_bytes())?, text(s.max_opt()?.as_bytes())?)
        }
        _ => None,
    }
}

/// A value in the log's JSON: instants to the millisecond, decimals as numbers.
fn said(value: &ScalarValue) -> Option<Value> {
    Some(match value {
        ScalarValue::Boolean(value) => json!(value),
        ScalarValue::Int32(value) => json!(value),
        ScalarValue::Int64(value) => json!(value),
        ScalarValue::Float64(value) => json!(value.filter(|value| value.is_finite())?),
        ScalarValue::Utf8(value) => json!(value),
        ScalarValue::Date32(value) => {
            let day = chrono::NaiveDate::default()
                .checked_add_signed(chrono::Duration::days(i64::from((*value)?)))?;
            json!(day.to_string())
        }
        ScalarValue::TimestampMicrosecond(value, zone) => {
            let instant = chrono::DateTime::from_timestamp_micros((*value)?)?;
            let fraction = if instant.timestamp_subsec_nanos() == 0 { "" } else { "%.3f" };
            let (between, end) = if zone.is_some() { ("T", "Z") } else { (" ", "") };
            let form = format!("%Y-%m-%d{between}%H:%M:%S{fraction}{end}");
            json!(instant.format(&form).to_string())
        }
        ScalarValue::Decimal128(value, _, scale) => {
            json!((*value)? as f64 / 10_f64.powi(i32::from(*scale)))
        }
        _ => return None,
    })
}
