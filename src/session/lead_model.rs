//! `FROM lead_model(relation, label, features, ...)`: a call of the aggregate `lead_model`, one row a
//! group with its model.

use std::collections::BTreeMap;

use datafusion::sql::sqlparser::ast::{Expr, Query, Statement};

use super::forecast::{column, columns, relation};
use super::limits;
use super::pages::{FunctionPage, bracketed};
use crate::error::{Error, Result};

/// Arguments in order; the first three are needed.
pub(super) const PARAMETERS: &[&str] =
    &["relation", "label", "features", "method", "version", "group_by"];

/// The SELECT that a call with `arguments` stands for.
pub(super) fn query(arguments: &BTreeMap<String, Expr>) -> Result<Query> {
    let needed = |name: &str| {
        let message = format!("lead_model: argument {name} is missing");
        arguments.get(name).ok_or_else(|| Error::statement("42883", message))
    };
    let (relation, label) = (relation(needed("relation")?)?, column(needed("label")?)?);
    let features = columns(needed("features")?)?;
    if features.is_empty() {
        return Err(Error::statement("22023", "lead_model: features names no column"));
    }
    let pairs = features.iter().map(|feature| {
        let name = feature.rsplit('.').next().unwrap_or(feature).trim_matches('"');
        format!("'{}', {feature}", name.replace('\'', "''"))
    });
    let pairs = pairs.collect::<Vec<_>>().join(", ");
    let option =
        |name: &str| arguments.get(name).map_or_else(|| "NULL".to_owned(), ToString::to_string);
    let groups = arguments.get("group_by").map(columns).transpose()?.unwrap_or_default();
    let keys: String = groups.iter().map(|key| format!("{key}, ")).collect();
    let by = match groups.is_empty() {
        true => String::new(),
        false => format!(" GROUP BY {}", groups.join(", ")),
    };
    let (method, version) = (option("method"), option("version"));
    let sql = format!(
        "SELECT {keys}lead_model({label}, named_struct({pairs}), {method}, {version}) AS model, \
         count({label}) AS row_count, count(*) - count({label}) AS unlabelled_count \
         FROM {relation}{by}"
    );
    match limits::parse(&sql, usize::MAX)?.pop() {
        Some(Statement::Query(query)) => Ok(*query),
        _ => Err(Error::statement("42601", "lead_model: arguments do not form a query")),
    }
}

/// What the function says of itself.
pub(super) fn page() -> FunctionPage {
    let meanings = [
        "name of a table or view, bare or quoted, or a subquery in parentheses",
        "column or expression: true for a lead that converted, NULL for an open one",
        "columns known when a lead is to be scored: (a, b) or 'a,b'",
        "scorecard (default)",
        "name of this version, kept in the model",
        "columns that make the groups, each with a model of its own: a, (a, b) or 'a,b'",
    ];
    let arguments = PARAMETERS.iter().zip(meanings);
    FunctionPage {
        name: "lead_model".into(),
        kind: "table",
        syntax: format!("lead_model({})", bracketed(PARAMETERS, 3)),
        summary: "Which leads convert, as learnt from those whose end is known?".into(),
        arguments: arguments.map(|(name, text)| ((*name).into(), text.into())).collect(),
        notes: vec![
            ("Rules", "the aggregate lead_model for each group".into()),
            ("Grain", "columns of group_by".into()),
            ("Units", "model JSON for lead_probability; row_count, unlabelled_count rows (count)".into()),
        ],
        example: "SELECT model FROM lead_model(crm.leads, label => is_converted, features => (lead_source, industry, employees))".into(),
        gives: None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::expand::TableFunctions;
    use super::*;

    #[test]
    fn features_become_a_struct() {
        let sql = "select * from lead_model((select * from l), label => won, \
                   features => (source, visits), group_by => 'segment')";
        let mut statement = limits::parse(sql, 1 << 20).expect(sql).remove(0);
        TableFunctions::new(vec![]).expect("none").expand(&mut statement).expect(sql);
        let sql = statement.to_string();
        let call = "lead_model(won, named_struct('source', source, 'visits', visits), NULL, NULL)";
        assert!(sql.contains(call), "{sql}");
        assert!(sql.contains("GROUP BY \"segment\""), "{sql}");
    }
}
