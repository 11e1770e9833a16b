//! Money in the corporate currency: the rate of the day, no rate, and totals that say so.

use crate::ingest::Bench;

const DEALS: &str = "opportunity_id,owner_id,pipeline_id,stage_id,amount,currency,close_date,is_closed,is_won,created_at,updated_at\n";

/// A won deal of January 2024 on, `id,amount,currency,closed on`.
fn deal(row: &str, stage: &str) -> String {
    let cells: Vec<&str> = row.split(',').collect();
    let [id, amount, currency, day] = cells.as_slice() else { panic!("four cells") };
    let ends = if stage == "won" { "true,true" } else { "false,false" };
    format!(
        "{id},ana,p,{stage},{amount},{currency},{day},{ends},2024-01-01T00:00:00Z,{day}T00:00:00Z\n"
    )
}

async fn company(corporate: &str) -> Bench {
    let bench = Bench::reporting(|config| config.corporate_currency = corporate.into()).await;
    let mut text = DEALS.to_owned();
    for won in [
        "a,100.00,EUR,2024-01-31", // the last day of a rate
        "b,100.00,EUR,2024-02-01", // the first of the next
        "c,100.00,EUR,2024-02-10", // after its last: no rate holds
        "d,100.00,GBP,2024-02-10", // known the other way round
        "e,100.00,JPY,2024-02-10", // not known at all
        "f,,JPY,2024-02-10",       // nothing to convert
        "g,0.01,USD,2024-05-02",
        "h,33.33,EUR,2023-12-31", // before the first rate
    ] {
        text += &deal(won, "won");
    }
    text += &deal("o,200.00,EUR,2024-12-31", "open");
    text += &deal("p,200.00,JPY,2024-12-31", "open");
    bench.crm("template", bench.write("opportunities.csv", text)).await;
    let rates = "from_ccy,to_ccy,valid_from,valid_to,rate\n\
        EUR,USD,2024-01-01,,1.5\n\
        EUR,USD,2024-02-01,2024-02-10,1.25\n\
        EUR,USD,2024-05-01,,2\n\
        USD,GBP,2024-01-01,,0.8\n\
        JPY,EUR,2024-01-01,,0.00625\n";
    bench.crm("template", bench.write("fx_rates.csv", rates)).await;
    bench
}

#[tokio::test]
async fn each_deal_has_the_rate_of_its_close_date_or_none() {
    let bench = company("USD").await;
    let deals = "SELECT opportunity_id, corporate_amount, fx_rate, fx_valid_from, fx_basis \
        FROM collect.corporate_closed_deals ORDER BY 1";
    assert_eq!(
        bench.query(deals).await,
        [
            "a|150.00|1.5|2024-01-01|direct",
            "b|125.00|1.25|2024-02-01|direct",
            "c||||",
            "d|125.00|1.25|2024-01-01|inverse",
            "e||||",
            "f||||",
            "g|0.01|1.0||same",
            "h||||",
        ]
    );
    // The close date is a day to come: the rate is that of the day of the reports, 2 May.
    let open = "SELECT opportunity_id, corporate_amount, fx_on FROM collect.corporate_open_pipeline \
        ORDER BY 1";
    assert_eq!(bench.query(open).await, ["o|400.00|2024-05-02", "p||2024-05-02"]);
}

#[tokio::test]
async fn a_total_that_a_deal_is_missing_from_is_unknown() {
    let bench = company("USD").await;
    let totals = "SELECT quarter_start, booked_amount, converted_amount, won_count, unpriced_count, \
        unconverted_count, currency_count, unconverted_currencies \
        FROM demand.corporate_bookings_quarter ORDER BY 1";
    assert_eq!(
        bench.query(totals).await,
        ["2023-10-01||0.00|1|0|1|1|EUR", "2024-01-01||400.00|6|1|2|3|EUR, JPY"]
    );
    let stages = "SELECT amount, converted_amount, deal_count, unconverted_count, \
        unconverted_currencies FROM collect.corporate_pipeline_snapshot";
    assert_eq!(bench.query(stages).await, ["|400.00|2|1|JPY"]);
    // With the missing rates, the totals are whole.
    let rates = "from_ccy,to_ccy,valid_from,rate\n\
        JPY,USD,2023-01-01,0.01\nEUR,USD,2023-01-01,3\nEUR,USD,2024-02-10,1\n";
    bench.crm("template", bench.write("2/fx_rates.csv", rates)).await;
    let known = "SELECT booked_amount, unconverted_count FROM demand.corporate_bookings_quarter \
        ORDER BY quarter_start";
    assert_eq!(bench.query(known).await, ["99.99|0", "501.00|0"]);
}

#[tokio::test]
async fn the_corporate_currency_is_the_companys() {
    let bench = company("EUR").await;
    let deals = "SELECT opportunity_id, corporate_amount, corporate_currency, fx_basis \
        FROM collect.corporate_closed_deals WHERE opportunity_id IN ('a', 'd', 'e', 'g') ORDER BY 1";
    assert_eq!(
        bench.query(deals).await,
        // Pounds are known in dollars only: a rate is not made of two.
        ["a|100.00|EUR|same", "d||EUR|", "e|0.63|EUR|direct", "g|0.01|EUR|inverse"]
    );
}

#[tokio::test]
async fn an_amount_keeps_the_currency_it_was_in() {
    let bench = Bench::reporting(|_| {}).await;
    let deal = |currency: &str, amount: &str, day: &str| {
        format!(
            "{DEALS}a,ana,p,open,{amount},{currency},2024-12-31,false,false,\
             2024-01-01T00:00:00Z,{day}T00:00:00Z\n"
        )
    };
    let first = deal("USD", "100", "2024-01-02");
    bench.crm("template", bench.write("1/opportunities.csv", first)).await;
    let second = deal("EUR", "90", "2024-03-01");
    bench.crm("template", bench.write("2/opportunities.csv", second)).await;
    let lines = "line_item_id,opportunity_id,quantity,list_price,currency\n\
        x,a,1,50,EUR\ny,a,1,7000,JPY\n";
    bench.crm("template", bench.write("opportunity_line_items.csv", lines)).await;
    for (day, wanted) in [("2024-02-01", "100.00|USD|"), ("2024-03-02", "90.00|EUR|")] {
        let sql = format!("SELECT amount, currency, list_amount FROM pipeline_asof(DATE '{day}')");
        assert_eq!(bench.query(&sql).await, [wanted], "50 euro and 7000 yen are no sum");
    }
    let moves = "SELECT currency, start_amount, created, pushed, end_amount, check_amount \
        FROM pipeline_waterfall(DATE '2024-02-01', DATE '2024-03-02', DATE '2024-10-01', \
        DATE '2024-12-31') \
        ORDER BY currency";
    assert_eq!(
        bench.query(moves).await,
        ["EUR|0.00|90.00|0.00|90.00|0.00", "USD|100.00|0.00|100.00|0.00|0.00"]
    );
}
