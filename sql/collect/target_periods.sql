-- Which goals are set for the company, its teams and people, and for which days?
-- A goal holds from its first day until the next one of its kind begins; the last one for as many months
-- as the one before it. The only one of its kind has no end, and no day's share can be told.
--
-- grain: metric, scope, first day
-- unit: metric the KPI, such as bookings, deals_won, calls, as in `collect.kpi_daily`
-- unit: target_value goal of the whole period, in the unit of the metric; money is taken to be in the
--   corporate currency, as targets name none
-- unit: period_start, period_end days, both inclusive; day_count days of the period (count)
-- unit: day_value target_value over day_count
WITH ordered AS (
    SELECT
        metric,
        scope_type,
        scope_id,
        period_start,
        value,
        lead(period_start) OVER (PARTITION BY metric, scope_type, scope_id ORDER BY period_start)
            AS next_start,
        lag(period_start) OVER (PARTITION BY metric, scope_type, scope_id ORDER BY period_start)
            AS start_before
    FROM crm.targets
    WHERE NOT is_deleted
),
bounded AS (
    SELECT
        *,
        CASE
            WHEN next_start IS NOT NULL THEN CAST(next_start - INTERVAL '1 day' AS date)
            WHEN date_part('day', period_start) = date_part('day', start_before) THEN CAST(
                period_start + CAST(concat(
                    (date_part('year', period_start) - date_part('year', start_before)) * 12
                    + date_part('month', period_start) - date_part('month', start_before),
                    ' months'
                ) AS interval) - INTERVAL '1 day' AS date
            )
            ELSE period_start + (period_start - start_before) - 1
        END AS period_end
    FROM ordered
)
SELECT
    metric,
    scope_type,
    scope_id,
    period_start,
    period_end,
    period_end - period_start + 1 AS day_count,
    value AS target_value,
    value / (period_end - period_start + 1) AS day_value
FROM bounded
