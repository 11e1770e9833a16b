//! `runrate upkeep` and `runrate upgrade`: tables in order, old versions away, the newest layout.

use super::{say, size};
use crate::cli::UpkeepArgs;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::lake::{Lake, Maintained, TableName};

/// Maintains tables; the exit code is 1 if one of them could not be.
pub(super) async fn run(arguments: UpkeepArgs, config: Config) -> Result<u8> {
    let kept = config.versions_kept_days;
    let lake = Lake::open_existing(&config).await?;
    let names = names(&arguments, &lake).await?;
    let (mut failures, mut bytes, mut files) = (0, 0, 0);
    for name in &names {
        // A table at a time: other writers get their turn between two.
        let writer = lake.writer("upkeep").await?;
        let outcome = match arguments.dry_run {
            true => Box::pin(writer.plan_upkeep(name)).await,
            false => Box::pin(writer.maintain_now(name)).await,
        };
        match outcome {
            Ok(done) => {
                (bytes, files) = (bytes + done.bytes_removed, files + done.files_removed);
                say(&line(&done, arguments.dry_run))?;
            }
            Err(error) => {
                failures += 1;
                say(&format!("{name}: failed: {}\n", error.chain()))?;
            }
        }
    }
    let word = if arguments.dry_run { "to remove" } else { "removed" };
    say(&format!(
        "{} tables, {files} old files ({}) {word}; versions of the last {kept} days stay\n",
        names.len(),
        size(bytes)
    ))?;
    Ok(u8::from(failures > 0))
}

/// The tables to maintain.
async fn names(arguments: &UpkeepArgs, lake: &Lake) -> Result<Vec<TableName>> {
    let all = lake.tables().await?;
    if let Some(wanted) = &arguments.table {
        let found = all.into_iter().find(|name| name.to_string() == *wanted);
        let name = found.ok_or_else(|| Error::NoTable {
            table: wanted.clone(),
            reason: "does not exist; name it as SCHEMA.TABLE".to_owned(),
        })?;
        return Ok(vec![name]);
    }
    let writer = lake.writer("upkeep").await?;
    let mut due = vec![];
    for name in all {
        if arguments.all || writer.is_due(&name).await? {
            due.push(name);
        }
    }
    Ok(due)
}

fn line(done: &Maintained, is_dry: bool) -> String {
    let mut parts = vec![];
    let will = if is_dry { "would be " } else { "" };
    if done.files_joined > 0 {
        let outcome = match is_dry {
            true => String::new(),
            false => format!(": {} files, {} now", done.files.1, size(done.bytes.1)),
        };
        parts.push(format!("{} {will}joined{outcome}", done.files_joined));
    }
    if done.files_removed > 0 {
        let bytes = size(done.bytes_removed);
        parts.push(format!("{} old ({bytes}) {will}removed", done.files_removed));
    }
    if done.log_files_removed > 0 {
        parts.push(format!("{} of the log {will}removed", done.log_files_removed));
    }
    if done.is_checkpointed {
        parts.push(format!("checkpoint {will}written"));
    }
    if parts.is_empty() {
        parts.push("nothing to do".to_owned());
    }
    let (files, bytes) = (done.files.0, size(done.bytes.0));
    format!("{}: {files} files, {bytes}; {}\n", done.name, parts.join("; "))
}

/// Brings the lake to the newest layout.
pub(super) async fn upgrade(config: Config) -> Result<u8> {
    let lake = Lake::open_existing(&config).await?;
    let done = lake.writer("upgrade").await?.upgrade().await?;
    if done.from == done.to {
        say(&format!("the lake has format {} already\n", done.to))?;
    } else {
        say(&format!("format {} -> {}: {} tables changed\n", done.from, done.to, done.tables))?;
    }
    Ok(0)
}
