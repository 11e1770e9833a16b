-- The sales teams.
-- requires: crm_team(id, name)
SELECT
    id AS territory_id,
    json_text(name, 'en_US') AS name,
    CASE WHEN flag(coalesce(active, 'true')) = 'true' THEN 'active' ELSE 'archived' END AS state,
    utc(write_date) AS updated_at
FROM crm_team
