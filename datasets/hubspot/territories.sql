-- The teams, which is what HubSpot divides a market by.
-- requires: teams(id, name)
SELECT
    id AS territory_id,
    name AS name,
    parentTeamId AS parent_id,
    'active' AS state,
    instant(updatedAt) AS updated_at
FROM teams
