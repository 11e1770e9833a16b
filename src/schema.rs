//! The canonical CRM tables as data: the contract between `datasets/` (which fill them) and `sql/` (which read them).
//!
//! A table is a name, a primary key, foreign keys and columns; a column has a type, a unit where it
//! has one, and a meaning.
//! Every table ends with the [`LINEAGE`] columns, which ingest fills.
//! Nothing is ever hard-deleted: `is_deleted` marks a record its CRM no longer has, because reports
//! on the past need it.
//!
//! Conventions: ratios are fractions (0.25 is 25 %), money is `Decimal(18,2)` beside a `currency`
//! (ISO 4217), instants are UTC microseconds, a date is a date and never a midnight.

mod customers;
mod deals;
mod ledger;
mod people;
mod planning;

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

/// Schema of the canonical tables.
pub const CRM: &str = "crm";
/// Schema of the ingest ledger and quarantine.
pub const OPS: &str = "ops";
/// Schema of files loaded as they are.
pub const RAW: &str = "raw";
/// Schemas of the reports, a view each: the steps of the process and its restart.
pub const REPORTS: &[&str] = &["collect", "demand", "supply", "reconcile", "measure"];
/// Schema of materialized reports.
pub const MART: &str = "mart";

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text; identifiers are text too, leading zeros and case kept.
    Text,
    /// A whole number, 64 bits.
    Integer,
    /// A ratio, score or quantity, 64-bit float.
    Number,
    /// Money: decimal(18,2) in the row's `currency`.
    Money,
    /// A calendar date.
    Date,
    /// An instant, UTC, microseconds.
    Timestamp,
    /// True or false.
    Boolean,
}

impl Kind {
    /// The Arrow type that stores it.
    pub fn data_type(self) -> DataType {
        match self {
            Self::Text => DataType::Utf8,
            Self::Integer => DataType::Int64,
            Self::Number => DataType::Float64,
            Self::Money => DataType::Decimal128(18, 2),
            Self::Date => DataType::Date32,
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Self::Boolean => DataType::Boolean,
        }
    }
}

/// One column of a canonical table.
#[derive(Debug)]
pub struct Column {
    /// Name in SQL.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// False where NULL (unknown) is allowed.
    pub is_required: bool,
    /// Meaning and unit, shown as the column's comment.
    pub meaning: &'static str,
}

/// A column whose values are keys of another table.
#[derive(Debug)]
pub struct Reference {
    /// Column of this table.
    pub column: &'static str,
    /// Table of schema `crm` that it points to.
    pub table: &'static str,
    /// Column of that table.
    pub target: &'static str,
}

/// One canonical table.
#[derive(Debug)]
pub struct Table {
    /// Name in schema `crm`.
    pub name: &'static str,
    /// What one row is, shown as the table's comment.
    pub meaning: &'static str,
    /// Primary key; also the order of rows in its files and, after upkeep, from file to file: merges,
    /// joins and look-ups go by it, and ids of a CRM grow with time, so that recent rows are together.
    pub key: &'static [&'static str],
    /// Columns of its own, without [`LINEAGE`].
    pub columns: &'static [Column],
    /// Foreign keys, for BI tools that offer the joins.
    pub references: &'static [Reference],
}

pub(crate) const fn optional(name: &'static str, kind: Kind, meaning: &'static str) -> Column {
    Column { name, kind, is_required: false, meaning }
}

pub(crate) const fn required(name: &'static str, kind: Kind, meaning: &'static str) -> Column {
    Column { name, kind, is_required: true, meaning }
}

pub(crate) const fn reference(
    column: &'static str,
    table: &'static str,
    target: &'static str,
) -> Reference {
    Reference { column, table, target }
}

/// The columns that every canonical table ends with.
pub const LINEAGE: &[Column] = &[
    required("source_system", Kind::Text, "system the record came from, such as salesforce"),
    required("source_id", Kind::Text, "the record's id in that system"),
    required("is_deleted", Kind::Boolean, "true once the source has deleted or merged the record"),
    optional("updated_at", Kind::Timestamp, "last change in the source; the latest wins"),
    optional("extra", Kind::Text, "columns of the export that no canonical column takes, as JSON"),
    required("_ingested_at", Kind::Timestamp, "when the row was loaded"),
    required("_batch_id", Kind::Text, "batch that loaded the row; see ops.ingest_runs"),
];

/// Names of the lineage columns that ingest fills itself; a mapping gives the others.
pub const STAMPED: &[&str] = &["_ingested_at", "_batch_id"];

impl Table {
    /// Own columns, then lineage.
    pub fn all_columns(&self) -> impl Iterator<Item = &'static Column> {
        self.columns.iter().chain(LINEAGE)
    }

    /// The column called `name`.
    pub fn column(&self, name: &str) -> Option<&'static Column> {
        self.all_columns().find(|column| column.name == name)
    }

    /// The Arrow schema of the stored table.
    pub fn arrow_schema(&self) -> SchemaRef {
        fields(self.all_columns())
    }

    /// The Arrow schema of its own columns, without lineage.
    pub fn own_schema(&self) -> SchemaRef {
        fields(self.columns.iter())
    }
}

fn fields(columns: impl Iterator<Item = &'static Column>) -> SchemaRef {
    let field = |c: &Column| Field::new(c.name, c.kind.data_type(), !c.is_required);
    Arc::new(Schema::new(columns.map(field).collect::<Vec<_>>()))
}

/// The canonical tables, customers first, then deals, people and plans.
pub fn tables() -> impl Iterator<Item = &'static Table> {
    customers::TABLES.iter().chain(deals::TABLES).chain(people::TABLES).chain(planning::TABLES)
}

/// The tables of schema `ops`: the ledger of ingest and its quarantine.
///
/// They have no lineage columns: [`Table::own_schema`] is their whole schema.
pub fn ops_tables() -> impl Iterator<Item = &'static Table> {
    ledger::TABLES.iter()
}

/// The canonical table called `name`.
pub fn table(name: &str) -> Option<&'static Table> {
    tables().find(|table| table.name == name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn keys_and_references_name_columns_that_exist() {
        for table in tables() {
            assert!(!table.key.is_empty(), "{} has no key", table.name);
            for key in table.key {
                let column = table.column(key);
                assert!(column.is_some_and(|c| c.is_required), "{}.{key}", table.name);
            }
            for link in table.references {
                assert!(table.column(link.column).is_some(), "{}.{}", table.name, link.column);
                let target = super::table(link.table).and_then(|t| t.column(link.target));
                assert!(target.is_some(), "{} -> {}", table.name, link.table);
            }
        }
    }

    #[test]
    fn names_are_unique_and_money_has_a_currency() {
        let mut names = BTreeSet::new();
        for table in tables() {
            assert!(names.insert(table.name), "{} twice", table.name);
            let mut columns = BTreeSet::new();
            for column in table.all_columns() {
                assert!(columns.insert(column.name), "{}.{} twice", table.name, column.name);
                assert!(!column.meaning.is_empty(), "{}.{}", table.name, column.name);
            }
            if table.columns.iter().any(|c| c.kind == Kind::Money) {
                assert!(table.column("currency").is_some(), "{} has no currency", table.name);
            }
        }
    }
}
