//! Forecasts a year of bookings from SQL, in a program that embeds DataFusion.
//!
//! `cargo run -p runrate-udfs --example forecast`

use datafusion::common::config::Dialect;
use datafusion::error::Result;
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::Statement;
use runrate_udfs::relation;

const BOOKINGS: &str = "CREATE TABLE bookings AS SELECT CAST(value AS date) AS month, region, \
    1000 + 15 * (date_part('year', value) - 2022) * 12 + 200 * sin(date_part('month', value)) \
    + CASE region WHEN 'West' THEN 300 ELSE 0 END AS amount \
    FROM generate_series(DATE '2022-01-01', DATE '2025-12-01', INTERVAL '1 month') AS g(value) \
    CROSS JOIN (VALUES ('East'), ('West')) AS r(region)";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let mut state = SessionContext::new().state();
    runrate_udfs::register_all(&mut state)?;
    let context = SessionContext::new_with_state(state);
    context.sql(BOOKINGS).await?.collect().await?;

    // The aggregate: one list of steps a group.
    context
        .sql("SELECT region, forecast(month, amount, 1)[1]['yhat'] AS next FROM bookings GROUP BY region ORDER BY region")
        .await?
        .show()
        .await?;

    // The table: one row a step, with intervals, and the status of each series.
    let sql = "SELECT ds, region, round(yhat) AS yhat, round(lo) AS lo, round(hi) AS hi, status \
        FROM forecast(bookings, ts => month, value => amount, horizon => 4, group_by => region, floor => 0) \
        ORDER BY ds, region";
    let state = context.state();
    let mut statement = state.sql_to_statement(sql, &Dialect::PostgreSQL)?;
    if let Statement::Statement(statement) = &mut statement {
        relation::expand(statement)?;
    }
    let plan = state.statement_to_plan(statement).await?;
    context.execute_logical_plan(plan).await?.show().await
}
