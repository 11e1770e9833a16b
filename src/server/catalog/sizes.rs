//! How large things are: from what the lake's log says of the files of a table.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::catalog::TableProvider;
use datafusion::common::ScalarValue;
use datafusion::common::stats::Precision;
use futures::FutureExt;

use super::functions::{Registrar, number};
use super::names::Names;
use super::oids::Object;

/// Bytes of a page, in which Postgres counts.
const PAGE_BYTES: u64 = 8_192;

/// What the log says of a table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Size {
    /// Rows (count); `None` if nobody counted.
    pub(super) rows: Option<u64>,
    /// Bytes of its files, as they are stored.
    pub(super) bytes: u64,
}

impl Size {
    pub(super) fn of(table: &dyn TableProvider) -> Self {
        let Some(statistics) = table.statistics() else { return Self::default() };
        let known = |figure: Precision<usize>| figure.get_value().map(|value| *value as u64);
        Self {
            rows: known(statistics.num_rows),
            bytes: known(statistics.total_byte_size).unwrap_or_default(),
        }
    }

    /// Pages (count), as `pg_class` has them.
    pub(super) fn pages(&self) -> i32 {
        i32::try_from(self.bytes.div_ceil(PAGE_BYTES)).unwrap_or(i32::MAX)
    }
}

/// Registers the functions that tell sizes.
pub(super) fn register(registrar: &Registrar<'_>, names: &Arc<Names>) {
    for name in ["pg_relation_size", "pg_total_relation_size", "pg_table_size"] {
        let names = names.clone();
        registrar.add(name, &[1, 2], DataType::Int64, move |given, options| {
            let oid = names.relation_number(given.first(), options);
            ScalarValue::Int64(oid.and_then(|oid| relation(&names, oid)))
        });
    }
    // A key is how rows are found when they are written; no file is kept for it.
    registrar.add("pg_indexes_size", &[1], DataType::Int64, |_, _| ScalarValue::Int64(Some(0)));
    for name in ["pg_database_size", "pg_tablespace_size"] {
        let names = names.clone();
        registrar
            .add(name, &[1], DataType::Int64, move |_, _| ScalarValue::Int64(Some(whole(&names))));
    }
    registrar.add("pg_size_pretty", &[1], DataType::Utf8, |given, _| {
        ScalarValue::Utf8(number(given.first()).map(pretty_size))
    });
}

/// Bytes of a table; 0 for what is stored nowhere, `None` for no relation.
fn relation(names: &Names, oid: i64) -> Option<i64> {
    if super::system::name(oid).is_some() {
        return Some(0);
    }
    let Object::Relation(schema, table) = names.oids.object(oid)? else { return None };
    let Some(schema) = names.database.upgrade()?.schema(&schema) else { return Some(0) };
    // A table is at hand; a view that was not planned yet has no size anyway.
    let found = schema.table(&table).now_or_never().and_then(Result::ok).flatten();
    Some(found.map_or(0, |table| Size::of(table.as_ref()).bytes as i64))
}

fn whole(names: &Names) -> i64 {
    let Some(database) = names.database.upgrade() else { return 0 };
    let schemas = database.schema_names().into_iter();
    let schemas = schemas
        .filter(|name| ![super::PG_CATALOG, super::INFORMATION_SCHEMA].contains(&name.as_str()));
    let tables = schemas.filter_map(|name| database.schema(&name)).flat_map(|schema| {
        let names = schema.table_names().into_iter();
        names
            .filter_map(move |name| {
                schema.table(&name).now_or_never().and_then(Result::ok).flatten()
            })
            .collect::<Vec<_>>()
    });
    tables.map(|table| Size::of(table.as_ref()).bytes as i64).sum()
}

/// Bytes as `pg_size_pretty` writes them: the largest unit that leaves two digits or more.
fn pretty_size(bytes: i64) -> String {
    let units = ["bytes", "kB", "MB", "GB", "TB", "PB"];
    let (mut size, mut at) = (bytes, 0);
    while size.abs() >= 10 * 1_024 && at + 1 < units.len() {
        size = (size + 512 * size.signum()) / 1_024;
        at += 1;
    }
    format!("{size} {}", units[at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_written_with_two_digits_or_more() {
        for (bytes, text) in [
            (0, "0 bytes"),
            (10_239, "10239 bytes"),
            (10_240, "10 kB"),
            (123_456_789, "118 MB"),
            (-20_480, "-20 kB"),
        ] {
            assert_eq!(pretty_size(bytes), text);
        }
        assert_eq!(Size { rows: None, bytes: 8_193 }.pages(), 2);
    }
}
