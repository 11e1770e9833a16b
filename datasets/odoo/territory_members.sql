-- Who works in which sales team, from the day they joined it. Who left is marked, the day is that of the change.
-- requires: crm_team_member(crm_team_id, user_id, create_date)
SELECT
    crm_team_id AS territory_id,
    user_id AS user_id,
    day(utc(create_date)) AS valid_from,
    CASE WHEN flag(coalesce(active, 'true')) = 'false' THEN day(utc(write_date)) END AS valid_to,
    'member' AS role,
    id AS source_id,
    utc(write_date) AS updated_at
FROM crm_team_member
