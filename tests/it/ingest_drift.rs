//! Exports that change: columns that come, go, widen and are renamed; records that are deleted,
//! merged, and told late.

use runrate::ingest::Request;

use crate::ingest::Bench;

const HEAD: &str = "Id,Name,CreatedDate,SystemModstamp,IsDeleted";
const KITE: &str = "001A0000006Vm9rIAC";
const QUARRY: &str = "001A0000006Vm9sIAC";

/// An export of accounts: further headers, and rows of `id,name,changed on,is deleted,...`.
fn accounts(more: &str, rows: &[&str]) -> String {
    let mut text = format!("{HEAD}{more}\n");
    for row in rows {
        let cells: Vec<&str> = row.split(',').collect();
        let (own, rest) = cells.split_at(4);
        let [id, name, day, is_deleted] = own else { panic!("four cells") };
        text += &format!("{id},{name},2024-01-01T00:00:00Z,{day}T00:00:00Z,{is_deleted}");
        rest.iter().for_each(|cell| text += &format!(",{cell}"));
        text += "\n";
    }
    text
}

#[tokio::test]
async fn an_added_column_is_kept_and_a_missing_one_is_null_in_new_rows_only() {
    let bench = Bench::new().await;
    let first = accounts(",Industry", &[&format!("{KITE},Kite,2024-01-02,false,Food")]);
    bench.crm("salesforce", bench.write("1/Account.csv", first)).await;
    let second = accounts(",Tier__c", &[&format!("{QUARRY},Quarry,2024-01-03,false,gold")]);
    let summary = bench.crm("salesforce", bench.write("2/Account.csv", second)).await;
    let notes = summary.notices.join("\n");
    assert!(notes.contains("no mapping takes it: Tier__c"), "{notes}");
    assert!(notes.contains("Account has no industry any more"), "{notes}");
    let rows = "SELECT name, industry, extra ->> 'Tier__c' FROM crm.accounts ORDER BY 1";
    assert_eq!(bench.query(rows).await, ["Kite|Food|", "Quarry||gold"]);
}

#[tokio::test]
async fn wider_values_load_and_those_that_fit_nowhere_are_named() {
    let bench = Bench::new().await;
    let narrow = accounts(
        ",NumberOfEmployees,AnnualRevenue",
        &[&format!("{KITE},Kite,2024-01-02,false,7,10")],
    );
    bench.crm("salesforce", bench.write("1/Account.csv", narrow)).await;
    let wide = accounts(
        ",NumberOfEmployees,AnnualRevenue",
        &[
            &format!("{KITE},Kite,2024-01-03,false,3000000000,10.25"),
            &format!("{QUARRY},Quarry,2024-01-03,false,7.5,99999999999999999999"),
        ],
    );
    let path = bench.write("2/Account.csv", wide);
    let request = Request { is_forced: true, ..Request::crm("salesforce", vec![path]) };
    let summary = bench.load(&request).await.expect("forced");
    assert_eq!(summary.quarantined, 1);
    assert!(summary.samples[0].contains("employees \"7.5\""), "{:?}", summary.samples);
    let rows = "SELECT name, employees, annual_revenue FROM crm.accounts";
    assert_eq!(bench.query(rows).await, ["Kite|3000000000|10.25"]);
}

#[tokio::test]
async fn a_renamed_column_is_told_as_one_gone_and_one_new() {
    let bench = Bench::new().await;
    let first = accounts(",Industry", &[&format!("{KITE},Kite,2024-01-02,false,Food")]);
    bench.crm("salesforce", bench.write("1/Account.csv", first)).await;
    let second = accounts(",Branch", &[&format!("{KITE},Kite,2024-01-03,false,Food")]);
    let summary = bench.crm("salesforce", bench.write("2/Account.csv", second)).await;
    let notes = summary.notices.join("\n");
    assert!(notes.contains("no mapping takes it: Branch"), "{notes}");
    assert!(notes.contains("Account has no industry any more"), "{notes}");
    let rows = "SELECT industry, extra FROM crm.accounts";
    assert_eq!(bench.query(rows).await, ["|{\"Branch\":\"Food\"}"]);
}

#[tokio::test]
async fn a_deleted_record_stays_and_an_older_state_does_not_bring_it_back() {
    let bench = Bench::new().await;
    let row = |day: &str, is_deleted: &str| format!("{KITE},Kite,{day},{is_deleted}");
    for (folder, day, is_deleted, wanted) in [
        ("1", "2024-02-01", "false", "false"),
        ("2", "2024-03-01", "true", "true"),
        ("3", "2024-02-15", "false", "true"), // late: said before it was deleted
        ("4", "2024-04-01", "false", "false"), // restored
    ] {
        let text = accounts("", &[&row(day, is_deleted)]);
        bench.crm("salesforce", bench.write(&format!("{folder}/Account.csv"), text)).await;
        let rows = "SELECT is_deleted FROM crm.accounts";
        assert_eq!(bench.query(rows).await, [wanted], "after load {folder}");
    }
    // Late rows are counted, not lost: the batch says so.
    let late = "SELECT sum(rows_read), sum(rows_loaded), sum(rows_duplicate) FROM ops.ingest_runs";
    assert_eq!(bench.query(late).await, ["4|3|1"]);
}

#[tokio::test]
async fn a_merged_record_is_a_tombstone_that_names_the_survivor() {
    let bench = Bench::new().await;
    let text = accounts(
        ",MasterRecordId,Tier__c",
        &[
            &format!("{KITE},Kite,2024-02-01,false,,gold"),
            // The id of 15 characters is the same record.
            &format!("{QUARRY},Quarry,2024-02-01,true,001A0000006Vm9r,iron"),
        ],
    );
    bench.crm("salesforce", bench.write("Account.csv", text)).await;
    let rows = "SELECT name, is_deleted, extra ->> 'merged_into', extra ->> 'Tier__c' \
        FROM crm.accounts ORDER BY 1";
    let wanted = ["Kite|false||gold".to_owned(), format!("Quarry|true|{KITE}|iron")];
    assert_eq!(bench.query(rows).await, wanted);
    // HubSpot tells it the other way round: the survivor names those it took in.
    let bench = Bench::new().await;
    let head = "hs_object_id,name,createdate,hs_lastmodifieddate,hs_merged_object_ids\n";
    let before = format!("{head}103,Old,2024-01-01T00:00:00Z,2024-01-01T00:00:00Z,\n");
    bench.crm("hubspot", bench.write("1/companies.csv", before)).await;
    let after = format!("{head}101,New,2024-01-01T00:00:00Z,2024-03-01T00:00:00Z,103;104\n");
    bench.crm("hubspot", bench.write("2/companies.csv", after)).await;
    let rows =
        "SELECT account_id, is_deleted, extra ->> 'merged_into' FROM crm.accounts ORDER BY 1";
    assert_eq!(bench.query(rows).await, ["101|false|", "103|true|101", "104|true|101"]);
}

#[tokio::test]
async fn every_row_says_where_it_came_from() {
    for crm in ["salesforce", "hubspot", "pipedrive", "odoo"] {
        let bench = Bench::new().await;
        bench.crm(crm, crate::ingest::sample(crm)).await;
        for table in runrate::schema::tables() {
            let sql = format!(
                "SELECT count(*) FROM crm.{} t LEFT JOIN ops.ingest_runs r ON r.batch_id = t._batch_id \
                 AND r.table_name = 'crm.{}' WHERE t.source_system NOT IN ('{crm}', 'runrate') \
                 OR t.source_id = '' OR t._ingested_at < r.started_at \
                 OR (r.batch_id IS NULL AND t.source_system <> 'runrate' \
                     AND '{}' <> 'opportunity_stage_history')",
                table.name, table.name, table.name
            );
            assert_eq!(bench.query(&sql).await, ["0"], "{crm}: {}", table.name);
        }
    }
}
