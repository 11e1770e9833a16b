-- How good were the forecasts of quarters that are over, and did they get better as these ended?
-- A forecast is held against what the scope booked in the quarter: a person by the deals that they
-- and those below them own, a team by those of its people, the company by all. The newest forecast
-- of each week counts.
--
-- grain: scope_id, layer ('rep', 'manager', 'system', 'model'), category, weeks_out, currency
-- unit: weeks_out whole weeks from the forecast to the last day of the quarter (count)
-- unit: wape_ratio absolute misses over actuals, bias_ratio misses over actuals, above 0 too high
--   (ratios); NULL if nothing was booked
-- unit: quarter_count quarters compared (count); forecast_amount, actual_amount their sums, in
--   currency
-- unit: is_sandbagging true if forecasts were a tenth or more too low over 4 quarters or more; NULL
--   with fewer
WITH snapshots AS (
    SELECT
        s.scope_id,
        s.layer,
        s.category,
        s.currency,
        q.quarter_start,
        (q.quarter_end - s.as_of) / 7 AS weeks_out,
        s.amount,
        row_number() OVER (
            PARTITION BY s.scope_id, s.layer, s.category, s.currency, q.quarter_start,
                (q.quarter_end - s.as_of) / 7
            ORDER BY s.as_of DESC
        ) AS place
    FROM crm.forecast_snapshots s
    JOIN ops.quarters q
        ON q.quarter_start = s.period_start AND q.is_complete AND s.as_of <= q.quarter_end
    WHERE NOT s.is_deleted
),
scopes AS (
    SELECT ancestor_id AS scope_id, descendant_id AS user_id FROM crm.user_hierarchy
    UNION ALL
    SELECT team, user_id FROM crm.users WHERE team IS NOT NULL
    UNION ALL
    SELECT 'company', user_id FROM crm.users
),
actuals AS (
    SELECT s.scope_id, d.quarter_start, d.currency, sum(d.amount) AS amount
    FROM collect.closed_deals d
    JOIN scopes s ON s.user_id = d.owner_id
    WHERE d.is_won
    GROUP BY s.scope_id, d.quarter_start, d.currency
),
pairs AS (
    SELECT
        f.scope_id,
        f.layer,
        f.category,
        f.weeks_out,
        f.currency,
        f.amount AS forecast,
        coalesce(a.amount, CAST(0 AS decimal(18, 2))) AS actual
    FROM snapshots f
    LEFT JOIN actuals a
        ON a.scope_id = f.scope_id AND a.quarter_start = f.quarter_start AND a.currency = f.currency
    WHERE f.place = 1 AND f.currency IS NOT NULL
),
measured AS (
    SELECT
        scope_id,
        layer,
        category,
        weeks_out,
        currency,
        count(*) AS quarter_count,
        sum(forecast) AS forecast_amount,
        sum(actual) AS actual_amount,
        wape(CAST(actual AS double), CAST(forecast AS double)) AS wape_ratio,
        forecast_bias(CAST(actual AS double), CAST(forecast AS double)) AS bias_ratio
    FROM pairs
    GROUP BY scope_id, layer, category, weeks_out, currency
)
SELECT
    scope_id,
    layer,
    category,
    weeks_out,
    currency,
    quarter_count,
    forecast_amount,
    actual_amount,
    wape_ratio,
    bias_ratio,
    CASE WHEN quarter_count >= 4 THEN bias_ratio <= -0.1 END AS is_sandbagging
FROM measured
