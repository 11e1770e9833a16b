-- The lead inbox. A lead has a person or an organization, which say who and where.
-- requires: leads(id)
-- labels: leads(id = Lead - ID, title = Lead - Title, owner_id = Lead - Owner ID, person_id = Lead - Person ID, organization_id = Lead - Organization ID, source_name = Lead - Source, is_archived = Lead - Archived, add_time = Lead - Lead created, update_time = Lead - Update time)
-- else persons: SELECT contact_id AS id, email AS email, title AS job_title FROM crm.contacts
-- else organizations: SELECT account_id AS id, name AS name, industry AS industry, employees AS employee_count, country AS address_country FROM crm.accounts
SELECT
    l.id AS lead_id,
    p.email AS email,
    coalesce(g.name, l.title) AS company,
    p.title AS title,
    CASE WHEN flag(coalesce(l.is_archived, 'false')) = 'true' THEN 'archived' ELSE 'open' END AS status,
    l.source_name AS lead_source,
    g.industry AS industry,
    g.employees AS employees,
    g.country AS country,
    json_text(l.owner_id, 'id') AS owner_id,
    utc(l.add_time) AS created_at,
    'false' AS is_converted,
    utc(l.update_time) AS updated_at
FROM leads l
LEFT JOIN (
    SELECT id, max(lower(trim(json_text(email, '0.value')))) AS email, max(job_title) AS title
    FROM persons GROUP BY id
) p ON p.id = l.person_id
LEFT JOIN (
    SELECT
        id, max(name) AS name, max(industry) AS industry, max(employee_count) AS employees,
        max(address_country) AS country
    FROM organizations GROUP BY id
) g ON g.id = l.organization_id
