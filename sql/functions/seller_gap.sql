-- Can the sellers on board reach the plan, and if not, how many are missing?
-- Capacity is what a ramped seller books (measured over the year until `as_of`, by segment) times
-- the ramped sellers of the period, less the share that leaves. Demand is the plan: the quota of kind
-- 'plan', shared out by the sellers' quotas; without one the sum of those quotas.
--
-- parameter: start date
-- parameter: end date
-- parameter: grain text = 'quarter' -- 'month' or 'quarter'
-- parameter: ramp list = make_array(0.25, 0.5, 0.75, 1) -- productivity by month after hiring
-- parameter: recruit_days int = 45 -- days from the decision to the first day
-- example: SELECT * FROM seller_gap(DATE '2026-07-01', DATE '2026-12-31')
-- grain: period, segment, currency
-- unit: demand, productivity, attrition_loss, capacity, gap in `unit`, a currency
-- unit: gap positive is a shortfall; gap_pct gap over demand (ratio); NULL without a plan
-- unit: headcount people on the first day (count); ramped_fte full-time sellers' worth (count)
-- unit: productivity bookings of one ramped full-time seller in one period
-- unit: latest_start day by which hiring must begin to be ramped when the period starts
WITH today AS (
    SELECT
        as_of,
        CAST(as_of - INTERVAL '364 days' AS date) AS year_start,
        CAST(CASE $grain WHEN 'month' THEN 12 ELSE 4 END AS double) AS periods_year
    FROM ops.as_of
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
        s.period_start,
        CAST(
            s.period_start
            + CASE $grain WHEN 'month' THEN INTERVAL '1 month' ELSE INTERVAL '3 months' END
            - INTERVAL '1 day' AS date
        ) AS period_end,
        t.as_of,
        t.periods_year
    FROM starts s
    CROSS JOIN today t
),
sellers AS (
    -- Those who carry a quota or own deals, and the hires that are planned.
    SELECT
        u.user_id,
        coalesce(u.segment, 'all') AS segment,
        u.hire_date,
        u.termination_date,
        coalesce(u.fte, 1) AS fte
    FROM crm.users u
    LEFT JOIN (
        SELECT DISTINCT owner_id FROM reconcile.goals
        WHERE metric = 'bookings' AND quota_kind = 'individual'
    ) g ON g.owner_id = u.user_id
    LEFT JOIN (SELECT DISTINCT owner_id FROM collect.closed_deals) d ON d.owner_id = u.user_id
    WHERE NOT u.is_deleted
        AND coalesce(u.role, 'ae') IN ('ae', 'am')
        AND (g.owner_id IS NOT NULL OR d.owner_id IS NOT NULL)
    UNION ALL
    SELECT resource_id, coalesce(skill, 'all'), available_from, available_to, 1
    FROM crm.capacity_resources
    WHERE resource_type = 'seller' AND coalesce(is_planned, false) AND NOT is_deleted
),
past AS (
    -- Full-time sellers' worth over the last year.
    SELECT
        s.segment,
        sum(ramped_fte(s.hire_date, s.termination_date, t.year_start, t.as_of, $ramp, s.fte)) AS fte_year,
        count(*) FILTER (
            WHERE coalesce(s.hire_date, t.year_start) <= t.as_of
                AND coalesce(s.termination_date, t.as_of) >= t.year_start
        ) AS employed_count,
        count(*) FILTER (
            WHERE s.termination_date >= t.year_start AND s.termination_date <= t.as_of
        ) AS leaver_count
    FROM sellers s
    CROSS JOIN today t
    GROUP BY s.segment
),
booked AS (
    SELECT s.segment, b.currency, sum(CAST(b.credited_amount AS double)) AS booked
    FROM collect.bookings b
    JOIN sellers s ON s.user_id = b.user_id
    CROSS JOIN today t
    WHERE b.split_type = 'revenue' AND b.close_date >= t.year_start
    GROUP BY s.segment, b.currency
),
productivity AS (
    SELECT
        b.segment,
        b.currency,
        b.booked / nullif(p.fte_year, 0) / t.periods_year AS productivity,
        CAST(p.leaver_count AS double) / nullif(p.employed_count, 0) / t.periods_year AS attrition
    FROM booked b
    JOIN past p ON p.segment = b.segment
    CROSS JOIN today t
),
seats AS (
    SELECT
        p.period_start,
        s.segment,
        sum(CASE
            WHEN coalesce(s.hire_date, p.period_start) <= p.period_start
                AND coalesce(s.termination_date, p.period_start) >= p.period_start
                THEN 1 ELSE 0
        END) AS headcount,
        sum(ramped_fte(s.hire_date, s.termination_date, p.period_start, p.period_end, $ramp, s.fte))
            AS ramped_fte
    FROM periods p
    CROSS JOIN sellers s
    GROUP BY p.period_start, s.segment
),
goals AS (
    -- Goals by the days that fall into the period, so that quarters can be cut into months.
    SELECT
        p.period_start,
        coalesce(u.segment, 'all') AS segment,
        g.unit AS currency,
        g.quota_kind,
        sum(
            CAST(g.goal AS double)
            * (least(g.period_end, p.period_end) - greatest(g.period_start, p.period_start) + 1)
            / (g.period_end - g.period_start + 1)
            * CASE g.quota_kind
                WHEN 'plan' THEN 1
                ELSE coalesce(prorate(g.period_start, g.period_end, g.active_from, g.active_to), 0)
            END
        ) AS goal
    FROM reconcile.goals g
    JOIN periods p ON g.period_start <= p.period_end AND g.period_end >= p.period_start
    LEFT JOIN crm.users u ON u.user_id = g.owner_id
    WHERE g.metric = 'bookings' AND g.quota_kind IN ('individual', 'plan')
    GROUP BY p.period_start, coalesce(u.segment, 'all'), g.unit, g.quota_kind
),
plans AS (
    SELECT period_start, currency, sum(goal) AS plan
    FROM goals
    WHERE quota_kind = 'plan'
    GROUP BY period_start, currency
),
demands AS (
    SELECT
        g.period_start,
        g.segment,
        g.currency,
        g.goal * coalesce(p.plan / nullif(sum(g.goal) OVER (PARTITION BY g.period_start, g.currency), 0), 1)
            AS demand
    FROM goals g
    LEFT JOIN plans p ON p.period_start = g.period_start AND p.currency = g.currency
    WHERE g.quota_kind = 'individual'
),
pipeline AS (
    -- What the deals in sight can bring, and those opened and won within one period as a rule.
    SELECT segment, currency, period_start, sum(expected) AS expected
    FROM (
        SELECT s.segment, o.currency, CAST(date_trunc($grain, o.close_date) AS date) AS period_start,
            CAST(o.weighted_amount AS double) AS expected
        FROM collect.open_pipeline o JOIN sellers s ON s.user_id = o.owner_id
        UNION ALL
        SELECT s.segment, d.currency, CAST(date_trunc($grain, d.close_date) AS date),
            CAST(d.amount AS double)
        FROM collect.closed_deals d JOIN sellers s ON s.user_id = d.owner_id
        WHERE d.is_won
    ) AS deals
    GROUP BY segment, currency, period_start
),
quick AS (
    SELECT s.segment, d.currency, sum(CAST(d.amount AS double)) / max(t.periods_year) AS expected
    FROM collect.closed_deals d
    JOIN sellers s ON s.user_id = d.owner_id
    CROSS JOIN today t
    WHERE d.is_won
        AND d.close_date >= t.year_start
        AND date_trunc($grain, d.created_on) = date_trunc($grain, d.close_date)
    GROUP BY s.segment, d.currency
),
keys AS (
    SELECT period_start, segment, currency FROM demands
    UNION
    SELECT p.period_start, b.segment, b.currency FROM periods p CROSS JOIN booked b
),
joined AS (
    SELECT
        p.period_start,
        p.period_end,
        k.segment,
        k.currency,
        d.demand,
        coalesce(s.headcount, 0) AS headcount,
        coalesce(s.ramped_fte, 0) AS ramped_fte,
        r.productivity,
        coalesce(r.attrition, 0) AS attrition,
        coalesce(s.ramped_fte, 0) * r.productivity AS potential,
        ramped_fte(p.period_start, NULL, p.period_start, p.period_end, $ramp, 1) AS mean_ramp,
        coalesce(l.expected, 0) + coalesce(q.expected, 0) AS pipeline_capacity
    FROM keys k
    JOIN periods p ON p.period_start = k.period_start
    LEFT JOIN demands d ON d.period_start = k.period_start AND d.segment = k.segment
        AND d.currency = k.currency
    LEFT JOIN seats s ON s.period_start = k.period_start AND s.segment = k.segment
    LEFT JOIN productivity r ON r.segment = k.segment AND r.currency = k.currency
    LEFT JOIN pipeline l ON l.period_start = k.period_start AND l.segment = k.segment
        AND l.currency = k.currency
    LEFT JOIN quick q ON q.segment = k.segment AND q.currency = k.currency
)
SELECT
    period_start,
    period_end,
    'seller' AS resource_type,
    segment,
    currency AS unit,
    demand,
    headcount,
    ramped_fte,
    productivity,
    potential * attrition AS attrition_loss,
    potential * (1 - attrition) AS capacity,
    capacity_gap(demand, potential * (1 - attrition)) AS gap,
    capacity_gap(demand, potential * (1 - attrition)) / nullif(demand, 0) AS gap_pct,
    greatest(capacity_gap(demand, potential * (1 - attrition)), 0)
        / nullif(productivity * (1 - attrition), 0) AS fte_short,
    hires_needed(
        capacity_gap(demand, potential * (1 - attrition)), productivity, mean_ramp, attrition
    ) AS hires_needed,
    CASE WHEN demand > potential * (1 - attrition) THEN
        CAST(
            CAST(period_start - CAST(concat(array_length($ramp), ' months') AS interval) AS date)
            - $recruit_days
            AS date
        )
    END AS latest_start,
    CASE
        WHEN demand IS NULL OR potential IS NULL THEN NULL
        WHEN demand <= potential * (1 - attrition) AND demand <= pipeline_capacity THEN 'none'
        WHEN pipeline_capacity < potential * (1 - attrition) THEN 'pipeline'
        ELSE 'people'
    END AS constraint_kind
FROM joined
