-- Aggregates: types, scales, filters, order, statistics, grouping sets.
SELECT count(*), count(amount), count(DISTINCT region) FROM raw.deals
SELECT sum(seats), avg(seats), min(seats), max(seats) FROM raw.deals
SELECT sum(amount), avg(amount), min(amount), max(amount) FROM raw.deals
SELECT sum(probability), avg(probability) FROM raw.deals
SELECT sum(1), sum(1::int8), sum(1.5), sum(1.5::float4), sum(1.5::float8)
SELECT avg(1), avg(1.5), avg(2::float8), avg(2::int8)
SELECT sum(x::int) FROM (VALUES (1), (2)) v(x)
SELECT region, count(*), sum(amount) FROM raw.deals GROUP BY region ORDER BY region
SELECT region, avg(amount) FROM raw.deals GROUP BY region ORDER BY region
SELECT region, avg(seats) FROM raw.deals GROUP BY region ORDER BY region
SELECT owner, round(avg(amount), 2) AS mean FROM raw.deals GROUP BY owner ORDER BY mean DESC, owner
SELECT region AS r, stage, count(*) FROM raw.deals GROUP BY r, 2 ORDER BY 1, 2
SELECT region, count(*) FROM raw.deals GROUP BY region HAVING count(*) > 3 ORDER BY 2 DESC, 1
SELECT count(*) FROM raw.deals HAVING count(*) > 100
SELECT region, owner FROM raw.deals GROUP BY region
SELECT region, sum(amount) FROM raw.deals
SELECT count(*) FILTER (WHERE is_won), sum(amount) FILTER (WHERE stage = 'lost') FROM raw.deals
SELECT bool_and(is_won), bool_or(is_won), every(seats > -5) FROM raw.deals
SELECT string_agg(name, ', ' ORDER BY name) FROM raw.deals
SELECT string_agg(DISTINCT region, ',' ORDER BY region) FROM raw.deals
SELECT string_agg(owner, '|' ORDER BY amount DESC NULLS LAST, id) FROM raw.deals
SELECT array_agg(id ORDER BY amount DESC NULLS LAST, id) FROM raw.deals
SELECT array_agg(DISTINCT region ORDER BY region) FROM raw.deals
SELECT array_agg(amount ORDER BY id) FROM raw.deals WHERE region = 'APAC'
SELECT stddev(amount), variance(amount) FROM raw.deals
SELECT stddev_pop(seats), stddev_samp(seats), var_pop(seats), var_samp(seats) FROM raw.deals
SELECT stddev(probability), variance(probability) FROM raw.deals
SELECT corr(probability, seats), covar_pop(probability, seats), covar_samp(probability, seats) FROM raw.deals
SELECT regr_slope(probability, seats), regr_intercept(probability, seats), regr_r2(probability, seats) FROM raw.deals
SELECT regr_count(probability, seats), regr_avgx(probability, seats), regr_avgy(probability, seats) FROM raw.deals
SELECT regr_sxx(probability, seats), regr_syy(probability, seats), regr_sxy(probability, seats) FROM raw.deals
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY probability) FROM raw.deals
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY seats) FROM raw.deals
SELECT percentile_cont(0.25) WITHIN GROUP (ORDER BY amount) FROM raw.deals
SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY amount) FROM raw.deals
SELECT percentile_disc(0.9) WITHIN GROUP (ORDER BY seats) FROM raw.deals
SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY name) FROM raw.deals
SELECT percentile_cont(ARRAY[0.25, 0.5, 0.75]) WITHIN GROUP (ORDER BY probability) FROM raw.deals
SELECT region, percentile_cont(0.5) WITHIN GROUP (ORDER BY amount) AS median FROM raw.deals GROUP BY region ORDER BY region
SELECT mode() WITHIN GROUP (ORDER BY region) FROM raw.deals
SELECT mode() WITHIN GROUP (ORDER BY seats) FROM raw.deals
SELECT bit_and(seats), bit_or(seats), bit_xor(seats) FROM raw.deals
SELECT min(name), max(name), min(closed_on), max(created_at) FROM raw.deals
SELECT max(is_won::int), sum(is_won::int), avg(is_won::int) FROM raw.deals
SELECT sum(amount) FROM raw.deals WHERE false
SELECT count(*), avg(amount) FROM raw.deals WHERE region IS NULL
SELECT sum(DISTINCT seats), count(DISTINCT amount) FROM raw.deals
SELECT region, stage, sum(amount) FROM raw.deals GROUP BY ROLLUP (region, stage) ORDER BY region, stage, 3
SELECT region, stage, count(*), grouping(region, stage) FROM raw.deals GROUP BY CUBE (region, stage) ORDER BY 4, 1, 2
SELECT region, stage, count(*) FROM raw.deals GROUP BY GROUPING SETS ((region), (stage), ()) ORDER BY 1, 2
SELECT grouping(region), region, count(*) FROM raw.deals GROUP BY ROLLUP (region) ORDER BY 1, 2
SELECT date_trunc('month', closed_on) AS m, sum(amount) FROM raw.deals GROUP BY m ORDER BY m
SELECT date_trunc('quarter', created_at)::date, count(*) FROM raw.deals GROUP BY 1 ORDER BY 1
SELECT extract(year FROM closed_on), count(*) FROM raw.deals GROUP BY 1 ORDER BY 1
SELECT to_char(closed_on, 'YYYY-MM') AS month, count(*) FROM raw.deals GROUP BY month ORDER BY month
SELECT owner, count(*) AS n FROM raw.deals GROUP BY owner ORDER BY n DESC, owner LIMIT 2
SELECT sum(amount * seats) FROM raw.deals
SELECT sum(amount)::numeric(12,2), avg(amount)::numeric(12,2) FROM raw.deals
SELECT avg(closed_on - date '2026-01-01') FROM raw.deals
SELECT max(closed_on) - min(closed_on) FROM raw.deals
SELECT avg(created_at - timestamptz '2025-01-01 00:00:00+00') FROM raw.deals
SELECT sum(interval '1 day 02:00:00')
SELECT any_value(region) FROM raw.deals WHERE region = 'APAC'
SELECT sum(count(*)) OVER () FROM raw.deals GROUP BY region
SELECT region, count(*) * 100.0 / sum(count(*)) OVER () FROM raw.deals GROUP BY region ORDER BY region
SELECT sum(sum(amount)) FROM raw.deals
SELECT owner FROM raw.deals WHERE sum(amount) > 1 GROUP BY owner
SELECT count(*) FROM raw.deals GROUP BY ()
SELECT json_agg(id ORDER BY id) FROM raw.deals WHERE region = 'APAC'
SELECT jsonb_agg(region ORDER BY id) FROM raw.deals WHERE id < 4
SELECT json_object_agg(name, level ORDER BY name) FROM raw.reps
SELECT count(1), count(NULL)
SELECT avg(m), sum(m), stddev_samp(m) FROM raw.numbers
SELECT sum(x), avg(x), max(x) FROM raw.numbers WHERE n < 6
SELECT percentile_cont(ARRAY[0.25, 0.5]) WITHIN GROUP (ORDER BY amount), percentile_disc(ARRAY[0.25, 0.9]) WITHIN GROUP (ORDER BY seats) FROM raw.deals
SELECT percentile_cont(ARRAY[0.5]) WITHIN GROUP (ORDER BY amount) FROM raw.deals WHERE id < 0
SELECT region, json_object_agg(name, seats ORDER BY id), jsonb_object_agg(name, amount) FROM raw.deals WHERE id < 5 GROUP BY region ORDER BY 1
