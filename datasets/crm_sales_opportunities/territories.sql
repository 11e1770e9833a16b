-- The regional offices, one for many agents.
-- requires: sales_teams(regional_office)
SELECT
    regional_office AS territory_id,
    regional_office AS name,
    regional_office AS region,
    'active' AS state
FROM sales_teams
