//! The money of a batch, by column and currency: what was read is what was loaded, quarantined or
//! known before.
//!
//! Amounts of different currencies are never added up. A record that is no row has no amount, and an
//! amount that is no number is in none of the sums: the row it stands in is counted and quarantined.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::AddAssign;
use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::datatypes::{DataType, Decimal128Type};
use datafusion::functions_aggregate::expr_fn::sum;
use datafusion::prelude::{cast, col, ident, lit};
use futures::TryStreamExt;

use crate::error::{Error, Result};
use crate::lake::{At, TableName};
use crate::schema::{CRM, Kind, Table};
use crate::session::Engine;

/// Hundredths by column and currency; the empty currency is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Sums(BTreeMap<(&'static str, String), i128>);

impl Sums {
    /// Adds the rows of `batch`, rows of `table`, that `is_wanted`.
    pub(super) fn add(
        &mut self,
        table: &'static Table,
        batch: &RecordBatch,
        is_wanted: impl Fn(usize) -> bool,
    ) {
        let Some(currency) = batch.column_by_name("currency") else { return };
        let Some(currency) = currency.as_string_opt::<i32>() else { return };
        for column in table.columns.iter().filter(|column| column.kind == Kind::Money) {
            let amounts = batch.column_by_name(column.name);
            let Some(amounts) = amounts.and_then(|a| a.as_primitive_opt::<Decimal128Type>()) else {
                continue;
            };
            // Most rows have the currency of the row before: one look-up for all of them.
            let mut run: Option<(&str, i128)> = None;
            for row in (0..batch.num_rows()).filter(|row| amounts.is_valid(*row)) {
                if !is_wanted(row) {
                    continue;
                }
                let code = if currency.is_valid(row) { currency.value(row) } else { "" };
                match &mut run {
                    Some((known, sum)) if *known == code => *sum += amounts.value(row),
                    _ => {
                        let before = run.replace((code, amounts.value(row)));
                        before.into_iter().for_each(|(code, sum)| self.put(column.name, code, sum));
                    }
                }
            }
            run.into_iter().for_each(|(code, sum)| self.put(column.name, code, sum));
        }
    }

    fn put(&mut self, column: &'static str, currency: &str, hundredths: i128) {
        match self.0.get_mut(&(column, currency.to_owned())) {
            Some(sum) => *sum += hundredths,
            None => drop(self.0.insert((column, currency.to_owned()), hundredths)),
        }
    }

    fn of(&self, key: &(&'static str, String)) -> i128 {
        self.0.get(key).copied().unwrap_or(0)
    }
}

impl AddAssign<&Sums> for Sums {
    fn add_assign(&mut self, other: &Sums) {
        for ((column, currency), hundredths) in &other.0 {
            self.put(column, currency, *hundredths);
        }
    }
}

/// What became of the money of one column and currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Money {
    /// Table, with its schema.
    pub table: String,
    /// Column of it.
    pub column: String,
    /// ISO 4217 code; empty where the rows name none.
    pub currency: String,
    /// Hundredths of all rows read.
    pub read: i128,
    /// Hundredths of the rows that are new or took an older one's place.
    pub loaded: i128,
    /// Hundredths of the rows left out as bad.
    pub quarantined: i128,
    /// Hundredths of the rows that the batch has newer or the table had already.
    pub duplicate: i128,
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { table, column, currency, .. } = self;
        let [read, loaded, quarantined, duplicate] =
            [self.read, self.loaded, self.quarantined, self.duplicate].map(amount);
        write!(
            f,
            "{table}.{column} {currency}: {read} read = {loaded} loaded + {quarantined} quarantined \
             + {duplicate} duplicates"
        )
    }
}

/// Hundredths as people write them.
fn amount(hundredths: i128) -> String {
    let sign = if hundredths < 0 { "-" } else { "" };
    let hundredths = hundredths.unsigned_abs();
    format!("{sign}{}.{:02}", hundredths / 100, hundredths % 100)
}

/// The money of the rows that one object brought to one table.
#[derive(Debug, Clone, Default)]
pub(super) struct Account {
    /// Of every row that the mapping made.
    pub read: Sums,
    /// Of the rows that failed a check, of this table or of another.
    pub quarantined: Sums,
    /// Of the rows that the batch has newer.
    pub repeated: Sums,
    /// Of the rows handed to the lake.
    pub sent: Sums,
    /// Rows of those that the lake had already (count).
    pub known_rows: u64,
}

/// What became of the money of `table` in the batch `batch_id`: what was loaded is asked of the lake.
///
/// # Errors
/// [`Error::Definition`] if money is unaccounted for.
pub(super) async fn settle(
    engine: &Arc<Engine>,
    table: &'static Table,
    batch_id: &str,
    accounts: &[&Account],
) -> Result<Vec<Money>> {
    let mut all = Account::default();
    for account in accounts {
        all.read += &account.read;
        all.quarantined += &account.quarantined;
        all.repeated += &account.repeated;
        all.sent += &account.sent;
        all.known_rows += account.known_rows;
    }
    if all.read.0.is_empty() {
        return Ok(vec![]);
    }
    let loaded = loaded(engine, table, batch_id).await?;
    let mut lines = Vec::new();
    for key in all.read.0.keys() {
        let line = Money {
            table: format!("{CRM}.{}", table.name),
            column: key.0.to_owned(),
            currency: key.1.clone(),
            read: all.read.of(key),
            loaded: loaded.of(key),
            quarantined: all.quarantined.of(key),
            duplicate: all.repeated.of(key) + all.sent.of(key) - loaded.of(key),
        };
        let is_balanced = line.read == line.loaded + line.quarantined + line.duplicate
            // Where rows met older ones, or those of another object, the rest were known.
            && (all.known_rows > 0 || accounts.len() > 1 || loaded.of(key) == all.sent.of(key));
        if !is_balanced {
            let reason = format!("money is unaccounted for: {line}");
            return Err(Error::Definition { name: line.table, reason });
        }
        lines.push(line);
    }
    Ok(lines)
}

/// The money of the rows of `batch_id` that the lake holds.
async fn loaded(engine: &Arc<Engine>, table: &'static Table, batch_id: &str) -> Result<Sums> {
    let mut sums = Sums::default();
    let found = engine.lake().table(&TableName::new(CRM, table.name), At::Latest).await?;
    let Some(found) = found else { return Ok(sums) };
    let columns: Vec<&'static str> = table
        .columns
        .iter()
        .filter(|column| column.kind == Kind::Money)
        .map(|column| column.name)
        .collect();
    let wide = DataType::Decimal128(38, 2);
    let total = columns.iter().map(|name| sum(cast(ident(*name), wide.clone())).alias(*name));
    let session = engine.session("ingest");
    let currency = cast(col("currency"), DataType::Utf8).alias("currency");
    let rows = session
        .context()
        .read_table(found.provider())?
        .filter(col("_batch_id").eq(lit(batch_id)))?
        .aggregate(vec![currency], total.collect())?;
    let rows: Vec<RecordBatch> =
        session.run(rows.into_unoptimized_plan()).await?.try_collect().await?;
    for batch in &rows {
        let currencies = batch.column(0).as_string::<i32>();
        for (n, name) in columns.iter().enumerate() {
            let amounts = batch.column(n + 1).as_primitive::<Decimal128Type>();
            for row in (0..batch.num_rows()).filter(|row| amounts.is_valid(*row)) {
                let code = if currencies.is_valid(row) { currencies.value(row) } else { "" };
                sums.put(name, code, amounts.value(row));
            }
        }
    }
    Ok(sums)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_written_with_their_cents() {
        let written = [0, 5, -5, 123_456, -100].map(amount);
        assert_eq!(written, ["0.00", "0.05", "-0.05", "1234.56", "-1.00"]);
    }

    #[test]
    fn currencies_are_kept_apart() {
        let mut sums = Sums::default();
        sums.put("amount", "EUR", 100);
        sums.put("amount", "USD", 7);
        sums.put("amount", "EUR", 50);
        let of = |currency: &str| sums.of(&("amount", currency.to_owned()));
        assert_eq!((of("EUR"), of("USD"), of("GBP")), (150, 7, 0));
    }
}
