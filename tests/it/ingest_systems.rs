//! Two systems in one lake whose ids overlap: nothing of the one takes the place of the other's.

use runrate::error::Result;
use runrate::ingest::{Request, Summary};

use crate::ingest::Bench;

const HUBSPOT: &str = "hs_object_id,name,createdate\n1,Hub One,2024-01-01T00:00:00Z\n2,Hub Two,2024-01-01T00:00:00Z\n";
/// The same small numbers, and newer.
const PIPEDRIVE: &str = "id,name,add_time,update_time\n2,Drive Two,2024-05-01 00:00:00,2024-06-01 00:00:00\n3,Drive Three,2024-05-01 00:00:00,2024-06-01 00:00:00\n";
const NAMES: &str = "SELECT account_id, name, source_system FROM crm.accounts ORDER BY 1, 2";

/// Loads the accounts of `crm`.
async fn load(bench: &Bench, crm: &str) -> Result<Summary> {
    let (file, text) = match crm {
        "hubspot" => ("companies.csv", HUBSPOT),
        _ => ("organizations.csv", PIPEDRIVE),
    };
    let path = bench.write(&format!("{crm}/{file}"), text);
    bench.load(&Request::crm(crm, vec![path])).await
}

#[tokio::test]
async fn ids_of_two_crms_that_overlap_are_refused_whichever_comes_first() {
    for (first, second) in [("hubspot", "pipedrive"), ("pipedrive", "hubspot")] {
        let bench = Bench::new().await;
        load(&bench, first).await.expect("alone");
        let before = bench.query(NAMES).await;
        let error = load(&bench, second).await.expect_err("overlaps").to_string();
        let wanted =
            format!("account_id \"2\" is in crm.accounts from {first} and comes from {second}");
        assert!(error.contains(&wanted), "{error}");
        assert_eq!(bench.query(NAMES).await, before, "{first} stays");
        let runs = "SELECT source_system, status FROM ops.ingest_runs ORDER BY started_at";
        let told = bench.query(runs).await;
        assert_eq!(told, [format!("{first}|loaded"), format!("{second}|refused")]);
    }
}

#[tokio::test]
async fn a_forced_load_brings_the_ids_that_are_free_and_quarantines_the_others() {
    let bench = Bench::new().await;
    load(&bench, "hubspot").await.expect("alone");
    let path = bench.write("pipedrive/organizations.csv", PIPEDRIVE);
    let request = Request { is_forced: true, ..Request::crm("pipedrive", vec![path]) };
    let summary = bench.load(&request).await.expect("forced");
    assert_eq!((summary.quarantined, summary.total().rows_loaded), (1, 1));
    let kept = ["1|Hub One|hubspot", "2|Hub Two|hubspot", "3|Drive Three|pipedrive"];
    assert_eq!(bench.query(NAMES).await, kept);
    let quarantine = "SELECT reason_code, line FROM ops.quarantine";
    assert_eq!(bench.query(quarantine).await, ["id_of_other_source|2"]);
    // Its own rows go on being updated.
    let newer = "id,name,add_time,update_time\n3,Drive 3,2024-05-01 00:00:00,2024-07-01 00:00:00\n";
    bench.crm("pipedrive", bench.write("newer/organizations.csv", newer)).await;
    assert_eq!(bench.query(NAMES).await[2], "3|Drive 3|pipedrive");
}

#[tokio::test]
async fn two_systems_of_one_crm_are_told_apart_by_name() {
    let bench = Bench::new().await;
    let of = |folder: &str, system: &str, text: &str| {
        let path = bench.write(&format!("{folder}/companies.csv"), text);
        Request::crm("hubspot", vec![path]).of_system(system).expect("a name")
    };
    bench.load(&of("a", "emea", HUBSPOT)).await.expect("alone");
    // The same bytes of another system are another batch, and would take every place.
    let error = bench.load(&of("b", "apac", HUBSPOT)).await.expect_err("overlaps").to_string();
    assert!(error.contains("from hubspot:emea and comes from hubspot:apac"), "{error}");
    let apart = "hs_object_id,name,createdate\n7,Seven,2024-01-01T00:00:00Z\n";
    bench.load(&of("c", "apac", apart)).await.expect("no overlap");
    let systems = "SELECT source_system, count(*) FROM crm.accounts GROUP BY 1 ORDER BY 1";
    assert_eq!(bench.query(systems).await, ["hubspot:apac|1", "hubspot:emea|2"]);
    assert_eq!(
        Request::crm("hubspot", vec![]).of_system("E M").expect_err("no name").sqlstate(),
        "22P04"
    );
}

#[tokio::test]
async fn what_has_no_id_may_be_said_twice_but_not_otherwise() {
    let bench = Bench::new().await;
    let rates =
        |rate: &str| format!("from_ccy,to_ccy,valid_from,rate\nEUR,USD,2024-01-01,{rate}\n");
    bench.crm("template", bench.write("1/fx_rates.csv", rates("1.25"))).await;
    let of_odoo = |folder: &str, rate: &str| {
        let path = bench.write(&format!("{folder}/fx_rates.csv"), rates(rate));
        Request { is_forced: true, ..Request::crm("odoo", vec![path]) }
    };
    let same = bench.load(&of_odoo("2", "1.25")).await.expect("the same");
    assert_eq!(same.quarantined, 0);
    let other = bench.load(&of_odoo("3", "1.5")).await.expect("forced");
    assert_eq!(other.quarantined, 0, "it is the row of odoo by now");
    bench.crm("template", bench.write("4/fx_rates.csv", rates("1.5"))).await;
    let other = bench.load(&of_odoo("5", "9")).await.expect("forced");
    assert_eq!(other.quarantined, 1);
    assert_eq!(bench.query("SELECT rate FROM crm.fx_rates").await, ["1.5"]);
}

#[tokio::test]
async fn whom_a_spreadsheet_planned_the_crm_may_hire() {
    let bench = Bench::new().await;
    let planned = "user_id,name,is_active\n11,Planned,true\n";
    bench.crm("template", bench.write("1/users.csv", planned)).await;
    let owners = "id,email,firstName,lastName,archived\n11,ana@x.example,Ana,Ruiz,false\n";
    bench.crm("hubspot", bench.write("2/owners.csv", owners)).await;
    let users = "SELECT name, source_system FROM crm.users";
    assert_eq!(bench.query(users).await, ["Ana Ruiz|hubspot"]);
    let again = Request::crm("template", vec![bench.write("3/users.csv", planned)]);
    assert!(bench.load(&again).await.expect("the same batch").is_repeated);
    let other = bench.write("4/users.csv", "user_id,name,is_active\n11,Other,true\n");
    let error = bench.load(&Request::crm("template", vec![other])).await.expect_err("hubspot's");
    assert!(error.to_string().contains("from hubspot and comes from template"), "{error}");
}
