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
pub const QUERIES: &[Query] = &[
    Query {
        step: "collect",
        question: "Where does the pipeline stand, stage by stage?",
        sql: "SELECT stage_label, deal_count, amount, weighted_amount, overdue_count, \
              stale_count FROM collect.pipeline_snapshot ORDER BY stage_ordinal",
    },
    Query {
        step: "demand",
        question: "What will the coming quarters bring, against their quota?",
        sql: "SELECT quarter_end, closed_amount, commit_amount, weighted_amount, \
              trend_lo_amount, trend_amount, trend_hi_amount, quota_amount, \
              gap_amount FROM demand.forecast_quarter WHERE scope_type = 'company' \
              ORDER BY quarter_end",
    },
    Query {
        step: "supply",
        question: "How many sellers are missing, and when must they start?",
        sql: "SELECT period_start, segment, round(demand) AS demand, round(capacity) \
              AS capacity, round(gap) AS gap, hires_needed, latest_start FROM \
              supply.capacity_gap WHERE resource_type = 'seller' AND gap IS NOT NULL \
              ORDER BY period_start, segment",
    },
    Query {
        step: "reconcile",
        question: "Who makes the quota of the quarter?",
        sql: "SELECT rank, name, quota, actual, round(attainment, 3) AS attainment, \
              round(pace, 3) AS pace, status FROM quota_attainment(DATE '2026-04-01', \
              DATE '2026-06-30', 'rep') ORDER BY rank",
    },
    Query {
        step: "measure",
        question: "Do we win more than we used to, beyond chance?",
        sql: "SELECT CAST(date_trunc('quarter', close_date) AS date) AS quarter, \
              count(*) AS closed_count, round(win_rate(is_won), 3) AS win_rate, \
              round(win_rate_lo(count(*) FILTER (WHERE is_won), count(*)), 3) AS lo, \
              round(win_rate_hi(count(*) FILTER (WHERE is_won), count(*)), 3) AS hi \
              FROM crm.opportunities WHERE is_closed AND NOT is_deleted GROUP BY 1 \
              ORDER BY 1",
    },
];

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
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    const GOLDEN: &str = include_str!("../../datasets/demo/golden.txt");

    fn company(seed: u64) -> (World, Export) {
        let mut world = World::make(&Options { scale: 1, seed }).expect("parameters are valid");
        let export = world.files();
        (world, export)
    }

    /// Name, rows and hash of each file, a line each.
    fn fingerprint(export: &Export) -> String {
        export.files().fold(String::new(), |text, (path, rows, content)| {
            let hash: String =
                Sha256::digest(content).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
            text + &format!("{} {rows} {hash}\n", path.display())
        })
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes() {
        let found = fingerprint(&company(7).1);
        if std::env::var_os("BLESS").is_some() {
            std::fs::write("datasets/demo/golden.txt", &found).expect("golden file is writable");
            return;
        }
        assert_eq!(found, GOLDEN, "run with BLESS=1 if the company was changed on purpose");
    }

    #[test]
    fn another_seed_gives_another_company() {
        assert_ne!(fingerprint(&company(8).1), GOLDEN);
    }

    #[test]
    fn deals_are_consistent_with_their_history() {
        let (world, _) = company(7);
        let won = deals::won_stage(&world.params);
        for deal in &world.deals {
            assert_eq!(deal.history[0].at, deal.created);
            assert!(deal.history.windows(2).all(|pair| pair[0].at < pair[1].at), "{}", deal.id);
            assert!(
                deal.history.windows(2).all(|pair| pair[0].stage <= pair[1].stage),
                "{}",
                deal.id
            );
            assert!(deal.state().at.date() <= world.params.last, "{}", deal.id);
            assert_eq!(deal.state().amount, deal.amount, "{}", deal.id);
            if deal.state().stage >= won {
                assert_eq!(deal.state().close, deal.state().at.date(), "{}", deal.id);
            }
            let total: i64 = deal.lines.iter().map(deals::Line::total).sum();
            assert_eq!(deal.amount.unwrap_or(0), total, "{}", deal.id);
            let account = &world.accounts[deal.account];
            assert!(account.created < deal.created, "{}", deal.id);
            assert!(world.users[deal.owner].is_active(deal.created.date()), "{}", deal.id);
        }
    }

    #[test]
    fn every_converted_lead_has_the_deal_it_became() {
        let (world, _) = company(7);
        let mut converted = 0;
        for lead in &world.leads {
            let Some(conversion) = &lead.converted else { continue };
            converted += 1;
            let deal = &world.deals[conversion.deal.expect("a conversion makes a deal")];
            assert_eq!((deal.account, deal.created), (conversion.account, conversion.at));
            assert!(lead.created < conversion.at);
        }
        assert!((300..1200).contains(&converted), "{converted}");
    }

    #[test]
    fn the_skilled_win_more_and_keen_leads_convert_more() {
        let (world, _) = company(7);
        let won = deals::won_stage(&world.params);
        let rate = |is_top: bool| {
            let closed: Vec<&Deal> = world
                .deals
                .iter()
                .filter(|d| d.state().stage >= won && (world.users[d.owner].skill > 0.5) == is_top)
                .collect();
            closed.iter().filter(|d| d.state().stage == won).count() as f64 / closed.len() as f64
        };
        assert!(rate(true) > rate(false) + 0.05, "{} {}", rate(true), rate(false));
        let converted = |is_keen: bool| {
            let group: Vec<&Lead> =
                world.leads.iter().filter(|l| (l.intent > 0.4) == is_keen).collect();
            group.iter().filter(|l| l.converted.is_some()).count() as f64 / group.len() as f64
        };
        assert!(converted(true) > 2.0 * converted(false));
    }
}
