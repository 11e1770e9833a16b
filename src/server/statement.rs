//! What a statement asks for: a query, or one of the commands that a session answers itself.

use datafusion::sql::sqlparser::ast::{
    CloseCursor, ContextModifier, DiscardObject, Expr, Ident, ObjectName, Reset, Set, Statement,
    TransactionAccessMode, TransactionMode, Value,
};

use super::configure::Configure;
use super::copy::CopyOut;
use super::copy_in::CopyIn;
use super::cursors::{Declared, Fetch};
use super::encode::types::{self, PgType};
use super::materialize::Asked;
use super::names::folded;
use super::outbox::ColumnDescription;
use crate::error::Error;
use crate::session::{MOVED, Write};

/// A statement, sorted by who answers it.
#[derive(Debug, Clone)]
pub(super) enum Command {
    /// The engine; it refuses what does not only read.
    Query(Box<Statement>),
    /// `SET name = value`; `None` is DEFAULT.
    Set { name: String, value: Option<String>, is_local: bool },
    /// A setting that has the one value it can have.
    Accept(&'static str),
    /// `SELECT set_config('name', 'value', is_local)`.
    Configure(Configure),
    /// `SHOW name`.
    Show(String),
    /// `SHOW ALL`.
    ShowAll,
    /// `RESET name`, or all settings.
    Reset(Option<String>),
    /// `DISCARD` of all, or of one kind of thing.
    Discard(Discarded),
    /// `BEGIN`, and whether it is to read only, if it says so.
    Begin { is_read_only: Option<bool> },
    /// `SET TRANSACTION`, or of all transactions to come.
    SetTransaction { is_read_only: Option<bool>, is_session: bool },
    /// `COMMIT`; with CHAIN the next transaction begins at once.
    Commit { is_chained: bool },
    /// `ROLLBACK`.
    Rollback { is_chained: bool },
    /// `SAVEPOINT`.
    Savepoint(String),
    /// `RELEASE SAVEPOINT`.
    Release(String),
    /// `ROLLBACK TO SAVEPOINT`.
    RollbackTo(String),
    /// `PREPARE`.
    Prepare { name: String, types: Vec<String>, statement: Box<Statement> },
    /// `EXECUTE`.
    Execute { name: String, parameters: Vec<Expr> },
    /// `DEALLOCATE name`, or all.
    Deallocate(Option<String>),
    /// `DECLARE name CURSOR`.
    Declare(Declared),
    /// `FETCH` or `MOVE`.
    Fetch(Fetch),
    /// `CLOSE name`, or all.
    Close(Option<String>),
    /// `COPY ... TO STDOUT`.
    Copy(CopyOut),
    /// `COPY ... FROM STDIN`.
    CopyIn(CopyIn),
    /// A write, which the session does if the role may.
    Write(Box<Statement>),
    /// `CALL materialize(...)`, `REFRESH MATERIALIZED VIEW`.
    Materialize(Asked),
    /// A statement that is known and does nothing here.
    Refused { sqlstate: &'static str, message: String },
}

impl Command {
    /// Sorts `statement`.
    pub(super) fn of(statement: Statement) -> Self {
        if let Some(configure) = Configure::of(&statement) {
            return Self::Configure(configure);
        }
        match statement {
            Statement::Set(set) => of_set(set),
            Statement::ShowVariable { variable } => of_show(&variable),
            Statement::Reset(reset) => Self::Reset(match reset.reset {
                Reset::ALL => None,
                Reset::ConfigurationParameter(name) => Some(plain(&name)),
            }),
            Statement::Discard { object_type } => Self::Discard(match object_type {
                DiscardObject::ALL => Discarded::All,
                DiscardObject::PLANS => Discarded::Plans,
                DiscardObject::SEQUENCES => Discarded::Sequences,
                DiscardObject::TEMP => Discarded::Temporary,
            }),
            Statement::StartTransaction { modes, .. } => {
                Self::Begin { is_read_only: read_only(&modes) }
            }
            Statement::Commit { chain, .. } => Self::Commit { is_chained: chain },
            Statement::Rollback { chain, savepoint: None } => Self::Rollback { is_chained: chain },
            Statement::Rollback { savepoint: Some(name), .. } => Self::RollbackTo(folded(&name)),
            Statement::Savepoint { name } => Self::Savepoint(folded(&name)),
            Statement::ReleaseSavepoint { name } => Self::Release(folded(&name)),
            Statement::Prepare { name, data_types, statement } => Self::Prepare {
                name: folded(&name),
                types: data_types.iter().map(ToString::to_string).collect(),
                statement,
            },
            Statement::Execute { name: Some(name), parameters, .. } => {
                Self::Execute { name: plain(&name), parameters }
            }
            Statement::Deallocate { name, .. } => Self::Deallocate(all_or(&name)),
            Statement::Close { cursor } => Self::Close(match cursor {
                CloseCursor::All => None,
                CloseCursor::Specific { name } => Some(folded(&name)),
            }),
            Statement::Declare { stmts } => Declared::of(stmts).map_or_else(refused, Self::Declare),
            Statement::Fetch { name, direction, into, .. } => {
                let is_move = into.is_some_and(|into| plain(&into) == MOVED);
                Fetch::of(folded(&name), direction, is_move).map_or_else(refused, Self::Fetch)
            }
            Statement::UNLISTEN { .. } => Self::Accept("UNLISTEN"),
            Statement::Call(call) => Asked::of(&call).map_or_else(refused, Self::Materialize),
            other if Write::of(&other).is_some() => Self::Write(Box::new(other)),
            other => match CopyOut::of(other) {
                Ok(copy) => copy.map_or_else(refused, Self::Copy),
                Err(statement) => match CopyIn::of(*statement) {
                    Ok(copy) => copy.map_or_else(refused, Self::CopyIn),
                    Err(query) => Self::Query(query),
                },
            },
        }
    }

    /// Columns of the rows that the session itself answers with; `None` if there are none.
    pub(super) fn columns(&self) -> Option<Vec<ColumnDescription>> {
        let text = |name: &str| ColumnDescription {
            name: name.to_owned(),
            pg_type: PgType { oid: types::TEXT, width: -1, modifier: -1 },
        };
        match self {
            Self::Configure(asked) => {
                Some(asked.settings.iter().map(|setting| text(&setting.column)).collect())
            }
            Self::Show(name) => Some(vec![text(name)]),
            Self::ShowAll => Some(["name", "setting", "description"].map(text).to_vec()),
            _ => None,
        }
    }

    /// Whether a failed transaction still takes it.
    pub(super) fn ends_transaction(&self) -> bool {
        matches!(self, Self::Commit { .. } | Self::Rollback { .. } | Self::RollbackTo(_))
    }
}

fn refused(error: Error) -> Command {
    Command::Refused { sqlstate: error.sqlstate(), message: error.to_string() }
}

/// What DISCARD names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Discarded {
    All,
    Plans,
    Sequences,
    Temporary,
}

/// READ ONLY or READ WRITE, if `modes` say either.
fn read_only(modes: &[TransactionMode]) -> Option<bool> {
    modes.iter().rev().find_map(|mode| match mode {
        TransactionMode::AccessMode(access) => Some(*access == TransactionAccessMode::ReadOnly),
        TransactionMode::IsolationLevel(_) => None,
    })
}

fn of_set(set: Set) -> Command {
    match set {
        Set::SingleAssignment { scope, variable, values, .. } => Command::Set {
            name: plain(&variable),
            value: value_text(&values),
            is_local: matches!(scope, Some(ContextModifier::Local)),
        },
        Set::SetTimeZone { local, value } => Command::Set {
            name: "TimeZone".into(),
            value: value_text(&[value]).filter(|text| !text.eq_ignore_ascii_case("local")),
            is_local: local,
        },
        Set::SetNames { charset_name, .. } => Command::Set {
            name: "client_encoding".into(),
            value: Some(charset_name.value),
            is_local: false,
        },
        Set::SetNamesDefault {} => {
            Command::Set { name: "client_encoding".into(), value: None, is_local: false }
        }
        Set::SetTransaction { modes, session, .. } => {
            Command::SetTransaction { is_read_only: read_only(&modes), is_session: session }
        }
        Set::SetRole { role_name: None, .. } => Command::Accept("SET"),
        other => Command::Refused {
            sqlstate: "42501",
            message: format!("permission denied: {other} is not allowed here"),
        },
    }
}

/// `SHOW TRANSACTION ISOLATION LEVEL`, `SHOW TIME ZONE`, `SHOW ALL`, `SHOW name`.
fn of_show(words: &[Ident]) -> Command {
    let name = words.iter().map(|word| word.value.as_str()).collect::<Vec<_>>().join(" ");
    match name.to_ascii_lowercase().as_str() {
        "all" => Command::ShowAll,
        "transaction isolation level" => Command::Show("transaction_isolation".into()),
        "time zone" => Command::Show("TimeZone".into()),
        "session authorization" => Command::Show("session_authorization".into()),
        _ => Command::Show(name.replace(' ', ".")),
    }
}

/// Names of more than one part are joined with full stops, as settings are written.
fn plain(name: &ObjectName) -> String {
    let parts = name.0.iter().map(|part| match part.as_ident() {
        Some(ident) => folded(ident),
        None => part.to_string(),
    });
    parts.collect::<Vec<_>>().join(".")
}

fn all_or(name: &Ident) -> Option<String> {
    let is_all = name.quote_style.is_none() && name.value.eq_ignore_ascii_case("all");
    (!is_all).then(|| folded(name))
}

/// The values of a SET as one text; `None` for DEFAULT.
fn value_text(values: &[Expr]) -> Option<String> {
    let texts: Vec<String> = values.iter().map(one_value).collect();
    match texts.as_slice() {
        [only] if only.eq_ignore_ascii_case("default") => None,
        _ => Some(texts.join(", ")),
    }
}

fn one_value(value: &Expr) -> String {
    match value {
        Expr::Value(literal) => match &literal.value {
            Value::SingleQuotedString(text) | Value::DoubleQuotedString(text) => text.clone(),
            other => other.to_string(),
        },
        Expr::Identifier(name) => name.value.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    use super::*;

    fn command(sql: &str) -> Command {
        let parsed = Parser::parse_sql(&PostgreSqlDialect {}, sql).expect(sql);
        Command::of(parsed.into_iter().next().expect("one statement"))
    }

    fn set(sql: &str) -> (String, Option<String>, bool) {
        match command(sql) {
            Command::Set { name, value, is_local } => (name, value, is_local),
            other => panic!("{sql}: {other:?}"),
        }
    }

    #[test]
    fn what_drivers_set_is_understood() {
        let plain = |name: &str, value: &str| (name.into(), Some(value.into()), false);
        assert_eq!(set("SET extra_float_digits = 3"), plain("extra_float_digits", "3"));
        assert_eq!(set("SET DateStyle TO 'ISO, DMY'"), plain("datestyle", "ISO, DMY"));
        assert_eq!(set("SET datestyle TO ISO, DMY"), plain("datestyle", "ISO, DMY"));
        assert_eq!(set("SET runrate.as_of = '2026-06-30'"), plain("runrate.as_of", "2026-06-30"));
        assert_eq!(set("SET TIME ZONE 'UTC'"), plain("TimeZone", "UTC"));
        assert_eq!(set("SET NAMES 'utf8'"), plain("client_encoding", "utf8"));
        assert_eq!(set("SET search_path = DEFAULT"), ("search_path".into(), None, false));
        assert!(set("SET LOCAL statement_timeout = 5").2);
    }

    #[test]
    fn session_commands_are_told_from_queries() {
        assert!(matches!(
            command("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"),
            Command::Begin { is_read_only: Some(true) }
        ));
        assert!(matches!(command("END"), Command::Commit { .. }));
        assert!(matches!(command("ROLLBACK TO SAVEPOINT a"), Command::RollbackTo(a) if a == "a"));
        assert!(matches!(command("DISCARD ALL"), Command::Discard(Discarded::All)));
        assert!(matches!(command("DEALLOCATE ALL"), Command::Deallocate(None)));
        assert!(matches!(command("CLOSE ALL"), Command::Close(None)));
        assert!(matches!(command("UNLISTEN *"), Command::Accept(_)));
        assert!(matches!(command("RESET ALL"), Command::Reset(None)));
        assert!(matches!(command("SHOW ALL"), Command::ShowAll));
        assert!(matches!(command("SHOW transaction isolation level"), Command::Show(n)
            if n == "transaction_isolation"));
        assert!(matches!(
            command("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY"),
            Command::SetTransaction { is_read_only: Some(true), is_session: true }
        ));
        assert!(matches!(command("SET ROLE postgres"), Command::Refused { .. }));
        assert!(matches!(command("DROP TABLE t"), Command::Write(_)));
        assert!(matches!(command("SELECT 1 INTO t"), Command::Write(_)));
        assert!(matches!(command("COPY t FROM STDIN"), Command::CopyIn(_)));
        assert!(matches!(command("COPY t FROM '/etc/passwd'"), Command::Query(_)));
        assert!(matches!(command("CALL materialize('a.b')"), Command::Materialize(_)));
        assert!(matches!(command("CALL other()"), Command::Refused { .. }));
    }
}
