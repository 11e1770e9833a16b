-- Shapes of queries: joins, subqueries, set operations, ordering, names, errors.
SELECT * FROM (VALUES (1, 'a'), (2, 'b')) v ORDER BY 1
SELECT * FROM (VALUES (1, 'a'), (2, 'b')) v(n, t) ORDER BY n DESC
VALUES (1, 'x'), (2, NULL) ORDER BY 1
SELECT DISTINCT region FROM raw.deals ORDER BY region
SELECT DISTINCT ON (region) region, id, amount FROM raw.deals ORDER BY region, amount DESC NULLS LAST, id
SELECT DISTINCT ON (owner) owner, name FROM raw.deals WHERE name IS NOT NULL ORDER BY owner, id DESC
SELECT id, amount FROM raw.deals ORDER BY amount, id
SELECT id, amount FROM raw.deals ORDER BY amount DESC, id
SELECT id, amount FROM raw.deals ORDER BY amount NULLS FIRST, id
SELECT id, amount FROM raw.deals ORDER BY amount DESC NULLS LAST, id LIMIT 3
SELECT region, name FROM raw.deals ORDER BY region DESC, name DESC
SELECT id FROM raw.deals ORDER BY region IS NULL, region, id
SELECT id FROM raw.deals ORDER BY CASE stage WHEN 'won' THEN 1 WHEN 'open' THEN 2 ELSE 3 END, id
SELECT id FROM raw.deals ORDER BY id LIMIT 3 OFFSET 2
SELECT id FROM raw.deals ORDER BY id OFFSET 10
SELECT id FROM raw.deals ORDER BY id FETCH FIRST 2 ROWS ONLY
SELECT id FROM raw.deals ORDER BY id OFFSET 1 ROWS FETCH NEXT ROW ONLY
SELECT id, seats FROM raw.deals ORDER BY seats FETCH FIRST 4 ROWS WITH TIES
SELECT id FROM raw.deals ORDER BY id LIMIT ALL
SELECT id FROM raw.deals ORDER BY id LIMIT NULL
SELECT id FROM raw.deals TABLESAMPLE BERNOULLI (100) ORDER BY id
SELECT d.id, r.quota FROM raw.deals d JOIN raw.reps r ON r.name = d.owner ORDER BY d.id
SELECT d.id, r.quota FROM raw.deals d LEFT JOIN raw.reps r ON r.name = d.owner AND r.level > 1 ORDER BY d.id
SELECT r.name, count(d.id) FROM raw.deals d RIGHT JOIN raw.reps r ON r.name = d.owner GROUP BY r.name ORDER BY r.name
SELECT coalesce(d.owner, r.name) AS who FROM raw.deals d FULL JOIN raw.reps r ON r.name = d.owner WHERE d.id IS NULL OR r.name IS NULL ORDER BY who
SELECT name, region, n FROM raw.reps JOIN (SELECT owner AS name, count(*) AS n FROM raw.deals GROUP BY owner) d USING (name) ORDER BY name
SELECT a.name, b.name AS boss FROM raw.reps a LEFT JOIN raw.reps b ON b.name = a.manager ORDER BY a.name
SELECT * FROM (SELECT 1 AS a) x CROSS JOIN (SELECT 2 AS b) y
SELECT * FROM (SELECT 1 AS a) x NATURAL JOIN (SELECT 1 AS a, 2 AS b) y
SELECT * FROM (SELECT 1 AS a, 2 AS a) x
SELECT x.*, y.* FROM (SELECT 1 AS a) x, (SELECT 2 AS a) y
SELECT r.name, d.name, d.amount FROM raw.reps r CROSS JOIN LATERAL (SELECT name, amount FROM raw.deals WHERE owner = r.name ORDER BY amount DESC NULLS LAST, id LIMIT 1) d ORDER BY r.name
SELECT r.name, d.n FROM raw.reps r LEFT JOIN LATERAL (SELECT count(*) AS n FROM raw.deals WHERE owner = r.name) d ON true ORDER BY r.name
SELECT r.name, l.twice FROM raw.reps r, LATERAL (SELECT r.level * 2 AS twice) l ORDER BY r.name
SELECT r.name, l.x FROM raw.reps r, LATERAL (VALUES (r.level), (r.level + 10)) l(x) ORDER BY r.name, l.x
SELECT r.name, g FROM raw.reps r, generate_series(1, r.level) g ORDER BY r.name, g
SELECT r.name, g.n FROM raw.reps r CROSS JOIN LATERAL generate_series(1, r.level) AS g(n) ORDER BY 1, 2
SELECT id FROM raw.deals d WHERE EXISTS (SELECT 1 FROM raw.reps r WHERE r.name = d.owner AND r.level = 3) ORDER BY id
SELECT id FROM raw.deals d WHERE NOT EXISTS (SELECT 1 FROM raw.reps r WHERE r.name = d.owner) ORDER BY id
SELECT EXISTS (SELECT 1), NOT EXISTS (SELECT 1 WHERE false), EXISTS (SELECT 1 FROM raw.deals WHERE id = 99)
SELECT id FROM raw.deals WHERE owner IN (SELECT name FROM raw.reps WHERE level > 1) ORDER BY id
SELECT id FROM raw.deals WHERE owner NOT IN ('ann', 'ben') ORDER BY id
SELECT name FROM raw.reps WHERE name NOT IN (SELECT manager FROM raw.reps) ORDER BY name
SELECT id FROM raw.deals WHERE id = ANY (ARRAY[1, 3, 5]) ORDER BY id
SELECT id FROM raw.deals WHERE id = ANY ('{2,4}') ORDER BY id
SELECT id FROM raw.deals WHERE id <> ALL (ARRAY[1, 2, 3, 4]) ORDER BY id
SELECT id FROM raw.deals WHERE seats > ALL (SELECT level FROM raw.reps) ORDER BY id
SELECT id FROM raw.deals WHERE seats = ANY (SELECT level FROM raw.reps) ORDER BY id
SELECT id FROM raw.deals WHERE seats > SOME (ARRAY[100, 150]) ORDER BY id
SELECT id, (SELECT max(amount) FROM raw.deals) - amount FROM raw.deals ORDER BY id
SELECT name, (SELECT count(*) FROM raw.deals WHERE owner = r.name) FROM raw.reps r ORDER BY name
SELECT (SELECT id FROM raw.deals)
SELECT (SELECT id FROM raw.deals WHERE id = 99)
SELECT id FROM raw.deals WHERE (region, stage) IN (('EMEA', 'won'), ('APAC', 'open')) ORDER BY id
SELECT id FROM raw.deals WHERE (region, id) < ('APAC', 9) ORDER BY id
SELECT (1, 2) < (1, 3), (1, 2) = (1, 2), (2, 1) >= (1, 9), (1, NULL) = (1, 2), ROW(1, 2) <> ROW(1, 3)
SELECT 1 UNION SELECT 2 UNION SELECT 1 ORDER BY 1
SELECT 1 AS a UNION ALL SELECT 2.5 ORDER BY a
SELECT region FROM raw.deals INTERSECT SELECT region FROM raw.reps ORDER BY 1
SELECT owner FROM raw.deals EXCEPT SELECT name FROM raw.reps ORDER BY 1
SELECT owner FROM raw.deals EXCEPT ALL SELECT name FROM raw.reps ORDER BY 1
SELECT owner FROM raw.deals INTERSECT ALL SELECT name FROM raw.reps ORDER BY 1
SELECT NULL UNION SELECT 1
SELECT 'a' UNION SELECT 1
SELECT 1, 2 UNION SELECT 1
(SELECT id FROM raw.deals ORDER BY id LIMIT 1) UNION ALL (SELECT id FROM raw.deals ORDER BY id DESC LIMIT 1) ORDER BY 1
WITH won AS (SELECT * FROM raw.deals WHERE is_won) SELECT owner, sum(amount) FROM won GROUP BY owner ORDER BY owner
WITH a(x) AS (SELECT 1), b AS (SELECT x + 1 AS y FROM a) SELECT x, y FROM a, b
WITH a AS MATERIALIZED (SELECT 1 AS x) SELECT * FROM a
WITH RECURSIVE t(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM t WHERE n < 5) SELECT sum(n) FROM t
WITH RECURSIVE tree AS (SELECT name, manager, 1 AS depth FROM raw.reps WHERE manager IS NULL UNION ALL SELECT r.name, r.manager, t.depth + 1 FROM raw.reps r JOIN tree t ON t.name = r.manager) SELECT name, depth FROM tree ORDER BY depth, name
WITH RECURSIVE t(n) AS (SELECT 1 UNION SELECT n % 3 + 1 FROM t) SELECT n FROM t ORDER BY n
SELECT id FROM raw.deals WHERE id BETWEEN SYMMETRIC 5 AND 3 ORDER BY id
SELECT id FROM raw.deals WHERE region IS DISTINCT FROM 'EMEA' ORDER BY id
SELECT id FROM raw.deals WHERE region IS NOT DISTINCT FROM NULL ORDER BY id
SELECT id FROM raw.deals WHERE is_won IS NOT TRUE ORDER BY id
SELECT id FROM raw.deals WHERE is_won IS UNKNOWN ORDER BY id
SELECT id FROM raw.deals WHERE NOT is_won AND amount IS NOT NULL ORDER BY id
SELECT NULL = NULL, NULL IS NULL, NULL AND false, NULL OR true, true AND NULL
SELECT id FROM raw.deals WHERE name ISNULL ORDER BY id
SELECT generate_series(1, 3)
SELECT * FROM generate_series(1, 3) x
SELECT * FROM generate_series(1, 10, 3)
SELECT * FROM generate_series(3, 1, -1) AS t(n)
SELECT x FROM generate_series(1, 3) x WHERE x > 1 ORDER BY x
SELECT x.x + 1 FROM generate_series(1, 2) AS x ORDER BY 1
SELECT generate_series FROM generate_series(1, 2) ORDER BY 1
SELECT n, n * n FROM generate_series(1, 3) AS s(n) ORDER BY n
SELECT g, count(d.id) FROM generate_series(1, 3) g LEFT JOIN raw.deals d ON d.id = g GROUP BY g ORDER BY g
SELECT m::date, count(d.id) FROM generate_series(timestamp '2026-01-01', timestamp '2026-03-01', interval '1 month') m LEFT JOIN raw.deals d ON date_trunc('month', d.closed_on) = m GROUP BY m ORDER BY m
SELECT * FROM generate_series(1, 2) WITH ORDINALITY
SELECT * FROM unnest(ARRAY['a', 'b']) WITH ORDINALITY
SELECT * FROM unnest(ARRAY['a', 'b']) WITH ORDINALITY AS t(x, n) ORDER BY n DESC
SELECT * FROM unnest(ARRAY[1, 2], ARRAY['a', 'b', 'c']) AS t(n, s)
SELECT u FROM unnest(ARRAY[3, 1]) u ORDER BY u
SELECT unnest(ARRAY[1, 2])
SELECT count(*), 1, 'a', 1.5, NULL, true, id + 1 FROM raw.deals WHERE id = 1 GROUP BY id
SELECT 1 AS "Mixed Case", 2 AS Plain, 3 "quoted", 4 bare
SELECT ID, Deals.Region FROM raw.Deals WHERE "id" = 1
SELECT "ID" FROM raw.deals
SELECT CASE WHEN true THEN 1 END, coalesce(NULL, 1), nullif(1, 2), greatest(1, 2), now() IS NULL, EXISTS (SELECT 1), (SELECT 5), (SELECT max(id) FROM raw.deals), ARRAY[1], ROW(1)
SELECT '1'::int, 1::text, CAST(1 AS float8), id::text, upper('a')::varchar, '1 day'::interval, interval '1 day', date '2026-01-01' FROM raw.deals WHERE id = 1
SELECT extract(year FROM date '2026-01-01'), substring('abc' from 1), trim('a'), position('a' in 'a'), overlay('abc' placing 'x' from 1), current_date IS NULL, -1, NOT true
SELECT d.id, d.* FROM (SELECT id, name FROM raw.deals WHERE id = 1) d
SELECT count(*) AS n, count(*) FROM raw.reps
SELECT id AS id, id AS other FROM raw.deals WHERE id = 1;
SELECT 1 -- a comment
SELECT /* one */ 1 /* two /* nested */ */ + 1
SELECT 1;
SELECT FROM raw.reps
SELEC 1
SELECT 1 +
SELECT * FROM raw.nothing
SELECT * FROM nowhere.deals
SELECT nothing FROM raw.deals
SELECT d.nothing FROM raw.deals d
SELECT x.id FROM raw.deals d
SELECT name FROM raw.deals, raw.reps
SELECT id FROM raw.deals WHERE amount = 'abc'
SELECT id FROM raw.deals WHERE name = 5
SELECT id FROM raw.deals WHERE id = '3'
SELECT id FROM raw.deals WHERE amount > '5000' ORDER BY id
SELECT id FROM raw.deals WHERE seats
SELECT id FROM raw.deals ORDER BY 7
SELECT id FROM raw.deals GROUP BY 7
SELECT id AS x FROM raw.deals WHERE x = 1
SELECT 1 AS a, 1 AS a ORDER BY a
SELECT id + 1 AS next FROM raw.deals ORDER BY next LIMIT 1
SELECT region, count(*) AS n FROM raw.deals GROUP BY region ORDER BY count(*) DESC, region
SELECT -id FROM raw.deals ORDER BY -id LIMIT 2
SELECT id FROM raw.deals LIMIT -1
SELECT 1 LIMIT 0
SELECT current_user, current_database() IS NOT NULL, current_schema(), version() LIKE 'PostgreSQL 15%'
SELECT current_schema, session_user, user
SELECT current_setting('TimeZone'), current_setting('server_version_num')::int / 10000, current_setting('no.such', true)
SELECT current_setting('no_such')
SELECT set_config('application_name', 'diff', false)
SELECT current_setting('application_name')
SELECT pg_backend_pid() > 0, pg_is_in_recovery()
SELECT 'raw.deals'::regclass
SELECT 'raw.deals'::regclass::text, to_regclass('raw.nothing') IS NULL
SELECT 25::regtype, 'int4'::regtype, 'int8'::regtype::text
SELECT 'raw.nothing'::regclass
SELECT format_type(23, NULL), format_type(1700, 655366)
SELECT cast(NULL AS int), NULL::text, NULL::date
SELECT true, false, 't'::bool AND 'f'::bool
SELECT TRUE = 'true', 1 = '1', date '2026-01-01' = '2026-01-01'
SELECT CASE WHEN amount > 10000 THEN 'big' WHEN amount IS NULL THEN NULL ELSE 'small' END AS size, count(*) FROM raw.deals GROUP BY 1 ORDER BY 1
SELECT sum(CASE WHEN is_won THEN amount ELSE 0 END) FROM raw.deals
SELECT owner, sum(amount) FILTER (WHERE is_won) AS won, count(*) FILTER (WHERE NOT is_won) AS lost FROM raw.deals GROUP BY owner ORDER BY owner
SELECT id, sum(amount) OVER (ORDER BY id) FROM raw.deals WHERE region = 'APAC' ORDER BY 2 DESC NULLS LAST
SELECT DISTINCT owner, region FROM raw.deals ORDER BY owner, region
SELECT DISTINCT owner FROM raw.deals ORDER BY region
SELECT t.a FROM (SELECT 1 AS a UNION ALL SELECT 2) AS t ORDER BY t.a DESC
SELECT s FROM (SELECT 1 AS a, 'x' AS b) s
SELECT (s).a FROM (SELECT 1 AS a) s
SELECT ROW(1, 'a', NULL), (1, 2)
TABLE raw.reps LIMIT 0
SELECT 1 WHERE 1 IN (1, NULL)
SELECT count(*) FROM raw.deals d, raw.reps r WHERE d.owner = r.name AND d.amount > r.quota
SELECT o.owner, o.total, r.quota, round(o.total / r.quota * 100, 1) AS attainment FROM (SELECT owner, sum(amount) AS total FROM raw.deals WHERE is_won GROUP BY owner) o JOIN raw.reps r ON r.name = o.owner ORDER BY attainment DESC
SELECT r.name, (SELECT d.name FROM raw.deals d WHERE d.owner = r.name ORDER BY amount DESC NULLS LAST, id LIMIT 1) AS top FROM raw.reps r ORDER BY 1
SELECT r.name FROM raw.reps r WHERE (SELECT d.amount FROM raw.deals d WHERE d.owner = r.name ORDER BY amount DESC NULLS LAST, id LIMIT 1) > 100 ORDER BY 1
SELECT r.name, l.n, l.total FROM raw.reps r, LATERAL (SELECT count(*) AS n, sum(amount) AS total FROM raw.deals d WHERE d.owner = r.name) l ORDER BY 1
SELECT r.name, l.n FROM raw.reps r LEFT JOIN LATERAL (SELECT d.name AS n FROM raw.deals d WHERE d.owner = r.name ORDER BY id LIMIT 2) l ON true ORDER BY 1, 2
SELECT r.name, l.n FROM raw.reps r CROSS JOIN LATERAL (SELECT d.name AS n, row_number() OVER (ORDER BY id DESC) rn FROM raw.deals d WHERE d.owner = r.name) l WHERE l.rn = 1 ORDER BY 1, 2
SELECT r.name, l.region, l.n FROM raw.reps r CROSS JOIN LATERAL (SELECT d.region, count(*) n FROM raw.deals d WHERE d.owner = r.name GROUP BY d.region) l ORDER BY 1, 2
SELECT r.name, g FROM raw.reps r LEFT JOIN LATERAL generate_series(1, r.level) g ON true ORDER BY 1, 2
SELECT id, w FROM raw.deals d CROSS JOIN LATERAL unnest(string_to_array(d.name, ' ')) AS w WHERE id < 4 ORDER BY 1, 2
SELECT r.name, l.x FROM raw.reps r CROSS JOIN LATERAL (SELECT DISTINCT d.region AS x FROM raw.deals d WHERE d.owner = r.name) l ORDER BY 1, 2
SELECT a.name, b.n, c.m FROM raw.reps a, LATERAL (SELECT a.level + 1 AS n) b, LATERAL (SELECT b.n * 2 AS m) c ORDER BY 1
SELECT r.name, x.id, y.id FROM raw.reps r, LATERAL (SELECT id, owner FROM raw.deals d WHERE d.owner = r.name ORDER BY id LIMIT 2) x, LATERAL (SELECT id FROM raw.deals e WHERE e.owner = x.owner AND e.id > x.id ORDER BY id LIMIT 1) y ORDER BY 1, 2, 3
SELECT owner, seats FROM raw.deals EXCEPT ALL SELECT owner, seats FROM raw.deals WHERE id < 5 ORDER BY 1, 2
SELECT region FROM raw.deals INTERSECT ALL (SELECT region FROM raw.deals WHERE id < 9 UNION ALL SELECT region FROM raw.deals WHERE id < 5) ORDER BY 1
SELECT seats, count(*) FROM raw.deals GROUP BY seats ORDER BY count(*) DESC FETCH FIRST 1 ROW WITH TIES
SELECT id FROM raw.deals WHERE id NOT BETWEEN SYMMETRIC 7 + 1 AND 3 ORDER BY id
SELECT row_to_json(d) FROM (SELECT id, name, amount FROM raw.deals WHERE id < 3) d
SELECT json_agg(r ORDER BY r.name) FROM (SELECT name, level, hired_on FROM raw.reps) r
