-- What DataGrip's introspection asks: state numbers, ages, catalogs one by one.

-- rows 1
-- has runrate
SELECT current_database() AS a, current_schemas(false) AS b;
-- rows 1
SELECT pg_catalog.txid_current(), pg_catalog.pg_is_in_recovery(), pg_catalog.pg_postmaster_start_time();
-- rows 1
SELECT N.oid::bigint AS id, datname AS name, D.description, datistemplate AS is_template, datallowconn AS allow_connections, pg_catalog.pg_get_userbyid(N.datdba) AS "owner"
FROM pg_catalog.pg_database N
LEFT JOIN pg_catalog.pg_shdescription D ON N.oid = D.objoid
ORDER BY CASE WHEN datname = pg_catalog.current_database() THEN -1::bigint ELSE N.oid::bigint END;
-- rows 9+
-- has crm
SELECT N.oid::bigint AS id, N.xmin AS state_number, nspname AS name, D.description, pg_catalog.pg_get_userbyid(N.nspowner) AS "owner"
FROM pg_catalog.pg_namespace N
LEFT JOIN pg_catalog.pg_description D ON N.oid = D.objoid
ORDER BY CASE WHEN nspname = pg_catalog.current_schema() THEN -1::bigint ELSE N.oid::bigint END;
-- rows $CRM_TABLES
-- has opportunities
SELECT T.relkind AS table_kind, T.relname AS table_name, T.oid AS table_id, T.xmin AS table_state_number, false AS table_with_oids,
  T.reltablespace AS tablespace_id, T.reloptions AS options, T.relpersistence AS persistence,
  (SELECT pg_catalog.array_agg(inhparent::bigint ORDER BY inhseqno)::varchar FROM pg_catalog.pg_inherits WHERE T.oid = inhrelid) AS ancestors,
  (SELECT pg_catalog.array_agg(inhrelid::bigint ORDER BY inhrelid)::varchar FROM pg_catalog.pg_inherits WHERE T.oid = inhparent) AS successors,
  T.relispartition AS is_partition, pg_catalog.pg_get_partkeydef(T.oid) AS partition_key,
  pg_catalog.pg_get_expr(T.relpartbound, T.oid) AS partition_expression, T.relam am_id, pg_catalog.pg_get_userbyid(T.relowner) AS "owner"
FROM pg_catalog.pg_class T
WHERE relnamespace = 'crm'::regnamespace::oid AND relkind IN ('r', 'm', 'v', 'f', 'p') ORDER BY table_kind, table_id;
-- rows $OPPORTUNITIES_COLUMNS
-- has numeric(18,2)
WITH T AS (SELECT T.oid AS table_id, T.relname AS table_name FROM pg_catalog.pg_class T, pg_catalog.pg_namespace N
  WHERE N.oid = T.relnamespace AND N.nspname = 'crm' AND T.relname = 'opportunities')
SELECT T.table_id, C.attnum AS column_position, C.attname AS column_name, C.xmin AS column_state_number, C.atttypmod AS type_mod,
  C.attndims AS dimensions_number, pg_catalog.format_type(C.atttypid, C.atttypmod) AS type_spec, C.atttypid AS type_id, C.attnotnull AS mandatory,
  C.attisdropped AS column_is_dropped, C.attidentity AS identity_kind, C.attcollation AS collation_id
FROM T JOIN pg_catalog.pg_attribute C ON T.table_id = C.attrelid
WHERE attnum > 0 ORDER BY table_id, attnum;
-- rows 5
SELECT T.oid table_id, relkind AS table_kind, C.oid::bigint con_id, C.xmin::varchar con_state_id, conname con_name, contype con_kind, conkey con_columns,
  conindid index_id, confrelid ref_table_id, condeferrable is_deferrable, condeferred is_init_deferred, confupdtype on_update, confdeltype on_delete
FROM pg_catalog.pg_constraint C JOIN pg_catalog.pg_class T ON C.conrelid = T.oid
WHERE relkind IN ('r', 'v', 'f', 'p') AND T.oid = 'crm.opportunities'::regclass AND contype IN ('p', 'u', 'f', 'c', 'x') ORDER BY con_id;
-- rows $CRM_TABLES
-- has CREATE UNIQUE INDEX
SELECT tab.oid table_id, tab.relkind table_kind, ind_stor.relname index_name, ind_head.indexrelid index_id, ind_head.indisunique is_unique,
  ind_head.indisprimary is_primary, ind_head.indkey::text AS columns, pg_catalog.pg_get_indexdef(ind_head.indexrelid) AS definition,
  ind_stor.relam access_method_id, ind_head.indnkeyatts AS key_count
FROM pg_catalog.pg_class tab JOIN pg_catalog.pg_index ind_head ON ind_head.indrelid = tab.oid
JOIN pg_catalog.pg_class ind_stor ON tab.relnamespace = ind_stor.relnamespace AND ind_head.indexrelid = ind_stor.oid
WHERE tab.relnamespace = 'crm'::regnamespace AND tab.relkind IN ('r', 'm', 'v', 'p') ORDER BY table_id;
-- rows 30+
-- has lead_score
SELECT F.oid AS r_id, F.xmin AS r_state, F.proname AS r_name, F.prolang AS lang_id, F.pronargs AS args_count, F.prokind AS kind,
  pg_catalog.pg_get_function_identity_arguments(F.oid) AS args, F.proargnames AS arg_names, F.prorettype AS ret_type_id, F.proretset AS ret_set,
  F.proisstrict AS is_strict, F.provolatile AS volatile_kind, pg_catalog.pg_get_userbyid(F.proowner) AS "owner"
FROM pg_catalog.pg_proc F WHERE F.pronamespace = 'public'::regnamespace AND F.prokind <> 'a' ORDER BY r_id;
-- rows $COLLECT_VIEWS
-- has collect.open_pipeline
SELECT T.relkind AS view_kind, T.oid AS view_id, pg_catalog.pg_get_viewdef(T.oid, true) AS source_text
FROM pg_catalog.pg_class T JOIN pg_catalog.pg_namespace N ON T.relnamespace = N.oid
WHERE N.nspname = 'collect' AND T.relkind IN ('m', 'v');
-- rows 0
SELECT ind_head.oid, ind_head.tgname FROM pg_catalog.pg_trigger ind_head WHERE NOT ind_head.tgisinternal;
-- rows 0
SELECT E.oid::bigint AS id, E.xmin AS state_number, extname AS name, extversion AS version, extnamespace AS schema_id,
  array(SELECT unnest FROM unnest(available_versions) WHERE unnest > extversion) AS available_updates
FROM pg_catalog.pg_extension E
JOIN (SELECT name, pg_catalog.array_agg(version) AS available_versions FROM pg_catalog.pg_available_extension_versions() GROUP BY name) AVT ON E.extname = AVT.name;
-- rows 1+
SELECT A.oid AS access_method_id, A.xmin AS state_number, A.amname AS access_method_name, A.amhandler::oid AS handler_id, A.amtype AS access_method_type FROM pg_am A;
-- rows 1000+
SELECT name, is_dst FROM pg_catalog.pg_timezone_names UNION DISTINCT SELECT abbrev AS name, is_dst FROM pg_catalog.pg_timezone_abbrevs
UNION ALL SELECT name, is_dst FROM pg_catalog.pg_timezone_names;
