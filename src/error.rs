//! Every error Runrate can report, and the one table from errors to Postgres SQLSTATE codes and hints.
//!
//! `Display` prints only the error itself, in lower case and without a full stop, as Postgres does;
//! `main` and the server join the chain of sources with ": ".
//! A variant carries what a person needs to act: which file, line, table, column or setting.

use std::path::PathBuf;

use datafusion::common::SchemaError;
use datafusion::error::DataFusionError;

/// The result of anything in Runrate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, with the names a person needs to act on it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // the fields are named in each message
pub enum Error {
    /// A setting is missing, unknown or outside its limit; `key` is its full name and `origin` where it was read.
    #[error("setting {key} ({origin}): {reason}")]
    Setting { key: String, origin: String, reason: String },

    /// The operating system refused a file operation.
    #[error("cannot {action} {}", path.display())]
    File { action: &'static str, path: PathBuf, source: std::io::Error },

    /// A socket could not be bound or configured.
    #[error("cannot listen on {address}")]
    Listen { address: String, source: std::io::Error },

    /// A credential, key or certificate file cannot be trusted, so nothing starts.
    #[error("{}: {reason}", path.display())]
    Credential { path: PathBuf, reason: String },

    /// A role is missing, present already, or not usable.
    #[error("role \"{name}\" {reason}")]
    Role { name: String, reason: String },

    /// Another process holds the lake's writer lock.
    #[error("the lake is being written by {holder}; waited {waited_ms} ms")]
    LakeLocked { holder: String, waited_ms: u64 },

    /// The lake on disk was written by a version this binary cannot open.
    #[error("lake format {found} at {root} is not readable by this version, which knows {known}")]
    LakeFormat { root: String, found: String, known: String },

    /// A table, or a version of it, does not exist.
    #[error("relation \"{table}\" {reason}")]
    NoTable { table: String, reason: String },

    /// The Delta log or its files refused an operation on `table`.
    #[error("table {table}: {action} failed")]
    Delta {
        table: String,
        action: &'static str,
        #[source]
        source: Box<deltalake::DeltaTableError>,
    },

    /// A write met other writers on every attempt.
    #[error("table {table}: gave up after {attempts} conflicting attempts")]
    Conflict { table: String, attempts: usize },

    /// The object store failed.
    #[error("object store: cannot {action} {path}")]
    Store {
        action: &'static str,
        path: String,
        #[source]
        source: object_store::Error,
    },

    /// A live system cannot be asked, or stopped answering.
    #[error("{system}: cannot {action}")]
    System {
        system: String,
        action: &'static str,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    /// A source file cannot be read as its format from `line` on (1-based; 0 when the whole file is meant).
    #[error("{}:{line}: {reason}", path.display())]
    Source { path: PathBuf, line: u64, reason: String },

    /// An ingest was refused before anything was committed.
    #[error("ingest of {subject} refused: {reason}")]
    Refused { subject: String, reason: String },

    /// A lake, a backup or a place for one is not in the state that a command needs.
    #[error("{place}: {reason}")]
    Place { place: String, reason: String },

    /// A mapping or a report is not valid SQL, or does not produce the columns it must.
    #[error("{name}: {reason}")]
    Definition { name: String, reason: String },

    /// A statement or a value a client sent is not acceptable; `sqlstate` says which rule.
    #[error("{message}")]
    Statement { sqlstate: &'static str, message: String, hint: Option<String> },

    /// The engine refused or failed a query.
    #[error(transparent)]
    Query(Box<DataFusionError>),
}

impl From<DataFusionError> for Error {
    fn from(source: DataFusionError) -> Self {
        Self::Query(Box::new(source))
    }
}

impl From<datafusion::arrow::error::ArrowError> for Error {
    fn from(source: datafusion::arrow::error::ArrowError) -> Self {
        Self::Query(Box::new(source.into()))
    }
}

impl Error {
    /// A file operation that the operating system refused.
    pub fn file(action: &'static str, path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        Self::File { action, path: path.into(), source }
    }

    /// A failed operation on a Delta table.
    pub fn delta(
        table: impl ToString,
        action: &'static str,
        source: deltalake::DeltaTableError,
    ) -> Self {
        Self::Delta { table: table.to_string(), action, source: Box::new(source) }
    }

    /// A statement that a rule of the server or of the dialect refuses.
    pub fn statement(sqlstate: &'static str, message: impl Into<String>) -> Self {
        Self::Statement { sqlstate, message: message.into(), hint: None }
    }

    /// The five-character code a Postgres client gets.
    pub fn sqlstate(&self) -> &'static str {
        match self {
            Self::Setting { .. } => "F0000",
            Self::File { .. } | Self::Store { .. } => "58030",
            Self::Listen { .. } => "08000",
            Self::Credential { .. } | Self::Role { .. } => "28000",
            Self::LakeLocked { .. } => "55P03",
            Self::LakeFormat { .. } => "0A000",
            Self::NoTable { .. } => "42P01",
            Self::Delta { .. } | Self::System { .. } => "58030",
            Self::Conflict { .. } => "40001",
            Self::Source { .. } | Self::Refused { .. } => "22P04",
            Self::Place { .. } => "55000",
            Self::Definition { .. } => "42P17",
            Self::Statement { sqlstate, .. } => sqlstate,
            Self::Query(source) => engine_sqlstate(source),
        }
    }

    /// What to do about it, where that can be said in a line.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Statement { hint, .. } => hint.clone(),
            Self::LakeLocked { .. } => {
                Some("Wait for that process to end, or stop it, then run the command again.".into())
            }
            Self::LakeFormat { .. } => Some(
                "Open it with a newer runrate; there is no way back to an older format.".into(),
            ),
            Self::Conflict { .. } => Some("Run the command again; nothing was written.".into()),
            Self::Query(source) => engine_hint(source),
            _ if is_disk_full(&self.chain()) => Some(
                "Make room on the disk that the path is on, then run the same command again: \
                 what is there already is not doubled."
                    .into(),
            ),
            _ => None,
        }
    }

    /// This error and its causes, joined with ": ".
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut next = std::error::Error::source(self);
        while let Some(cause) = next {
            let line = cause.to_string();
            if !text.ends_with(&line) {
                text.push_str(": ");
                text.push_str(&line);
            }
            next = cause.source();
        }
        text
    }
}

/// Whether a disk had no room; libraries keep the number of the error to themselves.
fn is_disk_full(chain: &str) -> bool {
    ["No space left on device", "Disk quota exceeded"].iter().any(|text| chain.contains(text))
}

/// SQLSTATE of an engine error: by kind first, by its wording where the engine has no kind for it.
fn engine_sqlstate(error: &DataFusionError) -> &'static str {
    match error.find_root() {
        DataFusionError::SQL(..) => "42601",
        DataFusionError::SchemaError(schema, _) => match schema.as_ref() {
            SchemaError::FieldNotFound { .. } => "42703",
            SchemaError::AmbiguousReference { .. } => "42702",
            _ => "42701",
        },
        DataFusionError::ResourcesExhausted(_) => "53200",
        DataFusionError::NotImplemented(text) if text.contains("expression WindowFunction") => {
            "42P20"
        }
        DataFusionError::NotImplemented(_) => "0A000",
        DataFusionError::ArrowError(arrow, _) => arrow_sqlstate(arrow),
        DataFusionError::ObjectStore(_)
        | DataFusionError::IoError(_)
        | DataFusionError::ParquetError(_) => "58030",
        DataFusionError::External(source) => {
            source.downcast_ref::<Error>().map_or("XX000", Error::sqlstate)
        }
        DataFusionError::Plan(text) => plan_sqlstate(text),
        DataFusionError::Execution(text) => execution_sqlstate(text),
        DataFusionError::Configuration(_) => "22023",
        _ => "XX000",
    }
}

fn arrow_sqlstate(error: &datafusion::arrow::error::ArrowError) -> &'static str {
    use datafusion::arrow::error::ArrowError as A;
    match error {
        A::DivideByZero => "22012",
        A::ArithmeticOverflow(_) => "22003",
        // A number, and not a text, that does not fit.
        A::CastError(text)
            if text.starts_with("Can't cast value") || text.contains("is out of range") =>
        {
            "22003"
        }
        A::CastError(_) | A::ParseError(_) => "22P02",
        A::InvalidArgumentError(text) if text.contains("too large to store in a Decimal") => {
            "22003"
        }
        A::InvalidArgumentError(_) => "22023",
        A::ComputeError(text) if text.contains("square root of a negative") => "2201F",
        A::NotYetImplemented(_) => "0A000",
        A::ParquetError(_) | A::IoError(..) => "58030",
        _ => "XX000",
    }
}

fn plan_sqlstate(text: &str) -> &'static str {
    let lower = text.to_ascii_lowercase();
    let is_missing = lower.contains("table") && lower.contains("not found");
    if is_missing || lower.contains("failed to resolve schema") {
        "42P01"
    } else if lower.contains("invalid function")
        || lower.contains("no function matches")
        || lower.contains("function signature")
        || lower.contains("failed to coerce arguments")
    {
        "42883"
    } else if lower.contains("not implemented") || lower.contains("unsupported") {
        "0A000"
    } else if lower.contains("must appear in the group by")
        || lower.contains("aggregate function calls cannot be nested")
        || lower.contains("aggregate functions are not allowed in")
    {
        "42803"
    } else if lower.contains("operator does not exist")
        || lower.contains("cannot coerce arithmetic")
    {
        "42883"
    } else if lower.contains("order by column out of bounds")
        || lower.contains("cannot find column with position")
        || lower.contains("for select distinct, order by expressions")
    {
        "42P10"
    } else if lower.contains("non-boolean predicate") {
        "42804"
    } else if lower.contains("queries have different number of columns") {
        "42601"
    } else if lower.contains("limit must be") {
        "2201W"
    } else {
        "22023"
    }
}

fn execution_sqlstate(text: &str) -> &'static str {
    let lower = text.to_ascii_lowercase();
    if lower == "division by zero" {
        "22012"
    } else if lower.contains("returned more than one row") {
        "21000"
    } else if lower.contains("invalid input syntax") || lower.contains("malformed array") {
        "22P02"
    } else if lower.contains("invalid regular expression") {
        "2201B"
    } else if lower.contains("unable to parse date from") {
        "22008"
    } else if lower.contains("does not read as") {
        "22007"
    } else if lower.contains("square root of a negative") {
        "2201F"
    } else if lower.contains("cannot take logarithm of") {
        "2201E"
    } else if lower.contains("ntile requires a positive") {
        "22014"
    } else if lower.contains("negative substring length") || lower.contains("negative count not") {
        "22011"
    } else if lower.contains("out of range") {
        "22003"
    } else {
        "22023"
    }
}

fn engine_hint(error: &DataFusionError) -> Option<String> {
    match error.find_root() {
        DataFusionError::ResourcesExhausted(_) => {
            Some("Narrow the query, or raise memory_query_bytes_max in the configuration.".into())
        }
        DataFusionError::External(source) => source.downcast_ref::<Error>().and_then(Error::hint),
        _ => None,
    }
}
