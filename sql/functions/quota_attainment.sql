-- How far is everyone with their quota, in one period or in every quarter?
-- Roll-ups are sums of actuals over sums of quotas, never means of ratios; overlay credit counts for
-- the person ('rep') and for no total. A manager's and the plan's own quota stand beside the sum.
-- A goal within the period counts in full; only where a person has none such does the part of a
-- longer goal that falls into the period count. Effective quotas are cut to the days in the seat.
--
-- parameter: start date = NULL -- with end: one period; without: every quarter that has begun
-- parameter: end date = NULL
-- parameter: scope text = 'rep' -- 'rep', 'manager', 'territory' or 'company'
-- parameter: metric text = 'bookings' -- 'bookings', 'opps_created' or 'meetings'
-- example: SELECT name, attainment FROM quota_attainment(DATE '2026-04-01', DATE '2026-06-30', 'rep') ORDER BY rank
-- grain: period, scope_id, unit
-- unit: quota, effective_quota, actual, gap, open_pipeline, own_quota in `unit`
-- unit: attainment actual over effective quota (ratio); pace attainment over elapsed share (ratio)
-- unit: coverage open pipeline that closes in the period over what is left of the quota (ratio)
-- unit: over_assignment sum of quotas over own quota, less 1 (ratio)
-- unit: rank 1 for the best attainment of the period and unit
-- unit: status no_quota, inactive, not_started, met, on_pace, behind
WITH periods AS (
    SELECT CAST($start AS date) AS period_start, CAST($end AS date) AS period_end, as_of
    FROM ops.as_of
    WHERE CAST($start AS date) IS NOT NULL
    UNION ALL
    SELECT quarter_start, quarter_end, as_of
    FROM ops.quarters
    WHERE CAST($start AS date) IS NULL AND quarter_start <= as_of
),
overlaps AS (
    SELECT
        p.period_start,
        g.owner_id,
        g.territory_id,
        g.quota_kind,
        g.unit,
        greatest(g.period_start, p.period_start) AS from_on,
        least(g.period_end, p.period_end) AS to_on,
        CAST(g.goal AS double)
            * (least(g.period_end, p.period_end) - greatest(g.period_start, p.period_start) + 1)
            / (g.period_end - g.period_start + 1) AS amount,
        g.active_from,
        g.active_to,
        g.period_start >= p.period_start AND g.period_end <= p.period_end AS is_inside
    FROM reconcile.goals g
    JOIN periods p ON g.period_start <= p.period_end AND g.period_end >= p.period_start
    WHERE g.metric = $metric
),
ranked AS (
    SELECT
        o.*,
        max(CASE WHEN is_inside THEN 1 ELSE 0 END)
            OVER (PARTITION BY period_start, owner_id, territory_id, quota_kind, unit) AS has_inside
    FROM overlaps o
),
goals AS (
    SELECT
        period_start,
        owner_id,
        territory_id,
        quota_kind,
        unit,
        from_on,
        to_on,
        amount,
        amount * coalesce(prorate(from_on, to_on, active_from, active_to), 0) AS effective_amount
    FROM ranked
    WHERE is_inside OR has_inside = 0
),
members AS (
    -- Who counts in which scope; a territory shares a goal by the days its members were in it.
    SELECT user_id AS scope_id, user_id AS user_id FROM crm.users WHERE $scope = 'rep'
    UNION ALL
    SELECT ancestor_id AS scope_id, descendant_id AS user_id
    FROM crm.user_hierarchy
    WHERE $scope = 'manager'
        AND ancestor_id IN (SELECT ancestor_id FROM crm.user_hierarchy WHERE depth > 0)
    UNION ALL
    SELECT 'company' AS scope_id, user_id FROM crm.users WHERE $scope = 'company'
),
quota_parts AS (
    SELECT
        g.period_start,
        m.scope_id,
        g.unit,
        g.amount AS goal,
        g.effective_amount AS effective_goal,
        CAST(0 AS double) AS own_goal
    FROM goals g
    JOIN members m ON m.user_id = g.owner_id
    WHERE g.quota_kind = 'individual'
    UNION ALL
    SELECT
        period_start,
        CASE $scope WHEN 'company' THEN 'company' ELSE owner_id END AS scope_id,
        unit,
        CAST(0 AS double) AS goal,
        CAST(0 AS double) AS effective_goal,
        amount AS own_goal
    FROM goals
    WHERE ($scope = 'manager' AND quota_kind = 'manager') OR ($scope = 'company' AND quota_kind = 'plan')
    UNION ALL
    SELECT
        period_start,
        territory_id AS scope_id,
        unit,
        CAST(0 AS double) AS goal,
        CAST(0 AS double) AS effective_goal,
        amount AS own_goal
    FROM goals
    WHERE $scope = 'territory' AND territory_id IS NOT NULL AND owner_id IS NULL
    UNION ALL
    SELECT
        g.period_start,
        t.territory_id AS scope_id,
        g.unit,
        g.amount * coalesce(prorate(g.from_on, g.to_on, t.valid_from, t.valid_to), 0) AS goal,
        g.effective_amount * coalesce(prorate(g.from_on, g.to_on, t.valid_from, t.valid_to), 0)
            AS effective_goal,
        CAST(0 AS double) AS own_goal
    FROM goals g
    JOIN crm.territory_members t ON t.user_id = g.owner_id AND NOT t.is_deleted
    WHERE $scope = 'territory' AND g.quota_kind = 'individual'
),
actual_parts AS (
    SELECT p.period_start, m.scope_id, a.unit, CAST(a.actual AS double) AS actual
    FROM reconcile.actuals a
    JOIN periods p ON a.happened_on >= p.period_start AND a.happened_on <= p.period_end
    JOIN members m ON m.user_id = a.user_id
    WHERE a.metric = $metric AND ($scope = 'rep' OR NOT a.is_overlay)
    UNION ALL
    SELECT p.period_start, a.territory_id AS scope_id, a.unit, CAST(a.actual AS double) AS actual
    FROM reconcile.actuals a
    JOIN periods p ON a.happened_on >= p.period_start AND a.happened_on <= p.period_end
    WHERE a.metric = $metric
        AND $scope = 'territory'
        AND NOT a.is_overlay
        AND a.territory_id IS NOT NULL
),
open_parts AS (
    SELECT p.period_start, m.scope_id, o.currency AS unit, CAST(o.amount AS double) AS open_amount
    FROM collect.open_pipeline o
    JOIN periods p ON o.close_date >= p.period_start AND o.close_date <= p.period_end
        AND p.period_end >= p.as_of
    JOIN members m ON m.user_id = o.owner_id
    WHERE $metric = 'bookings'
    UNION ALL
    SELECT
        p.period_start,
        o.territory_id AS scope_id,
        o.currency AS unit,
        CAST(o.amount AS double) AS open_amount
    FROM collect.open_pipeline o
    JOIN periods p ON o.close_date >= p.period_start AND o.close_date <= p.period_end
        AND p.period_end >= p.as_of
    WHERE $metric = 'bookings' AND $scope = 'territory' AND o.territory_id IS NOT NULL
),
parts AS (
    SELECT period_start, scope_id, unit, goal, effective_goal, own_goal,
        CAST(NULL AS double) AS actual, CAST(NULL AS double) AS open_amount
    FROM quota_parts
    UNION ALL
    SELECT period_start, scope_id, unit, NULL AS goal, NULL AS effective_goal, NULL AS own_goal,
        actual, NULL AS open_amount
    FROM actual_parts
    UNION ALL
    SELECT period_start, scope_id, unit, NULL AS goal, NULL AS effective_goal, NULL AS own_goal,
        NULL AS actual, open_amount
    FROM open_parts
),
summed AS (
    SELECT
        period_start,
        scope_id,
        unit,
        sum(goal) AS goal,
        sum(effective_goal) AS effective_goal,
        sum(own_goal) AS own_goal,
        coalesce(sum(actual), 0) AS actual,
        sum(open_amount) AS open_amount
    FROM parts
    GROUP BY period_start, scope_id, unit
),
totals AS (
    -- A territory with a goal of its own is held to it, not to the sum of its members'.
    SELECT
        p.period_start,
        p.period_end,
        p.as_of,
        s.scope_id,
        s.unit,
        CASE WHEN $scope = 'territory' AND s.own_goal > 0 THEN s.own_goal ELSE s.goal END AS quota,
        CASE WHEN $scope = 'territory' AND s.own_goal > 0 THEN s.own_goal ELSE s.effective_goal END
            AS effective_quota,
        nullif(s.own_goal, 0) AS own_quota,
        s.goal AS member_quota,
        s.actual,
        s.open_amount
    FROM summed s
    JOIN periods p ON p.period_start = s.period_start
),
measured AS (
    SELECT
        t.*,
        quota_attainment(actual, effective_quota) AS attainment,
        CASE
            WHEN as_of >= period_end THEN quota_attainment(actual, effective_quota)
            WHEN as_of >= period_start
                THEN quota_pace(actual, effective_quota, period_start, period_end, as_of)
        END AS pace
    FROM totals t
)
SELECT
    m.period_start,
    m.period_end,
    m.scope_id,
    coalesce(u.name, r.name, m.scope_id) AS name,
    m.unit,
    m.quota,
    m.effective_quota,
    m.actual,
    m.attainment,
    m.pace,
    m.effective_quota - m.actual AS gap,
    m.open_amount AS open_pipeline,
    pipeline_coverage(m.open_amount, m.effective_quota, m.actual) AS coverage,
    m.own_quota,
    m.member_quota / m.own_quota - 1 AS over_assignment,
    CASE WHEN m.attainment IS NOT NULL THEN
        rank() OVER (
            PARTITION BY m.period_start, m.unit ORDER BY m.attainment DESC NULLS LAST
        )
    END AS rank,
    CASE
        WHEN m.quota IS NULL OR m.quota = 0 THEN 'no_quota'
        WHEN m.effective_quota = 0 THEN 'inactive'
        WHEN m.as_of < m.period_start THEN 'not_started'
        WHEN m.attainment >= 1 THEN 'met'
        WHEN m.pace >= 1 THEN 'on_pace'
        ELSE 'behind'
    END AS status
FROM measured m
LEFT JOIN crm.users u ON u.user_id = m.scope_id
LEFT JOIN crm.territories r ON r.territory_id = m.scope_id
