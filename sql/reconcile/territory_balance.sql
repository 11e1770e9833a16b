-- Are the territories as large as each other, for the people who work them?
-- Reps are the members of a territory on `as_of`. The load is counted in accounts, because these
-- need no currency.
--
-- grain: territory, currency of its deals; NULL where it has none
-- unit: account_count accounts of the territory, rep_count members (count)
-- unit: booked_amount won within the year until as_of, pipeline_amount open, weighted_amount open
--   by probability, potential_amount booked and weighted, all in currency
-- unit: load_count accounts a rep (count); NULL without a rep
-- unit: load_index load over the mean load of all territories (ratio, 1 is even)
-- unit: gini_ratio how uneven the loads of all territories are (ratio, 0 is even), on every row
WITH accounts AS (
    SELECT territory_id, count(*) AS account_count
    FROM crm.accounts
    WHERE NOT is_deleted
    GROUP BY territory_id
),
members AS (
    SELECT m.territory_id, count(DISTINCT m.user_id) AS rep_count
    FROM crm.territory_members m
    CROSS JOIN ops.as_of a
    WHERE NOT m.is_deleted
        AND m.valid_from <= a.as_of
        AND (m.valid_to IS NULL OR m.valid_to >= a.as_of)
    GROUP BY m.territory_id
),
loads AS (
    SELECT
        t.territory_id,
        t.name,
        t.region,
        coalesce(c.account_count, 0) AS account_count,
        coalesce(m.rep_count, 0) AS rep_count,
        CAST(coalesce(c.account_count, 0) AS double) / nullif(m.rep_count, 0) AS load
    FROM crm.territories t
    LEFT JOIN accounts c ON c.territory_id = t.territory_id
    LEFT JOIN members m ON m.territory_id = t.territory_id
    WHERE NOT t.is_deleted AND coalesce(t.state, 'active') = 'active'
),
evenness AS (
    SELECT avg(load) AS mean_load, gini(load) AS gini_ratio FROM loads
),
deals AS (
    SELECT
        d.territory_id,
        d.currency,
        d.amount AS booked,
        CAST(NULL AS decimal(18, 2)) AS pipeline,
        CAST(NULL AS decimal(18, 2)) AS weighted
    FROM collect.closed_deals d
    CROSS JOIN ops.as_of a
    WHERE d.is_won AND a.as_of - d.close_date < 365
    UNION ALL
    SELECT territory_id, currency, NULL, amount, weighted_amount FROM collect.open_pipeline
),
money AS (
    SELECT
        territory_id,
        currency,
        coalesce(sum(booked), CAST(0 AS decimal(18, 2))) AS booked,
        coalesce(sum(pipeline), CAST(0 AS decimal(18, 2))) AS pipeline,
        coalesce(sum(weighted), CAST(0 AS decimal(18, 2))) AS weighted
    FROM deals
    WHERE territory_id IS NOT NULL
    GROUP BY territory_id, currency
)
SELECT
    l.territory_id,
    l.name AS territory_name,
    l.region,
    l.account_count,
    l.rep_count,
    m.currency,
    m.booked AS booked_amount,
    m.pipeline AS pipeline_amount,
    m.weighted AS weighted_amount,
    m.booked + m.weighted AS potential_amount,
    l.load AS load_count,
    l.load / nullif(e.mean_load, 0) AS load_index,
    e.gini_ratio
FROM loads l
CROSS JOIN evenness e
LEFT JOIN money m ON m.territory_id = l.territory_id
