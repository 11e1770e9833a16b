-- Can what we sell be delivered with the people we have?
-- Demand is the work that wins cause, `lag_days` after the win: won deals in full, open ones by their
-- probability. Deals nobody has opened yet cause none here, so far periods look too easy.
-- Supply is hours a workday times utilisation of everyone available; contractors count as delivery.
--
-- parameter: start date
-- parameter: end date
-- parameter: grain text = 'quarter' -- 'month' or 'quarter'
-- parameter: recruit_days int = 45 -- days from the decision to the first day
-- example: SELECT * FROM delivery_gap(DATE '2026-07-01', DATE '2026-12-31')
-- grain: period, resource_type ('delivery', 'support'), skill
-- unit: demand, capacity, gap hours; gap positive is a shortfall; gap_pct gap over demand (ratio)
-- unit: demand NULL where no delivery profile says what work a win causes
-- unit: headcount resources available on the first day (count); ramped_fte their share of the period
-- unit: productivity hours of one full-time person in the period
-- unit: attrition_loss NULL: resources are planned by their own end dates
-- unit: latest_start day by which hiring must begin to have people when the period starts
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
days AS (
    SELECT
        period_start,
        CAST(unnest(generate_series(
            CAST(period_start AS timestamp), CAST(period_end AS timestamp), INTERVAL '1 day'
        )) AS date) AS day
    FROM periods
),
workdays AS (
    -- Monday to Friday, unless the company's calendar says otherwise.
    SELECT d.period_start, d.day
    FROM days d
    LEFT JOIN crm.fiscal_calendar c ON c.date = d.day
    WHERE coalesce(c.is_workday, date_part('dow', d.day) BETWEEN 1 AND 5)
),
workday_counts AS (
    SELECT period_start, count(*) AS workday_count FROM workdays GROUP BY period_start
),
resources AS (
    SELECT
        CASE resource_type WHEN 'contractor' THEN 'delivery' ELSE resource_type END AS resource_type,
        coalesce(skill, 'all') AS skill,
        available_from,
        available_to,
        coalesce(hours_per_day, 8) AS hours_per_day,
        coalesce(utilisation, 1) AS utilisation
    FROM crm.capacity_resources
    WHERE resource_type IN ('delivery', 'support', 'contractor') AND NOT is_deleted
),
supply AS (
    SELECT
        w.period_start,
        r.resource_type,
        r.skill,
        count(*) AS person_days,
        sum(r.hours_per_day * r.utilisation) AS hours
    FROM workdays w
    JOIN resources r
        ON coalesce(r.available_from, w.day) <= w.day AND coalesce(r.available_to, w.day) >= w.day
    GROUP BY w.period_start, r.resource_type, r.skill
),
heads AS (
    SELECT p.period_start, r.resource_type, r.skill, count(*) AS headcount
    FROM periods p
    JOIN resources r
        ON coalesce(r.available_from, p.period_start) <= p.period_start
        AND coalesce(r.available_to, p.period_start) >= p.period_start
    GROUP BY p.period_start, r.resource_type, r.skill
),
sold AS (
    SELECT DISTINCT opportunity_id, product_id
    FROM crm.opportunity_line_items
    WHERE NOT is_deleted AND product_id IS NOT NULL
),
wins AS (
    SELECT opportunity_id, close_date, CAST(1 AS double) AS probability
    FROM collect.closed_deals
    WHERE is_won
    UNION ALL
    SELECT opportunity_id, close_date, probability_ratio AS probability FROM collect.open_pipeline
),
work AS (
    SELECT
        CAST(date_trunc($grain, w.close_date + coalesce(f.lag_days, 0)) AS date)
            AS period_start,
        f.resource_type,
        sum(w.probability * f.hours_per_win) AS hours
    FROM wins w
    JOIN sold s ON s.opportunity_id = w.opportunity_id
    JOIN crm.delivery_profile f ON f.product_id = s.product_id AND NOT f.is_deleted
    GROUP BY 1, f.resource_type
),
kinds AS (
    SELECT DISTINCT resource_type, skill FROM resources
),
profiled AS (
    SELECT DISTINCT resource_type FROM crm.delivery_profile WHERE NOT is_deleted
),
shares AS (
    -- Work is known by kind of resource only: the first skill of a kind carries it.
    SELECT
        resource_type,
        skill,
        row_number() OVER (PARTITION BY resource_type ORDER BY skill) AS place
    FROM kinds
),
joined AS (
    SELECT
        p.period_start,
        p.period_end,
        k.resource_type,
        k.skill,
        CASE WHEN k.place = 1 AND f.resource_type IS NOT NULL THEN coalesce(w.hours, 0) END AS demand,
        coalesce(h.headcount, 0) AS headcount,
        CAST(coalesce(s.person_days, 0) AS double) / nullif(c.workday_count, 0) AS fte,
        coalesce(s.hours, 0) AS capacity,
        s.hours / nullif(s.person_days, 0) * c.workday_count AS productivity
    FROM periods p
    CROSS JOIN shares k
    LEFT JOIN profiled f ON f.resource_type = k.resource_type
    LEFT JOIN workday_counts c ON c.period_start = p.period_start
    LEFT JOIN supply s ON s.period_start = p.period_start AND s.resource_type = k.resource_type
        AND s.skill = k.skill
    LEFT JOIN heads h ON h.period_start = p.period_start AND h.resource_type = k.resource_type
        AND h.skill = k.skill
    LEFT JOIN work w ON w.period_start = p.period_start AND w.resource_type = k.resource_type
)
SELECT
    period_start,
    period_end,
    resource_type,
    skill AS segment,
    'hours' AS unit,
    demand,
    headcount,
    fte AS ramped_fte,
    productivity,
    CAST(NULL AS double) AS attrition_loss,
    capacity,
    capacity_gap(demand, capacity) AS gap,
    capacity_gap(demand, capacity) / nullif(demand, 0) AS gap_pct,
    greatest(capacity_gap(demand, capacity), 0) / nullif(productivity, 0) AS fte_short,
    hires_needed(capacity_gap(demand, capacity), productivity, 1, 0) AS hires_needed,
    CASE WHEN demand > capacity THEN
        CAST(period_start - $recruit_days AS date)
    END AS latest_start,
    CASE WHEN demand IS NULL THEN NULL WHEN demand > capacity THEN 'people' ELSE 'none' END
        AS constraint_kind
FROM joined
