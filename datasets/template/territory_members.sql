-- Who works in which territory; `user_email` will do for an id.
-- requires: territory_members(territory_id, valid_from)
-- else users: SELECT * FROM crm.users
SELECT
    m.territory_id AS territory_id,
    coalesce(m.user_id, u.user_id, lower(trim(m.user_email))) AS user_id,
    m.valid_from AS valid_from,
    m.valid_to AS valid_to,
    m.role AS role,
    m.source_system AS source_system,
    m.source_id AS source_id,
    m.is_deleted AS is_deleted,
    m.updated_at AS updated_at
FROM territory_members m
LEFT JOIN (
    SELECT lower(trim(email)) AS email, max(user_id) AS user_id FROM users WHERE email IS NOT NULL GROUP BY lower(trim(email))
) u ON u.email = lower(trim(m.user_email))
