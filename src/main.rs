//! Parse, dispatch, exit code; the only `exit`.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use runrate::cli::{Cli, Command};
use runrate::config::Config;
use runrate::error::{Error, Result};
use runrate::{command, telemetry};

/// The memory of a query that is over goes back to the system within a second (`.cargo/config.toml`
/// says how soon); with the allocator of the system it stays with the process, whose limit it counts
/// against.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Stack of a worker thread; frames of an unoptimised build are large.
const STACK_BYTES: usize = 8 << 20;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match start(cli) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            report(&error);
            ExitCode::from(exit_code(&error))
        }
    }
}

fn start(cli: Cli) -> Result<u8> {
    let mut flags: Vec<(&str, String)> = Vec::new();
    if let Some(lake) = &cli.lake {
        flags.push(("lake", lake.clone()));
    }
    let (listen, http) = match &cli.command {
        Command::Serve(arguments) => (&arguments.listen, &arguments.http),
        Command::Demo(arguments) => (&arguments.listen, &arguments.http),
        _ => (&None, &None),
    };
    flags.extend(listen.iter().map(|address| ("listen", address.clone())));
    flags.extend(http.iter().map(|address| ("http", address.clone())));
    let mut config = Config::resolve(cli.config.as_deref(), &flags)?;
    config.log_format = cli.log_format.unwrap_or(config.log_format);
    telemetry::install(config.log_format);
    telemetry::hush_known_panic();
    // Two providers are compiled in by dependencies; rustls must be told which one to use.
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        tracing::debug!("crypto provider installed before");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(config.threads_resolved())
        .thread_stack_size(STACK_BYTES)
        .enable_all()
        .build()
        .map_err(|e| Error::file("start", "worker threads", e))?;
    runtime.block_on(command::run(cli.command, config))
}

/// The error, its causes and what to do, on stderr.
fn report(error: &Error) {
    let mut text = format!("runrate: {}\n", error.chain());
    if let Some(hint) = error.hint() {
        text.push_str(&format!("hint: {hint}\n"));
    }
    // Nothing is left to tell the person if stderr itself is gone.
    drop(std::io::stderr().write_all(text.as_bytes()));
}

/// Exit code of an error: sysexits where one fits, 1 otherwise.
fn exit_code(error: &Error) -> u8 {
    match error {
        Error::Setting { .. } | Error::LakeFormat { .. } | Error::Credential { .. } => 78,
        Error::LakeLocked { .. } | Error::Conflict { .. } => 75,
        Error::Refused { .. } | Error::Place { .. } => 4,
        _ => 1,
    }
}
