//! Typed rows from what a mapping yields: strict, and a row that fails is named, never changed.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, BooleanBuilder, Date32Builder, Decimal128Builder,
    Float64Builder, Int64Builder, StringArray, StringBuilder, TimestampMicrosecondBuilder,
    new_null_array,
};
use datafusion::arrow::compute::{CastOptions, cast_with_options, filter_record_batch};
use datafusion::arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::arrow::util::display::FormatOptions;

use super::mapping::ROW;
use super::money::Sums;
use super::parse;
use super::spelling::{self, Spelling};
use crate::error::{Error, Result};
use crate::schema::{Column, Kind, STAMPED, Table};

/// A value that does not fit is NULL.
const SAFE: &CastOptions<'static> =
    &CastOptions { safe: true, format_options: FormatOptions::new() };

/// Why a row is not loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BadRow {
    /// Table whose check found it.
    pub table: String,
    /// Canonical column concerned.
    pub column: String,
    /// Short name of the rule.
    pub code: &'static str,
    /// What is wrong, in words.
    pub reason: String,
}

/// The check of one branch's rows against its table.
#[derive(Debug)]
pub(super) struct Checker {
    table: &'static Table,
    source_system: String,
    spelling: Spelling,
    /// Columns of the table that ingest does not stamp, each with its place in what the mapping yields.
    columns: Vec<(&'static Column, Option<usize>)>,
    row: usize,
    schema: SchemaRef,
}

/// A batch after its check.
#[derive(Debug)]
pub(super) struct Checked {
    /// The good rows: identity, then the table's columns without the stamped ones.
    pub good: RecordBatch,
    /// The others, by identity.
    pub bad: BTreeMap<i64, BadRow>,
    /// How many they are: a row that makes several of the table's can fail more than once.
    pub bad_count: u64,
    /// Money of all rows, and of the bad ones among them.
    pub money: (Sums, Sums),
}

impl Checker {
    /// A check of what a mapping called `name` yields as `produced`.
    ///
    /// # Errors
    /// [`Error::Definition`] for a column that the table does not have.
    pub(super) fn new(
        name: &str,
        table: &'static Table,
        produced: &Schema,
        source_system: &str,
        spelling: Spelling,
    ) -> Result<Self> {
        let refuse = |reason: String| Error::Definition { name: name.to_owned(), reason };
        for field in produced.fields() {
            let is_known = field.name() == ROW
                || (table.column(field.name()).is_some()
                    && !STAMPED.contains(&field.name().as_str()));
            if !is_known {
                return Err(refuse(format!(
                    "column \"{}\" is not one of {}",
                    field.name(),
                    table.name
                )));
            }
        }
        let columns: Vec<_> = checked_columns(table)
            .map(|column| (column, produced.index_of(column.name).ok()))
            .collect();
        let row = produced.index_of(ROW).map_err(|_| refuse("rows have no identity".into()))?;
        let schema = checked_schema(table);
        Ok(Self { table, source_system: source_system.into(), spelling, columns, row, schema })
    }

    /// Types `batch` and parts the rows that fail from it.
    pub(super) fn check(&self, batch: &RecordBatch) -> Result<Checked> {
        let rows = batch.num_rows();
        let ids = batch.column(self.row).as_primitive::<Int64Type>();
        let mut faults = Faults { bad: vec![None; rows], table: self.table.name };
        let mut arrays: Vec<ArrayRef> = vec![batch.column(self.row).clone()];
        for (column, place) in &self.columns {
            let given = place.map(|n| batch.column(n));
            let array = match given {
                Some(array) => self.typed(column, array, &mut faults)?,
                None => new_null_array(&column.kind.data_type(), rows),
            };
            arrays.push(self.with_default(column, array, &arrays));
        }
        for ((column, _), array) in self.columns.iter().zip(&arrays[1..]) {
            if column.is_required && array.null_count() > 0 {
                for row in (0..rows).filter(|row| array.is_null(*row)) {
                    faults.add(row, column, "required", || format!("{} is required", column.name));
                }
            }
        }
        let schema = nullable(&self.schema);
        let whole = RecordBatch::try_new(schema, arrays)?;
        let is_good: BooleanArray = faults.bad.iter().map(|f| Some(f.is_none())).collect();
        let mut money = (Sums::default(), Sums::default());
        money.0.add(self.table, &whole, |_| true);
        money.1.add(self.table, &whole, |row| !is_good.value(row));
        let good = filter_record_batch(&whole, &is_good)?;
        let good = RecordBatch::try_new(self.schema.clone(), good.columns().to_vec())?;
        let bad_count = (rows - good.num_rows()) as u64;
        let found = faults.bad.into_iter().enumerate();
        let bad = found.filter_map(|(row, fault)| Some((ids.value(row), fault?))).collect();
        Ok(Checked { good, bad, bad_count, money })
    }

    /// What a lineage column holds if the mapping leaves it out.
    fn with_default(&self, column: &Column, array: ArrayRef, done: &[ArrayRef]) -> ArrayRef {
        if array.null_count() == 0 {
            return array;
        }
        match column.name {
            "source_system" => {
                let given = array.as_string::<i32>();
                Arc::new(
                    given.iter().map(|v| v.or(Some(&self.source_system))).collect::<StringArray>(),
                )
            }
            "is_deleted" => {
                let given = array.as_boolean();
                Arc::new(given.iter().map(|v| v.or(Some(false))).collect::<BooleanArray>())
            }
            // The key as the source knows it: the first key column comes first in every table.
            "source_id" => {
                let key = done.get(1).map(|first| cast_with_options(first, &DataType::Utf8, SAFE));
                let Some(Ok(key)) = key else { return array };
                let given = array.as_string::<i32>().iter();
                let key = key.as_string::<i32>();
                Arc::new(given.zip(key).map(|(v, k)| v.or(k)).collect::<StringArray>())
            }
            _ => array,
        }
    }

    fn typed(&self, column: &Column, array: &ArrayRef, faults: &mut Faults) -> Result<ArrayRef> {
        let wanted = column.kind.data_type();
        if is_text(array.data_type()) {
            let text = cast_with_options(array, &DataType::Utf8, SAFE)?;
            let mut add = |row: usize, value: &str, reason: &'static str| {
                let code = spelling::code(reason);
                faults.add(row, column, code, || quoted(column.name, value, reason));
            };
            return Ok(typed_text(column.kind, text.as_string::<i32>(), self.spelling, &mut add));
        }
        if *array.data_type() == wanted || *array.data_type() == DataType::Null {
            return Ok(cast_with_options(array, &wanted, &CastOptions::default())?);
        }
        let cast = cast_with_options(array, &wanted, SAFE).map_err(|e| Error::Definition {
            name: format!("{}.{}", self.table.name, column.name),
            reason: e.to_string(),
        })?;
        for row in (0..array.len()).filter(|row| array.is_valid(*row) && cast.is_null(*row)) {
            faults.add(row, column, "out_of_range", || format!("{} does not fit", column.name));
        }
        Ok(cast)
    }
}

/// Types a column of text; empty text is NULL, and what cannot be read is too, after `fault` has
/// been told its row, the text and why.
pub(super) fn typed_text(
    kind: Kind,
    text: &StringArray,
    spelling: Spelling,
    fault: &mut dyn FnMut(usize, &str, &'static str),
) -> ArrayRef {
    macro_rules! read {
        ($builder:expr, $parse:expr) => {{
            let mut builder = $builder;
            for row in 0..text.len() {
                let value = text.is_valid(row).then(|| text.value(row));
                match value.filter(|v| !v.is_empty()).map(|v| (v, $parse(v))) {
                    None => builder.append_null(),
                    Some((_, Ok(value))) => builder.append_value(value),
                    Some((value, Err(reason))) => {
                        builder.append_null();
                        fault(row, value, reason);
                    }
                }
            }
            Arc::new(builder.finish()) as ArrayRef
        }};
    }
    match kind {
        Kind::Text => read!(StringBuilder::new(), |v: &str| Ok::<_, &'static str>(v.to_owned())),
        Kind::Integer => {
            read!(Int64Builder::new(), |v| spelling.number(v).and_then(|v| parse::integer(&v)))
        }
        Kind::Number => {
            read!(Float64Builder::new(), |v| spelling.number(v).and_then(|v| parse::number(&v)))
        }
        Kind::Boolean => read!(BooleanBuilder::new(), parse::boolean),
        Kind::Date => {
            let day = |v| spelling.date(v).and_then(|v| parse::date(&v)).map(days);
            read!(Date32Builder::new(), day)
        }
        Kind::Money => {
            let cents = |v| spelling.number(v).and_then(|v| parse::money(&v));
            read!(Decimal128Builder::new().with_data_type(kind.data_type()), cents)
        }
        Kind::Timestamp => {
            let instant = |v| {
                let at = spelling.date(v).and_then(|v| parse::timestamp(&v, spelling.zone));
                at.map(|at| at.timestamp_micros())
            };
            read!(TimestampMicrosecondBuilder::new().with_timezone("UTC"), instant)
        }
    }
}

/// Columns of a checked batch after the identity: those that the check fills.
fn checked_columns(table: &'static Table) -> impl Iterator<Item = &'static Column> {
    table.all_columns().filter(|column| !STAMPED.contains(&column.name))
}

/// Schema of a checked batch of `table`.
pub(super) fn checked_schema(table: &'static Table) -> SchemaRef {
    let mut fields = vec![Field::new(ROW, DataType::Int64, false)];
    fields.extend(
        checked_columns(table).map(|c| Field::new(c.name, c.kind.data_type(), !c.is_required)),
    );
    Arc::new(Schema::new(fields))
}

fn nullable(schema: &Schema) -> SchemaRef {
    let fields = schema.fields().iter().map(|f| f.as_ref().clone().with_nullable(true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

/// Days since 1970-01-01.
fn days(date: chrono::NaiveDate) -> i32 {
    date.signed_duration_since(chrono::NaiveDate::default()).num_days() as i32
}

/// `amount "12x4" is not an amount`, with long values cut.
pub(super) fn quoted(column: &str, value: &str, reason: &str) -> String {
    let value = spelling::unmarked(value);
    let short: String = value.chars().take(60).collect();
    let dots = if short.len() < value.len() { "..." } else { "" };
    format!("{column} \"{short}{dots}\" {reason}")
}

/// The first fault of each row of a batch.
struct Faults {
    bad: Vec<Option<BadRow>>,
    table: &'static str,
}

impl Faults {
    fn add(
        &mut self,
        row: usize,
        column: &Column,
        code: &'static str,
        reason: impl Fn() -> String,
    ) {
        self.bad[row].get_or_insert_with(|| BadRow {
            table: self.table.to_owned(),
            column: column.name.to_owned(),
            code,
            reason: reason(),
        });
    }
}

#[cfg(test)]
mod tests {
    use chrono_tz::Tz;
    use datafusion::arrow::array::Int64Array;
    use datafusion::arrow::util::pretty::pretty_format_batches;

    use super::*;
    use crate::schema;
    use crate::source::locale::Locale;

    fn check(columns: &[(&str, ArrayRef)]) -> Result<Checked> {
        let fields: Vec<Field> = columns
            .iter()
            .map(|(name, array)| Field::new(*name, array.data_type().clone(), true))
            .collect();
        let schema = Arc::new(Schema::new(fields));
        let arrays = columns.iter().map(|(_, array)| array.clone()).collect();
        let table = schema::table("products").expect("a table");
        let spelling = Spelling::new(Tz::UTC, Locale::default());
        let checker = Checker::new("t.sql", table, &schema, "test", spelling)?;
        checker.check(&RecordBatch::try_new(schema, arrays)?)
    }

    fn text(values: &[Option<&str>]) -> ArrayRef {
        Arc::new(StringArray::from(values.to_vec()))
    }

    #[test]
    fn a_row_that_fails_is_named_and_the_others_are_typed() {
        let rows: ArrayRef = Arc::new(Int64Array::from(vec![7, 8, 9, 10]));
        let checked = check(&[
            (ROW, rows),
            ("product_id", text(&[Some("a"), Some("b"), None, Some("d")])),
            ("name", text(&[Some("A"), Some("B"), Some("C"), Some("")])),
            ("list_price", text(&[Some("1.5"), Some("12x4"), Some(""), None])),
        ])
        .expect("checks");
        let good = pretty_format_batches(&[checked.good]).expect("prints").to_string();
        assert!(good.contains("| 7    | a          | A    |      |        | 1.50"), "{good}");
        assert!(good.contains("| test          | a         | false"), "{good}");
        let bad: Vec<_> =
            checked.bad.iter().map(|(row, b)| (*row, b.code, b.reason.as_str())).collect();
        let wanted = [
            (8, "type", "list_price \"12x4\" is not an amount"),
            (9, "required", "product_id is required"),
            (10, "required", "name is required"),
        ];
        assert_eq!(bad, wanted);
    }

    #[test]
    fn a_column_the_table_lacks_is_the_mappings_fault() {
        let rows: ArrayRef = Arc::new(Int64Array::from(vec![7]));
        let error = check(&[(ROW, rows), ("prise", text(&[None]))]).expect_err("typo");
        assert_eq!(error.to_string(), "t.sql: column \"prise\" is not one of products");
    }
}
