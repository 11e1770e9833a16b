//! Writes that keep to rules and give rows back: keys, defaults, RETURNING, ON CONFLICT, MERGE; and
//! what the catalog says of tables made over SQL.

use crate::raw::Raw;
use crate::wire_write::{company, refused, rows, told};

#[tokio::test(flavor = "multi_thread")]
async fn keys_and_defaults_hold() {
    let company = company().await;
    let client = company.driver().await;
    let create = "CREATE TABLE ana.k (id int PRIMARY KEY, code text UNIQUE, n int DEFAULT 1 + 1, \
                  made date DEFAULT '2026-01-02', CONSTRAINT pair UNIQUE (n, code))";
    client.batch_execute(create).await.expect("made");
    client.batch_execute("INSERT INTO ana.k (id) VALUES (1), (2)").await.expect("defaults");
    client.batch_execute("INSERT INTO ana.k VALUES (3, 'c', DEFAULT)").await.expect("a word");
    client.batch_execute("INSERT INTO ana.k (code, id) SELECT 'd', 4").await.expect("a query");
    client.batch_execute("UPDATE ana.k SET n = DEFAULT, code = 'x' WHERE id = 4").await.expect("");
    let found = rows(&client, "SELECT id, code, n, made FROM ana.k ORDER BY id").await;
    let wanted = ["1|NULL|2|2026-01-02", "2|NULL|2|2026-01-02", "3|c|2|2026-01-02"];
    assert_eq!(found[..3], wanted);
    assert_eq!(found[3], "4|x|2|2026-01-02");
    for (sql, state) in [
        ("INSERT INTO ana.k (id) VALUES (1)", "23505"),
        ("INSERT INTO ana.k (id) VALUES (9), (9)", "23505"),
        ("INSERT INTO ana.k (id, code) VALUES (9, 'c')", "23505"),
        ("INSERT INTO ana.k (code) VALUES ('z')", "23502"),
        ("UPDATE ana.k SET id = 1 WHERE id = 2", "23505"),
        ("CREATE TABLE ana.x (a int PRIMARY KEY, b int PRIMARY KEY)", "42P16"),
        ("CREATE TABLE ana.x (a int, PRIMARY KEY (b))", "42703"),
        ("CREATE TABLE ana.x (a int, b int DEFAULT a + 1)", "42703"),
    ] {
        assert_eq!(refused(&client, sql).await, state, "{sql}");
    }
    assert_eq!(rows(&client, "SELECT count(*) FROM ana.k").await, ["4"], "nothing of them stayed");
    // Within a transaction, and in a table of the session.
    client.batch_execute("BEGIN; INSERT INTO ana.k (id) VALUES (5)").await.expect("begun");
    assert_eq!(refused(&client, "INSERT INTO ana.k (id) VALUES (5)").await, "23505");
    client.batch_execute("ROLLBACK; CREATE TEMP TABLE t (a int UNIQUE)").await.expect("made");
    client.batch_execute("INSERT INTO t VALUES (NULL), (NULL), (1)").await.expect("NULLs differ");
    assert_eq!(refused(&client, "INSERT INTO t VALUES (1)").await, "23505");
    // The rules are kept with the table, by its new name too.
    client.batch_execute("ALTER TABLE ana.k RENAME TO l").await.expect("renamed");
    let other = company.driver().await;
    assert_eq!(refused(&other, "INSERT INTO ana.l (id) VALUES (1)").await, "23505");
    let copied = other.copy_in::<_, bytes::Bytes>("COPY ana.l (id) FROM STDIN").await;
    let mut copy = Box::pin(copied.expect("begins"));
    futures::SinkExt::send(&mut copy, "1\n".into()).await.expect("sent");
    let error = copy.as_mut().finish().await.expect_err("a row of that key is there");
    assert_eq!(error.code().map(|code| code.code()), Some("23505"));
    assert_eq!(rows(&other, "SELECT count(*) FROM ana.l").await, ["4"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_come_back() {
    let company = company().await;
    let client = company.driver().await;
    client.batch_execute("CREATE TABLE ana.r (id int, name text DEFAULT 'new')").await.expect("");
    let insert = "INSERT INTO ana.r (id) VALUES (1), (2) RETURNING id * 10 AS ten, name, r.id";
    assert_eq!(rows(&client, insert).await, ["10|new|1", "20|new|2"]);
    let update = "UPDATE ana.r AS x SET name = upper(name) WHERE id = 2 RETURNING x.*";
    assert_eq!(rows(&client, update).await, ["2|NEW"]);
    // Prepared: the columns are announced, and values come in binary.
    let statement = "INSERT INTO ana.r VALUES ($1, $2) RETURNING id, name";
    let prepared = client.prepare(statement).await.expect("prepared");
    let names: Vec<&str> = prepared.columns().iter().map(|column| column.name()).collect();
    assert_eq!(names, ["id", "name"]);
    let row = client.query_one(&prepared, &[&3_i32, &"three"]).await.expect("one row");
    assert_eq!((row.get::<_, i32>(0), row.get::<_, &str>(1)), (3, "three"));
    let gone = "DELETE FROM ana.r WHERE id <> 2 RETURNING id";
    let mut found = rows(&client, gone).await;
    found.sort();
    assert_eq!(found, ["1", "3"]);
    assert_eq!(rows(&client, "SELECT * FROM ana.r").await, ["2|NEW"]);
    assert_eq!(refused(&client, "DELETE FROM ana.r RETURNING nope").await, "42703");
    assert_eq!(rows(&client, "SELECT * FROM ana.r").await, ["2|NEW"], "nothing was deleted");
    let mut raw = Raw::logged_in(company.address).await;
    let tags = told(&mut raw, "DELETE FROM ana.r RETURNING 1").await;
    assert_eq!(tags, ["DELETE 1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn conflicts_are_settled() {
    let company = company().await;
    let mut raw = Raw::logged_in(company.address).await;
    let client = company.driver().await;
    let create = "CREATE TABLE ana.c (id int PRIMARY KEY, n int, at text)";
    client.batch_execute(create).await.expect("made");
    for (sql, tag) in [
        ("INSERT INTO ana.c VALUES (1, 1, 'a'), (2, 2, 'b')", "INSERT 0 2"),
        ("INSERT INTO ana.c VALUES (2, 9, 'x'), (3, 3, 'c') ON CONFLICT DO NOTHING", "INSERT 0 1"),
        (
            "INSERT INTO ana.c VALUES (7, 1, 'first'), (7, 2, 'second') \
             ON CONFLICT (id) DO NOTHING",
            "INSERT 0 1",
        ),
        (
            "INSERT INTO ana.c VALUES (1, 10, 'd'), (4, 4, 'e') ON CONFLICT (id) \
             DO UPDATE SET n = c.n + excluded.n, at = excluded.at",
            "INSERT 0 2",
        ),
        (
            "INSERT INTO ana.c AS t VALUES (2, 5, 'f') ON CONFLICT ON CONSTRAINT c_pkey \
             DO UPDATE SET n = 0 WHERE t.n > 100",
            "INSERT 0 0",
        ),
    ] {
        assert_eq!(told(&mut raw, sql).await, [tag], "{sql}");
    }
    let found = rows(&client, "SELECT id, n, at FROM ana.c ORDER BY id").await;
    assert_eq!(found, ["1|11|d", "2|2|b", "3|3|c", "4|4|e", "7|1|first"]);
    let back = "INSERT INTO ana.c VALUES (3, 30, 'g'), (8, 8, 'h') ON CONFLICT (id) \
                DO UPDATE SET n = excluded.n RETURNING id, n, at";
    let mut found = rows(&client, back).await;
    found.sort();
    assert_eq!(found, ["3|30|c", "8|8|h"]);
    for (sql, state) in [
        ("INSERT INTO ana.c VALUES (1, 1) ON CONFLICT (n) DO NOTHING", "42P10"),
        ("INSERT INTO ana.c VALUES (1, 1) ON CONFLICT DO UPDATE SET n = 1", "42601"),
        ("INSERT INTO ana.c VALUES (1, 1), (1, 2) ON CONFLICT (id) DO UPDATE SET n = 1", "21000"),
        ("INSERT INTO crm.accounts (account_id) VALUES ('x') ON CONFLICT DO NOTHING", "42501"),
    ] {
        assert_eq!(refused(&client, sql).await, state, "{sql}");
    }
    // Values of a driver.
    let sql = "INSERT INTO ana.c (id, n) VALUES ($1, $2) ON CONFLICT (id) \
               DO UPDATE SET n = excluded.n";
    assert_eq!(client.execute(sql, &[&1_i32, &77_i32]).await.expect("done"), 1);
    assert_eq!(rows(&client, "SELECT n, at FROM ana.c WHERE id = 1").await, ["77|d"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_are_merged() {
    let company = company().await;
    let mut raw = Raw::logged_in(company.address).await;
    let client = company.driver().await;
    let create = "CREATE TABLE ana.m (id int, n int, note text DEFAULT 'none'); \
                  CREATE TABLE ana.s (id int, n int); \
                  INSERT INTO ana.m VALUES (1, 1, 'a'), (2, 2, 'b'), (3, 3, 'c'), (4, 4, 'd'); \
                  INSERT INTO ana.s VALUES (1, 10), (2, 0), (3, NULL), (5, 50), (6, -1)";
    client.batch_execute(create).await.expect("made");
    let merge = "MERGE INTO ana.m AS t USING (SELECT * FROM ana.s) AS s ON t.id = s.id \
                 WHEN MATCHED AND s.n = 0 THEN DELETE \
                 WHEN MATCHED AND s.n > 0 THEN UPDATE SET n = t.n + s.n, note = DEFAULT \
                 WHEN NOT MATCHED AND s.n > 0 THEN INSERT (id, n) VALUES (s.id, s.n)";
    assert_eq!(told(&mut raw, merge).await, ["MERGE 3"]);
    let found = rows(&client, "SELECT id, n, note FROM ana.m ORDER BY id").await;
    assert_eq!(found, ["1|11|none", "3|3|c", "4|4|d", "5|50|none"]);
    // Two rows of the source for one of the table.
    let twice = "MERGE INTO ana.m USING (VALUES (1, 1), (1, 2)) AS s(id, n) ON m.id = s.id \
                 WHEN MATCHED THEN UPDATE SET n = s.n";
    assert_eq!(refused(&client, twice).await, "21000");
    let other = "MERGE INTO crm.accounts a USING ana.s ON a.account_id = s.id::text \
                 WHEN MATCHED THEN DELETE";
    assert_eq!(refused(&client, other).await, "42501");
    let found = rows(&client, "SELECT sum(n) FROM ana.m").await;
    assert_eq!(found, ["68"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_catalog_tells_of_tables_made_over_sql() {
    let company = company().await;
    let client = company.driver().await;
    let made = "CREATE TABLE ana.t (id int NOT NULL, name text); \
                CREATE VIEW ana.seen AS SELECT id FROM ana.t; \
                COMMENT ON TABLE ana.t IS 'things'; COMMENT ON COLUMN ana.t.name IS 'what it is'; \
                COMMENT ON VIEW ana.seen IS 'numbers'";
    client.batch_execute(made).await.expect("made");
    for (sql, wanted) in [
        ("SELECT obj_description('ana.t'::regclass, 'pg_class')", "things"),
        ("SELECT obj_description('seen'::regclass)", "numbers"),
        ("SELECT col_description('ana.t'::regclass, 2)", "what it is"),
        (
            "SELECT description FROM pg_description d JOIN pg_class c ON c.oid = d.objoid \
             WHERE c.relname = 't' AND d.objsubid = 2",
            "what it is",
        ),
        ("SELECT pg_get_viewdef('ana.seen'::regclass, true)", "SELECT id FROM ana.t"),
        ("SELECT definition FROM pg_views WHERE viewname = 'seen'", "SELECT id FROM ana.t"),
        ("SELECT pg_table_is_visible('t'::regclass)", "t"),
        ("SELECT 'ana.t'::regclass::text", "t"),
    ] {
        assert_eq!(rows(&client, sql).await, [wanted], "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_session_has_open_is_told_to_it() {
    let company = company().await;
    let client = company.driver().await;
    let prepared = client.prepare("SELECT $1::int4 + 1").await.expect("prepared");
    client.batch_execute("PREPARE p (text) AS SELECT $1").await.expect("prepared");
    let sql = "SELECT statement, parameter_types, from_sql FROM pg_prepared_statements \
               ORDER BY from_sql";
    let found = rows(&client, sql).await;
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!(found[0], "SELECT $1::int4 + 1|{integer}|f");
    assert!(found[1].ends_with("|{text}|t"), "{found:?}");
    drop(prepared);
    client.batch_execute("BEGIN; DECLARE c CURSOR FOR SELECT 1").await.expect("declared");
    let sql = "SELECT name, is_holdable, is_scrollable FROM pg_cursors";
    assert_eq!(rows(&client, sql).await, ["c|f|f"]);
    client.batch_execute("COMMIT").await.expect("ended");
    assert_eq!(rows(&client, sql).await, Vec::<String>::new());
    let other = company.driver().await;
    assert_eq!(rows(&other, "SELECT count(*) FROM pg_prepared_statements").await, ["0"]);
    // Both are sessions of one role, and see each other.
    let sql = "SELECT count(*), count(DISTINCT pid), bool_and(usename = current_user), \
               count(*) FILTER (WHERE pid = pg_backend_pid() AND state = 'active') \
               FROM pg_stat_activity";
    assert_eq!(rows(&other, sql).await, ["2|2|t|1"]);
}
