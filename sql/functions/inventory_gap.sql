-- Which products will run out?
-- Demand is what has to be on the shelf at the end of the period: units of open deals by their
-- probability, all that close until then, and a safety stock. Supply is what is on hand and on order,
-- less what is promised, as last counted.
-- Safety stock is 1.645 (95 %) times the deviation of weekly units over the last 52 weeks times the
-- root of the lead time in weeks.
--
-- parameter: start date
-- parameter: end date
-- parameter: grain text = 'quarter' -- 'month' or 'quarter'
-- example: SELECT * FROM inventory_gap(DATE '2026-07-01', DATE '2026-12-31')
-- grain: period, product with a stock count
-- unit: demand, capacity, gap units; gap positive is a shortfall; gap_pct gap over demand (ratio)
-- unit: headcount, ramped_fte, productivity, attrition_loss, fte_short, hires_needed NULL: no people
-- unit: latest_start day to order by: the start of the period less the lead time
WITH today AS (
    SELECT as_of FROM ops.as_of
),
starts AS (
    SELECT CAST(unnest(generate_series(
        date_trunc($grain, CAST($start AS date)),
        CAST(CAST($end AS date) AS timestamp),
        CASE $grain WHEN 'month' THEN INTERVAL '1 month' ELSE INTERVAL '3 months' END
    )) AS date) AS period_start
),
periods AS (
    SELECT
        period_start,
        CAST(
            period_start
            + CASE $grain WHEN 'month' THEN INTERVAL '1 month' ELSE INTERVAL '3 months' END
            - INTERVAL '1 day' AS date
        ) AS period_end
    FROM starts
),
counted AS (
    SELECT
        i.product_id,
        i.on_hand + i.on_order - i.allocated AS available,
        i.lead_time_days,
        row_number() OVER (PARTITION BY i.product_id, i.location ORDER BY i.as_of DESC) AS place
    FROM crm.inventory i
    CROSS JOIN today t
    WHERE NOT i.is_deleted AND i.as_of <= t.as_of
),
stock AS (
    SELECT product_id, sum(available) AS available, max(lead_time_days) AS lead_time_days
    FROM counted
    WHERE place = 1
    GROUP BY product_id
),
weeks AS (
    SELECT
        l.product_id,
        (t.as_of - d.close_date) / 7 AS week,
        sum(l.quantity) AS units
    FROM collect.closed_deals d
    CROSS JOIN today t
    JOIN crm.opportunity_line_items l ON l.opportunity_id = d.opportunity_id AND NOT l.is_deleted
    WHERE d.is_won AND t.as_of - d.close_date < 364
    GROUP BY l.product_id, (t.as_of - d.close_date) / 7
),
spread AS (
    -- Weeks without a sale count with 0, hence 52 and not the number of rows.
    SELECT
        product_id,
        sqrt(greatest((sum(units * units) - sum(units) * sum(units) / 52) / 51, 0)) AS week_deviation
    FROM weeks
    GROUP BY product_id
),
expected AS (
    SELECT l.product_id, o.close_date, sum(l.quantity * o.probability_ratio) AS units
    FROM collect.open_pipeline o
    JOIN crm.opportunity_line_items l ON l.opportunity_id = o.opportunity_id AND NOT l.is_deleted
    GROUP BY l.product_id, o.close_date
),
joined AS (
    SELECT
        p.period_start,
        p.period_end,
        s.product_id,
        s.available,
        s.lead_time_days,
        coalesce(sum(e.units), 0)
            + 1.645 * coalesce(max(v.week_deviation), 0)
            * sqrt(coalesce(s.lead_time_days, 0) / 7) AS demand
    FROM periods p
    CROSS JOIN stock s
    LEFT JOIN spread v ON v.product_id = s.product_id
    LEFT JOIN expected e ON e.product_id = s.product_id AND e.close_date <= p.period_end
    GROUP BY p.period_start, p.period_end, s.product_id, s.available, s.lead_time_days
)
SELECT
    j.period_start,
    j.period_end,
    'inventory' AS resource_type,
    coalesce(d.name, j.product_id) AS segment,
    'units' AS unit,
    j.demand,
    CAST(NULL AS bigint) AS headcount,
    CAST(NULL AS double) AS ramped_fte,
    CAST(NULL AS double) AS productivity,
    CAST(NULL AS double) AS attrition_loss,
    j.available AS capacity,
    capacity_gap(j.demand, j.available) AS gap,
    capacity_gap(j.demand, j.available) / nullif(j.demand, 0) AS gap_pct,
    CAST(NULL AS double) AS fte_short,
    CAST(NULL AS bigint) AS hires_needed,
    CASE WHEN j.demand > j.available THEN
        CAST(
            j.period_start - CAST(coalesce(j.lead_time_days, 0) AS bigint) AS date
        )
    END AS latest_start,
    CASE WHEN j.demand > j.available THEN 'inventory' ELSE 'none' END AS constraint_kind
FROM joined j
LEFT JOIN crm.products d ON d.product_id = j.product_id
