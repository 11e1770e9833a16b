//! `runrate restore`: a backup into an empty place, or tables back to what they held earlier.

use std::path::Path;

use chrono::{DateTime, Utc};

use super::backup::{ROLES, copy_private};
use super::{say, size};
use crate::cli::RestoreArgs;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::ingest;
use crate::lake::{self, Lake, Reverted, TableName};

/// Restores; the exit code is 0 if all of it was.
pub(super) async fn run(arguments: RestoreArgs, config: Config) -> Result<u8> {
    let RestoreArgs { backup, to, at, version } = arguments;
    match (backup, to, at) {
        (Some(backup), Some(to), _) => copy(&backup, &to, &config).await,
        (_, _, Some(at)) => back_to(&at, &config).await,
        _ if !version.is_empty() => versions(&version, &config).await,
        _ => Err(refused("restore", "give BACKUP --to DIR, --at INSTANT or --version TABLE=N")),
    }
}

async fn copy(from: &str, to: &str, config: &Config) -> Result<u8> {
    let done = lake::restore(config, from, to).await?;
    say(&format!(
        "{to}: {} tables, {} files, {}, as of {}\n",
        done.tables,
        done.files,
        size(done.bytes),
        done.made_at.to_rfc3339()
    ))?;
    if done.files_there > 0 {
        say(&format!("{} files were there from a run before\n", done.files_there))?;
    }
    let roles = Path::new(from).join(ROLES);
    let has_roles = !from.contains("://") && roles.is_file();
    if has_roles && !to.contains("://") {
        copy_private(&roles, &Path::new(to).join(ROLES))?;
        say("roles: restored\n")?;
    } else if has_roles {
        say(&format!("roles: not restored into a bucket; see {}\n", roles.display()))?;
    } else {
        say("roles: the backup has none; add them with `runrate role add`\n")?;
    }
    say("sources: the next `runrate sync` reads each of them whole\n")?;
    Ok(0)
}

/// Puts every table back to what it held at an instant.
async fn back_to(at: &str, config: &Config) -> Result<u8> {
    let text = at.trim().replacen(' ', "T", 1);
    let instant = DateTime::parse_from_rfc3339(&text).map_err(|_| {
        refused(&format!("--at {at}"), "is no instant with a zone, such as 2026-03-31T18:00:00Z")
    })?;
    let instant = instant.with_timezone(&Utc);
    if instant > Utc::now() {
        return Err(refused(&format!("--at {at}"), "is in the future"));
    }
    let lake = Lake::open_existing(config).await?;
    let writer = lake.writer("restore").await?;
    // Before the tables: a source that is read again costs time, one that is not costs rows.
    let sources = ingest::forget_sources(config)?;
    for done in writer.revert_all(instant).await? {
        say(&line(&done))?;
    }
    if !sources.is_empty() {
        say(&format!("sources: the next sync of {} reads all of it\n", sources.join(", ")))?;
    }
    say("tables and views made over SQL are as they were\n")?;
    Ok(0)
}

/// Puts single tables back to a version.
async fn versions(wanted: &[String], config: &Config) -> Result<u8> {
    let mut parsed = vec![];
    for text in wanted {
        let found = text.rsplit_once('=').and_then(|(name, version)| {
            let (schema, table) = name.split_once('.')?;
            Some((TableName::new(schema, table), version.parse::<i64>().ok()?))
        });
        let reason = "is not like crm.accounts=12";
        parsed.push(found.ok_or_else(|| refused(&format!("--version {text}"), reason))?);
    }
    let lake = Lake::open_existing(config).await?;
    let writer = lake.writer("restore").await?;
    for (name, version) in parsed {
        let done = writer.revert(&name, Some(version)).await?;
        say(&line(&done))?;
        if done.batches > 0 {
            say(&format!(
                "note: ops.ingest_runs still has the {} batches that {name} no longer holds, so ingesting them again loads nothing; `runrate restore --at` takes the ledger back too\n",
                done.batches
            ))?;
        }
    }
    Ok(0)
}

fn line(done: &Reverted) -> String {
    let Reverted { name, to, versions, rows, .. } = done;
    let what = match to {
        Some(version) => format!("as in version {version}"),
        None => "empty: it did not exist then".to_owned(),
    };
    match versions.1 {
        None => format!("{name}: {} rows, {what} already\n", rows.0),
        Some(now) => {
            format!(
                "{name}: {} -> {} rows, {what}; version {} -> {now}\n",
                rows.0, rows.1, versions.0
            )
        }
    }
}

fn refused(place: &str, reason: &str) -> Error {
    Error::Place { place: place.to_owned(), reason: reason.to_owned() }
}
