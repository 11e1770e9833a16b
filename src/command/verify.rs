//! `runrate verify`: a line a table, a line a finding with what to do about it.

use super::{say, size};
use crate::cli::VerifyArgs;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::ingest;
use crate::lake::Lake;

/// Looks; the exit code is 0 if nothing was found, 1 if something was.
pub(super) async fn run(arguments: VerifyArgs, config: Config) -> Result<u8> {
    let VerifyArgs { place, deep } = arguments;
    let config = Config { lake: place.unwrap_or_else(|| config.lake.clone()), ..config };
    let lake = match Lake::open_existing(&config).await {
        Ok(lake) => lake,
        Err(error @ (Error::LakeFormat { .. } | Error::Place { .. })) => {
            say(&format!("FOUND {}\n", error.chain()))?;
            if let Some(hint) = error.hint() {
                say(&format!("      {hint}\n"))?;
            }
            return Ok(1);
        }
        Err(error) => return Err(error),
    };
    let mut verified = lake.verify(deep).await?;
    let ledger = ingest::verify_ledger(&lake, &verified, deep).await?;
    verified.findings.extend(ledger);
    if let Some(made_at) = verified.made_at {
        say(&format!("a backup of {}\n", made_at.to_rfc3339()))?;
    }
    for table in &verified.tables {
        say(&format!(
            "{}: version {}, {} files, {}, {} rows\n",
            table.name,
            table.version,
            table.files,
            size(table.bytes),
            table.rows
        ))?;
    }
    for finding in &verified.findings {
        say(&format!("FOUND {}: {}\n      {}\n", finding.place, finding.fault, finding.advice))?;
    }
    let format = lake.format().await?;
    say(&format!(
        "format {format}; {} tables, {} findings\n",
        verified.tables.len(),
        verified.findings.len()
    ))?;
    Ok(u8::from(!verified.findings.is_empty()))
}
