-- What will be booked this year and in the next?
-- The layers are those of `demand.forecast_quarter`, added up by calendar year.
-- The trend of a year is what its ended quarters booked and the forecasts of the others. Its bounds
-- are the sums of theirs: right if all quarters miss to one side, else wider than 80 %.
--
-- grain: scope_type ('company', 'team'), scope_id, year, currency
-- unit: all amounts in currency
-- unit: closed_amount won so far; commit_amount closed and commit; best_amount commit, most likely
--   and best case; pipeline_amount all of the open deals of the year on top (cumulative roll-up)
-- unit: weighted_amount closed and open deals by probability, a deal at a time
-- unit: run_rate_amount closed over the elapsed share of the year; NULL before it begins
-- unit: trend_amount ended quarters and forecast ones, trend_lo_amount to trend_hi_amount its
--   interval
-- unit: trend_method method chosen for the quarters to come
-- unit: quota_amount sum of the sellers' quotas; gap_amount quota less weighted_amount, NULL unless
--   every quarter of the year has a quota
-- unit: quota_quarter_count quarters of the year that have a quota (count); with fewer than 4
--   quota_amount is that of a part of the year
WITH years AS (
    SELECT
        as_of,
        unnest(make_array(
            CAST(date_trunc('year', as_of) AS date),
            CAST(date_trunc('year', as_of) + INTERVAL '12 months' AS date)
        )) AS year_start
    FROM ops.as_of
    WHERE as_of IS NOT NULL
),
spans AS (
    SELECT
        as_of,
        year_start,
        CAST(year_start + INTERVAL '12 months' - INTERVAL '1 day' AS date) AS year_end
    FROM years
),
scopes AS (
    SELECT 'company' AS scope_type, 'company' AS scope_id, user_id FROM crm.users
    UNION ALL
    SELECT 'team', team, user_id FROM crm.users WHERE team IS NOT NULL
),
deals AS (
    SELECT
        owner_id,
        currency,
        CAST(date_trunc('year', close_date) AS date) AS year_start,
        'won' AS category,
        amount,
        amount AS weighted_amount
    FROM collect.closed_deals
    WHERE is_won
    UNION ALL
    SELECT
        owner_id,
        currency,
        CAST(date_trunc('year', close_date) AS date) AS year_start,
        coalesce(forecast_category, 'pipeline') AS category,
        amount,
        weighted_amount
    FROM collect.open_pipeline
),
layers AS (
    -- Both years for every scope and currency, also where nothing is known of one.
    SELECT
        s.scope_type,
        s.scope_id,
        d.currency,
        y.year_start,
        coalesce(sum(d.amount) FILTER (
            WHERE d.year_start = y.year_start AND d.category = 'won'
        ), CAST(0 AS decimal(18, 2))) AS closed_amount,
        coalesce(sum(d.amount) FILTER (
            WHERE d.year_start = y.year_start AND d.category IN ('commit', 'closed')
        ), CAST(0 AS decimal(18, 2))) AS commit_amount,
        coalesce(sum(d.amount) FILTER (
            WHERE d.year_start = y.year_start AND d.category IN ('most_likely', 'best_case')
        ), CAST(0 AS decimal(18, 2))) AS best_amount,
        coalesce(sum(d.amount) FILTER (
            WHERE d.year_start = y.year_start AND d.category NOT IN ('won', 'omitted')
        ), CAST(0 AS decimal(18, 2))) AS open_amount,
        coalesce(
            sum(d.weighted_amount) FILTER (WHERE d.year_start = y.year_start),
            CAST(0 AS decimal(18, 2))
        ) AS weighted_amount
    FROM deals d
    JOIN scopes s ON s.user_id = d.owner_id
    CROSS JOIN spans y
    GROUP BY s.scope_type, s.scope_id, d.currency, y.year_start
),
steps AS (
    -- Eight quarters reach the end of the next year from any day of this one.
    SELECT
        s.scope_type,
        s.scope_id,
        d.currency,
        unnest(forecast(
            d.close_date, CAST(d.amount AS double), 8, 'auto', 0.8, 4, 0, a.as_of, 'zero',
            'quarter', 'drop', 1, true
        )) AS step
    FROM collect.closed_deals d
    JOIN scopes s ON s.user_id = d.owner_id
    CROSS JOIN ops.as_of a
    WHERE d.is_won
    GROUP BY s.scope_type, s.scope_id, d.currency
),
quarters AS (
    -- Keys made anew: GROUP BY takes those of a group for unique even where unnest repeats them.
    SELECT
        concat(scope_type) AS scope_type,
        concat(scope_id) AS scope_id,
        concat(currency) AS currency,
        CAST(date_trunc('year', CAST(step['ds'] AS date)) AS date) AS year_start,
        -- Steps up to 0 are quarters that have ended.
        step['step'] > 0 AS is_ahead,
        step['yhat'] AS yhat,
        step['lo'] AS lo,
        step['hi'] AS hi,
        step['method'] AS method
    FROM steps
    WHERE step['ds'] IS NOT NULL
),
trend AS (
    -- A quarter to come without bounds leaves its year without.
    SELECT
        scope_type,
        scope_id,
        currency,
        year_start,
        sum(yhat) AS trend,
        CASE WHEN count(*) FILTER (WHERE is_ahead) = count(lo) THEN sum(coalesce(lo, yhat)) END
            AS trend_lo,
        CASE WHEN count(*) FILTER (WHERE is_ahead) = count(hi) THEN sum(coalesce(hi, yhat)) END
            AS trend_hi,
        max(method) FILTER (WHERE is_ahead) AS trend_method
    FROM quarters
    GROUP BY scope_type, scope_id, currency, year_start
),
goals AS (
    SELECT
        CAST(date_trunc('year', period_start) AS date) AS year_start,
        owner_id,
        unit AS currency,
        date_trunc('quarter', period_start) = date_trunc('quarter', period_end) AS is_short,
        max(CASE
            WHEN date_trunc('quarter', period_start) = date_trunc('quarter', period_end) THEN 1
            ELSE 0
        END) OVER (PARTITION BY date_trunc('year', period_start), owner_id, unit) AS has_short,
        date_part('quarter', period_start) AS first_quarter,
        date_part('quarter', period_end) AS last_quarter,
        CAST(goal AS double)
            * coalesce(prorate(period_start, period_end, active_from, active_to), 0) AS goal
    FROM reconcile.goals
    WHERE metric = 'bookings'
        AND quota_kind = 'individual'
        AND date_trunc('year', period_start) = date_trunc('year', period_end)
),
quotas AS (
    -- Goals of a quarter or less; longer ones only where a person has none such in the year.
    SELECT
        s.scope_type,
        s.scope_id,
        g.currency,
        g.year_start,
        sum(g.goal) AS quota,
        max(CASE WHEN g.first_quarter = 1 THEN 1 ELSE 0 END)
            + max(CASE WHEN g.first_quarter <= 2 AND g.last_quarter >= 2 THEN 1 ELSE 0 END)
            + max(CASE WHEN g.first_quarter <= 3 AND g.last_quarter >= 3 THEN 1 ELSE 0 END)
            + max(CASE WHEN g.last_quarter = 4 THEN 1 ELSE 0 END) AS quota_quarter_count
    FROM goals g
    JOIN scopes s ON s.user_id = g.owner_id
    WHERE g.is_short OR g.has_short = 0
    GROUP BY s.scope_type, s.scope_id, g.currency, g.year_start
),
joined AS (
    SELECT
        l.*,
        y.year_end,
        CAST(greatest(y.as_of - y.year_start + 1, 0) AS double) / (y.year_end - y.year_start + 1)
            AS elapsed_ratio,
        t.trend,
        t.trend_lo,
        t.trend_hi,
        t.trend_method,
        g.quota,
        coalesce(g.quota_quarter_count, 0) AS quota_quarter_count
    FROM layers l
    JOIN spans y ON y.year_start = l.year_start
    LEFT JOIN trend t ON t.scope_type = l.scope_type AND t.scope_id = l.scope_id
        AND t.currency = l.currency AND t.year_start = l.year_start
    LEFT JOIN quotas g ON g.scope_type = l.scope_type AND g.scope_id = l.scope_id
        AND g.currency = l.currency AND g.year_start = l.year_start
)
SELECT
    scope_type,
    scope_id,
    year_start,
    year_end,
    currency,
    closed_amount,
    closed_amount + commit_amount AS commit_amount,
    closed_amount + commit_amount + best_amount AS best_amount,
    closed_amount + open_amount AS pipeline_amount,
    weighted_amount,
    CAST(run_rate(CAST(closed_amount AS double), nullif(elapsed_ratio, 0)) AS decimal(18, 2))
        AS run_rate_amount,
    CAST(trend AS decimal(18, 2)) AS trend_amount,
    CAST(trend_lo AS decimal(18, 2)) AS trend_lo_amount,
    CAST(trend_hi AS decimal(18, 2)) AS trend_hi_amount,
    trend_method,
    CAST(quota AS decimal(18, 2)) AS quota_amount,
    CASE WHEN quota_quarter_count = 4
        THEN CAST(quota - CAST(weighted_amount AS double) AS decimal(18, 2))
    END AS gap_amount,
    quota_quarter_count
FROM joined
