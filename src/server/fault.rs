//! An error as a client is told it: severity, SQLSTATE, one lower-case sentence, a hint.
//!
//! What the operating system or the object store says (paths, hosts) stays in the log.

use crate::error::Error;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Severity {
    /// Good to know.
    Notice,
    /// Worth knowing.
    Warning,
    /// The statement failed.
    Error,
    /// The connection ends.
    Fatal,
}

impl Severity {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Notice => "NOTICE",
            Self::Warning => "WARNING",
            Self::Error => "ERROR",
            Self::Fatal => "FATAL",
        }
    }
}

/// An error or notice, ready to be sent.
#[derive(Debug, Clone)]
pub(super) struct Fault {
    pub(super) severity: Severity,
    pub(super) sqlstate: String,
    pub(super) message: String,
    /// More of what is wrong.
    pub(super) detail: Option<String>,
    pub(super) hint: Option<String>,
    /// Where it happened.
    pub(super) context: Option<String>,
    /// Character of the statement, counted from 1.
    pub(super) position: Option<usize>,
}

impl Fault {
    /// An error of one statement.
    pub(super) fn error(sqlstate: &str, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            sqlstate: sqlstate.into(),
            message: message.into(),
            detail: None,
            hint: None,
            context: None,
            position: None,
        }
    }

    /// An error that ends the connection.
    pub(super) fn fatal(sqlstate: &str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Fatal, ..Self::error(sqlstate, message) }
    }

    /// A warning.
    pub(super) fn warning(sqlstate: &str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(sqlstate, message) }
    }

    /// A notice.
    pub(super) fn notice(sqlstate: &str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Notice, ..Self::error(sqlstate, message) }
    }

    /// The same, with more of what is wrong.
    pub(super) fn with_detail(self, detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()), ..self }
    }

    /// The same, with where it happened.
    pub(super) fn with_context(self, context: impl Into<String>) -> Self {
        Self { context: Some(context.into()), ..self }
    }

    /// The same, ending the connection.
    pub(super) fn into_fatal(self) -> Self {
        Self { severity: Severity::Fatal, ..self }
    }

    /// The same, with what to do about it.
    pub(super) fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::from(&error)
    }
}

impl From<&Error> for Fault {
    fn from(error: &Error) -> Self {
        let sqlstate = error.sqlstate();
        let (message, what) = match sqlstate {
            "58030" => ("the tables' storage could not be read", "storage failed"),
            "XX000" => ("internal error", "internal error"),
            _ => {
                let fault = Self::error(sqlstate, primary(&said(error)));
                return Self { hint: error.hint(), ..fault };
            }
        };
        // What happened may name paths, hosts and values: it stays here, and the client gets a number
        // by which it is found.
        let id = error_id();
        tracing::error!(error_id = id, error = error.chain(), "{what}");
        let hint = format!("The server's log says more under error id {id}.");
        Self::error(sqlstate, message).with_hint(hint)
    }
}

/// A number for one error, as 8 digits.
fn error_id() -> String {
    // Without randomness, which happens to nobody, all errors are called alike.
    let id = super::roles::random_bytes::<4>().map(u32::from_be_bytes).unwrap_or_default();
    format!("{id:08x}")
}

/// What is wrong, without the steps of the engine that met it.
fn said(error: &Error) -> String {
    match error {
        Error::Query(source) => {
            let said = source.find_root().to_string();
            let plainer = PLAINER.iter().find(|(part, _)| said.contains(part));
            plainer.map_or(said, |(_, plain)| (*plain).to_owned())
        }
        other => other.to_string(),
    }
}

/// A part of what the engine says of its plans, and what a person can do something about.
const PLAINER: &[(&str, &str)] = &[
    ("expression WindowFunction", "window functions are not allowed in WHERE"),
    (
        "expression OuterReferenceColumn",
        "a subquery of this form (with LIMIT, or in this place) cannot read columns of the query \
         around it: join with it, or number its rows, instead",
    ),
    ("expression Exists", "EXISTS is not supported in this place"),
];

/// What the engine puts before, and around, what it has to say.
const PREFIXES: &[&str] = &[
    "Error during planning: ",
    "Execution error: ",
    "Schema error: ",
    "SQL error: ",
    "External error: ",
    "Arrow error: ",
    "Optimizer rule ",
    "Resources exhausted: ",
    "This feature is not implemented: ",
    "Invalid or Unsupported Configuration: ",
    "Object Store error: ",
    "Cast error: ",
    "Parser error: ",
    "Compute error: ",
    "Invalid argument error: ",
    "Divide by zero error",
    "Arithmetic overflow: ",
    "Internal error: ",
];

/// The first paragraph of `text`, without the engine's prefixes, in lower case, without a full stop.
fn primary(text: &str) -> String {
    let mut rest = text.trim();
    // A function of ours refused its arguments: what it says is the message.
    const OURS: &str = "user-defined coercion failed with: Error during planning: ";
    if let Some((_, said)) = rest.split_once(OURS) {
        rest = said.split(". No function matches").next().unwrap_or(said);
        rest = rest.split(" No function matches").next().unwrap_or(rest).trim_end_matches('.');
    }
    while let Some(shorter) = PREFIXES.iter().find_map(|prefix| rest.strip_prefix(prefix)) {
        if shorter.is_empty() {
            return "division by zero".into();
        }
        rest = shorter.trim_start();
    }
    let end = ["\n\n", "\nbacktrace", ".\nThis issue was likely", "\nDiagnostic"]
        .iter()
        .filter_map(|mark| rest.find(mark))
        .min()
        .unwrap_or(rest.len());
    let rest = rest[..end].trim_end_matches(['.', '\n', ' ']);
    let mut characters = rest.chars();
    match (characters.next(), characters.clone().next()) {
        // An acronym or an identifier keeps its capitals.
        (Some(first), Some(second)) if first.is_uppercase() && second.is_lowercase() => {
            first.to_lowercase().chain(characters).collect()
        }
        _ => rest.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use datafusion::error::DataFusionError;

    use super::*;

    #[test]
    fn messages_are_short_and_lower_case() {
        let planning =
            DataFusionError::Plan("Invalid function 'foo'.\nDid you mean 'floor'?".into());
        let fault = Fault::from(Error::from(planning));
        assert_eq!(fault.sqlstate, "42883");
        assert_eq!(fault.message, "invalid function 'foo'.\nDid you mean 'floor'?");
        let zero = datafusion::arrow::error::ArrowError::DivideByZero;
        let fault = Fault::from(Error::from(zero));
        assert_eq!(
            (fault.sqlstate.as_str(), fault.message.as_str()),
            ("22012", "division by zero")
        );
        assert_eq!(primary("SQL error: CTE is unknown."), "CTE is unknown");
    }

    #[test]
    fn what_failed_inside_is_told_by_a_number_only() {
        let storage = Error::file("read", "/srv/lake/secret", std::io::Error::other("denied"));
        let ours = Error::statement("XX000", "assertion failed at /srv/lake/secret");
        let engines = DataFusionError::Internal("secret. This issue was likely caused by".into());
        for error in [storage, ours, Error::from(engines)] {
            let fault = Fault::from(error);
            let hint = fault.hint.expect("an id");
            assert!(!format!("{}{hint}", fault.message).contains("secret"), "{}", fault.message);
            assert!(!fault.message.contains("issue"), "{}", fault.message);
            let (_, id) = hint.split_once("error id ").expect("an id");
            assert_eq!(id.trim_end_matches('.').len(), 8, "{hint}");
        }
    }
}
