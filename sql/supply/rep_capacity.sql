-- What can each team of sellers book, month by month, with the people it has?
-- Capacity is what a ramped full-time seller of the team books in a month (measured over the year
-- until `as_of`) times its ramped sellers of the month. Planned hires belong to no team yet: they
-- stand in a row without one, at the productivity of all sellers. New sellers reach 25, 50, 75 and
-- 100 % by month after the hire, as in `FROM seller_gap(start, end)`, which takes leavers off as
-- well and goes by segment.
--
-- grain: month of the quarter of as_of and of the three after it, team, currency
-- unit: headcount people on the first day (count); ramped_fte full-time sellers' worth (count)
-- unit: productivity_amount bookings of one ramped full-time seller in a month, in currency
-- unit: capacity_amount ramped_fte times productivity_amount, in currency; NULL if the team has
--   booked nothing in it
-- unit: quota_amount quotas of the team, by the days in the month, in currency; NULL if none is set
-- unit: utilisation_ratio quota over capacity; above 1 the quota is more than the team can book
WITH today AS (
    SELECT as_of, CAST(as_of - INTERVAL '364 days' AS date) AS year_start FROM ops.as_of
    WHERE as_of IS NOT NULL
),
months AS (
    SELECT
        as_of,
        year_start,
        CAST(unnest(generate_series(
            date_trunc('quarter', as_of),
            date_trunc('quarter', as_of) + INTERVAL '11 months',
            INTERVAL '1 month'
        )) AS date) AS month_start
    FROM today
),
spans AS (
    SELECT
        *,
        CAST(month_start + INTERVAL '1 month' - INTERVAL '1 day' AS date) AS month_end,
        make_array(0.25, 0.5, 0.75, 1) AS ramp
    FROM months
),
active AS (
    SELECT owner_id AS user_id
    FROM reconcile.goals
    WHERE metric = 'bookings' AND quota_kind = 'individual'
    UNION
    SELECT owner_id FROM collect.closed_deals
),
sellers AS (
    SELECT
        u.team,
        u.hire_date,
        u.termination_date,
        coalesce(u.fte, 1) AS fte,
        false AS is_planned
    FROM crm.users u
    JOIN active a ON a.user_id = u.user_id
    WHERE NOT u.is_deleted AND coalesce(u.role, 'ae') IN ('ae', 'am')
    UNION ALL
    SELECT NULL, available_from, available_to, 1, true
    FROM crm.capacity_resources
    WHERE resource_type = 'seller' AND coalesce(is_planned, false) AND NOT is_deleted
),
seats AS (
    SELECT
        m.month_start,
        m.month_end,
        s.team,
        s.is_planned,
        sum(CASE
            WHEN coalesce(s.hire_date, m.month_start) <= m.month_start
                AND coalesce(s.termination_date, m.month_start) >= m.month_start
                THEN 1 ELSE 0
        END) AS headcount,
        sum(ramped_fte(s.hire_date, s.termination_date, m.month_start, m.month_end, m.ramp, s.fte))
            AS ramped_fte,
        -- Full-time sellers' worth over the last year.
        sum(CASE
            WHEN s.is_planned THEN 0
            ELSE ramped_fte(s.hire_date, s.termination_date, m.year_start, m.as_of, m.ramp, s.fte)
        END) AS year_fte
    FROM spans m
    CROSS JOIN sellers s
    GROUP BY m.month_start, m.month_end, s.team, s.is_planned
),
money AS (
    -- What a team booked in a year, and the quotas of its months.
    SELECT
        u.team,
        m.month_start,
        b.currency,
        CAST(b.credited_amount AS double) AS booked,
        CAST(NULL AS double) AS quota
    FROM collect.bookings b
    JOIN crm.users u ON u.user_id = b.user_id AND coalesce(u.role, 'ae') IN ('ae', 'am')
    JOIN spans m ON b.close_date >= m.year_start
    WHERE b.split_type = 'revenue'
    UNION ALL
    SELECT
        u.team,
        m.month_start,
        g.unit,
        NULL,
        CAST(g.goal AS double)
            * (least(g.period_end, m.month_end) - greatest(g.period_start, m.month_start) + 1)
            / (g.period_end - g.period_start + 1)
            * coalesce(prorate(g.period_start, g.period_end, g.active_from, g.active_to), 0)
    FROM reconcile.goals g
    JOIN crm.users u ON u.user_id = g.owner_id
    JOIN spans m ON g.period_start <= m.month_end AND g.period_end >= m.month_start
    WHERE g.metric = 'bookings' AND g.quota_kind = 'individual'
),
totals AS (
    SELECT team, month_start, currency, sum(booked) AS booked, sum(quota) AS quota
    FROM money
    GROUP BY team, month_start, currency
),
joined AS (
    -- A team by what it booked itself, planned hires by what all teams did.
    SELECT
        s.month_start,
        s.month_end,
        s.team,
        t.currency,
        s.headcount,
        s.ramped_fte,
        sum(t.booked) / nullif(CASE WHEN s.is_planned THEN s.all_fte ELSE s.year_fte END, 0) / 12
            AS productivity,
        sum(CASE WHEN NOT s.is_planned THEN t.quota END) AS quota
    FROM (SELECT *, sum(year_fte) OVER (PARTITION BY month_start) AS all_fte FROM seats) s
    JOIN totals t
        ON t.month_start = s.month_start
        AND (s.is_planned OR t.team IS NOT DISTINCT FROM s.team)
    GROUP BY s.month_start, s.month_end, s.team, s.is_planned, t.currency, s.headcount,
        s.ramped_fte, s.year_fte, s.all_fte
)
SELECT
    month_start,
    month_end,
    team,
    currency,
    headcount,
    ramped_fte,
    CAST(productivity AS decimal(18, 2)) AS productivity_amount,
    CAST(ramped_fte * productivity AS decimal(18, 2)) AS capacity_amount,
    CAST(quota AS decimal(18, 2)) AS quota_amount,
    quota / nullif(ramped_fte * productivity, 0) AS utilisation_ratio
FROM joined
