-- Types of parameters as PostgreSQL infers them, and their values.
SELECT $1 --$ x
SELECT $1::int + 1 --$ 41
SELECT $1 + 1 --$ 41
SELECT 1.5 * $1 --$ 2
SELECT $1 || 'a' --$ x
SELECT $1 = 'a' --$ a
SELECT upper($1), length($2) --$ x | abc
SELECT id FROM raw.deals WHERE id = $1 --$ 3
SELECT id FROM raw.deals WHERE name = $1 OR region = $2 ORDER BY id --$ India | APAC
SELECT id FROM raw.deals WHERE amount > $1 ORDER BY id --$ 10000.5
SELECT id FROM raw.deals WHERE closed_on >= $1 ORDER BY id --$ 2026-03-31
SELECT id FROM raw.deals WHERE created_at < $1 ORDER BY id --$ 2025-10-01
SELECT id FROM raw.deals WHERE is_won = $1 ORDER BY id --$ t
SELECT id FROM raw.deals WHERE probability > $1 ORDER BY id --$ 0.5
SELECT id FROM raw.deals WHERE id = ANY ($1) ORDER BY id --$ {1,2,5}
SELECT id FROM raw.deals WHERE region = ANY ($1) ORDER BY id --$ {EMEA,"APAC"}
SELECT id FROM raw.deals WHERE id <> ALL ($1) ORDER BY id --$ {1,2,5}
SELECT id FROM raw.deals WHERE id IN ($1, $2) ORDER BY id --$ 1 | 2
SELECT id FROM raw.deals WHERE id BETWEEN $1 AND $2 ORDER BY id --$ 3 | 4
SELECT id FROM raw.deals WHERE name LIKE $1 ORDER BY id --$ A%
SELECT id FROM raw.deals WHERE name ILIKE '%' || $1 || '%' ORDER BY id --$ acme
SELECT id FROM raw.deals WHERE name ~ $1 ORDER BY id --$ ^A
SELECT id FROM raw.deals ORDER BY id LIMIT $1 OFFSET $2 --$ 2 | 3
SELECT id FROM raw.deals WHERE ($1::text IS NULL OR region = $1) ORDER BY id --$ \N
SELECT id FROM raw.deals WHERE created_at + $1 > timestamptz '2026-04-01 00:00+00' ORDER BY id --$ 1 month
SELECT closed_on + $1 FROM raw.deals WHERE id = 1 --$ 5
SELECT closed_on - $1 FROM raw.deals WHERE id = 1 --$ 2026-01-01
SELECT timestamp '2026-01-01' + $1 --$ 1 day
SELECT date_trunc($1, created_at) FROM raw.deals WHERE id = 1 --$ month
SELECT generate_series(1, $1) --$ 3
SELECT * FROM generate_series($1::int, $2::int) g --$ 1 | 2
SELECT coalesce($1, 5) --$ 7
SELECT coalesce(region, $1) FROM raw.deals WHERE id = 11 --$ none
SELECT CASE WHEN $1 THEN 1 ELSE 0 END --$ true
SELECT CASE WHEN id = $1 THEN $2 ELSE 'x' END FROM raw.deals WHERE id < 3 ORDER BY id --$ 1 | y
SELECT $1::numeric(10,2), $2::date, $3::interval, $4::bool, $5::float8 --$ 1.5 | 2026-01-31 | 1 day | f | 2.5
SELECT $1::int[] --$ {1,NULL,3}
SELECT round($1, 2) --$ 2.345
SELECT count(*) FROM raw.deals WHERE amount / $1 > 100 --$ 2
SELECT sum(amount) FILTER (WHERE stage = $1) FROM raw.deals --$ won
SELECT extract(year FROM $1::date) --$ 2026-01-01
SELECT $1::text, $1 || 'b' --$ a
SELECT $2::int, $1::text --$ a | 5
SELECT to_char($1::date, $2) --$ 2026-01-31 | YYYY
SELECT substring('abcdef', $1, $2) --$ 2 | 3
SELECT 'x' IN ($1, $2) --$ a | x
SELECT $1::int --$ abc
SELECT $1::date --$ 2026-13-01
