//! The functions as SQL: every example runs, every worked number holds, bad values are refused by name.

use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::prelude::SessionContext;
use datafusion_common::ScalarValue;

use super::*;

fn context() -> SessionContext {
    let mut state = SessionContext::new().state();
    register_all(&mut state).expect("registers");
    SessionContext::new_with_state(state)
}

async fn rows(sql: &str) -> Result<Vec<String>> {
    let batches = context().sql(sql).await?.collect().await?;
    let mut found = vec![];
    let options = FormatOptions::default().with_null("NULL");
    for batch in batches {
        for row in 0..batch.num_rows() {
            let cells = batch.columns().iter().map(|column| {
                let formatter = ArrayFormatter::try_new(column, &options).expect("formats");
                formatter.value(row).to_string()
            });
            found.push(cells.collect::<Vec<_>>().join(" "));
        }
    }
    Ok(found)
}

async fn one(sql: &str) -> String {
    rows(sql).await.expect(sql).join("\n")
}

/// The first row of `sql` as a number.
async fn number(sql: &str) -> f64 {
    one(sql).await.parse().expect(sql)
}

async fn refusal(sql: &str) -> String {
    rows(sql).await.expect_err(sql).to_string()
}

fn close(found: f64, wanted: f64, tolerance: f64) {
    assert!((found - wanted).abs() <= tolerance, "{found} is not {wanted}");
}

#[tokio::test]
async fn every_example_gives_what_it_says() {
    for function in functions() {
        let (sql, wanted) = function.page().example;
        let found = one(sql).await;
        let found = found.parse::<f64>().map_or(found, |number| number.to_string());
        assert_eq!(found, wanted, "{}: {sql}", function.name());
    }
}

#[tokio::test]
async fn every_page_is_complete() {
    for function in functions() {
        let page = function.page();
        assert!(page.syntax.starts_with(page.name), "{}", page.name);
        for text in [page.summary, page.formula, page.nulls, page.errors, page.source] {
            assert!(text.len() > 3, "{}", page.name);
        }
        for (name, meaning) in page.arguments {
            assert!(page.syntax.contains(name) && !meaning.is_empty(), "{}: {name}", page.name);
        }
    }
    let names: std::collections::BTreeSet<&str> = functions().iter().map(Function::name).collect();
    assert_eq!(names.len(), functions().len(), "a name twice");
}

#[tokio::test]
async fn scores() {
    for (sql, wanted) in [
        ("SELECT lead_score(80, 60)", "70.0"),
        ("SELECT lead_score(30, 100, 60, 30, 0.6)", "28.0"),
        ("SELECT lead_score(80, 60, -5)", "70.0"),
        ("SELECT lead_score(NULL, 60)", "NULL"),
        ("SELECT lead_score(80, 60, NULL, NULL, NULL)", "70.0"),
        ("SELECT lead_score(engagement => 60, fit => 80, age_days => 30)", "55.0"),
        ("SELECT lead_score(CAST(80 AS DECIMAL(5,2)), 60.0)", "70.0"),
        ("SELECT lead_grade(80, 20), lead_grade(fit => 10, engagement => 75)", "A3 C1"),
    ] {
        assert_eq!(one(sql).await, wanted, "{sql}");
    }
    for (sql, words) in [
        ("SELECT lead_score(120, 60)", "lead_score: fit must be from 0 to 100, got 120"),
        ("SELECT lead_score(80, 60, 1, 0)", "half_life_days must be above 0, got 0"),
        ("SELECT lead_score(CAST('NaN' AS DOUBLE), 60)", "fit must be finite, got NaN"),
        ("SELECT lead_score(80)", "lead_score: takes 2 to 5 arguments, got 1"),
        ("SELECT lead_score('high', 60)", "fit must be a number"),
    ] {
        let text = refusal(sql).await;
        assert!(text.contains(words), "{sql}: {text}");
    }
}

#[tokio::test]
async fn engagement() {
    let events = "(VALUES (20, DATE '2026-06-21'), (10, DATE '2026-05-22'), (5, DATE '2026-07-01'), \
                  (30, DATE '2026-04-22'), (99, DATE '2026-07-02'), (NULL, DATE '2026-06-30')) AS t(p, d)";
    let sql = format!("SELECT engagement_score(p, d, DATE '2026-07-01') FROM {events}");
    close(number(&sql).await, 30.7953, 5e-5);
    let capped = format!("SELECT engagement_score(p, d, DATE '2026-07-01', 30, 25) FROM {events}");
    close(number(&capped).await, 25.0, 0.0);
    let none = "SELECT engagement_score(p, d, DATE '2026-07-01') FROM (SELECT 1 AS p, DATE '2026-01-01' AS d) t WHERE false";
    assert_eq!(one(none).await, "0.0");
    let late = "SELECT engagement_score(5, TIMESTAMP '2026-07-01T00:00:01', TIMESTAMP '2026-07-01T00:00:00')";
    assert_eq!(one(late).await, "0.0");
    let text = refusal("SELECT engagement_score(1, d, d) FROM (VALUES (DATE '2026-01-01'), (DATE '2026-01-02')) AS t(d)").await;
    assert!(text.contains("as_of must be the same in a group"), "{text}");
    let text =
        refusal("SELECT engagement_score(1, DATE '2026-01-01', DATE '2026-01-01', 30, 0)").await;
    assert!(text.contains("engagement_score: cap must be above 0"), "{text}");
}

#[tokio::test]
async fn quotas_and_capacity() {
    for (sql, wanted) in [
        ("SELECT quota_attainment(250000, 250000)", 1.0),
        ("SELECT quota_attainment(312500, 250000)", 1.25),
        ("SELECT quota_attainment(-20000, 300000)", -0.066_666),
        (
            "SELECT quota_attainment(sum(a), sum(q)) FROM (VALUES (150, 100), (50, 200)) AS t(a, q)",
            0.666_666,
        ),
        (
            "SELECT quota_attainment(120000, 300000, ramp => 0.5, period_start => NULL, period_end => NULL, active_from => NULL, active_to => NULL)",
            0.8,
        ),
        ("SELECT capacity_gap(1400 + 12 * 80, 4 * 8 * 63 * 0.75)", 848.0),
        (
            "SELECT capacity_gap(target => 1200000, ramped_fte => 8.2, productivity => 150000, utilisation => 0.85)",
            154_500.0,
        ),
        (
            "SELECT ramped_fte(DATE '2026-02-15', NULL, DATE '2026-01-01', DATE '2026-03-31', make_array(1), 0.5)",
            0.25,
        ),
    ] {
        close(number(sql).await, wanted, 1e-6);
    }
    for (sql, wanted) in [
        ("SELECT quota_attainment(5, 0), quota_attainment(NULL, 5)", "NULL NULL"),
        (
            "SELECT quota_attainment(5, 5, DATE '2026-07-01', DATE '2026-09-30', DATE '2026-10-01')",
            "NULL",
        ),
        ("SELECT hires_needed(-5, 1, 1), hires_needed(5, 1, 0)", "0 NULL"),
        (
            "SELECT ramp_pct(DATE '2026-05-01', DATE '2026-01-01', make_array(0.5)), ramp_pct(NULL, DATE '2026-01-01', make_array(0.5))",
            "0.0 1.0",
        ),
    ] {
        assert_eq!(one(sql).await, wanted, "{sql}");
    }
    let text = refusal("SELECT quota_attainment(5, -1)").await;
    assert!(text.contains("quota_attainment: quota must not be negative, got -1"), "{text}");
    let text = refusal("SELECT ramp_pct(NULL, DATE '2026-01-01', make_array())").await;
    assert!(text.contains("ramp must have at least one step"), "{text}");
}

#[tokio::test]
async fn win_rates() {
    let deals = "(VALUES (true, 300), (false, 100), (NULL, 50), (true, NULL)) AS t(w, a)";
    assert_eq!(
        one(&format!("SELECT win_rate(w), win_rate(w, a) FROM {deals}")).await,
        "0.6666666666666666 0.75"
    );
    assert_eq!(one("SELECT win_rate(w) FROM (SELECT true AS w) t WHERE false").await, "NULL");
    let windowed = "SELECT win_rate(w) OVER (ORDER BY n ROWS 1 PRECEDING) FROM \
                    (VALUES (1, true), (2, false), (3, false)) AS t(n, w) ORDER BY n";
    assert_eq!(rows(windowed).await.expect("runs"), ["1.0", "0.5", "0.0"]);
}

#[tokio::test]
async fn forecasts() {
    let quarters = "(VALUES ('2024-01-01', 100), ('2024-04-01', 120), ('2024-07-01', 110), \
        ('2024-10-01', 150), ('2025-01-01', 110), ('2025-04-01', 132), ('2025-07-01', 121), \
        ('2025-10-01', 165)) AS t(d, v)";
    let steps = format!(
        "SELECT f['step'], f['ds'], f['yhat'], round(f['lo'], 2), round(f['hi'], 2), f['method'] \
         FROM (SELECT unnest(forecast(CAST(d AS DATE), v, 2, 'snaive', 0.95)) AS f FROM {quarters})"
    );
    assert_eq!(
        rows(&steps).await.expect("runs"),
        ["1 2026-01-01 110.0 86.2 133.8 snaive", "2 2026-04-01 132.0 108.2 155.8 snaive"]
    );
    let named = format!(
        "SELECT array_length(forecast(ts => CAST(d AS TIMESTAMP), value => v, horizon => 4)) FROM {quarters}"
    );
    assert_eq!(one(&named).await, "4");
    let single = "SELECT f['yhat'], f['lo'], f['method'] FROM \
                  (SELECT unnest(forecast(DATE '2026-01-01', 7, 1)) AS f)";
    assert_eq!(one(single).await, "7.0 NULL naive");
    let unknown = "SELECT f['yhat'], f['status'] FROM \
                   (SELECT unnest(forecast(DATE '2026-01-01', CAST(NULL AS DOUBLE), 1)) AS f)";
    assert_eq!(one(unknown).await, "NULL no_data");
    for (sql, words) in [
        (
            "SELECT forecast(DATE '2026-01-01', 1, 0)",
            "forecast: horizon must be from 1 to 120, got 0",
        ),
        ("SELECT forecast(DATE '2026-01-01', 1, 1, 'magic')", "method must be auto, naive"),
        (
            "SELECT forecast(DATE '2026-01-01', 1, 1, 'naive', 80)",
            "level must be 0 or between 0 and 1, got 80",
        ),
        ("SELECT forecast(1, 1, 1)", "ts must be a date or a timestamp"),
    ] {
        let text = refusal(sql).await;
        assert!(text.contains(words), "{sql}: {text}");
    }
}

/// A model of one number and one word, as `lead_model` writes it.
pub(super) const MODEL: &str = r#"{"format":1,"method":"scorecard","status":"ok","rows":4,"positives":2,"unlabelled":0,"base_rate":0.5,"log_loss":0.5,"base_log_loss":0.7,"lambda":1,"warnings":[],"intercept":0,"features":[{"name":"visits","bins":{"kind":"number","edges":["3"]},"points":[0,-1,1],"weight":1,"iv":0.5,"auc":0.75},{"name":"source","bins":{"kind":"text","levels":["auto"]},"points":[0.5,-0.25,0.125]}]}"#;

/// Calls of aggregates on the rows that [`SPREAD`] makes.
const CALLS: &[&str] = &[
    "engagement_score(x, TIMESTAMP '2026-01-01 00:00:00', TIMESTAMP '2026-03-01 00:00:00')",
    "engagement_score(x - 45, d, DATE '2026-08-01')",
    "win_rate(b, x)",
    "close_rate(b, x > 20)",
    "sales_cycle_days(DATE '2026-01-01', d, b)",
    "sales_cycle_days_median(DATE '2026-01-01', d, b)",
    "wape(x, y)",
    "forecast_bias(x, y)",
    "mape(x, y)",
    "forecast_accuracy(x, y)",
    "mase(x, y, 50)",
    "gini(x)",
    "cv(x)",
    "balance_index(x)",
    "data_quality_score(b, x)",
    "seasonal_index(d, x, 7)",
    "auc(b, y / 101)",
    "brier(b, y / 101)",
    "log_loss(b, y / 101)",
    "ece(b, y / 101)",
    "lead_model(b, named_struct('x', x, 'y', y))",
    "lead_model(b, named_struct('x', x), 'scorecard', 'v', d)",
    "lead_recalibrate('{MODEL}', b, named_struct('visits', x), d)",
    "forecast(d, x, 3)",
    "forecast_info(d, x, 3)",
    "pipeline_forecast(x, y / 101, b, b)",
];

/// Two thousand rows of numbers, a truth and a day, in no order.
const SPREAD: &str = "(SELECT k, (k * 7919 % 1009) / 10.09 + 0.1 AS x, (k * 104729 % 1013) / 10.13 + 0.1 AS y, \
    k * 31 % 7 < 3 AS b, DATE '2026-01-01' + CAST(k * 37 % 400 AS int) AS d \
    FROM generate_series(1, 2000) AS g(k)) AS t";

/// The first column of `sql`, to the last bit, computed by so many threads; with `is_skipped` rows
/// become states of their own instead of being aggregated first.
async fn bits(sql: &str, partitions: usize, is_skipped: bool) -> Vec<String> {
    let mut config = datafusion::prelude::SessionConfig::new()
        .with_target_partitions(partitions)
        .with_batch_size(if partitions == 1 { 8_192 } else { 97 });
    if is_skipped {
        let options = &mut config.options_mut().execution;
        options.skip_partial_aggregation_probe_rows_threshold = 1;
        options.skip_partial_aggregation_probe_ratio_threshold = 0.0;
    }
    let mut state = SessionContext::new_with_config(config).state();
    register_all(&mut state).expect("registers");
    let frame = SessionContext::new_with_state(state).sql(sql).await.expect(sql);
    let batches = frame.collect().await.expect(sql);
    let rows = batches.iter().flat_map(|batch| (0..batch.num_rows()).map(move |row| (batch, row)));
    let value = |(batch, row): (&arrow::array::RecordBatch, usize)| {
        format!("{:?}", ScalarValue::try_from_array(batch.column(0), row).expect(sql))
    };
    rows.map(value).collect()
}

/// Whether `call` of many groups gives what it gives of each alone, however it is computed.
async fn check_groups(call: &str) {
    let mut alone = vec![];
    for group in 0..5 {
        let one = format!("SELECT {call} FROM {SPREAD} WHERE k % 5 = {group}");
        alone.extend(bits(&one, 1, false).await);
    }
    let grouped = format!("SELECT {call} FROM {SPREAD} GROUP BY k % 5 ORDER BY k % 5");
    for (partitions, is_skipped) in [(1, false), (3, false), (3, true)] {
        let found = bits(&grouped, partitions, is_skipped).await;
        assert_eq!(found, alone, "{grouped}: {partitions} threads, skipped {is_skipped}");
    }
    // In the order of groups, each is given as soon as it is complete.
    let sorted = format!(
        "SELECT {call} FROM (SELECT *, k % 5 AS g FROM {SPREAD} ORDER BY g) AS u GROUP BY g ORDER BY g"
    );
    assert_eq!(bits(&sorted, 1, false).await, alone, "{sorted}");
}

#[tokio::test]
async fn many_groups_agree_with_each_group_alone() {
    for call in CALLS {
        let call = call.replace("{MODEL}", MODEL);
        check_groups(&call).await;
        check_groups(&format!("{call} FILTER (WHERE y > 30 OR k % 5 = 4)")).await;
    }
    // What is the same within a group, but not of all groups.
    let event = "x, CAST(d AS timestamp) + INTERVAL '13 hours', DATE '2026-08-01'";
    check_groups(&format!("engagement_score({event}, 10 + k % 5, 90)")).await;
}

#[tokio::test]
async fn aggregates_agree_to_the_last_bit_however_they_are_computed() {
    let ask = async |sql: &str, partitions: usize| bits(sql, partitions, false).await[0].clone();
    for call in CALLS {
        let call = call.replace("{MODEL}", MODEL);
        let plain = ask(&format!("SELECT {call} FROM {SPREAD}"), 1).await;
        let forms = [
            (format!("SELECT {call} FROM {SPREAD}"), 4),
            (format!("SELECT {call} FROM {SPREAD} GROUP BY k < 0"), 4),
            (format!("SELECT {call} FROM (SELECT * FROM {SPREAD} ORDER BY y DESC) AS u"), 1),
            (format!("SELECT {call} OVER () FROM {SPREAD} LIMIT 1"), 1),
        ];
        for (sql, partitions) in forms {
            assert_eq!(ask(&sql, partitions).await, plain, "{sql}");
        }
    }
}
