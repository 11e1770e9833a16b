//! The mappings of each CRM, on samples of our own and on the public export where it is at hand.

use std::path::{Path, PathBuf};

use crate::ingest::{Bench, sample};

/// `SELECT count(*)` and a second number for each of `tables`.
async fn counts(bench: &Bench, tables: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for table in tables {
        let rows = bench.query(&format!("SELECT count(*) FROM crm.{table}")).await;
        found.push(format!("{table} {}", rows[0]));
    }
    found
}

#[tokio::test]
async fn the_crm_sales_opportunities_sample_loads_as_documented() {
    let bench = Bench::new().await;
    let summary = bench.crm("crm_sales_opportunities", sample("crm_sales_opportunities")).await;
    assert_eq!(summary.exit_code(), 0, "{summary}");
    let tables = [
        "accounts",
        "opportunities",
        "opportunity_line_items",
        "opportunity_stage_history",
        "opportunity_splits",
        "products",
        "users",
        "user_hierarchy",
        "territories",
        "territory_members",
        "stage_definitions",
    ];
    let wanted = [
        "accounts 6",
        "opportunities 60",
        "opportunity_line_items 60",
        "opportunity_stage_history 107",
        "opportunity_splits 60",
        "products 3",
        "users 6",
        "user_hierarchy 10",
        "territories 2",
        "territory_members 4",
        "stage_definitions 4",
    ];
    assert_eq!(counts(&bench, &tables).await, wanted);
    let won = "SELECT count(*), sum(amount) FROM crm.opportunities WHERE is_won";
    assert_eq!(bench.query(won).await, ["33|66269.00"]);
    let account = "SELECT industry, annual_revenue, currency FROM crm.accounts WHERE account_id = 'Acme Widgets'";
    assert_eq!(bench.query(account).await, ["technology|1100040000.00|USD"]);
    let orphans = "SELECT count(*) FROM crm.opportunity_line_items i LEFT JOIN crm.products p \
        ON p.product_id = i.product_id WHERE p.product_id IS NULL OR i.list_price IS NULL";
    assert_eq!(bench.query(orphans).await, ["0"]);
}

#[tokio::test]
async fn a_newer_pipeline_alone_upserts_and_keeps_what_look_ups_gave() {
    let bench = Bench::new().await;
    let directory = sample("crm_sales_opportunities");
    bench.crm("crm_sales_opportunities", &directory).await;
    let text = std::fs::read_to_string(directory.join("sales_pipeline.csv")).expect("the sample");
    let open = text.lines().find(|line| line.contains(",Engaging,")).expect("an open deal");
    let id = &open[..6];
    let closed = open.replace(",Engaging,", ",Won,");
    let closed = format!("{},2024-06-30,77", closed.strip_suffix(",,").expect("no close yet"));
    let path = bench.write("sales_pipeline.csv", text.replace(open, &closed));
    let summary = bench.crm("crm_sales_opportunities", path).await;
    let line = |table: &str| {
        let line = summary.lines.iter().find(|l| l.table == table).expect(table);
        (line.rows_read, line.rows_loaded, line.rows_duplicate)
    };
    assert_eq!(line("crm.opportunities"), (60, 1, 59));
    assert_eq!(line("crm.opportunity_line_items"), (60, 1, 59));
    let deal =
        format!("SELECT is_won, amount FROM crm.opportunities WHERE opportunity_id = '{id}'");
    assert_eq!(bench.query(&deal).await, ["true|77.00"]);
    let prices = "SELECT count(*) FROM crm.opportunity_line_items WHERE list_price IS NULL";
    assert_eq!(bench.query(prices).await, ["0"]);
}

#[tokio::test]
async fn the_salesforce_sample_loads_as_documented() {
    let bench = Bench::new().await;
    let summary = bench.crm("salesforce", sample("salesforce")).await;
    assert_eq!(summary.exit_code(), 0, "{summary}");
    let tables = [
        "accounts",
        "contacts",
        "leads",
        "campaigns",
        "campaign_members",
        "opportunities",
        "opportunity_stage_history",
        "stage_definitions",
        "products",
        "opportunity_line_items",
        "opportunity_splits",
        "activities",
        "users",
        "territories",
        "territory_members",
        "quotas",
        "targets",
        "fx_rates",
    ];
    let wanted = [
        "accounts 3",
        "contacts 2",
        "leads 2",
        "campaigns 1",
        "campaign_members 2",
        "opportunities 4",
        "opportunity_stage_history 5",
        "stage_definitions 4",
        "products 2",
        "opportunity_line_items 3",
        "opportunity_splits 3",
        "activities 4",
        "users 4",
        "territories 2",
        "territory_members 2",
        "quotas 3",
        "targets 1",
        "fx_rates 2",
    ];
    assert_eq!(counts(&bench, &tables).await, wanted);
    for (question, answer) in [
        // Ids of both lengths meet.
        (
            "SELECT count(*) FROM crm.opportunities o JOIN crm.accounts a ON a.account_id = o.account_id",
            "4",
        ),
        (
            "SELECT name, domain, annual_revenue, extra FROM crm.accounts WHERE account_id = '001A0000006Vm9rIAC'",
            "Kestrel Foods|kestrel.example|12500000.00|{\"Tier__c\":\"gold\"}",
        ),
        ("SELECT count(*) FROM crm.accounts WHERE is_deleted", "1"),
        // Percentages are ratios, an unknown amount is unknown, the record type is kept.
        (
            "SELECT probability, forecast_category, amount, extra FROM crm.opportunities WHERE opportunity_id LIKE '006A0000004Tyuj%'",
            "0.75|commit|42500.75|{\"RecordTypeId\":\"012A0000000AaaaIAC\"}",
        ),
        (
            "SELECT amount IS NULL, is_closed FROM crm.opportunities WHERE opportunity_id LIKE '006A0000004Tyuk%'",
            "true|false",
        ),
        (
            "SELECT stage_id, valid_to FROM crm.opportunity_stage_history WHERE opportunity_id LIKE '006A0000004Tyui%' ORDER BY valid_from LIMIT 1",
            "Prospecting|2023-06-01T08:00:00Z",
        ),
        ("SELECT share FROM crm.opportunity_splits WHERE split_type = 'overlay'", "1.0"),
        ("SELECT discount FROM crm.opportunity_line_items WHERE discount IS NOT NULL", "0.1"),
        ("SELECT list_price FROM crm.products WHERE code = 'CC-01'", "120.00"),
        ("SELECT campaign_id FROM crm.leads WHERE is_converted", "701A0000005HjklIAC"),
        ("SELECT kind, duration_s FROM crm.activities WHERE activity_id LIKE '00U%'", "demo|3600"),
        ("SELECT fte, hire_date FROM crm.users WHERE name = 'Eva Prat'", "0.8|2023-01-09"),
        ("SELECT count(*) FROM crm.user_hierarchy WHERE ancestor_id = '005A0000001AbccIAC'", "4"),
        (
            "SELECT period_end, amount FROM crm.quotas ORDER BY amount DESC NULLS LAST LIMIT 1",
            "2024-03-31|60000.00",
        ),
        ("SELECT rate FROM crm.fx_rates ORDER BY valid_from LIMIT 1", "1.25"),
        ("SELECT min(valid_from) FROM crm.territory_members", "2021-06-01"),
        ("SELECT min(date), max(date) FROM crm.fiscal_calendar", "2023-01-01|2025-12-31"),
    ] {
        assert_eq!(bench.query(question).await, [answer], "{question}");
    }
}

#[tokio::test]
async fn the_hubspot_sample_loads_as_documented() {
    let bench = Bench::new().await;
    let summary = bench.crm("hubspot", sample("hubspot")).await;
    assert_eq!(summary.exit_code(), 0, "{summary}");
    let tables = [
        "accounts",
        "contacts",
        "leads",
        "opportunities",
        "opportunity_stage_history",
        "stage_definitions",
        "products",
        "opportunity_line_items",
        "activities",
        "users",
        "quotas",
    ];
    let wanted = [
        "accounts 4",
        "contacts 3",
        "leads 3",
        "opportunities 4",
        "opportunity_stage_history 6",
        "stage_definitions 4",
        "products 2",
        "opportunity_line_items 2",
        "activities 5",
        "users 2",
        "quotas 4",
    ];
    assert_eq!(counts(&bench, &tables).await, wanted);
    for (question, answer) in [
        // Merged records stay as tombstones.
        (
            "SELECT extra FROM crm.accounts WHERE account_id = '103' AND is_deleted",
            "{\"merged_into\":\"101\"}",
        ),
        (
            "SELECT extra FROM crm.accounts WHERE account_id = '101'",
            "{\"favourite_colour\":\"teal\"}",
        ),
        ("SELECT is_deleted FROM crm.opportunities WHERE opportunity_id = '305'", "true"),
        // A close is a date of the ingest's time zone; the pipeline says what is closed.
        (
            "SELECT close_date, forecast_category FROM crm.opportunities WHERE opportunity_id = '301'",
            "2023-04-30|closed",
        ),
        (
            "SELECT owner_id, is_closed, is_won, probability, close_date FROM crm.opportunities WHERE opportunity_id = '303'",
            "unassigned|true|false|0.0|2024-01-05",
        ),
        (
            "SELECT opp_type, forecast_category FROM crm.opportunities WHERE opportunity_id = '302'",
            "expansion|commit",
        ),
        (
            "SELECT is_converted, converted_at FROM crm.leads WHERE lead_id = '201'",
            "true|2023-04-30T12:00:00Z",
        ),
        ("SELECT mql_at FROM crm.leads WHERE lead_id = '204'", "2024-01-04T00:00:00Z"),
        ("SELECT duration_s FROM crm.activities WHERE activity_id = 'call:601'", "94"),
        (
            "SELECT kind, duration_s FROM crm.activities WHERE activity_id = 'meeting:601'",
            "demo|2700",
        ),
        (
            "SELECT term_months, discount, billing_period FROM crm.opportunity_line_items WHERE line_item_id = '502'",
            "12|0.125|monthly",
        ),
        ("SELECT name, is_active FROM crm.users WHERE user_id = '12'", "zoe@runrate.example|false"),
        (
            "SELECT metric, quantity, period_end FROM crm.quotas WHERE quota_id = '702'",
            "calls|120.0|2024-01-31",
        ),
        (
            "SELECT ordinal, is_won FROM crm.stage_definitions WHERE stage_id = 'closedwon'",
            "3|true",
        ),
    ] {
        assert_eq!(bench.query(question).await, [answer], "{question}");
    }
}

/// The public export, which is not part of the project.
fn public_export() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/crm-sales-opportunities");
    let given = std::env::var_os("RUNRATE_TEST_DATA").map(PathBuf::from).unwrap_or(path);
    if given.join("sales_pipeline.csv").exists() {
        return Some(given);
    }
    assert!(
        std::env::var_os("RUNRATE_TEST_DATA").is_none(),
        "RUNRATE_TEST_DATA has no sales_pipeline.csv"
    );
    None
}

#[tokio::test]
async fn the_public_crm_sales_opportunities_export_if_present_has_its_known_totals() {
    let Some(directory) = public_export() else {
        eprintln!("skipped: ../shared/data/crm-sales-opportunities is not here");
        return;
    };
    let bench = Bench::new().await;
    let summary = bench.crm("crm_sales_opportunities", &directory).await;
    assert_eq!(summary.exit_code(), 0, "{summary}");
    assert_eq!(bench.query("SELECT count(*) FROM crm.opportunities").await, ["8800"]);
    let won = "SELECT count(*), sum(amount) FROM crm.opportunities WHERE is_won";
    assert_eq!(bench.query(won).await, ["4238|10005534.00"]);
    let lost = "SELECT count(*) FROM crm.opportunity_line_items i LEFT JOIN crm.products p \
        ON p.product_id = i.product_id WHERE p.product_id IS NULL";
    assert_eq!(bench.query(lost).await, ["0"]);
    let second = bench.crm("crm_sales_opportunities", &directory).await;
    assert_eq!(second.total().rows_loaded, 0);
}

#[tokio::test]
async fn ten_broken_rows_of_the_public_export_if_present_are_ten_rows_of_quarantine() {
    let Some(directory) = public_export() else {
        eprintln!("skipped: ../shared/data/crm-sales-opportunities is not here");
        return;
    };
    let bench = Bench::new().await;
    for file in ["accounts.csv", "products.csv", "sales_teams.csv"] {
        let text = std::fs::read(directory.join(file)).expect("a file of the export");
        bench.write(&format!("copy/{file}"), text);
    }
    let text = std::fs::read_to_string(directory.join("sales_pipeline.csv")).expect("the deals");
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let broken = [
        (10, "only,three,fields"),
        (500, "a,b,c,d,e,f,g,h,i"),
        (1000, "X1,Moses Frase,GTX Pro,Isdom,Won,2016-10-20,2017-02-30,10"),
        (1500, "X2,Moses Frase,GTX Pro,Isdom,Won,2016-10-20,2017-03-01,ten"),
        (2000, "X3,,GTX Pro,Isdom,Won,2016-10-20,2017-03-01,10"),
        (2500, "X4,Moses Frase,GTX Pro,Isdom,Wonn,2016-10-20,2017-03-01,10"),
        (3000, "X5,\"Moses Frase,GTX Pro,Isdom,Won,2016-10-20,2017-03-01,10"),
        (3500, ",Moses Frase,GTX Pro,Isdom,Won,2016-10-20,2017-03-01,10"),
        (4000, "X6,Moses Frase,GTX Pro,Isdom,Won,20/10/2016,2017-03-01,10"),
        (4500, "X7,Moses\0Frase,GTX Pro,Isdom,Won,2016-10-20,2017-03-01,10"),
    ];
    for (line, row) in broken {
        lines[line - 1] = row.to_owned();
    }
    bench.write("copy/sales_pipeline.csv", lines.join("\n"));
    let summary = bench.crm("crm_sales_opportunities", bench.directory.path().join("copy")).await;
    assert_eq!((summary.quarantined, summary.exit_code()), (10, 3), "{summary}");
    let found = bench.query("SELECT line, reason FROM ops.quarantine ORDER BY line").await;
    let wanted: Vec<String> = broken.iter().map(|(line, _)| line.to_string()).collect();
    let at: Vec<String> =
        found.iter().map(|row| row.split('|').next().unwrap_or("").into()).collect();
    assert_eq!(at, wanted, "{found:?}");
    assert_eq!(bench.query("SELECT count(*) FROM crm.opportunities").await, ["8790"]);
}
