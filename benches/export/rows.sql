-- Deals as a CRM exports them: 12 columns, some NULLs, widths as they are in practice.
CREATE TABLE deals AS
SELECT
    '006' || lpad(upper(to_hex(n * 2654435761 % 4294967296)), 15, '0') AS deal_id,
    '001' || lpad(upper(to_hex(n % 50000)), 15, '0') AS account_id,
    n::int8 AS number,
    'Renewal of ' || (n % 9973) || ' seats, ' || (ARRAY['EMEA', 'AMER', 'APAC'])[(1 + n % 3)::int] AS name,
    (ARRAY['Prospecting', 'Qualification', 'Proposal', 'Negotiation', 'Closed Won', 'Closed Lost'])[(1 + n % 6)::int]
        AS stage,
    (ARRAY['Ana Souza', 'Bo Li', 'Chidi Okafor', 'Dana Cohen', NULL])[(1 + n % 5)::int] AS owner,
    CASE WHEN n % 17 = 0 THEN NULL ELSE (n * 7919 % 50000000)::numeric(18, 2) / 100 END::numeric(18, 2) AS amount,
    (n % 101)::numeric(18, 2) / 100 AS probability,
    DATE '2019-01-01' + (n % 2500)::int AS created_on,
    DATE '2019-03-01' + (n * 31 % 2800)::int AS close_on,
    TIMESTAMPTZ '2019-01-01 00:00:00+00' + (n * 211) * INTERVAL '1 second' AS created_at,
    TIMESTAMPTZ '2019-01-01 00:00:00+00' + (n * 211.123457) * INTERVAL '1 second' AS updated_at
FROM generate_series(1::int8, :rows) AS series (n);
ALTER TABLE deals ALTER COLUMN probability TYPE numeric(18, 2);
