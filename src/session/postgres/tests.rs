//! What Postgres 15 prints for the same calls.

use super::*;

async fn one(sql: &str) -> Result<String> {
    let context = SessionContext::new();
    register(&context);
    let batches = context.sql(sql).await?.collect().await?;
    let value = ScalarValue::try_from_array(batches[0].column(0), 0)?;
    Ok(match value {
        ScalarValue::Utf8(Some(text)) => text,
        other => other.to_string(),
    })
}

#[tokio::test]
async fn templates_of_dates_show_what_postgres_shows() {
    let at = "TIMESTAMP '2026-01-05 14:07:09.123456'";
    for (template, wanted) in [
        ("YYYY-MM-DD HH24:MI:SS", "2026-01-05 14:07:09"),
        ("Mon DD, YYYY", "Jan 05, 2026"),
        ("FMMonth FMDDth", "January 5th"),
        ("Month|", "January  |"),
        ("DAY Day dy", "MONDAY    Monday    mon"),
        ("HH12:MI AM", "02:07 PM"),
        ("IYYY-IW", "2026-02"),
        ("Q YY DDD D ID", "1 26 005 2 1"),
        ("MS US", "123 123456"),
        ("YYYY\"Q\"Q", "2026Q1"),
        ("W WW J CC RM", "1 01 2461046 21 I   "),
    ] {
        let sql = format!("SELECT to_char({at}, '{template}')");
        assert_eq!(one(&sql).await.expect(&sql), wanted, "{template}");
    }
    assert_eq!(one("SELECT to_char(DATE '2026-12-31', 'YYYYMM')").await.expect("ok"), "202612");
    let span = "SELECT to_char(INTERVAL '26 hours 5 minutes', 'HH24:MI')";
    assert_eq!(one(span).await.expect("ok"), "26:05");
}

#[tokio::test]
async fn templates_of_numbers_show_what_postgres_shows() {
    for (number, template, wanted) in [
        ("1234.5", "9,999.99", " 1,234.50"),
        ("1234.5", "FM9,999.99", "1,234.5"),
        ("-12.3", "9999.9", "  -12.3"),
        ("0.5", "9.99", "  .50"),
        ("0.5", "0.99", " 0.50"),
        ("0.5", "FM0.00", "0.50"),
        ("12345", "999", " ###"),
        ("485", "999PR", " 485 "),
        ("-485", "999PR", "<485>"),
        ("485", "S999", "+485"),
        ("-485", "999MI", "485-"),
        ("485", "FM00000", "00485"),
        ("0", "9", " 0"),
        ("0", "99.9", "   .0"),
        ("1", "FM999.99", "1."),
        ("1234567.891", "FM$999,999,999.00", "$1,234,567.89"),
        ("0.155", "FM990.0%", "0.2%"),
        ("485", "FMRN", "CDLXXXV"),
        ("4000", "rn", "###############"),
        ("12345.678", "9.999EEEE", " 1.235e+04"),
        ("-0.00123", "9.9EEEE", "-1.0e-03"),
        ("112", "FM999TH", "112TH"),
        ("-2", "FM9th", "-2"),
    ] {
        let sql = format!("SELECT to_char(CAST({number} AS DECIMAL(20,3)), '{template}')");
        assert_eq!(one(&sql).await.expect(&sql), wanted, "{number} {template}");
    }
    let error = one("SELECT to_char(5, '9V9')").await.expect_err("not known");
    assert!(error.to_string().contains("not known here"), "{error}");
}

#[tokio::test]
async fn texts_are_read_by_templates() {
    for (sql, wanted) in [
        ("SELECT to_date('05/01/2026', 'DD/MM/YYYY')", "2026-01-05"),
        ("SELECT to_date('5 Jan 2026', 'DD Mon YYYY')", "2026-01-05"),
        ("SELECT to_date('20260105', 'YYYYMMDD')", "2026-01-05"),
        ("SELECT to_timestamp('2026-01-05 10:30 PM', 'YYYY-MM-DD HH12:MI AM')", "1767652200000000"),
        ("SELECT to_timestamp(1.5)", "1500000"),
        ("SELECT to_number('-1,234.5', '9,999.9')", "-1234.5000000000"),
        ("SELECT format('%s-%2$I-%L', 1, 'A b', 'it''s')", "1-\"A b\"-'it''s'"),
        ("SELECT format('%5s|%-5s|%%', 'a', 'b')", "    a|b    |%"),
        ("SELECT pg_typeof(1.5)", "double precision"),
        ("SELECT mod(-7, 3)", "-1"),
        ("SELECT div(7, 2)", "3"),
        ("SELECT width_bucket(5.35, 0.024, 10.06, 5)", "3"),
        ("SELECT quote_literal('it''s')", "'it''s'"),
    ] {
        let found = one(sql).await.expect(sql);
        let found = found.split(',').next().unwrap_or_default();
        assert_eq!(found, wanted, "{sql}");
    }
    for sql in [
        "SELECT to_date('31/02/2026', 'DD/MM/YYYY')",
        "SELECT to_date('soon', 'YYYY')",
        "SELECT mod(1, 0)",
        "SELECT to_char('x', '9')",
        "SELECT format('%s')",
    ] {
        assert!(one(sql).await.is_err(), "{sql}");
    }
}

#[tokio::test]
async fn spans_follow_the_calendar() {
    for (sql, wanted) in [
        ("SELECT age(DATE '2026-03-01', DATE '2026-01-01')", "2 mons"),
        ("SELECT age(TIMESTAMP '2001-04-10', TIMESTAMP '1957-06-13')", "525 mons 27 days"),
        ("SELECT age(DATE '2026-01-01', DATE '2026-03-15')", "-2 mons -14 days"),
        ("SELECT justify_days(INTERVAL '35 days')", "1 mons 5 days"),
        ("SELECT justify_hours(INTERVAL '27 hours')", "1 days 3 hours"),
    ] {
        let sql = sql.replace("SELECT ", "SELECT CAST(") + " AS VARCHAR)";
        assert_eq!(one(&sql).await.expect(&sql), wanted, "{sql}");
    }
}
