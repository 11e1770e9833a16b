//! Which columns the mappings fill: those that they must, and each with a value in the sample.

use std::collections::BTreeSet;

use runrate::ingest::{Filled, coverage, crms};

use crate::ingest::{Bench, sample};

/// What Salesforce holds, a table a line.
const SALESFORCE: &str = "
    accounts: account_id name domain industry account_type source employees annual_revenue
    accounts: currency founded_year country state city owner_id parent_account_id territory_id
    accounts: segment created_at
    contacts: contact_id account_id first_name last_name email title phone lead_source owner_id
    contacts: opted_out created_at
    leads: lead_id email company title status lead_source industry employees annual_revenue
    leads: currency country owner_id campaign_id created_at mql_at sql_at first_response_at
    leads: is_converted converted_at converted_account_id converted_contact_id
    leads: converted_opportunity_id
    campaigns: campaign_id name channel start_date end_date budget cost currency
    campaign_members: campaign_id lead_or_contact_id status responded_at
    opportunities: opportunity_id account_id name owner_id pipeline_id stage_id amount currency
    opportunities: probability forecast_category close_date created_at is_closed is_won opp_type
    opportunities: lead_source campaign_id next_step loss_reason territory_id mrr arr tcv acv
    opportunities: last_activity_date push_count
    stage_definitions: pipeline_id stage_id label ordinal is_closed is_won default_probability
    stage_definitions: forecast_category is_active
    opportunity_stage_history: opportunity_id valid_from valid_to stage_id amount currency
    opportunity_stage_history: probability close_date forecast_category owner_id changed_by
    opportunity_stage_history: history_quality
    products: product_id name code family list_price currency is_active
    opportunity_line_items: line_item_id opportunity_id product_id quantity unit_price list_price
    opportunity_line_items: discount total_price currency service_date term_months billing_period
    opportunity_splits: opportunity_id user_id split_type share
    activities: activity_id kind direction owner_id account_id contact_id lead_id opportunity_id
    activities: occurred_at duration_s status outcome subject is_automated
    users: user_id name email role manager_id team segment hire_date quota_start_date
    users: termination_date is_active fte hours_per_week
    territories: territory_id name parent_id region model_id state
    territory_members: territory_id user_id valid_from valid_to role
    quotas: quota_id owner_id territory_id metric product_family period_start period_end amount
    quotas: quantity currency quota_kind ramp_included
    forecast_snapshots: as_of scope_id period_start category layer amount currency method
    fx_rates: from_ccy to_ccy valid_from valid_to rate
    fiscal_calendar: date fiscal_year fiscal_quarter fiscal_period fq_start fq_end is_workday";

/// What HubSpot holds.
const HUBSPOT: &str = "
    accounts: account_id name domain industry account_type source employees annual_revenue
    accounts: currency founded_year country state city owner_id parent_account_id segment
    accounts: created_at
    contacts: contact_id account_id first_name last_name email title phone lead_source owner_id
    contacts: opted_out created_at
    leads: lead_id email company title status lead_source industry employees annual_revenue
    leads: currency country owner_id campaign_id created_at mql_at sql_at first_response_at
    leads: is_converted converted_at converted_account_id converted_contact_id
    leads: converted_opportunity_id
    campaigns: campaign_id name channel start_date end_date budget cost currency
    engagement_events: event_id lead_id contact_id event_type occurred_at asset url is_filtered
    opportunities: opportunity_id account_id name owner_id pipeline_id stage_id amount currency
    opportunities: probability forecast_category close_date created_at is_closed is_won opp_type
    opportunities: lead_source campaign_id next_step loss_reason mrr arr tcv acv
    opportunities: last_activity_date
    stage_definitions: pipeline_id stage_id label ordinal is_closed is_won default_probability
    stage_definitions: forecast_category is_active
    opportunity_stage_history: opportunity_id valid_from valid_to stage_id amount currency
    opportunity_stage_history: probability close_date forecast_category owner_id changed_by
    opportunity_stage_history: history_quality
    products: product_id name code family list_price currency is_active
    opportunity_line_items: line_item_id opportunity_id product_id quantity unit_price list_price
    opportunity_line_items: discount total_price currency service_date term_months billing_period
    activities: activity_id kind direction owner_id account_id contact_id lead_id opportunity_id
    activities: occurred_at duration_s status outcome subject
    users: user_id name email role manager_id team segment hire_date quota_start_date
    users: termination_date is_active fte hours_per_week
    territories: territory_id name parent_id state
    quotas: quota_id owner_id territory_id metric period_start period_end amount quantity currency
    quotas: quota_kind ramp_included
    targets: metric scope_type scope_id period_start value";

/// What Pipedrive holds.
const PIPEDRIVE: &str = "
    accounts: account_id name domain industry account_type source employees annual_revenue
    accounts: currency country state city owner_id created_at
    contacts: contact_id account_id first_name last_name email title phone lead_source owner_id
    contacts: opted_out created_at
    leads: lead_id email company title status lead_source industry employees country owner_id
    leads: created_at is_converted
    opportunities: opportunity_id account_id name owner_id pipeline_id stage_id amount currency
    opportunities: probability forecast_category close_date created_at is_closed is_won
    opportunities: lead_source next_step loss_reason mrr arr acv last_activity_date
    stage_definitions: pipeline_id stage_id label ordinal is_closed is_won default_probability
    stage_definitions: forecast_category is_active
    opportunity_stage_history: opportunity_id valid_from valid_to stage_id amount currency
    opportunity_stage_history: close_date forecast_category owner_id changed_by history_quality
    products: product_id name code family list_price currency is_active
    opportunity_line_items: line_item_id opportunity_id product_id quantity unit_price list_price
    opportunity_line_items: discount total_price currency service_date term_months billing_period
    activities: activity_id kind owner_id account_id contact_id lead_id opportunity_id occurred_at
    activities: duration_s status outcome subject
    users: user_id name email role manager_id team segment hire_date quota_start_date
    users: termination_date is_active fte hours_per_week";

/// What Odoo's tables hold.
const ODOO: &str = "
    accounts: account_id name domain industry account_type country state city owner_id
    accounts: parent_account_id territory_id created_at
    contacts: contact_id account_id first_name last_name email title phone owner_id opted_out
    contacts: created_at
    leads: lead_id email company title status lead_source country owner_id campaign_id created_at
    leads: sql_at first_response_at is_converted converted_at converted_account_id
    leads: converted_contact_id converted_opportunity_id
    campaigns: campaign_id name
    opportunities: opportunity_id account_id name owner_id pipeline_id stage_id amount currency
    opportunities: probability forecast_category close_date created_at is_closed is_won
    opportunities: lead_source campaign_id next_step loss_reason territory_id mrr arr
    stage_definitions: pipeline_id stage_id label ordinal is_closed is_won default_probability
    stage_definitions: forecast_category is_active
    opportunity_stage_history: opportunity_id valid_from valid_to stage_id amount currency
    opportunity_stage_history: close_date forecast_category owner_id changed_by history_quality
    products: product_id name code family list_price currency is_active
    opportunity_line_items: line_item_id opportunity_id product_id quantity unit_price list_price
    opportunity_line_items: discount total_price currency service_date billing_period
    activities: activity_id kind direction owner_id account_id contact_id opportunity_id
    activities: occurred_at duration_s status subject is_automated
    users: user_id name email role manager_id team segment hire_date quota_start_date
    users: termination_date is_active fte hours_per_week
    territories: territory_id name state
    territory_members: territory_id user_id valid_from valid_to role
    fx_rates: from_ccy to_ccy valid_from valid_to rate";

/// What the public CRM Sales Opportunities set holds.
const PUBLIC: &str = "
    accounts: account_id name industry employees annual_revenue currency founded_year country
    accounts: parent_account_id created_at
    opportunities: opportunity_id account_id name owner_id pipeline_id stage_id amount currency
    opportunities: probability forecast_category close_date created_at is_closed is_won
    opportunity_stage_history: opportunity_id valid_from valid_to stage_id amount currency
    opportunity_stage_history: probability close_date forecast_category owner_id history_quality
    products: product_id name family list_price currency is_active
    opportunity_line_items: line_item_id opportunity_id product_id quantity unit_price list_price
    opportunity_line_items: total_price currency billing_period
    opportunity_splits: opportunity_id user_id split_type share
    users: user_id name role manager_id team is_active
    territories: territory_id name region state
    territory_members: territory_id user_id valid_from role";

/// Tables of spreadsheets that the template's sample does not show: every CRM has them.
const NOT_SHOWN: &[&str] = &[
    "accounts",
    "contacts",
    "leads",
    "campaigns",
    "campaign_members",
    "opportunities",
    "stage_definitions",
    "opportunity_stage_history",
    "opportunity_line_items",
    "opportunity_splits",
    "activities",
    "user_hierarchy",
];

/// The columns that the mapping of `crm` fills.
fn filled(crm: &str) -> BTreeSet<(&'static str, &'static str)> {
    let place = crms().iter().position(|name| name == crm).expect("a CRM");
    let rows = coverage().expect("sound mappings");
    let own = rows.iter().filter(|row| row.by_crm[place] == Filled::Mapping);
    own.map(|row| (row.table, row.column)).collect()
}

#[test]
fn mappings_fill_what_their_crm_holds() {
    let mut missing = vec![];
    let all = [
        ("salesforce", SALESFORCE),
        ("hubspot", HUBSPOT),
        ("pipedrive", PIPEDRIVE),
        ("odoo", ODOO),
        ("crm_sales_opportunities", PUBLIC),
    ];
    for (crm, wanted) in all {
        let filled = filled(crm);
        for line in wanted.lines().filter(|line| !line.trim().is_empty()) {
            let (table, columns) = line.trim().split_once(':').expect("table: columns");
            for column in columns.split_whitespace() {
                if !filled.contains(&(table, column)) {
                    missing.push(format!("{crm}: {table}.{column}"));
                }
            }
        }
    }
    assert!(missing.is_empty(), "not filled:\n{}", missing.join("\n"));
}

#[tokio::test]
async fn every_column_that_a_mapping_fills_has_a_value_in_the_sample() {
    let mut empty = vec![];
    for crm in crms() {
        let bench = Bench::new().await;
        let summary = bench.crm(&crm, sample(&crm)).await;
        assert_eq!(summary.exit_code(), 0, "{crm}: {summary}");
        let columns: Vec<(&str, &str)> = filled(&crm)
            .into_iter()
            .filter(|(table, _)| crm != "template" || !NOT_SHOWN.contains(table))
            .collect();
        for of_table in columns.chunk_by(|a, b| a.0 == b.0) {
            let counts: Vec<String> =
                of_table.iter().map(|(_, column)| format!("count({column})")).collect();
            let sql = format!("SELECT {} FROM crm.{}", counts.join(", "), of_table[0].0);
            let rows = bench.query(&sql).await;
            for ((table, column), count) in of_table.iter().zip(rows[0].split('|')) {
                if count == "0" {
                    empty.push(format!("{crm}: {table}.{column}"));
                }
            }
        }
    }
    assert!(empty.is_empty(), "no value in the sample:\n{}", empty.join("\n"));
}

#[tokio::test]
async fn headers_may_be_the_labels_that_people_see() {
    let bench = Bench::new().await;
    let text = "Opportunity ID,Opportunity Name,Stage,Owner ID,Account ID,Probability (%),Close Date,Closed,Won,Amount,Colour\n\
        006A0000004Tyui,Pilot,Prospecting,005A0000001Abce,001A0000006Vm9r,25,2024-06-30,0,0,10,teal\n";
    let summary = bench.crm("salesforce", bench.write("Opportunity.csv", text)).await;
    assert!(summary.notices.iter().any(|note| note.ends_with("takes it: Colour")), "{summary}");
    let deal = "SELECT opportunity_id, name, stage_id, probability, close_date, extra ->> 'Colour' FROM crm.opportunities";
    assert_eq!(
        bench.query(deal).await,
        ["006A0000004TyuiIAC|Pilot|Prospecting|0.25|2024-06-30|teal"]
    );
    let twice = "Opportunity ID,Opportunity Name,Stage,StageName,Owner ID,Closed,Won\n";
    let row = "006A0000004Tyui,Pilot,Shown,Meant,005A0000001Abce,0,0\n";
    bench.crm("salesforce", bench.write("2/Opportunity.csv", format!("{twice}{row}"))).await;
    assert_eq!(bench.query("SELECT stage_id FROM crm.opportunities").await, ["Meant"]);
}

#[tokio::test]
async fn ids_of_15_characters_differ_by_case() {
    let bench = Bench::new().await;
    let text = "Id,Name,CreatedDate\n\
        001A0000006Vm9r,Lower,2024-01-01T00:00:00Z\n\
        001A0000006Vm9R,Upper,2024-01-01T00:00:00Z\n\
        001A0000006Vm9rIAC,Lower again,2024-01-01T00:00:00Z\n";
    let summary = bench.crm("salesforce", bench.write("Account.csv", text)).await;
    let total = summary.total();
    assert_eq!((total.rows_read, total.rows_loaded, total.rows_duplicate), (3, 2, 1));
}

#[tokio::test]
async fn amounts_without_a_currency_are_in_the_companys() {
    let bench = Bench::with(|config| config.corporate_currency = "EUR".into()).await;
    let text =
        "Id,OwnerId,StageName,IsClosed,IsWon,Amount\n006A0000004Tyui,005A0000001Abce,New,0,0,10\n";
    bench.crm("salesforce", bench.write("Opportunity.csv", text)).await;
    assert_eq!(bench.query("SELECT amount, currency FROM crm.opportunities").await, ["10.00|EUR"]);
}

#[test]
fn golden_rows_show_every_column_that_a_mapping_fills() {
    let mut missing = vec![];
    for crm in crms() {
        let path = format!("{}/tests/slt/crm/{crm}.slt", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(&path).expect("golden rows of every CRM");
        let selects = text.lines().filter_map(|line| line.strip_prefix("SELECT "));
        let selects = selects.filter_map(|line| line.split_once(" FROM crm."));
        let shown: BTreeSet<(&str, &str)> = selects
            .flat_map(|(columns, rest)| {
                let table = rest.split_whitespace().next().unwrap_or("");
                columns.split(", ").map(move |column| (table, column))
            })
            .collect();
        let wanted = filled(&crm).into_iter();
        let wanted = wanted.filter(|(table, _)| crm != "template" || !NOT_SHOWN.contains(table));
        let lacking = wanted.filter(|column| !shown.contains(column));
        missing.extend(lacking.map(|(table, column)| format!("{crm}: {table}.{column}")));
    }
    assert!(missing.is_empty(), "no golden rows of:\n{}", missing.join("\n"));
}
