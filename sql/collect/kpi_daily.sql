-- What did the company do on each day, by KPI?
-- Every day is there, from the first fact of a KPI until `as_of`, those without facts with 0. What was
-- opened, qualified or done counts on the day it was; deals won and lost on their close date.
--
-- grain: day, kpi, unit
-- unit: kpi 'bookings', 'deals_won', 'deals_lost', 'opps_created', 'leads_created', 'leads_qualified'
--   (by marketing), 'leads_accepted' (by sales), 'calls', 'emails', 'meetings', 'demos', 'proposals'
-- unit: kpi_value in `unit`: a currency for bookings, else 'count'
-- unit: unknown_count facts without an amount, which kpi_value does not contain (count); kpi_value is
--   NULL if no fact of the day has one
-- unit: target_value the day's share of the company's goal for the KPI, in unit; variance_ratio
--   kpi_value over target_value, less 1; NULL without a goal
-- unit: previous_value of the day before, week_before_value of seven days before, year_before_value of
--   the same day a year before; NULL before the first fact
-- unit: year_growth_ratio kpi_value over year_before_value, less 1; NULL if that is 0 (ratio)
WITH today AS (
    SELECT as_of FROM ops.as_of
),
facts AS (
    SELECT close_date AS day, 'bookings' AS kpi, currency AS unit, amount
    FROM collect.closed_deals
    WHERE is_won
    UNION ALL
    SELECT
        close_date,
        CASE WHEN is_won THEN 'deals_won' ELSE 'deals_lost' END,
        'count',
        CAST(1 AS decimal(18, 2))
    FROM collect.closed_deals
    UNION ALL
    SELECT CAST(created_at AS date), 'opps_created', 'count', CAST(1 AS decimal(18, 2))
    FROM crm.opportunities
    WHERE NOT is_deleted AND created_at IS NOT NULL
    UNION ALL
    SELECT CAST(created_at AS date), 'leads_created', 'count', CAST(1 AS decimal(18, 2))
    FROM crm.leads
    WHERE NOT is_deleted
    UNION ALL
    SELECT CAST(mql_at AS date), 'leads_qualified', 'count', CAST(1 AS decimal(18, 2))
    FROM crm.leads
    WHERE NOT is_deleted AND mql_at IS NOT NULL
    UNION ALL
    SELECT CAST(sql_at AS date), 'leads_accepted', 'count', CAST(1 AS decimal(18, 2))
    FROM crm.leads
    WHERE NOT is_deleted AND sql_at IS NOT NULL
    UNION ALL
    -- E-mails that came in are not ours.
    SELECT CAST(occurred_at AS date), concat(kind, 's'), 'count', CAST(1 AS decimal(18, 2))
    FROM crm.activities
    WHERE NOT is_deleted
        AND status = 'done'
        AND kind IN ('call', 'email', 'meeting', 'demo', 'proposal')
        AND (kind <> 'email' OR direction IS DISTINCT FROM 'in')
),
counted AS (
    SELECT
        f.day,
        f.kpi,
        f.unit,
        sum(f.amount) AS amount,
        count(*) - count(f.amount) AS unknown_count
    FROM facts f
    CROSS JOIN today t
    WHERE f.day <= t.as_of
    GROUP BY f.day, f.kpi, f.unit
),
kinds AS (
    SELECT kpi, unit, min(day) AS first_on FROM counted GROUP BY kpi, unit
),
bounds AS (
    SELECT min(c.day) AS first_on, max(t.as_of) AS last_on FROM counted c CROSS JOIN today t
),
calendar AS (
    SELECT CAST(unnest(generate_series(
        CAST(first_on AS timestamp), CAST(last_on AS timestamp), INTERVAL '1 day'
    )) AS date) AS day
    FROM bounds
),
days AS (
    SELECT
        c.day,
        k.kpi,
        k.unit,
        CASE
            WHEN n.day IS NULL THEN CAST(0 AS decimal(18, 2))
            ELSE CAST(n.amount AS decimal(18, 2))
        END AS kpi_value,
        coalesce(n.unknown_count, 0) AS unknown_count
    FROM kinds k
    JOIN calendar c ON c.day >= k.first_on
    LEFT JOIN counted n ON n.day = c.day AND n.kpi = k.kpi AND n.unit = k.unit
),
targets AS (
    SELECT metric, period_start, period_end, day_value
    FROM collect.target_periods
    WHERE scope_type = 'company' AND day_value IS NOT NULL
),
compared AS (
    SELECT
        d.*,
        lag(d.kpi_value) OVER (PARTITION BY d.kpi, d.unit ORDER BY d.day) AS previous_value,
        lag(d.kpi_value, 7) OVER (PARTITION BY d.kpi, d.unit ORDER BY d.day) AS week_before_value
    FROM days d
)
SELECT
    d.day,
    d.kpi,
    d.unit,
    d.kpi_value,
    d.unknown_count,
    g.day_value AS target_value,
    CAST(d.kpi_value AS double) / nullif(g.day_value, 0) - 1 AS variance_ratio,
    d.previous_value,
    d.week_before_value,
    y.kpi_value AS year_before_value,
    growth_rate(CAST(d.kpi_value AS double), CAST(y.kpi_value AS double)) AS year_growth_ratio
FROM compared d
LEFT JOIN days y
    -- 29 February has no day a year before.
    ON y.day = CAST(d.day - INTERVAL '12 months' AS date)
    AND NOT (date_part('month', d.day) = 2 AND date_part('day', d.day) = 29)
    AND y.kpi = d.kpi
    AND y.unit = d.unit
LEFT JOIN targets g
    ON g.metric = d.kpi
    AND d.day >= g.period_start
    AND d.day <= g.period_end
    AND (d.unit = 'count' OR d.unit = corporate_currency())
