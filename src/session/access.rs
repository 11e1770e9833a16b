//! What one role may see and change: settled at login, asked by every statement.

use std::collections::BTreeSet;

/// The rights of one session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    role: String,
    /// Schemas whose tables and views the role makes, changes and drops.
    owned: BTreeSet<String>,
}

impl Access {
    /// Reads everything and writes nothing, as `role`.
    pub fn reading(role: &str) -> Self {
        Self { role: role.to_owned(), owned: BTreeSet::new() }
    }

    /// The same rights, and `schema` to keep tables and views of its own in.
    #[must_use]
    pub fn owning(mut self, schema: &str) -> Self {
        self.owned.insert(schema.to_owned());
        self
    }

    /// Name of the role.
    pub fn role(&self) -> &str {
        &self.role
    }

    /// Whether the role makes and drops what is in `schema`.
    pub fn owns(&self, schema: &str) -> bool {
        self.owned.contains(schema)
    }

    /// Schemas that the role owns, sorted.
    pub fn owned(&self) -> impl Iterator<Item = &str> {
        self.owned.iter().map(String::as_str)
    }
}
