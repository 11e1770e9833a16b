-- Do the quotas of the sellers cover the plan, and can the sellers carry them?
-- The plan of a team is the quota of its manager; of several managers in a team, that of the one
-- above the others. The plan of the company is the quota of kind 'plan'.
-- Only goals that lie within the quarter count.
--
-- grain: scope_type ('team', 'company'), scope_id, quarter from that of as_of on, currency
-- unit: plan_amount, rep_quota_amount, capacity_amount in currency; NULL if not set or not known
-- unit: rep_quota_amount quotas of the sellers, cut to the days in the seat
-- unit: over_assignment_ratio rep_quota over plan, less 1 (ratio); 0.1 to 0.25 is usual
-- unit: capacity_amount what the sellers can book: the months of supply.rep_capacity; that of the
--   company with planned hires
-- unit: capacity_ratio capacity over plan, or over rep_quota where there is no plan (ratio)
WITH managed AS (
    SELECT DISTINCT g.owner_id, g.period_start, g.unit, u.team
    FROM reconcile.goals g
    JOIN crm.users u ON u.user_id = g.owner_id
    WHERE g.metric = 'bookings' AND g.quota_kind = 'manager'
),
goals AS (
    SELECT
        q.quarter_start,
        g.quota_kind,
        u.team,
        g.unit AS currency,
        CAST(g.goal AS double) AS goal,
        CAST(g.goal AS double)
            * coalesce(prorate(g.period_start, g.period_end, g.active_from, g.active_to), 0)
            AS effective_goal,
        a.owner_id IS NULL AS is_top
    FROM reconcile.goals g
    JOIN ops.quarters q
        ON g.period_start >= q.quarter_start
        AND g.period_end <= q.quarter_end
        AND q.quarter_end >= q.as_of
    LEFT JOIN crm.users u ON u.user_id = g.owner_id
    LEFT JOIN managed a ON a.owner_id = u.manager_id
        AND a.period_start = g.period_start
        AND a.unit = g.unit
        AND a.team = u.team
    WHERE g.metric = 'bookings'
),
parts AS (
    SELECT
        'team' AS scope_type,
        team AS scope_id,
        quarter_start,
        currency,
        CASE WHEN quota_kind = 'manager' AND is_top THEN goal END AS plan,
        CASE WHEN quota_kind = 'individual' THEN effective_goal END AS rep_quota,
        CAST(NULL AS double) AS capacity
    FROM goals
    WHERE team IS NOT NULL AND quota_kind IN ('manager', 'individual')
    UNION ALL
    SELECT
        'company',
        'company',
        quarter_start,
        currency,
        CASE WHEN quota_kind = 'plan' THEN goal END,
        CASE WHEN quota_kind = 'individual' THEN effective_goal END,
        NULL
    FROM goals
    WHERE quota_kind IN ('plan', 'individual')
    UNION ALL
    SELECT
        s.scope_type,
        CASE s.scope_type WHEN 'team' THEN c.team ELSE 'company' END,
        CAST(date_trunc('quarter', c.month_start) AS date),
        c.currency,
        NULL,
        NULL,
        CAST(c.capacity_amount AS double)
    FROM supply.rep_capacity c
    CROSS JOIN (VALUES ('team'), ('company')) AS s (scope_type)
    WHERE c.team IS NOT NULL OR s.scope_type = 'company'
),
totals AS (
    SELECT
        scope_type,
        scope_id,
        quarter_start,
        currency,
        sum(plan) AS plan,
        sum(rep_quota) AS rep_quota,
        sum(capacity) AS capacity
    FROM parts
    GROUP BY scope_type, scope_id, quarter_start, currency
)
SELECT
    scope_type,
    scope_id,
    quarter_start,
    CAST(quarter_start + INTERVAL '3 months' - INTERVAL '1 day' AS date) AS quarter_end,
    currency,
    CAST(plan AS decimal(18, 2)) AS plan_amount,
    CAST(rep_quota AS decimal(18, 2)) AS rep_quota_amount,
    rep_quota / nullif(plan, 0) - 1 AS over_assignment_ratio,
    CAST(capacity AS decimal(18, 2)) AS capacity_amount,
    capacity / nullif(coalesce(plan, rep_quota), 0) AS capacity_ratio
FROM totals
