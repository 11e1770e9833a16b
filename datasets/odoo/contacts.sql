-- The people among the partners: all that are no company. Who wants no mail is on the black list.
-- requires: res_partner(id, name, is_company)
SELECT
    p.id AS contact_id,
    coalesce(p.parent_id, CASE WHEN p.commercial_partner_id <> p.id THEN p.commercial_partner_id END) AS account_id,
    nullif(regexp_replace(p.name, '\s*\S+$', ''), '') AS first_name,
    regexp_replace(p.name, '^.*\s', '') AS last_name,
    lower(trim(p.email)) AS email,
    p.function AS title,
    coalesce(p.phone, p.mobile) AS phone,
    p.user_id AS owner_id,
    CASE WHEN b.email IS NOT NULL THEN 'true' ELSE 'false' END AS opted_out,
    utc(p.create_date) AS created_at,
    CASE WHEN flag(coalesce(p.active, 'true')) = 'false' THEN 'true' ELSE 'false' END AS is_deleted,
    utc(p.write_date) AS updated_at
FROM res_partner p
LEFT JOIN (
    SELECT lower(trim(email)) AS email FROM mail_blacklist
    WHERE flag(coalesce(active, 'true')) = 'true' GROUP BY lower(trim(email))
) b ON b.email = lower(trim(p.email))
WHERE flag(coalesce(p.is_company, 'false')) = 'false'
