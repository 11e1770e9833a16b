-- The deals. Lost is no stage there: a lost deal is archived with probability 0, and stays in its stage;
-- here it is in the stage `lost`. A deal archived with a chance left was put away: it counts as deleted.
-- Amounts are in the currency of the deal's company; a probability is a percentage.
-- requires: crm_lead(id, name, type, stage_id, probability, active)
-- else crm_stage: SELECT stage_id AS id, CAST(is_won AS VARCHAR) AS is_won FROM crm.stage_definitions
SELECT
    l.id AS opportunity_id,
    coalesce(p.company_id, l.partner_id) AS account_id,
    l.name AS name,
    coalesce(l.user_id, 'unassigned') AS owner_id,
    'default' AS pipeline_id,
    CASE WHEN flag(l.active) = 'false' AND TRY_CAST(coalesce(l.probability, '0') AS DOUBLE) = 0
        THEN 'lost' ELSE l.stage_id END AS stage_id,
    l.expected_revenue AS amount,
    coalesce(y.currency, corporate_currency()) AS currency,
    percent(l.probability) AS probability,
    CASE WHEN g.is_won = 'true' THEN 'closed'
        WHEN flag(l.active) = 'false' AND TRY_CAST(coalesce(l.probability, '0') AS DOUBLE) = 0 THEN 'omitted'
        ELSE 'pipeline' END AS forecast_category,
    CASE WHEN g.is_won = 'true' OR flag(l.active) = 'false'
        THEN coalesce(day(utc(l.date_closed)), l.date_deadline) ELSE l.date_deadline END AS close_date,
    utc(l.create_date) AS created_at,
    CASE WHEN g.is_won = 'true'
        OR (flag(l.active) = 'false' AND TRY_CAST(coalesce(l.probability, '0') AS DOUBLE) = 0)
        THEN 'true' ELSE 'false' END AS is_closed,
    coalesce(g.is_won, 'false') AS is_won,
    coalesce(s.name, m.name) AS lead_source,
    l.campaign_id AS campaign_id,
    a.summary AS next_step,
    r.name AS loss_reason,
    l.team_id AS territory_id,
    l.recurring_revenue_monthly AS mrr,
    CAST(TRY_CAST(l.recurring_revenue_monthly AS DECIMAL(18, 2)) * 12 AS VARCHAR) AS arr,
    CASE WHEN flag(l.active) = 'false' AND TRY_CAST(coalesce(l.probability, '0') AS DOUBLE) <> 0
        THEN 'true' ELSE 'false' END AS is_deleted,
    utc(l.write_date) AS updated_at
FROM crm_lead l
LEFT JOIN (SELECT id, max(flag(is_won)) AS is_won FROM crm_stage GROUP BY id) g ON g.id = l.stage_id
LEFT JOIN (
    SELECT id, max(CASE WHEN flag(coalesce(is_company, 'false')) = 'false' THEN coalesce(parent_id, commercial_partner_id) END) AS company_id
    FROM res_partner GROUP BY id
) p ON p.id = l.partner_id
LEFT JOIN (
    SELECT n.id AS id, max(c.name) AS currency
    FROM res_company n LEFT JOIN res_currency c ON c.id = n.currency_id GROUP BY n.id
) y ON y.id = l.company_id
LEFT JOIN (SELECT id, max(name) AS name FROM utm_source GROUP BY id) s ON s.id = l.source_id
LEFT JOIN (SELECT id, max(json_text(name, 'en_US')) AS name FROM utm_medium GROUP BY id) m ON m.id = l.medium_id
LEFT JOIN (SELECT id, max(json_text(name, 'en_US')) AS name FROM crm_lost_reason GROUP BY id) r ON r.id = l.lost_reason_id
LEFT JOIN (
    SELECT res_id, min(summary) AS summary FROM mail_activity
    WHERE res_model = 'crm.lead' GROUP BY res_id
) a ON a.res_id = l.id
WHERE l.type = 'opportunity'
