//! The configuration: defaults, then a TOML file, then `RUNRATE_*` variables, then flags; resolved once, at start.
//!
//! A setting is one field of [`Config`] and one row of [`SETTINGS`], which is the single source of
//! the help text, the example file and `runrate check`.
//! An unknown key is an error, wherever it was written.
//! Only this module reads the environment.

mod source;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use source::{Location, SOURCE_KEYS, Secret, SourceConfig, SourceKind};

use crate::error::{Error, Result};

/// Every limit, place and address of a Runrate process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs)] // each field is documented once, in SETTINGS
pub struct Config {
    pub lake: String,
    pub roles_file: Option<PathBuf>,
    pub listen: String,
    pub http: String,
    pub tls_certificate: Option<PathBuf>,
    pub tls_key: Option<PathBuf>,
    pub tls_required: bool,
    pub connections_max: usize,
    pub connections_admin_reserved: usize,
    pub connections_unauthenticated_max: usize,
    pub login_timeout_ms: u64,
    pub login_failure_delay_ms: u64,
    pub login_failures_max: u32,
    pub idle_timeout_ms: u64,
    pub idle_in_transaction_timeout_ms: u64,
    pub statement_timeout_ms: u64,
    pub plan_timeout_ms: u64,
    pub plans_abandoned_max: usize,
    pub write_stall_timeout_ms: u64,
    pub drain_timeout_ms: u64,
    pub message_bytes_max: usize,
    pub statement_bytes_max: usize,
    pub queries_running_max: usize,
    pub queries_running_role_max: usize,
    pub queries_queued_max: usize,
    pub queue_timeout_ms: u64,
    pub memory_query_bytes_max: usize,
    pub memory_pool_bytes_max: usize,
    pub memory_process_bytes_max: u64,
    pub temporary_bytes_max: usize,
    pub spill_dir: Option<PathBuf>,
    pub spill_bytes_max: u64,
    pub result_rows_max: u64,
    pub result_bytes_max: u64,
    pub audit_file: Option<PathBuf>,
    pub audit_file_bytes_max: u64,
    pub audit_files_max: usize,
    pub audit_required: bool,
    pub threads: usize,
    pub refresh_interval_ms: u64,
    pub lock_timeout_ms: u64,
    pub versions_kept_days: u32,
    pub store_timeout_ms: u64,
    pub source_file_bytes_max: u64,
    pub quarantine_ratio_max: f64,
    pub corporate_currency: String,
    pub fiscal_year_start_month: u32,
    pub log_format: LogFormat,
    /// `[source.NAME]` tables: only a file has them.
    #[serde(skip_serializing)]
    pub source: BTreeMap<String, SourceConfig>,
}

/// How log lines are written to stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One line of text an event.
    Text,
    /// One JSON object an event.
    Json,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            lake: "runrate-lake".into(),
            roles_file: None,
            listen: "127.0.0.1:5433".into(),
            http: "127.0.0.1:8433".into(),
            tls_certificate: None,
            tls_key: None,
            tls_required: false,
            connections_max: 100,
            connections_admin_reserved: 3,
            connections_unauthenticated_max: 32,
            login_timeout_ms: 5_000,
            login_failure_delay_ms: 500,
            login_failures_max: 10,
            idle_timeout_ms: 600_000,
            idle_in_transaction_timeout_ms: 60_000,
            statement_timeout_ms: 300_000,
            plan_timeout_ms: 5_000,
            plans_abandoned_max: 4,
            write_stall_timeout_ms: 300_000,
            drain_timeout_ms: 30_000,
            message_bytes_max: 16 << 20,
            statement_bytes_max: 256 << 10,
            queries_running_max: 4,
            queries_running_role_max: 0,
            queries_queued_max: 32,
            queue_timeout_ms: 30_000,
            memory_query_bytes_max: 1 << 30,
            memory_pool_bytes_max: 6 << 30,
            memory_process_bytes_max: 0,
            temporary_bytes_max: 64 << 20,
            spill_dir: None,
            spill_bytes_max: 10 << 30,
            result_rows_max: 10_000_000,
            result_bytes_max: 2 << 30,
            audit_file: None,
            audit_file_bytes_max: 64 << 20,
            audit_files_max: 10,
            audit_required: true,
            threads: 0,
            refresh_interval_ms: 500,
            lock_timeout_ms: 30_000,
            versions_kept_days: 7,
            store_timeout_ms: 240_000,
            source_file_bytes_max: 2 << 30,
            quarantine_ratio_max: 0.05,
            corporate_currency: "USD".into(),
            fiscal_year_start_month: 1,
            log_format: LogFormat::Text,
            source: BTreeMap::new(),
        }
    }
}

/// One setting as its users read about it.
#[derive(Debug)]
pub struct Setting {
    /// Name in the file; `RUNRATE_` and its capitals in the environment.
    pub key: &'static str,
    /// What it means, with its unit.
    pub meaning: &'static str,
    /// Smallest and largest number accepted, for numbers.
    pub limit: Option<(f64, f64)>,
}

const fn setting(key: &'static str, meaning: &'static str) -> Setting {
    Setting { key, meaning, limit: None }
}

const fn number(key: &'static str, low: f64, high: f64, meaning: &'static str) -> Setting {
    Setting { key, meaning, limit: Some((low, high)) }
}

const DAY_MS: f64 = 86_400_000.0;
const TIB: f64 = 1_099_511_627_776.0;

/// All settings, in the order of the example file.
pub const SETTINGS: &[Setting] = &[
    setting("lake", "directory or s3:// URL that holds the tables"),
    setting(
        "roles_file",
        "file with the roles and their password verifiers, mode 0600; by default `_roles` in a local lake, `runrate-roles` here otherwise",
    ),
    setting("listen", "address and port of the Postgres protocol"),
    setting("http", "address and port of /livez, /readyz and /metrics; must be loopback"),
    setting("tls_certificate", "PEM file with the certificate chain; needs tls_key"),
    setting("tls_key", "PEM file with the private key, readable by its owner only"),
    setting(
        "tls_required",
        "refuse connections without TLS; always on when listen is not loopback",
    ),
    number("connections_max", 1.0, 10_000.0, "connections open at once"),
    number(
        "connections_admin_reserved",
        0.0,
        1_000.0,
        "connections of connections_max that only roles of kind admin get",
    ),
    number(
        "connections_unauthenticated_max",
        1.0,
        1_000.0,
        "connections that have not logged in yet",
    ),
    number("login_timeout_ms", 100.0, 60_000.0, "milliseconds a client has to log in"),
    number(
        "login_failure_delay_ms",
        0.0,
        10_000.0,
        "milliseconds that a failed login waits for its answer; doubles up to 16 times that",
    ),
    number(
        "login_failures_max",
        1.0,
        1_000_000.0,
        "failed logins of one address in a minute, after which it is refused for a minute",
    ),
    number("idle_timeout_ms", 1_000.0, DAY_MS, "milliseconds a session may stay idle"),
    number(
        "idle_in_transaction_timeout_ms",
        1_000.0,
        DAY_MS,
        "milliseconds a session may stay idle in a transaction",
    ),
    number(
        "statement_timeout_ms",
        0.0,
        DAY_MS,
        "milliseconds a statement may run; 0 is no limit; a session may lower it",
    ),
    number("plan_timeout_ms", 100.0, 60_000.0, "milliseconds a statement may take to plan"),
    number(
        "plans_abandoned_max",
        1.0,
        256.0,
        "plans given up after plan_timeout_ms that may still compute; a role may have half of them",
    ),
    number(
        "write_stall_timeout_ms",
        1_000.0,
        DAY_MS,
        "milliseconds a client may stop reading a result",
    ),
    number(
        "drain_timeout_ms",
        0.0,
        600_000.0,
        "milliseconds that running statements get at shutdown",
    ),
    number(
        "message_bytes_max",
        65_536.0,
        1_073_741_823.0,
        "bytes of one protocol message after login (before it: 16 KiB)",
    ),
    number("statement_bytes_max", 1_024.0, 16_777_216.0, "bytes of one SQL text"),
    number(
        "queries_running_max",
        1.0,
        256.0,
        "queries that run at once, without half as many of those that run for half a second",
    ),
    number(
        "queries_running_role_max",
        0.0,
        256.0,
        "queries of one role that run at once; 0 is one less than queries_running_max",
    ),
    number("queries_queued_max", 0.0, 10_000.0, "queries that wait for their turn"),
    number("queue_timeout_ms", 100.0, 600_000.0, "milliseconds a query waits for its turn"),
    number(
        "memory_query_bytes_max",
        16_777_216.0,
        TIB,
        "bytes of memory one query may hold; beyond that it spills or fails",
    ),
    number(
        "memory_pool_bytes_max",
        16_777_216.0,
        TIB,
        "bytes of memory all queries may hold together, each at most twice what is still free",
    ),
    number(
        "memory_process_bytes_max",
        0.0,
        TIB,
        "resident bytes of the process above which the largest query is stopped; 0 is the pool and 1 GiB, at most 80 % of the machine",
    ),
    number(
        "temporary_bytes_max",
        0.0,
        TIB,
        "bytes that the temporary tables of one session may hold in memory",
    ),
    setting(
        "spill_dir",
        "directory for spilled data, emptied at start; by default one in the system's temporary directory",
    ),
    number("spill_bytes_max", 0.0, TIB, "bytes of spilled data at once"),
    number("result_rows_max", 0.0, 1e15, "rows one result may have; 0 is no limit"),
    number("result_bytes_max", 0.0, TIB, "bytes one result may have; 0 is no limit"),
    setting(
        "audit_file",
        "file with a JSON line for each statement that ended, mode 0600; by default `_audit/audit.jsonl` in a local lake, `runrate-audit.jsonl` here otherwise",
    ),
    number("audit_file_bytes_max", 65_536.0, TIB, "bytes of an audit file before the next begins"),
    number("audit_files_max", 1.0, 10_000.0, "audit files kept, the newest included"),
    setting("audit_required", "refuse statements while the audit file cannot be written"),
    number("threads", 0.0, 1_024.0, "worker threads and scan partitions; 0 is one a processor"),
    number(
        "refresh_interval_ms",
        50.0,
        2_000.0,
        "milliseconds between looks for new commits while serving",
    ),
    number(
        "lock_timeout_ms",
        0.0,
        3_600_000.0,
        "milliseconds a writer waits for another to finish",
    ),
    number(
        "versions_kept_days",
        1.0,
        3_650.0,
        "days that earlier versions of tables can be read and restored; upkeep removes older ones",
    ),
    number(
        "store_timeout_ms",
        10.0,
        3_600_000.0,
        "milliseconds that an object store may take for one call of a lake, its retries included",
    ),
    number("source_file_bytes_max", 1_024.0, TIB, "bytes of one source file"),
    number(
        "quarantine_ratio_max",
        0.0,
        1.0,
        "share of bad rows above which a batch is refused unless forced",
    ),
    setting(
        "corporate_currency",
        "ISO 4217 code of the company's currency: of amounts whose export names none",
    ),
    number(
        "fiscal_year_start_month",
        1.0,
        12.0,
        "month the fiscal year begins in, for the calendar of a lake whose exports bring none",
    ),
    setting("log_format", "text or json"),
];

impl Config {
    /// Resolves `file` (if any), the environment and `flags` (key, value) in that order of precedence.
    ///
    /// # Errors
    /// [`Error::Setting`] for an unknown key, a value of the wrong type or outside its limit;
    /// [`Error::File`] if `file` cannot be read.
    pub fn resolve(file: Option<&Path>, flags: &[(&str, String)]) -> Result<Self> {
        let environment = std::env::vars()
            .filter_map(|(name, value)| {
                Some((name.strip_prefix("RUNRATE_")?.to_ascii_lowercase(), value))
            })
            .filter(|(key, _)| key != "config")
            .collect();
        Self::from_layers(file, &environment, flags)
    }

    fn from_layers(
        file: Option<&Path>,
        environment: &BTreeMap<String, String>,
        flags: &[(&str, String)],
    ) -> Result<Self> {
        let mut table = toml::Table::new();
        if let Some(path) = file {
            let text = std::fs::read_to_string(path).map_err(|e| Error::file("read", path, e))?;
            table = text.parse().map_err(|e: toml::de::Error| {
                refuse("*", &path.display().to_string(), e.message())
            })?;
            let settings = table.keys().filter(|key| *key != "source");
            check_keys(settings, &path.display().to_string())?;
        }
        check_keys(environment.keys(), "environment")?;
        for (key, value) in environment {
            table.insert(key.clone(), typed(key, value, "environment")?);
        }
        for (key, value) in flags {
            table.insert((*key).to_owned(), typed(key, value, "flag")?);
        }
        let config: Self = table
            .try_into()
            .map_err(|e: toml::de::Error| refuse("*", "configuration", e.message()))?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<()> {
        let values = toml::Table::try_from(self)
            .map_err(|e| refuse("*", "configuration", &e.to_string()))?;
        for row in SETTINGS {
            let Some((low, high)) = row.limit else { continue };
            let value = match values.get(row.key) {
                Some(toml::Value::Integer(n)) => *n as f64,
                Some(toml::Value::Float(x)) => *x,
                _ => continue,
            };
            if !(low..=high).contains(&value) {
                let reason = format!("must be from {low} to {high}, got {value}");
                return Err(refuse(row.key, "configuration", &reason));
            }
        }
        let code = self.corporate_currency.as_bytes();
        if code.len() != 3 || !code.iter().all(u8::is_ascii_uppercase) {
            let reason = "must be three capitals, such as EUR";
            return Err(refuse("corporate_currency", "configuration", reason));
        }
        if self.tls_certificate.is_some() != self.tls_key.is_some() {
            return Err(refuse(
                "tls_certificate",
                "configuration",
                "tls_certificate and tls_key go together",
            ));
        }
        self.source.iter().try_for_each(|(name, source)| source.check(name))?;
        source::check_systems(&self.source)
    }

    /// Where sources keep what they read last, and what they are reading.
    pub fn sources_path(&self) -> PathBuf {
        match self.lake.contains("://") {
            true => PathBuf::from("runrate-sources"),
            false => Path::new(&self.lake).join("_sources"),
        }
    }

    /// Where the roles and their verifiers are kept.
    pub fn roles_path(&self) -> PathBuf {
        match (&self.roles_file, self.lake.contains("://")) {
            (Some(path), _) => path.clone(),
            (None, true) => PathBuf::from("runrate-roles"),
            (None, false) => Path::new(&self.lake).join("_roles"),
        }
    }

    /// Where statements that ended are written down.
    pub fn audit_path(&self) -> PathBuf {
        match (&self.audit_file, self.lake.contains("://")) {
            (Some(path), _) => path.clone(),
            (None, true) => PathBuf::from("runrate-audit.jsonl"),
            (None, false) => Path::new(&self.lake).join("_audit").join("audit.jsonl"),
        }
    }

    /// Queries of one role that run at once: `queries_running_role_max`, or all turns but one.
    pub fn queries_running_role_max_resolved(&self) -> usize {
        match self.queries_running_role_max {
            0 => self.queries_running_max.saturating_sub(1).max(1),
            most => most.min(self.queries_running_max),
        }
    }

    /// Worker threads and scan partitions: `threads`, or one a processor.
    pub fn threads_resolved(&self) -> usize {
        match self.threads {
            0 => std::thread::available_parallelism().map_or(2, usize::from),
            n => n,
        }
    }

    /// A commented TOML file with every setting at its default.
    pub fn example() -> String {
        let defaults = toml::Table::try_from(Self::default()).unwrap_or_default();
        let mut text = String::from("# Runrate's settings. Each line shows the default.\n");
        for row in SETTINGS {
            text.push_str(&format!("\n# {}", row.meaning));
            if let Some((low, high)) = row.limit {
                text.push_str(&format!(" ({low} to {high})"));
            }
            match defaults.get(row.key) {
                Some(value) => text.push_str(&format!("\n# {} = {value}\n", row.key)),
                None => text.push_str(&format!("\n# {} = \"...\"\n", row.key)),
            }
        }
        text.push_str("\n# Named sources, for `runrate sync NAME` and `runrate ingest --all`:\n");
        text.push_str("# [source.NAME]\n");
        for (key, kinds, meaning) in SOURCE_KEYS {
            let kinds = if *kinds == "all" { String::new() } else { format!(" ({kinds})") };
            text.push_str(&format!("# {key}: {meaning}{kinds}\n"));
        }
        text
    }
}

/// The environment variable `name`.
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Settings of clients of object stores, from the variables that those clients know.
///
/// They hold secrets, so they are no part of [`Config`] and must not be printed.
pub fn bucket_settings() -> Vec<(String, String)> {
    const PREFIXES: [&str; 3] = ["AWS_", "AZURE_", "GOOGLE_"];
    let is_known = |name: &str| PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    std::env::vars().filter(|(name, _)| is_known(name)).collect()
}

fn check_keys<'a>(keys: impl Iterator<Item = &'a String>, origin: &str) -> Result<()> {
    for key in keys {
        if !SETTINGS.iter().any(|row| row.key == key) {
            return Err(refuse(key, origin, "no such setting"));
        }
    }
    Ok(())
}

/// The TOML value of `text`, typed as the setting `key` is.
fn typed(key: &str, text: &str, origin: &str) -> Result<toml::Value> {
    let defaults = toml::Table::try_from(Config::default())
        .map_err(|e| refuse(key, origin, &e.to_string()))?;
    let bad = |wanted: &str| refuse(key, origin, &format!("must be {wanted}, got \"{text}\""));
    Ok(match defaults.get(key) {
        Some(toml::Value::Integer(_)) => {
            toml::Value::Integer(text.parse().map_err(|_| bad("a whole number"))?)
        }
        Some(toml::Value::Float(_)) => {
            toml::Value::Float(text.parse().map_err(|_| bad("a number"))?)
        }
        Some(toml::Value::Boolean(_)) => {
            toml::Value::Boolean(text.parse().map_err(|_| bad("true or false"))?)
        }
        _ => toml::Value::String(text.to_owned()),
    })
}

fn refuse(key: &str, origin: &str, reason: &str) -> Error {
    Error::Setting { key: key.into(), origin: origin.into(), reason: reason.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_has_a_row_and_every_row_a_field() {
        let file: String = SETTINGS
            .iter()
            .filter(|row| row.limit.is_none())
            .map(|row| match row.key {
                "tls_required" | "audit_required" => format!("{} = false\n", row.key),
                "log_format" => "log_format = \"json\"\n".to_owned(),
                key => format!("{key} = \"x\"\n"),
            })
            .collect();
        let table: toml::Table = file.parse().expect("toml");
        let config: Config = table.try_into().expect("every row is a field");
        let written = toml::Table::try_from(&config).expect("serialises");
        assert_eq!(written.len(), SETTINGS.len());
    }

    #[test]
    fn flags_beat_environment_beats_default() {
        let environment = BTreeMap::from([
            ("connections_max".to_owned(), "7".to_owned()),
            ("lake".into(), "a".into()),
        ]);
        let config =
            Config::from_layers(None, &environment, &[("lake", "b".into())]).expect("resolves");
        assert_eq!((config.connections_max, config.lake.as_str()), (7, "b"));
    }

    #[test]
    fn unknown_keys_and_values_out_of_range_are_refused() {
        let unknown = BTreeMap::from([("conections_max".to_owned(), "7".to_owned())]);
        let error = Config::from_layers(None, &unknown, &[]).expect_err("unknown key");
        assert!(error.to_string().contains("conections_max"), "{error}");
        let wild = BTreeMap::from([("connections_max".to_owned(), "0".to_owned())]);
        let error = Config::from_layers(None, &wild, &[]).expect_err("below its limit");
        assert!(error.to_string().contains("from 1 to 10000"), "{error}");
    }
}
