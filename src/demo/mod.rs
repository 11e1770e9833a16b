//! A whole small company, made from a seed and written as the export files of a CRM.
//!
//! The company sells for three years: people are hired and leave, leads come in and are scored,
//! deals walk through stages, close dates are pushed, quotas are set.
//! Its numbers and words are in `datasets/demo/`; every part of this module draws from a stream of
//! its own, so the same seed gives the same bytes and a change of one part leaves the others alone.
//!
//! Two folders come out: `salesforce/` holds Data Export files with API names, as well as the
//! personnel file that goes with them; `template/` holds what a CRM does not know, one file for
//! each canonical table, under its column names.

mod activities;
mod calendar;
mod customers;
mod deal_files;
mod deals;
mod export;
mod ids;
mod leads;
mod params;
mod people;
mod plans;
mod random;

use std::path::{Path, PathBuf};

use crate::error::Result;

use customers::{Account, Campaign, Contact};
use deals::Deal;
use export::Export;
use leads::Lead;
use params::Params;
use people::User;
use random::Random;

/// What company to make.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Size: 1 is some 20 sellers and 3,000 deals.
    pub scale: u32,
    /// Seed of everything random.
    pub seed: u64,
}

/// What was written.
#[derive(Debug)]
pub struct Summary {
    /// Name of the company.
    pub company: String,
    /// Folder to ingest as `salesforce`.
    pub salesforce: PathBuf,
    /// Folder to ingest as `template`.
    pub template: PathBuf,
    /// Path below the directory and rows (without header) of each file.
    pub files: Vec<(PathBuf, u64)>,
    /// Rows that are broken on purpose and must end in quarantine.
    pub malformed_rows: u64,
}

/// A query worth running on the demo company.
#[derive(Debug)]
pub struct Query {
    /// Step of the sales-operations process it belongs to.
    pub step: &'static str,
    /// What it answers.
    pub question: &'static str,
    /// The statement, on one line.
    pub sql: &'static str,
}

/// Five queries, one for each step of the process.
pub const QUERIES: &[Query] = &[];

/// Everything that has been made up so far.
#[derive(Debug)]
struct World {
    params: Params,
    scale: usize,
    seed: u64,
    users: Vec<User>,
    accounts: Vec<Account>,
    contacts: Vec<Contact>,
    campaigns: Vec<Campaign>,
    leads: Vec<Lead>,
    deals: Vec<Deal>,
}

impl World {
    /// Makes the company.
    fn make(options: &Options) -> Result<Self> {
        let params = Params::load()?;
        let (scale, seed) = (options.scale.max(1) as usize, options.seed);
        let users = people::hire(&params, scale, seed);
        let mut accounts = customers::accounts(&params, &users, scale, seed);
        let mut contacts = customers::contacts(&params, &mut accounts, seed);
        let campaigns = customers::campaigns(&params, seed);
        let mut leads = leads::leads(&params, &users, &accounts, &campaigns, scale, seed);
        let mut deals = deals::deals(&params, &users, &mut accounts, &mut leads, scale, seed);
        for contact in &mut contacts {
            contact.created = accounts[contact.account].created;
        }
        forget_amounts(&params, seed, &mut deals);
        Ok(Self { params, scale, seed, users, accounts, contacts, campaigns, leads, deals })
    }

    /// The id under which the warehouse knows a Salesforce record.
    fn key(&self, record_id: &str) -> String {
        format!("salesforce:{record_id}")
    }

    fn files(&mut self) -> Export {
        let mut export = Export::default();
        activities::export(self, &mut export);
        people::export(self, &mut export);
        customers::export(self, &mut export);
        leads::export(self, &mut export);
        deal_files::export(self, &mut export);
        plans::export(self, &mut export);
        export
    }
}

/// Dirt: some open deals have no amount yet, nor line items.
fn forget_amounts(params: &Params, seed: u64, deals: &mut [Deal]) {
    let random = &mut Random::stream(seed, "missing amounts");
    let won = deals::won_stage(params);
    for deal in deals.iter_mut().filter(|deal| deal.state().stage < won) {
        if random.chance(params.company.dirt.missing_amount_ratio) {
            deal.amount = None;
            deal.lines.clear();
            deal.history.iter_mut().for_each(|state| state.amount = None);
        }
    }
}

/// Makes the company of `options` and writes its files below `dir`.
pub fn generate(dir: &Path, options: &Options) -> Result<Summary> {
    let mut world = World::make(options)?;
    let export = world.files();
    export.write(dir)?;
    let files = export.files().map(|(path, rows, _)| (path.to_path_buf(), rows)).collect();
    Ok(Summary {
        company: world.params.company.company.clone(),
        salesforce: dir.join("salesforce"),
        template: dir.join("template"),
        files,
        malformed_rows: 3 * world.params.company.dirt.malformed as u64,
    })
}

#[cfg(test)]
mod tests;
