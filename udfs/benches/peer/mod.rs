//! Another package on the same rows, in a Python of its own that is made in the temporary directory.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Both sides have one core.
const ONE_THREAD: [&str; 4] =
    ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"];

/// A command that did not do what it was asked, for whoever reads the bench.
fn tried(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => {
            let said = String::from_utf8_lossy(&output.stderr);
            let last =
                said.lines().rev().find(|line| !line.is_empty()).unwrap_or("it said nothing");
            Err(format!("{command:?}: {}: {last}", output.status))
        }
    }
}

/// A Python that has `package`, such as `lightgbm==4.7.0`; installed once.
fn python(package: &str) -> Result<PathBuf, String> {
    let home = std::env::temp_dir().join("runrate-bench-python");
    let python = home.join("bin/python");
    if !python.exists() {
        tried(Command::new("python3").args(["-m", "venv"]).arg(&home))?;
    }
    let mark = home.join(format!("installed-{package}"));
    if !mark.exists() {
        eprintln!("installing {package} into {}", home.display());
        tried(Command::new(&python).args(["-m", "pip", "install", "--quiet", package]))?;
        std::fs::write(mark, "").map_err(|error| error.to_string())?;
    }
    Ok(python)
}

/// Seconds that `script` (beside this file) says its package took for `data`; without Python, the
/// package or a network to get it from there is no ratio, and that is said.
pub fn seconds(package: &str, script: &str, data: &Path) -> Option<f64> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peer").join(script);
    let said = python(package).and_then(|python| {
        let mut command = Command::new(python);
        command.arg(script).arg(data).envs(ONE_THREAD.map(|name| (name, "1")));
        tried(&mut command)
    });
    let seconds = said.and_then(|said| {
        let last = said.lines().last().unwrap_or_default().trim();
        last.parse::<f64>().map_err(|_| format!("it said \"{last}\" instead of seconds"))
    });
    seconds.inspect_err(|error| eprintln!("no ratio to {package}: {error}")).ok()
}

/// A file in the temporary directory that holds `bytes`.
pub fn file(name: &str, bytes: &[u8]) -> std::io::Result<PathBuf> {
    let path = std::env::temp_dir().join(format!("{}-{name}", std::process::id()));
    std::fs::write(&path, bytes)?;
    Ok(path)
}
