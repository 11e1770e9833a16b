//! Headers as people see them: which column of a mapping a file's header stands for.
//!
//! A header is the column's name in any case, or the label that the mapping gives for it, or the name
//! with spaces (`Close Date` is `CloseDate`, `Hire Date` is `hire_date`), in this order. Whatever no mapping knows keeps its
//! name and goes to `extra`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Request;
use super::datasets::Dataset;
use super::export::Object;
use crate::error::{Error, Result};
use crate::source;

/// Labels of one object: label to column, in lower case.
type Labels<'a> = BTreeMap<&'a str, &'a str>;

/// Gives the columns of every file of `objects` the names that the mappings of `dataset` use.
///
/// # Errors
/// [`crate::error::Error::Source`] for a file two of whose headers stand for one column.
pub(super) fn resolve(
    dataset: &Dataset,
    objects: BTreeMap<String, Object>,
    notices: &mut Vec<String>,
) -> Result<BTreeMap<String, Arc<Object>>> {
    let columns = dataset.columns();
    // Rows of a look-up become no rows, so that what no mapping takes of them is kept nowhere.
    let drivers: BTreeSet<&String> = dataset
        .mappings
        .iter()
        .flat_map(|mapping| &mapping.branches)
        .map(|branch| &branch.driver)
        .collect();
    let mut resolved = BTreeMap::new();
    for (name, mut object) in objects {
        let known = columns.get(&name).cloned().unwrap_or_default();
        let labels: Labels<'_> = dataset
            .mappings
            .iter()
            .flat_map(|mapping| &mapping.labels)
            .filter(|(object, ..)| *object == name)
            .map(|(_, label, column)| (label.as_str(), column.as_str()))
            .collect();
        for file in &mut object.files {
            let named = named(&file.names, &known, &labels)
                .map_err(|reason| source::fault(file.input.path(), 1, reason))?;
            let unknown: Vec<&str> = named
                .iter()
                .zip(file.schema.fields())
                .filter(|(column, _)| !known.contains(*column))
                .map(|(_, field)| field.name().as_str())
                .collect();
            if !unknown.is_empty() && drivers.contains(&name) {
                notices.push(format!(
                    "{}: kept in extra, because no mapping takes it: {}",
                    file.input.path().display(),
                    unknown.join(", ")
                ));
            }
            file.names = named;
        }
        resolved.insert(name, Arc::new(object));
    }
    Ok(resolved)
}

/// Fails if rows are missing that were sent or columns that the request requires, or if these are
/// required of an object that no mapping reads.
pub(super) fn check_contract(
    dataset: &Dataset,
    objects: &BTreeMap<String, Arc<Object>>,
    request: &Request,
) -> Result<()> {
    let known = dataset.columns();
    let is_strange = |object: &str| !known.contains_key(&object.to_lowercase());
    if let Some((object, _)) = request.columns_required.iter().find(|(o, _)| is_strange(o)) {
        let known: Vec<&str> = known.keys().map(String::as_str).collect();
        let known = known.join(", ");
        let crm = &dataset.crm;
        let reason =
            format!("required_columns: no mapping of {crm} reads {object}; known: {known}");
        return Err(Error::Refused { subject: crm.clone(), reason });
    }
    objects.values().try_for_each(|object| {
        object.check_rows(&request.rows_expected)?;
        object.check_columns(&request.columns_required)
    })
}

/// The columns of each object that mappings take, comma-separated, by the object's label.
pub(super) fn taken(
    dataset: &Dataset,
    objects: &BTreeMap<String, Arc<Object>>,
) -> BTreeMap<String, String> {
    let columns = dataset.columns();
    let of = |(name, object): (&String, &Arc<Object>)| {
        let known = columns.get(name)?;
        let taken: Vec<String> = object.columns().intersection(known).cloned().collect();
        Some((object.label.clone(), taken.join(",")))
    };
    objects.iter().filter_map(of).collect()
}

/// A note for each object that has lost columns which the batch before had.
pub(super) fn lost(
    before: &BTreeMap<String, String>,
    now: &BTreeMap<String, String>,
) -> Vec<String> {
    let mut notes = Vec::new();
    for (object, now) in now {
        let now: BTreeSet<&str> = now.split(',').collect();
        let before = before.get(object).map_or("", String::as_str).split(',');
        let lost: Vec<&str> = before.filter(|c| !c.is_empty() && !now.contains(c)).collect();
        if !lost.is_empty() {
            let lost = lost.join(", ");
            notes.push(format!(
                "{object} has no {lost} any more, which the batch before had: NULL in these rows"
            ));
        }
    }
    notes
}

/// What each of `headers` (in lower case) is called by mappings that know the columns `known`.
fn named(
    headers: &[String],
    known: &BTreeSet<String>,
    labels: &Labels<'_>,
) -> Result<Vec<String>, String> {
    let mut taken: BTreeMap<String, &String> =
        headers.iter().filter(|h| known.contains(*h)).map(|h| (h.clone(), h)).collect();
    let mut names = Vec::with_capacity(headers.len());
    for header in headers {
        if known.contains(header) {
            names.push(header.clone());
            continue;
        }
        let words: Vec<&str> = header.split_whitespace().collect();
        let stands_for = match labels.get(header.as_str()) {
            Some(column) => Some((*column).to_owned()),
            None => ["", "_"].map(|gap| words.join(gap)).into_iter().find(|n| known.contains(n)),
        };
        match stands_for {
            // The name itself is there too: what the label holds stays in `extra`.
            Some(column) if headers.contains(&column) => names.push(header.clone()),
            Some(column) => {
                if let Some(other) = taken.insert(column.clone(), header) {
                    return Err(format!(
                        "headers \"{other}\" and \"{header}\" both stand for {column}; keep one"
                    ));
                }
                names.push(column);
            }
            None => names.push(header.clone()),
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(headers: &[&str]) -> Result<Vec<String>, String> {
        let headers: Vec<String> = headers.iter().map(|h| (*h).to_owned()).collect();
        let known = ["stagename", "closedate", "iswon", "hire_date"].map(str::to_owned).into();
        named(&headers, &known, &Labels::from([("stage", "stagename"), ("phase", "stagename")]))
    }

    #[test]
    fn names_labels_and_spaces_lead_to_one_column() {
        let wanted = ["stagename", "closedate", "iswon", "colour", "hire_date"];
        let headers = ["stage", "close date", "iswon", "colour", "hire date"];
        assert_eq!(name(&headers).expect("named"), wanted);
        // The name wins over its label, wherever it stands.
        assert_eq!(name(&["stage", "stagename"]).expect("named"), ["stage", "stagename"]);
    }

    #[test]
    fn two_labels_of_one_column_are_refused() {
        let reason = name(&["stage", "phase"]).expect_err("ambiguous");
        assert_eq!(reason, "headers \"stage\" and \"phase\" both stand for stagename; keep one");
    }
}
