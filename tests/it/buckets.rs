//! Exports in a bucket, on a server that speaks S3 well enough to be read, and badly enough to hurt.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use parking_lot::Mutex;

use crate::archives::gzip;

/// What goes wrong.
#[derive(Clone, Copy, PartialEq)]
enum Fault {
    None,
    /// The first answer to each request is an error of the server.
    Stumbling,
    /// The object is replaced after its first range.
    Replaced,
    /// Ranges come shorter than they were asked for.
    Short,
    /// No key is good enough.
    Forbidden,
}

struct Store {
    objects: BTreeMap<String, Vec<u8>>,
    fault: Fault,
    ranges: AtomicU64,
    seen: Mutex<BTreeMap<String, u64>>,
}

/// A bucket called `exports`; its address.
async fn serve(objects: &[(&str, Vec<u8>)], fault: Fault) -> (String, Arc<Store>) {
    let objects = objects.iter().map(|(key, bytes)| ((*key).to_owned(), bytes.clone())).collect();
    let (ranges, seen) = (AtomicU64::new(0), Mutex::default());
    let store = Arc::new(Store { objects, fault, ranges, seen });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    let router = Router::new().fallback(answer).with_state(store.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (address, store)
}

fn status(code: StatusCode) -> Response<Body> {
    Response::builder().status(code).body(Body::empty()).expect("an answer")
}

async fn answer(State(store): State<Arc<Store>>, request: Request<Body>) -> Response<Body> {
    let (method, uri, headers) =
        (request.method().clone(), request.uri().clone(), request.headers().clone());
    if store.fault == Fault::Forbidden {
        return status(StatusCode::FORBIDDEN);
    }
    if store.fault == Fault::Stumbling {
        let mut seen = store.seen.lock();
        let count = seen.entry(format!("{method} {uri} {:?}", headers.get("range"))).or_default();
        *count += 1;
        if *count == 1 {
            return status(StatusCode::SERVICE_UNAVAILABLE);
        }
    }
    let key = uri.path().trim_start_matches("/exports").trim_start_matches('/').to_owned();
    match store.objects.get(&key) {
        _ if key.is_empty() => listing(&store, &uri),
        None => status(StatusCode::NOT_FOUND),
        Some(bytes) => object(&store, &method, &headers, bytes),
    }
}

fn object(store: &Store, method: &Method, headers: &HeaderMap, bytes: &[u8]) -> Response<Body> {
    let is_replaced = store.fault == Fault::Replaced && store.ranges.load(Ordering::SeqCst) > 0;
    let tag = format!("\"{}{}\"", bytes.len(), if is_replaced { "-new" } else { "" });
    if headers.get("if-match").is_some_and(|wanted| *wanted != *tag) {
        return status(StatusCode::PRECONDITION_FAILED);
    }
    let builder = Response::builder()
        .header("etag", tag)
        .header("last-modified", "Wed, 25 Nov 2026 00:00:00 GMT")
        .header("accept-ranges", "bytes");
    if method == Method::HEAD {
        let builder = builder.header("content-length", bytes.len());
        return builder.body(Body::empty()).expect("an answer");
    }
    let Some(range) = headers.get("range").and_then(|range| range.to_str().ok()) else {
        return builder.body(Body::from(bytes.to_vec())).expect("an answer");
    };
    store.ranges.fetch_add(1, Ordering::SeqCst);
    let (first, last) =
        range.trim_start_matches("bytes=").split_once('-').expect("a range of two ends");
    let (first, last): (usize, usize) =
        (first.parse().expect("a start"), last.parse().expect("an end"));
    let last = last.min(bytes.len() - 1) - usize::from(store.fault == Fault::Short);
    builder
        .status(StatusCode::PARTIAL_CONTENT)
        .header("content-range", format!("bytes {first}-{last}/{}", bytes.len()))
        .body(Body::from(bytes[first..=last].to_vec()))
        .expect("an answer")
}

fn listing(store: &Store, uri: &Uri) -> Response<Body> {
    let query = uri.query().unwrap_or_default();
    let prefix = query.split('&').find_map(|part| part.strip_prefix("prefix=")).unwrap_or_default();
    let prefix = prefix.replace("%2F", "/");
    let mut text = String::from("<ListBucketResult><IsTruncated>false</IsTruncated>");
    for (key, bytes) in &store.objects {
        let Some(rest) = key.strip_prefix(&prefix) else { continue };
        if let Some((folder, _)) = rest.split_once('/') {
            write!(text, "<CommonPrefixes><Prefix>{prefix}{folder}/</Prefix></CommonPrefixes>")
        } else {
            write!(
                text,
                "<Contents><Key>{key}</Key><LastModified>2026-11-25T00:00:00.000Z</LastModified>\
                 <ETag>\"{0}\"</ETag><Size>{0}</Size></Contents>",
                bytes.len()
            )
        }
        .expect("fits");
    }
    text.push_str("</ListBucketResult>");
    Response::new(Body::from(text))
}

/// `runrate` with `words`, as a process whose environment knows the bucket.
async fn runrate(folder: &Path, address: &str, words: &[&str]) -> Output {
    tokio::process::Command::new(env!("CARGO_BIN_EXE_runrate"))
        .args(["--lake", "lake"])
        .args(words)
        .current_dir(folder)
        .env("AWS_ENDPOINT_URL", address)
        .env("AWS_ALLOW_HTTP", "true")
        .env("AWS_REGION", "eu-west-1")
        .env("AWS_ACCESS_KEY_ID", "canary-key")
        .env("AWS_SECRET_ACCESS_KEY", "canary-secret")
        .env("NO_PROXY", "127.0.0.1")
        .env("RUNRATE_SPILL_DIR", folder.join("spill"))
        .env("RUST_LOG", "debug")
        .output()
        .await
        .expect("runs")
}

fn text(output: &Output) -> String {
    let both = [output.stdout.as_slice(), &output.stderr].concat();
    String::from_utf8_lossy(&both).into_owned()
}

fn products(count: usize, name: &str) -> Vec<u8> {
    let rows: String = (0..count).map(|n| format!("p{n},{name},{n}\n")).collect();
    format!("product_id,name,list_price\n{rows}").into_bytes()
}

async fn count(folder: &Path, table: &str) -> String {
    let sql = format!("SELECT count(*) AS n FROM {table}");
    let output = runrate(folder, "http://127.0.0.1:1", &["query", &sql, "--format", "csv"]).await;
    String::from_utf8_lossy(&output.stdout).trim().replace("n\n", "")
}

#[tokio::test]
async fn a_folder_of_a_bucket_loads_like_a_directory() {
    let folder = tempfile::tempdir().expect("a folder");
    // Large enough for several ranges.
    let large = products(20, &"x".repeat(900_000));
    let users = gzip(b"user_id,name,is_active\nu,U,true\nbad\n");
    let objects = [
        ("crm/products.csv", large),
        ("crm/users.csv.gz", users),
        ("crm/readme.md", b"# export".to_vec()),
        ("crm/old/products.csv", products(50, "old")),
    ];
    for fault in [Fault::None, Fault::Stumbling] {
        let (address, store) = serve(&objects, fault).await;
        let words = ["ingest", "template", "--force", "s3://exports/crm/"];
        let output = runrate(folder.path(), &address, &words).await;
        let said = text(&output);
        assert_eq!(output.status.code(), Some(if fault == Fault::None { 3 } else { 0 }), "{said}");
        assert!(said.contains("s3://exports/crm/readme.md was not read: unknown format"), "{said}");
        assert!(store.ranges.load(Ordering::SeqCst) >= 4, "ranges");
        assert!(!said.contains("canary-secret"), "{said}");
    }
    assert_eq!(count(folder.path(), "crm.products").await, "20");
    let sql = "SELECT file, line FROM ops.quarantine";
    let output = runrate(folder.path(), "", &["query", sql, "--format", "csv"]).await;
    let found = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(found, "file,line\ns3://exports/crm/users.csv.gz,3\n");
    let left = std::fs::read_dir(folder.path().join("spill")).expect("a folder").count();
    assert_eq!(left, 0, "copies are gone");
}

#[tokio::test]
async fn one_object_loads_and_what_is_not_there_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let objects = [("crm/products.csv", products(3, "P"))];
    let (address, _store) = serve(&objects, Fault::None).await;
    let words = ["ingest", "template", "s3://exports/crm/products.csv"];
    let output = runrate(folder.path(), &address, &words).await;
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(count(folder.path(), "crm.products").await, "3");
    for (url, code, wanted) in [
        ("s3://exports/none/", 4, "there is no object of that name, and none below it"),
        ("https://example.invalid/a.csv", 4, "give a path, or a URL of s3://, gs:// or az://"),
        ("s3://key:secret@exports/crm/", 4, "must hold no credential"),
    ] {
        let output = runrate(folder.path(), &address, &["ingest", "template", url]).await;
        assert_eq!(output.status.code(), Some(code), "{url}: {}", text(&output));
        assert!(text(&output).contains(wanted), "{url}: {}", text(&output));
    }
    let small = [("SOURCE_FILE_BYTES_MAX", "1024")];
    let large = [("crm/products.csv", products(30, &"P".repeat(100)))];
    let (address, store) = serve(&large, Fault::None).await;
    let config = folder.path().join("small.toml");
    std::fs::write(&config, format!("{} = {}", small[0].0.to_lowercase(), small[0].1))
        .expect("writes");
    let words = ["--config", "small.toml", "ingest", "template", "s3://exports/crm/products.csv"];
    let output = runrate(folder.path(), &address, &words).await;
    assert!(text(&output).contains("source_file_bytes_max is 1024"), "{}", text(&output));
    assert_eq!(store.ranges.load(Ordering::SeqCst), 0, "nothing was copied");
}

#[tokio::test]
async fn an_object_that_changes_or_comes_short_loads_nothing() {
    let large = [("crm/products.csv", products(20, &"x".repeat(900_000)))];
    for (fault, code, wanted) in [
        (
            Fault::Replaced,
            4,
            "s3://exports/crm/products.csv:0: the object changed while it was read",
        ),
        (Fault::Short, 0, ""),
        (Fault::Forbidden, 1, "cannot"),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let (address, _store) = serve(&large, fault).await;
        let words = ["ingest", "template", "s3://exports/crm/products.csv"];
        let output = runrate(folder.path(), &address, &words).await;
        let said = text(&output);
        if fault == Fault::Short {
            assert_ne!(output.status.code(), Some(0), "{said}");
        } else {
            assert_eq!(output.status.code(), Some(code), "{said}");
            assert!(said.contains(wanted), "{said}");
        }
        assert!(!said.contains("canary-secret"), "{said}");
        assert_eq!(count(folder.path(), "crm.products").await, "0");
    }
}
