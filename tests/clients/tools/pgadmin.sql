-- What pgAdmin asks when it connects and opens its tree.

-- rows 0
SET DateStyle=ISO;
-- rows 0
SET client_min_messages=notice;
-- rows 0
SELECT set_config('bytea_output', 'hex', false) FROM pg_show_all_settings() WHERE name = 'bytea_output_never';
-- rows 1
-- has hex
SELECT set_config('bytea_output', 'hex', false) FROM pg_show_all_settings() WHERE name = 'bytea_output';
-- rows 1
-- has runrate
SELECT db.oid AS did, db.datname, db.datallowconn, pg_encoding_to_char(db.encoding) AS serverencoding,
  has_database_privilege(db.oid, 'CREATE') AS cancreate, datistemplate
FROM pg_catalog.pg_database db WHERE db.datname = current_database();
-- rows 1
SELECT roles.oid AS id, roles.rolname AS name, roles.rolsuper AS is_superuser,
  CASE WHEN roles.rolsuper THEN true ELSE roles.rolcreaterole END AS can_create_role,
  CASE WHEN roles.rolsuper THEN true ELSE roles.rolcreatedb END AS can_create_db,
  CASE WHEN 'pg_signal_backend' = ANY(ARRAY(WITH RECURSIVE cte AS (SELECT pg_roles.oid, pg_roles.rolname FROM pg_roles WHERE pg_roles.oid = roles.oid
    UNION ALL SELECT m.roleid, pgr.rolname FROM cte cte_1 JOIN pg_auth_members m ON m.member = cte_1.oid JOIN pg_roles pgr ON pgr.oid = m.roleid)
    SELECT rolname FROM cte)) THEN true ELSE false END AS can_signal_backend
FROM pg_catalog.pg_roles AS roles WHERE rolname = current_user;
-- rows 6+
-- has crm
SELECT nsp.oid, nsp.nspname AS name, has_schema_privilege(nsp.oid, 'CREATE') AS can_create, has_schema_privilege(nsp.oid, 'USAGE') AS has_usage, descr.description
FROM pg_catalog.pg_namespace nsp
LEFT OUTER JOIN pg_catalog.pg_description descr ON (descr.objoid = nsp.oid AND descr.classoid = 'pg_namespace'::regclass)
WHERE nspname NOT LIKE 'pg!_%' ESCAPE '!' AND NOT (nsp.nspname = 'information_schema') ORDER BY nspname;
-- rows $CRM_TABLES
-- has opportunities
SELECT rel.oid, rel.relname AS name, (SELECT count(*) FROM pg_catalog.pg_trigger WHERE tgrelid = rel.oid AND tgisinternal = FALSE) AS triggercount,
  (SELECT count(1) FROM pg_catalog.pg_inherits WHERE inhrelid = rel.oid LIMIT 1) AS is_inherits, des.description
FROM pg_catalog.pg_class rel
LEFT OUTER JOIN pg_catalog.pg_description des ON (des.objoid = rel.oid AND des.objsubid = 0 AND des.classoid = 'pg_class'::regclass)
WHERE rel.relkind IN ('r', 's', 't', 'p') AND rel.relnamespace = 'crm'::regnamespace AND NOT rel.relispartition ORDER BY rel.relname;
-- rows 1
SELECT count(*) FROM pg_catalog.pg_stat_gssapi WHERE pid = pg_backend_pid();
-- rows 1+
SELECT pid, usename, datname, state, query FROM pg_catalog.pg_stat_activity WHERE datname = (SELECT datname FROM pg_catalog.pg_database WHERE datname = 'runrate') ORDER BY pid;
-- rows 0
SELECT locktype, relation::regclass, pid, mode, granted FROM pg_catalog.pg_locks;
-- rows 20+
-- has max_index_keys
SELECT name, category, setting, unit, short_desc FROM pg_catalog.pg_settings ORDER BY name;
