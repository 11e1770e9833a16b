//! Statements made to end the process or to fill its memory: each is refused or stopped, the server
//! lives, and what it holds stays below its pool and a gibibyte.

use std::time::{Duration, Instant};

use tokio_postgres::error::SqlState;

use crate::child::Served;
use crate::harness::ROLE;

/// What a refused or stopped statement says.
const REFUSALS: &[&str] = &["53200", "53400", "54000", "54001", "54011", "42601", "57014"];

/// `SELECT length(s)` of a text that doubles `levels` times through `expression`.
fn doubling(levels: usize, first: &str, expression: &str, last: &str) -> String {
    let mut sql = format!("WITH a0 AS (SELECT {first} AS s)");
    for level in 1..=levels {
        let below = level - 1;
        sql.push_str(&format!(", a{level} AS (SELECT {expression} AS s FROM a{below})"));
    }
    format!("{sql} SELECT {last} FROM a{levels}")
}

/// Facts 8 and 9, and what is like them.
fn bombs() -> Vec<String> {
    let chain = |term: &str, count: usize| vec![term; count].join(" ");
    let mut ctes = "WITH a0 AS (SELECT 1 AS x)".to_owned();
    for level in 1..=20 {
        let below = level - 1;
        ctes.push_str(&format!(", a{level} AS (SELECT l.x FROM a{below} l CROSS JOIN a{below} r)"));
    }
    let commas: Vec<String> = (0..1_000).map(|at| format!("(VALUES (1)) t{at}")).collect();
    let wide: Vec<String> =
        (0..2_000).map(|at| format!("repeat('x', 1000 + v::int % 3) AS c{at}")).collect();
    let constants: Vec<String> =
        (0..1_000).map(|at| format!("length(repeat('{at:04}', 4000000)) AS c{at}")).collect();
    let mut all = vec![
        format!("SELECT 1 {}", chain("+ 1", 10_000)),
        format!("SELECT 1 {}", chain("+ 1", 3_000)),
        format!("SELECT true {}", chain("OR true", 10_000)),
        format!("SELECT 'a' {}", chain("|| 'a'", 10_000)),
        format!("SELECT 1 {}", chain("UNION ALL SELECT 1", 10_000)),
        format!("SELECT 1 FROM (VALUES (1)) t {}", chain("CROSS JOIN (VALUES (1)) u", 1_000)),
        format!("SELECT 1 FROM {}", commas.join(", ")),
        format!("{ctes} SELECT count(*) FROM a12"),
        format!("{ctes} SELECT count(*) FROM a20"),
        format!("SELECT {}1{}", "(".repeat(5_000), ")".repeat(5_000)),
        format!("SELECT '{}'", "x".repeat(300_000)),
        "SELECT length(repeat('x', 1000000000))".into(),
        "SELECT length(repeat('x', v::int)) FROM generate_series(999999990, 1000000000) t(v)"
            .into(),
        "SELECT length(lpad('x', 1000000000, 'y'))".into(),
        "SELECT length(rpad('x', 1000000000, 'y'))".into(),
        "SELECT length(replace(replace(repeat('a', 30000), 'a', repeat('b', 30000)), 'b', 'cc'))"
            .into(),
        "SELECT length(replace(repeat('a', 8000000), 'a', repeat('b', 300)))".into(),
        "SELECT length(regexp_replace(repeat('a', 8000000), 'a', repeat('b', 300), 'g'))".into(),
        "SELECT cardinality(array_repeat(1, 50000000))".into(),
        "SELECT cardinality(array_repeat(array_repeat(array_repeat(1, 1000), 1000), 1000))".into(),
        "SELECT cardinality(range(1, 2000000000))".into(),
        "SELECT array_to_string(range(1, 1500000), repeat('x', 10000))".into(),
        "SELECT * FROM unnest(array_repeat(repeat('x', 10000000), 1000)) t(v)".into(),
        "SELECT string_agg(repeat('x', 1000000), '') FROM generate_series(1, 10000)".into(),
        "SELECT array_agg(repeat('x', 10000 + v::int % 7)) FROM generate_series(1, 10000000) t(v)"
            .into(),
        "WITH RECURSIVE r AS (SELECT repeat('x', 1000) AS s UNION ALL SELECT s || s FROM r) \
         SELECT count(*) FROM r"
            .into(),
        format!("SELECT {} FROM generate_series(1, 8000) t(v)", wide.join(", ")),
        format!("SELECT {}", constants.join(", ")),
        doubling(40, "'xxxxxxxx'", "s || s", "length(s)"),
        doubling(40, "'xxxxxxxx'", "concat(s, s)", "length(s)"),
        doubling(40, "'xxxxxxxx'", "replace(s, 'x', 'xx')", "length(s)"),
        doubling(40, "ARRAY[1, 2, 3]", "array_concat(s, s)", "cardinality(s)"),
        doubling(40, "ARRAY[1, 2, 3]", "ARRAY[s, s]", "s"),
    ];
    // Ten at once of what may be held by one.
    all.push(
        "SELECT max(repeat('x', 10000 + v::int % 9)) FROM generate_series(1, 1000000) t(v)".into(),
    );
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn no_bomb_ends_the_process_or_fills_it() {
    const POOL: u64 = 512 << 20;
    let served = Served::start(&[
        ("memory_pool_bytes_max", &POOL.to_string()),
        ("memory_query_bytes_max", &(POOL / 2).to_string()),
        ("plan_timeout_ms", "20000"),
        ("statement_timeout_ms", "30000"),
        ("spill_bytes_max", "1000000000"),
    ]);
    let client = served.client(ROLE).await;
    let mut survived = vec![];
    for sql in bombs() {
        let begun = Instant::now();
        let outcome = client.simple_query(&sql).await;
        let told = match &outcome {
            Ok(_) => "ok".to_owned(),
            Err(error) => error.code().map_or("none", SqlState::code).to_owned(),
        };
        let is_known = told == "ok" || REFUSALS.contains(&told.as_str());
        assert!(is_known, "{told}: {:?}: {sql:.100}", outcome.err());
        assert!(begun.elapsed() < Duration::from_secs(60), "{:?}: {sql:.100}", begun.elapsed());
        let peak = served.peak_bytes();
        assert!(peak < POOL + (1 << 30), "{} MiB after {sql:.100}", peak >> 20);
        client.simple_query("SELECT 1").await.expect("the session goes on");
        survived.push(told);
    }
    // Refusing everything would be no art: the harmless ones among them are answered.
    assert!(survived.iter().filter(|told| *told == "ok").count() <= 4, "{survived:?}");
    assert!(served.get("/metrics").contains("\nrunrate_panics_total 0\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_holds_most_goes_when_memory_is_short() {
    let served = Served::start(&[
        // More than an idle server holds, and less than this sort.
        ("memory_process_bytes_max", "700000000"),
        ("memory_pool_bytes_max", "2000000000"),
        ("memory_query_bytes_max", "2000000000"),
    ]);
    let (large, small) = (served.client(ROLE).await, served.client(ROLE).await);
    let sorting = large.simple_query(
        "SELECT max(s) FROM (SELECT v, repeat(v::text, 40) AS s FROM \
         generate_series(1, 20000000) t(v) ORDER BY s DESC, v LIMIT 15000000) q",
    );
    let counting = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        small.simple_query("SELECT count(*) FROM generate_series(1, 3000000)").await
    };
    let (sorted, counted) = tokio::join!(sorting, counting);
    let error = sorted.expect_err("stopped");
    assert_eq!(error.code().map(SqlState::code), Some("53200"), "{error:?}");
    counted.expect("the small one goes on");
    served.audited("\"event\":\"memory_kill\"").await;
}
