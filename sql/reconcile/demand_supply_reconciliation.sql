-- Where does what we sell not match what we can deliver, and what would close the gap?
-- Demand and supply of a month side by side; money, hours and units stand in rows of their own.
-- Of goods both are what has to be, or is, on the shelf at the end of the month.
--
-- grain: month from that of as_of on, resource_type, segment, unit
-- unit: demand, supply, gap in `unit`: a currency, hours or units; gap positive is a shortfall
-- unit: gap_ratio gap over demand (ratio)
-- unit: option what closes the gap: hire, order, or none; NULL without a plan to compare with
-- unit: option_count people to have, or units to order (count); begin_on day by which to begin
-- unit: option_cost_amount cost of these people in the month, in cost_currency; NULL if not known,
--   and for goods, whose cost no table holds
WITH horizon AS (
    SELECT
        CAST(date_trunc('month', as_of) AS date) AS first_day,
        CAST(date_trunc('month', as_of) + INTERVAL '12 months' - INTERVAL '1 day' AS date)
            AS last_day
    FROM ops.as_of
),
gaps AS (
    SELECT
        month_start,
        month_end,
        role AS resource_type,
        segment,
        unit,
        demand,
        capacity,
        gap,
        'hire' AS remedy,
        need_count AS remedy_count,
        latest_start_on AS begin_on,
        cost_amount,
        cost_currency
    FROM supply.hiring_plan
    UNION ALL
    SELECT
        period_start,
        period_end,
        resource_type,
        segment,
        unit,
        demand,
        capacity,
        gap,
        'order',
        CAST(ceil(greatest(gap, 0)) AS bigint),
        latest_start,
        NULL,
        NULL
    FROM inventory_gap((SELECT first_day FROM horizon), (SELECT last_day FROM horizon), 'month')
)
SELECT
    month_start,
    month_end,
    resource_type,
    segment,
    unit,
    demand,
    capacity AS supply,
    gap,
    gap / nullif(demand, 0) AS gap_ratio,
    CASE WHEN gap > 0 THEN remedy WHEN gap <= 0 THEN 'none' END AS option,
    CASE WHEN gap IS NOT NULL THEN remedy_count END AS option_count,
    begin_on,
    CASE WHEN gap > 0 THEN cost_amount END AS option_cost_amount,
    CASE WHEN gap > 0 THEN cost_currency END AS cost_currency
FROM gaps
