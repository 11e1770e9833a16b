-- What Tableau asks: settings, whether temporary tables can be made (it falls back when not), its wrappers.

-- rows 0
BEGIN;
-- rows 0
SAVEPOINT _EXEC_SVP_1;
-- rows 0
RELEASE _EXEC_SVP_1;
-- rows 0
COMMIT;
-- rows 1
SELECT set_config('bytea_output', 'hex', false);
-- rows 0
SELECT oid, typbasetype FROM pg_type WHERE typname = 'lo';
-- rows 1
SELECT SUM(1) AS "cnt:deals" FROM "crm"."opportunities" "opportunities" HAVING COUNT(1) > 0;
-- rows 1
-- has $OPPORTUNITIES
SELECT COUNT(1) AS "cnt" FROM (SELECT * FROM "crm"."opportunities") "Custom SQL Query";
-- rows 3
SELECT "opportunities"."forecast_category" AS "forecast_category", SUM("opportunities"."amount") AS "sum:amount:ok"
FROM "crm"."opportunities" "opportunities" INNER JOIN "crm"."users" "users" ON ("opportunities"."owner_id" = "users"."user_id")
GROUP BY 1 ORDER BY 2 DESC NULLS LAST LIMIT 3;
-- rows $CRM_TABLES
SELECT n.nspname, c.relname, a.attname, a.atttypid, t.typname, a.attnum, a.attlen, a.atttypmod, a.attnotnull, c.relhasrules, c.relkind, c.oid,
  pg_get_expr(d.adbin, d.adrelid), CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE 0 END, t.typtypmod, 0, attidentity, c.relhassubclass
FROM (((pg_catalog.pg_class c INNER JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname LIKE 'crm')
INNER JOIN pg_catalog.pg_attribute a ON (NOT a.attisdropped) AND a.attnum = 1 AND a.attrelid = c.oid)
INNER JOIN pg_catalog.pg_type t ON t.oid = a.atttypid)
LEFT OUTER JOIN pg_attrdef d ON a.atthasdef AND d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE c.relkind IN ('r', 'v') ORDER BY n.nspname, c.relname, attnum;
