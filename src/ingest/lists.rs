//! The functions of mappings that make several rows of one: text to a list of texts, for `unnest`.
//!
//! As with the functions of text, what cannot be read is handed on as it is, so that the check of
//! the column it lands in finds it; NULL gives no list, and so no row.
//!
//! | function | from | to |
//! |---|---|---|
//! | `json_elements(x)` | `[1, "a"]` | `1`, `a` |
//! | `days_between(a, b)` | two dates | every day from one to the other, both included |
//! | `property_states(x)` | HubSpot's `propertiesWithHistory` | one JSON object a state of the record |
//! | `stage_dates(x)` | columns `hs_v2_date_entered_<stage>` as JSON | one JSON object a stage entered |
//!
//! A state has `from`, `to` (absent while it lasts), `by`, and the values that the properties had.

use std::collections::BTreeMap;

use chrono_tz::Tz;
use datafusion::logical_expr::ScalarUDF;
use serde_json::{Map, Value};

use super::functions::{instant, text_of};
use super::parse;
use super::row_function::{self, Entry};

/// Most days that one row can become: 40 years.
const DAYS_MAX: i64 = 40 * 366;

const FUNCTIONS: &[Entry<Vec<String>>] = &[
    ("json_elements", 1, |args, _| Some(json_elements(args[0]?))),
    ("days_between", 2, |args, zone| Some(days_between(args[0]?, args[1]?, zone))),
    ("property_states", 1, |args, zone| Some(property_states(args[0]?, zone))),
    ("stage_dates", 1, |args, zone| Some(stage_dates(args[0]?, zone))),
];

/// The functions, for an ingest whose unmarked times are of `zone`.
pub(super) fn all(zone: Tz) -> impl Iterator<Item = ScalarUDF> {
    row_function::all(FUNCTIONS, zone)
}

fn json_elements(text: &str) -> Vec<String> {
    match serde_json::from_str(text) {
        Ok(Value::Array(elements)) => elements.iter().filter_map(text_of).collect(),
        _ => vec![text.to_owned()],
    }
}

fn days_between(from: &str, to: &str, zone: Tz) -> Vec<String> {
    match (parse::day(from, zone), parse::day(to, zone)) {
        (Ok(first), Ok(last)) if (last - first).num_days() < DAYS_MAX => {
            first.iter_days().take_while(|day| *day <= last).map(|day| day.to_string()).collect()
        }
        (Err(_), _) => vec![from.to_owned()],
        _ => vec![to.to_owned()],
    }
}

/// The states of a record whose properties each have a list of `{value, timestamp}`.
///
/// A state begins whenever a property changes; changes of one moment make one state.
fn property_states(text: &str, zone: Tz) -> Vec<String> {
    let Ok(Value::Object(properties)) = serde_json::from_str(text) else {
        return vec![text.to_owned()];
    };
    let mut changes: BTreeMap<String, Vec<(&str, &Value)>> = BTreeMap::new();
    for (name, versions) in &properties {
        for version in versions.as_array().into_iter().flatten() {
            let Some(at) = version.get("timestamp").and_then(text_of) else {
                return vec![text.to_owned()];
            };
            let at = instant(&at, zone).unwrap_or(at);
            changes.entry(at).or_default().push((name, version));
        }
    }
    let mut states = Vec::with_capacity(changes.len());
    let mut values: Map<String, Value> = Map::new();
    for (at, versions) in &changes {
        values.remove("by");
        for (name, version) in versions {
            match version.get("value").and_then(text_of).filter(|value| !value.is_empty()) {
                Some(value) => values.insert((*name).to_owned(), value.into()),
                None => values.remove(*name),
            };
            if let Some(by) = version.get("updatedByUserId").and_then(text_of) {
                values.insert("by".into(), by.into());
            }
        }
        let mut state = values.clone();
        state.insert("from".into(), at.as_str().into());
        states.push(state);
    }
    let ends: Vec<String> = changes.into_keys().skip(1).collect();
    for (state, end) in states.iter_mut().zip(ends) {
        state.insert("to".into(), end.into());
    }
    states.into_iter().map(|state| Value::from(state).to_string()).collect()
}

/// The stages that a deal entered, from its columns `hs_v2_date_entered_<stage>`.
fn stage_dates(text: &str, zone: Tz) -> Vec<String> {
    let Ok(Value::Object(columns)) = serde_json::from_str(text) else {
        return vec![text.to_owned()];
    };
    let date = |prefix: &str, stage: &str| {
        let name = format!("{prefix}{stage}");
        columns.iter().find(|(column, _)| column.to_lowercase() == name).and_then(|(_, at)| {
            text_of(at).map(|at| instant(&at, zone).unwrap_or(at)).filter(|at| !at.is_empty())
        })
    };
    let mut stages = Vec::new();
    for column in columns.keys().map(|column| column.to_lowercase()) {
        let Some(stage) = column.strip_prefix("hs_v2_date_entered_") else { continue };
        let Some(from) = date("hs_v2_date_entered_", stage) else { continue };
        let mut state = Map::new();
        state.insert("dealstage".into(), stage.into());
        state.insert("from".into(), from.into());
        if let Some(to) = date("hs_v2_date_exited_", stage) {
            state.insert("to".into(), to.into());
        }
        stages.push(Value::from(state).to_string());
    }
    stages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_property_history_is_one_state_a_moment() {
        let text = r#"{"dealstage":[{"value":"won","timestamp":"2024-03-01T00:00:00Z","updatedByUserId":7},
            {"value":"open","timestamp":"1704067200000"}],
            "amount":[{"value":"","timestamp":"2024-03-01T00:00:00Z"},{"value":"10","timestamp":"2024-02-01T00:00:00Z"}]}"#;
        assert_eq!(
            property_states(text, Tz::UTC),
            [
                r#"{"dealstage":"open","from":"2024-01-01T00:00:00.000000Z","to":"2024-02-01T00:00:00.000000Z"}"#,
                r#"{"amount":"10","dealstage":"open","from":"2024-02-01T00:00:00.000000Z","to":"2024-03-01T00:00:00.000000Z"}"#,
                r#"{"by":"7","dealstage":"won","from":"2024-03-01T00:00:00.000000Z"}"#,
            ]
        );
        assert_eq!(property_states("{broken", Tz::UTC), ["{broken"]);
        assert_eq!(property_states(r#"{"a":[{"value":"1"}]}"#, Tz::UTC).len(), 1);
    }

    #[test]
    fn stages_come_from_columns_named_after_them() {
        let text = r#"{"hs_v2_date_entered_1234":"1704067200000","HS_v2_date_exited_1234":"2024-02-01T00:00:00Z","colour":"teal","hs_v2_date_entered_5":""}"#;
        assert_eq!(
            stage_dates(text, Tz::UTC),
            [
                r#"{"dealstage":"1234","from":"2024-01-01T00:00:00.000000Z","to":"2024-02-01T00:00:00.000000Z"}"#
            ]
        );
    }

    #[test]
    fn what_is_no_list_is_handed_on() {
        assert_eq!(json_elements(r#"[1, "a", null]"#), ["1", "a"]);
        assert_eq!(json_elements("a;b"), ["a;b"]);
        assert_eq!(days_between("2024-02-28", "2024-03-01", Tz::UTC).len(), 3);
        assert_eq!(days_between("2024-02-28", "soon", Tz::UTC), ["soon"]);
        assert_eq!(days_between("2024-01-01", "9999-12-31", Tz::UTC), ["9999-12-31"]);
    }
}
