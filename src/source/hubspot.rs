//! HubSpot, through its CRM v3 API.
//!
//! Records are searched in the order of their ids, each page beginning after the last id of the one
//! before: a search gives no more than 10,000 results by its own paging, times of changes repeat,
//! and a record that is deleted meanwhile would move others over the edge of a page.
//! What changed is told by the property with the time of the last change; the next run begins when
//! this one began, by the clock of HubSpot, less an overlap, because searches find late.
//! Each page is completed by the associations that mappings read and, of deals, by the history of
//! their properties.
//!
//! Searches find no deleted records: these are listed apart, and become tombstones.
//! Owners, teams and pipelines are few, and always listed whole.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::http::{Api, Grant};
use super::system::{Copied, System, Wanted};
use crate::config::SourceConfig;
use crate::error::{Error, Result};

/// Objects that are searched, each with the property that tells when a record changed last.
const RECORDS: &[(&str, &str)] = &[
    ("calls", CHANGED),
    ("companies", CHANGED),
    ("contacts", "lastmodifieddate"),
    ("deals", CHANGED),
    ("emails", CHANGED),
    ("goal_targets", CHANGED),
    ("line_items", CHANGED),
    ("meetings", CHANGED),
    ("products", CHANGED),
    ("tasks", CHANGED),
];
const CHANGED: &str = "hs_lastmodifieddate";
/// Objects that are listed.
const LISTS: &[&str] = &["owners", "pipelines", "teams"];
/// Columns that are associations, with the object they lead to.
const LINKS: &[(&str, &str)] = &[
    ("associatedcompanyid", "companies"),
    ("associatedcontactid", "contacts"),
    ("associateddealid", "deals"),
];
/// Column with the history of properties, in lower case, and the properties that it is asked of.
const HISTORY: &str = "propertieswithhistory";
const WITH_HISTORY: &[&str] = &[
    "dealstage",
    "amount",
    "closedate",
    "hs_deal_stage_probability",
    "hs_manual_forecast_category",
    "hubspot_owner_id",
];
/// Most records of one search, of one list, and of one question for histories.
const SEARCHED: usize = 200;
const LISTED: usize = 100;
const HISTORIES: usize = 50;

/// A portal.
pub struct HubSpot {
    api: Api,
}

impl HubSpot {
    /// The portal of source `name`; nothing is asked yet.
    ///
    /// # Errors
    /// [`Error::Setting`] or [`Error::Credential`] for a key that is missing or not to be trusted.
    pub fn new(name: &str, source: &SourceConfig) -> Result<Self> {
        let api = Api::new(name, source, |base| match source.access_token(name)? {
            Some(token) => Ok(Grant::Token(token)),
            None => Grant::asked(name, source, base, "/oauth/v1/token"),
        })?;
        Ok(Self { api })
    }

    /// The properties of `object`, each with whether the company made it.
    async fn properties(&mut self, object: &str) -> Result<BTreeMap<String, bool>> {
        let answer = self.get(&format!("/crm/v3/properties/{object}")).await?;
        let all = answer["results"].as_array().into_iter().flatten();
        let live = all.filter(|property| property["archived"] != true);
        let named = live.filter_map(|property| {
            Some((property["name"].as_str()?.to_owned(), property["hubspotDefined"] != true))
        });
        Ok(named.collect())
    }

    /// Copies the records of `wanted` that changed, and the deleted ones; when that began, by the
    /// clock of HubSpot.
    async fn records(
        &mut self,
        wanted: &Wanted,
        stamp: &str,
        out: &mut Lines<'_>,
    ) -> Result<DateTime<Utc>> {
        let object = wanted.name.as_str();
        let known = self.properties(object).await?;
        let began = self.api.clock();
        let began = began.ok_or_else(|| self.broken("an answer without a Date".into()))?;
        let is_read = |name: &str| {
            wanted.columns.iter().any(|column| column == name)
                || [stamp, "hs_object_id"].contains(&name)
        };
        let read: Vec<&str> =
            known.keys().map(String::as_str).filter(|name| is_read(name)).collect();
        let custom = known.iter().filter(|(name, is_custom)| **is_custom && !is_read(name));
        let all: Vec<&str> =
            read.iter().copied().chain(custom.map(|(name, _)| name.as_str())).collect();
        let links: Vec<_> = LINKS
            .iter()
            .filter(|(column, _)| is_read(column) && !known.contains_key(*column))
            .collect();
        let has_history = is_read(HISTORY);
        let since = self.api.since(wanted)?;
        let mut last = 0;
        loop {
            let page = self.search(object, stamp, since, &all, last).await?;
            let mut records: BTreeMap<u64, Map<String, Value>> =
                page.records.iter().map(|(id, record)| (*id, row(record, &all))).collect();
            for (column, other) in &links {
                self.link(object, column, other, &mut records).await?;
            }
            if has_history {
                self.histories(object, &mut records).await?;
            }
            records.values().try_for_each(|record| out.write(record))?;
            last = page.records.last().map_or(last, |(id, _)| *id);
            if page.is_last {
                break;
            }
        }
        self.deleted(object, stamp, since, &read, &links, out).await?;
        Ok(began)
    }

    /// Copies the records of `object` that were deleted since then.
    async fn deleted(
        &mut self,
        object: &str,
        stamp: &str,
        since: Option<DateTime<Utc>>,
        properties: &[&str],
        links: &[&(&str, &str)],
        out: &mut Lines<'_>,
    ) -> Result<()> {
        let (names, others) = (properties.join(","), links.iter().map(|(_, other)| *other));
        let others = others.collect::<Vec<_>>().join(",");
        let path = format!(
            "/crm/v3/objects/{object}?archived=true&properties={names}&associations={others}"
        );
        for record in self.list(&path).await? {
            let at = record["archivedAt"].as_str().map(DateTime::parse_from_rfc3339);
            let Some(Ok(at)) = at else {
                let reason = format!("a deleted record without its time: {}", record["id"]);
                return Err(self.broken(reason));
            };
            if since.is_some_and(|since| at < since) {
                continue;
            }
            let mut row = row(&record, properties);
            row.insert("archived".into(), true.into());
            // To delete is the last change, which the property does not tell.
            row.insert(stamp.to_owned(), at.to_rfc3339().into());
            for (column, other) in links {
                let left = &record["associations"][other]["results"][0]["id"];
                row.insert((*column).to_owned(), left.clone());
            }
            out.write(&row)?;
        }
        Ok(())
    }

    /// The records after the id `last`, in the order of their ids; asked for again if they are
    /// fewer than the page says there are.
    async fn search(
        &mut self,
        object: &str,
        stamp: &str,
        since: Option<DateTime<Utc>>,
        properties: &[&str],
        last: u64,
    ) -> Result<Page> {
        let mut filters = vec![
            json!({ "propertyName": "hs_object_id", "operator": "GT", "value": last.to_string() }),
        ];
        if let Some(since) = since {
            let since = since.timestamp_millis().to_string();
            filters.push(json!({ "propertyName": stamp, "operator": "GTE", "value": since }));
        }
        let body = json!({
            "filterGroups": [{ "filters": filters }],
            "sorts": [{ "propertyName": "hs_object_id", "direction": "ASCENDING" }],
            "properties": properties, "limit": SEARCHED,
        });
        for attempt in 1.. {
            let answer = self.post(&format!("/crm/v3/objects/{object}/search"), &body).await?;
            let total = answer["total"].as_u64();
            let total =
                total.ok_or_else(|| self.broken(format!("a search of {object} has no total")))?;
            let found = answer["results"].as_array().cloned().unwrap_or_default();
            let mut records: Vec<(u64, Value)> = Vec::with_capacity(found.len());
            for record in found {
                let id = record["id"].as_str().and_then(|id| id.parse().ok());
                let before = records.last().map_or(last, |(id, _)| *id);
                match id {
                    Some(id) if id > before => records.push((id, record)),
                    _ => {
                        let reason = format!("{object} {} comes after {before}", record["id"]);
                        return Err(self.broken(reason));
                    }
                }
            }
            let (count, stated) = (records.len() as u64, total.min(SEARCHED as u64));
            if count == stated {
                return Ok(Page { records, is_last: count == total });
            }
            let short =
                format!("a page of {object} has {count} records where {stated} were stated");
            self.api.pause(attempt, None, std::io::Error::other(short)).await?;
        }
        Err(self.broken("no page was read".into()))
    }

    /// Gives `records` of `object` the column `column`: the id of the record of `other` that each
    /// is associated with, the primary one or else the oldest. All of several stay in
    /// `associations`.
    async fn link(
        &mut self,
        object: &str,
        column: &str,
        other: &str,
        records: &mut BTreeMap<u64, Map<String, Value>>,
    ) -> Result<()> {
        let path = format!("/crm/v4/associations/{object}/{other}/batch/read");
        let mut found: BTreeMap<u64, BTreeMap<u64, bool>> = BTreeMap::new();
        let mut inputs: Vec<Value> =
            records.keys().map(|id| json!({ "id": id.to_string() })).collect();
        while !inputs.is_empty() {
            let answer = self.post(&path, &json!({ "inputs": inputs })).await?;
            self.check_errors(&answer)?;
            inputs.clear();
            for result in answer["results"].as_array().into_iter().flatten() {
                let Some(from) = result["from"]["id"].as_str().and_then(|id| id.parse().ok())
                else {
                    return Err(self.broken(format!("an association from nothing: {result}")));
                };
                let to = found.entry(from).or_default();
                for target in result["to"].as_array().into_iter().flatten() {
                    let Some(id) = target["toObjectId"].as_u64() else {
                        return Err(self.broken(format!("an association to nothing: {target}")));
                    };
                    let mut types = target["associationTypes"].as_array().into_iter().flatten();
                    *to.entry(id).or_default() |= types.any(|kind| kind["label"] == "Primary");
                }
                if let Some(after) = result["paging"]["next"]["after"].as_str() {
                    inputs.push(json!({ "id": from.to_string(), "after": after }));
                }
            }
        }
        for (id, record) in records.iter_mut() {
            let to = found.remove(id).unwrap_or_default();
            let primary = to.iter().find(|(_, is_primary)| **is_primary).or(to.iter().next());
            record.insert(
                column.to_owned(),
                primary.map_or(Value::Null, |(id, _)| id.to_string().into()),
            );
            if to.len() > 1 {
                let ids: Vec<String> = to.keys().map(u64::to_string).collect();
                let all = record.entry("associations").or_insert_with(|| json!({}));
                all[other] = ids.into();
            }
        }
        Ok(())
    }

    /// Fails for what a batch says went wrong, other than that a record is associated with nothing
    /// or was deleted since it was found.
    fn check_errors(&self, answer: &Value) -> Result<()> {
        let mut errors = answer["errors"].as_array().into_iter().flatten();
        let is_grave = |error: &&Value| {
            let kind = error["subCategory"].as_str().unwrap_or_default();
            !kind.ends_with("NO_ASSOCIATIONS_FOUND") && error["category"] != "OBJECT_NOT_FOUND"
        };
        let grave = errors.find(is_grave);
        grave.map_or(Ok(()), |error| Err(self.broken(format!("part of a batch failed: {error}"))))
    }

    /// Gives `records` the history of their properties.
    async fn histories(
        &mut self,
        object: &str,
        records: &mut BTreeMap<u64, Map<String, Value>>,
    ) -> Result<()> {
        let ids: Vec<u64> = records.keys().copied().collect();
        for ids in ids.chunks(HISTORIES) {
            let inputs: Vec<Value> = ids.iter().map(|id| json!({ "id": id.to_string() })).collect();
            let body = json!({ "inputs": inputs, "properties": ["hs_object_id"],
                "propertiesWithHistory": WITH_HISTORY });
            let answer = self.post(&format!("/crm/v3/objects/{object}/batch/read"), &body).await?;
            self.check_errors(&answer)?;
            let has_gaps = answer["errors"].as_array().is_some_and(|errors| !errors.is_empty());
            let mut left: BTreeSet<u64> = ids.iter().copied().collect();
            for result in answer["results"].as_array().into_iter().flatten() {
                let id = result["id"].as_str().and_then(|id| id.parse().ok()).unwrap_or_default();
                if let Some(record) = records.get_mut(&id) {
                    let history = result["propertiesWithHistory"].clone();
                    record.insert("propertiesWithHistory".into(), history);
                    left.remove(&id);
                }
            }
            if let (false, Some(id)) = (has_gaps, left.first()) {
                return Err(self.broken(format!("{object} {id} came without its history")));
            }
            // What was deleted since it was found comes with the deleted records.
            left.iter().for_each(|id| drop(records.remove(id)));
        }
        Ok(())
    }

    /// Everything that the list at `path` has.
    async fn list(&mut self, path: &str) -> Result<Vec<Value>> {
        let (mut all, mut after) = (Vec::new(), String::new());
        loop {
            let start = if path.contains('?') { '&' } else { '?' };
            let mut answer = self.get(&format!("{path}{start}limit={LISTED}{after}")).await?;
            if let Some(results) = answer["results"].as_array_mut() {
                all.append(results);
            }
            match answer["paging"]["next"]["after"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => return Ok(all),
            }
        }
    }

    async fn owners(&mut self, out: &mut Lines<'_>) -> Result<()> {
        for is_archived in [false, true] {
            for owner in self.list(&format!("/crm/v3/owners?archived={is_archived}")).await? {
                out.write(owner.as_object().unwrap_or(&Map::new()))?;
            }
        }
        Ok(())
    }

    async fn teams(&mut self, out: &mut Lines<'_>) -> Result<()> {
        let answer = self.get("/settings/v3/users/teams").await?;
        let teams = answer["results"].as_array().into_iter().flatten();
        teams.filter_map(Value::as_object).try_for_each(|team| out.write(team))
    }

    /// A row a stage of each pipeline of deals.
    async fn pipelines(&mut self, out: &mut Lines<'_>) -> Result<()> {
        let answer = self.get("/crm/v3/pipelines/deals").await?;
        for pipeline in answer["results"].as_array().into_iter().flatten() {
            for stage in pipeline["stages"].as_array().into_iter().flatten() {
                let row = json!({
                    "pipelineId": pipeline["id"], "pipelineLabel": pipeline["label"],
                    "stageId": stage["id"], "label": stage["label"],
                    "displayOrder": stage["displayOrder"],
                    "isClosed": stage["metadata"]["isClosed"],
                    "probability": stage["metadata"]["probability"],
                    "archived": stage["archived"], "updatedAt": stage["updatedAt"],
                });
                out.write(row.as_object().unwrap_or(&Map::new()))?;
            }
        }
        Ok(())
    }

    async fn get(&mut self, path: &str) -> Result<Value> {
        Ok(self.api.json(Method::GET, path, None, None).await?.unwrap_or_default())
    }

    async fn post(&mut self, path: &str, body: &Value) -> Result<Value> {
        Ok(self.api.json(Method::POST, path, Some(body), None).await?.unwrap_or_default())
    }

    fn broken(&self, reason: String) -> Error {
        self.api.failed("read an answer", std::io::Error::other(reason))
    }
}

#[async_trait]
impl System for HubSpot {
    async fn objects(&mut self, known: &[String]) -> Result<Vec<String>> {
        let all = RECORDS.iter().map(|(object, _)| *object).chain(LISTS.iter().copied());
        Ok(all.map(str::to_owned).filter(|object| known.contains(object)).collect())
    }

    fn extension(&self) -> &'static str {
        "jsonl"
    }

    async fn copy(&mut self, wanted: &Wanted, to: &Path) -> Result<Copied> {
        let mut out = Lines::create(to)?;
        let record = RECORDS.iter().find(|(object, _)| *object == wanted.name);
        let watermark = match (wanted.name.as_str(), record) {
            (_, Some((_, stamp))) => {
                Some(self.records(wanted, stamp, &mut out).await?.to_rfc3339())
            }
            ("owners", _) => self.owners(&mut out).await.map(|()| None)?,
            ("teams", _) => self.teams(&mut out).await.map(|()| None)?,
            _ => self.pipelines(&mut out).await.map(|()| None)?,
        };
        Ok(Copied { rows: out.end()?, watermark })
    }
}

/// What a search found.
struct Page {
    records: Vec<(u64, Value)>,
    is_last: bool,
}

/// The properties `names` of `record` as columns; one that is empty is null.
fn row(record: &Value, names: &[&str]) -> Map<String, Value> {
    let value = |name: &str| match &record["properties"][name] {
        Value::String(text) if text.is_empty() => Value::Null,
        value => value.clone(),
    };
    let mut row: Map<String, Value> =
        names.iter().map(|name| ((*name).to_owned(), value(name))).collect();
    row.insert("hs_object_id".into(), record["id"].clone());
    row.insert("archived".into(), false.into());
    row
}

/// JSON lines that are being written.
struct Lines<'a> {
    path: &'a Path,
    file: BufWriter<File>,
    rows: u64,
}

impl<'a> Lines<'a> {
    fn create(path: &'a Path) -> Result<Self> {
        let file = File::create_new(path).map_err(|e| Error::file("create", path, e))?;
        Ok(Self { path, file: BufWriter::with_capacity(256 << 10, file), rows: 0 })
    }

    fn write(&mut self, row: &Map<String, Value>) -> Result<()> {
        let failed = |e| Error::file("write", self.path, e);
        serde_json::to_writer(&mut self.file, row).map_err(|e| failed(e.into()))?;
        self.file.write_all(b"\n").map_err(failed)?;
        self.rows += 1;
        Ok(())
    }

    /// Writes what is left; the number of rows.
    fn end(mut self) -> Result<u64> {
        self.file.flush().map_err(|e| Error::file("write", self.path, e))?;
        Ok(self.rows)
    }
}
