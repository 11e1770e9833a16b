//! Which canonical columns the mappings of each CRM fill.

use std::collections::BTreeSet;

use super::datasets::{self, TEMPLATE};
use crate::error::Result;
use crate::schema::{self, LINEAGE};

/// How a column of a canonical table gets its values, for one CRM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filled {
    /// The CRM's own mapping fills it.
    Mapping,
    /// A spreadsheet beside the export can bring it.
    Spreadsheet,
    /// Nothing does.
    No,
}

impl Filled {
    /// One word for a table.
    pub fn word(self) -> &'static str {
        match self {
            Self::Mapping => "mapping",
            Self::Spreadsheet => "sheet",
            Self::No => "-",
        }
    }
}

/// One column of a canonical table.
#[derive(Debug)]
pub struct Coverage {
    /// Table of schema `crm`.
    pub table: &'static str,
    /// Column of it; lineage is left out.
    pub column: &'static str,
    /// One a CRM, in the order of [`super::crms`].
    pub by_crm: Vec<Filled>,
}

/// Every column of every canonical table, in the order of the schema.
///
/// # Errors
/// Those of a mapping that is not valid.
pub fn coverage() -> Result<Vec<Coverage>> {
    let mut filled: Vec<(BTreeSet<(&str, String)>, BTreeSet<(&str, String)>)> = Vec::new();
    for crm in datasets::crms() {
        let (mut own, mut sheets) = (BTreeSet::new(), BTreeSet::new());
        for mapping in datasets::load(&crm)?.mappings {
            let is_sheet = crm != TEMPLATE && mapping.name.starts_with(TEMPLATE);
            let into = if is_sheet { &mut sheets } else { &mut own };
            for column in mapping.branches.iter().flat_map(|branch| &branch.fills) {
                into.insert((mapping.table.name, column.clone()));
            }
        }
        filled.push((own, sheets));
    }
    let mut rows = Vec::new();
    for table in schema::tables() {
        let is_own = |name: &str| !LINEAGE.iter().any(|column| column.name == name);
        for column in table.columns.iter().filter(|column| is_own(column.name)) {
            let key = (table.name, column.name.to_owned());
            let by_crm = filled.iter().map(|(own, sheets)| match () {
                () if own.contains(&key) => Filled::Mapping,
                () if sheets.contains(&key) => Filled::Spreadsheet,
                () => Filled::No,
            });
            rows.push(Coverage {
                table: table.name,
                column: column.name,
                by_crm: by_crm.collect(),
            });
        }
    }
    Ok(rows)
}
