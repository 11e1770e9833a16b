//! A live PostgreSQL: tables of one schema, copied within one snapshot that only reads.
//!
//! Every value is taken as the text that PostgreSQL has for it, in settings that leave no doubt
//! (ISO dates, UTC, all digits of floats), so that no type is lost on the way.
//! Rows come through COPY as JSON lines: a row is one line, whatever its texts hold.
//!
//! What changed is told by a column that every change moves forward, such as `write_date`.
//! A transaction may commit later than one with a newer time, so each copy goes back an overlap;
//! rows without a time are always copied.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use async_trait::async_trait;
use futures::{StreamExt, pin_mut};
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{Client, NoTls};

use super::postgres_tls::Tls;
use super::system::{Copied, System, Wanted};
use crate::config::SourceConfig;
use crate::error::{Error, Result};

/// Types that a watermark may have: those that an overlap of minutes can be taken from.
const TIMES: &[&str] = &["timestamp without time zone", "timestamp with time zone", "date"];

/// Settings under which the text of a value is always the same.
const SETTINGS: &str = "SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; \
    SET IntervalStyle = 'iso_8601'; SET extra_float_digits = 3; SET bytea_output = 'hex'; \
    SET client_encoding = 'UTF8'; SET search_path = ''; SET statement_timeout = 0; \
    BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// A database within one snapshot.
pub struct Postgres {
    /// Name for messages.
    name: String,
    client: Client,
    schema: String,
    watermark: Option<String>,
    overlap_minutes: u32,
    /// Columns of each table and their types.
    tables: BTreeMap<String, Vec<(String, String)>>,
}

impl Postgres {
    /// Logs in to the database of source `name` and begins its snapshot.
    ///
    /// # Errors
    /// [`Error::Setting`] for a location that is none or would send a password in clear,
    /// [`Error::System`] if the database cannot be reached or refuses.
    pub async fn connect(name: &str, source: &SourceConfig) -> Result<Self> {
        let bad = |key: &str, reason: String| Error::Setting {
            key: format!("source.{name}.{key}"),
            origin: "file".into(),
            reason,
        };
        let text = source.location.all().first().copied().unwrap_or_default();
        let mut config: tokio_postgres::Config =
            text.parse().map_err(|e| bad("location", chain(&e)))?;
        if let Some(user) = &source.user {
            config.user(user);
        }
        if let Some(password) = source.password(name)? {
            config.password(password.expose());
        }
        config.application_name("runrate");
        config.connect_timeout(std::time::Duration::from_secs(30));
        let system = format!("source {name}");
        let client = match &source.tls_root {
            Some(root) => {
                config.ssl_mode(SslMode::Require);
                let (client, connection) = config
                    .connect(Tls::trusting(root)?)
                    .await
                    .map_err(failed(&system, "connect"))?;
                tokio::spawn(log(connection, system.clone()));
                client
            }
            None if !config.get_hosts().iter().all(is_here) => {
                let reason = "is needed: a server elsewhere is only spoken to encrypted";
                return Err(bad("tls_root", reason.into()));
            }
            None => {
                let (client, connection) =
                    config.connect(NoTls).await.map_err(failed(&system, "connect"))?;
                tokio::spawn(log(connection, system.clone()));
                client
            }
        };
        client.batch_execute(SETTINGS).await.map_err(failed(&system, "begin a snapshot"))?;
        let schema = source.schema.clone().unwrap_or_else(|| "public".to_owned());
        let tables = tables(&client, &schema).await.map_err(failed(&system, "list tables"))?;
        let (watermark, overlap_minutes) = (source.watermark.clone(), source.overlap_minutes);
        Ok(Self { name: system, client, schema, watermark, overlap_minutes, tables })
    }

    /// What a copy takes: a condition, and what the next watermark is, in SQL.
    fn changed(&self, wanted: &Wanted) -> Result<(String, Option<String>)> {
        let columns = self.tables.get(&wanted.name).map_or(&[][..], Vec::as_slice);
        let column = self.watermark.as_ref().and_then(|w| columns.iter().find(|(c, _)| c == w));
        let Some((column, kind)) = column else { return Ok(("true".into(), None)) };
        if !TIMES.contains(&kind.as_str()) {
            let reason =
                format!("watermark {column} of {} is {kind}, which is no time", wanted.name);
            return Err(Error::Refused { subject: self.name.clone(), reason });
        }
        let column = quoted(column);
        // A row from the future must not hide the changes of all the days until then.
        let newest = format!(
            "CASE WHEN max({column}) IS NOT NULL THEN least(max({column}), now()::{kind}) END"
        );
        let condition = match &wanted.since {
            None => "true".to_owned(),
            Some(since) => format!(
                "({column} >= {}::{kind} - interval '{} minutes' OR {column} IS NULL)",
                literal(since),
                self.overlap_minutes
            ),
        };
        Ok((condition, Some(newest)))
    }
}

#[async_trait]
impl System for Postgres {
    async fn objects(&mut self, known: &[String]) -> Result<Vec<String>> {
        let is_known = |name: &&String| known.contains(&name.to_lowercase());
        Ok(self.tables.keys().filter(is_known).cloned().collect())
    }

    fn extension(&self) -> &'static str {
        "jsonl"
    }

    async fn copy(&mut self, wanted: &Wanted, to: &Path) -> Result<Copied> {
        let (condition, newest) = self.changed(wanted)?;
        let columns = self.tables.get(&wanted.name).map_or(&[][..], Vec::as_slice);
        let texts: Vec<String> =
            columns.iter().map(|(c, _)| format!("{0}::text AS {0}", quoted(c))).collect();
        let from = format!("{}.{} WHERE {condition}", quoted(&self.schema), quoted(&wanted.name));
        let newest = newest.unwrap_or_else(|| "NULL".to_owned());
        let counted = format!("SELECT count(*), ({newest})::text FROM {from}");
        let counted = self.client.query_one(&counted, &[]).await;
        let counted = counted.map_err(failed(&self.name, "count rows"))?;
        let (rows, watermark): (i64, Option<String>) = (counted.get(0), counted.get(1));
        // JSON text holds neither of these characters, so that COPY never quotes anything.
        let copy = format!(
            "COPY (SELECT row_to_json(t) FROM (SELECT {} FROM {from}) t) \
             TO STDOUT (FORMAT csv, DELIMITER E'\\x02', QUOTE E'\\x01')",
            texts.join(", ")
        );
        let lines = self.client.copy_out(&copy).await.map_err(failed(&self.name, "copy rows"))?;
        let file = File::create_new(to).map_err(|e| Error::file("create", to, e))?;
        let mut file = BufWriter::with_capacity(256 << 10, file);
        let mut seen = 0;
        pin_mut!(lines);
        while let Some(bytes) = lines.next().await {
            let bytes = bytes.map_err(failed(&self.name, "copy rows"))?;
            seen += bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
            file.write_all(&bytes).map_err(|e| Error::file("write", to, e))?;
        }
        file.flush().map_err(|e| Error::file("write", to, e))?;
        let rows = rows.unsigned_abs();
        if seen != rows {
            let reason = format!("{seen} rows of {} came where there are {rows}", wanted.name);
            return Err(Error::Refused { subject: self.name.clone(), reason });
        }
        Ok(Copied { rows, watermark: watermark.or_else(|| wanted.since.clone()) })
    }
}

/// Tables and views of `schema`, with their columns in order.
async fn tables(
    client: &Client,
    schema: &str,
) -> Result<BTreeMap<String, Vec<(String, String)>>, tokio_postgres::Error> {
    let rows = client
        .query(
            "SELECT c.relname::text, a.attname::text, pg_catalog.format_type(a.atttypid, NULL) \
             FROM pg_catalog.pg_class c \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid \
             WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f') \
               AND a.attnum > 0 AND NOT a.attisdropped \
             ORDER BY c.relname, a.attnum",
            &[&schema],
        )
        .await?;
    let mut tables: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for row in rows {
        tables.entry(row.get(0)).or_default().push((row.get(1), row.get(2)));
    }
    Ok(tables)
}

/// Keeps the connection going; how it ends is told by whoever waits for an answer.
async fn log<S, T>(connection: tokio_postgres::Connection<S, T>, system: String)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    T: tokio_postgres::tls::TlsStream + Unpin,
{
    if let Err(error) = connection.await {
        tracing::debug!(system, error = chain(&error), "connection ended");
    }
}

fn failed(system: &str, action: &'static str) -> impl Fn(tokio_postgres::Error) -> Error {
    let system = system.to_owned();
    move |source| Error::System { system: system.clone(), action, source: Box::new(source) }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(&format!(": {cause}"));
        next = cause.source();
    }
    text
}

/// Whether packets to `host` stay on this machine.
fn is_here(host: &Host) -> bool {
    match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            let address: Option<std::net::IpAddr> = name.parse().ok();
            name == "localhost" || address.is_some_and(|address| address.is_loopback())
        }
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn literal(text: &str) -> String {
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}
