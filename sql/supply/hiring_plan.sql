-- Whom must we hire, from when on, and what does it cost?
-- People who are missing in a month are counted as fully productive ones; hiring begins so early
-- that they are so when the month starts. A person hired for one month is there in the next ones
-- too: `hire_count` counts only those that are missing beyond all months before. Months in which
-- nobody is missing are there with 0, those without a plan with NULL.
--
-- grain: month from that of as_of on, role ('seller', 'delivery', 'support'), segment, unit
-- unit: demand, capacity, gap in `unit`: a currency or hours; gap positive is a shortfall
-- unit: fte_short full-time people missing (count); need_count whole people missing (count)
-- unit: hire_count people to hire for this month beyond those of the months before (count)
-- unit: latest_start_on day by which hiring must begin; NULL without a new hire
-- unit: ramped_by_on day on which they must be productive; is_late true if it is too late for that
-- unit: cost_amount paid hours of need_count people in the month at the mean rate of their kind, in
--   cost_currency; NULL if no rate is known, or in more than one currency
WITH horizon AS (
    SELECT
        CAST(date_trunc('month', as_of) AS date) AS first_day,
        CAST(date_trunc('month', as_of) + INTERVAL '12 months' - INTERVAL '1 day' AS date)
            AS last_day
    FROM ops.as_of
),
rates AS (
    SELECT
        CASE resource_type WHEN 'contractor' THEN 'delivery' ELSE resource_type END AS role,
        avg(CAST(cost_rate AS double) * coalesce(hours_per_day, 8)) AS day_cost,
        CASE WHEN count(DISTINCT currency) = 1 AND count(cost_rate) = count(currency)
            THEN max(currency)
        END AS currency
    FROM crm.capacity_resources
    WHERE NOT is_deleted AND cost_rate IS NOT NULL
    GROUP BY 1
),
missing AS (
    SELECT
        period_start,
        period_end,
        resource_type AS role,
        segment,
        unit,
        demand,
        capacity,
        gap,
        CASE WHEN demand IS NOT NULL THEN fte_short END AS fte_short,
        latest_start,
        CASE WHEN demand IS NOT NULL THEN CAST(ceil(fte_short) AS bigint) END AS need_count
    FROM capacity_gap(
        'base', (SELECT first_day FROM horizon), (SELECT last_day FROM horizon), 'month'
    )
    WHERE resource_type IN ('seller', 'delivery', 'support')
),
running AS (
    SELECT
        *,
        coalesce(max(need_count) OVER (
            PARTITION BY role, segment, unit ORDER BY period_start
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ), 0) AS hired_before
    FROM missing
)
SELECT
    r.period_start AS month_start,
    r.period_end AS month_end,
    r.role,
    r.segment,
    r.unit,
    r.demand,
    r.capacity,
    r.gap,
    r.fte_short,
    r.need_count,
    CASE WHEN r.need_count IS NOT NULL THEN greatest(r.need_count - r.hired_before, 0) END
        AS hire_count,
    CASE WHEN r.need_count > r.hired_before THEN r.latest_start END AS latest_start_on,
    CASE WHEN r.need_count > r.hired_before THEN r.period_start END AS ramped_by_on,
    CASE WHEN r.need_count > r.hired_before THEN r.latest_start <= a.as_of END AS is_late,
    CASE WHEN c.currency IS NOT NULL THEN
        CAST(
            r.need_count * c.day_cost * workdays(r.period_start, r.period_end) AS decimal(18, 2)
        )
    END AS cost_amount,
    c.currency AS cost_currency
FROM running r
CROSS JOIN ops.as_of a
LEFT JOIN rates c ON c.role = r.role
