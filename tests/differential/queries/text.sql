-- Text functions, patterns, regular expressions.
SELECT name FROM raw.deals WHERE name ILIKE '%ACME%' ORDER BY id
SELECT name FROM raw.deals WHERE name LIKE 'Foxtrot\_100\%' ORDER BY id
SELECT name FROM raw.deals WHERE name LIKE '%!%%' ESCAPE '!' ORDER BY id
SELECT name FROM raw.deals WHERE name NOT LIKE 'A%' ORDER BY id
SELECT name FROM raw.deals WHERE name NOT ILIKE 'a%' ORDER BY id
SELECT name FROM raw.deals WHERE name ~ '^[A-C]' ORDER BY id
SELECT name FROM raw.deals WHERE name ~* 'acme|ECHO' ORDER BY id
SELECT name FROM raw.deals WHERE name !~ 'a' ORDER BY id
SELECT name FROM raw.deals WHERE name !~* 'A' ORDER BY id
SELECT name FROM raw.deals WHERE name SIMILAR TO '(Acme|Castor)%' ORDER BY id
SELECT name FROM raw.deals WHERE name NOT SIMILAR TO '%(a|e)%' ORDER BY id
SELECT 'abc' ~~ 'a%', 'abc' ~~* 'A%', 'abc' !~~ 'b%'
SELECT 'abc' SIMILAR TO 'a', 'abc' SIMILAR TO '%(b|d)%', 'a.c' SIMILAR TO 'a.c', 'abc' SIMILAR TO 'a_c'
SELECT name FROM raw.deals WHERE name LIKE ANY (ARRAY['Acme%', 'I%']) ORDER BY id
SELECT upper(name), lower(name), initcap(name), length(name) FROM raw.deals ORDER BY id
SELECT initcap('hello wORLD o''neil 3rd-time'), initcap('ünïcode ÉTÉ')
SELECT char_length('Zoë'), octet_length('Zoë'), bit_length('abc'), character_length('x')
SELECT left('abcdef', 2), left('abcdef', -2), right('abcdef', 2), right('abcdef', -2)
SELECT lpad('7', 3, '0'), rpad('7', 3), lpad('abcdef', 3), rpad('ab', 5, 'xy')
SELECT repeat('ab', 3), repeat('ab', 0), reverse('abc'), repeat('x', -1)
SELECT trim('  a  '), trim(both 'x' from 'xxaxx'), trim(leading from '  a '), trim(trailing 'a' from 'baa')
SELECT ltrim('xxa', 'x'), rtrim('axx', 'x'), btrim('xyaxy', 'xy'), ltrim('  a')
SELECT substring('abcdef' from 2 for 3), substring('abcdef', 3), substr('abcdef', 2, 2), substring('abcdef' for 2)
SELECT substring('foobar' from 'o.b'), substring('foobar' from 'o(.)b'), substring('abc' from -1 for 3)
SELECT substring('abc' from 2 for -1)
SELECT position('b' in 'abc'), strpos('abc', 'c'), strpos('abc', 'z'), position('' in 'abc')
SELECT overlay('Txxxxas' placing 'hom' from 2 for 4), overlay('abcdef' placing 'XX' from 3)
SELECT replace('aXbX', 'X', 'yy'), translate('12345', '143', 'ax')
SELECT split_part('a,b,c', ',', 2), split_part('a,b,c', ',', -1), split_part('a,b', ',', 5), split_part('abc', '', 1)
SELECT split_part('a,b', ',', 0)
SELECT concat('a', NULL, 1, true), concat_ws('-', 'a', NULL, 'b', 2), 'a' || NULL, 'a' || 1, 1 || 'a'
SELECT 'n: ' || 1.50 || ' d: ' || date '2024-01-31' || ' b: ' || true
SELECT 1 || 2
SELECT ascii('a'), ascii('é'), chr(65), chr(233), ascii('')
SELECT chr(0)
SELECT md5('abc'), encode('abc'::bytea, 'hex'), encode('abc'::bytea, 'base64'), decode('616263', 'hex')
SELECT encode(sha256('abc'), 'hex')
SELECT '\x616263'::bytea, 'abc'::bytea, length('abc'::bytea)
SELECT quote_ident('a b'), quote_ident('abc'), quote_ident('select'), quote_literal('it''s'), quote_literal(42), quote_nullable(NULL)
SELECT format('%s has %s', 'a', 2), format('%I = %L', 'a b', 'x''y'), format('%2$s %1$s', 'a', 'b'), format('%5s|%-5s|', 'a', 'b'), format('100%%')
SELECT regexp_replace('foobarbaz', 'b..', 'X'), regexp_replace('foobarbaz', 'b..', 'X', 'g'), regexp_replace('foobarbaz', 'B..', 'X', 'gi'), regexp_replace('foobarbaz', 'b(..)', 'X\1Y', 'g')
SELECT regexp_replace('2026-01-31', '(\d+)-(\d+)-(\d+)', '\3/\2/\1'), regexp_replace('abc', 'b', '[\&]')
SELECT regexp_match('foobarbequebaz', '(bar)(beque)'), regexp_match('abc', 'x'), regexp_match('abc', 'b')
SELECT regexp_matches('foobarbequebazilbarfbonk', '(b[^b]+)(b[^b]+)', 'g')
SELECT * FROM regexp_matches('a1b2c3', '([a-z])(\d)', 'g')
SELECT regexp_split_to_array('a, b,c', ',\s*'), regexp_split_to_array('hello', '')
SELECT regexp_split_to_table('a b  c', '\s+')
SELECT regexp_count('abcabc', 'b'), regexp_like('abc', '^A', 'i'), regexp_substr('abc123', '\d+'), regexp_instr('abc123', '\d')
SELECT string_to_array('a,b,c', ','), string_to_array('a,b,,c', ',', ''), string_to_array('abc', NULL), string_to_array('', ',')
SELECT string_to_table('a,b', ',')
SELECT array_to_string(ARRAY['a', NULL, 'b'], ','), array_to_string(ARRAY[1, NULL, 2], ',', '*')
SELECT starts_with('abc', 'ab'), 'abc' ^@ 'ab'
SELECT 'a'::char(3), 'abc'::varchar(2), 'x'::char
SELECT 'abc'::varchar, 'abc'::text, 'abc'::name
SELECT E'a\nb', E'tab\there', E'\u00e9', U&'\00e9', $$dollar $q$ quoted$$, $x$it's$x$
SELECT 'a' 'b'
SELECT 'it''s', '', 'back\slash'
SELECT 'a' < 'B', 'a' < 'b', 'A' < 'a', 'é' > 'z'
SELECT name COLLATE "C" FROM raw.deals WHERE id < 3 ORDER BY name COLLATE "C"
SELECT unaccent('é')
SELECT no_such_function(1)
SELECT upper(1)
SELECT length(42)
SELECT lower('ABC') = 'abc' AND NOT 'x' = 'y'
SELECT to_ascii('abc')
SELECT name, strpos(name, ' '), split_part(name, ' ', 1) FROM raw.deals ORDER BY id
SELECT concat_ws(', ', name, region, manager) FROM raw.reps ORDER BY name
SELECT string_agg(DISTINCT left(name, 1), '' ORDER BY left(name, 1)) FROM raw.deals
SELECT 'abc' LIKE 'a_c', 'a%c' LIKE 'a\%c', 'abc' LIKE 'ABC', 'abc' ILIKE 'ABC', '' LIKE '%', 'x' LIKE NULL
SELECT E'line1\nline2' ~ 'line1.line2', 'aaa' ~ 'a{2}', 'foo.bar' ~ 'foo\.bar', 'x' ~ '\d', 'word here' ~ '\mhere\M'
SELECT regexp_substr('abc abd abe', 'ab.', 2, 2), regexp_instr('abc abd abe', 'ab(.)', 1, 2, 1, 'i', 1), regexp_count('ABC abc', 'abc', 1, 'i')
SELECT to_char(485, 'FMRN'), to_char(4000, 'RN'), to_char(12345.678, '9.999EEEE'), to_char(-0.00123, '9.9EEEE'), to_char(1, 'FM9th'), to_char(112, 'FM999TH'), to_char(-2, 'FM9th')
SELECT jsonb_set('{"a": [1, 2]}', '{a,-1}', '9'), jsonb_set('{"a": 1}', '{b}', '2', false), jsonb_set('{"a": [1]}', '{a,5}', '2')
SELECT jsonb_pretty('{"a": [1, {"b": 2}], "c": {}, "d": []}'::jsonb)
