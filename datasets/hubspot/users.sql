-- The owners of records; their teams are a name, or the list that the API gives. HubSpot knows neither
-- their manager nor when they were hired: a file users.csv with the canonical columns may stand beside.
-- requires: owners(id)
SELECT
    id AS user_id,
    coalesce(nullif(trim(coalesce(firstName, '') || ' ' || coalesce(lastName, '')), ''), email) AS name,
    lower(trim(email)) AS email,
    sales_role(jobTitle) AS role,
    managerId AS manager_id,
    CASE WHEN teams LIKE '[%' THEN json_text(teams, '0.name') ELSE teams END AS team,
    CASE lower(archived) WHEN 'true' THEN 'false' ELSE 'true' END AS is_active,
    instant(updatedAt) AS updated_at
FROM owners
