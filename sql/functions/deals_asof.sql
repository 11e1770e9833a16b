-- How did every deal stand on a day?
-- The state of a deal is that of its history on that day; a deal without history is taken as it is.
-- A deal marked won with a close date to come is open until then, with probability 1.
--
-- parameter: as_of date = NULL -- the day; without, the day reports are made for
-- example: SELECT status, count(*) FROM deals_asof(DATE '2026-03-31') GROUP BY status
-- grain: one deal that existed on that day
-- unit: amount in currency; NULL is unknown
-- unit: list_amount list price of its products, in currency; NULL if one is in another currency
-- unit: probability_ratio chance of winning (ratio 0 to 1)
-- unit: weighted_amount amount times probability, in currency
-- unit: age_days days since it was opened; stage_days days since it came to its stage
-- unit: status open, won or lost
WITH today AS (
    SELECT
        coalesce(CAST($as_of AS date), as_of) AS as_of,
        CAST(coalesce(CAST($as_of AS date), as_of) AS timestamp) + INTERVAL '1 day' AS ends_at
    FROM ops.as_of
),
states AS (
    SELECT
        h.opportunity_id,
        h.stage_id,
        h.amount,
        h.currency,
        h.probability,
        h.close_date,
        h.forecast_category,
        h.valid_from
    FROM crm.opportunity_stage_history h
    CROSS JOIN today t
    WHERE NOT h.is_deleted
        AND CAST(h.valid_from AS timestamp) < t.ends_at
        AND (h.valid_to IS NULL OR CAST(h.valid_to AS timestamp) >= t.ends_at)
),
recorded AS (
    SELECT DISTINCT opportunity_id FROM crm.opportunity_stage_history WHERE NOT is_deleted
),
entered AS (
    -- When the deal came to the stage it is in: rows that only change a date do not count.
    SELECT s.opportunity_id, max(CAST(h.valid_from AS date)) AS entered_on
    FROM states s
    JOIN (
        SELECT
            opportunity_id,
            stage_id,
            valid_from,
            lag(stage_id) OVER (PARTITION BY opportunity_id ORDER BY valid_from) AS stage_before
        FROM crm.opportunity_stage_history
        WHERE NOT is_deleted
    ) h ON h.opportunity_id = s.opportunity_id AND h.valid_from <= s.valid_from
    WHERE h.stage_id IS DISTINCT FROM h.stage_before
    GROUP BY s.opportunity_id
),
deals AS (
    SELECT
        o.opportunity_id,
        o.account_id,
        o.owner_id,
        o.territory_id,
        o.pipeline_id,
        -- The amount of a state is in the currency of that state.
        coalesce(s.currency, o.currency) AS currency,
        o.opp_type,
        o.last_activity_date,
        CAST(o.created_at AS date) AS created_on,
        e.entered_on,
        CASE WHEN s.opportunity_id IS NULL THEN o.stage_id ELSE s.stage_id END AS stage_id,
        CASE WHEN s.opportunity_id IS NULL THEN o.amount ELSE s.amount END AS amount,
        CASE WHEN s.opportunity_id IS NULL THEN o.probability ELSE s.probability END AS probability,
        CASE WHEN s.opportunity_id IS NULL THEN o.close_date ELSE s.close_date END AS close_date,
        CASE WHEN s.opportunity_id IS NULL THEN o.forecast_category ELSE s.forecast_category END
            AS forecast_category,
        o.stage_id AS current_stage_id,
        o.is_closed,
        o.is_won,
        t.as_of
    FROM crm.opportunities o
    CROSS JOIN today t
    LEFT JOIN states s ON s.opportunity_id = o.opportunity_id
    LEFT JOIN recorded r ON r.opportunity_id = o.opportunity_id
    LEFT JOIN entered e ON e.opportunity_id = o.opportunity_id
    WHERE NOT o.is_deleted
        AND (o.created_at IS NULL OR CAST(o.created_at AS timestamp) < t.ends_at)
        -- With history, but none yet on that day: the deal came later.
        AND (s.opportunity_id IS NOT NULL OR r.opportunity_id IS NULL)
),
judged AS (
    SELECT
        d.*,
        g.label,
        g.ordinal,
        g.default_probability,
        g.forecast_category AS stage_category,
        coalesce(g.is_closed, d.stage_id = d.current_stage_id AND d.is_closed) AS has_ended,
        coalesce(g.is_won, d.stage_id = d.current_stage_id AND d.is_won) AS has_won
    FROM deals d
    LEFT JOIN crm.stage_definitions g ON g.pipeline_id = d.pipeline_id AND g.stage_id = d.stage_id
),
list_prices AS (
    -- Prices in another currency than the deal's are no part of a sum in its currency.
    SELECT
        opportunity_id,
        min(currency) AS first_currency,
        max(currency) AS last_currency,
        sum(CAST(quantity * CAST(list_price AS double) AS decimal(18, 2))) AS list_amount
    FROM crm.opportunity_line_items
    WHERE NOT is_deleted
    GROUP BY opportunity_id
)
SELECT
    j.opportunity_id,
    j.account_id,
    j.owner_id,
    j.territory_id,
    j.pipeline_id,
    j.stage_id,
    coalesce(j.label, j.stage_id) AS stage_label,
    j.ordinal AS stage_ordinal,
    coalesce(j.forecast_category, j.stage_category) AS forecast_category,
    j.currency,
    j.amount,
    CASE
        WHEN coalesce(p.first_currency, j.currency) = j.currency
            AND coalesce(p.last_currency, j.currency) = j.currency
            THEN p.list_amount
    END AS list_amount,
    CASE WHEN j.has_won THEN 1 ELSE coalesce(j.probability, j.default_probability) END
        AS probability_ratio,
    CAST(
        CAST(j.amount AS double)
        * CASE WHEN j.has_won THEN 1 ELSE coalesce(j.probability, j.default_probability) END
        AS decimal(18, 2)
    ) AS weighted_amount,
    j.created_on,
    j.close_date,
    j.opp_type,
    j.as_of - j.created_on AS age_days,
    j.as_of - coalesce(j.entered_on, j.created_on) AS stage_days,
    j.close_date < j.as_of AS is_overdue,
    -- Nothing has been heard of it for 30 days: no activity, no new stage.
    j.as_of - greatest(
        coalesce(j.entered_on, j.created_on),
        CASE WHEN j.last_activity_date <= j.as_of THEN j.last_activity_date END
    ) > 30 AS is_stale,
    CASE
        WHEN NOT j.has_ended OR (j.has_won AND j.close_date > j.as_of) THEN 'open'
        WHEN j.has_won THEN 'won'
        ELSE 'lost'
    END AS status,
    j.as_of
FROM judged j
LEFT JOIN list_prices p ON p.opportunity_id = j.opportunity_id
