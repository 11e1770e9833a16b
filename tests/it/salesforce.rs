//! Salesforce as a source, on a server that answers as its Bulk API 2.0 does, faults included.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Method, Request, Response, StatusCode};
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::live::{self, Folder, cut_off, said};

const SECRET: &str = "canary-Vb5-client-secret";
/// Records of one page.
const PAGE: usize = 3;

/// One record: its columns as the API spells them.
type Record = BTreeMap<&'static str, String>;

#[derive(Default)]
struct Org {
    accounts: Vec<Record>,
    /// Queries by job, and all that were asked.
    jobs: Vec<String>,
    /// Requests seen, by method and path.
    seen: BTreeMap<String, u64>,
    /// Tokens given so far; only the last is good.
    tokens: u64,
    /// What goes wrong, once each: a name of a fault.
    faults: Vec<&'static str>,
    /// A count that no page has.
    is_short: bool,
}

impl Org {
    fn strikes(&mut self, fault: &str) -> bool {
        let found = self.faults.iter().position(|f| *f == fault);
        found.map(|at| self.faults.remove(at)).is_some()
    }

    fn records(&self, query: &str) -> Vec<Record> {
        let since = query.split("SystemModstamp >= ").nth(1).unwrap_or("");
        let is_new = |record: &&Record| record["SystemModstamp"].as_str() >= since;
        self.accounts.iter().filter(is_new).cloned().collect()
    }
}

type Shared = Arc<Mutex<Org>>;

async fn serve(org: Org) -> (String, Shared) {
    let org = Arc::new(Mutex::new(org));
    let router = Router::new().fallback(answer).with_state(org.clone());
    (live::serve(router).await, org)
}

async fn answer(State(org): State<Shared>, request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.expect("a body");
    let path = parts.uri.path().to_owned();
    if path.ends_with("/results") && org.lock().strikes("stall") {
        std::future::pending::<()>().await;
    }
    let mut org = org.lock();
    *org.seen.entry(format!("{} {path}", parts.method)).or_default() += 1;
    if path == "/services/oauth2/token" {
        let form = String::from_utf8_lossy(&body).into_owned();
        if !form.contains(SECRET) || !form.contains("grant_type=client_credentials") {
            return said(StatusCode::BAD_REQUEST, json!({ "error": "invalid_client" }));
        }
        org.tokens += 1;
        return said(StatusCode::OK, json!({ "access_token": format!("token-{}", org.tokens) }));
    }
    let bearer = parts.headers.get("authorization").and_then(|v| v.to_str().ok()).unwrap_or("");
    let is_results = path.ends_with("/results");
    if bearer != format!("Bearer token-{}", org.tokens) || (is_results && org.strikes("expired")) {
        return said(StatusCode::UNAUTHORIZED, json!([{ "errorCode": "INVALID_SESSION_ID" }]));
    }
    if is_results && org.strikes("busy") {
        let busy = Response::builder().status(StatusCode::TOO_MANY_REQUESTS);
        return busy.header("retry-after", "0").body(Body::empty()).expect("an answer");
    }
    if path.ends_with("/describe") && org.strikes("error") {
        return said(StatusCode::INTERNAL_SERVER_ERROR, json!([]));
    }
    let last = path.rsplit('/').next().unwrap_or("").to_owned();
    match (&parts.method, path.strip_prefix("/services/data/v62.0").unwrap_or("")) {
        (&Method::GET, "/sobjects") => {
            let object = |name: &str| json!({ "name": name, "queryable": true });
            said(StatusCode::OK, json!({ "sobjects": [object("Account"), object("Unread")] }))
        }
        (&Method::GET, rest) if rest.ends_with("/describe") => {
            let field = |name: &str, kind: &str| json!({ "name": name, "type": kind });
            let names = "Id Name OwnerId IsDeleted CreatedDate SystemModstamp Tier__c Fax";
            let mut fields: Vec<Value> = names.split(' ').map(|f| field(f, "string")).collect();
            fields.push(field("BillingAddress", "address"));
            said(StatusCode::OK, json!({ "fields": fields }))
        }
        (&Method::POST, "/jobs/query") => {
            let job: Value = serde_json::from_slice(&body).expect("JSON");
            org.jobs.push(job["query"].as_str().expect("a query").to_owned());
            let id = (org.jobs.len() - 1).to_string();
            let at = "2026-11-25T05:00:00.000+0000";
            said(StatusCode::OK, json!({ "id": id, "state": "UploadComplete", "createdDate": at }))
        }
        (&Method::GET, _) if is_results => results(&mut org, &parts.uri),
        (&Method::GET, _) => {
            let polls = org.seen[&format!("GET {path}")];
            let id: usize = last.parse().expect("a job");
            if org.strikes("failed") {
                let body =
                    json!({ "state": "Failed", "errorMessage": "INVALID_FIELD: no such column" });
                return said(StatusCode::OK, body);
            }
            let count = org.records(&org.jobs[id].clone()).len() + usize::from(org.is_short);
            let state = if polls < 2 { "InProgress" } else { "JobComplete" };
            said(StatusCode::OK, json!({ "state": state, "numberRecordsProcessed": count }))
        }
        (&Method::DELETE, _) => Response::builder().status(204).body(Body::empty()).expect("empty"),
        _ => said(StatusCode::NOT_FOUND, json!([])),
    }
}

fn results(org: &mut Org, uri: &axum::http::Uri) -> Response<Body> {
    let id: usize =
        uri.path().split('/').nth_back(1).and_then(|id| id.parse().ok()).expect("a job");
    let query = org.jobs[id].clone();
    let columns: Vec<&str> =
        query["SELECT ".len()..query.find(" FROM").expect("a query")].split(", ").collect();
    let locator = uri.query().and_then(|q| q.split("locator=").nth(1)).unwrap_or("0");
    let from: usize = locator.parse().expect("a locator of ours");
    let records = org.records(&query);
    let page: Vec<&Record> = records.iter().skip(from).take(PAGE).collect();
    let mut text = columns.iter().map(|c| format!("\"{c}\"")).collect::<Vec<_>>().join(",") + "\n";
    for record in &page {
        let value = |column: &&str| {
            format!("\"{}\"", record.get(*column).cloned().unwrap_or_default().replace('"', "\"\""))
        };
        text += &(columns.iter().map(value).collect::<Vec<_>>().join(",") + "\n");
    }
    let next = if from + PAGE < records.len() { (from + PAGE).to_string() } else { "null".into() };
    let answer = Response::builder()
        .header("sforce-locator", next)
        .header("sforce-numberofrecords", page.len());
    if from > 0 && org.strikes("cut off") {
        return answer.body(cut_off(&text)).expect("an answer");
    }
    if from > 0 && org.strikes("a record less") {
        let end = text.trim_end().rfind('\n').expect("two records");
        text.truncate(end + 1);
    }
    answer.body(Body::from(text)).expect("an answer")
}

fn account(n: usize, name: &str, at: &str) -> Record {
    BTreeMap::from([
        ("Id", format!("001A0000006Vm{n:02}")),
        ("Name", name.to_owned()),
        ("OwnerId", "005A0000001Abcc".to_owned()),
        ("IsDeleted", "false".to_owned()),
        ("CreatedDate", "2026-01-01T00:00:00.000Z".to_owned()),
        ("SystemModstamp", at.to_owned()),
        ("Tier__c", "gold".to_owned()),
    ])
}

fn accounts(count: usize) -> Vec<Record> {
    let name =
        |n| if n == 4 { format!("Say \"hi\",\n{}", "line\n".repeat(150)) } else { format!("A{n}") };
    (0..count).map(|n| account(n, &name(n), "2026-01-01T00:00:00.000Z")).collect()
}

fn folder(address: &str) -> Folder {
    let folder = Folder::new(SECRET);
    folder.configure(&format!(
        "[source.org]\nkind = \"salesforce_api\"\ncrm = \"salesforce\"\nlocation = \"{address}\"\n\
         client_id = \"app\"\nclient_secret_env = \"SECRET\"\ntimeout_ms = 2000\n"
    ));
    folder
}

#[tokio::test]
async fn everything_comes_once_whatever_goes_wrong_and_then_what_changed() {
    let faults = vec!["error", "busy", "expired", "cut off", "a record less", "stall"];
    let (address, org) = serve(Org { accounts: accounts(10), faults, ..Org::default() }).await;
    let folder = folder(&address);
    let told = folder.told(&["sync", "org"], 0).await;
    for secret in ["token-1", "token-2"] {
        assert!(!told.contains(secret), "{told}");
    }
    assert_eq!(org.lock().faults, [""; 0], "every fault struck");
    assert_eq!(org.lock().tokens, 2);
    assert_eq!(folder.rows("SELECT count(*) FROM crm.accounts").await, "10");
    let odd = "SELECT length(name), extra FROM crm.accounts WHERE name LIKE 'Say%'";
    let wanted = format!("{},\"{{\"\"Tier__c\"\":\"\"gold\"\"}}\"", 10 + 150 * 5);
    assert_eq!(folder.rows(odd).await, wanted);
    let query = org.lock().jobs[0].clone();
    assert!(query.contains("Tier__c") && !query.contains("BillingAddress"), "{query}");
    assert!(!query.contains("Fax") && !query.contains("WHERE"), "{query}");
    {
        let mut org = org.lock();
        org.accounts[3] = account(3, "Renamed", "2026-11-25T05:10:00.000Z");
        let mut gone = account(5, "A5", "2026-11-25T05:11:00.000Z");
        gone.insert("IsDeleted", "true".to_owned());
        org.accounts[5] = gone;
    }
    folder.told(&["sync", "org"], 0).await;
    let query = org.lock().jobs[1].clone();
    assert!(query.ends_with("WHERE SystemModstamp >= 2026-11-25T04:00:00.000Z"), "{query}");
    let sql = "SELECT name || is_deleted FROM crm.accounts \
        WHERE name = 'Renamed' OR is_deleted ORDER BY 1";
    assert_eq!(folder.rows(sql).await, "A5true Renamedfalse");
    let sql = "SELECT sum(rows_read), sum(rows_loaded + rows_quarantined + rows_duplicate) \
        FROM ops.ingest_runs";
    assert_eq!(folder.rows(sql).await, "12,12");
    let told = folder.told(&["sync", "org", "--full"], 0).await;
    assert!(told.lines().any(|line| line.starts_with("total") && line.contains(" 10 ")), "{told}");
    let query = org.lock().jobs[2].clone();
    assert!(!query.contains("WHERE"), "{query}");
}

#[tokio::test]
async fn what_does_not_add_up_or_is_refused_loads_nothing() {
    for (org, wanted) in [
        (Org { is_short: true, ..Org::default() }, "10 records of Account came where there are 11"),
        (
            Org { faults: vec!["failed"], ..Org::default() },
            "the query job is Failed: INVALID_FIELD",
        ),
        (Org { faults: vec!["busy"; 9], ..Org::default() }, "it answers 429 Too Many Requests"),
        (Org { faults: vec!["expired"; 2], ..Org::default() }, "401 Unauthorized"),
    ] {
        let (address, _org) = serve(Org { accounts: accounts(10), ..org }).await;
        let folder = folder(&address);
        let told = folder.told(&["sync", "org"], 1).await;
        assert!(told.contains(wanted), "{told}");
        assert_eq!(folder.rows("SELECT count(*) FROM crm.accounts").await, "0");
    }
    let told = folder("http://crm.example").told(&["sync", "org"], 78).await;
    assert!(told.contains("source.org.location (file): must begin with https://"), "{told}");
}
