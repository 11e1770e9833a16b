//! `runrate erase`: a person out of every table, and a receipt.

use super::say;
use crate::cli::EraseArgs;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::ingest::{Person, erase};
use crate::lake::Lake;

/// Erases; the exit code is 0 whether something was found or not.
pub(super) async fn run(arguments: EraseArgs, config: Config) -> Result<u8> {
    let EraseArgs { emails, contacts, leads, with_names, dry_run, receipt: path } = arguments;
    let person = Person { emails, contacts, leads, with_names };
    let lake = Lake::open(&config).await?;
    let receipt = erase(&lake, &person, dry_run).await?;
    say(&receipt.to_string())?;
    if let Some(path) = path {
        let text = serde_json::to_string_pretty(&receipt).map_err(|error| Error::Refused {
            subject: "the receipt".to_owned(),
            reason: format!("cannot be written: {error}"),
        })?;
        std::fs::write(&path, text + "\n").map_err(|e| Error::file("write", &path, e))?;
    }
    Ok(0)
}
