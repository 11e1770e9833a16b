-- What Looker and Sigma ask: lists of subqueries, matviews, sessions, ilike.

-- rows 1
SELECT 1 AS test, current_schemas(true) AS schemas;
-- rows $COLLECT_VIEWS
-- has pipeline_snapshot
SELECT c.relname, array(SELECT a.attname FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 ORDER BY a.attnum) AS columns
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'collect' AND c.relkind = 'v' ORDER BY 1;
-- rows 0
SELECT schemaname, matviewname FROM pg_matviews;
-- rows 1
SELECT pid, query FROM pg_stat_activity WHERE pid = pg_backend_pid();
-- rows $CRM_TABLES+
SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema NOT ILIKE 'pg\_%' AND table_schema NOT ILIKE 'information_schema' ORDER BY 1, 2 LIMIT 5000;
-- rows 3
SELECT users.name AS "users.name", COALESCE(SUM(opportunities.amount), 0) AS "opportunities.total_amount"
FROM crm.opportunities AS opportunities LEFT JOIN crm.users AS users ON opportunities.owner_id = users.user_id
WHERE ((opportunities.created_at >= (TIMESTAMP '2024-01-01')) AND (opportunities.created_at < (TIMESTAMP '2025-01-01')))
GROUP BY 1 ORDER BY 2 DESC LIMIT 3;
