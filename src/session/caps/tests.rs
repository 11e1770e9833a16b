//! Functions under their limits, through whole statements.

use futures::StreamExt;

use crate::config::Config;
use crate::error::Error;
use crate::session::{Engine, Session};

async fn session(folder: &tempfile::TempDir) -> Session {
    let lake = folder.path().to_string_lossy().into_owned();
    let config = Config { lake, threads: 1, plan_timeout_ms: 60_000, ..Config::default() };
    Engine::open(config, vec![], vec![]).await.expect("opens").session("ana")
}

/// The first value as text, or the SQLSTATE and message.
async fn first(session: &Session, sql: &str) -> Result<String, (&'static str, String)> {
    let told = |error: Error| (error.sqlstate(), error.to_string());
    let mut stream = session.query(sql).await.map_err(told)?;
    let mut value = String::new();
    while let Some(batch) = stream.next().await {
        let batch = batch.map_err(|error| told(error.into()))?;
        if batch.num_rows() > 0 && value.is_empty() {
            let column = batch.column(0);
            value = datafusion::arrow::util::display::array_value_to_string(column, 0)
                .expect("a printable value");
        }
    }
    Ok(value)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_is_refused_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let session = session(&folder).await;
    let rows = "FROM generate_series(1, 5000) AS t(v)";
    for (sql, name) in [
        ("SELECT length(repeat('x', 1000000000))".to_owned(), "repeat"),
        (format!("SELECT sum(length(repeat('x', v::int8 * 10000000))) {rows}"), "repeat"),
        (format!("SELECT sum(length(repeat('x', 100000 + v % 2))) {rows}"), "repeat"),
        ("SELECT length(lpad('x', 1000000000, 'y'))".into(), "lpad"),
        (format!("SELECT sum(length(rpad('x', v::int8 * 10000000, 'y'))) {rows}"), "rpad"),
        ("SELECT cardinality(array_repeat(1, 50000000))".into(), "array_repeat"),
        ("SELECT cardinality(range(1, 2000000000))".into(), "range"),
        (
            "SELECT cardinality(range(TIMESTAMP '2000-01-01', TIMESTAMP '2001-01-01', \
             INTERVAL '1 microsecond'))"
                .into(),
            "range",
        ),
        (
            "SELECT length(replace(repeat('a', 8000000), 'a', repeat('b', 8000000)))".into(),
            "replace",
        ),
        (
            "SELECT length(regexp_replace(repeat('a', 8000000), 'a', repeat('b', 80000), 'g'))"
                .into(),
            "regexp_replace",
        ),
        (
            "WITH a AS (SELECT repeat('x', 9000000) AS s) SELECT length(concat(s, s)) FROM a"
                .into(),
            "concat",
        ),
        ("WITH a AS (SELECT repeat('x', 9000000) AS s) SELECT length(s || s) FROM a".into(), "||"),
        (
            "WITH a AS (SELECT range(0, 1200000) AS l) SELECT cardinality(array_concat(l, l)) \
             FROM a"
                .into(),
            "array_concat",
        ),
        (
            "WITH a AS (SELECT repeat('x', 9000000) AS s) \
             SELECT length(encode(CAST(s AS bytea), 'hex')) FROM a"
                .into(),
            "encode",
        ),
    ] {
        let (sqlstate, message) = first(&session, &sql).await.expect_err(&sql);
        assert_eq!(sqlstate, "54000", "{sql}: {message}");
        let name = if name == "||" { "text_concat" } else { name };
        assert!(message.contains(&format!("{name}: a ")), "{sql}: {message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fits_is_as_before() {
    let folder = tempfile::tempdir().expect("a folder");
    let session = session(&folder).await;
    for (sql, expected) in [
        ("SELECT repeat('ab', 3)", "ababab"),
        ("SELECT length(repeat('x', 16000000))", "16000000"),
        ("SELECT lpad('7', 3, '0') || '-' || rpad('x', 3, 'y')", "007-xyy"),
        ("SELECT 'n' || 5", "n5"),
        ("SELECT coalesce('a' || NULL, 'nothing')", "nothing"),
        ("SELECT count(v || 'x') FROM generate_series(1, 9) AS t(v)", "9"),
        ("SELECT concat('a', NULL, 'b', 1)", "ab1"),
        ("SELECT concat_ws(',', 'a', NULL, 'b')", "a,b"),
        ("SELECT replace('a.b.c', '.', '--')", "a--b--c"),
        ("SELECT regexp_replace('a1b2', '[0-9]', '#', 'g')", "a#b#"),
        ("SELECT cardinality(range(5, 1, -1))", "4"),
        ("SELECT array_to_string(ARRAY[1, 2] || ARRAY[3], '+')", "1+2+3"),
        (
            "SELECT sum(length(regexp_replace(repeat('a', 300 + v % 2), 'a', repeat('b', 200), 'g'))) \
          FROM generate_series(1, 5000) AS t(v)",
            "300000000",
        ),
        (
            "SELECT max(length(regexp_replace(repeat('ab', 400 + v), 'ab', repeat('c', 9), 'g'))) \
          FROM generate_series(1, 5000) AS t(v)",
            "48600",
        ),
    ] {
        // Results of more than a batch may hold are refused, however they come to be.
        let answer = first(&session, sql).await;
        match expected {
            "300000000" => assert_eq!(answer.expect_err(sql).0, "54000"),
            expected => assert_eq!(answer.expect(sql), expected, "{sql}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn large_constants_come_a_few_rows_at_a_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let session = session(&folder).await;
    let sql = "SELECT v, repeat('x', 1000000) AS s FROM generate_series(1, 1000) AS t(v)";
    let mut stream = session.query(sql).await.expect("starts");
    let (mut rows, mut most) = (0, 0);
    while let Some(batch) = stream.next().await {
        let batch = batch.expect("a batch");
        rows += batch.num_rows();
        most = most.max(batch.get_array_memory_size());
    }
    assert_eq!(rows, 1_000);
    assert!(most < 200 << 20, "{most}");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_large_results_are_more_than_a_query_may_hold() {
    let folder = tempfile::tempdir().expect("a folder");
    let session = session(&folder).await;
    let columns: Vec<String> =
        (0..200).map(|at| format!("repeat('x{at}', 2000 + v % 3) AS c{at}")).collect();
    let lengths: Vec<String> = (0..200).map(|at| format!("max(c{at})")).collect();
    let sql = format!(
        "SELECT {} FROM (SELECT {} FROM generate_series(1, 8000) AS t(v))",
        lengths.join(", "),
        columns.join(", ")
    );
    let (sqlstate, message) = first(&session, &sql).await.expect_err("too much");
    assert_eq!(sqlstate, "53200", "{message}");
}
