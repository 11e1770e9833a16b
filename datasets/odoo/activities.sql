-- What is planned (mail_activity), what was done (a message of an activity, which Odoo deletes when it is
-- done), e-mails (messages) and meetings (calendar_event), of deals. Only the day of an activity is known.
-- An e-mail whose author is a user went out; every other came in, to the deal's salesperson.
-- requires: mail_activity(id, res_model, res_id, date_deadline)
-- requires: mail_message(id, model, res_id, date)
-- requires: calendar_event(id, start, stop)
-- else crm_lead: SELECT opportunity_id AS id, owner_id AS user_id, account_id AS partner_id FROM crm.opportunities
SELECT
    'activity:' || a.id AS activity_id,
    CASE WHEN t.category = 'phonecall' OR lower(t.name) LIKE '%call%' THEN 'call'
        WHEN t.category = 'meeting' OR lower(t.name) LIKE '%meeting%' THEN 'meeting'
        WHEN lower(t.name) LIKE '%mail%' THEN 'email' WHEN lower(t.name) LIKE '%demo%' THEN 'demo'
        ELSE 'task' END AS kind,
    coalesce(a.user_id, 'unassigned') AS owner_id,
    p.account_id AS account_id,
    p.contact_id AS contact_id,
    a.res_id AS opportunity_id,
    a.date_deadline AS occurred_at,
    'planned' AS status,
    a.summary AS subject,
    flag(a.automated) AS is_automated,
    a.id AS source_id,
    utc(a.write_date) AS updated_at
FROM mail_activity a
LEFT JOIN (
    SELECT id, max(json_text(name, 'en_US')) AS name, max(category) AS category FROM mail_activity_type GROUP BY id
) t ON t.id = a.activity_type_id
LEFT JOIN (SELECT id, max(user_id) AS user_id, max(partner_id) AS partner_id FROM crm_lead GROUP BY id) l ON l.id = a.res_id
LEFT JOIN (
    SELECT
        id,
        max(CASE WHEN flag(coalesce(is_company, 'false')) = 'true' THEN id ELSE coalesce(parent_id, commercial_partner_id) END) AS account_id,
        max(CASE WHEN flag(coalesce(is_company, 'false')) = 'false' THEN id END) AS contact_id
    FROM res_partner GROUP BY id
) p ON p.id = l.partner_id
WHERE a.res_model = 'crm.lead'
UNION ALL
SELECT
    'message:' || m.id AS activity_id,
    CASE WHEN m.mail_activity_type_id IS NULL THEN 'email'
        WHEN t.category = 'phonecall' OR lower(t.name) LIKE '%call%' THEN 'call'
        WHEN t.category = 'meeting' OR lower(t.name) LIKE '%meeting%' THEN 'meeting'
        WHEN lower(t.name) LIKE '%mail%' THEN 'email' WHEN lower(t.name) LIKE '%demo%' THEN 'demo'
        ELSE 'task' END AS kind,
    CASE WHEN m.mail_activity_type_id IS NOT NULL THEN NULL WHEN w.user_id IS NOT NULL THEN 'out' ELSE 'in' END AS direction,
    coalesce(w.user_id, l.user_id, 'unassigned') AS owner_id,
    p.account_id AS account_id,
    CASE WHEN w.user_id IS NULL THEN m.author_id ELSE p.contact_id END AS contact_id,
    m.res_id AS opportunity_id,
    utc(m.date) AS occurred_at,
    'done' AS status,
    m.subject AS subject,
    m.id AS source_id,
    utc(coalesce(m.write_date, m.date)) AS updated_at
FROM mail_message m
LEFT JOIN (
    SELECT id, max(json_text(name, 'en_US')) AS name, max(category) AS category FROM mail_activity_type GROUP BY id
) t ON t.id = m.mail_activity_type_id
LEFT JOIN (SELECT partner_id, max(id) AS user_id FROM res_users GROUP BY partner_id) w ON w.partner_id = m.author_id
LEFT JOIN (SELECT id, max(user_id) AS user_id, max(partner_id) AS partner_id FROM crm_lead GROUP BY id) l ON l.id = m.res_id
LEFT JOIN (
    SELECT
        id,
        max(CASE WHEN flag(coalesce(is_company, 'false')) = 'true' THEN id ELSE coalesce(parent_id, commercial_partner_id) END) AS account_id,
        max(CASE WHEN flag(coalesce(is_company, 'false')) = 'false' THEN id END) AS contact_id
    FROM res_partner GROUP BY id
) p ON p.id = l.partner_id
WHERE m.model = 'crm.lead' AND (m.mail_activity_type_id IS NOT NULL OR m.message_type = 'email')
UNION ALL
SELECT
    'event:' || e.id AS activity_id,
    CASE WHEN lower(e.name) LIKE '%demo%' THEN 'demo' ELSE 'meeting' END AS kind,
    coalesce(e.user_id, 'unassigned') AS owner_id,
    p.account_id AS account_id,
    p.contact_id AS contact_id,
    e.opportunity_id AS opportunity_id,
    utc(e.start) AS occurred_at,
    seconds_between(e.start, e.stop) AS duration_s,
    e.name AS subject,
    CASE WHEN flag(coalesce(e.active, 'true')) = 'false' THEN 'true' ELSE 'false' END AS is_deleted,
    e.id AS source_id,
    utc(e.write_date) AS updated_at
FROM calendar_event e
LEFT JOIN (SELECT id, max(user_id) AS user_id, max(partner_id) AS partner_id FROM crm_lead GROUP BY id) l ON l.id = e.opportunity_id
LEFT JOIN (
    SELECT
        id,
        max(CASE WHEN flag(coalesce(is_company, 'false')) = 'true' THEN id ELSE coalesce(parent_id, commercial_partner_id) END) AS account_id,
        max(CASE WHEN flag(coalesce(is_company, 'false')) = 'false' THEN id END) AS contact_id
    FROM res_partner GROUP BY id
) p ON p.id = l.partner_id
WHERE e.opportunity_id IS NOT NULL
