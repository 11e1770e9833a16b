-- What did we plan for a quarter, what did we expect on its first day, and what came?
-- The plan is the quota of kind 'plan' or 'manager', else the sum of the sellers' quotas.
-- Bookings are credited by revenue splits; overlay credit is in no total.
--
-- grain: scope_type ('company', 'manager'), scope_id, quarter that has begun, currency
-- unit: plan_amount, actual_amount, variance_amount in currency; variance actual less plan
-- unit: plan_source 'plan' for a quota of its own, 'quotas' for the sum of the sellers'
-- unit: variance_ratio variance over plan (ratio)
-- unit: weighted_at_start_amount deals that were open on the first morning and due in the quarter,
--   by probability, as their history tells; NULL without history
-- unit: called_at_start_amount newest commit call of the scope until the end of the first week;
--   NULL without one
-- unit: is_complete false while the quarter runs: actual_amount is then that of a part of it
WITH attained AS (
    SELECT 'company' AS scope_type, * FROM quota_attainment(NULL, NULL, 'company')
    UNION ALL
    SELECT 'manager', * FROM quota_attainment(NULL, NULL, 'manager')
),
members AS (
    SELECT 'company' AS scope_type, 'company' AS scope_id, user_id FROM crm.users
    UNION ALL
    SELECT 'manager', ancestor_id, descendant_id FROM crm.user_hierarchy
),
opening AS (
    SELECT
        m.scope_type,
        m.scope_id,
        q.quarter_start,
        coalesce(h.currency, o.currency) AS currency,
        sum(CAST(h.amount AS double) * coalesce(h.probability, g.default_probability)) AS weighted
    FROM crm.opportunity_stage_history h
    JOIN ops.quarters q ON h.close_date >= q.quarter_start AND h.close_date <= q.quarter_end
    JOIN crm.opportunities o ON o.opportunity_id = h.opportunity_id AND NOT o.is_deleted
    JOIN members m ON m.user_id = coalesce(h.owner_id, o.owner_id)
    LEFT JOIN crm.stage_definitions g ON g.pipeline_id = o.pipeline_id AND g.stage_id = h.stage_id
    WHERE NOT h.is_deleted
        AND CAST(h.valid_from AS timestamp) < CAST(q.quarter_start AS timestamp)
        AND (
            h.valid_to IS NULL
            OR CAST(h.valid_to AS timestamp) >= CAST(q.quarter_start AS timestamp)
        )
        AND NOT coalesce(g.is_closed, false)
    GROUP BY m.scope_type, m.scope_id, q.quarter_start, coalesce(h.currency, o.currency)
),
calls AS (
    SELECT
        s.scope_id,
        s.period_start,
        s.currency,
        s.amount,
        row_number() OVER (
            PARTITION BY s.scope_id, s.period_start, s.currency
            ORDER BY s.as_of DESC, CASE s.layer WHEN 'manager' THEN 1 WHEN 'rep' THEN 2 ELSE 3 END
        ) AS place
    FROM crm.forecast_snapshots s
    CROSS JOIN ops.as_of a
    WHERE NOT s.is_deleted
        AND s.category = 'commit'
        AND s.layer IN ('rep', 'manager')
        AND s.as_of <= a.as_of
        AND s.as_of - s.period_start < 7
)
SELECT
    t.scope_type,
    t.scope_id,
    t.name AS scope_name,
    t.period_start AS quarter_start,
    t.period_end AS quarter_end,
    t.unit AS currency,
    CAST(coalesce(t.own_quota, t.effective_quota) AS decimal(18, 2)) AS plan_amount,
    CASE
        WHEN t.own_quota IS NOT NULL THEN 'plan'
        WHEN t.effective_quota IS NOT NULL THEN 'quotas'
    END AS plan_source,
    CAST(o.weighted AS decimal(18, 2)) AS weighted_at_start_amount,
    c.amount AS called_at_start_amount,
    CAST(t.actual AS decimal(18, 2)) AS actual_amount,
    CAST(t.actual - coalesce(t.own_quota, t.effective_quota) AS decimal(18, 2)) AS variance_amount,
    (t.actual - coalesce(t.own_quota, t.effective_quota))
        / nullif(coalesce(t.own_quota, t.effective_quota), 0) AS variance_ratio,
    t.period_end <= a.as_of AS is_complete
FROM attained t
CROSS JOIN ops.as_of a
LEFT JOIN opening o ON o.scope_type = t.scope_type AND o.scope_id = t.scope_id
    AND o.quarter_start = t.period_start AND o.currency = t.unit
LEFT JOIN calls c ON c.scope_id = t.scope_id AND c.period_start = t.period_start
    AND c.currency = t.unit AND c.place = 1
