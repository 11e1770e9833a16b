//! Tests of the generated company as a whole.

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
        assert!(deal.history.windows(2).all(|pair| pair[0].stage <= pair[1].stage), "{}", deal.id);
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

#[test]
#[ignore]
fn dump() {
    let s = generate(Path::new("/tmp/demo"), &Options { scale: 1, seed: 7 }).expect("x");
    eprintln!("{s:#?}");
}
