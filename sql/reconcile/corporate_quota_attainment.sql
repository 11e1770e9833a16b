-- Who reaches their bookings quota, quarter by quarter, all currencies in the corporate one?
-- Quotas, bookings and pipeline take the plan rate, that of the first day of the fiscal year: a
-- currency that moves makes nobody reach a quota. Bookings at the rates of their days are in
-- `demand.corporate_bookings_quarter`, which is therefore another number.
--
-- grain: scope_type ('rep', 'manager', 'territory', 'company'), quarter, scope_id
-- unit: effective_quota_amount, actual_amount, gap_amount, open_pipeline_amount in corporate_currency;
--   NULL if a part of them has no rate
-- unit: attainment_ratio actual over effective quota, of the sums (ratio)
-- unit: fx_on day of the rates; fx_basis 'plan'
-- unit: currency_count currencies of quota and bookings (count); more than 1 is a mixed total
-- unit: unconverted_currencies codes without a rate on that day, comma-separated
WITH years AS (
    SELECT date, min(date) OVER (PARTITION BY fiscal_year) AS starts_on
    FROM crm.fiscal_calendar
    WHERE NOT is_deleted
),
parts AS (
    SELECT
        q.scope_type,
        q.period_start,
        q.period_end,
        q.scope_id,
        q.name,
        q.unit,
        q.effective_quota,
        q.actual,
        q.open_pipeline,
        coalesce(y.starts_on, q.period_start) AS fx_on
    FROM reconcile.quota_attainment q
    LEFT JOIN years y ON y.date = q.period_start
),
rated AS (
    SELECT
        p.*,
        CASE WHEN p.unit = corporate_currency() THEN CAST(1 AS double) ELSE f.rate END AS rate
    FROM parts p
    LEFT JOIN ops.fx_rates f
        ON f.currency = p.unit
        AND p.fx_on >= f.valid_from
        AND (f.valid_to IS NULL OR p.fx_on < f.valid_to)
),
totals AS (
    SELECT
        scope_type,
        period_start,
        period_end,
        scope_id,
        max(name) AS name,
        max(fx_on) AS fx_on,
        count(*) AS currency_count,
        count(*) = count(rate) AS is_whole,
        sum(effective_quota * rate) AS quota,
        sum(actual * rate) AS actual,
        sum(open_pipeline * rate) AS open_pipeline,
        string_agg(DISTINCT unit, ', ' ORDER BY unit) FILTER (WHERE rate IS NULL)
            AS unconverted_currencies
    FROM rated
    GROUP BY scope_type, period_start, period_end, scope_id
)
SELECT
    scope_type,
    period_start AS quarter_start,
    period_end AS quarter_end,
    scope_id,
    name,
    corporate_currency() AS corporate_currency,
    CASE WHEN is_whole THEN CAST(quota AS decimal(18, 2)) END AS effective_quota_amount,
    CASE WHEN is_whole THEN CAST(actual AS decimal(18, 2)) END AS actual_amount,
    CASE WHEN is_whole THEN quota_attainment(actual, quota) END AS attainment_ratio,
    CASE WHEN is_whole THEN CAST(quota - actual AS decimal(18, 2)) END AS gap_amount,
    CASE WHEN is_whole THEN CAST(open_pipeline AS decimal(18, 2)) END AS open_pipeline_amount,
    fx_on,
    'plan' AS fx_basis,
    currency_count,
    unconverted_currencies
FROM totals
