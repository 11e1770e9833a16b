//! What a batch must account for: its money by currency, what it left out, what it lost.

use std::sync::Arc;

use runrate::ingest::{Request, Silent, requeue};

use crate::ingest::Bench;

const HEADER: &str = "opportunity_id,owner_id,pipeline_id,stage_id,amount,currency,is_closed,is_won,created_at,updated_at";

fn deal(id: &str, amount: &str, currency: &str, is_won: &str, day: &str) -> String {
    format!(
        "{id},ana,p,new,{amount},{currency},false,{is_won},2024-01-01T00:00:00Z,{day}T00:00:00Z\n"
    )
}

async fn forced(bench: &Bench, path: std::path::PathBuf) -> runrate::ingest::Summary {
    let mut request = Request::crm("template", vec![path]);
    request.is_forced = true;
    bench.load(&request).await.expect("loads")
}

#[tokio::test]
async fn money_is_accounted_for_by_currency() {
    let bench = Bench::new().await;
    let first = [
        deal("a", "10.10", "EUR", "false", "2024-02-01"),
        deal("b", "20", "EUR", "false", "2024-02-01"),
        deal("c", "7", "USD", "false", "2024-02-01"),
        deal("d", "", "USD", "false", "2024-02-01"),
        // Bad in another column: its amount is known, and quarantined. Bad in the amount: it is not.
        deal("e", "100", "EUR", "perhaps", "2024-02-01"),
        deal("f", "12x4", "EUR", "false", "2024-02-01"),
        // The same deal twice: the older row is a duplicate.
        deal("a", "9", "EUR", "false", "2024-01-15"),
    ];
    let first = bench.write("1/opportunities.csv", format!("{HEADER}\n{}", first.concat()));
    let summary = forced(&bench, first).await;
    let lines: Vec<String> = summary.money.iter().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        [
            "crm.opportunities.amount EUR: 139.10 read = 30.10 loaded + 100.00 quarantined + 9.00 duplicates",
            "crm.opportunities.amount USD: 7.00 read = 7.00 loaded + 0.00 quarantined + 0.00 duplicates",
        ]
    );
    // A second batch: one deal is new, one is known, one has a newer amount.
    let second = [
        deal("a", "11", "EUR", "false", "2024-03-01"),
        deal("b", "20", "EUR", "false", "2024-02-01"),
        deal("g", "5", "EUR", "false", "2024-03-01"),
    ];
    let second = bench.write("2/opportunities.csv", format!("{HEADER}\n{}", second.concat()));
    let summary = forced(&bench, second).await;
    assert_eq!(
        summary.money[0].to_string(),
        "crm.opportunities.amount EUR: 36.00 read = 16.00 loaded + 0.00 quarantined + 20.00 duplicates"
    );
    let kept = "SELECT currency, read_amount, loaded_amount, quarantined_amount, duplicate_amount \
        FROM ops.reconciliation ORDER BY settled_at, currency";
    assert_eq!(
        bench.query(kept).await,
        ["EUR|139.10|30.10|100.00|9.00", "USD|7.00|7.00|0.00|0.00", "EUR|36.00|16.00|0.00|20.00"]
    );
}

#[tokio::test]
async fn quarantined_rows_are_read_again_after_a_fix() {
    let bench = Bench::new().await;
    // The quotas name somebody whose number HR has not given yet, and one is plainly wrong.
    let text = "Id;OwnerId;StageName;IsClosed;IsWon;Amount;Note\n\
        006A0000004Tyui;005A0000001Abce;New;false;false;10;\"two\nlines; \"\"quoted\"\"\"\n\
        006A0000004Tyuj;;New;false;false;20;no owner\n\
        006A0000004Tyuk;005A0000001Abce;New;perhaps;false;30;\"half;\nbad\"\n";
    let mut request = Request::crm("salesforce", vec![bench.write("Opportunity.csv", text)]);
    request.is_forced = true;
    let summary = bench.load(&request).await.expect("loads");
    assert_eq!(summary.quarantined, 2);
    // Written for a person to correct: the header, and each row as it was.
    let folder = bench.directory.path().join("again");
    let written = requeue(&bench.engine, None, Some(&folder), chrono_tz::UTC, Arc::new(Silent));
    assert_eq!(written.await.expect("writes").rows, 2);
    let path = folder.join("salesforce/Opportunity.csv");
    let file = std::fs::read_to_string(&path).expect("the file");
    assert_eq!(
        file,
        "\"Id\";\"OwnerId\";\"StageName\";\"IsClosed\";\"IsWon\";\"Amount\";\"Note\"\n\
         006A0000004Tyuj;;New;false;false;20;no owner\n\
         006A0000004Tyuk;005A0000001Abce;New;perhaps;false;30;\"half;\nbad\"\n"
    );
    let corrected = file.replace("Tyuj;;", "Tyuj;005A0000001Abce;").replace("perhaps", "false");
    std::fs::write(&path, corrected).expect("corrected");
    assert_eq!(bench.crm("salesforce", &path).await.exit_code(), 0);
    let deals = "SELECT count(*), sum(amount) FROM crm.opportunities";
    assert_eq!(bench.query(deals).await, ["3|60.00"]);
    // Read again as they are, they fail again: a batch of its own, and marked as read.
    let again =
        requeue(&bench.engine, Some(&summary.batch_id), None, chrono_tz::UTC, Arc::new(Silent));
    let again = again.await.expect("reads");
    assert_eq!((again.rows, again.batches.len(), again.batches[0].quarantined), (2, 1, 2));
    let marked = "SELECT count(*) FROM ops.quarantine WHERE requeued_batch_id IS NOT NULL";
    assert_eq!(bench.query(marked).await, ["2"]);
    let of_first =
        requeue(&bench.engine, Some(&summary.batch_id), None, chrono_tz::UTC, Arc::new(Silent));
    assert_eq!(of_first.await.expect("nothing left").rows, 0);
}

#[tokio::test]
async fn a_column_that_is_gone_is_told() {
    let bench = Bench::new().await;
    let first = "product_id,name,list_price\na,Alpha,1\n";
    bench.crm("template", bench.write("1/products.csv", first)).await;
    let second = "product_id,name,colour\na,Beta,teal\n";
    let summary = bench.crm("template", bench.write("2/products.csv", second)).await;
    let notes = summary.notices.join("\n");
    assert!(notes.contains("no mapping takes it: colour"), "{notes}");
    assert!(notes.contains("products has no list_price any more"), "{notes}");
    let third = "name,list_price\nBeta,1\n";
    let request = Request::crm("template", vec![bench.write("3/products.csv", third)]);
    let error = bench.load(&request).await.expect_err("refused").to_string();
    assert!(error.contains("column product_id is missing"), "{error}");
}

#[tokio::test]
async fn rows_are_read_again_as_they_were_declared() {
    let bench = Bench::new().await;
    let text = "opportunity_id;owner_id;pipeline_id;stage_id;amount;currency;close_date;is_closed;is_won;created_at\n\
        a;ana;p;new;1.234;EUR;03/04/2024;false;false;2024-07-01T00:30:00\n\
        b;ana;p;new;2.345;EUR;03/04/2024;perhaps;false;2024-07-01T00:30:00\n";
    let path = bench.write("opportunities.csv", text);
    let mut request = Request::crm("template", vec![path]).in_time_zone("Europe/Madrid").expect("");
    request.is_forced = true;
    request.options.locale.set_decimal("comma").expect("known");
    request.options.locale.set_date_order("dmy").expect("known");
    assert_eq!(bench.load(&request).await.expect("loads").quarantined, 1);
    // Whoever corrects it in a file is told how the file is to be read.
    let folder = bench.directory.path().join("again");
    let written = requeue(&bench.engine, None, Some(&folder), chrono_tz::UTC, Arc::new(Silent));
    let told = written.await.expect("writes").notices.join("\n");
    assert!(
        told.contains("--date-order 'dmy' --decimal 'comma' --time-zone 'Europe/Madrid'"),
        "{told}"
    );
    // Read again, it fails for the same reason and no other, and its amount is no other.
    let again = requeue(&bench.engine, None, None, chrono_tz::UTC, Arc::new(Silent)).await;
    let again = again.expect("reads");
    assert_eq!((again.rows, again.batches[0].quarantined), (1, 1));
    let reasons = "SELECT DISTINCT reason FROM ops.quarantine";
    assert_eq!(bench.query(reasons).await, ["is_closed \"perhaps\" is not true, false, 1 or 0"]);
    let money = "SELECT currency, quarantined_amount FROM ops.reconciliation \
        WHERE loaded_amount = 0 AND column_name = 'amount'";
    assert_eq!(bench.query(money).await, ["EUR|2345.00"], "not 2.35");
}
