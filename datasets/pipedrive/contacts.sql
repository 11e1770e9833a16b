-- The persons. Their addresses are a text, or the list that the API gives, the main one first.
-- requires: persons(id)
-- labels: persons(id = Person - ID, name = Person - Name, first_name = Person - First name, last_name = Person - Last name, email = Person - Email, phone = Person - Phone, job_title = Person - Job title, org_id = Person - Organization ID, owner_id = Person - Owner ID, add_time = Person - Person created, update_time = Person - Update time, marketing_status = Person - Marketing status)
SELECT
    id AS contact_id,
    json_text(org_id, 'value') AS account_id,
    coalesce(first_name, nullif(regexp_replace(name, '\s*\S+$', ''), '')) AS first_name,
    coalesce(last_name, regexp_replace(name, '^.*\s', '')) AS last_name,
    lower(trim(json_text(email, '0.value'))) AS email,
    job_title AS title,
    json_text(phone, '0.value') AS phone,
    source AS lead_source,
    json_text(owner_id, 'id') AS owner_id,
    CASE marketing_status WHEN 'unsubscribed' THEN 'true' WHEN 'subscribed' THEN 'false' END AS opted_out,
    utc(add_time) AS created_at,
    CASE WHEN flag(coalesce(is_deleted, 'false')) = 'true' OR flag(coalesce(active_flag, 'true')) = 'false'
        THEN 'true' ELSE 'false' END AS is_deleted,
    utc(update_time) AS updated_at
FROM persons
