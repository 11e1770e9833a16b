//! What one role may see and change: settled at login, asked by every statement.

use std::collections::BTreeSet;

/// What a role is held to; `None` leaves what the configuration says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Limits {
    /// Connections open at once (count).
    pub connections_max: Option<usize>,
    /// Queries that run at once (count).
    pub queries_running_max: Option<usize>,
    /// Time a statement may run (ms); a session can lower it and not raise it.
    pub statement_timeout_ms_max: Option<u64>,
    /// Memory one query may hold (bytes).
    pub memory_query_bytes_max: Option<usize>,
    /// Rows of one result (count).
    pub result_rows_max: Option<u64>,
    /// Tables in the schemas the role owns, together (bytes).
    pub scratch_bytes_max: Option<u64>,
}

/// The rights of one session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    role: String,
    /// Schemas whose tables and views the role makes, changes and drops.
    owned: BTreeSet<String>,
    limits: Limits,
}

impl Access {
    /// Reads everything and writes nothing, as `role`.
    pub fn reading(role: &str) -> Self {
        Self { role: role.to_owned(), owned: BTreeSet::new(), limits: Limits::default() }
    }

    /// The same rights, and `schema` to keep tables and views of its own in.
    #[must_use]
    pub fn owning(mut self, schema: &str) -> Self {
        self.owned.insert(schema.to_owned());
        self
    }

    /// What the role is held to.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Name of the role.
    pub fn role(&self) -> &str {
        &self.role
    }

    /// Whether it runs the server.
    pub fn is_admin(&self) -> bool {
        false
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
