-- The owners of records. HubSpot knows neither their manager nor when they were hired: a file
-- users.csv with the canonical columns may stand beside, loaded as `template`.
-- requires: owners(id)
SELECT
    id AS user_id,
    coalesce(nullif(trim(coalesce(firstName, '') || ' ' || coalesce(lastName, '')), ''), email) AS name,
    lower(trim(email)) AS email,
    managerId AS manager_id,
    teams AS team,
    CASE lower(archived) WHEN 'true' THEN 'false' ELSE 'true' END AS is_active,
    instant(updatedAt) AS updated_at
FROM owners
