//! Named sources: `[source.NAME]` tables of the configuration file.
//!
//! A source says where data is, what reads it, and how; when is left to cron and its like.
//! No secret stands in the file: a key ends in `_env` or `_file` and names where one is.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{environment, refuse};
use crate::error::{Error, Result};

/// One `[source.NAME]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)] // each key is documented once, in SOURCE_KEYS
pub struct SourceConfig {
    pub kind: SourceKind,
    #[serde(default)]
    pub crm: Option<String>,
    #[serde(default)]
    pub system: Option<String>,
    #[serde(default)]
    pub table: Option<String>,
    #[serde(default)]
    pub types: Option<String>,
    pub location: Location,
    #[serde(default)]
    pub encoding: Option<String>,
    #[serde(default)]
    pub delimiter: Option<String>,
    #[serde(default)]
    pub sheet: Option<String>,
    #[serde(default)]
    pub decimal: Option<String>,
    #[serde(default)]
    pub date_order: Option<String>,
    #[serde(default)]
    pub serials: Option<String>,
    #[serde(default)]
    pub time_zone: Option<String>,
    #[serde(default)]
    pub user: Option<String>,
    #[serde(default)]
    pub password_env: Option<String>,
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    #[serde(default)]
    pub client_id: Option<String>,
    #[serde(default)]
    pub client_secret_env: Option<String>,
    #[serde(default)]
    pub client_secret_file: Option<PathBuf>,
    #[serde(default)]
    pub refresh_token_env: Option<String>,
    #[serde(default)]
    pub refresh_token_file: Option<PathBuf>,
    #[serde(default)]
    pub access_token_env: Option<String>,
    #[serde(default)]
    pub access_token_file: Option<PathBuf>,
    #[serde(default)]
    pub tls_root: Option<PathBuf>,
    #[serde(default)]
    pub schema: Option<String>,
    #[serde(default)]
    pub tables: Vec<String>,
    #[serde(default)]
    pub watermark: Option<String>,
    #[serde(default = "default_overlap")]
    pub overlap_minutes: u32,
    #[serde(default = "default_timeout")]
    pub timeout_ms: u32,
    #[serde(default)]
    pub required_columns: Vec<String>,
    #[serde(default)]
    pub quarantine_ratio_max: Option<f64>,
}

fn default_overlap() -> u32 {
    60
}

fn default_timeout() -> u32 {
    60_000
}

/// What kind of system a source is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    /// Files and directories, here or in a bucket.
    Files,
    /// A live PostgreSQL.
    Postgres,
    /// Query jobs of Salesforce's Bulk API 2.0.
    SalesforceApi,
    /// Searches of HubSpot's CRM v3 API.
    HubspotApi,
}

/// One place or several.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Location {
    /// One.
    One(String),
    /// Several, in order: of two rows with one key the later's wins.
    Many(Vec<String>),
}

impl Location {
    /// All of them, in order.
    pub fn all(&self) -> Vec<&str> {
        match self {
            Self::One(place) => vec![place],
            Self::Many(places) => places.iter().map(String::as_str).collect(),
        }
    }
}

/// Keys of a source: name, kinds that take it, meaning.
pub const SOURCE_KEYS: &[(&str, &str, &str)] = &[
    ("kind", "all", "files, postgres, salesforce_api or hubspot_api"),
    ("crm", "all", "mapping that names the columns, such as salesforce or template"),
    (
        "system",
        "all",
        "name of this system where two of one crm are read: its rows are of CRM:SYSTEM",
    ),
    ("table", "files", "load into raw.TABLE as it is, instead of through a mapping"),
    ("types", "files", "types of raw columns, as in --types"),
    (
        "location",
        "all",
        "path or URL, or a list of them; of postgres \"host=... port=... dbname=...\"; of \
         salesforce_api https://DOMAIN.my.salesforce.com, of hubspot_api https://api.hubapi.com",
    ),
    ("encoding", "files", "as --encoding"),
    ("delimiter", "files", "as --delimiter"),
    ("sheet", "files", "as --sheet"),
    ("decimal", "files", "as --decimal: point or comma"),
    ("date_order", "files", "as --date-order: dmy or mdy"),
    ("serials", "files", "as --serials: \"1900\" or \"1904\""),
    ("time_zone", "all", "as --time-zone"),
    ("user", "postgres", "role to log in as"),
    ("password_env", "postgres", "environment variable that holds the password"),
    ("password_file", "postgres", "file whose first line is the password, not readable by others"),
    ("client_id", "salesforce_api hubspot_api", "id of the connected app"),
    (
        "client_secret_env",
        "salesforce_api hubspot_api",
        "environment variable that holds the app's secret",
    ),
    (
        "client_secret_file",
        "salesforce_api hubspot_api",
        "file whose first line is the app's secret",
    ),
    (
        "refresh_token_env",
        "salesforce_api hubspot_api",
        "variable that holds a person's refresh token; without one an app of Salesforce acts \
         for itself",
    ),
    (
        "refresh_token_file",
        "salesforce_api hubspot_api",
        "file whose first line is the refresh token",
    ),
    (
        "access_token_env",
        "hubspot_api",
        "variable that holds the token of a private app, which needs no client_id",
    ),
    ("access_token_file", "hubspot_api", "file whose first line is that token"),
    ("tls_root", "postgres", "PEM file with the authority that signed the server's certificate"),
    ("schema", "postgres", "schema of the tables [default: public]"),
    (
        "tables",
        "postgres salesforce_api hubspot_api",
        "tables to read [default: those that the mapping reads]",
    ),
    ("watermark", "postgres", "column that says when a row last changed, such as write_date"),
    (
        "overlap_minutes",
        "postgres salesforce_api hubspot_api",
        "minutes read again before the last watermark [default: 60]",
    ),
    (
        "timeout_ms",
        "salesforce_api hubspot_api",
        "milliseconds to wait for an answer or its next bytes [default: 60000]",
    ),
    (
        "required_columns",
        "all",
        "columns without which nothing is loaded, as OBJECT.COLUMN; with table, just COLUMN",
    ),
    (
        "quarantine_ratio_max",
        "all",
        "share of bad rows above which a batch is refused [default: that of all]",
    ),
];

/// Fails if two live systems of one CRM are not told apart: the one's rows would be the other's.
///
/// # Errors
/// [`Error::Setting`] that names both.
pub(super) fn check_systems(sources: &BTreeMap<String, SourceConfig>) -> Result<()> {
    let mut seen: BTreeMap<&str, (&str, &SourceConfig)> = BTreeMap::new();
    let is_unnamed = |source: &SourceConfig| source.system.is_none();
    let live = sources.iter().filter(|(_, source)| source.kind != SourceKind::Files);
    for (name, source) in live.filter(|(_, source)| is_unnamed(source)) {
        let Some(crm) = &source.crm else { continue };
        let (other, known) = *seen.entry(crm).or_insert((name, source));
        if !known.is_same_place(source) {
            let reason = format!("is needed: source {other} may read another system of {crm}");
            return Err(refuse(&format!("source.{name}.system"), "file", &reason));
        }
    }
    Ok(())
}

/// A text that is never printed.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// `text`, which a system gave.
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The text, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

impl SourceConfig {
    /// Fails for keys that the source called `name` must have or must not.
    ///
    /// # Errors
    /// [`Error::Setting`] with the full name of the key.
    pub fn check(&self, name: &str) -> Result<()> {
        let bad =
            |key: &str, reason: &str| Err(refuse(&format!("source.{name}.{key}"), "file", reason));
        let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if name.is_empty() || name.starts_with('_') || !name.chars().all(is_name) {
            return bad("", "a name is made of a-z, 0-9 and _, and starts with no _");
        }
        if self.crm.is_some() == self.table.is_some() {
            return bad("crm", "a source has either crm or table");
        }
        if self.system.is_some() && self.crm.is_none() {
            return bad("system", "means nothing without crm");
        }
        if self.location.all().is_empty() {
            return bad("location", "is an empty list");
        }
        let given = toml::Table::try_from(self).unwrap_or_default();
        for (key, kinds, _) in SOURCE_KEYS {
            let is_set = match given.get(*key) {
                None => false,
                Some(toml::Value::Array(list)) => *key == "tables" && !list.is_empty(),
                Some(value) => match *key {
                    "overlap_minutes" => *value != default_overlap().into(),
                    "timeout_ms" => *value != default_timeout().into(),
                    _ => true,
                },
            };
            if is_set && *kinds != "all" && !kinds.split(' ').any(|kind| kind == self.kind.name()) {
                return bad(key, &format!("means nothing for kind {}", self.kind.name()));
            }
        }
        if self.kind != SourceKind::Files && self.crm.is_none() {
            return bad("crm", "is needed: only files go into raw as they are");
        }
        if self.quarantine_ratio_max.is_some_and(|ratio| !(0.0..=1.0).contains(&ratio)) {
            return bad("quarantine_ratio_max", "must be from 0 to 1");
        }
        for column in &self.required_columns {
            let is_whole = |part: &str| !part.is_empty() && !part.contains('.');
            let is_sound = match (&self.table, column.split_once('.')) {
                (Some(_), None) => !column.is_empty(),
                (None, Some((object, column))) => is_whole(object) && !column.is_empty(),
                _ => false,
            };
            if !is_sound {
                return bad("required_columns", "are OBJECT.COLUMN, or COLUMN of a table");
            }
        }
        self.check_system(name)
    }

    /// Whether both go to one address as the same user or app: two portals can share an address.
    fn is_same_place(&self, other: &Self) -> bool {
        let of = |source: &Self| {
            let tokens = (source.access_token_env.clone(), source.access_token_file.clone());
            let consent = (source.refresh_token_env.clone(), source.refresh_token_file.clone());
            (source.location.clone(), source.client_id.clone(), tokens, consent)
        };
        of(self) == of(other)
    }

    /// [`Self::check`] of what only some kinds of system have.
    fn check_system(&self, name: &str) -> Result<()> {
        let bad =
            |key: &str, reason: &str| Err(refuse(&format!("source.{name}.{key}"), "file", reason));
        let has_token = self.access_token_env.is_some() || self.access_token_file.is_some();
        let is_app = matches!(self.kind, SourceKind::SalesforceApi | SourceKind::HubspotApi);
        if is_app && has_token == self.client_id.is_some() {
            let reason = match self.kind {
                SourceKind::HubspotApi => "is needed, or access_token_env, and not both",
                _ => "is needed",
            };
            return bad("client_id", reason);
        }
        let has_consent = self.refresh_token_env.is_some() || self.refresh_token_file.is_some();
        if self.kind == SourceKind::HubspotApi && !has_token && !has_consent {
            return bad("refresh_token_env", "is needed with client_id");
        }
        if self.timeout_ms < 100 {
            return bad("timeout_ms", "must be 100 or more");
        }
        if self.kind == SourceKind::Postgres {
            if self.location.all().len() != 1 {
                return bad("location", "is one database");
            }
            if self.location.all()[0].contains("password") || self.location.all()[0].contains("://")
            {
                return bad(
                    "location",
                    "is like \"host=... dbname=...\" and holds no password; \
                    name one by password_env or password_file",
                );
            }
        }
        Ok(())
    }

    /// The password, if one is named.
    ///
    /// # Errors
    /// [`Error::Setting`] for a variable that is not set, [`Error::Credential`] for a file that
    /// everybody may read or that is empty.
    pub fn password(&self, name: &str) -> Result<Option<Secret>> {
        secret(name, "password", &self.password_env, &self.password_file)
    }

    /// The secret of the application.
    ///
    /// # Errors
    /// Those of [`Self::password`], and [`Error::Setting`] if none is named.
    pub fn client_secret(&self, name: &str) -> Result<Secret> {
        let found =
            secret(name, "client_secret", &self.client_secret_env, &self.client_secret_file)?;
        let missing = || refuse(&format!("source.{name}.client_secret_env"), "file", "is needed");
        found.ok_or_else(missing)
    }

    /// The token of a private app, if one is named.
    ///
    /// # Errors
    /// Those of [`Self::password`].
    pub fn access_token(&self, name: &str) -> Result<Option<Secret>> {
        secret(name, "access_token", &self.access_token_env, &self.access_token_file)
    }

    /// The refresh token, if one is named.
    ///
    /// # Errors
    /// Those of [`Self::password`].
    pub fn refresh_token(&self, name: &str) -> Result<Option<Secret>> {
        secret(name, "refresh_token", &self.refresh_token_env, &self.refresh_token_file)
    }
}

fn secret(
    name: &str,
    key: &str,
    variable: &Option<String>,
    file: &Option<PathBuf>,
) -> Result<Option<Secret>> {
    let key = format!("source.{name}.{key}_env");
    match (variable, file) {
        (Some(_), Some(_)) => Err(refuse(&key, "file", "give it or the file, not both")),
        (Some(variable), None) => secret_of_variable(&key, variable).map(Some),
        (None, Some(path)) => secret_of_file(path).map(Some),
        (None, None) => Ok(None),
    }
}

impl SourceKind {
    /// Its name in the file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Postgres => "postgres",
            Self::SalesforceApi => "salesforce_api",
            Self::HubspotApi => "hubspot_api",
        }
    }
}

fn secret_of_variable(key: &str, variable: &str) -> Result<Secret> {
    match environment(variable).filter(|value| !value.is_empty()) {
        Some(value) => Ok(Secret(value)),
        None => Err(refuse(key, "file", &format!("variable {variable} is not set"))),
    }
}

/// The first line of a file that not everybody may read.
fn secret_of_file(path: &Path) -> Result<Secret> {
    use std::os::unix::fs::PermissionsExt;
    let bad = |reason: &str| Error::Credential { path: path.into(), reason: reason.into() };
    let data = path.metadata().map_err(|e| Error::file("read", path, e))?;
    if data.permissions().mode() & 0o007 != 0 {
        return Err(bad("others may read it; make its mode 0600"));
    }
    let text = std::fs::read_to_string(path).map_err(|e| Error::file("read", path, e))?;
    let line = text.lines().next().unwrap_or("");
    if line.is_empty() {
        return Err(bad("its first line, which is the secret, is empty"));
    }
    Ok(Secret(line.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<SourceConfig> {
        let config: SourceConfig =
            toml::from_str(text).map_err(|e| refuse("source.s", "file", e.message()))?;
        config.check("s").map(|()| config)
    }

    #[test]
    fn sources_are_checked_key_by_key() {
        let files =
            read("kind = \"files\"\ncrm = \"salesforce\"\nlocation = [\"a\", \"s3://b/c\"]");
        assert_eq!(files.expect("sound").location.all(), ["a", "s3://b/c"]);
        for (text, wanted) in [
            ("kind = \"files\"\nlocation = \"a\"", "source.s.crm"),
            ("kind = \"files\"\ncrm = \"x\"\nlocation = []", "source.s.location"),
            (
                "kind = \"files\"\ncrm = \"x\"\nlocation = \"a\"\nwatermark = \"w\"",
                "source.s.watermark",
            ),
            (
                "kind = \"files\"\ncrm = \"x\"\nlocation = \"a\"\ntables = [\"w\"]",
                "source.s.tables",
            ),
            ("kind = \"files\"\ncrm = \"x\"\nlocation = \"a\"\npassword = \"p\"", "unknown field"),
            ("kind = \"ftp\"\ncrm = \"x\"\nlocation = \"a\"", "unknown variant"),
            ("kind = \"postgres\"\ncrm = \"x\"\nlocation = \"host=h password=p\"", "no password"),
            (
                "kind = \"postgres\"\ncrm = \"x\"\nlocation = \"host=h\"\nsheet = \"s\"",
                "source.s.sheet",
            ),
        ] {
            let error = read(text).expect_err(text).to_string();
            assert!(error.contains(wanted), "{text}: {error}");
        }
        assert!(read("kind = \"postgres\"\ncrm = \"x\"\nlocation = \"host=h\"").is_ok());
    }

    #[test]
    fn apps_and_contracts_are_checked() {
        let hubspot = "kind = \"hubspot_api\"\ncrm = \"x\"\nlocation = \"https://h\"\n";
        let files = "kind = \"files\"\ncrm = \"x\"\nlocation = \"a\"\n";
        for (text, rest, wanted) in [
            (hubspot, "", "source.s.client_id"),
            (hubspot, "client_id = \"a\"\naccess_token_env = \"T\"", "and not both"),
            (hubspot, "client_id = \"a\"", "source.s.refresh_token_env"),
            (hubspot, "access_token_env = \"T\"\ntimeout_ms = 99", "source.s.timeout_ms"),
            (files, "timeout_ms = 500", "means nothing for kind files"),
            (files, "quarantine_ratio_max = 1.5", "must be from 0 to 1"),
            (files, "required_columns = [\"Id\"]", "source.s.required_columns"),
            (files, "required_columns = [\"Deal.\"]", "source.s.required_columns"),
        ] {
            let error = read(&format!("{text}{rest}")).expect_err(rest).to_string();
            assert!(error.contains(wanted), "{rest}: {error}");
        }
        for (text, rest) in [
            (hubspot, "access_token_env = \"T\""),
            (hubspot, "client_id = \"a\"\nrefresh_token_env = \"R\""),
            (files, "quarantine_ratio_max = 0.0\nrequired_columns = [\"Deal.Amount (USD)\"]"),
        ] {
            assert!(read(&format!("{text}{rest}")).is_ok(), "{rest}");
        }
    }

    #[test]
    fn two_live_systems_of_one_crm_have_names() {
        let source = |token: &str, system: &str| {
            let text = "kind = \"hubspot_api\"\ncrm = \"hubspot\"\nlocation = \"https://h\"\n";
            read(&format!("{text}access_token_env = \"{token}\"\n{system}")).expect("sound")
        };
        let check = |first: SourceConfig, second: SourceConfig| {
            check_systems(&BTreeMap::from([("a".to_owned(), first), ("b".to_owned(), second)]))
        };
        let error = check(source("A", ""), source("B", "")).expect_err("alike").to_string();
        assert!(error.contains("source.b.system"), "{error}");
        assert!(error.contains("source a may read another system of hubspot"), "{error}");
        assert!(check(source("A", ""), source("A", "")).is_ok(), "one portal, read twice");
        assert!(check(source("A", ""), source("B", "system = \"b\"")).is_ok());
    }

    #[test]
    fn every_key_is_documented_and_secrets_are_not_printed() {
        let text = "kind = \"files\"\ntable = \"t\"\nlocation = \"a\"\nno_such = 1";
        let error = toml::from_str::<SourceConfig>(text).expect_err("unknown").to_string();
        for (key, ..) in SOURCE_KEYS {
            assert!(error.contains(&format!("`{key}`")), "{key}: {error}");
        }
        assert_eq!(error.matches('`').count() / 2, SOURCE_KEYS.len() + 1, "{error}");
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("password");
        std::fs::write(&path, "canary\n").expect("writes");
        let mode = |mode| {
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("sets");
        };
        mode(0o644);
        assert!(secret_of_file(&path).expect_err("open to all").to_string().contains("0600"));
        mode(0o600);
        let secret = secret_of_file(&path).expect("private");
        assert_eq!((secret.expose(), format!("{secret:?}").as_str()), ("canary", "Secret(***)"));
        assert!(secret_of_variable("k", "RUNRATE_TEST_NO_SUCH_VARIABLE").is_err());
    }
}
