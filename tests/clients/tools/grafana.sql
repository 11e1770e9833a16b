-- What Grafana's query builder asks, and a panel.

-- rows 1
-- has 1500
SELECT current_setting('server_version_num')::int / 100 AS version;
-- rows $CRM_TABLES
-- has opportunities
SELECT CASE WHEN quote_ident(table_schema) IN ('crm') THEN quote_ident(table_name) ELSE quote_ident(table_schema) || '.' || quote_ident(table_name) END AS "table"
FROM information_schema.tables
WHERE quote_ident(table_schema) NOT IN ('information_schema', 'pg_catalog', '_timescaledb_cache') AND table_schema = 'crm'
ORDER BY CASE WHEN quote_ident(table_schema) IN ('crm') THEN 0 ELSE 1 END, 1;
-- rows 1+
SELECT quote_ident(column_name) AS "column", data_type AS "type" FROM information_schema.columns WHERE
  CASE WHEN array_length(parse_ident('crm.opportunities'), 1) = 2
  THEN quote_ident(table_schema) = (parse_ident('crm.opportunities'))[1] AND quote_ident(table_name) = (parse_ident('crm.opportunities'))[2]
  ELSE quote_ident(table_name) = 'crm.opportunities' END;
-- rows 5+
SELECT date_trunc('month', created_at) AS "time", count(*) AS deals FROM crm.opportunities
WHERE created_at BETWEEN '2026-01-01T00:00:00Z' AND '2026-06-30T23:59:59Z' GROUP BY 1 ORDER BY 1;
-- rows 5+
SELECT floor(extract(epoch FROM created_at) / 2592000) * 2592000 AS "time", stage_id AS metric, sum(amount) AS value
FROM crm.opportunities GROUP BY 1, 2 ORDER BY 1, 2;
