//! What must never be written down: passwords and what is kept of them, in any log, at any level.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use tokio_postgres::NoTls;

use crate::harness::until;

const CANARY: &str = "canary-Xq7-right-password";
const WRONG: &str = "canary-Zk3-wrong-password";

/// Ends the server with the test, however it ends.
struct Served(Child);

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn runrate(folder: &std::path::Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_runrate"));
    command.current_dir(folder).arg("--lake").arg(folder.join("lake")).args(words);
    command.env("RUST_LOG", "trace").env("RUNRATE_LOGIN_FAILURE_DELAY_MS", "0");
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn no_log_holds_a_password_or_what_is_kept_of_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("password");
    writeln!(std::fs::File::create(&path).expect("creates"), "{CANARY}").expect("writes");
    let file = path.display().to_string();
    let mut all = String::new();
    for words in [
        &["role", "add", "ana", "--password-file", &file][..],
        &["role", "grant", "ana", "--on", "crm.contacts", "--mask", "email=hash"],
        &["role", "show", "ana"],
        &["role", "list"],
    ] {
        let output = runrate(folder.path(), words).output().expect("runs");
        assert!(output.status.success(), "{words:?}: {output:?}");
        all.push_str(&String::from_utf8_lossy(&output.stdout));
        all.push_str(&String::from_utf8_lossy(&output.stderr));
    }
    let words = ["serve", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"];
    let mut command = runrate(folder.path(), &words);
    let path = folder.path().join("log");
    let errors = std::fs::File::create(&path).expect("creates");
    let child = command.stdout(Stdio::piped()).stderr(errors).spawn().expect("starts");
    let mut served = Served(child);
    let mut ready = String::new();
    BufReader::new(served.0.stdout.take().expect("a pipe")).read_line(&mut ready).expect("reads");
    let port = ready.split("postgres=127.0.0.1:").nth(1).and_then(|rest| rest.split(' ').next());
    let port = port.expect(&ready);
    for password in [WRONG, CANARY] {
        let text =
            format!("host=127.0.0.1 port={port} user=ana password={password} dbname=runrate");
        if let Ok((client, connection)) = tokio_postgres::connect(&text, NoTls).await {
            tokio::spawn(connection);
            client.simple_query("SHOW ALL").await.expect("shows");
            client.simple_query("SELECT * FROM pg_authid").await.expect("reads");
        }
    }
    // A file of roles that went bad is logged, but not what is in it.
    let roles = folder.path().join("lake/_roles");
    let kept = std::fs::read_to_string(&roles).expect("reads");
    std::fs::write(&roles, format!("{kept}bob SCRAM-SHA-256$1:canary-in-a-line\n"))
        .expect("writes");
    let log = || std::fs::read_to_string(&path).expect("reads");
    let told = "the roles cannot be read again";
    until(told, async || log().contains(told).then_some(())).await;
    drop(served);
    let log = log();
    assert!(log.contains("login failed"), "{log}");
    all.push_str(&log);
    let mut secrets: Vec<&str> = vec!["canary", "SCRAM-SHA-256$"];
    secrets.extend(kept.split(['$', ':', ' ', '\n']).filter(|word| word.len() > 20));
    assert!(secrets.len() > 4, "{}", secrets.len());
    for secret in secrets {
        let at = all.find(secret);
        assert!(at.is_none(), "{secret}: {}", &all[at.unwrap_or(0)..]);
    }
}
