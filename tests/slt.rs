//! Every `.slt` file in three lanes: in this process, over the simple protocol, over the extended one.
//!
//! All lanes run the same files and must print the same text: the in-process lane with the server's
//! text encoder, the simple lane as the server sent it, the extended lane decoded from binary.
//! `SLT=fragment` runs only the files whose path contains it.
//! `tests/slt/crm/<crm>.slt` runs in this process, against the sample of that CRM: golden rows of
//! every table that its mappings fill. `BLESS=1` writes what they answer into these files.

mod harness;

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use harness::{Answer, Client, Company, Lane};
use sqllogictest::{AsyncDB, DBOutput, DefaultColumnType, Runner};

struct Database(Client);

#[async_trait]
impl AsyncDB for Database {
    type Error = harness::Refusal;
    type ColumnType = DefaultColumnType;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, Self::Error> {
        let Answer { columns, rows } = self.0.run(sql).await?;
        if columns == 0 {
            return Ok(DBOutput::StatementComplete(0));
        }
        Ok(DBOutput::Rows { types: vec![DefaultColumnType::Any; columns], rows })
    }

    async fn shutdown(&mut self) {}

    fn error_sql_state(error: &Self::Error) -> Option<String> {
        Some(error.sqlstate.clone())
    }
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("tests/slt") {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|e| e == "slt") {
            found.push(path);
        }
    }
    found.sort();
}

async fn run_lane(lane: Lane) {
    let company = Company::open().await;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/slt");
    let wanted = std::env::var("SLT").unwrap_or_default();
    let mut all = vec![];
    files(&root, &mut all);
    let mut faults = vec![];
    let mut count = 0;
    all.retain(|path| !path.starts_with(root.join("crm")));
    for path in all.iter().filter(|path| path.display().to_string().contains(&wanted)) {
        let mut runner = Runner::new(|| async { Ok(Database(company.client(lane).await)) });
        runner.add_label(lane.label());
        if let Err(error) = runner.run_file_async(path).await {
            faults.push(error.to_string());
        }
        count += 1;
    }
    assert!(count > 0, "no .slt file matches {wanted}");
    assert!(faults.is_empty(), "{} of {count} files:\n{}", faults.len(), faults.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn in_process() {
    run_lane(Lane::InProcess).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wire_simple() {
    run_lane(Lane::Simple).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wire_extended() {
    run_lane(Lane::Extended).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn crm_samples() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/slt/crm");
    let wanted = std::env::var("SLT").unwrap_or_default();
    let mut all = vec![];
    files(&root, &mut all);
    let mut faults = vec![];
    for path in all.iter().filter(|path| path.display().to_string().contains(&wanted)) {
        let crm = path.file_stem().and_then(|stem| stem.to_str()).expect("a name");
        let company = Company::sample(crm).await;
        let mut runner =
            Runner::new(|| async { Ok(Database(company.client(Lane::InProcess).await)) });
        if std::env::var_os("BLESS").is_some() {
            let validator = sqllogictest::default_validator;
            let types = sqllogictest::default_column_validator;
            let normalizer = sqllogictest::default_normalizer;
            let update = runner.update_test_file(path, " ", validator, normalizer, types);
            update.await.expect("written");
        } else if let Err(error) = runner.run_file_async(path).await {
            faults.push(error.to_string());
        }
    }
    assert!(faults.is_empty(), "{} of {}:\n{}", faults.len(), all.len(), faults.join("\n"));
}
