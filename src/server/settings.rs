//! What SET, SHOW and RESET know: an allow-list, as a table.
//!
//! A name that is not in the table is refused, so that no setting of the engine can be reached.
//! Some settings change what the session does; the others are taken because drivers and tools send
//! them, and change nothing here that could be seen.

use std::collections::BTreeMap;

use chrono_tz::Tz;

use crate::config::Config;
use crate::error::{Error, Result};
use crate::session::Session;

/// Version that clients are told: of the Postgres whose behaviour is followed.
pub(super) const SERVER_VERSION: &str = concat!("15.8 (Runrate ", env!("CARGO_PKG_VERSION"), ")");

/// Which values a setting takes.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// None: it only shows.
    Fixed,
    Text,
    Boolean,
    Integer(i64, i64),
    /// Milliseconds, with or without a unit.
    Duration,
    /// One of these, in any case.
    Choice(&'static [&'static str]),
    /// Checked and kept by the session of the engine.
    Session,
}

/// A row of the table.
#[derive(Debug)]
struct Row {
    name: &'static str,
    default: &'static str,
    kind: Kind,
    /// Whether clients are told of changes.
    is_reported: bool,
    meaning: &'static str,
}

const fn row(
    name: &'static str,
    default: &'static str,
    kind: Kind,
    is_reported: bool,
    meaning: &'static str,
) -> Row {
    Row { name, default, kind, is_reported, meaning }
}

const UTF8: &[&str] = &["UTF8", "UTF-8", "UNICODE"];
const LEVELS: &[&str] =
    &["debug5", "debug4", "debug3", "debug2", "debug1", "log", "notice", "warning", "error"];
const ISOLATION: &[&str] =
    &["repeatable read", "serializable", "read committed", "read uncommitted"];

#[rustfmt::skip]
const ROWS: &[Row] = &[
    row("application_name", "", Kind::Text, true, "name of the client program"),
    row("bytea_output", "hex", Kind::Choice(&["hex"]), false, "how binary values are shown"),
    row("client_encoding", "UTF8", Kind::Choice(UTF8), true, "encoding of text; always UTF8"),
    row("client_min_messages", "notice", Kind::Choice(LEVELS), false, "taken, changes nothing"),
    row("DateStyle", "ISO, MDY", Kind::Text, true, "how dates are shown; always ISO"),
    row("block_size", "8192", Kind::Fixed, false, "bytes of a page, in which sizes are counted"),
    row("default_table_access_method", "heap", Kind::Fixed, false, "what tables are, as Postgres has it"),
    row("default_transaction_deferrable", "off", Kind::Boolean, false, "taken, changes nothing"),
    row("default_transaction_isolation", "repeatable read", Kind::Choice(ISOLATION), false, "taken: a transaction always reads one snapshot"),
    row("default_transaction_read_only", "on", Kind::Boolean, false, "whether transactions only read unless they say otherwise"),
    row("extra_float_digits", "1", Kind::Integer(-15, 3), false, "taken: floats are always shown so that they read back"),
    row("idle_in_transaction_session_timeout", "0", Kind::Duration, false, "taken; idle_in_transaction_timeout_ms of the server holds"),
    row("idle_session_timeout", "0", Kind::Duration, false, "taken; idle_timeout_ms of the server holds"),
    row("in_hot_standby", "off", Kind::Fixed, true, "whether this is a replica"),
    row("integer_datetimes", "on", Kind::Fixed, true, "how instants are sent in binary"),
    row("IntervalStyle", "postgres", Kind::Choice(&["postgres"]), true, "how intervals are shown"),
    row("is_superuser", "off", Kind::Fixed, true, "whether the role may do everything"),
    row("jit", "off", Kind::Boolean, false, "taken, changes nothing"),
    row("lc_collate", "C", Kind::Fixed, false, "order of text: by bytes"),
    row("lc_ctype", "C.UTF-8", Kind::Fixed, false, "character classes"),
    row("lc_messages", "C", Kind::Fixed, false, "language of messages"),
    row("lc_monetary", "C", Kind::Fixed, false, "how money is shown"),
    row("lc_numeric", "C", Kind::Fixed, false, "how numbers are shown"),
    row("lc_time", "C", Kind::Fixed, false, "how times are shown"),
    row("lock_timeout", "0", Kind::Duration, false, "taken: nothing waits for locks"),
    row("max_identifier_length", "63", Kind::Fixed, false, "bytes of a name"),
    row("max_index_keys", "32", Kind::Fixed, false, "columns of an index"),
    row("row_security", "on", Kind::Boolean, false, "taken, changes nothing"),
    row("runrate.as_of", "", Kind::Session, false, "date that reports are made for; empty is the newest one in the data"),
    row("runrate.lake_at", "", Kind::Session, false, "instant that the lake is read at; empty is now"),
    row("search_path", "crm, public", Kind::Session, false, "schema of names without one: the first that exists"),
    row("server_encoding", "UTF8", Kind::Fixed, true, "encoding of stored text"),
    row("server_version", SERVER_VERSION, Kind::Fixed, true, "version of Postgres that is followed"),
    row("server_version_num", "150008", Kind::Fixed, false, "the same as a number"),
    row("session_authorization", "", Kind::Fixed, true, "role that logged in"),
    row("standard_conforming_strings", "on", Kind::Choice(&["on"]), true, "a backslash in a string is a backslash"),
    row("statement_timeout", "0", Kind::Duration, false, "time a statement may take; the server's limit holds above it"),
    row("TimeZone", "UTC", Kind::Session, true, "zone that instants are shown in"),
    row("transaction_isolation", "repeatable read", Kind::Choice(ISOLATION), false, "taken: a transaction always reads one snapshot"),
    row("transaction_read_only", "on", Kind::Boolean, false, "whether this transaction only reads"),
];

/// A client's settings.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    values: BTreeMap<&'static str, String>,
    /// What RESET goes back to: the defaults and what the start-up message asked for.
    initial: BTreeMap<&'static str, String>,
    /// Values before the open transaction, if one is open.
    before: Option<BTreeMap<&'static str, String>>,
    /// Names set for the open transaction only.
    local: Vec<&'static str>,
}

impl Settings {
    /// The defaults for role `user` on a server of `config`.
    pub(super) fn new(user: &str, config: &Config) -> Self {
        let mut values: BTreeMap<_, _> =
            ROWS.iter().map(|row| (row.name, row.default.to_owned())).collect();
        values.insert("session_authorization", user.to_owned());
        values.insert("statement_timeout", show_duration(config.statement_timeout_ms));
        Self { initial: values.clone(), values, before: None, local: vec![] }
    }

    /// Sets `name` to `value` as SET does; the name as it is shown, and the value as it is kept.
    ///
    /// # Errors
    /// 42704 for a name that is not in the table, 55P02 for one that only shows, 22023 for a value
    /// it does not take.
    pub(super) fn set(
        &mut self,
        name: &str,
        value: &str,
        is_local: bool,
    ) -> Result<(&'static str, String)> {
        let row = find(name)?;
        let value = row.check(value)?;
        self.values.insert(row.name, value.clone());
        if is_local && self.before.is_some() {
            self.local.push(row.name);
        } else {
            // A later SET in the same transaction outlives it.
            self.local.retain(|other| *other != row.name);
        }
        Ok((row.name, value))
    }

    /// Whether statements that write are refused now.
    pub(super) fn is_read_only(&self) -> bool {
        let name = match self.before {
            Some(_) => "transaction_read_only",
            None => "default_transaction_read_only",
        };
        self.values.get(name).is_some_and(|value| value == "on")
    }

    /// Makes the values of now those that RESET goes back to.
    pub(super) fn keep_as_initial(&mut self) {
        self.initial = self.values.clone();
    }

    /// Sets `name` back; the name as it is shown, and its value.
    ///
    /// # Errors
    /// 42704 for a name that is not in the table.
    pub(super) fn reset(&mut self, name: &str) -> Result<(&'static str, String)> {
        let row = find(name)?;
        let value = self.initial.get(row.name).cloned().unwrap_or_default();
        self.values.insert(row.name, value.clone());
        Ok((row.name, value))
    }

    /// Value of `name`.
    ///
    /// # Errors
    /// 42704 for a name that is not in the table.
    pub(super) fn show(&self, name: &str) -> Result<(&'static str, &str)> {
        let row = find(name)?;
        Ok((row.name, self.values.get(row.name).map_or("", String::as_str)))
    }

    /// Name, value and meaning of every setting.
    pub(super) fn all(&self) -> impl Iterator<Item = (&'static str, &str, &'static str)> {
        ROWS.iter().map(|row| {
            (row.name, self.values.get(row.name).map_or("", String::as_str), row.meaning)
        })
    }

    /// Names and values that clients are told at the start.
    pub(super) fn reported(&self) -> impl Iterator<Item = (&'static str, &str)> {
        ROWS.iter()
            .filter(|row| row.is_reported)
            .map(|row| (row.name, self.values.get(row.name).map_or("", String::as_str)))
    }

    /// Milliseconds a statement may take; `None` is no limit.
    pub(super) fn statement_timeout_ms(&self, config: &Config) -> Option<u64> {
        let own = self.values.get("statement_timeout").and_then(|text| parse_duration(text));
        [own.unwrap_or(0), config.statement_timeout_ms].into_iter().filter(|ms| *ms > 0).min()
    }

    /// Remembers the values at the start of a transaction.
    pub(super) fn begin(&mut self) {
        self.before = Some(self.values.clone());
    }

    /// Ends the transaction: takes back what was LOCAL, or everything if it `failed`.
    ///
    /// Names and values that changed.
    pub(super) fn end(&mut self, has_failed: bool) -> Vec<(&'static str, String)> {
        let Some(before) = self.before.take() else { return vec![] };
        let local = std::mem::take(&mut self.local);
        let mut changes = vec![];
        for (name, former) in before {
            let is_undone = has_failed || local.contains(&name);
            if is_undone && self.values.get(name) != Some(&former) {
                self.values.insert(name, former.clone());
                changes.push((name, former));
            }
        }
        changes
    }
}

/// Whether clients are told of changes of `name`.
pub(super) fn is_reported(name: &str) -> bool {
    ROWS.iter().any(|row| row.name == name && row.is_reported)
}

/// Whether `name` is kept by the session of the engine.
pub(super) fn is_of_session(name: &str) -> bool {
    ROWS.iter().any(|row| row.name == name && matches!(row.kind, Kind::Session))
}

/// Zone that instants are shown in.
pub(super) fn zone(session: &Session) -> Tz {
    session.show("timezone").and_then(|name| name.parse().ok()).unwrap_or(Tz::UTC)
}

/// A setting as `pg_settings` lists it.
pub(super) struct Known {
    /// Name, as Postgres spells it.
    pub(super) name: &'static str,
    /// Value that sessions start from.
    pub(super) default: &'static str,
    /// Which values it takes: `bool`, `enum`, `integer` or `string`.
    pub(super) kind: &'static str,
    /// Whether nobody can change it.
    pub(super) is_fixed: bool,
    /// What it means here.
    pub(super) meaning: &'static str,
}

/// Every setting.
pub(super) fn known() -> impl Iterator<Item = Known> {
    ROWS.iter().map(|row| Known {
        name: row.name,
        default: row.default,
        kind: match row.kind {
            Kind::Boolean => "bool",
            Kind::Choice(_) => "enum",
            Kind::Integer(..) | Kind::Duration => "integer",
            Kind::Fixed | Kind::Text | Kind::Session => "string",
        },
        is_fixed: matches!(row.kind, Kind::Fixed),
        meaning: row.meaning,
    })
}

/// Names of all settings.
#[cfg(test)]
fn names() -> impl Iterator<Item = &'static str> {
    ROWS.iter().map(|row| row.name)
}

fn find(name: &str) -> Result<&'static Row> {
    ROWS.iter().find(|row| row.name.eq_ignore_ascii_case(name)).ok_or_else(|| {
        let message = format!("unrecognized configuration parameter \"{name}\"");
        Error::statement("42704", message)
    })
}

impl Row {
    fn check(&self, value: &str) -> Result<String> {
        let refuse = |hint: Option<String>| Error::Statement {
            sqlstate: "22023",
            message: format!("invalid value for parameter \"{}\": \"{value}\"", self.name),
            hint,
        };
        match self.kind {
            Kind::Fixed => {
                let message = format!("parameter \"{}\" cannot be changed", self.name);
                Err(Error::statement("55P02", message))
            }
            Kind::Text if self.name == "DateStyle" => date_style(value)
                .ok_or_else(|| refuse(Some("Only the ISO style is available.".into()))),
            Kind::Text | Kind::Session => Ok(value.to_owned()),
            Kind::Boolean => match value.to_ascii_lowercase().as_str() {
                "on" | "true" | "yes" | "1" | "t" => Ok("on".into()),
                "off" | "false" | "no" | "0" | "f" => Ok("off".into()),
                _ => Err(refuse(None)),
            },
            Kind::Integer(low, high) => match value.parse::<i64>() {
                Ok(number) if (low..=high).contains(&number) => Ok(number.to_string()),
                _ => Err(refuse(Some(format!("Give a number from {low} to {high}.")))),
            },
            Kind::Duration => parse_duration(value).map(show_duration).ok_or_else(|| {
                refuse(Some("Give milliseconds, or a number with us, ms, s, min, h or d.".into()))
            }),
            Kind::Choice(choices) => {
                let is_utf8 = std::ptr::eq(choices, UTF8);
                let found = choices.iter().find(|choice| choice.eq_ignore_ascii_case(value));
                let kept = found.map(|choice| if is_utf8 { UTF8[0] } else { choice });
                kept.map(str::to_owned).ok_or_else(|| {
                    refuse(Some(format!("Available values: {}.", choices.join(", "))))
                })
            }
        }
    }
}

/// `ISO, MDY`, with the order that was asked for; `None` for another style.
fn date_style(value: &str) -> Option<String> {
    let mut order = "MDY";
    for word in value.split(',') {
        order = match word.trim().to_ascii_uppercase().as_str() {
            "ISO" | "DEFAULT" => order,
            "MDY" | "US" | "NONEURO" => "MDY",
            "DMY" | "EURO" | "EUROPEAN" => "DMY",
            "YMD" => "YMD",
            _ => return None,
        };
    }
    Some(format!("ISO, {order}"))
}

/// Milliseconds of `300`, `300ms`, `5 s`, `1.5min`, `2h`, `1d`.
fn parse_duration(text: &str) -> Option<u64> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let number: f64 = text[..end].parse().ok()?;
    let unit_ms = match text[end..].trim() {
        "us" => 0.001,
        "" | "ms" => 1.0,
        "s" => 1_000.0,
        "min" => 60_000.0,
        "h" => 3_600_000.0,
        "d" => 86_400_000.0,
        _ => return None,
    };
    let ms = (number * unit_ms).round();
    (ms <= f64::from(i32::MAX)).then_some(ms as u64)
}

/// As Postgres shows it: in the largest unit that divides it.
fn show_duration(ms: u64) -> String {
    let units = [("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1_000)];
    match units.iter().find(|(_, size)| ms > 0 && ms.is_multiple_of(*size)) {
        Some((unit, size)) => format!("{}{unit}", ms / size),
        None if ms == 0 => "0".into(),
        None => format!("{ms}ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings::new("ana", &Config::default())
    }

    #[test]
    fn only_the_allow_list_is_known() {
        let mut settings = settings();
        for name in ["datafusion.execution.batch_size", "datafusion.runtime.memory_limit", "x"] {
            assert_eq!(settings.set(name, "1", false).expect_err(name).sqlstate(), "42704");
        }
        let error = settings.set("server_version", "9", false).expect_err("fixed");
        assert_eq!(error.sqlstate(), "55P02");
        assert_eq!(names().count(), settings.all().count());
    }

    #[test]
    fn values_are_checked_and_shown_as_postgres_shows_them() {
        let mut settings = settings();
        let mut set = |name, value| settings.set(name, value, false).map(|(_, value)| value);
        assert_eq!(set("STATEMENT_TIMEOUT", "90000").expect("taken"), "90s");
        assert_eq!(set("statement_timeout", "1.5h").expect("taken"), "90min");
        assert_eq!(set("statement_timeout", "300ms").expect("taken"), "300ms");
        assert!(set("statement_timeout", "soon").is_err());
        assert_eq!(set("client_encoding", "utf-8").expect("taken"), "UTF8");
        assert!(set("client_encoding", "LATIN1").is_err());
        assert_eq!(set("datestyle", "iso, dmy").expect("taken"), "ISO, DMY");
        assert!(set("datestyle", "German").is_err());
        assert!(set("extra_float_digits", "4").is_err());
    }

    #[test]
    fn a_session_may_lower_the_time_limit_and_not_raise_it() {
        let mut settings = settings();
        let config = Config::default();
        assert_eq!(settings.statement_timeout_ms(&config), Some(300_000));
        settings.set("statement_timeout", "0", false).expect("taken");
        assert_eq!(settings.statement_timeout_ms(&config), Some(300_000));
        settings.set("statement_timeout", "2s", false).expect("taken");
        assert_eq!(settings.statement_timeout_ms(&config), Some(2_000));
    }

    #[test]
    fn transactions_take_back_what_was_local_or_failed() {
        let mut settings = settings();
        settings.begin();
        settings.set("application_name", "kept", false).expect("taken");
        settings.set("statement_timeout", "1s", true).expect("taken");
        assert_eq!(settings.end(false), [("statement_timeout", "5min".to_owned())]);
        assert_eq!(settings.show("application_name").expect("known").1, "kept");
        settings.begin();
        settings.set("application_name", "lost", false).expect("taken");
        assert_eq!(settings.end(true), [("application_name", "kept".to_owned())]);
    }
}
