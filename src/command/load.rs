//! `runrate ingest` and `runrate sync`: files through a CRM's mapping or as they are, and named
//! sources; `runrate requeue`: rows of quarantine again.

use std::path::PathBuf;
use std::sync::Arc;

use super::{engine, say};
use crate::cli::{IngestArgs, RequeueArgs, SyncArgs};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::ingest::{self, How, Progress, Request, Summary, Terminal};

/// A bar on a terminal, plain lines otherwise.
pub(super) fn progress() -> Arc<dyn Progress> {
    Arc::new(Terminal::new())
}

/// Ingests; the exit code is 0, 3 (some rows quarantined) or 4 (refused).
pub(super) async fn run(arguments: IngestArgs, config: Config) -> Result<u8> {
    if arguments.all {
        return every(&arguments, config).await;
    }
    let request = request(&arguments)?;
    let engine = engine(config).await?;
    tell(ingest::ingest(&engine, &request, progress()).await)
}

/// Reads one source; the exit code is that of an ingest.
pub(super) async fn sync(arguments: SyncArgs, config: Config) -> Result<u8> {
    let SyncArgs { name, full, dry_run, force } = arguments;
    let engine = engine(config).await?;
    let how = How { is_full: full, is_dry: dry_run, is_forced: force };
    tell(ingest::sync(&engine, &name, how, progress()).await)
}

/// Reads every source, whatever becomes of the others; the exit code is that of the worst.
async fn every(arguments: &IngestArgs, config: Config) -> Result<u8> {
    let engine = engine(config).await?;
    let names: Vec<String> = engine.config().source.keys().cloned().collect();
    if names.is_empty() {
        let reason = "the configuration file has no [source.NAME]".to_owned();
        return Err(Error::Refused { subject: "--all".into(), reason });
    }
    let how = How { is_dry: arguments.dry_run, is_forced: arguments.force, is_full: false };
    let mut worst = 0;
    for name in names {
        say(&format!("{name}:\n"))?;
        let code = match tell(ingest::sync(&engine, &name, how, progress()).await) {
            Ok(code) => code,
            Err(error) => {
                say(&format!("failed: {}\n", error.chain()))?;
                1
            }
        };
        // A failure of the system weighs most, then a refusal, then rows in quarantine.
        let weight = |code: u8| [0, 3, 4, 1].iter().position(|known| *known == code);
        worst = if weight(code) > weight(worst) { code } else { worst };
    }
    Ok(worst)
}

/// Says what became of an ingest.
fn tell(outcome: Result<Summary>) -> Result<u8> {
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
    if let Some(system) = &arguments.system {
        request = request.of_system(system)?;
    }
    request.options.encoding.clone_from(&arguments.encoding);
    request.options.delimiter = match arguments.delimiter {
        Some(char) => Some(u8::try_from(char).map_err(|_| Error::Refused {
            subject: format!("--delimiter {char}"),
            reason: "a delimiter is one ASCII character".into(),
        })?),
        None => None,
    };
    request.options.sheet.clone_from(&arguments.sheet);
    let locale = &mut request.options.locale;
    declare("--decimal", &arguments.decimal, |name| locale.set_decimal(name))?;
    declare("--date-order", &arguments.date_order, |name| locale.set_date_order(name))?;
    declare("--serials", &arguments.serials, |name| locale.set_serials(name))?;
    request.is_forced = arguments.force;
    request.is_dry = arguments.dry_run;
    Ok(request)
}

/// Hands the value of `flag` to `set`, if it was given.
fn declare(
    flag: &str,
    value: &Option<String>,
    set: impl FnOnce(&str) -> std::result::Result<(), &'static str>,
) -> Result<()> {
    let Some(value) = value else { return Ok(()) };
    set(value).map_err(|known| Error::Refused {
        subject: format!("{flag} {value}"),
        reason: format!("must be {known}"),
    })
}

/// Reads rows of quarantine again; the exit code is 0, or 3 if some were quarantined again.
pub(super) async fn again(arguments: RequeueArgs, config: Config) -> Result<u8> {
    let zone = ingest::time_zone(arguments.time_zone.as_deref().unwrap_or("UTC"))?;
    let engine = engine(config).await?;
    let (batch, to) = (arguments.batch.as_deref(), arguments.to.as_deref());
    let done = ingest::requeue(&engine, batch, to, zone, progress()).await?;
    for summary in &done.batches {
        say(&summary.to_string())?;
    }
    let what = if to.is_some() { "written" } else { "read again" };
    say(&format!("{} rows of quarantine {what}\n", done.rows))?;
    for notice in &done.notices {
        say(&format!("note: {notice}\n"))?;
    }
    Ok(done.batches.iter().map(Summary::exit_code).max().unwrap_or(0))
}
