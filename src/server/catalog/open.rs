//! What one session has open, for `pg_prepared_statements` and `pg_cursors`.
//!
//! A connection writes it down before it plans a statement that names them; nobody else sees it.

use chrono::{DateTime, Utc};
use datafusion::arrow::array::{
    ArrayRef, BooleanArray, Int64Array, ListBuilder, RecordBatch, StringArray, StringBuilder,
    TimestampMicrosecondArray,
};
use datafusion::arrow::datatypes::Schema;
use datafusion::error::Result;
use parking_lot::Mutex;

use super::standard;

/// Prepared statements and cursors of a session.
#[derive(Debug, Default)]
pub(in crate::server) struct Open {
    inner: Mutex<(Vec<OpenStatement>, Vec<OpenCursor>)>,
}

/// A prepared statement.
#[derive(Debug, Clone)]
pub(in crate::server) struct OpenStatement {
    pub(in crate::server) name: String,
    pub(in crate::server) statement: String,
    pub(in crate::server) prepared_at: DateTime<Utc>,
    /// Types of its parameters, as numbers of `pg_type`.
    pub(in crate::server) parameters: Vec<u32>,
    /// Whether PREPARE made it, and not a message of the protocol.
    pub(in crate::server) is_from_sql: bool,
}

/// A cursor.
#[derive(Debug, Clone)]
pub(in crate::server) struct OpenCursor {
    pub(in crate::server) name: String,
    pub(in crate::server) statement: String,
    pub(in crate::server) is_held: bool,
    pub(in crate::server) is_binary: bool,
    pub(in crate::server) declared_at: DateTime<Utc>,
}

impl Open {
    /// Whether `sql` may ask for what is kept here.
    pub(in crate::server) fn is_asked_by(sql: &str) -> bool {
        let lower = sql.to_lowercase();
        lower.contains("pg_prepared_statement") || lower.contains("pg_cursor")
    }

    /// Writes down what is open now.
    pub(in crate::server) fn put(&self, statements: Vec<OpenStatement>, cursors: Vec<OpenCursor>) {
        *self.inner.lock() = (statements, cursors);
    }

    /// The rows of `pg_prepared_statements`; `type_name` names a type by its number.
    pub(super) fn statements(
        &self,
        schema: &Schema,
        type_name: impl Fn(u32) -> String,
    ) -> Result<RecordBatch> {
        let inner = self.inner.lock();
        let rows = &inner.0;
        let mut kinds = ListBuilder::new(StringBuilder::new());
        for row in rows {
            kinds.append_value(row.parameters.iter().map(|oid| Some(type_name(*oid))));
        }
        let zero = || -> ArrayRef { std::sync::Arc::new(Int64Array::from(vec![0; rows.len()])) };
        let from_sql: BooleanArray = rows.iter().map(|row| Some(row.is_from_sql)).collect();
        let columns = [
            ("name", texts(rows.iter().map(|row| row.name.as_str()))),
            ("statement", texts(rows.iter().map(|row| row.statement.as_str()))),
            ("prepare_time", instants(rows.iter().map(|row| row.prepared_at))),
            ("parameter_types", std::sync::Arc::new(kinds.finish()) as ArrayRef),
            ("from_sql", std::sync::Arc::new(from_sql)),
            ("generic_plans", zero()),
            ("custom_plans", zero()),
        ];
        standard::filled(schema, &columns)
    }

    /// The rows of `pg_cursors`.
    pub(super) fn cursors(&self, schema: &Schema) -> Result<RecordBatch> {
        let inner = self.inner.lock();
        let rows = &inner.1;
        let flags = |of: fn(&OpenCursor) -> bool| -> ArrayRef {
            std::sync::Arc::new(rows.iter().map(|row| Some(of(row))).collect::<BooleanArray>())
        };
        let columns = [
            ("name", texts(rows.iter().map(|row| row.name.as_str()))),
            ("statement", texts(rows.iter().map(|row| row.statement.as_str()))),
            ("is_holdable", flags(|row| row.is_held)),
            ("is_binary", flags(|row| row.is_binary)),
            ("is_scrollable", flags(|_| false)),
            ("creation_time", instants(rows.iter().map(|row| row.declared_at))),
        ];
        standard::filled(schema, &columns)
    }
}

fn texts<'a>(values: impl Iterator<Item = &'a str>) -> ArrayRef {
    std::sync::Arc::new(StringArray::from_iter_values(values))
}

fn instants(values: impl Iterator<Item = DateTime<Utc>>) -> ArrayRef {
    let values = values.map(|at| at.timestamp_micros());
    let values = TimestampMicrosecondArray::from_iter_values(values);
    std::sync::Arc::new(values.with_timezone("UTC"))
}

#[cfg(test)]
mod tests {
    use super::super::system;
    use super::*;

    #[test]
    fn what_is_open_has_a_row() {
        let open = Open::default();
        let statement = OpenStatement {
            name: "by_id".into(),
            statement: "SELECT $1".into(),
            prepared_at: Utc::now(),
            parameters: vec![23],
            is_from_sql: true,
        };
        open.put(vec![statement], vec![]);
        let schema = system::view("pg_prepared_statements").expect("a view");
        let rows = open.statements(&schema, |oid| format!("type {oid}")).expect("rows");
        assert_eq!(rows.num_rows(), 1);
        assert!(rows.columns().iter().all(|column| column.null_count() == 0));
        let schema = system::view("pg_cursors").expect("a view");
        assert_eq!(open.cursors(&schema).expect("rows").num_rows(), 0);
        assert!(Open::is_asked_by("select * from PG_CURSORS"));
        assert!(!Open::is_asked_by("select 1"));
    }
}
