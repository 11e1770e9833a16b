//! Live systems: their objects are copied to files, and the files are read like any others.
//!
//! So a row that is bad has a line that can be looked at, a copy that broke off leaves nothing
//! loaded, and the ledger knows a batch by its bytes.

use std::path::Path;

use async_trait::async_trait;

use crate::error::Result;

/// An object as a copy that is about to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Name as the system spells it.
    pub name: String,
    /// Columns that a mapping reads, in lower case.
    pub columns: Vec<String>,
    /// What the last copy ended with; `None` copies everything.
    pub since: Option<String>,
}

/// What came of a copy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Copied {
    /// Rows that the system says there are, which the file must have.
    pub rows: u64,
    /// What the next copy begins with; `None` if the object has nothing to tell changes by.
    pub watermark: Option<String>,
}

/// A system to copy from, at one moment of it where it can offer that.
#[async_trait]
pub trait System: Send {
    /// Names, as the system spells them, of the objects in `known` (lower case) that it has.
    async fn objects(&mut self, known: &[String]) -> Result<Vec<String>>;

    /// Extension of the files that it writes.
    fn extension(&self) -> &'static str;

    /// Writes the rows of `wanted` that changed since then to the new file `to`.
    ///
    /// # Errors
    /// [`crate::error::Error::System`] if it cannot be asked or stops in the middle.
    async fn copy(&mut self, wanted: &Wanted, to: &Path) -> Result<Copied>;
}
