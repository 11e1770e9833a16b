//! The mappings that came with the program: one directory of `datasets/` a CRM.
//!
//! Every CRM takes the spreadsheets of `template` too: a mapping of that directory or, where there is
//! none, one made of the table's own columns.

use std::collections::{BTreeMap, BTreeSet};

use include_dir::{Dir, include_dir};
use sha2::{Digest, Sha256};

use super::mapping::Mapping;
use crate::error::{Error, Result};
use crate::schema::{self, LINEAGE, STAMPED};
use crate::source::Input;

static DATASETS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/datasets");

/// CRM whose files are named after canonical tables and have their columns.
pub(super) const TEMPLATE: &str = "template";

/// The mappings of one CRM.
#[derive(Debug)]
pub(super) struct Dataset {
    /// Name of the CRM.
    pub crm: String,
    /// In the order of the canonical tables.
    pub mappings: Vec<Mapping>,
    /// Rows that come with the mappings, as template files.
    pub seeds: Vec<Input>,
    /// Hash of all of it: another version loads a file again.
    pub version: String,
}

impl Dataset {
    /// The columns that mappings name, by object, all in lower case.
    pub(super) fn columns(&self) -> BTreeMap<String, BTreeSet<String>> {
        let mut columns: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for branch in self.mappings.iter().flat_map(|mapping| &mapping.branches) {
            for (object, named) in &branch.reads {
                columns.entry(object.clone()).or_default().extend(named.iter().cloned());
            }
        }
        columns
    }
}

/// Names of the CRMs, sorted; the spreadsheets of `template` among them.
pub fn crms() -> Vec<String> {
    let mut names: Vec<String> = DATASETS
        .dirs()
        .filter(|dir| dir.files().any(|file| file.path().extension().is_some_and(|e| e == "sql")))
        .filter_map(|dir| Some(dir.path().file_name()?.to_str()?.to_owned()))
        .collect();
    names.sort();
    names
}

/// Parses the mappings of every CRM.
///
/// # Errors
/// [`Error::Definition`] of the first that is not valid.
pub fn check() -> Result<()> {
    crms().iter().try_for_each(|crm| load(crm).map(drop))
}

/// The mappings of `crm`.
///
/// # Errors
/// [`Error::Refused`] for an unknown CRM, [`Error::Definition`] for a mapping that is not valid.
pub(super) fn load(crm: &str) -> Result<Dataset> {
    if !crms().iter().any(|known| known == crm) {
        let reason = format!("no such CRM; known: {}", crms().join(", "));
        return Err(Error::Refused { subject: crm.to_owned(), reason });
    }
    let mut hash = Sha256::new();
    let (mut mappings, mut seeds) = (Vec::new(), Vec::new());
    if let Some(dir) = DATASETS.get_dir(crm) {
        for table in schema::tables() {
            let name = format!("{crm}/{}.sql", table.name);
            let Some(file) = dir.get_file(&name) else { continue };
            let text = file.contents_utf8().ok_or_else(|| Error::Definition {
                name: name.clone(),
                reason: "is not UTF-8".into(),
            })?;
            hash.update(&name);
            hash.update(text);
            mappings.push(Mapping::parse(&name, table, text)?);
        }
        let files = dir.get_dir(format!("{crm}/seed")).into_iter().flat_map(Dir::files);
        for file in files {
            hash.update(file.contents());
            let name = file.path().to_str().unwrap_or("seed");
            seeds.push(Input::embedded(name, file.contents()));
        }
    }
    let driven: BTreeSet<String> =
        mappings.iter().flat_map(|m| &m.branches).flat_map(|b| b.reads.keys().cloned()).collect();
    for table in schema::tables() {
        let name = format!("{TEMPLATE}/{}.sql", table.name);
        let written = DATASETS.get_file(&name).and_then(|file| file.contents_utf8());
        if crm == TEMPLATE && written.is_some() {
            continue; // read above
        }
        let text = written.map_or_else(|| template(table), str::to_owned);
        let mut mapping = Mapping::parse(&name, table, &text)?;
        // What the CRM itself calls so is read as the CRM means it.
        mapping.branches.retain(|branch| !driven.contains(&branch.driver));
        mapping.requires.retain(|(object, _)| !driven.contains(&object.to_lowercase()));
        if !mapping.branches.is_empty() {
            hash.update(&text);
            mappings.push(mapping);
        }
    }
    let version: String = hash.finalize().iter().take(6).map(|b| format!("{b:02x}")).collect();
    Ok(Dataset { crm: crm.to_owned(), mappings, seeds, version })
}

/// The mapping of a file that already has the columns of `table`.
fn template(table: &schema::Table) -> String {
    let is_given = |name: &str| !STAMPED.contains(&name) && name != "extra";
    let columns: Vec<String> = table
        .all_columns()
        .filter(|column| is_given(column.name))
        .map(|column| format!("\"{0}\" AS {0}", column.name))
        .collect();
    let is_lineage = |name: &str| LINEAGE.iter().any(|column| column.name == name);
    let required: Vec<&str> = table
        .columns
        .iter()
        .filter(|column| column.is_required && !is_lineage(column.name))
        .map(|column| column.name)
        .collect();
    let (name, columns, required) = (table.name, columns.join(", "), required.join(", "));
    format!("-- requires: {name}({required})\nSELECT {columns} FROM {name}")
}
