-- Who sells from which office. The export does not say since when: the first day of its deals serves.
-- requires: sales_teams(sales_agent, regional_office)
-- else sales_pipeline: SELECT CAST(created_at AS DATE) AS engage_date FROM crm.opportunities
SELECT
    t.regional_office AS territory_id,
    t.sales_agent AS user_id,
    CAST(d.first_day AS VARCHAR) AS valid_from,
    'ae' AS role
FROM sales_teams t
CROSS JOIN (SELECT min(TRY_CAST(engage_date AS DATE)) AS first_day FROM sales_pipeline) d
