-- What do sellers and their managers call, and what does the pipeline say?
-- A call is the newest one made until `as_of` for the quarter; it is cumulative, as CRMs submit it:
-- commit holds what is won, best case holds commit. The system's number is added up in the same
-- way.
--
-- grain: rep, quarter, category ('commit', 'most_likely', 'best_case', 'pipeline'), currency
-- unit: all amounts in currency; NULL where nobody called
-- unit: rep_call_amount call of the rep; called_on day of the newest call of rep or manager
-- unit: manager_adjustment_amount call of the manager for the rep less the rep's own
-- unit: system_amount won and open deals of the rep by category, those without an amount left out
-- unit: delta_amount the call, with the manager's adjustment, less system_amount
-- unit: unpriced_count open deals of the rep in the quarter that have no amount (count)
WITH deals AS (
    SELECT
        owner_id,
        currency,
        quarter_start,
        'closed' AS category,
        amount
    FROM collect.closed_deals
    WHERE is_won
    UNION ALL
    SELECT
        owner_id,
        currency,
        CAST(date_trunc('quarter', close_date) AS date),
        CASE WHEN forecast_category = 'closed' THEN 'commit'
            ELSE coalesce(forecast_category, 'pipeline')
        END,
        amount
    FROM collect.open_pipeline
),
categories AS (
    -- A category holds those before it.
    SELECT * FROM (
        VALUES ('commit', 1), ('most_likely', 2), ('best_case', 3), ('pipeline', 4)
    ) AS t (category, place)
),
systems AS (
    SELECT
        d.owner_id AS user_id,
        d.quarter_start,
        c.category,
        d.currency,
        sum(d.amount) FILTER (WHERE coalesce(p.place, 0) <= c.place) AS system_amount,
        count(*) FILTER (WHERE d.category <> 'closed' AND d.amount IS NULL) AS unpriced_count
    FROM deals d
    CROSS JOIN categories c
    LEFT JOIN categories p ON p.category = d.category
    WHERE d.category <> 'omitted'
    GROUP BY d.owner_id, d.quarter_start, c.category, d.currency
),
calls AS (
    SELECT
        s.scope_id,
        s.period_start,
        s.category,
        s.layer,
        coalesce(s.currency, 'unknown') AS currency,
        s.amount,
        s.as_of,
        row_number() OVER (
            PARTITION BY
                s.scope_id, s.period_start, s.category, s.layer, coalesce(s.currency, 'unknown')
            ORDER BY s.as_of DESC
        ) AS place
    FROM crm.forecast_snapshots s
    CROSS JOIN ops.as_of a
    WHERE NOT s.is_deleted AND s.as_of <= a.as_of AND s.layer IN ('rep', 'manager')
),
parts AS (
    SELECT
        user_id,
        quarter_start,
        category,
        currency,
        system_amount,
        unpriced_count,
        CAST(NULL AS decimal(18, 2)) AS rep_amount,
        CAST(NULL AS decimal(18, 2)) AS manager_amount,
        CAST(NULL AS date) AS called_on
    FROM systems
    UNION ALL
    SELECT
        scope_id,
        period_start,
        category,
        currency,
        NULL,
        0,
        CASE WHEN layer = 'rep' THEN amount END,
        CASE WHEN layer = 'manager' THEN amount END,
        as_of
    FROM calls
    WHERE place = 1 AND category IN ('commit', 'most_likely', 'best_case', 'pipeline')
),
merged AS (
    SELECT
        user_id,
        quarter_start,
        category,
        currency,
        coalesce(sum(system_amount), CAST(0 AS decimal(18, 2))) AS system_amount,
        sum(unpriced_count) AS unpriced_count,
        max(rep_amount) AS rep_amount,
        max(manager_amount) AS manager_amount,
        max(called_on) AS called_on
    FROM parts
    GROUP BY user_id, quarter_start, category, currency
)
SELECT
    u.manager_id,
    m.name AS manager_name,
    u.user_id,
    u.name AS user_name,
    u.team,
    q.quarter_start,
    q.quarter_end,
    r.category,
    r.currency,
    r.rep_amount AS rep_call_amount,
    CAST(r.manager_amount - r.rep_amount AS decimal(18, 2)) AS manager_adjustment_amount,
    r.system_amount,
    CAST(coalesce(r.manager_amount, r.rep_amount) - r.system_amount AS decimal(18, 2))
        AS delta_amount,
    r.unpriced_count,
    r.called_on
FROM merged r
JOIN ops.quarters q ON q.quarter_start = r.quarter_start AND q.quarter_end >= q.as_of
JOIN crm.users u ON u.user_id = r.user_id
LEFT JOIN crm.users m ON m.user_id = u.manager_id
