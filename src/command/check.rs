//! `runrate check`: is everything in order before something depends on it.

use std::iter;

use super::{engine, say};
use crate::config::Config;
use crate::error::Result;
use crate::ingest::{Coverage, Filled};
use crate::{ingest, reports};

/// Checks mappings, lake and reports, or prints an example of the configuration.
///
/// The configuration itself was checked when it was read.
pub(super) async fn run(is_example: bool, is_coverage: bool, config: Config) -> Result<u8> {
    if is_example {
        say(&Config::example())?;
        return Ok(0);
    }
    if is_coverage {
        say(&by_column(&ingest::coverage()?))?;
        return Ok(0);
    }
    say("configuration: sound\n")?;
    ingest::check()?;
    say(&format!("mappings: sound ({})\n", ingest::crms().join(", ")))?;
    say(&by_table(&ingest::coverage()?))?;
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

/// How many columns of each table each CRM's mapping fills; `--coverage` says which.
fn by_table(rows: &[Coverage]) -> String {
    let mut lines = vec![heading("columns filled by the mapping")];
    for of_table in rows.chunk_by(|a, b| a.table == b.table) {
        let cells = (0..ingest::crms().len()).map(|crm| {
            let filled = of_table.iter().filter(|row| row.by_crm[crm] == Filled::Mapping).count();
            if filled == 0 { "-".to_owned() } else { format!("{filled}/{}", of_table.len()) }
        });
        lines.push(iter::once(of_table[0].table.to_owned()).chain(cells).collect());
    }
    aligned(&lines)
}

/// How each CRM fills each column: `mapping`, `sheet` (a spreadsheet beside the export) or not.
fn by_column(rows: &[Coverage]) -> String {
    let mut lines = vec![heading("column")];
    for row in rows {
        let cells = row.by_crm.iter().map(|filled| filled.word().to_owned());
        lines.push(iter::once(format!("{}.{}", row.table, row.column)).chain(cells).collect());
    }
    aligned(&lines)
}

fn heading(first: &str) -> Vec<String> {
    iter::once(first.to_owned()).chain(ingest::crms()).collect()
}

/// `lines` as columns that are as wide as their widest cell.
fn aligned(lines: &[Vec<String>]) -> String {
    let columns = lines.first().map_or(0, Vec::len);
    let width = |n: usize| lines.iter().map(|line| line[n].len()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |cells: &Vec<String>| {
        let cells = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    lines.iter().map(line).collect()
}
