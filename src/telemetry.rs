//! Logs: one subscriber for the process, on stderr, filtered by `RUST_LOG`.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::config::LogFormat;

/// Our own events; of the libraries below only what went wrong.
const FILTER: &str = "warn,runrate=info";

/// Installs the log subscriber; a second call does nothing.
pub fn install(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(FILTER));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    let outcome = match format {
        LogFormat::Text => builder.with_target(false).try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
    // Tests install it more than once in a process; the first one stays.
    drop(outcome);
}

/// Keeps one panic of a library off stderr, which is caught and comes on top of an error that is told.
///
/// object_store's buffered writer panics when an upload whose end has failed, as on a full disk, is
/// aborted; delta-rs aborts it all the same, and catches that.
pub fn hush_known_panic() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let is_in_writer = panic.location().is_some_and(|at| at.file().ends_with("buffered.rs"));
        if !(is_in_writer && panic.payload_as_str() == Some("Already shut down")) {
            usual(panic);
        }
    }));
}
