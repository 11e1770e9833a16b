//! The history of deals across batches: derived where the CRM records none, closed where it does.

use crate::ingest::Bench;

const HISTORY: &str = "SELECT opportunity_id, stage_id, amount, valid_from, valid_to, history_quality \
    FROM crm.opportunity_stage_history WHERE NOT is_deleted ORDER BY opportunity_id, valid_from";

const COLUMNS: &str = "opportunity_id,owner_id,pipeline_id,stage_id,amount,currency,is_closed,is_won,created_at,updated_at";

/// Deals of a spreadsheet, each `id,stage,amount,is_closed,updated_on`.
fn deals(rows: &[&str]) -> String {
    let mut text = format!("{COLUMNS}\n");
    for row in rows {
        let cells: Vec<&str> = row.split(',').collect();
        let [id, stage, amount, is_closed, day] = cells.as_slice() else { panic!("five cells") };
        text.push_str(&format!(
            "{id},ana,p,{stage},{amount},EUR,{is_closed},false,2024-01-01T00:00:00Z,{day}T00:00:00Z\n"
        ));
    }
    text
}

#[tokio::test]
async fn states_are_derived_from_successive_loads() {
    let bench = Bench::new().await;
    let first = deals(&[
        "a,new,10,false,2024-02-01",
        "b,new,,false,2024-02-01",
        "c,lost,5,true,2024-02-01",
    ]);
    bench.crm("template", bench.write("1/opportunities.csv", first)).await;
    let first_seen =
        ["a|new|10.00|2024-01-01T00:00:00Z||derived", "b|new||2024-01-01T00:00:00Z||derived"];
    assert_eq!(bench.query(HISTORY).await, first_seen, "closed deals have no history");
    // a moves, b is touched without a change of state, c stays closed.
    let second = deals(&[
        "a,offer,12,false,2024-03-01",
        "b,new,,false,2024-03-05",
        "c,lost,6,true,2024-03-01",
    ]);
    let second = bench.write("2/opportunities.csv", second);
    let summary = bench.crm("template", &second).await;
    let line = summary.lines.iter().find(|line| line.object == "(derived)").expect("a line");
    assert_eq!((line.rows_read, line.rows_loaded), (1, 1));
    let moved = [
        "a|new|10.00|2024-01-01T00:00:00Z|2024-03-01T00:00:00Z|derived",
        "a|offer|12.00|2024-03-01T00:00:00Z||derived",
        "b|new||2024-01-01T00:00:00Z||derived",
    ];
    assert_eq!(bench.query(HISTORY).await, moved);
    // The same file again, and an older state that comes late, change nothing.
    bench.crm("template", &second).await;
    let late = deals(&["a,draft,1,false,2024-01-15"]);
    bench.crm("template", bench.write("3/opportunities.csv", late)).await;
    assert_eq!(bench.query(HISTORY).await, moved);
}

#[tokio::test]
async fn recorded_history_takes_the_place_of_derived() {
    let bench = Bench::new().await;
    let text = deals(&["a,new,10,false,2024-02-01"]);
    bench.crm("template", bench.write("1/opportunities.csv", text)).await;
    let recorded = "opportunity_id,valid_from,stage_id,amount,history_quality\n\
        a,2024-01-10T00:00:00Z,new,7,recorded\n";
    bench.crm("template", bench.write("2/opportunity_stage_history.csv", recorded)).await;
    assert_eq!(bench.query(HISTORY).await, ["a|new|7.00|2024-01-10T00:00:00Z||recorded"]);
    let text = deals(&["a,offer,11,false,2024-03-01"]);
    bench.crm("template", bench.write("3/opportunities.csv", text)).await;
    assert_eq!(bench.query(HISTORY).await, ["a|new|7.00|2024-01-10T00:00:00Z||recorded"]);
}

#[tokio::test]
async fn a_later_batch_ends_the_last_state_of_an_earlier_one() {
    let bench = Bench::new().await;
    let header = "Id,OpportunityId,CreatedDate,StageName,Amount,Probability\n";
    let id = "006A0000004TyuiIAC";
    let first = format!("{header}008A0000001HistIAC,{id},2024-01-01T00:00:00Z,New,10,10\n");
    bench.crm("salesforce", bench.write("1/OpportunityHistory.csv", first)).await;
    let second = format!("{header}008A0000001HisuIAC,{id},2024-02-01T00:00:00Z,Offer,12,50\n");
    bench.crm("salesforce", bench.write("2/OpportunityHistory.csv", second)).await;
    assert_eq!(
        bench.query(HISTORY).await,
        [
            format!("{id}|New|10.00|2024-01-01T00:00:00Z|2024-02-01T00:00:00Z|recorded"),
            format!("{id}|Offer|12.00|2024-02-01T00:00:00Z||recorded"),
        ]
    );
    // A change of owner that comes alone is a state of its own, with the stage it was in.
    let owner = format!(
        "Id,OpportunityId,CreatedById,CreatedDate,Field,OldValue,NewValue\n\
         017A0000001Fh02AAA,{id},005A0000001AbccIAC,2024-01-15T00:00:00Z,Owner,005A0000001Abcd,005A0000001Abce\n"
    );
    bench.crm("salesforce", bench.write("3/OpportunityFieldHistory.csv", owner)).await;
    let states = "SELECT stage_id, probability, owner_id, valid_from, valid_to \
        FROM crm.opportunity_stage_history ORDER BY valid_from";
    assert_eq!(
        bench.query(states).await,
        [
            "New|0.1||2024-01-01T00:00:00Z|2024-01-15T00:00:00Z",
            "New|0.1|005A0000001AbceIAC|2024-01-15T00:00:00Z|2024-02-01T00:00:00Z",
            "Offer|0.5||2024-02-01T00:00:00Z|",
        ]
    );
}

#[tokio::test]
async fn the_fiscal_year_begins_where_the_company_says() {
    let bench = Bench::with(|config| config.fiscal_year_start_month = 2).await;
    let text = deals(&["a,new,10,false,2024-02-01"]);
    bench.crm("template", bench.write("opportunities.csv", text)).await;
    let days = "SELECT fiscal_year, fiscal_quarter, fq_start, fq_end FROM crm.fiscal_calendar \
        WHERE date IN (DATE '2024-01-31', DATE '2024-02-01') ORDER BY date";
    assert_eq!(
        bench.query(days).await,
        ["2024|4|2023-11-01|2024-01-31", "2025|1|2024-02-01|2024-04-30"]
    );
    // Days that a source brings are its own; the others stay.
    let given = "date,fiscal_year,fiscal_quarter,fiscal_period,fq_start,fq_end,is_workday\n\
        2024-02-01,2030,3,9,2024-01-01,2024-03-31,false\n";
    bench.crm("template", bench.write("fiscal_calendar.csv", given)).await;
    let text = deals(&["a,new,10,false,2024-03-01"]);
    bench.crm("template", bench.write("2/opportunities.csv", text)).await;
    assert_eq!(
        bench.query(days).await,
        ["2024|4|2023-11-01|2024-01-31", "2030|3|2024-01-01|2024-03-31"]
    );
    assert_eq!(bench.query("SELECT count(*) > 365 FROM crm.fiscal_calendar").await, ["true"]);
}
