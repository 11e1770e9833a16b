-- The states of deals, from the values that Odoo tracks in its messages: a change of stage, salesperson,
-- expected revenue, expected closing or archiving begins a new one. Before the first change of a field it
-- had the old value of that change; a field that never changed has the deal's. The field is a number,
-- which ir_model_fields names. A deal that is over was closed on the
-- day it came to its last stage. A deal whose values were never tracked has no recorded history.
-- requires: mail_tracking_value(id, mail_message_id, field_id)
-- requires: mail_message(id, model, res_id, date)
-- else crm_lead: SELECT opportunity_id AS id, stage_id AS stage_id, CAST(NOT is_closed OR is_won AS VARCHAR) AS active, amount AS expected_revenue, owner_id AS user_id, close_date AS date_deadline, created_at AS create_date, 'opportunity' AS type FROM crm.opportunities
WITH tracked AS (
    SELECT
        v.id AS id,
        m.res_id AS deal_id,
        utc(m.date) AS at,
        m.author_id AS author_id,
        f.name AS field,
        v.old_value_integer AS old_number,
        v.new_value_integer AS new_number,
        v.old_value_float AS old_amount,
        v.new_value_float AS new_amount,
        v.old_value_datetime AS old_date,
        v.new_value_datetime AS new_date
    FROM mail_tracking_value v
    JOIN mail_message m ON m.id = v.mail_message_id
    JOIN ir_model_fields f ON f.id = v.field_id
    WHERE m.model = 'crm.lead'
        AND f.name IN ('stage_id', 'user_id', 'expected_revenue', 'date_deadline', 'active')
),
authors AS (
    SELECT partner_id, max(id) AS user_id FROM res_users GROUP BY partner_id
),
moments AS (
    SELECT
        t.deal_id AS deal_id,
        t.at AS at,
        min(t.id) AS tracking_id,
        max(CASE WHEN t.field IN ('stage_id', 'active') THEN t.at END) AS moved_at,
        max(w.user_id) AS changed_by,
        max(CASE WHEN t.field = 'stage_id' THEN t.old_number END) AS stage_before,
        max(CASE WHEN t.field = 'stage_id' THEN t.new_number END) AS stage_after,
        max(CASE WHEN t.field = 'active' THEN CASE WHEN t.old_number = '0' THEN 'false' ELSE 'true' END END) AS active_before,
        max(CASE WHEN t.field = 'active' THEN CASE WHEN t.new_number = '0' THEN 'false' ELSE 'true' END END) AS active_after,
        max(CASE WHEN t.field = 'user_id' THEN t.old_number END) AS owner_before,
        max(CASE WHEN t.field = 'user_id' THEN t.new_number END) AS owner_after,
        max(CASE WHEN t.field = 'expected_revenue' THEN t.old_amount END) AS amount_before,
        max(CASE WHEN t.field = 'expected_revenue' THEN t.new_amount END) AS amount_after,
        max(CASE WHEN t.field = 'date_deadline' THEN t.old_date END) AS close_before,
        max(CASE WHEN t.field = 'date_deadline' THEN t.new_date END) AS close_after
    FROM tracked t
    LEFT JOIN authors w ON w.partner_id = t.author_id
    GROUP BY t.deal_id, t.at
),
known AS (
    SELECT
        l.id AS deal_id, utc(max(l.create_date)) AS created_at, max(l.stage_id) AS stage_id,
        max(flag(l.active)) AS active, max(l.expected_revenue) AS amount, max(l.user_id) AS owner_id,
        max(l.date_deadline) AS close_date, coalesce(max(c.name), corporate_currency()) AS currency
    FROM crm_lead l
    LEFT JOIN res_company n ON n.id = l.company_id
    LEFT JOIN res_currency c ON c.id = n.currency_id
    WHERE l.type = 'opportunity'
    GROUP BY l.id
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
        m.tracking_id,
        lead(p.at) OVER (PARTITION BY p.deal_id ORDER BY p.at) AS until,
        coalesce(last_value(m.stage_after) IGNORE NULLS OVER (PARTITION BY p.deal_id ORDER BY p.at ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW),
            first_value(m.stage_before) IGNORE NULLS OVER (PARTITION BY p.deal_id ORDER BY p.at ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING), k.stage_id) AS stage_id,
        coalesce(last_value(m.active_after) IGNORE NULLS OVER (PARTITION BY p.deal_id ORDER BY p.at ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW),
            first_value(m.active_before) IGNORE NULLS OVER (PARTITION BY p.deal_id ORDER BY p.at ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING), k.active) AS active,
        coalesce(last_value(m.amount_after) IGNORE NULLS OVER (PARTITION BY p.deal_id ORDER BY p.at ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW),
            first_value(m.amount_before) IGNORE NULLS OVER (PARTITION BY p.deal_id ORDER BY p.at ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING), k.amount) AS amount,
        nullif(coalesce(last_value(m.owner_after) IGNORE NULLS OVER (PARTITION BY p.deal_id ORDER BY p.at ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW),
            first_value(m.owner_before) IGNORE NULLS OVER (PARTITION BY p.deal_id ORDER BY p.at ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING), k.owner_id), '0') AS owner_id,
        coalesce(last_value(m.close_after) IGNORE NULLS OVER (PARTITION BY p.deal_id ORDER BY p.at ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW),
            first_value(m.close_before) IGNORE NULLS OVER (PARTITION BY p.deal_id ORDER BY p.at ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING), k.close_date) AS close_date,
        last_value(m.moved_at) IGNORE NULLS OVER (PARTITION BY p.deal_id ORDER BY p.at ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS moved_at,
        m.changed_by AS changed_by,
        k.currency AS currency
    FROM points p
    LEFT JOIN moments m ON m.deal_id = p.deal_id AND m.at = p.at
    JOIN known k ON k.deal_id = p.deal_id
)
SELECT
    s.deal_id AS opportunity_id,
    s.at AS valid_from,
    s.until AS valid_to,
    CASE WHEN s.active = 'false' THEN 'lost' ELSE s.stage_id END AS stage_id,
    s.amount AS amount,
    s.currency AS currency,
    CASE WHEN s.active = 'false' OR g.is_won = 'true' THEN coalesce(day(s.moved_at), substr(s.close_date, 1, 10))
        ELSE substr(s.close_date, 1, 10) END AS close_date,
    CASE WHEN s.active = 'false' THEN 'omitted' WHEN g.is_won = 'true' THEN 'closed' ELSE 'pipeline' END AS forecast_category,
    s.owner_id AS owner_id,
    s.changed_by AS changed_by,
    'recorded' AS history_quality,
    s.at AS updated_at
FROM mail_tracking_value v
JOIN states s ON s.tracking_id = v.id
LEFT JOIN (SELECT id, max(flag(is_won)) AS is_won FROM crm_stage GROUP BY id) g ON g.id = s.stage_id
WHERE v.id IS NOT NULL
UNION ALL
SELECT
    s.deal_id AS opportunity_id,
    s.at AS valid_from,
    s.until AS valid_to,
    CASE WHEN s.active = 'false' THEN 'lost' ELSE s.stage_id END AS stage_id,
    s.amount AS amount,
    s.currency AS currency,
    CASE WHEN s.active = 'false' OR g.is_won = 'true' THEN coalesce(day(s.moved_at), substr(s.close_date, 1, 10))
        ELSE substr(s.close_date, 1, 10) END AS close_date,
    CASE WHEN s.active = 'false' THEN 'omitted' WHEN g.is_won = 'true' THEN 'closed' ELSE 'pipeline' END AS forecast_category,
    s.owner_id AS owner_id,
    s.changed_by AS changed_by,
    'recorded' AS history_quality,
    s.at AS updated_at,
    CAST(NULL AS VARCHAR) AS extra
FROM crm_lead l
JOIN states s ON s.deal_id = l.id AND s.tracking_id IS NULL
LEFT JOIN (SELECT id, max(flag(is_won)) AS is_won FROM crm_stage GROUP BY id) g ON g.id = s.stage_id
WHERE l.id IS NOT NULL
