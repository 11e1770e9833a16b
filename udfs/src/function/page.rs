//! What a function says of itself: one source for SQL, the command line and the generated pages.

use datafusion_doc::{DocSection, Documentation};

/// The documentation of one function.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    /// Name in SQL.
    pub name: &'static str,
    /// Call with its arguments, optional ones in brackets.
    pub syntax: &'static str,
    /// One sentence: what it gives.
    pub summary: &'static str,
    /// The formula, or the rule.
    pub formula: &'static str,
    /// What NULL and nothing become.
    pub nulls: &'static str,
    /// What is refused.
    pub errors: &'static str,
    /// Where the formula is from.
    pub source: &'static str,
    /// A query that runs, and what it gives.
    pub example: (&'static str, &'static str),
    /// Arguments with meaning and unit, in order.
    pub arguments: &'static [(&'static str, &'static str)],
}

const SECTION: DocSection =
    DocSection { include: true, label: "Sales operations", description: None };

impl Page {
    /// The same as the engine's documentation.
    pub fn documentation(&self) -> Documentation {
        let description = format!(
            "{}\n\nFormula: {}\nNulls: {}\nErrors: {}\nSource: {}",
            self.summary, self.formula, self.nulls, self.errors, self.source
        );
        let mut builder = Documentation::builder(SECTION, description, self.syntax)
            .with_sql_example(self.example.0);
        for (name, meaning) in self.arguments {
            builder = builder.with_argument(*name, *meaning);
        }
        builder.build()
    }

    /// Names of the arguments, in order.
    pub fn argument_names(&self) -> Vec<String> {
        self.arguments.iter().map(|(name, _)| (*name).to_owned()).collect()
    }
}
