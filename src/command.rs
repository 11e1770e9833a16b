//! What each subcommand does: the rooms put together, and what a person sees on stdout.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;

use crate::cli::{Command, IngestArgs, MaterializeArgs, QueryArgs};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::ingest::{self, Progress, Request, Silent, Terminal};
use crate::query;
use crate::reports;
use crate::session::Engine;

/// Runs `command` and gives the exit code of the process.
///
/// # Errors
/// Those of the command.
pub async fn run(command: Command, config: Config) -> Result<u8> {
    match command {
        Command::Ingest(arguments) => load(arguments, config).await,
        Command::Query(arguments) => answer(arguments, config).await,
        Command::Materialize(arguments) => materialize(arguments, config).await,
        _ => Ok(1),
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

/// An engine with the reports of `sql/`.
async fn engine(config: Config) -> Result<Arc<Engine>> {
    let reports = reports::load()?;
    Engine::open(config, reports.views, reports.functions).await
}

fn progress() -> Arc<dyn Progress> {
    if std::io::stderr().is_terminal() { Arc::new(Terminal::new()) } else { Arc::new(Silent) }
}

async fn load(arguments: IngestArgs, config: Config) -> Result<u8> {
    let request = request(&arguments)?;
    let engine = engine(config).await?;
    let outcome = ingest::ingest(&engine, &request, progress()).await;
    let code = ingest::exit_code(&outcome);
    match outcome {
        Ok(summary) => say(&summary.to_string())?,
        // Refused for what the files hold: said here, because the exit code says so too.
        Err(error) if code == 4 => say(&format!("refused: {}\n", error.chain()))?,
        Err(error) => return Err(error),
    }
    Ok(code)
}

fn request(arguments: &IngestArgs) -> Result<Request> {
    let paths = |texts: &[String]| texts.iter().map(PathBuf::from).collect::<Vec<_>>();
    let mut request = match (&arguments.table, arguments.arguments.split_first()) {
        (Some(table), _) => {
            Request::table(table, arguments.types.as_deref(), paths(&arguments.arguments))?
        }
        (None, Some((crm, rest))) if !rest.is_empty() => Request::crm(crm.clone(), paths(rest)),
        _ => {
            let reason = "give the CRM and at least one file or directory".to_owned();
            return Err(Error::Refused { subject: "nothing".into(), reason });
        }
    };
    if let Some(zone) = &arguments.time_zone {
        request = request.in_time_zone(zone)?;
    }
    request.options.encoding.clone_from(&arguments.encoding);
    request.options.delimiter = match arguments.delimiter {
        Some(char) => Some(u8::try_from(char).map_err(|_| Error::Refused {
            subject: format!("--delimiter {char}"),
            reason: "a delimiter is one ASCII character".into(),
        })?),
        None => None,
    };
    request.is_forced = arguments.force;
    Ok(request)
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
