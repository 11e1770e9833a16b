//! R8: a person is taken out of every file of the lake, and everybody else stays.

use std::fs;
use std::path::Path;

use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use runrate::ingest::{Person, Request, erase};

use crate::ingest::Bench;

/// What must be nowhere afterwards: the person's address, number, ids and name.
const CANARIES: &[&str] = &[
    "can.gil@kes.example",
    "+34 699 123 456",
    "003B0000009CanaAAA",
    "00QB0000009CanbAAA",
    "Quillermina Zarazaga",
    "Zarazaga",
];

const CONTACTS: &str = "Id,FirstName,LastName,Email,Phone,OwnerId,CreatedDate,Hobby__c\n\
    003B0000009CanaAAA,Quillermina,Zarazaga,Can.Gil@kes.example,+34 699 123 456,5,2024-01-01,go\n\
    003B0000009OtheAAA,Ona,Other,ona@kes.example,+34 600 000 009,5,2024-01-01,go\n\
    003B0000009BadxAAA,Quillermina,Zarazaga,can.gil@kes.example,1,5,no date,go\n";
const LEADS: &str = "Id,Email,Company,Status,OwnerId,IsConverted,ConvertedContactId,CreatedDate\n\
    00QB0000009CanbAAA,other@kes.example,Kestrel,Done,5,true,003B0000009CanaAAA,2024-01-01\n\
    00QB0000009OthbAAA,ben@fern.example,Fern,Open,5,false,,2024-01-01\n";
const TASKS: &str = "Id,OwnerId,WhoId,Subject,ActivityDate,Status,TaskSubtype\n\
    00TB00000000001AAA,5,003B0000009CanaAAA,Call Quillermina Zarazaga,2024-02-01,Completed,Call\n\
    00TB00000000002AAA,5,003B0000009OtheAAA,Call Ona,2024-02-01,Completed,Call\n\
    00TB00000000003AAA,5,,About Quillermina Zarazaga,2024-02-01,Completed,Call\n";
const NOTES: &str = "who,note\ncan.gil@kes.example,likes chess\nona@kes.example,likes go\n";

async fn loaded() -> Bench {
    let bench = Bench::new().await;
    for (name, text) in [("Contact", CONTACTS), ("Lead", LEADS), ("Task", TASKS)] {
        bench.write(&format!("export/{name}.csv"), text);
    }
    let mut request = Request::crm("salesforce", vec![bench.directory.path().join("export")]);
    request.is_forced = true;
    let summary = bench.load(&request).await.expect("loads");
    assert_eq!((summary.total().rows_loaded, summary.total().rows_quarantined), (7, 1));
    let notes = bench.write("notes.csv", NOTES);
    bench.load(&Request::table("notes", None, vec![notes]).expect("named")).await.expect("loads");
    bench
}

fn person(email: &str) -> Person {
    Person { emails: vec![email.to_owned()], with_names: true, ..Person::default() }
}

/// The first canary that a file below `folder` holds, compressed or not.
fn found(folder: &Path) -> Option<String> {
    for entry in fs::read_dir(folder).expect("listed") {
        let path = entry.expect("read").path();
        if path.is_dir() {
            if let Some(found) = found(&path) {
                return Some(found);
            }
            continue;
        }
        let bytes = fs::read(&path).expect("read");
        let mut text = String::from_utf8_lossy(&bytes).into_owned();
        if path.extension().is_some_and(|extension| extension == "parquet") {
            let file = fs::File::open(&path).expect("opens");
            let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("Parquet");
            let rows: Vec<_> = reader.build().expect("reads").map(|b| b.expect("reads")).collect();
            text += &pretty_format_batches(&rows).expect("prints").to_string();
        }
        let text = text.to_lowercase();
        if let Some(canary) = CANARIES.iter().find(|canary| text.contains(&canary.to_lowercase())) {
            return Some(format!("{canary} in {}", path.display()));
        }
    }
    None
}

#[tokio::test]
async fn nothing_of_a_person_is_left_in_any_file() {
    let bench = loaded().await;
    let lake = bench.directory.path().join("lake");
    assert!(found(&lake).is_some(), "the search has to find what is there");
    let before = bench.query("SELECT count(*) FROM crm.contacts").await;
    let receipt = erase(bench.engine.lake(), &person("CAN.gil@kes.example"), false).await;
    let receipt = receipt.expect("erases");
    assert_eq!(before, ["2"]);
    assert_eq!(found(&lake), None);
    assert_eq!(receipt.records, 2);
    let touched = |table: &str| {
        let touched = &receipt.tables[table];
        (touched.rows_removed, touched.rows_cleared)
    };
    assert_eq!(touched("crm.contacts"), (1, 0));
    assert_eq!(touched("crm.leads"), (1, 0));
    assert_eq!(touched("crm.activities"), (0, 2));
    assert_eq!(touched("raw.notes"), (1, 0));
    assert_eq!(touched("ops.quarantine"), (1, 0));
    let text = serde_json::to_string(&receipt).expect("JSON").to_lowercase();
    assert!(!CANARIES.iter().any(|canary| text.contains(&canary.to_lowercase())), "{text}");
}

#[tokio::test]
async fn everybody_else_stays_and_calls_keep_their_count() {
    let bench = loaded().await;
    erase(bench.engine.lake(), &person("can.gil@kes.example"), false).await.expect("erases");
    // What a server had open goes on with the newest version.
    bench.engine.refresh().await.expect("looks for news");
    assert_eq!(bench.query("SELECT email FROM crm.contacts").await, ["ona@kes.example"]);
    assert_eq!(bench.query("SELECT email FROM crm.leads").await, ["ben@fern.example"]);
    let calls = "SELECT activity_id, contact_id, subject FROM crm.activities ORDER BY 1";
    assert_eq!(
        bench.query(calls).await,
        [
            "00TB00000000001AAA||",
            "00TB00000000002AAA|003B0000009OtheAAA|Call Ona",
            "00TB00000000003AAA||"
        ]
    );
    assert_eq!(bench.query("SELECT who FROM raw.notes").await, ["ona@kes.example"]);
    // What comes later is loaded as ever.
    let more = bench.write(
        "later/Contact.csv",
        CONTACTS
            .replace("003B0000009CanaAAA", "003B0000009NewxAAA")
            .replace("Can.Gil", "new")
            .replace("can.gil", "x"),
    );
    let mut request = Request::crm("salesforce", vec![more]);
    request.is_forced = true;
    bench.load(&request).await.expect("loads");
    assert_eq!(bench.query("SELECT count(*) FROM crm.contacts").await, ["2"]);
}

#[tokio::test]
async fn a_dry_run_changes_nothing_and_nobody_is_refused() {
    let bench = loaded().await;
    let before = bench.engine.lake().change_token().await.expect("a token");
    let receipt = erase(bench.engine.lake(), &person("can.gil@kes.example"), true).await;
    assert_eq!(receipt.expect("looks").tables["crm.contacts"].rows_removed, 1);
    assert_eq!(bench.engine.lake().change_token().await.expect("a token"), before);
    let nobody = erase(bench.engine.lake(), &Person::default(), false).await;
    assert!(nobody.expect_err("refused").to_string().contains("--email"));
    let stranger = erase(bench.engine.lake(), &person("nobody@nowhere.example"), false).await;
    assert!(stranger.expect("looks").tables.is_empty());
}
