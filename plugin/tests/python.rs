//! The shared library in the Python package `datafusion`, as a user of it loads it.
//!
//! The package comes from the registry into a folder of its own beside the build.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The version of the package whose interface the library has.
const PACKAGE: &str = "datafusion==55.*";

fn library() -> PathBuf {
    // Cargo puts it beside this test: target/<profile>/deps.
    let test = std::env::current_exe().expect("a test has a path");
    let ending = if cfg!(target_os = "macos") { "dylib" } else { "so" };
    test.with_file_name(format!("librunrate_plugin.{ending}"))
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let program = command.get_program().display();
    assert!(output.status.success(), "{program}: {}\n{out}\n{err}", output.status);
    out.into_owned()
}

/// A Python that has the package.
fn python() -> PathBuf {
    let home = library().with_file_name("python-datafusion-55");
    let python = home.join("bin/python");
    if !home.join("installed").exists() {
        run(Command::new("python3").args(["-m", "venv"]).arg(&home));
        run(Command::new(&python).args(["-m", "pip", "install", "--quiet", PACKAGE]));
        std::fs::write(home.join("installed"), "").expect("a writable build folder");
    }
    python
}

#[test]
fn every_function_runs_in_python_without_a_server() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(python());
    command.arg(root.join("tests/examples.py")).arg(library());
    command.env("PYTHONPATH", root.join("python"));
    let examples = runrate_udfs::functions().iter().map(|function| {
        let (sql, wanted) = function.page().example;
        format!("{}\t{sql}\t{wanted}", function.name())
    });
    let lines = examples.collect::<Vec<_>>().join("\n");
    command.env("EXAMPLES", lines);
    let said = run(&mut command);
    let count = runrate_udfs::functions().len();
    assert_eq!(said.lines().last(), Some(format!("{count} functions agree").as_str()), "{said}");
}
