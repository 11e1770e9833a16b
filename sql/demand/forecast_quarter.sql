-- What will be booked this quarter and in the three after it?
-- Three answers side by side: what sellers say (commit, best case), what the pipeline weighs, and
-- what the history of quarters foretells; `quota` says what was promised.
-- The running quarter is no history yet: the series ends with the last one that is over.
--
-- grain: scope_type ('company', 'team'), scope_id, quarter, currency
-- unit: all amounts in currency
-- unit: closed_amount won so far; commit_amount closed and commit; best_amount commit, most likely
--   and best case; pipeline_amount all of the open deals of the quarter on top (cumulative roll-up)
-- unit: weighted_amount closed and open deals by probability, a deal at a time
-- unit: run_rate_amount closed over the elapsed share of the quarter; NULL before it begins
-- unit: trend_amount forecast from past quarters, trend_lo_amount to trend_hi_amount its 80 % interval
-- unit: trend_method method chosen, history_count quarters it had
-- unit: quota_amount sum of the sellers' quotas; gap_amount quota less weighted_amount
WITH scopes AS (
    SELECT 'company' AS scope_type, 'company' AS scope_id, user_id FROM crm.users
    UNION ALL
    SELECT 'team', team, user_id FROM crm.users WHERE team IS NOT NULL
),
history AS (
    SELECT s.scope_type, s.scope_id, d.currency, d.quarter_start, sum(d.amount) AS booked_amount
    FROM collect.closed_deals d
    JOIN scopes s ON s.user_id = d.owner_id
    WHERE d.is_won
    GROUP BY s.scope_type, s.scope_id, d.currency, d.quarter_start
),
first_quarters AS (
    SELECT scope_type, scope_id, currency, min(quarter_start) AS first_start
    FROM history
    GROUP BY scope_type, scope_id, currency
),
series AS (
    SELECT
        f.scope_type,
        f.scope_id,
        f.currency,
        q.quarter_start,
        coalesce(CAST(h.booked_amount AS double), 0.0) AS booked
    FROM ops.quarters q
    JOIN first_quarters f ON q.quarter_start >= f.first_start
    LEFT JOIN history h
        ON h.scope_type = f.scope_type
        AND h.scope_id = f.scope_id
        AND h.currency = f.currency
        AND h.quarter_start = q.quarter_start
    WHERE q.is_complete
),
steps AS (
    SELECT
        scope_type,
        scope_id,
        currency,
        count(*) AS history_count,
        unnest(forecast(quarter_start, booked, 4, 'auto', 0.8, 4)) AS step
    FROM series
    GROUP BY scope_type, scope_id, currency
),
trend AS (
    SELECT
        scope_type,
        scope_id,
        currency,
        history_count,
        CAST(step['ds'] AS date) AS quarter_start,
        step['yhat'] AS trend,
        step['lo'] AS trend_lo,
        step['hi'] AS trend_hi,
        step['method'] AS trend_method
    FROM steps
),
pipeline AS (
    SELECT
        s.scope_type,
        s.scope_id,
        o.currency,
        CAST(date_trunc('quarter', o.close_date) AS date) AS quarter_start,
        sum(o.amount) FILTER (WHERE o.forecast_category IN ('commit', 'closed')) AS commit_amount,
        sum(o.amount) FILTER (WHERE o.forecast_category IN ('most_likely', 'best_case')) AS best_amount,
        sum(o.amount) FILTER (WHERE o.forecast_category IS DISTINCT FROM 'omitted') AS open_amount,
        sum(o.weighted_amount) AS weighted_amount
    FROM collect.open_pipeline o
    JOIN scopes s ON s.user_id = o.owner_id
    GROUP BY s.scope_type, s.scope_id, o.currency, CAST(date_trunc('quarter', o.close_date) AS date)
),
quotas AS (
    SELECT s.scope_type, s.scope_id, g.unit AS currency, q.quarter_start,
        sum(
            CAST(g.goal AS double)
            * coalesce(prorate(g.period_start, g.period_end, g.active_from, g.active_to), 0.0)
        ) AS quota
    FROM reconcile.goals g
    JOIN ops.quarters q ON g.period_start >= q.quarter_start AND g.period_end <= q.quarter_end
    JOIN scopes s ON s.user_id = g.owner_id
    WHERE g.metric = 'bookings' AND g.quota_kind = 'individual'
    GROUP BY s.scope_type, s.scope_id, g.unit, q.quarter_start
),
keys AS (
    SELECT scope_type, scope_id, currency FROM first_quarters
    UNION
    SELECT scope_type, scope_id, currency FROM pipeline
),
joined AS (
    SELECT
        k.scope_type,
        k.scope_id,
        k.currency,
        q.quarter_start,
        q.quarter_end,
        q.elapsed_ratio,
        coalesce(h.booked_amount, CAST(0 AS decimal(18, 2))) AS closed_amount,
        coalesce(p.commit_amount, CAST(0 AS decimal(18, 2))) AS commit_amount,
        coalesce(p.best_amount, CAST(0 AS decimal(18, 2))) AS best_amount,
        coalesce(p.open_amount, CAST(0 AS decimal(18, 2))) AS open_amount,
        coalesce(p.weighted_amount, CAST(0 AS decimal(18, 2))) AS weighted_amount,
        t.trend,
        t.trend_lo,
        t.trend_hi,
        t.trend_method,
        t.history_count,
        g.quota
    FROM keys k
    CROSS JOIN ops.quarters q
    LEFT JOIN history h ON h.scope_type = k.scope_type AND h.scope_id = k.scope_id
        AND h.currency = k.currency AND h.quarter_start = q.quarter_start
    LEFT JOIN pipeline p ON p.scope_type = k.scope_type AND p.scope_id = k.scope_id
        AND p.currency = k.currency AND p.quarter_start = q.quarter_start
    LEFT JOIN trend t ON t.scope_type = k.scope_type AND t.scope_id = k.scope_id
        AND t.currency = k.currency AND t.quarter_start = q.quarter_start
    LEFT JOIN quotas g ON g.scope_type = k.scope_type AND g.scope_id = k.scope_id
        AND g.currency = k.currency AND g.quarter_start = q.quarter_start
    -- The quarter of as_of and the three after it; on a quarter's last day, it and the four after.
    WHERE q.quarter_end >= q.as_of AND (t.quarter_start IS NOT NULL OR q.quarter_start <= q.as_of + INTERVAL '9 months')
)
SELECT
    scope_type,
    scope_id,
    quarter_start,
    quarter_end,
    currency,
    closed_amount,
    closed_amount + commit_amount AS commit_amount,
    closed_amount + commit_amount + best_amount AS best_amount,
    closed_amount + open_amount AS pipeline_amount,
    closed_amount + weighted_amount AS weighted_amount,
    CAST(run_rate(CAST(closed_amount AS double), nullif(elapsed_ratio, 0.0)) AS decimal(18, 2))
        AS run_rate_amount,
    CAST(trend AS decimal(18, 2)) AS trend_amount,
    CAST(trend_lo AS decimal(18, 2)) AS trend_lo_amount,
    CAST(trend_hi AS decimal(18, 2)) AS trend_hi_amount,
    trend_method,
    history_count,
    CAST(quota AS decimal(18, 2)) AS quota_amount,
    CAST(quota - CAST(closed_amount + weighted_amount AS double) AS decimal(18, 2)) AS gap_amount
FROM joined
