//! What each subcommand does: the rooms put together, and what a person sees on stdout.

mod backup;
mod check;
mod demo;
mod erase;
mod functions;
mod load;
mod restore;
mod role;
mod serve;
mod upkeep;
mod verify;

use std::io::Write;
use std::sync::Arc;

use crate::cli::{Command, MaterializeArgs, QueryArgs};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::query;
use crate::reports;
use crate::session::Engine;

/// Runs `command` and gives the exit code of the process.
///
/// # Errors
/// Those of the command.
pub async fn run(command: Command, config: Config) -> Result<u8> {
    match command {
        Command::Ingest(arguments) => load::run(arguments, config).await,
        Command::Sync(arguments) => load::sync(arguments, config).await,
        Command::Requeue(arguments) => load::again(arguments, config).await,
        Command::Serve(_) => serve::run(engine(config).await?).await,
        Command::Demo(arguments) => demo::run(arguments, config).await,
        Command::Query(arguments) => answer(arguments, config).await,
        Command::Materialize(arguments) => materialize(arguments, config).await,
        Command::Erase(arguments) => erase::run(arguments, config).await,
        Command::Upkeep(arguments) => upkeep::run(arguments, config).await,
        Command::Backup(arguments) => backup::run(arguments, config).await,
        Command::Verify(arguments) => verify::run(arguments, config).await,
        Command::Restore(arguments) => restore::run(arguments, config).await,
        Command::Upgrade => upkeep::upgrade(config).await,
        Command::Role { action } => role::run(action, config).await,
        Command::Functions { name, markdown } => functions::run(name.as_deref(), markdown),
        Command::Check { example, coverage } => check::run(example, coverage, config).await,
    }
}

/// Writes `text` to stdout; a reader that has gone away is no error.
fn say(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Error::file("write", "standard output", e))
        }
        _ => Ok(()),
    }
}

/// `bytes` as a person reads them.
fn size(bytes: u64) -> String {
    const STEPS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    let (mut value, mut unit) = (bytes as f64, "bytes");
    for step in STEPS {
        if value < 1024.0 {
            break;
        }
        (value, unit) = (value / 1024.0, step);
    }
    if unit == "bytes" { format!("{bytes} bytes") } else { format!("{value:.1} {unit}") }
}

/// An engine with the reports of `sql/`.
async fn engine(config: Config) -> Result<Arc<Engine>> {
    let reports = reports::load()?;
    Engine::open(config, reports.views, reports.functions).await
}

async fn answer(arguments: QueryArgs, config: Config) -> Result<u8> {
    let engine = engine(config).await?;
    let session = engine.session("local");
    query::run(&session, &arguments.sql, arguments.format, &mut std::io::stdout()).await?;
    Ok(0)
}

async fn materialize(arguments: MaterializeArgs, config: Config) -> Result<u8> {
    let engine = engine(config).await?;
    let outcome = reports::materialize(&engine, arguments.name.as_deref(), arguments.as_of).await?;
    say(&outcome.to_string())?;
    Ok(u8::from(outcome.failures() > 0))
}
