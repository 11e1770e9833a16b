-- How many hours of work do our wins bring, month by month?
-- Work comes `lag_days` after the win: that of won deals is committed, that of open ones expected,
-- each by its probability. Deals nobody has opened yet bring none here, so far months look too
-- easy. The total of a kind of work is the demand of `FROM delivery_gap(start, end, 'month')`.
--
-- grain: month, resource_type of a delivery profile
-- unit: committed_hours, expected_hours, total_hours hours
-- unit: deal_count deals that bring work in the month (count)
WITH months AS (
    SELECT CAST(unnest(generate_series(
        date_trunc('month', as_of),
        date_trunc('month', as_of) + INTERVAL '11 months',
        INTERVAL '1 month'
    )) AS date) AS month_start
    FROM ops.as_of
    WHERE as_of IS NOT NULL
),
kinds AS (
    SELECT DISTINCT resource_type FROM crm.delivery_profile WHERE NOT is_deleted
),
sold AS (
    SELECT DISTINCT opportunity_id, product_id
    FROM crm.opportunity_line_items
    WHERE NOT is_deleted AND product_id IS NOT NULL
),
wins AS (
    SELECT opportunity_id, close_date, CAST(1 AS double) AS committed, CAST(0 AS double) AS expected
    FROM collect.closed_deals
    WHERE is_won
    UNION ALL
    SELECT opportunity_id, close_date, CAST(0 AS double), probability_ratio
    FROM collect.open_pipeline
),
work AS (
    SELECT
        CAST(date_trunc('month', w.close_date + coalesce(f.lag_days, 0)) AS date) AS month_start,
        f.resource_type,
        sum(w.committed * f.hours_per_win) AS committed_hours,
        sum(w.expected * f.hours_per_win) AS expected_hours,
        count(DISTINCT w.opportunity_id) AS deal_count
    FROM wins w
    JOIN sold s ON s.opportunity_id = w.opportunity_id
    JOIN crm.delivery_profile f ON f.product_id = s.product_id AND NOT f.is_deleted
    GROUP BY 1, f.resource_type
)
SELECT
    m.month_start,
    CAST(m.month_start + INTERVAL '1 month' - INTERVAL '1 day' AS date) AS month_end,
    k.resource_type,
    coalesce(w.committed_hours, 0) AS committed_hours,
    coalesce(w.expected_hours, 0) AS expected_hours,
    coalesce(w.committed_hours + w.expected_hours, 0) AS total_hours,
    coalesce(w.deal_count, 0) AS deal_count
FROM months m
CROSS JOIN kinds k
LEFT JOIN work w ON w.month_start = m.month_start AND w.resource_type = k.resource_type
