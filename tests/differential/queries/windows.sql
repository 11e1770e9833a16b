-- Window functions and frames.
SELECT id, row_number() OVER (ORDER BY id) FROM raw.deals ORDER BY id
SELECT id, rank() OVER (ORDER BY seats), dense_rank() OVER (ORDER BY seats) FROM raw.deals ORDER BY id
SELECT id, percent_rank() OVER (ORDER BY seats), cume_dist() OVER (ORDER BY seats) FROM raw.deals ORDER BY id
SELECT id, ntile(4) OVER (ORDER BY id) FROM raw.deals ORDER BY id
SELECT id, lag(amount) OVER (ORDER BY id), lead(amount) OVER (ORDER BY id) FROM raw.deals ORDER BY id
SELECT id, lag(id, 2, -1::int8) OVER (ORDER BY id), lead(name, 1, 'none') OVER (ORDER BY id) FROM raw.deals ORDER BY id
SELECT id, first_value(name) OVER (PARTITION BY region ORDER BY id), last_value(id) OVER (PARTITION BY region ORDER BY id) FROM raw.deals ORDER BY id
SELECT id, nth_value(id, 2) OVER (ORDER BY id) FROM raw.deals ORDER BY id
SELECT id, sum(amount) OVER (ORDER BY id) FROM raw.deals ORDER BY id
SELECT id, sum(seats) OVER (PARTITION BY region) FROM raw.deals ORDER BY id
SELECT id, avg(amount) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING) FROM raw.deals ORDER BY id
SELECT id, sum(seats) OVER (ORDER BY id ROWS 2 PRECEDING) FROM raw.deals ORDER BY id
SELECT id, count(*) OVER (ORDER BY seats RANGE BETWEEN 5 PRECEDING AND 5 FOLLOWING) FROM raw.deals ORDER BY id
SELECT id, count(*) OVER (ORDER BY seats GROUPS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM raw.deals ORDER BY id
SELECT id, sum(seats) OVER (ORDER BY closed_on RANGE BETWEEN INTERVAL '1 month' PRECEDING AND CURRENT ROW) FROM raw.deals ORDER BY id
SELECT id, sum(seats) OVER (ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW EXCLUDE CURRENT ROW) FROM raw.deals ORDER BY id
SELECT id, sum(seats) OVER w, count(*) OVER w FROM raw.deals WINDOW w AS (PARTITION BY region ORDER BY id) ORDER BY id
SELECT id, sum(seats) OVER (w ROWS 1 PRECEDING) FROM raw.deals WINDOW w AS (ORDER BY id) ORDER BY id
SELECT id, count(*) FILTER (WHERE is_won) OVER (ORDER BY id) FROM raw.deals ORDER BY id
SELECT id, amount / sum(amount) OVER (PARTITION BY region) FROM raw.deals ORDER BY id
SELECT id, row_number() OVER () FROM (SELECT id FROM raw.deals ORDER BY id) d ORDER BY id
SELECT id FROM raw.deals WHERE row_number() OVER (ORDER BY id) = 1
SELECT id, rn FROM (SELECT id, row_number() OVER (PARTITION BY region ORDER BY amount DESC NULLS LAST, id) AS rn FROM raw.deals) d WHERE rn = 1 ORDER BY id
SELECT id, max(amount) OVER (ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) FROM raw.deals ORDER BY id
SELECT ntile(0) OVER () FROM raw.deals
SELECT id, rank() OVER (ORDER BY amount DESC) FROM raw.deals ORDER BY id
SELECT id, array_agg(id) OVER (ORDER BY id ROWS 1 PRECEDING) FROM raw.deals WHERE id < 5 ORDER BY id
SELECT id, stddev(seats) OVER (ORDER BY id) FROM raw.deals WHERE id < 6 ORDER BY id
