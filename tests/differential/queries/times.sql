-- Dates, timestamps, zones, intervals.
SELECT date '2026-02-28' + 1, date '2026-03-01' - 1, date '2026-03-01' - date '2026-01-01'
SELECT date '2026-01-31' + interval '1 month', date '2026-01-31' + interval '1 day', date '2026-01-31' - interval '1 year'
SELECT 1 + date '2026-01-01', date '2026-01-01' + time '10:30'
SELECT timestamp '2026-01-01 12:00' - timestamp '2025-12-30 10:30:15', timestamp '2026-01-01' + interval '90 minutes'
SELECT timestamptz '2026-01-01 12:00+02', timestamptz '2026-01-01 00:00:00+00' - interval '1 second'
SELECT interval '1 mon', interval '1 year 2 months 3 days 04:05:06', interval '-1 day', interval '1.5 hours'
SELECT interval '1' month, interval '2' day, interval '3' hour, interval '1-2' year to month
SELECT interval '1 day' * 2, interval '1 day' * 1.5, interval '1 month' / 2, interval '1 day' + interval '1 hour', - interval '2 days'
SELECT 2 * interval '1 week', interval '36 hours', interval '1 week', interval '100 days', interval 'P1Y2M3DT4H5M6S'
SELECT '1 day'::interval, '2 hours 30 min'::interval, '00:10:00'::interval, '3 days ago'::interval, interval '1 decade'
SELECT interval '1 day' = interval '24 hours', interval '1 month' > interval '29 days', interval '30 days' = interval '1 month'
SELECT extract(year FROM date '2026-05-17'), extract(month FROM date '2026-05-17'), extract(day FROM date '2026-05-17'), extract(dow FROM date '2026-05-17'), extract(isodow FROM date '2026-05-17'), extract(doy FROM date '2026-05-17')
SELECT extract(week FROM date '2026-01-01'), extract(isoyear FROM date '2027-01-01'), extract(quarter FROM date '2026-05-17'), extract(century FROM date '2026-05-17'), extract(decade FROM date '2026-05-17'), extract(millennium FROM date '2026-05-17')
SELECT extract(hour FROM timestamp '2026-05-17 13:45:59.25'), extract(minute FROM timestamp '2026-05-17 13:45:59.25'), extract(second FROM timestamp '2026-05-17 13:45:59.25'), extract(milliseconds FROM timestamp '2026-05-17 13:45:59.25'), extract(microseconds FROM timestamp '2026-05-17 13:45:59.25')
SELECT extract(epoch FROM timestamp '2026-05-17 13:45:59.25'), extract(epoch FROM timestamptz '2026-05-17 00:00+00'), extract(epoch FROM date '2026-05-17'), extract(epoch FROM interval '1 day 02:30:00')
SELECT extract(day FROM interval '40 days 5 hours'), extract(hour FROM interval '40 days 5 hours'), extract(month FROM interval '14 months'), extract(year FROM interval '14 months')
SELECT extract(julian FROM date '2026-05-17'), extract(timezone FROM timestamptz '2026-05-17 00:00+00')
SELECT date_part('year', date '2026-05-17'), date_part('epoch', timestamp '2026-05-17'), date_part('dow', timestamp '2026-05-17'), date_part('second', timestamp '2026-05-17 00:00:01.5')
SELECT extract(fortnight FROM date '2026-05-17')
SELECT date_trunc('month', timestamp '2026-05-17 13:45:59'), date_trunc('week', timestamp '2026-05-17 13:45:59'), date_trunc('hour', timestamp '2026-05-17 13:45:59'), date_trunc('quarter', timestamp '2026-05-17')
SELECT date_trunc('month', date '2026-05-17'), date_trunc('year', timestamptz '2026-05-17 10:00+00'), date_trunc('decade', timestamp '2026-05-17'), date_trunc('century', timestamp '2026-05-17')
SELECT date_trunc('day', timestamptz '2026-05-17 23:30+00', 'Europe/Berlin'), date_trunc('day', timestamptz '2026-05-17 03:30+00', 'America/New_York')
SELECT date_trunc('hour', interval '1 day 02:45:00')
SELECT date_trunc('foo', timestamp '2026-05-17')
SELECT timestamp '2026-07-01 12:00' AT TIME ZONE 'Europe/Berlin', timestamptz '2026-07-01 12:00+00' AT TIME ZONE 'America/New_York'
SELECT timestamptz '2026-01-01 12:00+00' AT TIME ZONE 'UTC', timezone('Asia/Tokyo', timestamptz '2026-01-01 12:00+00')
SELECT created_at AT TIME ZONE 'Europe/Berlin' FROM raw.deals WHERE id < 4 ORDER BY id
SELECT date_trunc('day', created_at AT TIME ZONE 'America/New_York')::date AS day, count(*) FROM raw.deals GROUP BY 1 ORDER BY 1
SELECT timestamp '2026-01-01' AT TIME ZONE 'Nowhere/Land'
SELECT age(timestamp '2026-03-15', timestamp '2024-12-31'), age(date '2026-01-01', date '2026-01-31'), age(timestamp '2026-03-31', timestamp '2026-02-28')
SELECT make_date(2026, 2, 28), make_time(8, 15, 23.5), make_timestamp(2026, 7, 15, 8, 15, 23.5), make_interval(years => 1, days => 10), make_interval(1, 2, 0, 3, 4, 5, 6.5)
SELECT make_date(2026, 2, 30)
SELECT '2026-02-30'::date
SELECT '2026-01-31'::date, '20260131'::date, 'Jan 31, 2026'::date, '31 Jan 2026'::date, '2026/01/31'::date, '1/31/2026'::date
SELECT '2026-01-31 10:00'::timestamp, '2026-01-31T10:00:00Z'::timestamptz, '2026-01-31'::timestamp, '2026-01-31 10:00:00.123456'::timestamp(0)
SELECT 'yesterdayish'::date
SELECT date 'infinity', timestamp '-infinity'
SELECT 'today'::date = current_date, 'now'::timestamptz <= now()
SELECT current_date = now()::date, current_timestamp = now(), localtimestamp = now()::timestamp
SELECT timestamp '2026-01-31 10:00'::date, date '2026-01-31'::timestamp, timestamptz '2026-01-31 10:00+00'::date, timestamp '2026-01-31 10:20:30'::time
SELECT date '2026-01-31' = timestamp '2026-01-31', date '2026-01-31' < timestamptz '2026-01-31 00:00:01+00'
SELECT to_char(date '2026-05-07', 'YYYY-MM-DD'), to_char(date '2026-05-07', 'Day, DD Month YYYY'), to_char(date '2026-05-07', 'FMDay, FMDD FMMonth YYYY'), to_char(date '2026-05-07', 'Dy Mon D IW Q J')
SELECT to_char(timestamp '2026-05-07 14:05:09.5', 'HH12:MI:SS AM'), to_char(timestamp '2026-05-07 14:05:09.5', 'HH24:MI:SS.MS US'), to_char(timestamp '2026-05-07 14:05:09', '"Week" WW YY Y,YYY DDD th')
SELECT to_char(1234567.891, 'FM9,999,999.00'), to_char(1234.5, '9999.99'), to_char(-5, '999'), to_char(0.5, '0.00'), to_char(42, '00000'), to_char(12, 'FM999'), to_char(5, 'FM00')
SELECT to_char(0.256 * 100, 'FM990.0"%"'), to_char(485, 'RN'), to_char(1e6, '9.99EEEE')
SELECT to_char(interval '15 h 2 m 12 s', 'HH24:MI:SS'), to_char(1485.89, 'L9,999.99'), to_char(-12, '999MI'), to_char(-12, 'S999'), to_char(12, '999PR')
SELECT to_date('05 Dec 2026', 'DD Mon YYYY'), to_date('20260131', 'YYYYMMDD'), to_date('2026-31', 'YYYY-DDD')
SELECT to_timestamp('2026-01-31 10:11:12', 'YYYY-MM-DD HH24:MI:SS'), to_timestamp(1738317600), to_timestamp(1738317600.5)
SELECT to_number('12,454.8-', '99G999D9S'), to_number('1,234.56', '9,999.99'), to_number('$42', 'L99')
SELECT to_date('foo', 'YYYY-MM-DD')
SELECT (date '2026-01-01', date '2026-02-01') OVERLAPS (date '2026-01-15', date '2026-03-01'), (date '2026-01-01', interval '10 days') OVERLAPS (date '2026-02-01', date '2026-03-01')
SELECT justify_days(interval '35 days'), justify_hours(interval '27 hours'), justify_interval(interval '1 mon -1 hour')
SELECT id, closed_on - created_at::date FROM raw.deals ORDER BY id
SELECT id, closed_on + 30, closed_on - interval '1 month', age(closed_on, created_at::date) FROM raw.deals ORDER BY id
SELECT id, created_at, created_at::date, created_at::timestamp, extract(epoch FROM created_at) FROM raw.deals ORDER BY id
SELECT id FROM raw.deals WHERE closed_on BETWEEN '2026-01-01' AND '2026-03-31' ORDER BY id
SELECT id FROM raw.deals WHERE created_at >= '2026-01-01' AND created_at < timestamp '2026-02-01' ORDER BY id
SELECT id FROM raw.deals WHERE closed_on >= date_trunc('quarter', date '2026-05-05') - interval '3 months' AND closed_on < date_trunc('quarter', date '2026-05-05') ORDER BY id
SELECT id FROM raw.deals WHERE extract(month FROM closed_on) = 3 ORDER BY id
SELECT id, (closed_on - date '2026-01-01') / 7 FROM raw.deals ORDER BY id
SELECT id, extract(day FROM created_at - timestamptz '2025-01-01 00:00+00') FROM raw.deals WHERE id < 4 ORDER BY id
SELECT id, created_at - lag(created_at) OVER (ORDER BY id) FROM raw.deals WHERE id < 5 ORDER BY id
SELECT d::date FROM generate_series(date '2026-01-31', date '2026-04-30', interval '1 month') d ORDER BY 1
SELECT generate_series(timestamp '2026-01-01', timestamp '2026-01-02', interval '12 hours')
SELECT date_bin('15 minutes', timestamp '2026-02-11 15:44:17', timestamp '2001-01-01')
SELECT time '10:00' + interval '2 hours', time '10:00' - time '08:30', time '23:59:59.5'
SELECT time '10:00', '10:00:00'::time, timetz '10:00+02'
SELECT date_part('month', age(date '2026-05-01', date '2025-01-15'))
SELECT (date_trunc('month', date '2026-02-11') + interval '1 month' - interval '1 day')::date AS month_end
SELECT timestamptz '2026-03-29 00:30+00' + interval '1 day', timestamptz '2026-03-29 00:30+00' + interval '24 hours'
SELECT timestamp 'epoch' + 1738317600 * interval '1 second'
SELECT date '2026-01-01' + integer '7', integer '7' * 2, bigint '5', numeric '1.50', boolean 'true', text 'x', float8 '2.5'
SELECT clock_timestamp() >= now(), statement_timestamp() >= transaction_timestamp()
SELECT greatest(date '2026-01-01', date '2026-02-01'), least(closed_on, date '2026-01-20') FROM raw.deals WHERE id = 1
SELECT sum(closed_on) FROM raw.deals
SELECT date '2026-01-01' + date '2026-01-01'
SELECT min(created_at)::date, max(created_at) AT TIME ZONE 'UTC' FROM raw.deals
SELECT date_trunc('day', interval '3 days 04:05:06'), date_trunc('year', age('2026-05-06'::timestamp, '2020-01-01'::timestamp))
SELECT date_trunc('century', '2000-05-06'::timestamp), date_trunc('millennium', '2001-05-06 10:00+00'::timestamptz), date_trunc('decade', '1999-12-31 23:59'::timestamp)
SELECT make_timestamptz(2026, 7, 15, 8, 15, 23.5), make_timestamptz(2026, 7, 15, 8, 15, 23.5, 'Europe/Madrid')
SELECT make_time(25, 0, 0)
SELECT make_timestamp(2026, 2, 30, 0, 0, 0)
