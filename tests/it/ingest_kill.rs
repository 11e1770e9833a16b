//! A process that is killed in the middle of an ingest loses nothing and doubles nothing.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::ingest::sample;

fn runrate(lake: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_runrate"));
    command.arg("--lake").arg(lake).args(arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn answer(lake: &Path, sql: &str) -> String {
    let out = runrate(lake, &["query", "--format", "csv", sql]).output().expect("runs");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8_lossy(&out.stdout).lines().skip(1).collect::<Vec<_>>().join(";")
}

#[test]
fn kills_at_twenty_moments_then_a_retry_give_exact_counts() {
    let directory = tempfile::tempdir().expect("a directory");
    let export = sample("crm_sales_opportunities").display().to_string();
    let ingest = ["ingest", "crm_sales_opportunities", export.as_str()];
    let whole = directory.path().join("whole");
    let started = std::time::Instant::now();
    let out = runrate(&whole, &ingest).output().expect("runs");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let took = started.elapsed();
    let tables =
        ["accounts", "opportunities", "opportunity_stage_history", "users", "user_hierarchy"];
    let counts =
        tables.map(|table| format!("(SELECT count(*) FROM crm.{table})")).join(" + 1000 * ");
    let ledger = "SELECT count(*), sum(rows_read) FROM ops.ingest_runs WHERE status = 'loaded'";
    let wanted = (answer(&whole, &format!("SELECT {counts}")), answer(&whole, ledger));
    // Two lakes, each killed ten times on its way; the moments are spread over the whole run.
    for lake in 0..2_u32 {
        let root = directory.path().join(format!("killed-{lake}"));
        let mut unfinished = 0;
        for kill in 0..10_u32 {
            let share = f64::from(kill * 2 + lake + 1) / 21.0;
            let mut child = runrate(&root, &ingest).spawn().expect("starts");
            std::thread::sleep(Duration::from_secs_f64(took.as_secs_f64() * share));
            let is_running = child.try_wait().expect("a status").is_none();
            unfinished += u32::from(is_running);
            child.kill().expect("killed, or gone already");
            child.wait().expect("reaped");
        }
        assert!(unfinished > 0, "no kill met a running ingest");
        let out = runrate(&root, &ingest).output().expect("runs");
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let found = (answer(&root, &format!("SELECT {counts}")), answer(&root, ledger));
        assert_eq!(found, wanted, "lake {lake}");
    }
}
