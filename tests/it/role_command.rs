//! `runrate role` as an operator types it: what it takes, what it refuses, and what it leaves behind.

use std::path::Path;
use std::process::Command;

/// Runs `runrate role` on the lake in `folder`; whether it succeeded, and all that it said.
fn role(folder: &Path, words: &[&str]) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_runrate"));
    command.current_dir(folder).args(["--lake", "lake", "role"]).args(words);
    let output = command.output().expect("runs");
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn rights_are_given_shown_and_taken() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = |words: &[&str]| {
        let (is_done, said) = role(folder.path(), words);
        assert!(is_done, "{words:?}: {said}");
        said
    };
    std::fs::write(folder.path().join("password"), "correct horse\n").expect("writes");
    run(&["add", "ana", "--password-file", "password"]);
    run(&["add", "emea", "--bare", "--no-login"]);
    run(&["grant", "emea", "--on", "raw"]);
    let rows = "owner_id = current_user OR owner_id IS NULL";
    run(&["grant", "ana", "--on", "crm.opportunities", "--rows", rows]);
    run(&["grant", "ana", "--on", "crm.contacts", "--mask", "email=hash", "--member-of", "emea"]);
    run(&["grant", "ana", "--profile", "bi", "--limit", "connections_max=3", "--own", "ana"]);
    run(&["revoke", "ana", "--on", "crm.activities"]);
    let shown = run(&["show", "ana"]);
    for line in [
        "ana: logs in",
        "  profile bi",
        "  standard",
        "  rows crm.opportunities owner_id = current_user OR owner_id IS NULL",
        "  mask crm.contacts.email hash",
        "  hide crm.activities",
        "  limit connections_max 3",
        "  own ana",
        "  member emea",
        "and as a member of emea:",
        "  read raw",
    ] {
        assert!(shown.lines().any(|known| known == line), "{line}: {shown}");
    }
    // A policy on what is read anyway reads nothing more, and nothing secret is shown.
    assert!(!shown.contains("read crm"), "{shown}");
    assert!(!shown.contains("SCRAM") && !shown.contains("mask-key"), "{shown}");
    run(&["grant", "ana", "--on", "crm.activities"]);
    run(&["revoke", "ana", "--on", "crm.opportunities", "--rows"]);
    run(&["revoke", "ana", "--on", "crm.contacts", "--mask", "email"]);
    run(&["revoke", "ana", "--limit", "connections_max", "--own", "ana", "--member-of", "emea"]);
    let shown = run(&["show", "ana"]);
    for word in ["hide", "rows", "mask", "limit", "own", "member"] {
        assert!(!shown.contains(&format!("  {word} ")), "{word}: {shown}");
    }
    // A new password changes nothing else.
    run(&["add", "ana", "--password-file", "password"]);
    assert_eq!(run(&["show", "ana"]), shown);
}

#[test]
fn what_does_not_fit_is_refused_and_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("password"), "correct horse\n").expect("writes");
    assert!(role(folder.path(), &["add", "ana", "--password-file", "password"]).0);
    let path = folder.path().join("lake/_roles");
    let before = std::fs::read(&path).expect("reads");
    for (words, reason) in [
        (&["grant", "ana", "--on", "crm.opportunities", "--rows", "nope = 1"][..], "nope"),
        (&["grant", "ana", "--on", "crm.opportunities", "--rows", "amount"], "true or false"),
        (&["grant", "ana", "--on", "crm.users", "--rows", "true) OR (SELECT 1"], "row policy"),
        (&["grant", "ana", "--on", "crm", "--rows", "true"], "SCHEMA.RELATION"),
        (&["grant", "ana", "--on", "crm.nobody"], "does not exist"),
        (&["grant", "ana", "--on", "crm.contacts", "--mask", "emale=hash"], "emale"),
        (&["grant", "ana", "--on", "crm.contacts", "--mask", "email=blur"], "partial, hash, null"),
        (&["grant", "ana", "--on", "crm.contacts", "--columns", "emale"], "emale"),
        (&["grant", "ana", "--own", "crm"], "the system's"),
        (&["grant", "ana", "--member-of", "nobody"], "does not exist"),
        (&["grant", "ana", "--limit", "connections_max=many"], "NAME=NUMBER"),
        (&["grant", "ana", "--profile", "root"], "analyst, bi, batch, admin"),
        (&["grant", "bob", "--on", "crm"], "role \"bob\" does not exist"),
        (&["revoke", "ana", "--on", "crm.users", "--rows"], "no such policy"),
        (&["revoke", "ana", "--own", "lab"], "owns no such schema"),
    ] {
        let (is_done, said) = role(folder.path(), words);
        assert!(!is_done && said.contains(reason), "{words:?}: {said}");
        assert_eq!(std::fs::read(&path).expect("reads"), before, "{words:?}");
    }
}
