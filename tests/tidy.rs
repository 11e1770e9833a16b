//! The rules of the house, checked by reading files only.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const LINES_MAX: usize = 600;
const COLUMNS_MAX: usize = 100;
const FUNCTION_LINES_MAX: usize = 70;

/// Functions that may be longer, each with its reason.
const LONG_FUNCTIONS: &[(&str, &str)] = &[
    ("src/demo/activities.rs:export", "one line a column of an export file"),
    ("src/demo/activities.rs:record", "one line a column of an export file"),
    ("src/demo/customers.rs:export_accounts", "one line a column of an export file"),
    ("src/demo/leads.rs:export", "one line a column of an export file"),
    ("src/demo/people.rs:export_quotas", "one line a column of an export file"),
];

/// A room, and what its files must not import: the arrows of the house, as a table.
const FORBIDDEN: &[(&str, &[&str])] = &[
    ("udfs/src", &["runrate::", "std::env", "std::fs", "std::net", "SystemTime::now", "Utc::now"]),
    ("udfs/src/math", &["arrow::", "datafusion", "arrow_"]),
    ("src/error.rs", &["crate::"]),
    ("src/config.rs", &["crate::schema", "crate::lake", "crate::session", "crate::server"]),
    ("src/schema", &["crate::"]),
    ("src/schema.rs", &["crate::"]),
    ("src/source", &["crate::schema", "crate::lake", "crate::session", "crate::ingest"]),
    ("src/lake", &["crate::session", "crate::source", "crate::ingest", "crate::server", "pgwire"]),
    ("src/session", &["crate::server", "crate::ingest", "crate::reports", "crate::cli", "pgwire"]),
    ("src/session.rs", &["crate::server", "crate::ingest", "crate::reports", "crate::cli"]),
    ("src/reports", &["crate::server", "crate::ingest", "crate::cli", "pgwire"]),
    ("src/ingest", &["crate::server", "crate::reports", "crate::cli", "pgwire"]),
    ("src/demo", &["crate::server", "crate::session", "crate::lake", "crate::ingest"]),
    ("src/server", &["crate::ingest", "crate::source", "crate::cli", "crate::demo"]),
];

/// A word, and the only places that may use it.
const OWNED: &[(&str, &[&str])] = &[
    ("std::env::var", &["src/config.rs"]),
    ("process::exit", &["src/main.rs"]),
    ("SessionContext::new", &["src/session.rs", "src/session/"]),
    ("pgwire", &["src/server/"]),
    ("datafusion_pg_catalog", &["src/server/"]),
    ("datafusion_distributed", &["src/cluster/"]),
    ("deltalake", &["src/lake/", "src/error.rs", "src/telemetry.rs"]),
];

const BANNED_NAMES: &[&str] = &["util", "utils", "helper", "helpers", "manager", "common", "misc"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let mut found = vec![];
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry.expect("a readable entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).expect("a UTF-8 file")
}

fn name(path: &Path) -> String {
    path.strip_prefix(root()).expect("inside the project").display().to_string()
}

/// The part of a file before its unit tests.
fn without_tests(text: &str) -> &str {
    // A file of tests carries no such line itself: the file beside it does, where it names it.
    let is_test = text.contains("#[test]") || text.contains("#[tokio::test");
    match text.find("#[cfg(test)]") {
        Some(at) => &text[..at],
        None if is_test => "",
        None => text,
    }
}

fn sources() -> Vec<PathBuf> {
    let mut all = files("src", "rs");
    all.extend(files("udfs/src", "rs"));
    all
}

fn assert_clean(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn files_open_with_their_purpose_and_keep_to_size() {
    let mut faults = vec![];
    let mut all = sources();
    all.extend(files("tests", "rs"));
    for path in all {
        let text = read(&path);
        let file = name(&path);
        if !text.starts_with("//!") {
            faults.push(format!("{file}: no //! on the first line"));
        }
        let lines = text.lines().count();
        if lines > LINES_MAX {
            faults.push(format!("{file}: {lines} lines, at most {LINES_MAX}"));
        }
        for (at, line) in text.lines().enumerate() {
            let is_text = line.contains("//") || line.contains('"');
            if line.chars().count() > COLUMNS_MAX && !is_text {
                faults.push(format!("{file}:{}: over {COLUMNS_MAX} characters", at + 1));
            }
        }
    }
    assert_clean(&faults);
}

#[test]
fn functions_are_short() {
    let mut faults = vec![];
    for path in sources() {
        let text = read(&path);
        let lines: Vec<&str> = text.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let trimmed = line.trim_start();
            let indent = line.len() - trimmed.len();
            let head = trimmed.trim_start_matches("pub(crate) ").trim_start_matches("pub(super) ");
            let head = head.trim_start_matches("pub ").trim_start_matches("async ");
            let Some(rest) = head.strip_prefix("fn ") else { continue };
            let function: String =
                rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            let closing = format!("{}}}", " ".repeat(indent));
            let Some(length) = lines[at..].iter().position(|l| *l == closing) else { continue };
            let spot = format!("{}:{function}", name(&path));
            let is_allowed = LONG_FUNCTIONS.iter().any(|(allowed, _)| *allowed == spot);
            if length + 1 > FUNCTION_LINES_MAX && !is_allowed {
                faults.push(format!("{spot}: {} lines, at most {FUNCTION_LINES_MAX}", length + 1));
            }
        }
    }
    assert_clean(&faults);
}

#[test]
fn nothing_flows_back() {
    let mut faults = vec![];
    for path in sources() {
        let file = name(&path);
        let text = read(&path);
        for (room, words) in FORBIDDEN {
            let is_inside = file == *room || file.starts_with(&format!("{room}/"));
            for word in words.iter().filter(|_| is_inside) {
                let hit = without_tests(&text)
                    .lines()
                    .any(|line| !line.trim_start().starts_with("//") && line.contains(word));
                if hit {
                    faults.push(format!("{file}: {room} must not name {word}"));
                }
            }
        }
        for (word, places) in OWNED {
            let is_owner = places.iter().any(|place| file.starts_with(place));
            let hit = without_tests(&text)
                .lines()
                .any(|line| !line.trim_start().starts_with("//") && line.contains(word));
            if hit && !is_owner && file.starts_with("src/") {
                faults.push(format!("{file}: only {places:?} may name {word}"));
            }
        }
    }
    assert_clean(&faults);
}

#[test]
fn names_say_what_they_hold() {
    let mut faults = vec![];
    for path in sources() {
        let stem = path.file_stem().and_then(|s| s.to_str()).unwrap_or_default().to_owned();
        let folder = path.parent().and_then(|p| p.file_name()).and_then(|s| s.to_str());
        if BANNED_NAMES.contains(&stem.as_str())
            || folder.is_some_and(|folder| BANNED_NAMES.contains(&folder))
        {
            faults.push(format!("{}: says nothing", name(&path)));
        }
    }
    assert_clean(&faults);
}

#[test]
fn sql_states_its_question_and_no_clock() {
    let mut faults = vec![];
    for path in files("sql", "sql") {
        let file = name(&path);
        let text = read(&path);
        let header: Vec<&str> = text.lines().take_while(|line| line.starts_with("--")).collect();
        for wanted in ["grain:", "unit:"] {
            if !header.iter().any(|line| line.contains(wanted)) {
                faults.push(format!("{file}: no `{wanted}` line in its header"));
            }
        }
        if !header.first().is_some_and(|line| line.contains('?')) {
            faults.push(format!("{file}: does not open with its question"));
        }
        let body: String = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("--"))
            .collect::<Vec<_>>()
            .join("\n")
            .to_lowercase();
        for clock in ["now()", "current_timestamp", "current_date", "current_time"] {
            if body.contains(clock) {
                faults.push(format!("{file}: {clock} makes its answer depend on when it is asked"));
            }
        }
    }
    assert_clean(&faults);
}

#[test]
fn every_view_and_function_has_a_test() {
    let tests: BTreeSet<String> = files("tests/slt", "slt").iter().map(|p| name(p)).collect();
    let mut faults = vec![];
    for path in files("sql", "sql") {
        let stem = path.file_stem().and_then(|s| s.to_str()).unwrap_or_default();
        let schema = path.parent().and_then(|p| p.file_name()).and_then(|s| s.to_str());
        let wanted = format!("tests/slt/report/{}/{stem}.slt", schema.unwrap_or_default());
        if !tests.contains(&wanted) {
            faults.push(format!("{}: no {wanted}", name(&path)));
        }
    }
    for function in runrate_udfs::functions() {
        let wanted = format!("tests/slt/udf/{}.slt", function.name());
        if !tests.contains(&wanted) {
            faults.push(format!("function {}: no {wanted}", function.name()));
        }
    }
    assert_clean(&faults);
}

/// What an analyst must find: sales operations, function by function.
const FUNCTIONS: &[&str] = &[
    "arr_band",
    "assign_rep",
    "auc",
    "balance_index",
    "brier",
    "capacity_gap",
    "close_rate",
    "cmgr",
    "commission",
    "convert_currency",
    "cv",
    "data_quality_score",
    "decay",
    "ece",
    "email_ok",
    "engagement_score",
    "fiscal_period",
    "fiscal_quarter",
    "fiscal_year",
    "forecast",
    "forecast_accuracy",
    "forecast_bias",
    "forecast_info",
    "fq_end",
    "fq_start",
    "gini",
    "growth_rate",
    "hires_needed",
    "icp_fit",
    "is_free_email",
    "latest_start",
    "lead_grade",
    "lead_model",
    "lead_model_info",
    "lead_probability",
    "lead_reasons",
    "lead_recalibrate",
    "lead_score",
    "lead_velocity",
    "linear_step",
    "log_loss",
    "mape",
    "mase",
    "match_key",
    "pipeline_coverage",
    "pipeline_forecast",
    "prorate",
    "quota_attainment",
    "quota_gap",
    "quota_pace",
    "ramp_pct",
    "ramped_fte",
    "ramped_quota",
    "required_run_rate",
    "run_rate",
    "sales_cycle_days",
    "sales_cycle_days_median",
    "sales_ops_role",
    "sales_velocity",
    "seasonal_index",
    "wape",
    "win_rate",
    "win_rate_hi",
    "win_rate_lo",
    "workdays",
];

/// Functions in FROM.
const TABLE_FUNCTIONS: &[&str] = &[
    "capacity_gap",
    "forecast",
    "lead_model",
    "lead_score",
    "pipeline_asof",
    "pipeline_waterfall",
    "quota_attainment",
    "stage_conversion",
];

#[test]
fn every_function_is_there_with_the_cases_that_break_functions() {
    let reports = runrate::reports::load().expect("sound reports");
    let pages = runrate::session::function_pages(&reports.functions);
    let mut faults = vec![];
    for (names, is_table) in [(FUNCTIONS, false), (TABLE_FUNCTIONS, true)] {
        for name in names {
            let is_known = |page: &runrate::session::FunctionPage| {
                page.name == *name && (page.kind == "table") == is_table
            };
            match pages.iter().find(|page| is_known(page)) {
                None => faults.push(format!("{name}: no such function")),
                Some(page) if page.example.is_empty() => faults.push(format!("{name}: no example")),
                Some(_) => {}
            }
        }
    }
    for function in runrate_udfs::functions() {
        let name = function.name();
        let text = read(&root().join(format!("tests/slt/udf/{name}.slt")));
        let refused = format!("statement error {name}:");
        let mut wanted = vec![("NULL", "nulls"), (&refused, "errors"), ("# bounds", "bounds")];
        if function.kind() == "aggregate" {
            wanted.push(("WHERE false", "no rows at all"));
        }
        let missing = wanted.iter().filter(|(mark, _)| !text.contains(mark));
        faults.extend(missing.map(|(_, case)| format!("tests/slt/udf/{name}.slt: no {case}")));
    }
    assert_clean(&faults);
}

#[test]
fn the_project_speaks_of_itself_only() {
    let mut faults = vec![];
    let mut all = sources();
    for (folder, ending) in
        [("sql", "sql"), ("datasets", "sql"), ("datasets", "md"), ("tests", "slt")]
    {
        all.extend(files(folder, ending));
    }
    for path in all {
        let text = read(&path);
        for word in ["/root/", "/work/", "crates.io", "TODO", "FIXME", "XXX:"] {
            if text.contains(word) {
                faults.push(format!("{}: {word}", name(&path)));
            }
        }
    }
    assert_clean(&faults);
}
