-- The leads, and the deals that were leads: Odoo turns one into the other and keeps its id.
-- A lead without a date of conversion was a deal from the start.
-- requires: crm_lead(id, name, type)
SELECT
    l.id AS lead_id,
    lower(trim(coalesce(l.email_from, p.email))) AS email,
    coalesce(l.partner_name, l.contact_name, l.name) AS company,
    l.function AS title,
    CASE WHEN l.type = 'opportunity' THEN 'converted' WHEN flag(coalesce(l.active, 'true')) = 'false' THEN 'lost'
        ELSE coalesce(g.name, 'new') END AS status,
    coalesce(s.name, m.name) AS lead_source,
    c.name AS country,
    l.user_id AS owner_id,
    l.campaign_id AS campaign_id,
    utc(l.create_date) AS created_at,
    utc(l.date_conversion) AS sql_at,
    utc(l.date_open) AS first_response_at,
    CASE WHEN l.type = 'opportunity' THEN 'true' ELSE 'false' END AS is_converted,
    utc(l.date_conversion) AS converted_at,
    CASE WHEN l.type = 'opportunity' THEN coalesce(p.company_id, l.partner_id) END AS converted_account_id,
    CASE WHEN l.type = 'opportunity' AND p.company_id IS NOT NULL THEN l.partner_id END AS converted_contact_id,
    CASE WHEN l.type = 'opportunity' THEN l.id END AS converted_opportunity_id,
    utc(l.write_date) AS updated_at
FROM crm_lead l
LEFT JOIN (SELECT id, max(json_text(name, 'en_US')) AS name FROM crm_stage GROUP BY id) g ON g.id = l.stage_id
LEFT JOIN (SELECT id, max(name) AS name FROM utm_source GROUP BY id) s ON s.id = l.source_id
LEFT JOIN (SELECT id, max(json_text(name, 'en_US')) AS name FROM utm_medium GROUP BY id) m ON m.id = l.medium_id
LEFT JOIN (SELECT id, max(json_text(name, 'en_US')) AS name FROM res_country GROUP BY id) c ON c.id = l.country_id
LEFT JOIN (
    SELECT
        id, max(email) AS email,
        max(CASE WHEN flag(coalesce(is_company, 'false')) = 'false' THEN coalesce(parent_id, commercial_partner_id) END) AS company_id
    FROM res_partner GROUP BY id
) p ON p.id = l.partner_id
WHERE l.type = 'lead' OR l.date_conversion IS NOT NULL
