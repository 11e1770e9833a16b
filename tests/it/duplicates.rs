//! Companies and people that may be one, twice: what is a candidate, and what is not.

use crate::ingest::Bench;

const PAIRS: &str =
    "SELECT kind, rule, first_id, second_id FROM collect.duplicate_candidates ORDER BY 1, 3, 4";

#[tokio::test]
async fn accounts_are_candidates_by_domain_or_by_name_once() {
    let bench = Bench::reporting(|_| {}).await;
    let head = "account_id,name,domain,created_at,is_deleted\n";
    let rows = [
        "a,Kite Studio,kite.example,,false",
        "b,Kite Studios Group,KITE.example,,false", // the domain, in other letters
        "c,\"KITE STUDIO, Inc.\",,,false",          // the name but for its legal form
        "d,Quarry,kite.example,,true",              // deleted
        "e,Mill,gmail.com,,false",
        "f,Weir,gmail.com,,false", // a free mail host is nobody's domain
        "g,Lone,,,false",
        "h,Other,,,false",
    ];
    let rows = rows.map(|row| {
        row.replace(",,false", ",2024-01-01T00:00:00Z,false")
            .replace(",,true", ",2024-01-01T00:00:00Z,true")
    });
    bench
        .crm("template", bench.write("accounts.csv", format!("{head}{}\n", rows.join("\n"))))
        .await;
    assert_eq!(bench.query(PAIRS).await, ["account|domain|a|b", "account|name|a|c"]);
}

#[tokio::test]
async fn people_are_candidates_by_email_or_by_name_at_one_account() {
    let bench = Bench::reporting(|_| {}).await;
    let contacts = "contact_id,account_id,first_name,last_name,email,created_at\n\
        1,a,Nora,Gil,nora@kite.example,2024-01-01T00:00:00Z\n\
        2,b,N,G,NORA@kite.example,2024-01-01T00:00:00Z\n\
        3,a,NORA,gil,,2024-01-01T00:00:00Z\n\
        4,b,Nora,Gil,,2024-01-01T00:00:00Z\n";
    let leads = "lead_id,email,company,status,is_converted,converted_contact_id,created_at\n\
        7,nora@kite.example,Kite,Won,true,1,2024-01-01T00:00:00Z\n\
        8,,Kite,New,false,,2024-01-01T00:00:00Z\n";
    bench.crm("template", bench.write("contacts.csv", contacts)).await;
    bench.crm("template", bench.write("leads.csv", leads)).await;
    // The lead is no candidate for the contact it became, and is one for the other of that address.
    assert_eq!(
        bench.query(PAIRS).await,
        [
            "person|email|contact:1|contact:2",
            "person|name|contact:1|contact:3",
            "person|email|contact:2|lead:7",
        ]
    );
}
