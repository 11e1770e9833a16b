//! `FROM lead_model(relation, label, features, ...)`: the aggregate for each group, one row with its model.

use super::RelationFunction;
use super::arguments::{Arguments, last};
use crate::math::Fault;
use crate::models;

pub(super) const FUNCTION: RelationFunction = RelationFunction {
    name: "lead_model",
    summary: "Which leads convert, as learnt from those whose end is known?",
    rules: "the aggregate lead_model for each group",
    grain: "columns of group_by",
    units: "model JSON for lead_probability; row_count, unlabelled_count rows (count)",
    example: "SELECT model FROM lead_model(crm.leads, label => is_converted, features => (lead_source, industry, employees))",
    parameters: &["relation", "label", "features", "method", "version", "group_by", "decided_on"],
    needed: 3,
    meaning,
    select,
};

fn meaning(parameter: &str) -> &'static str {
    match parameter {
        "relation" => "name of a table or view, bare or quoted, or a subquery in parentheses",
        "label" => "column or expression: true for a lead that converted, NULL for an open one",
        "features" => "columns known when a lead is to be scored: (a, b) or 'a,b'",
        "decided_on" => {
            "column or expression: day on which the end of the row was known; the last is kept as trained_through"
        }
        "group_by" => {
            "columns that make the groups, each with a model of its own: a, (a, b) or 'a,b'"
        }
        other => {
            let known = models::lead_model::PAGE.arguments.iter();
            known.clone().find(|(name, _)| *name == other).map_or("", |(_, meaning)| meaning)
        }
    }
}

fn select(arguments: &Arguments<'_>) -> Result<String, Fault> {
    let (relation, label) = (arguments.relation()?, arguments.column("label")?);
    arguments.needed("features")?;
    let features = arguments.columns("features")?;
    if features.is_empty() {
        return Err(Fault("lead_model: features names no column".into()));
    }
    let pairs = features.iter().map(|feature| {
        let name = last(feature).trim_matches('"');
        format!("'{}', {feature}", name.replace('\'', "''"))
    });
    let pairs = pairs.collect::<Vec<_>>().join(", ");
    let groups = arguments.columns("group_by")?;
    let keys: String = groups.iter().map(|key| format!("{key}, ")).collect();
    let by = match groups.is_empty() {
        true => String::new(),
        false => format!(" GROUP BY {}", groups.join(", ")),
    };
    let (method, version) = (arguments.option("method"), arguments.option("version"));
    let decided_on = match arguments.has("decided_on") {
        true => format!(", {}", arguments.column("decided_on")?),
        false => String::new(),
    };
    Ok(format!(
        "SELECT {keys}lead_model({label}, named_struct({pairs}), {method}, {version}{decided_on}) AS model, \
         count({label}) AS row_count, count(*) - count({label}) AS unlabelled_count \
         FROM {relation}{by}"
    ))
}
