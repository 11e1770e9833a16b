-- The agents, and their managers, who have no row of their own.
-- requires: sales_teams(sales_agent, manager, regional_office)
SELECT
    sales_agent AS user_id,
    sales_agent AS name,
    'ae' AS role,
    manager AS manager_id,
    regional_office AS team,
    'true' AS is_active
FROM sales_teams
UNION ALL
SELECT
    manager AS user_id,
    manager AS name,
    'manager' AS role,
    regional_office AS team,
    'true' AS is_active
FROM sales_teams
