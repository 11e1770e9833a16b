//! A person taken out of the lake: every table, every old version, the quarantine, and a receipt.
//!
//! A person is one or more e-mail addresses, contacts or leads.
//! What those find among contacts and leads leads to more of both: the other records of the address,
//! the contact that a lead became, the telephone numbers.
//! Then every stored cell is compared with all of them:
//!
//! - A contact, a lead, a campaign member or a touch of marketing is the person's own: the row goes.
//! - Another row of `crm` or `plan`, such as a call, belongs to the sales team: the cell is emptied, and
//!   with it subject, outcome and unmapped columns of the row.
//! - A row of any other schema (files as they were, reports, tables of analysts, the quarantine) is a
//!   copy: it goes.
//!
//! Last, all versions of the changed tables but the newest are removed, and the log with them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, StringArray};
use datafusion::arrow::compute::{cast, filter_record_batch};
use datafusion::arrow::datatypes::DataType;
use datafusion::arrow::error::ArrowError;
use serde::Serialize;

use crate::error::{Error, Result};
use crate::lake::{Batch, Lake, TableName, Writer};
use crate::schema::{CRM, OPS};

/// Tables of schema `crm` whose rows are of one person.
const OWN: &[&str] = &["contacts", "leads", "campaign_members", "engagement_events"];
/// Columns that say which person; the same number may be something else's in any other.
const PERSON: &[&str] = &["contact_id", "lead_id", "lead_or_contact_id", "converted_contact_id"];
/// Free text about whoever a row concerns.
const ABOUT: &[&str] = &["subject", "outcome", "extra"];
/// Shorter texts are too common to be looked for within others.
const WITHIN_CHARS_MIN: usize = 6;
/// Ids of this length are nothing else's, wherever they stand.
const UNIQUE_CHARS_MIN: usize = 15;

/// Whom to erase.
#[derive(Debug, Clone, Default)]
pub struct Person {
    /// E-mail addresses, in any case.
    pub emails: Vec<String>,
    /// Ids of contacts.
    pub contacts: Vec<String>,
    /// Ids of leads.
    pub leads: Vec<String>,
    /// Whether full names found with them are looked for too; another person may have the same.
    pub with_names: bool,
}

/// What was done to one table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Touched {
    /// Rows removed.
    pub rows_removed: u64,
    /// Rows that stay with cells emptied.
    pub rows_cleared: u64,
}

/// What an erasure did; it names nobody.
#[derive(Debug, Clone, Serialize)]
pub struct Receipt {
    /// Random number of the erasure.
    pub receipt_id: String,
    /// When it was done.
    pub erased_at: DateTime<Utc>,
    /// Whether nothing was changed.
    pub is_dry_run: bool,
    /// Contacts and leads that were found.
    pub records: u64,
    /// Tables that held something.
    pub tables: BTreeMap<String, Touched>,
}

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = if self.is_dry_run { "would be" } else { "were" };
        writeln!(f, "{} contacts and leads of the person found", self.records)?;
        for (table, touched) in &self.tables {
            let Touched { rows_removed, rows_cleared } = touched;
            writeln!(f, "{table}: {rows_removed} rows {verb} removed, {rows_cleared} cleared")?;
        }
        writeln!(f, "receipt {}", self.receipt_id)
    }
}

/// Takes `person` out of `lake`; with `is_dry_run` only says what that would change.
///
/// # Errors
/// [`Error::Refused`] if nobody is named; [`Error::Delta`] if a table cannot be read or written.
pub async fn erase(lake: &Lake, person: &Person, is_dry_run: bool) -> Result<Receipt> {
    let mut marks = Marks::of(person)?;
    let writer = lake.writer("erase").await?;
    let names = lake.tables().await?;
    let records = marks.follow(&writer, &names).await?;
    let receipt_id = number()?;
    let batch = Batch { id: format!("erase-{receipt_id}"), command: "erase".to_owned() };
    let marks = Arc::new(marks);
    let mut tables = BTreeMap::new();
    for name in names {
        let (rule, mut touched) = (Rule::of(&name), Touched::default());
        let count = |stored: &RecordBatch| {
            let judged = rule.judge(&marks, stored)?;
            touched.rows_removed += judged.removed() as u64;
            touched.rows_cleared += judged.cleared() as u64;
            Ok(judged.is_changed())
        };
        let files = writer.look_through(&name, count).await?;
        if files.is_empty() {
            continue;
        }
        if !is_dry_run {
            let marks = marks.clone();
            let change = move |stored| rule.judge(&marks, &stored)?.applied(&stored);
            writer.change(&name, &files, &batch, change).await?;
            writer.purge(&name).await?;
        }
        tables.insert(name.to_string(), touched);
    }
    Ok(Receipt { receipt_id, erased_at: Utc::now(), is_dry_run, records, tables })
}

fn number() -> Result<String> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(|error| Error::Refused {
        subject: "erase".to_owned(),
        reason: format!("the system gives no random numbers: {error}"),
    })?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// What a person is known by, all in lower case.
#[derive(Debug, Clone, Default)]
struct Marks {
    contacts: BTreeSet<String>,
    leads: BTreeSet<String>,
    /// Addresses, numbers and names: they may stand within a text.
    texts: BTreeSet<String>,
    with_names: bool,
}

impl Marks {
    fn of(person: &Person) -> Result<Self> {
        let refuse = |reason: &str| {
            let subject = "erase".to_owned();
            Error::Refused { subject, reason: reason.to_owned() }
        };
        let cleaned = |texts: &[String]| -> BTreeSet<String> {
            texts.iter().map(|text| text.trim().to_lowercase()).collect()
        };
        let marks = Self {
            contacts: cleaned(&person.contacts),
            leads: cleaned(&person.leads),
            texts: cleaned(&person.emails),
            with_names: person.with_names,
        };
        if marks.count() == 0 {
            return Err(refuse("name the person by --email, --contact or --lead"));
        }
        if !marks.texts.iter().all(|email| email.contains('@') && is_long(email)) {
            return Err(refuse("an e-mail address has an @ and at least six characters"));
        }
        if marks.contacts.iter().chain(&marks.leads).any(String::is_empty) {
            return Err(refuse("an id is not empty"));
        }
        Ok(marks)
    }

    fn count(&self) -> usize {
        self.contacts.len() + self.leads.len() + self.texts.len()
    }

    /// Adds what contacts and leads of the person tell of it, until they tell no more; how many
    /// there are.
    async fn follow(&mut self, writer: &Writer, tables: &[TableName]) -> Result<u64> {
        let told = ["contacts", "leads"].map(|table| TableName::new(CRM, table));
        loop {
            let (mut records, before) = (0, self.count());
            for name in told.iter().filter(|name| tables.contains(name)) {
                let learn = |stored: &RecordBatch| {
                    let found = self.learn(stored);
                    records += found;
                    Ok(found > 0)
                };
                writer.look_through(name, learn).await?;
            }
            if self.count() == before {
                return Ok(records);
            }
        }
    }

    /// Takes what the person's rows of `stored` tell; how many there are.
    fn learn(&mut self, stored: &RecordBatch) -> u64 {
        let names = ["contact_id", "converted_contact_id", "lead_id", "email", "phone"];
        let columns = names.map(|name| texts(stored, name));
        let full = ["first_name", "last_name"].map(|name| texts(stored, name));
        let mut records = 0;
        for row in 0..stored.num_rows() {
            let value = |column: &Option<StringArray>| {
                let column = column.as_ref().filter(|column| column.is_valid(row))?;
                Some(column.value(row).trim().to_lowercase()).filter(|text| !text.is_empty())
            };
            let [contact, converted, lead, email, phone] = columns.each_ref().map(value);
            let is_in = |set: &BTreeSet<String>, text: &Option<String>| {
                text.as_ref().is_some_and(|text| set.contains(text))
            };
            let is_person = is_in(&self.contacts, &contact)
                || is_in(&self.contacts, &converted)
                || is_in(&self.leads, &lead)
                || is_in(&self.texts, &email);
            if !is_person {
                continue;
            }
            records += 1;
            self.contacts.extend(contact.into_iter().chain(converted));
            self.leads.extend(lead);
            self.texts.extend(email.into_iter().chain(phone).filter(|text| is_long(text)));
            if self.with_names
                && let [Some(first), Some(last)] = full.each_ref().map(value)
            {
                self.texts.insert(format!("{first} {last}"));
            }
        }
        records
    }

    /// Whether the cell `text` of `column` is or names the person.
    fn meet(&self, column: &str, text: &str) -> bool {
        let text = text.trim().to_lowercase();
        let is_contact = || self.contacts.contains(&text);
        let is_lead = || self.leads.contains(&text);
        let is_id = match column {
            "contact_id" | "converted_contact_id" => is_contact(),
            "lead_id" => is_lead(),
            "lead_or_contact_id" => is_contact() || is_lead(),
            _ => text.len() >= UNIQUE_CHARS_MIN && (is_contact() || is_lead()),
        };
        is_id || self.texts.iter().any(|mark| text.contains(mark.as_str()))
    }

    /// Whether a whole record, which may hold ids, has the person in it.
    fn meet_within(&self, record: &str) -> bool {
        let record = record.to_lowercase();
        let ids = self.contacts.iter().chain(&self.leads);
        let mut marks = self.texts.iter().chain(ids.filter(|id| id.len() >= UNIQUE_CHARS_MIN));
        marks.any(|mark| record.contains(mark.as_str()))
    }
}

fn is_long(text: &str) -> bool {
    text.chars().count() >= WITHIN_CHARS_MIN
}

/// The column `name` of `batch` as text.
fn texts(batch: &RecordBatch, name: &str) -> Option<StringArray> {
    let column = batch.column_by_name(name)?;
    Some(cast(column, &DataType::Utf8).ok()?.as_string::<i32>().clone())
}

/// What becomes of a row that has the person in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    /// It goes if it is the person's, else the cell is emptied.
    Own,
    /// The cell is emptied.
    Business,
    /// It goes.
    Copy,
    /// It goes if what it holds encoded has the person in it.
    Quarantine,
}

impl Rule {
    fn of(name: &TableName) -> Self {
        match (name.schema.as_str(), name.table.as_str()) {
            (CRM, table) if OWN.contains(&table) => Self::Own,
            (CRM | "plan", _) => Self::Business,
            (OPS, "quarantine") => Self::Quarantine,
            _ => Self::Copy,
        }
    }

    fn judge(self, marks: &Marks, batch: &RecordBatch) -> std::result::Result<Judged, ArrowError> {
        let mut judged = Judged::new(batch);
        for (at, field) in batch.schema().fields().iter().enumerate() {
            let is_text = matches!(
                field.data_type(),
                DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
            );
            if !is_text {
                continue;
            }
            let cells = cast(batch.column(at), &DataType::Utf8)?;
            let cells = cells.as_string::<i32>();
            for row in (0..cells.len()).filter(|row| cells.is_valid(*row)) {
                let (cell, column) = (cells.value(row), field.name().as_str());
                let is_met = match column {
                    "raw_base64" if self == Self::Quarantine => STANDARD
                        .decode(cell)
                        .is_ok_and(|raw| marks.meet_within(&String::from_utf8_lossy(&raw))),
                    "extra" | "reason" => marks.meet_within(cell),
                    _ => marks.meet(column, cell),
                };
                if !is_met {
                    continue;
                }
                let is_own = self == Self::Own && (PERSON.contains(&column) || column == "email");
                if is_own || matches!(self, Self::Copy | Self::Quarantine) || !field.is_nullable() {
                    judged.is_kept[row] = false;
                } else {
                    judged.empty(at, row);
                }
            }
        }
        Ok(judged)
    }
}

/// What becomes of the rows of a batch.
struct Judged {
    is_kept: Vec<bool>,
    /// Cells to empty, by column.
    emptied: BTreeMap<usize, BTreeSet<usize>>,
    /// Columns that are emptied with any other of their row.
    about: Vec<usize>,
}

impl Judged {
    fn new(batch: &RecordBatch) -> Self {
        let schema = batch.schema();
        let about = ABOUT.iter().filter_map(|name| schema.index_of(name).ok());
        let is_kept = vec![true; batch.num_rows()];
        Self { is_kept, emptied: BTreeMap::new(), about: about.collect() }
    }

    fn empty(&mut self, column: usize, row: usize) {
        for column in self.about.iter().copied().chain([column]) {
            self.emptied.entry(column).or_default().insert(row);
        }
    }

    fn removed(&self) -> usize {
        self.is_kept.iter().filter(|is_kept| !**is_kept).count()
    }

    fn cleared(&self) -> usize {
        let rows: BTreeSet<usize> = self.emptied.values().flatten().copied().collect();
        rows.iter().filter(|row| self.is_kept[**row]).count()
    }

    fn is_changed(&self) -> bool {
        self.removed() + self.cleared() > 0
    }

    /// `batch` as it is to be.
    fn applied(self, batch: &RecordBatch) -> std::result::Result<RecordBatch, ArrowError> {
        let mut columns: Vec<ArrayRef> = batch.columns().to_vec();
        for (at, rows) in &self.emptied {
            let kind = columns[*at].data_type().clone();
            let cells = cast(&columns[*at], &DataType::Utf8)?;
            let cells = cells.as_string::<i32>().iter().enumerate();
            let left = cells.map(|(row, cell)| cell.filter(|_| !rows.contains(&row)));
            columns[*at] = cast(&left.collect::<StringArray>(), &kind)?;
        }
        let changed = RecordBatch::try_new(batch.schema(), columns)?;
        filter_record_batch(&changed, &BooleanArray::from(self.is_kept))
    }
}
