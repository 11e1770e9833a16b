//! HubSpot as a source, on a server that answers as its CRM v3 API does, limits and faults too.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Method, Request, Response, StatusCode, Uri};
use chrono::DateTime;
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::live::{self, Folder, cut_off, said};

const SECRET: &str = "canary-Wd3-client-secret";
/// What the server says the time is.
const NOW: &str = "Wed, 25 Nov 2026 05:00:00 GMT";
/// Results that a search gives by its own paging.
const SEARCH_MAX: usize = 10_000;

#[derive(Clone, Default)]
struct Record {
    properties: BTreeMap<String, String>,
    /// When it was deleted.
    archived_at: Option<&'static str>,
    /// Versions of its stage, the newest first: value and time.
    stages: Vec<(&'static str, &'static str)>,
}

#[derive(Default)]
struct Portal {
    records: BTreeMap<&'static str, BTreeMap<u64, Record>>,
    /// From object, id and to object: ids, each with whether it is the primary one.
    links: BTreeMap<(&'static str, u64, &'static str), Vec<(u64, bool)>>,
    /// What was searched, by object.
    searches: Vec<(String, Value)>,
    /// Tokens given so far; only the last is good.
    tokens: u64,
    /// What goes wrong, once each.
    faults: Vec<&'static str>,
}

type Shared = Arc<Mutex<Portal>>;

impl Portal {
    fn strikes(&mut self, fault: &str) -> bool {
        let found = self.faults.iter().position(|f| *f == fault);
        found.map(|at| self.faults.remove(at)).is_some()
    }

    fn record(&mut self, object: &'static str, id: u64) -> &mut Record {
        self.records.entry(object).or_default().entry(id).or_default()
    }

    fn add(&mut self, object: &'static str, id: u64, properties: &[(&str, &str)]) -> &mut Record {
        let record = self.record(object, id);
        record.properties.insert("hs_object_id".into(), id.to_string());
        let own = properties.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        record.properties.extend(own);
        record
    }
}

/// A company with two deals, and as many contacts as no search gives, all changed at one moment.
fn portal(contacts: u64) -> Portal {
    let mut portal = Portal::default();
    let (made, changed) = ("2026-01-01T00:00:00Z", "2026-02-01T00:00:00.000Z");
    for id in 1..=contacts {
        let mail = format!("p{id}@kite.example");
        let of = [("createdate", made), ("lifecyclestage", "customer")];
        let record = portal.add("contacts", id, &of);
        record.properties.insert("email".into(), mail);
        record.properties.insert("lastmodifieddate".into(), changed.into());
        record.properties.insert("favourite_colour".into(), "teal".into());
    }
    for id in [101, 102] {
        let of = [("name", "Kite"), ("createdate", made), ("hs_lastmodifieddate", changed)];
        portal.add("companies", id, &of);
    }
    for id in [301, 302] {
        let of = [
            ("dealname", "Site"),
            ("pipeline", "default"),
            ("dealstage", "first"),
            ("amount", "1200.50"),
            ("deal_currency_code", "EUR"),
            ("closedate", "2026-12-31T12:00:00Z"),
            ("createdate", made),
            ("hs_is_closed", "false"),
            ("hs_is_closed_won", "false"),
            ("hs_lastmodifieddate", changed),
        ];
        portal.add("deals", id, &of).stages = vec![("first", made)];
    }
    portal.links.insert(("deals", 301, "companies"), vec![(101, false), (102, true)]);
    let of =
        [("price", "10"), ("quantity", "2"), ("amount", "20"), ("hs_lastmodifieddate", changed)];
    portal.add("line_items", 501, &of);
    portal.links.insert(("line_items", 501, "deals"), vec![(301, false)]);
    portal
}

async fn serve(portal: Portal) -> (String, Shared) {
    let portal = Arc::new(Mutex::new(portal));
    let router = Router::new().fallback(answer).with_state(portal.clone());
    (live::serve(router).await, portal)
}

fn refused(code: u16, category: &str) -> Response<Body> {
    let code = StatusCode::from_u16(code).expect("a status");
    said(code, json!({ "status": "error", "message": "no", "category": category }))
}

async fn answer(State(portal): State<Shared>, request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.expect("a body");
    let path = parts.uri.path().to_owned();
    let is_search = path.ends_with("/search");
    if is_search && portal.lock().strikes("stall") {
        std::future::pending::<()>().await;
    }
    let mut portal = portal.lock();
    if path == "/oauth/v1/token" {
        let form = String::from_utf8_lossy(&body).into_owned();
        if !form.contains(SECRET) || !form.contains("grant_type=refresh_token") {
            return refused(400, "BAD_CLIENT_SECRET");
        }
        portal.tokens += 1;
        return said(StatusCode::OK, json!({ "access_token": format!("token-{}", portal.tokens) }));
    }
    let bearer = parts.headers.get("authorization").and_then(|v| v.to_str().ok()).unwrap_or("");
    let is_late = portal.searches.len() > 3;
    if bearer != format!("Bearer token-{}", portal.tokens) || (is_late && portal.strikes("expired"))
    {
        return refused(401, "EXPIRED_AUTHENTICATION");
    }
    if is_search && portal.strikes("busy") {
        let busy = Response::builder().status(429).header("retry-after", "0");
        return busy.body(Body::from("{\"policyName\":\"SECONDLY\"}")).expect("an answer");
    }
    if path.starts_with("/crm/v3/properties/") && portal.strikes("error") {
        return refused(500, "INTERNAL");
    }
    let mut answer = route(&mut portal, &parts.method, &parts.uri, &body);
    answer.headers_mut().insert("date", NOW.parse().expect("a date"));
    if is_search && portal.strikes("cut off") {
        *answer.body_mut() = cut_off("{\"total\": 1, \"results\": []}");
    }
    answer
}

fn route(portal: &mut Portal, method: &Method, uri: &Uri, body: &[u8]) -> Response<Body> {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let words: Vec<&str> = uri.path().trim_matches('/').split('/').collect();
    match (method.as_str(), words.as_slice()) {
        ("GET", ["crm", "v3", "properties", object]) => properties(portal, object),
        ("POST", ["crm", "v3", "objects", object, "search"]) => search(portal, object, &body),
        ("POST", ["crm", "v3", "objects", "deals", "batch", "read"]) => histories(portal, &body),
        ("POST", ["crm", "v4", "associations", from, to, "batch", "read"]) => {
            associations(portal, from, to, &body)
        }
        ("GET", ["crm", "v3", "objects", object]) => archived(portal, object, uri),
        ("GET", ["crm", "v3", "owners"]) => owners(uri),
        ("GET", ["crm", "v3", "pipelines", "deals"]) => pipelines(),
        _ => refused(404, "OBJECT_NOT_FOUND"),
    }
}

fn properties(portal: &Portal, object: &str) -> Response<Body> {
    let Some(records) = portal.records.get(object) else { return refused(403, "MISSING_SCOPES") };
    let mut names: Vec<&String> = records.values().flat_map(|r| r.properties.keys()).collect();
    names.sort();
    names.dedup();
    let property = |name: &String| {
        let is_own = name == "favourite_colour";
        json!({ "name": name, "type": "string", "hubspotDefined": !is_own })
    };
    let results: Vec<Value> = names.into_iter().map(property).collect();
    said(StatusCode::OK, json!({ "results": results }))
}

/// The properties of `record` that were asked for, and no others.
fn shown(id: u64, record: &Record, names: &[String]) -> Value {
    let value = |name: &String| (name.clone(), json!(record.properties.get(name)));
    let properties: serde_json::Map<String, Value> = names.iter().map(value).collect();
    let mut shown = json!({ "id": id.to_string(), "properties": properties, "archived": false });
    if let Some(at) = record.archived_at {
        shown["archived"] = true.into();
        shown["archivedAt"] = at.into();
    }
    shown
}

fn texts(list: &Value) -> Vec<String> {
    let texts = list.as_array().into_iter().flatten().filter_map(Value::as_str);
    texts.map(str::to_owned).collect()
}

/// A value as searches compare it: a number, or the milliseconds of a time.
fn measure(text: &str) -> i64 {
    let at = || DateTime::parse_from_rfc3339(text).expect("a time").timestamp_millis();
    text.parse().unwrap_or_else(|_| at())
}

fn search(portal: &mut Portal, object: &str, body: &Value) -> Response<Body> {
    portal.searches.push((object.to_owned(), body.clone()));
    let (groups, sorts) = (&body["filterGroups"], body["sorts"].as_array().map_or(0, Vec::len));
    let limit = body["limit"].as_u64().unwrap_or(10) as usize;
    let after: usize = body["after"].as_str().map_or(0, |after| after.parse().expect("a number"));
    if limit > 200 || sorts > 1 || after + limit > SEARCH_MAX {
        return refused(400, "VALIDATION_ERROR");
    }
    let holds = |record: &Record, filter: &Value| {
        let name = filter["propertyName"].as_str().expect("a name");
        let Some(value) = record.properties.get(name) else { return false };
        let (own, other) = (measure(value), measure(filter["value"].as_str().expect("a value")));
        match filter["operator"].as_str() {
            Some("GT") => own > other,
            Some("GTE") => own >= other,
            _ => panic!("{filter}"),
        }
    };
    let filters = groups[0]["filters"].as_array().cloned().unwrap_or_default();
    let names = texts(&body["properties"]);
    let records = portal.records[object].iter().filter(|(_, r)| r.archived_at.is_none());
    let mut found: Vec<(&u64, &Record)> =
        records.filter(|(_, r)| filters.iter().all(|f| holds(r, f))).collect();
    if let Some(sort) = body["sorts"][0]["propertyName"].as_str() {
        found.sort_by_key(|(_, record)| measure(&record.properties[sort]));
    }
    let total = found.len();
    let page = found.into_iter().skip(after).take(limit);
    let mut results: Vec<Value> = page.map(|(id, record)| shown(*id, record, &names)).collect();
    if portal.strikes("a record less") {
        results.pop();
    }
    said(StatusCode::OK, json!({ "total": total, "results": results }))
}

fn ids(body: &Value) -> Vec<u64> {
    let inputs = body["inputs"].as_array().expect("inputs").iter();
    inputs.map(|input| input["id"].as_str().expect("an id").parse().expect("a number")).collect()
}

fn histories(portal: &Portal, body: &Value) -> Response<Body> {
    let ids = ids(body);
    if ids.len() > 50 {
        return refused(400, "VALIDATION_ERROR");
    }
    assert!(texts(&body["propertiesWithHistory"]).contains(&"dealstage".to_owned()));
    let of = |id: u64| {
        let stages = portal.records["deals"][&id].stages.iter();
        let stages: Vec<Value> =
            stages.map(|(value, at)| json!({ "value": value, "timestamp": at })).collect();
        let history = json!({ "dealstage": stages, "amount": [] });
        json!({ "id": id.to_string(), "properties": {}, "propertiesWithHistory": history })
    };
    let results: Vec<Value> = ids.into_iter().map(of).collect();
    said(StatusCode::OK, json!({ "status": "COMPLETE", "results": results }))
}

fn associations(portal: &mut Portal, from: &str, to: &str, body: &Value) -> Response<Body> {
    let (mut results, mut errors) = (Vec::new(), Vec::new());
    for id in ids(body) {
        let found = portal.links.iter().find(|((f, n, t), _)| (*f, *n, *t) == (from, id, to));
        let Some((_, links)) = found else {
            errors.push(json!({ "subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND" }));
            continue;
        };
        let link = |(id, is_primary): &(u64, bool)| {
            let label = if *is_primary { json!("Primary") } else { Value::Null };
            json!({ "toObjectId": id, "associationTypes": [{ "typeId": 5, "label": label }] })
        };
        let to: Vec<Value> = links.iter().map(link).collect();
        results.push(json!({ "from": { "id": id.to_string() }, "to": to }));
    }
    if portal.strikes("half a batch") {
        errors.push(json!({ "category": "INTERNAL", "message": "try another time" }));
    }
    said(StatusCode::MULTI_STATUS, json!({ "results": results, "errors": errors }))
}

fn asked<'u>(uri: &'u Uri, name: &str) -> &'u str {
    let pairs = uri.query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
    pairs.into_iter().find(|(key, _)| *key == name).map_or("", |(_, value)| value)
}

fn archived(portal: &Portal, object: &str, uri: &Uri) -> Response<Body> {
    assert_eq!((asked(uri, "archived"), asked(uri, "limit")), ("true", "100"));
    let names: Vec<String> = asked(uri, "properties").split(',').map(str::to_owned).collect();
    let deleted = portal.records[object].iter().filter(|(_, record)| record.archived_at.is_some());
    let of = |(id, record): (&u64, &Record)| {
        let mut shown = shown(*id, record, &names);
        for to in asked(uri, "associations").split(',') {
            let links = portal.links.iter().find(|((f, n, t), _)| (*f, n, *t) == (object, id, to));
            if let Some((_, links)) = links {
                shown["associations"][to] =
                    json!({ "results": [{ "id": links[0].0.to_string() }] });
            }
        }
        shown
    };
    let results: Vec<Value> = deleted.map(of).collect();
    said(StatusCode::OK, json!({ "results": results }))
}

/// Two pages of those that are there, and one who left.
fn owners(uri: &Uri) -> Response<Body> {
    let owner = |id: u64, is_archived: bool| {
        json!({ "id": id.to_string(), "email": format!("o{id}@kite.example"), "firstName": "O",
            "archived": is_archived, "updatedAt": "2026-01-01T00:00:00Z",
            "teams": [{ "id": "51", "name": "South", "primary": true }] })
    };
    let body = match (asked(uri, "archived"), asked(uri, "after")) {
        ("true", _) => json!({ "results": [owner(13, true)] }),
        (_, "") => {
            json!({ "results": [owner(11, false)], "paging": { "next": { "after": "11" } } })
        }
        _ => json!({ "results": [owner(12, false)] }),
    };
    said(StatusCode::OK, body)
}

fn pipelines() -> Response<Body> {
    let stage = |id: &str, order: u64, is_closed: &str, probability: &str| {
        json!({ "id": id, "label": id, "displayOrder": order, "archived": false,
            "updatedAt": "2026-01-01T00:00:00Z",
            "metadata": { "isClosed": is_closed, "probability": probability } })
    };
    let stages = [stage("first", 0, "false", "0.2"), stage("won", 1, "true", "1.0")];
    let pipeline = json!({ "id": "default", "label": "Sales", "stages": stages });
    said(StatusCode::OK, json!({ "results": [pipeline] }))
}

fn folder(address: &str, rest: &str) -> Folder {
    let folder = Folder::new(SECRET);
    folder.configure(&format!(
        "[source.portal]\nkind = \"hubspot_api\"\ncrm = \"hubspot\"\nlocation = \"{address}\"\n\
         client_id = \"app\"\nclient_secret_env = \"SECRET\"\nrefresh_token_env = \"SECRET\"\n\
         timeout_ms = 2000\n{rest}"
    ));
    folder
}

const TABLES: &str = "tables = \
    [\"companies\", \"contacts\", \"deals\", \"line_items\", \"owners\", \"pipelines\"]\n";

#[tokio::test]
async fn more_than_a_search_gives_comes_once_whatever_goes_wrong() {
    let mut portal = portal(10_250);
    portal.faults = vec!["error", "busy", "expired", "cut off", "a record less", "stall"];
    let (address, portal) = serve(portal).await;
    let folder = folder(&address, TABLES);
    let told = folder.told(&["sync", "portal"], 0).await;
    assert!(!told.contains("token-1") && !told.contains("token-2"), "{told}");
    assert_eq!(portal.lock().faults, [""; 0], "every fault struck");
    assert_eq!(portal.lock().tokens, 2);
    for (sql, wanted) in [
        ("SELECT count(*), count(DISTINCT email) FROM crm.contacts", "10250,10250"),
        ("SELECT count(*) FROM crm.accounts", "2"),
        ("SELECT DISTINCT extra FROM crm.contacts", "\"{\"\"favourite_colour\"\":\"\"teal\"\"}\""),
        // The primary company of two, and both of them.
        (
            "SELECT extra FROM crm.opportunities \
             WHERE opportunity_id = '301' AND account_id = '102'",
            r#""{""associations"":""{\""companies\"":[\""101\"",\""102\""]}""}""#,
        ),
        ("SELECT count(*) FROM crm.opportunities WHERE account_id IS NULL", "1"),
        ("SELECT opportunity_id, total_price FROM crm.opportunity_line_items", "301,20.00"),
        (
            "SELECT user_id, is_active, team FROM crm.users ORDER BY 1",
            "11,true,South 12,true,South 13,false,South",
        ),
        (
            "SELECT stage_id, ordinal, is_won FROM crm.stage_definitions ORDER BY 2",
            "first,1,false won,2,true",
        ),
        (
            "SELECT opportunity_id, stage_id, history_quality FROM crm.opportunity_stage_history \
             ORDER BY 1",
            "301,first,recorded 302,first,recorded",
        ),
    ] {
        assert_eq!(folder.rows(sql).await, wanted, "{sql}");
    }
}

#[tokio::test]
async fn afterwards_only_what_changed_or_was_deleted_is_asked_for() {
    let (address, portal) = serve(portal(5)).await;
    let folder = folder(&address, TABLES);
    folder.told(&["sync", "portal"], 0).await;
    let searches = portal.lock().searches.len();
    {
        let mut portal = portal.lock();
        let of = [("dealstage", "won"), ("hs_is_closed", "true"), ("hs_is_closed_won", "true")];
        let deal = portal.add("deals", 302, &of);
        deal.properties.insert("hs_lastmodifieddate".into(), "2026-11-25T05:10:00Z".into());
        deal.stages.insert(0, ("won", "2026-11-25T05:10:00Z"));
        portal.record("contacts", 3).archived_at = Some("2026-11-25T05:20:00Z");
        portal.record("line_items", 501).archived_at = Some("2026-11-25T05:21:00Z");
    }
    let told = folder.told(&["sync", "portal"], 0).await;
    let total = told.lines().find(|line| line.starts_with("total")).expect("a total");
    let read = total.split_whitespace().nth(1).expect("a count");
    assert!(read.parse::<u64>().expect("a number") < 15, "{told}");
    // One search an object, from an hour before the first one began.
    let since = measure("2026-11-25T04:00:00Z").to_string();
    let later = portal.lock().searches.split_off(searches);
    assert_eq!(later.len(), 4, "{later:?}");
    for (object, body) in &later {
        let filter = &body["filterGroups"][0]["filters"][1];
        assert_eq!(
            (&filter["operator"], &filter["value"]),
            (&json!("GTE"), &json!(since)),
            "{object}"
        );
    }
    for (sql, wanted) in [
        ("SELECT contact_id FROM crm.contacts WHERE is_deleted", "3"),
        ("SELECT line_item_id, is_deleted FROM crm.opportunity_line_items", "501,true"),
        ("SELECT stage_id, is_won FROM crm.opportunities WHERE opportunity_id = '302'", "won,true"),
        (
            "SELECT stage_id, valid_to IS NULL FROM crm.opportunity_stage_history \
             WHERE opportunity_id = '302' ORDER BY valid_from",
            "first,false won,true",
        ),
    ] {
        assert_eq!(folder.rows(sql).await, wanted, "{sql}");
    }
}

#[tokio::test]
async fn what_is_refused_or_broken_loads_nothing() {
    for (faults, rest, wanted) in [
        (vec!["busy"; 9], "", "it answers 429 Too Many Requests"),
        (vec!["half a batch"], "", "part of a batch failed"),
        (vec!["a record less"; 9], "", "has 1 records where 2 were stated"),
        (vec![], "required_columns = [\"deals.no_such\"]", "required_columns: no_such is missing"),
        (vec![], "required_columns = [\"no_such.x\"]", "no mapping of hubspot reads no_such"),
    ] {
        let mut portal = portal(5);
        portal.faults = faults;
        let code = if rest.is_empty() { 1 } else { 4 };
        let (address, _portal) = serve(portal).await;
        let folder = folder(&address, &format!("{TABLES}{rest}"));
        let told = folder.told(&["sync", "portal"], code).await;
        assert!(told.contains(wanted), "{told}");
        assert_eq!(folder.rows("SELECT count(*) FROM crm.accounts").await, "0");
    }
    // An object that the app may not read must be left out by name; a token that ended is told.
    let (address, _portal) = serve(portal(1)).await;
    let told = folder(&address, "").told(&["sync", "portal"], 1).await;
    assert!(told.contains("/crm/v3/properties/") && told.contains("MISSING_SCOPES"), "{told}");
    let folder = Folder::new(SECRET);
    folder.configure(&format!(
        "[source.portal]\nkind = \"hubspot_api\"\ncrm = \"hubspot\"\nlocation = \"{address}\"\n\
         access_token_env = \"SECRET\"\n"
    ));
    let told = folder.told(&["sync", "portal"], 1).await;
    assert!(told.contains("401 Unauthorized"), "{told}");
}
