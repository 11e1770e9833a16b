//! Where names without a schema are looked for: temporary tables, the search path, schemas of the role.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::catalog::CatalogProvider;
use datafusion::sql::sqlparser::ast::{
    Ident, ObjectName, ObjectNamePart, Query, Statement, VisitMut, VisitorMut,
};

use super::overlay::TEMPORARY;

/// The schemas in the order in which they are searched.
pub(super) struct Search {
    /// The database.
    pub(super) tables: Arc<dyn CatalogProvider>,
    /// Temporary tables.
    pub(super) temporary: BTreeSet<String>,
    /// Schema that the planner takes by itself.
    pub(super) first: String,
    /// Schemas after it.
    pub(super) others: Vec<String>,
    /// Whether names in the first schema are written out too.
    pub(super) writes_all: bool,
}

impl Search {
    /// Schema in which the relation called `name` is found.
    pub(super) fn schema_of(&self, name: &str) -> Option<String> {
        if self.temporary.contains(name) {
            return Some(TEMPORARY.to_owned());
        }
        let has = |schema: &str| {
            self.tables.schema(schema).is_some_and(|schema| schema.table_exist(name))
        };
        if has(&self.first) {
            return Some(self.first.clone());
        }
        self.others.iter().find(|schema| has(schema)).cloned()
    }
}

/// Puts schemas before the names in `statement` that the planner would not find, or find elsewhere.
pub(super) fn qualify(statement: &mut Statement, search: &Search) {
    if search.temporary.is_empty() && search.others.is_empty() && !search.writes_all {
        return;
    }
    let mut named = Named::default();
    let _ = VisitMut::visit(statement, &mut named);
    let mut names = Names { search, named: named.0 };
    let _ = VisitMut::visit(statement, &mut names);
}

/// Names that WITH gives.
#[derive(Default)]
struct Named(BTreeSet<String>);

impl VisitorMut for Named {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        let tables = query.with.iter().flat_map(|with| &with.cte_tables);
        self.0.extend(tables.map(|table| folded(&table.alias.name)));
        ControlFlow::Continue(())
    }
}

struct Names<'a> {
    search: &'a Search,
    named: BTreeSet<String>,
}

impl VisitorMut for Names<'_> {
    type Break = ();

    fn pre_visit_relation(&mut self, relation: &mut ObjectName) -> ControlFlow<()> {
        if let [part] = relation.0.as_slice()
            && let Some(name) = part.as_ident().map(folded)
            && !self.named.contains(&name)
            && let Some(schema) = self.search.schema_of(&name)
            && (schema != self.search.first || self.search.writes_all)
        {
            relation.0.insert(0, ObjectNamePart::Identifier(Ident::with_quote('"', schema)));
        }
        ControlFlow::Continue(())
    }
}

fn folded(name: &Ident) -> String {
    match name.quote_style {
        Some(_) => name.value.clone(),
        None => name.value.to_lowercase(),
    }
}
