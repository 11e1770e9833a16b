-- Arrays and JSON.
SELECT ARRAY[1, 2, 3], '{1,2,3}'::int[], ARRAY['a', 'b'], '{a,"b c",NULL}'::text[], ARRAY[]::int[]
SELECT (ARRAY[1, 2, 3])[1], (ARRAY[1, 2, 3])[4], (ARRAY[1, 2, 3])[2:3], (ARRAY['a', 'b'])[:1]
SELECT ARRAY[1, 2] || ARRAY[3], ARRAY[1, 2] || 3, 0 || ARRAY[1], array_append(ARRAY[1], 2), array_prepend(0, ARRAY[1]), array_cat(ARRAY[1], ARRAY[2])
SELECT 2 = ANY (ARRAY[1, 2]), 5 = ANY ('{1,2}'::int[]), 1 <> ALL (ARRAY[1, 2]), 'a' = ANY (ARRAY['a'])
SELECT array_length(ARRAY[1, 2, 3], 1), array_length(ARRAY[]::int[], 1), cardinality(ARRAY[1, 2]), cardinality(ARRAY[]::int[]), array_upper(ARRAY[1, 2], 1), array_lower(ARRAY[1, 2], 1), array_ndims(ARRAY[1])
SELECT array_position(ARRAY['a', 'b'], 'b'), array_position(ARRAY['a'], 'z'), array_positions(ARRAY[1, 2, 1], 1), array_remove(ARRAY[1, 2, 1], 1), array_replace(ARRAY[1, 2], 2, 9)
SELECT ARRAY[1, 2] @> ARRAY[1], ARRAY[1] <@ ARRAY[1, 2], ARRAY[1, 2] && ARRAY[2, 3], ARRAY[1, 2] = ARRAY[1, 2], ARRAY[1, 2] < ARRAY[1, 3]
SELECT array_to_string(array_agg(id ORDER BY id), ',') FROM raw.deals WHERE id < 4
SELECT ARRAY(SELECT id FROM raw.deals WHERE id < 4 ORDER BY id)
SELECT ARRAY[1.5, 2], ARRAY[1, NULL], ARRAY[true, false], ARRAY[date '2026-01-01']
SELECT ARRAY[1, 2.5], ARRAY['2026-01-01'::date, NULL]
SELECT ARRAY[[1, 2], [3, 4]]
SELECT (ARRAY[[1, 2], [3, 4]])[2][1]
SELECT array_fill(0, ARRAY[3])
SELECT trim_array(ARRAY[1, 2, 3], 1)
SELECT id FROM raw.deals WHERE region = ANY (string_to_array('EMEA,APAC', ',')) ORDER BY id
SELECT id, u FROM raw.deals, unnest(string_to_array(name, ' ')) u WHERE id < 4 ORDER BY id, u
SELECT id, unnest(string_to_array(name, ' ')) FROM raw.deals WHERE id < 3 ORDER BY id
SELECT id, t.word, t.n FROM raw.deals, unnest(string_to_array(name, ' ')) WITH ORDINALITY AS t(word, n) WHERE id < 4 ORDER BY id, n
SELECT '{1,2'::int[]
SELECT '{1,a}'::int[]
SELECT ARRAY['a', 'b']::text, '{a,b}'::text[]::text
SELECT '{"a": 1, "b": [1, 2, {"c": "x"}]}'::jsonb -> 'a', '{"a": 1}'::jsonb ->> 'a', '[10, 20]'::jsonb -> 1, '[10, 20]'::json ->> 0
SELECT '{"a": {"b": [1, 2]}}'::jsonb #> '{a,b}', '{"a": {"b": [1, 2]}}'::jsonb #>> '{a,b,1}'
SELECT notes::jsonb ->> 'score' FROM raw.deals WHERE notes IS NOT NULL ORDER BY id
SELECT id, notes::jsonb -> 'contact' ->> 'name' FROM raw.deals WHERE notes IS NOT NULL ORDER BY id
SELECT id, notes::jsonb -> 'tags' FROM raw.deals WHERE notes IS NOT NULL ORDER BY id
SELECT id, (notes::jsonb ->> 'score')::numeric FROM raw.deals WHERE notes IS NOT NULL ORDER BY id
SELECT id FROM raw.deals WHERE notes::jsonb ? 'score' ORDER BY id
SELECT id FROM raw.deals WHERE notes::jsonb @> '{"score": 87}' ORDER BY id
SELECT id FROM raw.deals WHERE notes::jsonb -> 'tags' ? 'big' ORDER BY id
SELECT '{"a":1}'::jsonb @> '{"a":1}', '{"a":1}'::jsonb <@ '{"a":1,"b":2}', '{"a":1}'::jsonb ?| ARRAY['x', 'a'], '{"a":1}'::jsonb ?& ARRAY['x', 'a']
SELECT '{"b": 1, "a":  2, "b": 3}'::jsonb, '{"b": 1, "a":  2}'::json
SELECT '{"a": 1}'::jsonb || '{"b": 2}', '{"a": 1, "b": 2}'::jsonb - 'a', '[1,2]'::jsonb - 0
SELECT 'nonsense'::jsonb
SELECT jsonb_array_elements('[1, {"a": 2}, "x"]'::jsonb)
SELECT jsonb_array_elements_text('[1, {"a": 2}, "x"]'::jsonb)
SELECT id, tag FROM raw.deals, jsonb_array_elements_text(notes::jsonb -> 'tags') tag WHERE notes IS NOT NULL ORDER BY id, tag
SELECT * FROM jsonb_each('{"a": 1, "b": "x"}'::jsonb)
SELECT * FROM jsonb_each_text('{"a": 1, "b": "x"}'::jsonb)
SELECT jsonb_object_keys('{"b": 1, "a": 2}'::jsonb)
SELECT jsonb_array_length('[1, 2, 3]'::jsonb), jsonb_typeof('{"a": 1}'::jsonb -> 'a'), jsonb_typeof('[]'::jsonb), jsonb_typeof('null'::jsonb)
SELECT json_build_object('a', 1, 'b', 'x', 'c', NULL, 'd', true), json_build_array(1, 'a', NULL)
SELECT jsonb_build_object('b', 1, 'a', 1.50), jsonb_build_array(1, 'a')
SELECT to_json('a"b'::text), to_jsonb(1.50), to_json(ARRAY[1, 2]), to_jsonb(true)
SELECT row_to_json(t) FROM (SELECT 1 AS a, 'x' AS b, NULL::text AS c) t
SELECT json_agg(t) FROM (SELECT id, name FROM raw.deals WHERE id < 3 ORDER BY id) t
SELECT jsonb_set('{"a": 1}'::jsonb, '{a}', '2'), jsonb_strip_nulls('{"a": null, "b": 1}'::jsonb), jsonb_pretty('{"a": 1}'::jsonb)
SELECT jsonb_extract_path_text('{"a": {"b": "x"}}'::jsonb, 'a', 'b'), json_extract_path('{"a": [1]}'::json, 'a')
SELECT '{"a": 1}'::jsonb = '{"a": 1.0}'::jsonb, '[1,2]'::jsonb = '[2,1]'::jsonb
SELECT jsonb_path_query('{"a": [1, 2]}'::jsonb, '$.a[*]')
