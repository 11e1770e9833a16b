//! What one role may see and change: settled at login, asked by every statement.

use std::collections::BTreeSet;

/// The rights of one session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    role: String,
    /// Schemas whose tables and views the role makes, changes and drops.
    owned: BTreeSet<String>,
    /// Bytes that each of those may have; `None` is no limit.
    scratch_bytes_max: Option<u64>,
    /// Whether the role may write reports into `mart`.
    may_materialize: bool,
}

impl Access {
    /// Reads everything and writes nothing, as `role`.
    pub fn reading(role: &str) -> Self {
        Self {
            role: role.to_owned(),
            owned: BTreeSet::new(),
            scratch_bytes_max: None,
            may_materialize: false,
        }
    }

    /// The same rights, and `schema` to keep tables and views of its own in.
    #[must_use]
    pub fn owning(mut self, schema: &str) -> Self {
        self.owned.insert(schema.to_owned());
        self
    }

    /// The same rights, and at most `bytes` in each schema of its own.
    #[must_use]
    pub fn with_scratch_bytes_max(mut self, bytes: u64) -> Self {
        self.scratch_bytes_max = Some(bytes);
        self
    }

    /// The same rights, and that of writing reports into `mart`.
    #[must_use]
    pub fn materializing(mut self) -> Self {
        self.may_materialize = true;
        self
    }

    /// Bytes that each schema of its own may have; `None` is no limit.
    pub fn scratch_bytes_max(&self) -> Option<u64> {
        self.scratch_bytes_max
    }

    /// Whether the role may write reports into `mart`.
    pub fn may_materialize(&self) -> bool {
        self.may_materialize
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
