-- Whose commission follows which plan; `user_email` will do for an id.
-- requires: commission_plans(plan_id)
-- else users: SELECT * FROM crm.users
SELECT
    p.plan_id AS plan_id,
    coalesce(p.user_id, u.user_id, lower(trim(p.user_email))) AS user_id,
    p.valid_from AS valid_from,
    p.valid_to AS valid_to,
    p.method AS method,
    p.base_rate AS base_rate,
    p.cap AS cap,
    p.currency AS currency,
    p.source_system AS source_system,
    p.source_id AS source_id,
    p.is_deleted AS is_deleted,
    p.updated_at AS updated_at
FROM commission_plans p
LEFT JOIN (
    SELECT lower(trim(email)) AS email, max(user_id) AS user_id FROM users WHERE email IS NOT NULL GROUP BY lower(trim(email))
) u ON u.email = lower(trim(p.user_email))
