//! Named sources: what the configuration file says, and what `sync` and `ingest --all` do with it.

use std::path::Path;
use std::process::{Command, Output};

fn runrate(folder: &Path, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_runrate"))
        .args(["--lake", "lake", "--config", "runrate.toml"])
        .args(words)
        .current_dir(folder)
        .env("CANARY_PASSWORD", "canary-Kq2")
        .env("RUST_LOG", "trace")
        .output()
        .expect("runs")
}

fn text(output: &Output) -> String {
    let both = [output.stdout.as_slice(), &output.stderr].concat();
    String::from_utf8_lossy(&both).into_owned()
}

fn answer(folder: &Path, sql: &str) -> String {
    let output = runrate(folder, &["query", sql, "--format", "csv"]);
    assert!(output.status.success(), "{}", text(&output));
    String::from_utf8_lossy(&output.stdout).lines().skip(1).collect::<Vec<_>>().join(" ")
}

const CONFIG: &str = r#"
[source.people]
kind = "files"
crm = "template"
location = ["users.csv"]
delimiter = ";"
date_order = "dmy"

[source.prices]
kind = "files"
table = "prices"
types = "price:money"
location = "prices.csv"
decimal = "comma"
delimiter = ";"
"#;

fn folder(config: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let write =
        |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("writes");
    write("runrate.toml", config);
    write("users.csv", "user_id;name;is_active;hire_date\nu;U;true;31/12/2024\n");
    write("prices.csv", "code;price\na;1.234,56\nb;2\n");
    folder
}

#[test]
fn every_source_is_read_as_it_is_declared_and_a_dry_run_writes_nothing() {
    let folder = folder(CONFIG);
    let path = folder.path();
    let output = runrate(path, &["sync", "people", "--dry-run"]);
    assert!(output.status.success(), "{}", text(&output));
    assert!(text(&output).contains("dry run: nothing was written"), "{}", text(&output));
    assert_eq!(answer(path, "SELECT count(*) FROM crm.users"), "0");
    let output = runrate(path, &["ingest", "--all"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert_eq!(answer(path, "SELECT hire_date FROM crm.users"), "2024-12-31");
    assert_eq!(answer(path, "SELECT sum(price) FROM raw.prices"), "1236.56");
    let output = runrate(path, &["sync", "people"]);
    assert!(text(&output).contains("loaded before"), "{}", text(&output));
    // One source that fails does not keep the others from being read.
    std::fs::write(path.join("prices.csv"), "code;price\na;1,234.56\n").expect("writes");
    std::fs::write(path.join("users.csv"), "user_id;name;is_active\nv;V;true\n").expect("writes");
    let output = runrate(path, &["ingest", "--all"]);
    assert_eq!(output.status.code(), Some(4), "{}", text(&output));
    assert!(
        text(&output).contains("is a number only with the other decimal sign"),
        "{}",
        text(&output)
    );
    assert_eq!(answer(path, "SELECT count(*) FROM crm.users"), "2");
}

#[test]
fn a_source_has_a_contract_of_its_own() {
    let bad = folder(CONFIG);
    let mut users = String::from("user_id;name;is_active;hire_date\nu0;U;true;soon\n");
    (1..40).for_each(|n| users += &format!("u{n};U;true;31/12/2024\n"));
    std::fs::write(bad.path().join("users.csv"), users).expect("writes");
    let with = |rest: &str| {
        let config = format!("{CONFIG}{rest}");
        std::fs::write(bad.path().join("runrate.toml"), config).expect("writes");
    };
    for (rest, source, wanted) in [
        (
            "required_columns = [\"code\", \"size\"]",
            "prices",
            "prices.csv:1: required_columns: size is",
        ),
        (
            "[source.strict]\nkind = \"files\"\ncrm = \"template\"\nlocation = \"users.csv\"\n\
             delimiter = \";\"\ndate_order = \"dmy\"\nquarantine_ratio_max = 0.02",
            "strict",
            "1 of 40 rows are bad, more than quarantine_ratio_max (0.02)",
        ),
    ] {
        with(rest);
        let output = runrate(bad.path(), &["sync", source]);
        assert_eq!(output.status.code(), Some(4), "{}", text(&output));
        assert!(text(&output).contains(wanted), "{}", text(&output));
    }
    assert_eq!(answer(bad.path(), "SELECT count(*) FROM crm.users"), "0");
    // The same file keeps the terms of all: one bad row of forty is quarantined.
    let output = runrate(bad.path(), &["sync", "people"]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output));
    assert_eq!(answer(bad.path(), "SELECT count(*) FROM crm.users"), "39");
}

#[test]
fn what_is_declared_wrongly_is_named_and_nothing_is_read() {
    for (config, words, code, wanted) in [
        (
            CONFIG,
            vec!["sync", "peple"],
            4,
            "no such source in the configuration file; known: people, prices",
        ),
        ("", vec!["ingest", "--all"], 4, "the configuration file has no [source.NAME]"),
        (
            "[source.a]\nkind = \"files\"\nlocation = \"x\"",
            vec!["sync", "a"],
            78,
            "setting source.a.crm",
        ),
        (
            "[source.a]\nkind = \"files\"\ncrm = \"template\"\nlocation = \"x\"\ndecimal = \"dot\"",
            vec!["check"],
            78,
            "source.a.decimal (file): must be point or comma, got \"dot\"",
        ),
        (
            "[source.a]\nkind = \"files\"\ncrm = \"template\"\nlocation = \"x\"\nencodin = \"x\"",
            vec!["check"],
            78,
            "unknown field `encodin`",
        ),
        (
            "[source.a]\nkind = \"postgres\"\ncrm = \"template\"\nlocation = \"host=127.0.0.1 port=1\"\n\
             user = \"u\"\npassword_env = \"NO_SUCH_VARIABLE_HERE\"",
            vec!["sync", "a"],
            78,
            "variable NO_SUCH_VARIABLE_HERE is not set",
        ),
        (
            "[source.a]\nkind = \"postgres\"\ncrm = \"template\"\nlocation = \"host=db.example port=1\"\n\
             user = \"u\"\npassword_env = \"CANARY_PASSWORD\"",
            vec!["sync", "a"],
            78,
            "source.a.tls_root (file): is needed: a server elsewhere is only spoken to encrypted",
        ),
        (
            "[source.a]\nkind = \"postgres\"\ncrm = \"template\"\nlocation = \"host=127.0.0.1 port=1\"\n\
             user = \"u\"\npassword_env = \"CANARY_PASSWORD\"",
            vec!["sync", "a"],
            1,
            "source a: cannot connect",
        ),
    ] {
        let folder = folder(config);
        let output = runrate(folder.path(), &words);
        assert_eq!(output.status.code(), Some(code), "{words:?}: {}", text(&output));
        assert!(text(&output).contains(wanted), "{words:?}: {}", text(&output));
        assert!(!text(&output).contains("canary-Kq2"), "{words:?}: {}", text(&output));
    }
}

#[test]
fn a_sync_never_takes_the_place_of_another_sources_rows() {
    let source = |name: &str, crm: &str, file: &str, more: &str| {
        format!(
            "[source.{name}]\nkind = \"files\"\ncrm = \"{crm}\"\nlocation = \"{file}\"\n{more}\n"
        )
    };
    let config = [
        source("hub", "hubspot", "hub/companies.csv", "system = \"emea\""),
        source("hub2", "hubspot", "hub2/companies.csv", "system = \"apac\""),
        source("drive", "pipedrive", "drive/organizations.csv", ""),
    ];
    let folder = folder(&config.concat());
    let path = folder.path();
    let companies =
        |id: &str| format!("hs_object_id,name,createdate\n{id},Hub {id},2024-01-01T00:00:00Z\n");
    for (file, text) in [
        ("hub/companies.csv", companies("1")),
        ("hub2/companies.csv", companies("2")),
        (
            "drive/organizations.csv",
            "id,name,add_time,update_time\n1,Drive,2025-01-01 00:00:00,2025-01-01 00:00:00\n"
                .into(),
        ),
    ] {
        std::fs::create_dir_all(path.join(file).parent().expect("a folder")).expect("made");
        std::fs::write(path.join(file), text).expect("writes");
    }
    let names =
        "SELECT string_agg(name || ' of ' || source_system, ', ' ORDER BY name) FROM crm.accounts";
    for name in ["hub", "hub2"] {
        let output = runrate(path, &["sync", name]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    }
    let output = runrate(path, &["sync", "drive"]);
    assert_eq!(output.status.code(), Some(4), "{}", text(&output));
    let told = text(&output);
    assert!(
        told.contains("is in crm.accounts from hubspot:emea and comes from pipedrive"),
        "{told}"
    );
    let both = "\"Hub 1 of hubspot:emea, Hub 2 of hubspot:apac\"";
    assert_eq!(answer(path, names), both);
    // The other way round, in a lake of its own: whoever comes first stays.
    std::fs::remove_dir_all(path.join("lake")).expect("removed");
    assert_eq!(runrate(path, &["sync", "drive"]).status.code(), Some(0));
    let output = runrate(path, &["ingest", "--all"]);
    assert_eq!(output.status.code(), Some(4), "{}", text(&output));
    assert_eq!(answer(path, names), "\"Drive of pipedrive, Hub 2 of hubspot:apac\"");
}
