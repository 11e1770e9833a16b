//! `runrate check`: is everything in order before something depends on it.

use super::{engine, say};
use crate::config::Config;
use crate::error::Result;
use crate::{ingest, reports};

/// Checks mappings, lake and reports, or prints an example of the configuration.
///
/// The configuration itself was checked when it was read.
pub(super) async fn run(is_example: bool, config: Config) -> Result<u8> {
    if is_example {
        say(&Config::example())?;
        return Ok(0);
    }
    say("configuration: sound\n")?;
    ingest::check()?;
    say(&format!("mappings: sound ({})\n", ingest::crms().join(", ")))?;
    for (name, source) in &config.source {
        ingest::request(name, source)?;
        say(&format!("source {name}: sound ({})\n", source.kind.name()))?;
    }
    let engine = engine(config).await?;
    let tables = engine.table_versions().len();
    say(&format!("lake: {} with {tables} tables\n", engine.config().lake))?;
    let faults = reports::check(&engine.session("check")).await;
    for (report, error) in &faults {
        say(&format!("report {report}: {}\n", error.chain()))?;
    }
    let count = engine.views().len() + engine.table_functions().len();
    say(&format!("reports: {} of {count} plan\n", count - faults.len()))?;
    Ok(u8::from(!faults.is_empty()))
}
