-- The states of deals, from their change log: a change of stage, status, value, owner or close date
-- begins a new one. Before the first change of a field it had the old value of that change; a field
-- that never changed has the deal's. A deal was closed on
-- the day it was won or lost. A deal without a change log has no recorded history.
-- requires: deal_changelog(deal_id, field_key, old_value, new_value, time)
-- else deals: SELECT opportunity_id AS id, stage_id AS stage_id, amount AS value, currency AS currency, owner_id AS user_id, close_date AS expected_close_date, created_at AS add_time, updated_at AS update_time FROM crm.opportunities
WITH moments AS (
    SELECT
        deal_id,
        utc(time) AS at,
        max(actor_user_id) AS changed_by,
        max(CASE WHEN field_key = 'status' THEN utc(time) END) AS ended_at,
        max(CASE WHEN field_key = 'stage_id' THEN old_value END) AS stage_before,
        max(CASE WHEN field_key = 'stage_id' THEN new_value END) AS stage_after,
        max(CASE WHEN field_key = 'status' THEN coalesce(old_value, 'open') END) AS status_before,
        max(CASE WHEN field_key = 'status' THEN coalesce(new_value, 'open') END) AS status_after,
        max(CASE WHEN field_key = 'value' THEN old_value END) AS value_before,
        max(CASE WHEN field_key = 'value' THEN new_value END) AS value_after,
        max(CASE WHEN field_key IN ('user_id', 'owner_id') THEN old_value END) AS owner_before,
        max(CASE WHEN field_key IN ('user_id', 'owner_id') THEN new_value END) AS owner_after,
        max(CASE WHEN field_key = 'expected_close_date' THEN old_value END) AS close_before,
        max(CASE WHEN field_key = 'expected_close_date' THEN new_value END) AS close_after
    FROM deal_changelog
    WHERE field_key IN ('stage_id', 'status', 'value', 'user_id', 'owner_id', 'expected_close_date')
    GROUP BY deal_id, utc(time)
),
known AS (
    SELECT
        id AS deal_id, utc(max(add_time)) AS created_at, max(stage_id) AS stage_id, max(status) AS status,
        max(value) AS value, coalesce(max(currency), corporate_currency()) AS currency,
        coalesce(max(json_text(user_id, 'id')), max(json_text(owner_id, 'id'))) AS owner_id,
        max(expected_close_date) AS close_date, utc(max(update_time)) AS updated_at
    FROM deals GROUP BY id
),
points AS (
    SELECT deal_id, at FROM moments
    UNION ALL
    SELECT k.deal_id AS deal_id, k.created_at AS at FROM known k
    JOIN (SELECT deal_id, min(at) AS first_at FROM moments GROUP BY deal_id) f
        ON f.deal_id = k.deal_id AND k.created_at < f.first_at
),
states AS (
    SELECT
        p.deal_id,
        p.at,
        lead(p.at) OVER (PARTITION BY p.deal_id ORDER BY p.at) AS until,
        coalesce(last_value(m.stage_after) IGNORE NULLS OVER (PARTITION BY p.deal_id ORDER BY p.at ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW),
            first_value(m.stage_before) IGNORE NULLS OVER (PARTITION BY p.deal_id ORDER BY p.at ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING), k.stage_id) AS stage_id,
        coalesce(last_value(m.status_after) IGNORE NULLS OVER (PARTITION BY p.deal_id ORDER BY p.at ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW),
            first_value(m.status_before) IGNORE NULLS OVER (PARTITION BY p.deal_id ORDER BY p.at ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING), k.status) AS status,
        coalesce(last_value(m.value_after) IGNORE NULLS OVER (PARTITION BY p.deal_id ORDER BY p.at ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW),
            first_value(m.value_before) IGNORE NULLS OVER (PARTITION BY p.deal_id ORDER BY p.at ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING), k.value) AS value,
        coalesce(last_value(m.owner_after) IGNORE NULLS OVER (PARTITION BY p.deal_id ORDER BY p.at ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW),
            first_value(m.owner_before) IGNORE NULLS OVER (PARTITION BY p.deal_id ORDER BY p.at ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING), k.owner_id) AS owner_id,
        coalesce(last_value(m.close_after) IGNORE NULLS OVER (PARTITION BY p.deal_id ORDER BY p.at ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW),
            first_value(m.close_before) IGNORE NULLS OVER (PARTITION BY p.deal_id ORDER BY p.at ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING), k.close_date) AS close_date,
        last_value(m.ended_at) IGNORE NULLS OVER (PARTITION BY p.deal_id ORDER BY p.at ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS ended_at,
        m.changed_by AS changed_by,
        k.currency AS currency,
        k.updated_at AS updated_at
    FROM points p
    LEFT JOIN moments m ON m.deal_id = p.deal_id AND m.at = p.at
    LEFT JOIN known k ON k.deal_id = p.deal_id
)
SELECT
    c.deal_id AS opportunity_id,
    s.at AS valid_from,
    s.until AS valid_to,
    CASE WHEN s.status IN ('won', 'lost') THEN s.status ELSE s.stage_id END AS stage_id,
    s.value AS amount,
    s.currency AS currency,
    CASE WHEN s.status IN ('won', 'lost') THEN coalesce(day(s.ended_at), s.close_date)
        ELSE s.close_date END AS close_date,
    CASE s.status WHEN 'won' THEN 'closed' WHEN 'lost' THEN 'omitted' ELSE 'pipeline' END AS forecast_category,
    s.owner_id AS owner_id,
    s.changed_by AS changed_by,
    'recorded' AS history_quality,
    coalesce(s.updated_at, s.at) AS updated_at,
    CAST(NULL AS VARCHAR) AS extra
FROM deal_changelog c
LEFT JOIN states s ON s.deal_id = c.deal_id AND s.at = utc(c.time)
WHERE c.field_key IN ('stage_id', 'status', 'value', 'user_id', 'owner_id', 'expected_close_date')
UNION ALL
SELECT
    d.id AS opportunity_id,
    s.at AS valid_from,
    s.until AS valid_to,
    CASE WHEN s.status IN ('won', 'lost') THEN s.status ELSE s.stage_id END AS stage_id,
    s.value AS amount,
    s.currency AS currency,
    CASE WHEN s.status IN ('won', 'lost') THEN coalesce(day(s.ended_at), s.close_date)
        ELSE s.close_date END AS close_date,
    CASE s.status WHEN 'won' THEN 'closed' WHEN 'lost' THEN 'omitted' ELSE 'pipeline' END AS forecast_category,
    s.owner_id AS owner_id,
    s.changed_by AS changed_by,
    'recorded' AS history_quality,
    coalesce(s.updated_at, s.at) AS updated_at,
    CAST(NULL AS VARCHAR) AS extra
FROM deals d
JOIN states s ON s.deal_id = d.id AND s.at = utc(d.add_time)
JOIN (SELECT deal_id FROM moments GROUP BY deal_id) h ON h.deal_id = d.id
WHERE d.id IS NOT NULL
