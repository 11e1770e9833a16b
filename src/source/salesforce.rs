//! Salesforce, through query jobs of its Bulk API 2.0.
//!
//! Each object is one job: created, polled, and read page by page with the locator that each page
//! gives for the next; a page that breaks off is asked for again.
//! Deleted records are read too (`queryAll`), so that they become tombstones.
//! What changed is told by `SystemModstamp`; the next run begins at the time the job was created,
//! by the clock of Salesforce, less an overlap.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Seek, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chrono::{DateTime, SecondsFormat, Utc};
use reqwest::{Method, StatusCode};
use serde_json::{Map, Value, json};
use url::Url;

use super::http::{Api, Grant};
use super::system::{Copied, System, Wanted};
use crate::config::SourceConfig;
use crate::error::{Error, Result};

/// Version of the API.
const API: &str = "/services/data/v62.0";
/// Records of one page.
const PAGE_ROWS: usize = 50_000;
/// Longest time that a job may take to be ready.
const JOB_MAX: Duration = Duration::from_secs(2 * 3_600);
/// Longest pause between looks at a job.
const POLL_MAX: Duration = Duration::from_secs(10);
/// Types of fields that a job cannot query.
const NOT_QUERIED: &[&str] = &["address", "location", "base64", "complexvalue"];
/// Columns that tell what changed, the best first.
const STAMPS: &[&str] = &["SystemModstamp", "LastModifiedDate", "CreatedDate"];

/// An organization.
pub struct Salesforce {
    api: Api,
    /// Fields of each object that was described.
    fields: BTreeMap<String, Vec<String>>,
}

impl Salesforce {
    /// The organization of source `name`; nothing is asked yet.
    ///
    /// # Errors
    /// [`Error::Setting`] or [`Error::Credential`] for a key that is missing or not to be trusted.
    pub fn new(name: &str, source: &SourceConfig) -> Result<Self> {
        let grant = |base: &Url| Grant::asked(name, source, base, "/services/oauth2/token");
        Ok(Self { api: Api::new(name, source, grant)?, fields: BTreeMap::new() })
    }

    /// The fields of `object` that a job can query.
    async fn describe(&mut self, object: &str) -> Result<Vec<String>> {
        let path = format!("{API}/sobjects/{object}/describe");
        let answer = self.api.json(Method::GET, &path, None, None).await?.unwrap_or_default();
        let fields = answer["fields"].as_array().into_iter().flatten();
        let is_queried =
            |field: &&Value| !NOT_QUERIED.contains(&field["type"].as_str().unwrap_or_default());
        Ok(fields.filter(is_queried).filter_map(|f| Some(f["name"].as_str()?.to_owned())).collect())
    }

    /// The query for what `wanted` wants: columns that a mapping reads, custom ones, and stamps.
    fn query(&self, wanted: &Wanted) -> Result<String> {
        let fields = self.fields.get(&wanted.name).map_or(&[][..], Vec::as_slice);
        let stamp = STAMPS.iter().find(|stamp| fields.iter().any(|field| field == *stamp));
        let is_read = |field: &&String| {
            wanted.columns.contains(&field.to_lowercase())
                || field.ends_with("__c")
                || ["Id", "IsDeleted"].contains(&field.as_str())
                || Some(&field.as_str()) == stamp
        };
        let list: Vec<&str> = fields.iter().filter(is_read).map(String::as_str).collect();
        let mut query = format!("SELECT {} FROM {}", list.join(", "), wanted.name);
        if let (Some(stamp), Some(since)) = (stamp, self.api.since(wanted)?) {
            let since = since.to_rfc3339_opts(SecondsFormat::Millis, true);
            query.push_str(&format!(" WHERE {stamp} >= {since}"));
        }
        Ok(query)
    }

    /// Creates a job for `query`: its id, and when it was created by the clock of Salesforce.
    async fn create(&mut self, query: &str) -> Result<(String, DateTime<Utc>)> {
        let body = json!({ "operation": "queryAll", "query": query, "contentType": "CSV",
            "columnDelimiter": "COMMA", "lineEnding": "LF" });
        let path = format!("{API}/jobs/query");
        let job = self.api.json(Method::POST, &path, Some(&body), None).await?.unwrap_or_default();
        let (id, at) = (job["id"].as_str(), job["createdDate"].as_str());
        let at = at.and_then(|at| DateTime::parse_from_str(at, "%Y-%m-%dT%H:%M:%S%.f%z").ok());
        match (id, at) {
            (Some(id), Some(at)) => Ok((id.to_owned(), at.with_timezone(&Utc))),
            _ => Err(self.broken(format!("a job without id or date: {job}"))),
        }
    }

    /// Waits until the job is ready; the number of its records.
    async fn ready(&mut self, id: &str) -> Result<u64> {
        let (begun, mut pause) = (Instant::now(), Duration::from_millis(100));
        let path = format!("{API}/jobs/query/{id}");
        loop {
            let job = self.api.json(Method::GET, &path, None, None).await?.unwrap_or_default();
            match job["state"].as_str().unwrap_or_default() {
                "JobComplete" => {
                    let rows = job["numberRecordsProcessed"].as_u64();
                    return rows.ok_or_else(|| self.broken("a job without a count".into()));
                }
                "UploadComplete" | "InProgress" if begun.elapsed() < JOB_MAX => {}
                state => {
                    let why = job["errorMessage"].as_str().unwrap_or("it says no more");
                    return Err(self.broken(format!("the query job is {state}: {why}")));
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(POLL_MAX);
        }
    }

    /// Writes all pages of a job as JSON lines; the number of records.
    async fn pages(&mut self, id: &str, to: &Path) -> Result<u64> {
        let failed = |e| Error::file("write", to, e);
        let file = File::create_new(to).map_err(|e| Error::file("create", to, e))?;
        let mut file = BufWriter::with_capacity(256 << 10, file);
        let (mut rows, mut locator) = (0, String::new());
        loop {
            let from = if locator.is_empty() { locator } else { format!("&locator={locator}") };
            let path = format!("{API}/jobs/query/{id}/results?maxRecords={PAGE_ROWS}{from}");
            let page = self.page(&path, &mut file, to).await?;
            rows += page.rows;
            match page.next {
                Some(next) => locator = next,
                None => break,
            }
        }
        file.flush().map_err(failed)?;
        Ok(rows)
    }

    /// Writes one page, from its beginning again whenever it broke off.
    async fn page(&mut self, path: &str, file: &mut BufWriter<File>, to: &Path) -> Result<Page> {
        let failed = |e| Error::file("write", to, e);
        let start = file.stream_position().map_err(failed)?;
        for attempt in 1.. {
            let mut answer = self.api.call(Method::GET, path, None, None).await?;
            let header = |name: &str| {
                answer.headers().get(name).and_then(|v| v.to_str().ok()).map(str::to_owned)
            };
            let stated = header("sforce-numberofrecords").and_then(|n| n.parse::<u64>().ok());
            let next = header("sforce-locator").filter(|locator| locator != "null");
            let mut records = Records::new();
            let broken: Box<dyn std::error::Error + Send + Sync> = loop {
                match answer.chunk().await {
                    Ok(Some(bytes)) => records.read(&bytes, file).map_err(failed)?,
                    Ok(None) => {
                        records.end(file).map_err(failed)?;
                        if stated.is_none_or(|stated| stated == records.rows) {
                            return Ok(Page { rows: records.rows, next });
                        }
                        let (rows, stated) = (records.rows, stated.unwrap_or_default());
                        break format!("a page has {rows} records where {stated} were stated")
                            .into();
                    }
                    Err(error) => break Box::new(error.without_url()),
                }
            };
            file.flush().map_err(failed)?;
            file.get_ref().set_len(start).map_err(failed)?;
            file.seek(std::io::SeekFrom::Start(start)).map_err(failed)?;
            self.api.pause(attempt, None, std::io::Error::other(broken)).await?;
        }
        Err(self.broken("no page was read".into()))
    }

    fn broken(&self, reason: String) -> Error {
        self.api.failed("run a query job", std::io::Error::other(reason))
    }
}

#[async_trait]
impl System for Salesforce {
    async fn objects(&mut self, known: &[String]) -> Result<Vec<String>> {
        let path = format!("{API}/sobjects");
        let answer = self.api.json(Method::GET, &path, None, None).await?.unwrap_or_default();
        let all = answer["sobjects"].as_array().into_iter().flatten();
        let queryable = all.filter(|object| object["queryable"] == true);
        let names = queryable.filter_map(|object| object["name"].as_str());
        let names = names.filter(|name| known.contains(&name.to_lowercase()));
        Ok(names.map(str::to_owned).collect())
    }

    fn extension(&self) -> &'static str {
        "jsonl"
    }

    async fn copy(&mut self, wanted: &Wanted, to: &Path) -> Result<Copied> {
        let fields = self.describe(&wanted.name).await?;
        let has_stamp = fields.iter().any(|field| STAMPS.contains(&field.as_str()));
        self.fields.insert(wanted.name.clone(), fields);
        let query = self.query(wanted)?;
        let (id, at) = self.create(&query).await?;
        let rows = self.ready(&id).await?;
        let seen = self.pages(&id, to).await?;
        if seen != rows {
            let reason = format!("{seen} records of {} came where there are {rows}", wanted.name);
            return Err(self.broken(reason));
        }
        let path = format!("{API}/jobs/query/{id}");
        // A job that is not deleted goes away by itself after a week.
        drop(self.api.call(Method::DELETE, &path, None, Some(StatusCode::NOT_FOUND)).await);
        Ok(Copied { rows, watermark: has_stamp.then(|| at.to_rfc3339()) })
    }
}

/// What a page had.
struct Page {
    rows: u64,
    /// Locator of the next one.
    next: Option<String>,
}

/// CSV as it comes in, written as JSON lines: an empty field is null.
struct Records {
    core: csv_core::Reader,
    /// Bytes of the record being read, and where its fields end.
    text: Vec<u8>,
    ends: Vec<usize>,
    length: usize,
    fields: usize,
    names: Vec<String>,
    rows: u64,
}

impl Records {
    fn new() -> Self {
        Self {
            core: csv_core::Reader::new(),
            text: vec![0; 64 << 10],
            ends: vec![0; 256],
            length: 0,
            fields: 0,
            names: Vec::new(),
            rows: 0,
        }
    }

    fn read(&mut self, mut bytes: &[u8], out: &mut impl Write) -> std::io::Result<()> {
        // An empty input would tell the parser that the end has come.
        while !bytes.is_empty() {
            bytes = &bytes[self.step(bytes, out)?..];
        }
        Ok(())
    }

    fn end(&mut self, out: &mut impl Write) -> std::io::Result<()> {
        self.step(&[], out).map(drop)
    }

    /// Reads up to the end of a record; how many bytes that took.
    fn step(&mut self, bytes: &[u8], out: &mut impl Write) -> std::io::Result<usize> {
        use csv_core::ReadRecordResult::{End, InputEmpty, OutputEndsFull, OutputFull, Record};
        let mut taken = 0;
        loop {
            let (result, read, written, ends) = self.core.read_record(
                &bytes[taken..],
                &mut self.text[self.length..],
                &mut self.ends[self.fields..],
            );
            taken += read;
            self.length += written;
            self.fields += ends;
            match result {
                OutputFull => self.text.resize(self.text.len() * 2, 0),
                OutputEndsFull => self.ends.resize(self.ends.len() * 2, 0),
                Record => {
                    self.record(out)?;
                    return Ok(taken);
                }
                InputEmpty | End => return Ok(taken),
            }
        }
    }

    fn record(&mut self, out: &mut impl Write) -> std::io::Result<()> {
        let text = std::str::from_utf8(&self.text[..self.length])
            .map_err(|e| std::io::Error::new(std::io::ErrorKind::InvalidData, e))?;
        let starts = std::iter::once(0).chain(self.ends[..self.fields].iter().copied());
        let values = starts.zip(&self.ends[..self.fields]).map(|(start, end)| &text[start..*end]);
        if !self.names.is_empty() && self.fields != self.names.len() {
            let reason =
                format!("{} fields where the header has {}", self.fields, self.names.len());
            return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, reason));
        }
        if self.names.is_empty() {
            self.names = values.map(str::to_owned).collect();
        } else {
            let row: Map<String, Value> = self
                .names
                .iter()
                .zip(values)
                .map(|(name, value)| {
                    let value = if value.is_empty() { Value::Null } else { value.into() };
                    (name.clone(), value)
                })
                .collect();
            serde_json::to_writer(&mut *out, &row)?;
            out.write_all(b"\n")?;
            self.rows += 1;
        }
        (self.length, self.fields) = (0, 0);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_whatever_pieces_they_come_in() {
        let text = "\"Id\",\"Name\"\n\"1\",\"a, \"\"b\"\"\nc\"\n\"2\",\"\"\n";
        let wanted = "{\"Id\":\"1\",\"Name\":\"a, \\\"b\\\"\\nc\"}\n{\"Id\":\"2\",\"Name\":null}\n";
        for size in 1..text.len() {
            let (mut records, mut out) = (Records::new(), vec![]);
            for piece in text.as_bytes().chunks(size) {
                records.read(piece, &mut out).expect("writes");
            }
            records.end(&mut out).expect("writes");
            assert_eq!(
                (records.rows, String::from_utf8(out).as_deref()),
                (2, Ok(wanted)),
                "{size}"
            );
        }
    }
}
