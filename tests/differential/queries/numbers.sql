-- Integers, numerics and floats: division, scale, rounding, overflow.
SELECT 7 / 2, -7 / 2, 7 % 3, -7 % 3, 7 % -3
SELECT 7.0 / 2, 1.0 / 3, 2.0 / 3, 100.0 / 3, 10000.0 / 3
SELECT 1 / 3.0, 1.00 * 2.000, 1.5 + 2.25, 3.75 - 1
SELECT 100.0 * 3 / 7
SELECT 5 / 2.0 AS half, 5.00 / 2 AS other
SELECT 0.05 * 3, 0.1 + 0.2, 0.1 + 0.2 = 0.3
SELECT 10 % 3.5, -10.5 % 3
SELECT 1 / 0
SELECT 1.0 / 0
SELECT 1::float8 / 0
SELECT 5 % 0
SELECT 2147483647 + 1
SELECT 9223372036854775807 + 1
SELECT 2147483648, 9223372036854775808
SELECT 300::int2 * 300::int2
SELECT 40000::int2
SELECT 3000000000::int4
SELECT 1e20::int8
SELECT 2.5::int, 3.5::int, -2.5::int, 0.5::int
SELECT 2.5::float8::int, 3.5::float8::int, -2.5::float8::int, 0.5::float8::int
SELECT round(2.5), round(-2.5), round(3.5), round(0.5)
SELECT round(2.5::float8), round(3.5::float8), round(-2.5::float8)
SELECT round(123.456, 2), round(123.456, 0), round(123.456, -2), round(1234, -2)
SELECT round(1.005, 2), round(2.345, 2), round(-1.235, 2)
SELECT trunc(2.9), trunc(-2.9), trunc(123.456, 1), trunc(123.456, -1)
SELECT trunc(2.9::float8), trunc(-2.9::float8)
SELECT ceil(2.1), floor(-2.1), ceil(2.1::float8), floor(2::int8)
SELECT ceiling(1.5), sign(-3), sign(2.5), sign(-1.5::float8)
SELECT abs(-5), abs(-5.50), abs(-5::float8), abs(-5::int8)
SELECT power(2, 10), power(2.0, 10), 2 ^ 10, 2.0 ^ 3
SELECT power(2::float8, 0.5), sqrt(16), sqrt(2::float8), cbrt(27)
SELECT sqrt(2.0), sqrt(16.0)
SELECT ln(10::float8), log(100::float8), exp(1::float8)
SELECT ln(10.0), log(100.0), exp(1.0)
SELECT log(2.0, 64.0)
SELECT sqrt(-1)
SELECT ln(0::float8)
SELECT mod(10, 3), mod(-10, 3), mod(10.5, 3), div(10, 3), div(-7.5, 2)
SELECT gcd(12, 18), lcm(4, 6), factorial(5)
SELECT width_bucket(5.35, 0.024, 10.06, 5), width_bucket(5, 0, 10, 5)
SELECT greatest(1, 2, NULL), least(3, NULL, 1), greatest(1, 2.5), least(NULL, NULL)
SELECT pi(), radians(180), degrees(pi())
SELECT sin(0.5), cos(0.5), tan(0.5), atan2(1, 2)
SELECT 1.10::numeric, 1.1::numeric(10,4), 123.456::numeric(6,1)
SELECT 1234.5::numeric(4,1)
SELECT '12.50'::numeric, '  7 '::int, '1e3'::float8
SELECT 'abc'::int
SELECT '12.5'::int
SELECT ''::numeric
SELECT 1::float4 / 3, 1::float8 / 3, 0.1::float4
SELECT 1e10, 1.5e3, 1e-5
SELECT 1e15::float8, 1e16::float8, 123456789.123::float8, 1e-5::float8, 0.0001::float8
SELECT 'NaN'::float8, 'Infinity'::float8, '-inf'::float8
SELECT -0.0::float8, 0::float8 * -1
SELECT 5 & 3, 5 | 3, 5 # 3, ~5, 1 << 4, 256 >> 2
SELECT @ -5, |/ 25, ||/ 27
SELECT -(-5), +5, - 5.5
SELECT 1::bool, 0::bool, true::int, false::int
SELECT 'yes'::bool, 'off'::bool, 't'::bool, 'n'::boolean, '1'::bool
SELECT 'maybe'::bool
SELECT n / 2, n % 2, n * 1.5, n / 2.0 FROM raw.numbers WHERE n < 5 ORDER BY n
SELECT n, m / 3 FROM raw.numbers WHERE n > 0 ORDER BY n
SELECT n, m * 1.1, m * m, m + 1, m - 0.001 FROM raw.numbers ORDER BY n
SELECT n, round(m, 1), trunc(m), ceil(m), floor(m), abs(m) FROM raw.numbers ORDER BY n
SELECT n, x::int FROM raw.numbers WHERE n BETWEEN 1 AND 5 ORDER BY n
SELECT n, round(x), x * 2, x / 4 FROM raw.numbers ORDER BY n
SELECT n, m::int, m::float8, x::numeric FROM raw.numbers WHERE n < 6 ORDER BY n
SELECT x::int FROM raw.numbers WHERE n = 6
SELECT id, amount / NULLIF(seats, 0) FROM raw.deals ORDER BY id
SELECT id, amount * probability FROM raw.deals ORDER BY id
SELECT id, round((amount * probability)::numeric, 2) FROM raw.deals ORDER BY id
SELECT id, seats / 2, seats % 4, seats * 2.5 FROM raw.deals ORDER BY id
SELECT id, amount / 7 / 3 FROM raw.deals ORDER BY id
SELECT round(100.0 * count(*) FILTER (WHERE is_won) / count(*), 1) FROM raw.deals
SELECT sum(amount) FILTER (WHERE is_won) / sum(amount) FROM raw.deals
SELECT to_hex(255), to_hex(-1), to_hex(4294967296)
SELECT 10::int8 / 3::int4, 10::int2 + 1::int8, 1::int2 + 1::int2, 1::float4 + 1::float8
SELECT 1 + 1.5::float8, 1.5 + 1.5::float8, 1::int8 + 1.5
SELECT 1 = 1.0, 1 < 1.5, 2.0 = 2.00
SELECT random() < 1, random() >= 0
SELECT coalesce(NULL, 1, 2.5), nullif(1, 1), nullif(1.5, 2)
SELECT CASE WHEN true THEN 1 ELSE 2.5 END, CASE 1 WHEN 1 THEN 'one' END
SELECT min_scale(8.4100), scale(8.4100), trim_scale(8.4100)
SELECT pg_typeof(1), pg_typeof(1.5), pg_typeof('a'), pg_typeof(1::int8), pg_typeof(NULL)
SELECT pg_typeof(now()), pg_typeof(current_date), pg_typeof(1 = 1), pg_typeof(ARRAY[1])
SELECT 0x1F
SELECT 1_000
SELECT 123::text, 1.50::text, true::text, 1.5::float8::text
SELECT isfinite(date '2024-01-01'), 1.0::float8 IS NULL
SELECT 1.0e0/29 = 1/29::float8, 1.0e0/29 = 1::float8/29, 0.1 = 0.1::float8, 1e0/3
SELECT min_scale(8.4100), scale(8.4100), trim_scale(8.4100), trim_scale(amount), sign(amount), sign(seats) FROM raw.deals WHERE id = 1
SELECT amount::float8, (amount * 1000000000000)::float8 / 7 FROM raw.deals WHERE id < 5 ORDER BY id
