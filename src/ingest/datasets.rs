//! The mappings that came with the program: one directory of `datasets/` a CRM.

use std::collections::BTreeSet;

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

/// Names of the CRMs, sorted; `template` among them.
pub fn crms() -> Vec<String> {
    let mut names: Vec<String> = DATASETS
        .dirs()
        .filter(|dir| dir.files().any(|file| file.path().extension().is_some_and(|e| e == "sql")))
        .filter_map(|dir| Some(dir.path().file_name()?.to_str()?.to_owned()))
        .collect();
    names.push(TEMPLATE.to_owned());
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
    for table in schema::tables().filter(|table| !driven.contains(table.name)) {
        let text = template(table);
        hash.update(&text);
        mappings.push(Mapping::parse(&format!("{TEMPLATE}/{}.sql", table.name), table, &text)?);
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
