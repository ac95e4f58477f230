-- SPDX-License-Identifier: PostgreSQL
--
-- One database with every type and kind of object that a copy could get wrong.
-- For psql -X -v ON_ERROR_STOP=1, as superuser, in an empty UTF-8 database,
-- after edge-roles.sql was run on the cluster.
--
-- Not in here: rows of an extension's configuration, for which an extension
-- would have to be installed.

SET client_min_messages = warning;
SET client_encoding = 'UTF8';
SET timezone = 'Asia/Kathmandu';   -- +05:45

SELECT current_setting('server_version_num')::int >= 140000 AS v14,
       current_setting('server_version_num')::int >= 150000 AS v15,
       current_setting('server_version_num')::int >= 170000 AS v17,
       current_setting('server_version_num')::int >= 180000 AS v18
\gset

---------------------------------------------------------------------------
-- Extensions: members are made by CREATE EXTENSION, their columns are ours

CREATE SCHEMA ext;
CREATE EXTENSION hstore SCHEMA ext;
CREATE EXTENSION citext SCHEMA ext;
CREATE EXTENSION btree_gist SCHEMA ext;
CREATE EXTENSION pg_trgm SCHEMA ext;
CREATE EXTENSION postgres_fdw SCHEMA ext;
COMMENT ON EXTENSION hstore IS 'not what it says of itself';

CREATE TABLE ext.uses (id int PRIMARY KEY, h ext.hstore, c ext.citext UNIQUE,
    hs ext.hstore[]);
INSERT INTO ext.uses VALUES
    (1, 'a=>1, "b c"=>NULL, "q\"q"=>"x\\y"', 'MiXed', ARRAY['a=>b'::ext.hstore, NULL]),
    (2, '', 'ünïcode', '{}'),
    (3, NULL, NULL, NULL);
CREATE INDEX ON ext.uses USING gist (h);
CREATE INDEX ON ext.uses USING gin ((c::text) ext.gin_trgm_ops);

---------------------------------------------------------------------------
-- Types: every built-in one, at its limits

CREATE SCHEMA types;

CREATE TABLE types.numbers (
    id int PRIMARY KEY, s smallint, i integer, b bigint,
    n numeric, n2 numeric(12, 4), r real, d double precision, m money, o oid,
    x xid, c cid);
INSERT INTO types.numbers VALUES
    (1, -32768, -2147483648, -9223372036854775808, 'NaN', 'NaN', 'NaN', 'NaN',
     '-92233720368547758.08', 0, '0', '0'),
    (2, 32767, 2147483647, 9223372036854775807,
     ('1' || repeat('0', 1000) || '.' || repeat('0', 1000) || '1')::numeric,
     99999999.9999, '-0', '-0', '92233720368547758.07', 4294967295,
     '4294967295', '4294967295'),
    (3, 0, 0, 0, 0, 0, 0, 0, 0, 1, '3', '3'),
    (4, 1, 1, 1, 0.00000, -0.0001, 1e-45, 5e-324, '0.01', 2147483648, '1', '1'),
    (5, -1, -1, -1, 1.10, 1.10, 3.4028235e38, 1.7976931348623157e308, '-0.01',
     16384, '2', '2'),
    (6, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    (7, 7, 7, 7, 1e131071, 0, 'Infinity', '-Infinity', 0, 7, '7', '7'),
    (8, 8, 8, 8, 1e-16383, 0, 0.1, 0.1, 0, 8, '8', '8'),
    (9, 9, 9, 9, -12345678901234567890.123456789, 0, 1.17549435e-38,
     2.2250738585072014e-308, 0, 9, '9', '9'),
    (10, 9, 9, 9, 1, 0, 0.3, 0.1 + 0.2::float8, 0, 9, '9', '9');
\if :v14
INSERT INTO types.numbers (id, n) VALUES (20, 'Infinity'), (21, '-Infinity');
\endif
-- Denormals and neighbours: each prints differently, or the copy is not one.
CREATE TABLE types.floats AS
    SELECT i, (1.0 / i)::real AS r, (1.0::float8 / i) * 10.0::float8 ^ (i % 300 - 150) AS d
    FROM generate_series(1, 2000) AS i;

CREATE TABLE types.times (
    id int PRIMARY KEY, d date, t time, t3 time(3), tz timetz, ts timestamp,
    tsz timestamptz, ts0 timestamptz(0), v interval, vm interval year to month,
    vs interval second(2));
INSERT INTO types.times VALUES
    (1, '4713-01-01 BC', '00:00', '00:00', '00:00+15:59',
     '4713-01-01 00:00:00 BC', '4713-01-01 00:00:00+00 BC', 'epoch',
     '-178000000 years', '-178000000 years', '0.01 s'),
    (2, '5874897-12-31', '24:00', '23:59:59.999', '24:00-15:59',
     '294276-12-31 23:59:59.999999', '294276-12-31 23:59:59.999999+00',
     '2024-02-29 23:59:60+00', '178000000 years', '1 year 1 mon', '59.99 s'),
    (3, 'infinity', '12:34:56.789012', '12:34:56.789', '12:34:56.789012+05:45',
     'infinity', '-infinity', 'infinity',
     '-1 year -2 mons +3 days -04:05:06.789', '-3 mons', '-0.5 s'),
    (4, '-infinity', '01:02:03', '01:02:03', '01:02:03+00:00:01', '-infinity',
     '1883-11-18 12:03:58+00', '1900-01-01 00:00:00-00',
     '1 mon -1 day +00:00:00.000001', '0', '0'),
    (5, '0001-12-31 BC', '00:00:00.000001', '00:00', '00:00-00:30',
     '0001-01-01 00:00:00', '2011-03-13 02:30:00 America/New_York',
     '2024-10-27 01:30:00+00', '25:00:00', '1 year', '25 s'),
    (6, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    (7, '0099-02-03', '12:00', '12:00', '12:00+05:30', '0099-02-03 04:05:06',
     '0010-11-12 04:05:06+00', '1999-01-08 04:05:06+00', '1 day', '0', '1 s'),
    (8, '2001-02-03', '12:00', '12:00', '12:00 PST', '2001-02-03 04:05:06.1',
     '2001-02-03 04:05:06.123456 Asia/Kolkata', '1999-12-31 23:59:59.5+00',
     '1 year 2 months 3 days 4 hours 5 minutes 6.789 seconds', '9 mon', '1 s');

CREATE TABLE types.texts (id int PRIMARY KEY, t text, v varchar(40),
    c char(10), "char" "char", n name, b bytea, cs text COLLATE "C");
INSERT INTO types.texts VALUES
    (1, '', '', '', '', '', '', ''),
    (2, E'\\.', E'\\.', E'\\.', E'\\377', 'name', '\x', E'\\.'),
    (3, E'line\nline', E'\r\n', E'a\nb', 'x', E'n\nn', '\x0a0d5c2e', E'\n'),
    (4, E'\\N', E'\\N', E'\\N', '\', E'\\N', '\x5c4e', E'\\N'),
    (5, E'\ttab\t', E'\t', E'\t', E'\t', E'\t', '\x09', E'\t'),
    (6, E'\b\f\v\x01\x02\x1f\x7f', E'\x01', E'\x7f', E'\x01', E'\x01', '\x00',
     E'\x01\x01'),
    (7, '𝔘𝔫𝔦𝔠𝔬𝔡𝔢 🐘 ﷺ é e' || U&'\0301', '🐘🐘', 'ß', 'a', '🐘', '\xf09f9098',
     U&'\FEFF' || 'bom'),
    (8, U&'\202E' || 'rtl' || U&'\202C' || U&'\200B\FFFE\FFFF\+10FFFF', 'ア', 'ア',
     'a', 'ア', '\xff00ff', U&'\0001'),
    (9, ' leading and trailing ', '  ', '  a  ', ' ', ' a ', '\x20', ' '),
    (10, '"quoted", ''single'', {braces}, (paren), a,b', '"', '''', '"', '"',
     '\x22', '{}'),
    (11, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    (12, 'NULL', 'null', 'NULL', 'N', 'NULL', '\x4e554c4c', 'NULL'),
    (13, E'\\\\\\', E'\\x41', E'\\101', '0', E'\\', '\x5c5c', E'ends in \\'),
    (14, '%s%n%d $1 :name ${HOME} `id` $(id)', '%', '%', '%', '%s', '\x25',
     '--comment'),
    (15, E'\r', E'\r', E'\r', E'\r', E'\r', '\x0d', E'a\rb\r');
-- Every byte, beside every other.
INSERT INTO types.texts (id, b) SELECT 100 + i, (
    SELECT string_agg(set_byte('\x0000', 0, i) || '\x'::bytea || set_byte('\x00', 0, j), ''
        ORDER BY j) FROM generate_series(0, 255) AS j)
    FROM generate_series(0, 255) AS i;
-- Every character below U+3000 that there is, and some of each plane.
INSERT INTO types.texts (id, t) SELECT 1000 + i / 64, string_agg(chr(i), '' ORDER BY i)
    FROM generate_series(1, x'2fff'::int) AS i
    WHERE i < x'd800'::int GROUP BY i / 64;
INSERT INTO types.texts (id, t) SELECT 10000 + i, 'x' || chr(i * 4096 + i)
    FROM generate_series(16, 271) AS i;
-- Out of line, compressed, and neither.
INSERT INTO types.texts (id, t, b) SELECT 20000 + i, repeat('compress me ', i * 3000),
    (SELECT string_agg(decode(md5((i * j)::text), 'hex'), '') FROM generate_series(1, 500) AS j)
    FROM generate_series(1, 12) AS i;

CREATE TABLE types.documents (id int PRIMARY KEY, j json, jb jsonb, jp jsonpath,
    x xml, v tsvector, q tsquery, u uuid);
INSERT INTO types.documents VALUES
    (1, E'{"a" :  1,\n\t"a": 2,   "b":[ 1 ,2 ] , "" : null }', '{"b": 1, "a": 2, "": null}',
     '$.a[*] ? (@.b > 1 && @.c like_regex "x" flag "i")', '<a  b = "1" />',
     'a:1A,2B b:16383 ''it''''s'':3', '''a'' & !b | c <-> d:*A', '00000000-0000-0000-0000-000000000000'),
    (2, '"\u00e9\ud83d\ude00 \n \\ \/"', '"\u00e9\ud83d\ude00 \n \\ \/"', 'strict $."q\"q"',
     'content <b/> more', '', '', 'FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF'),
    (3, '1e400', '1e-400', '$', '<?xml version="1.0"?><doc>&lt;&amp;</doc>',
     ('x' || repeat('y', 100))::tsvector, 'x:ABCD', 'a0eebc999c0b4ef8bb6d6bb9bd380a11'),
    (4, 'null', 'null', 'lax $[last]', '<a><![CDATA[ ]]]]><![CDATA[> ]]></a>', NULL, NULL, NULL),
    (5, '[1.0,1.00,-0]', '[1.0,1.00,-0]', '$.*', '', 'ünï:1', 'ünï', NULL),
    (6, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    (7, ' [ ] ', '{}', '$"v"', '<!-- c --><?pi x?>', 'simple', 'a <5> b', NULL);
INSERT INTO types.documents (id, jb, v) SELECT 100 + i,
    jsonb_build_object('k', repeat('v', i * 2000), 'n', i),
    to_tsvector('simple', (SELECT string_agg('w' || k, ' ') FROM generate_series(1, i * 200) AS k))
    FROM generate_series(1, 8) AS i;

CREATE TABLE types.odd (id int PRIMARY KEY, bo bool, b1 bit, b9 bit(9),
    vb bit varying, vb5 bit varying(5), i inet, c cidr, m macaddr, m8 macaddr8,
    p point, l line, s lseg, bx box, pa path, po polygon, ci circle, lsn pg_lsn,
    snap txid_snapshot, snap2 pg_snapshot, t tid, iv int2vector, ov oidvector, rc refcursor,
    x8 xid8);
INSERT INTO types.odd VALUES
    (1, true, '1', B'101010101', B'', B'', '::', '::/0', '08:00:2b:01:02:03',
     '08:00:2b:01:02:03:04:05', '(-0,NaN)', '{1,-1,0}', '[(0,0),(1,1)]',
     '(2,2),(0,0)', '[(0,0),(1,1)]', '((0,0),(1,0),(0,1))', '<(1,1),0>',
     '0/0', '10:20:10,14,15', '10:20:10,14,15', '(0,1)', '1 2 3', '1 2 3', 'cur', '0'),
    (2, false, '0', B'000000000', repeat('10', 999)::varbit, B'11111',
     '192.168.0.1/24', '10.0.0.0/8', 'ff:ff:ff:ff:ff:ff', 'ff:ff:ff:ff:ff:ff:ff:ff',
     '(Infinity,-Infinity)', '{0,1,1e-300}', '[(1e300,0),(-1e300,0)]',
     '(1,1),(1,1)', '((0,0),(1,1),(2,0))', '((0,0))', '<(0,0),1e300>',
     'FFFFFFFF/FFFFFFFF', '10:10:', '10:10:', '(4294967295,65535)', '', '', '', '18446744073709551615'),
    (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
     NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    (4, true, '1', B'111111111', B'1', B'1', 'fe80::1%'::text::varchar(6)::inet, '::ffff:1.2.3.4/128',
     '00:00:00:00:00:00', '00:00:00:ff:fe:00:00:00', '(1e-320,0.1)', '{-0.1,0.2,0.3}',
     '[(0.1,0.2),(0.3,0.4)]', '(0.1,0.2),(0.3,0.4)', '((0.1,0.2))', '((0.1,0.2),(0.3,0.4))',
     '<(0.1,0.2),0.3>', '16/B374D848', NULL, NULL, '(1,1)', NULL, NULL, NULL, '1');

-- What is stored as a number, and printed as a name.
CREATE TABLE types.names (id int PRIMARY KEY, c regclass, p regproc,
    pp regprocedure, o regoper, oo regoperator, t regtype, r regrole,
    n regnamespace, cf regconfig, d regdictionary);
\if :v14
ALTER TABLE types.names ADD co regcollation;
\endif
INSERT INTO types.names VALUES
    (1, 'types.odd', 'pg_catalog.now', 'pg_catalog.abs(int)', 'pg_catalog.||/',
     'pg_catalog.+(int,int)', 'types.odd', 'edge_owner', 'types', 'simple', 'simple'),
    (2, '0', '0', '0', '0', '0', '0', '0', '0', '0', '0'),
    (3, 'pg_class', 'pg_catalog.version', 'pg_catalog.now()', NULL, NULL, 'timestamptz[]', NULL,
     'pg_catalog', 'english', 'english_stem'),
    (4, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);

CREATE TYPE types.mood AS ENUM ('sad', 'it''s "ok"', E'new\nline', '🐘', 'NULL', '{,}', '');
ALTER TYPE types.mood ADD VALUE 'between' AFTER 'sad';
ALTER TYPE types.mood ADD VALUE 'first' BEFORE 'sad';
COMMENT ON TYPE types.mood IS 'a mood';
CREATE TYPE types.one AS (a int);
CREATE TYPE types.pair AS (a int, "b b" text, m types.mood, inner_one types.one);
ALTER TYPE types.pair ADD ATTRIBUTE late text;
ALTER TYPE types.pair DROP ATTRIBUTE a;
CREATE TYPE types.nothing AS ();
CREATE TYPE types.float_range AS RANGE (subtype = float8, subtype_diff = float8mi);
CREATE TYPE types.text_range AS RANGE (subtype = text, collation = "C");
CREATE DOMAIN types.positive AS int CHECK (VALUE > 0);
CREATE DOMAIN types.even AS types.positive DEFAULT 2 CONSTRAINT is_even CHECK (VALUE % 2 = 0);
CREATE DOMAIN types.never_null AS text NOT NULL DEFAULT '' COLLATE "C";
CREATE DOMAIN types.moods AS types.mood[] CHECK (cardinality(VALUE) < 9);
CREATE DOMAIN types.a_pair AS types.pair CHECK ((VALUE).late IS DISTINCT FROM 'never');
CREATE DOMAIN types.a_range AS int4range;
CREATE DOMAIN types.unchecked AS int;
ALTER DOMAIN types.unchecked ADD CONSTRAINT later CHECK (VALUE <> 13) NOT VALID;
COMMENT ON DOMAIN types.even IS 'even';
COMMENT ON CONSTRAINT is_even ON DOMAIN types.even IS 'and its check';

CREATE TABLE types.made (id int PRIMARY KEY, m types.mood, ms types.mood[],
    p types.pair, ps types.pair[], e types.even, es types.even[], nn types.never_null,
    dm types.moods, dp types.a_pair, dr types.a_range, u types.unchecked,
    row_of_a_table types.documents, nothing types.nothing);
INSERT INTO types.made VALUES
    (1, 'first', '{first,"it''s \"ok\"",NULL,"NULL","{,}",""}',
     ROW('q"q', 'sad', ROW(1), E'l\nl'), ARRAY[ROW(NULL, NULL, NULL, ''), NULL]::types.pair[],
     2, '{2,4,NULL}', '', '{sad,sad}', ROW(NULL, NULL, NULL, NULL), '[1,5)', 12,
     ROW(1, '{"a" : 1}', '{}', '$', '<a/>', 'a', 'b', NULL), ROW()),
    (2, '🐘', '{}', NULL, '{}', NULL, NULL, E'\\.', NULL, NULL, NULL, NULL, NULL, NULL),
    (3, E'new\nline', '[-1:1]={sad,first,🐘}', ROW(',(),', '🐘', NULL, NULL), NULL, 4, '{{2},{4}}', 'x',
     '{}', ROW('(', 'first', ROW(NULL), ')'), 'empty', 14, NULL, NULL),
    (4, '', '{{{sad}},{{first}}}', NULL, NULL, 2147483646, NULL, 'NULL', NULL, NULL, '(,)', NULL, NULL, NULL);

CREATE TABLE types.ranges (id int PRIMARY KEY, i4 int4range, i8 int8range,
    n numrange, ts tsrange, tz tstzrange, d daterange, f types.float_range,
    t types.text_range, rs int4range[]);
INSERT INTO types.ranges VALUES
    (1, '[1,5)', '(,9)', '[NaN,NaN]', '[2024-01-01 00:00,infinity)', '[2024-01-01 00:00 UTC,)',
     '[2024-02-29,infinity]', '[-0,0.1]', '["a,b","c\"d")', '{"[1,2)",empty,NULL}'),
    (2, 'empty', 'empty', 'empty', 'empty', 'empty', 'empty', 'empty', 'empty', '{}'),
    (3, '(,)', '(,)', '(,)', '(,)', '(,)', '(,)', '(,)', '(,)', NULL),
    (4, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
\if :v14
ALTER TABLE types.ranges ADD m4 int4multirange, ADD mn nummultirange,
    ADD mts tsmultirange, ADD mtz tstzmultirange, ADD md datemultirange,
    ADD m8 int8multirange;
UPDATE types.ranges SET m4 = '{[1,2),[5,9)}', mn = '{}', mts = '{(,)}',
    mtz = '{[2024-01-01 00:00 UTC,)}', md = '{[2024-01-01,2024-02-01)}', m8 = '{[1,2]}' WHERE id = 1;
\endif

-- Arrays of all that can be in one.
DO $$
DECLARE list text;
BEGIN
    SELECT string_agg(format('%I %s', 'a_' || typname, oid::regtype), ', ' ORDER BY oid)
    INTO list FROM pg_type
    WHERE typnamespace = 'pg_catalog'::regnamespace AND typtype IN ('b', 'r', 'm')
      AND typelem <> 0 AND typlen = -1 AND typname LIKE '\_%'
      AND (SELECT e.typtype FROM pg_type e WHERE e.oid = pg_type.typelem) IN ('b', 'r', 'm');
    EXECUTE 'CREATE TABLE types.arrays (id serial PRIMARY KEY, ' || list || ')';
END $$;
INSERT INTO types.arrays (a__bool, a__bytea, a__char, a__name, a__int8, a__int2, a__int4,
    a__text, a__tid, a__xid, a__oid, a__json, a__xml, a__point, a__float4, a__float8, a__money,
    a__inet, a__cidr, a__bpchar, a__varchar, a__date, a__time, a__timestamp, a__timestamptz,
    a__interval, a__timetz, a__bit, a__varbit, a__numeric, a__uuid, a__pg_lsn, a__tsvector,
    a__tsquery, a__jsonb, a__jsonpath, a__int4range, a__numrange, a__regclass, a__box)
SELECT '{t,f,NULL}', ARRAY['\x00ff'::bytea, '', NULL], '{a,"","\""}', '{name,"na me"}',
    '{{1,2},{3,NULL}}', '{}', '[5:6][-1:0]={{1,2},{3,4}}',
    ARRAY['', 'NULL', NULL, E'\\.', E'a\nb', '"', '{', E'\\'], '{"(1,2)"}', '{1}', '{0,4294967295}',
    ARRAY['{"a" :  1}'::json, 'null', NULL], ARRAY['<a>,</a>'::xml], ARRAY['(1,2)'::point],
    '{NaN,Infinity,-0,1e-45}', '{NaN,-Infinity,-0,5e-324}', ARRAY['-1.23'::money, 0::money],
    '{::1,10.0.0.1/8}', '{10.0.0.0/8}', ARRAY['a  '::char(5)], '{"",x}',
    '{infinity,"4713-01-01 BC"}', '{24:00}', '{infinity,"0001-01-01 BC"}', '{epoch}',
    ARRAY['-1 mon +1 day'::interval], '{12:00+05:45}', ARRAY[B'1'], ARRAY[B'', B'10'],
    ARRAY['NaN', 1e100, 0.00]::numeric[], ARRAY['a0eebc999c0b4ef8bb6d6bb9bd380a11'::uuid],
    '{0/1}', ARRAY['a:1'::tsvector], ARRAY['a & b'::tsquery], ARRAY['{"a": null}'::jsonb],
    ARRAY['$.a'::jsonpath], ARRAY['empty', '[1,2)']::int4range[], ARRAY['[1,NaN]'::numrange],
    ARRAY['types.odd'::regclass, 0::regclass], '{(1,1),(0,0);(3,3),(2,2)}';
INSERT INTO types.arrays DEFAULT VALUES;

---------------------------------------------------------------------------
-- Shapes of tables

CREATE SCHEMA shapes;

CREATE TABLE shapes.no_columns ();
INSERT INTO shapes.no_columns SELECT FROM generate_series(1, 17);
CREATE TABLE shapes.all_dropped (a int, b text);
INSERT INTO shapes.all_dropped SELECT i, i FROM generate_series(1, 5) AS i;
ALTER TABLE shapes.all_dropped DROP a, DROP b;
CREATE TABLE shapes.only_generated (a int GENERATED ALWAYS AS (1 + 1) STORED,
    b text GENERATED ALWAYS AS ('x' || 'y') STORED);
INSERT INTO shapes.only_generated SELECT FROM generate_series(1, 9);
CREATE TABLE shapes.one_null (a text);
INSERT INTO shapes.one_null VALUES (NULL), (''), (E'\\N'), (E'\\.'), ('\N');
CREATE TABLE shapes.empty (id int PRIMARY KEY, t text);

CREATE TABLE shapes.generated (first text GENERATED ALWAYS AS (upper(name)) STORED,
    name text, area numeric GENERATED ALWAYS AS (w * h) STORED, w numeric, h numeric,
    id int GENERATED ALWAYS AS IDENTITY (START 1000 INCREMENT 7) PRIMARY KEY,
    other bigint GENERATED BY DEFAULT AS IDENTITY (MINVALUE -5 START -5 MAXVALUE 99999 CACHE 10 CYCLE));
INSERT INTO shapes.generated (name, w, h) SELECT 'n' || i, i, i / 3.0 FROM generate_series(1, 300) AS i;
INSERT INTO shapes.generated (name, w, h, id) OVERRIDING SYSTEM VALUE VALUES ('forced', 1, 1, -1);
\if :v18
CREATE TABLE shapes.virtual (a int, b int GENERATED ALWAYS AS (a * 2) VIRTUAL, c int);
INSERT INTO shapes.virtual (a, c) VALUES (1, 2);
\endif

CREATE TABLE shapes.dropped (a int, gone text, b text, gone_too xml, c int DEFAULT 3);
INSERT INTO shapes.dropped SELECT i, 'gone', 'b' || i, '<x/>' FROM generate_series(1, 100) AS i;
ALTER TABLE shapes.dropped DROP gone, DROP gone_too;
ALTER TABLE shapes.dropped ADD late text DEFAULT 'not in old rows', ADD later int[] DEFAULT '{1}';
INSERT INTO shapes.dropped (a) VALUES (101);

-- 1,600 columns are the limit; dropped ones count.
SELECT 'CREATE TABLE shapes.wide (' || string_agg(format('"column %s" smallint', i), ', ' ORDER BY i)
    || ')' FROM generate_series(1, 1599) AS i
\gexec
ALTER TABLE shapes.wide ADD id int;
INSERT INTO shapes.wide ("column 1", "column 1599", id) SELECT i, -i, i FROM generate_series(1, 200) AS i;
INSERT INTO shapes.wide SELECT 1;

CREATE TABLE shapes.parent (a int, b text, CONSTRAINT positive CHECK (a > 0) NO INHERIT);
CREATE TABLE shapes.uncle (u int, b text DEFAULT 'uncle''s');
CREATE TABLE shapes.child (c int, PRIMARY KEY (a)) INHERITS (shapes.parent);
CREATE TABLE shapes.grandchild (b text NOT NULL) INHERITS (shapes.child, shapes.uncle);
CREATE TABLE shapes.adopted (c int, b text, a int);
ALTER TABLE shapes.adopted INHERIT shapes.parent;
ALTER TABLE shapes.parent ADD d date DEFAULT '2024-01-01', ADD e int;
ALTER TABLE shapes.parent DROP e;
INSERT INTO shapes.parent VALUES (1, 'parent'), (2, NULL);
INSERT INTO shapes.uncle VALUES (1);
INSERT INTO shapes.child VALUES (-1, 'child', 3);
INSERT INTO shapes.grandchild (a, b, c, u) VALUES (7, 'grandchild', 8, 9);
INSERT INTO shapes.adopted VALUES (1, 'adopted', 2);

-- Partitions: by everything, below everything, in other orders of columns.
CREATE TABLE shapes.measures (at timestamptz NOT NULL, city text NOT NULL, v float8,
    doubled float8 GENERATED ALWAYS AS (v * 2) STORED) PARTITION BY RANGE (at);
CREATE TABLE shapes.measures_old PARTITION OF shapes.measures
    FOR VALUES FROM (MINVALUE) TO ('2020-01-01 00:00 UTC') PARTITION BY LIST (city);
CREATE TABLE shapes.measures_old_rome PARTITION OF shapes.measures_old FOR VALUES IN ('rome', E'new\nrome');
CREATE TABLE shapes.measures_old_rest PARTITION OF shapes.measures_old DEFAULT PARTITION BY HASH (city, at);
CREATE TABLE shapes.measures_old_rest_0 PARTITION OF shapes.measures_old_rest
    FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE shapes.measures_old_rest_1 PARTITION OF shapes.measures_old_rest
    FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE shapes.measures_2020 (v float8, gone int, city text NOT NULL, at timestamptz NOT NULL,
    doubled float8 GENERATED ALWAYS AS (v * 2) STORED);
ALTER TABLE shapes.measures_2020 DROP gone;
CREATE INDEX own_index ON shapes.measures_2020 (v) WHERE v > 10;
ALTER TABLE shapes.measures ATTACH PARTITION shapes.measures_2020
    FOR VALUES FROM ('2020-01-01 00:00 UTC') TO ('2021-01-01 00:00 UTC');
CREATE TABLE shapes.measures_rest PARTITION OF shapes.measures DEFAULT;
ALTER TABLE shapes.measures ADD note text DEFAULT 'none';
CREATE INDEX measures_at ON shapes.measures (at, city);
CREATE INDEX measures_partly ON ONLY shapes.measures (city);   -- stays invalid
CREATE INDEX measures_partly_2020 ON shapes.measures_2020 (city);
ALTER INDEX shapes.measures_partly ATTACH PARTITION shapes.measures_partly_2020;
INSERT INTO shapes.measures (at, city, v) SELECT
    '2018-01-01 00:00 UTC'::timestamptz + i * interval '5 hours',
    (ARRAY['rome', 'oslo', E'new\nrome', 'ōsaka'])[1 + i % 4], sqrt(i)
    FROM generate_series(1, 9000) AS i;
CREATE TABLE shapes.by_enum (m types.mood, x int) PARTITION BY LIST (m);
CREATE TABLE shapes.by_enum_sad PARTITION OF shapes.by_enum FOR VALUES IN ('sad', NULL);
CREATE TABLE shapes.by_enum_rest PARTITION OF shapes.by_enum DEFAULT;
INSERT INTO shapes.by_enum VALUES ('sad', 1), (NULL, 2), ('🐘', 3), ('', 4);
-- The hash of an enum is that of an OID: in a copy the rows are elsewhere.
CREATE TABLE shapes.by_hash (x int, m types.mood) PARTITION BY HASH (m);
CREATE TABLE shapes.by_hash_0 PARTITION OF shapes.by_hash FOR VALUES WITH (MODULUS 3, REMAINDER 0);
CREATE TABLE shapes.by_hash_1 (m types.mood, x int);
ALTER TABLE shapes.by_hash ATTACH PARTITION shapes.by_hash_1 FOR VALUES WITH (MODULUS 3, REMAINDER 1);
CREATE TABLE shapes.by_hash_2 PARTITION OF shapes.by_hash FOR VALUES WITH (MODULUS 3, REMAINDER 2)
    PARTITION BY LIST (x);
CREATE TABLE shapes.by_hash_2_all PARTITION OF shapes.by_hash_2 DEFAULT;
INSERT INTO shapes.by_hash SELECT i, (enum_range(NULL::types.mood))[1 + i % 9] FROM generate_series(1, 500) AS i;
CREATE TABLE shapes.by_expression (t text, x int) PARTITION BY RANGE (lower(t) COLLATE "C", (x % 10));
CREATE TABLE shapes.by_expression_low PARTITION OF shapes.by_expression
    FOR VALUES FROM (MINVALUE, MINVALUE) TO ('m', 5);
CREATE TABLE shapes.by_expression_high PARTITION OF shapes.by_expression
    FOR VALUES FROM ('m', 5) TO (MAXVALUE, MAXVALUE);
INSERT INTO shapes.by_expression SELECT chr(65 + i % 60), i FROM generate_series(1, 200) AS i;
CREATE TABLE shapes.no_partitions (a int) PARTITION BY LIST (a);
CREATE TABLE shapes.detached PARTITION OF shapes.no_partitions FOR VALUES IN (1);
INSERT INTO shapes.no_partitions VALUES (1);
ALTER TABLE shapes.no_partitions DETACH PARTITION shapes.detached;

CREATE UNLOGGED TABLE shapes.unlogged (id serial PRIMARY KEY, t text);
INSERT INTO shapes.unlogged (t) SELECT 'u' || i FROM generate_series(1, 500) AS i;
CREATE TABLE shapes.of_type OF types.pair (late WITH OPTIONS NOT NULL DEFAULT 'x');
INSERT INTO shapes.of_type ("b b") VALUES ('b');
CREATE TABLE shapes.stored (plain text, external text, extended text, main text, id int)
    WITH (fillfactor = 77, autovacuum_enabled = off, toast.autovacuum_enabled = off);
ALTER TABLE shapes.stored ALTER plain SET STORAGE PLAIN, ALTER external SET STORAGE EXTERNAL,
    ALTER main SET STORAGE MAIN, ALTER id SET STATISTICS 777,
    ALTER extended SET (n_distinct = -0.5, n_distinct_inherited = 7);
\if :v14
ALTER TABLE shapes.stored ALTER extended SET COMPRESSION pglz, ALTER external SET COMPRESSION lz4;
\endif
INSERT INTO shapes.stored SELECT repeat('p', 100), repeat('e', 9000), repeat('x', 9000),
    repeat('m', 9000), i FROM generate_series(1, 50) AS i;
CREATE TABLE shapes.elsewhere (id int PRIMARY KEY USING INDEX TABLESPACE edge_space, t text)
    TABLESPACE edge_space;
INSERT INTO shapes.elsewhere SELECT i, 'elsewhere' FROM generate_series(1, 20) AS i;
CREATE INDEX elsewhere_t ON shapes.elsewhere (t) TABLESPACE edge_space;

-- Large enough for many chunks; half of its blocks are empty or full of holes.
CREATE TABLE shapes.large (id bigint PRIMARY KEY, t text, big text, at timestamptz);
INSERT INTO shapes.large SELECT i, md5(i::text), CASE WHEN i % 50 = 0 THEN
    (SELECT string_agg(md5((i * k)::text), '') FROM generate_series(1, 200) AS k) END,
    timestamptz '2024-01-01 UTC' + i * interval '1 s' FROM generate_series(1, 20000) AS i;
DELETE FROM shapes.large WHERE id BETWEEN 4000 AND 9000 OR id % 17 = 0;
UPDATE shapes.large SET t = t || 'x' WHERE id % 5 = 0;
CREATE TABLE shapes.large_text AS SELECT i, ROW('b', 'sad', ROW(i), repeat(E'\\\n\t', i % 90))::types.pair AS p
    FROM generate_series(1, 12000) AS i;

CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'nowhere.invalid', dbname 'x');
CREATE USER MAPPING FOR edge_owner SERVER far OPTIONS (user 'u');
CREATE FOREIGN TABLE shapes.far_away (a int OPTIONS (column_name 'b'), b text) SERVER far
    OPTIONS (table_name 'far"table');
COMMENT ON FOREIGN TABLE shapes.far_away IS 'rows stay there';
CREATE TABLE shapes.with_far (a int) PARTITION BY LIST (a);
CREATE FOREIGN TABLE shapes.with_far_1 PARTITION OF shapes.with_far FOR VALUES IN (1) SERVER far;
CREATE TABLE shapes.with_far_2 PARTITION OF shapes.with_far FOR VALUES IN (2);
INSERT INTO shapes.with_far VALUES (2);

---------------------------------------------------------------------------
-- Collations and text search

CREATE SCHEMA words;
CREATE COLLATION words.blind (provider = icu, locale = 'und-u-ks-level1', deterministic = false);
CREATE COLLATION words.numeric_order (provider = icu, locale = 'en-u-kn-true');
CREATE COLLATION words.c (provider = libc, locale = 'C');
COMMENT ON COLLATION words.blind IS 'é = E';
CREATE TABLE words.collated (b text COLLATE words.blind PRIMARY KEY, n text COLLATE words.numeric_order,
    p text COLLATE "POSIX", d text COLLATE words.c);
INSERT INTO words.collated SELECT 'w' || i, 'v' || i, 'p', 'd' FROM generate_series(1, 200) AS i;
CREATE INDEX ON words.collated (n DESC NULLS LAST, p COLLATE "C" text_pattern_ops);
CREATE TEXT SEARCH DICTIONARY words.stem (TEMPLATE = snowball, language = 'english', stopwords = 'english');
CREATE TEXT SEARCH CONFIGURATION words.config (COPY = pg_catalog.english);
ALTER TEXT SEARCH CONFIGURATION words.config ALTER MAPPING FOR asciiword WITH words.stem, simple;
CREATE TEXT SEARCH PARSER words.parser (START = prsd_start, GETTOKEN = prsd_nexttoken,
    END = prsd_end, LEXTYPES = prsd_lextype, HEADLINE = prsd_headline);
CREATE TEXT SEARCH TEMPLATE words.template (LEXIZE = dsimple_lexize, INIT = dsimple_init);
COMMENT ON TEXT SEARCH CONFIGURATION words.config IS 'configured';
CREATE TABLE words.texts (id int, t text, v tsvector GENERATED ALWAYS AS
    (to_tsvector('words.config', coalesce(t, ''))) STORED);
INSERT INTO words.texts SELECT i, 'running the dogs ' || i FROM generate_series(1, 100) AS i;
CREATE INDEX ON words.texts USING gin (v) WITH (fastupdate = off);

---------------------------------------------------------------------------
-- Code: functions that only work with a path, or must never be called

CREATE SCHEMA code;
CREATE FUNCTION code.plus_one(i int) RETURNS int LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS 'SELECT i + 1';
CREATE FUNCTION code.never() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'trigger % was fired', TG_NAME; END $$;
CREATE FUNCTION code.never_event() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'an event trigger was fired'; END $$;
CREATE FUNCTION code.many(a int DEFAULT 1, VARIADIC b text[] DEFAULT '{x}', OUT c int, OUT d text)
    RETURNS SETOF record LANGUAGE plpgsql COST 7 ROWS 9 SECURITY DEFINER
    SET search_path = 'code', 'types' SET datestyle = 'SQL, DMY' AS $body$
BEGIN RETURN QUERY SELECT 1, 'a $$ b'; END $body$;
CREATE PROCEDURE code.act(INOUT x int) LANGUAGE plpgsql AS $$ BEGIN x := x + 1; COMMIT; END $$;
\if :v14
CREATE FUNCTION code.standard(a int) RETURNS types.pair
    BEGIN ATOMIC SELECT ROW('x', 'sad'::types.mood, ROW(a)::types.one, 'y')::types.pair; END;
\endif
CREATE FUNCTION code."na""me;"(text) RETURNS text LANGUAGE sql AS 'SELECT $1';
CREATE FUNCTION code.sum_state(a numeric, b int) RETURNS numeric LANGUAGE sql IMMUTABLE
    AS 'SELECT coalesce(a, 0) + coalesce(b, 0)';
CREATE AGGREGATE code.sum_of(int) (SFUNC = code.sum_state, STYPE = numeric, INITCOND = '0');
CREATE AGGREGATE code.percentile(float8 ORDER BY anyelement)
    (SFUNC = ordered_set_transition, STYPE = internal, FINALFUNC = percentile_disc_final, FINALFUNC_EXTRA);
CREATE OPERATOR code.@+@ (LEFTARG = int, RIGHTARG = int, FUNCTION = int4pl, COMMUTATOR = OPERATOR(code.@+@));
CREATE FUNCTION code.one_of(text) RETURNS types.one LANGUAGE sql AS 'SELECT ROW(length($1))::types.one';
CREATE CAST (text AS types.one) WITH FUNCTION code.one_of(text) AS ASSIGNMENT;
CREATE FUNCTION code.compare_backwards(int, int) RETURNS int LANGUAGE sql IMMUTABLE STRICT
    AS 'SELECT btint4cmp($2, $1)';
CREATE OPERATOR FAMILY code.backwards USING btree;
CREATE OPERATOR CLASS code.int4_backwards FOR TYPE int4 USING btree FAMILY code.backwards AS
    OPERATOR 1 >, OPERATOR 2 >=, OPERATOR 3 =, OPERATOR 4 <=, OPERATOR 5 <,
    FUNCTION 1 code.compare_backwards(int, int);
CREATE ACCESS METHOD heap_again TYPE TABLE HANDLER heap_tableam_handler;
CREATE TABLE code.other_method (id int PRIMARY KEY, t text) USING heap_again;
INSERT INTO code.other_method SELECT i, md5(i::text) FROM generate_series(1, 3000) AS i;
COMMENT ON FUNCTION code.plus_one(int) IS E'a comment\n-- with a comment\n\\connect nowhere\n''; DROP TABLE x; --';
COMMENT ON AGGREGATE code.sum_of(int) IS 'agg';
COMMENT ON OPERATOR code.@+@ (int, int) IS 'op';
COMMENT ON CAST (text AS types.one) IS 'cast';

-- Checks, defaults, indexes and generated columns that call functions; the
-- last needs a search_path that the function itself sets.
CREATE FUNCTION code.needs_path(i int) RETURNS int LANGUAGE sql IMMUTABLE
    SET search_path = code AS 'SELECT plus_one(i)';
CREATE TABLE code.calls (id int DEFAULT code.plus_one(41), g int GENERATED ALWAYS AS
    (code.needs_path(id)) STORED, CHECK (code.needs_path(id) > id));
INSERT INTO code.calls VALUES (DEFAULT), (1), (2);
CREATE INDEX ON code.calls (code.needs_path(id));

---------------------------------------------------------------------------
-- Constraints and indexes

CREATE SCHEMA keys;
CREATE TABLE keys.a (id int CONSTRAINT pk PRIMARY KEY, b int NOT NULL,
    self int CONSTRAINT to_self REFERENCES keys.a ON DELETE SET NULL DEFERRABLE,
    CONSTRAINT u UNIQUE (b) INCLUDE (self),
    CONSTRAINT later UNIQUE (b, id) DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE keys.b (id int PRIMARY KEY, a int NOT NULL CONSTRAINT to_a REFERENCES keys.a
    ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED);
ALTER TABLE keys.a ADD CONSTRAINT to_b FOREIGN KEY (b) REFERENCES keys.b (id) MATCH FULL
    DEFERRABLE INITIALLY DEFERRED;
BEGIN;
INSERT INTO keys.a SELECT i, i, 1 + i % 100 FROM generate_series(1, 100) AS i;
INSERT INTO keys.b SELECT i, 101 - i FROM generate_series(1, 100) AS i;
COMMIT;
-- Rows that a constraint would refuse, and was never asked about.
CREATE TABLE keys.not_valid (a int, b int);
INSERT INTO keys.not_valid VALUES (-1, 4711), (NULL, NULL);
ALTER TABLE keys.not_valid ADD CONSTRAINT checked CHECK (a > 0) NOT VALID,
    ADD CONSTRAINT referenced FOREIGN KEY (b) REFERENCES keys.a NOT VALID;
CREATE TABLE keys.reservations (room int, during tstzrange, who text, cancelled bool,
    CONSTRAINT no_overlap EXCLUDE USING gist (room WITH =, during WITH &&) WHERE (NOT cancelled)
    DEFERRABLE INITIALLY DEFERRED);
INSERT INTO keys.reservations SELECT i % 5, tstzrange(timestamptz '2024-01-01 UTC' + i * interval '1 h',
    timestamptz '2024-01-01 UTC' + (i + 1) * interval '1 h'), 'w' || i, i % 2 = 0 FROM generate_series(1, 200) AS i;
CREATE TABLE keys.partitioned (id int, part int, PRIMARY KEY (id, part)) PARTITION BY LIST (part);
CREATE TABLE keys.partitioned_1 PARTITION OF keys.partitioned FOR VALUES IN (1);
CREATE TABLE keys.partitioned_2 (part int NOT NULL, id int NOT NULL, CONSTRAINT own_pk PRIMARY KEY (id, part));
ALTER TABLE keys.partitioned ATTACH PARTITION keys.partitioned_2 FOR VALUES IN (2);
INSERT INTO keys.partitioned SELECT i, 1 + i % 2 FROM generate_series(1, 100) AS i;
CREATE TABLE keys.refers (id int, part int DEFAULT 1, FOREIGN KEY (id, part) REFERENCES keys.partitioned
    ON DELETE CASCADE);
INSERT INTO keys.refers SELECT 2 * i FROM generate_series(1, 20) AS i;
ALTER TABLE keys.partitioned ADD CONSTRAINT small CHECK (id < 100000);

CREATE TABLE keys.indexed (id int, t text, j jsonb, p point, n numeric, a int[]);
INSERT INTO keys.indexed SELECT i, 't' || i, jsonb_build_object('k', i), point(i, -i), i / 7.0, ARRAY[i, i + 1]
    FROM generate_series(1, 2000) AS i;
CREATE UNIQUE INDEX indexed_id ON keys.indexed (id) INCLUDE (t) WITH (fillfactor = 60);
CREATE INDEX indexed_partial ON keys.indexed (lower(t), (id % 10) DESC NULLS LAST) WHERE id > 5 AND t <> E'a\nb';
CREATE INDEX "indexed 'odd' ""name"";" ON keys.indexed USING hash (t);
CREATE INDEX indexed_gin ON keys.indexed USING gin (j jsonb_path_ops);
CREATE INDEX indexed_gist ON keys.indexed USING gist (p) WITH (buffering = on);
CREATE INDEX indexed_spgist ON keys.indexed USING spgist (p);
CREATE INDEX indexed_brin ON keys.indexed USING brin (id int4_minmax_ops, n) WITH (pages_per_range = 2);
CREATE INDEX indexed_class ON keys.indexed (id code.int4_backwards);
CREATE INDEX indexed_expression ON keys.indexed ((n * 2), (t || 'x'));
ALTER INDEX keys.indexed_expression ALTER COLUMN 1 SET STATISTICS 400;
CREATE INDEX indexed_on ON keys.indexed (n);
ALTER TABLE keys.indexed CLUSTER ON indexed_on;
CREATE INDEX indexed_invalid ON keys.indexed (n, t);
UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'keys.indexed_invalid'::regclass;
\if :v15
CREATE UNIQUE INDEX indexed_nulls ON keys.indexed (id, n) NULLS NOT DISTINCT;
\endif
CREATE STATISTICS keys.stats (ndistinct, mcv) ON id, t FROM keys.indexed;
ALTER STATISTICS keys.stats SET STATISTICS 55;
\if :v14
CREATE STATISTICS keys.stats_expression ON (id % 10), lower(t) FROM keys.indexed;
\endif
COMMENT ON STATISTICS keys.stats IS 'extended';
COMMENT ON INDEX keys.indexed_gin IS 'index';
COMMENT ON CONSTRAINT to_a ON keys.b IS 'constraint';
COMMENT ON CONSTRAINT no_overlap ON keys.reservations IS 'exclusion';

CREATE TABLE keys.identity_nothing (a int);
ALTER TABLE keys.identity_nothing REPLICA IDENTITY NOTHING;
CREATE TABLE keys.identity_full (a int);
ALTER TABLE keys.identity_full REPLICA IDENTITY FULL;
CREATE TABLE keys.identity_index (a int NOT NULL, b int);
CREATE UNIQUE INDEX identity_of ON keys.identity_index (a);
ALTER TABLE keys.identity_index REPLICA IDENTITY USING INDEX identity_of;
CREATE TABLE keys.identity_key (a int NOT NULL UNIQUE, b int PRIMARY KEY);
ALTER TABLE keys.identity_key REPLICA IDENTITY USING INDEX identity_key_a_key;
ALTER TABLE keys.identity_key CLUSTER ON identity_key_pkey;

---------------------------------------------------------------------------
-- Triggers, rules, event triggers: none may be fired by a copy

CREATE SCHEMA fires;
CREATE TABLE fires.audit (what text);
CREATE TABLE fires.t (id int PRIMARY KEY, v text);
INSERT INTO fires.t SELECT i, 'v' || i FROM generate_series(1, 100) AS i;
CREATE TRIGGER origin BEFORE INSERT ON fires.t FOR EACH ROW EXECUTE FUNCTION code.never();
CREATE TRIGGER disabled AFTER INSERT OR DELETE ON fires.t FOR EACH ROW EXECUTE FUNCTION code.never('a', E'\\x00', 'b''c');
CREATE TRIGGER replica BEFORE INSERT OR UPDATE OF v ON fires.t FOR EACH ROW WHEN (NEW.id > 0)
    EXECUTE FUNCTION code.never();
CREATE TRIGGER always AFTER INSERT ON fires.t REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION code.never();
CREATE TRIGGER truncated BEFORE TRUNCATE ON fires.t EXECUTE FUNCTION code.never();
CREATE CONSTRAINT TRIGGER "con""straint" AFTER INSERT ON fires.t DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION code.never();
ALTER TABLE fires.t DISABLE TRIGGER disabled, ENABLE REPLICA TRIGGER replica, ENABLE ALWAYS TRIGGER always;
CREATE TABLE fires.ruled (id int);
INSERT INTO fires.ruled SELECT generate_series(1, 10);
CREATE RULE instead AS ON INSERT TO fires.ruled DO INSTEAD NOTHING;
CREATE RULE also AS ON DELETE TO fires.ruled WHERE OLD.id > 5 DO ALSO INSERT INTO fires.audit VALUES ('rule');
CREATE RULE "off" AS ON UPDATE TO fires.ruled DO INSTEAD NOTHING;
ALTER TABLE fires.ruled DISABLE RULE "off";
ALTER TABLE fires.ruled ENABLE ALWAYS RULE also;
CREATE TABLE fires.parts (id int, v text) PARTITION BY LIST (id);
CREATE TABLE fires.parts_1 PARTITION OF fires.parts FOR VALUES IN (1);
CREATE TABLE fires.parts_2 PARTITION OF fires.parts FOR VALUES IN (2);
INSERT INTO fires.parts VALUES (1, 'a'), (2, 'b');
CREATE TRIGGER each_part AFTER INSERT ON fires.parts FOR EACH ROW EXECUTE FUNCTION code.never();
ALTER TABLE fires.parts_2 DISABLE TRIGGER each_part;
CREATE TRIGGER own BEFORE INSERT ON fires.parts_1 FOR EACH ROW EXECUTE FUNCTION code.never();
ALTER TABLE fires.parts_1 ENABLE ALWAYS TRIGGER own;
CREATE VIEW fires.v AS SELECT * FROM fires.t;
CREATE TRIGGER instead INSTEAD OF INSERT ON fires.v FOR EACH ROW EXECUTE FUNCTION code.never();
COMMENT ON TRIGGER replica ON fires.t IS 'replica';
COMMENT ON RULE also ON fires.ruled IS 'rule';

---------------------------------------------------------------------------
-- Sequences of every sort

CREATE SCHEMA counts;
CREATE SEQUENCE counts.never_called;
CREATE SEQUENCE counts.called START 5;
SELECT nextval('counts.called') \g /dev/null
CREATE SEQUENCE counts.at_5_not_called;
SELECT setval('counts.at_5_not_called', 5, false) \g /dev/null
CREATE SEQUENCE counts.descending INCREMENT -3 START -1;
SELECT nextval('counts.descending'), nextval('counts.descending') \g /dev/null
CREATE SEQUENCE counts.cycling AS smallint MINVALUE -3 MAXVALUE 3 START 2 CYCLE;
SELECT nextval('counts.cycling'), nextval('counts.cycling'), nextval('counts.cycling') \g /dev/null
CREATE SEQUENCE counts.at_limit AS smallint START 32767;
SELECT nextval('counts.at_limit') \g /dev/null
CREATE SEQUENCE counts.at_low_limit INCREMENT -1 MINVALUE -9223372036854775808 START -9223372036854775808;
SELECT nextval('counts.at_low_limit') \g /dev/null
CREATE SEQUENCE counts.cached CACHE 100;
SELECT nextval('counts.cached') \g /dev/null
CREATE SEQUENCE counts."Se""quence; %s";
SELECT setval('counts."Se""quence; %s"', 77) \g /dev/null
\if :v15
CREATE UNLOGGED SEQUENCE counts.unlogged;
SELECT nextval('counts.unlogged') \g /dev/null
\endif
CREATE TABLE counts.owner (a serial, b bigserial, c int, d int DEFAULT nextval('counts.called'));
CREATE SEQUENCE counts.owned_late OWNED BY counts.owner.c;
SELECT setval('counts.owner_a_seq', 3, false) \g /dev/null
INSERT INTO counts.owner DEFAULT VALUES;
-- Behind its column: pg_dump copies it so.
SELECT setval('counts.owner_b_seq', 2, false) \g /dev/null
COMMENT ON SEQUENCE counts.called IS 'sequence';

---------------------------------------------------------------------------
-- Views, materialized views

CREATE SCHEMA views;
CREATE VIEW views.plain (renamed, "and ""this") WITH (security_barrier) AS
    SELECT id, t || E'\n' FROM types.texts WHERE id < 100 WITH LOCAL CHECK OPTION;
\if :v15
CREATE VIEW views.invoker WITH (security_invoker = on) AS SELECT * FROM types.odd;
\endif
CREATE VIEW views.counted AS WITH RECURSIVE c (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM c WHERE n < 5)
    SELECT * FROM c;
ALTER VIEW views.plain ALTER renamed SET DEFAULT 7;
CREATE MATERIALIZED VIEW views.z_first AS SELECT id % 10 AS k, count(*) FROM shapes.large GROUP BY 1;
CREATE UNIQUE INDEX z_first_k ON views.z_first (k);
CREATE MATERIALIZED VIEW views.a_second WITH (fillfactor = 50) AS
    SELECT max(k) AS m, sum(count) AS s FROM views.z_first;
CREATE VIEW views.between AS SELECT m FROM views.a_second;
CREATE MATERIALIZED VIEW views.m_third AS SELECT * FROM views.between, views.counted;
CREATE MATERIALIZED VIEW views.unpopulated AS SELECT 1 / 0 AS boom WITH NO DATA;
CREATE INDEX ON views.unpopulated (boom);
CREATE MATERIALIZED VIEW views.calls AS SELECT code.needs_path(id) AS x FROM code.calls;
COMMENT ON VIEW views.plain IS 'view';
COMMENT ON COLUMN views.plain.renamed IS 'its column';
COMMENT ON MATERIALIZED VIEW views.a_second IS 'matview';
-- One that reads the rows of all: grouped by a key, so it needs the key first.
CREATE VIEW views.by_key AS SELECT a.id, a.b, count(*) FROM keys.a JOIN keys.b USING (id) GROUP BY a.id;
CREATE MATERIALIZED VIEW views.over_by_key AS SELECT * FROM views.by_key;

---------------------------------------------------------------------------
-- Rights

CREATE SCHEMA rights AUTHORIZATION edge_owner;
GRANT USAGE ON SCHEMA rights TO edge_guest WITH GRANT OPTION;
GRANT CREATE ON SCHEMA rights TO PUBLIC;
SET ROLE edge_owner;
CREATE TABLE rights.t (a int, "b b" text, c int);
INSERT INTO rights.t SELECT i, 'b' || i, i % 3 FROM generate_series(1, 60) AS i;
CREATE SEQUENCE rights.s;
CREATE FUNCTION rights.f() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE TYPE rights.e AS ENUM ('x');
CREATE DOMAIN rights.d AS int;
GRANT SELECT, UPDATE ON rights.t TO edge_guest WITH GRANT OPTION;
GRANT INSERT (a, "b b"), REFERENCES (a), UPDATE (c) ON rights.t TO "edge ""odd; role";
REVOKE ALL ON FUNCTION rights.f() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION rights.f() TO edge_guest;
GRANT USAGE ON SEQUENCE rights.s TO edge_guest;
REVOKE USAGE ON TYPE rights.e FROM PUBLIC;
GRANT USAGE ON DOMAIN rights.d TO edge_guest;
REVOKE TRUNCATE ON rights.t FROM edge_owner;
RESET ROLE;
SET ROLE edge_guest;
GRANT SELECT ON rights.t TO "edge ""odd; role";
RESET ROLE;
ALTER TABLE rights.t ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY mine ON rights.t AS RESTRICTIVE FOR UPDATE TO edge_guest, edge_owner
    USING ("b b" = current_user) WITH CHECK (c > 0);
CREATE POLICY "a ""policy""" ON rights.t FOR SELECT USING (a % 2 = 0);
COMMENT ON POLICY mine ON rights.t IS 'policy';
CREATE TABLE rights.enabled_only (a int);
INSERT INTO rights.enabled_only VALUES (1);
ALTER TABLE rights.enabled_only ENABLE ROW LEVEL SECURITY;
ALTER DEFAULT PRIVILEGES FOR ROLE edge_owner IN SCHEMA rights GRANT SELECT ON TABLES TO edge_guest;
ALTER DEFAULT PRIVILEGES FOR ROLE edge_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES GRANT USAGE ON TYPES TO edge_guest WITH GRANT OPTION;
ALTER DEFAULT PRIVILEGES GRANT ALL ON SCHEMAS TO edge_owner;
-- The copy's objects are not made by the copier's default privileges.
ALTER DEFAULT PRIVILEGES GRANT DELETE ON TABLES TO edge_guest;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION pg_catalog.pg_sleep(float8) FROM PUBLIC;
GRANT SELECT (rolname) ON pg_catalog.pg_authid TO edge_guest;
GRANT USAGE ON FOREIGN SERVER far TO edge_guest;
GRANT USAGE ON LANGUAGE plpgsql TO edge_guest WITH GRANT OPTION;
ALTER TABLE types.odd OWNER TO edge_owner;
ALTER FUNCTION code.plus_one(int) OWNER TO "edge ""odd; role";
ALTER SCHEMA words OWNER TO edge_guest;

---------------------------------------------------------------------------
-- Large objects: empty, one byte, each byte, a hole, many pages

SELECT lo_create(4711) \g /dev/null
SELECT lo_from_bytea(4712, '\x00') \g /dev/null
SELECT lo_from_bytea(4713, (SELECT b FROM types.texts WHERE id = 355)) \g /dev/null
SELECT lo_from_bytea(4714, 'begin'), lo_put(4714, 1000000, 'end') \g /dev/null
SELECT lo_from_bytea(4294967295, decode(repeat(md5('x'), 100000), 'hex')) \g /dev/null
ALTER LARGE OBJECT 4712 OWNER TO edge_owner;
GRANT SELECT ON LARGE OBJECT 4712 TO edge_guest WITH GRANT OPTION;
GRANT ALL ON LARGE OBJECT 4713 TO PUBLIC;
COMMENT ON LARGE OBJECT 4713 IS 'each byte';
CREATE TABLE rights.refers_to_one (id int, lo oid);
INSERT INTO rights.refers_to_one VALUES (1, 4713);

---------------------------------------------------------------------------
-- Names

CREATE SCHEMA "../sch""ema; '%s'";
CREATE TABLE "../sch""ema; '%s'"."../../etc/passwd" ("a b" int PRIMARY KEY, "a""b" text, "a'b" text,
    "%s%n" text, "$1" text, E text, "select" text, "
" text, "\." text, "a,b" text, "(a)" text, "🐘" text);
INSERT INTO "../sch""ema; '%s'"."../../etc/passwd" SELECT i, 'a', E'b\n', '%s', '$1', 'e', 's', E'\n', E'\\.', ',', '()', '🐘'
    FROM generate_series(1, 40) AS i;
CREATE SCHEMA names;
CREATE TABLE names."lower" (a int);
CREATE TABLE names."LOWER" (a text);
CREATE TABLE names."Lower" ("A" int, "a" text);
CREATE TABLE names.".." (a int);
CREATE TABLE names."." (a int);
CREATE TABLE names."/" (a int);
CREATE TABLE names."a/b/../c" (a int);
CREATE TABLE names."
newline
\.
" (a int);
CREATE TABLE names."x
-- Name: y; Type: TABLE; Schema: names; Owner: postgres
" (a int);
CREATE TABLE names."""" (a int);
CREATE TABLE names."'" (a int);
CREATE TABLE names."\" (a int);
CREATE TABLE names."\'; DROP TABLE names.tables; --" (a int);
CREATE TABLE names."%s%n%%d" (a int);
CREATE TABLE names." " (" " int, "  " text);
CREATE TABLE names."tables" ("table" int, "chunk" int);
CREATE TABLE names."ledger" (a int);
CREATE TABLE names."select" ("from" int, "where" text, "user" text, "order" int);
CREATE TABLE names."select * from x" (a int);
CREATE TABLE names."CON" (a int);
CREATE TABLE names."COPY x FROM STDIN;" (a int);
CREATE TABLE names."-rf" (a int);
CREATE TABLE names."*.lz4" (a int);
CREATE TABLE names."$(touch x)`touch y`" (a int);
CREATE TABLE names."ünïcödé 🐘" (a int);
CREATE TABLE names.U&"u\0308ni\0308co\0308de\0301 \+01F418" (b int);
CREATE TABLE names.U&"\202Ertl\202C" (a int);
CREATE TABLE names.U&"\FEFFbom\200B" (a int);
CREATE TABLE names."aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" (a int);
CREATE TABLE names."éééééééééééééééééééééééééééééééx" (a int);
CREATE TABLE names."🐘🐘🐘🐘🐘🐘🐘🐘🐘🐘🐘🐘🐘🐘🐘abc" (a int);
CREATE TABLE names."a	tab" (a int);
CREATE TABLE names.uses_odd_type (a int);
CREATE TYPE names."ty""pe; --" AS ENUM ('a"; --');
ALTER TABLE names.uses_odd_type ADD t names."ty""pe; --", ADD ts names."ty""pe; --"[] DEFAULT '{"a\"; --"}';
CREATE INDEX "ix; ""
drop" ON names."Lower" ("A");
ALTER TABLE names."Lower" ADD CONSTRAINT "ch""eck
" CHECK ("A" > 0);
-- Rows in all of them, another number in each.
DO $$
DECLARE t record;
BEGIN
    FOR t IN SELECT c.oid::regclass AS name, row_number() OVER (ORDER BY relname COLLATE "C") AS n,
        quote_ident(attname) AS col
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND attnum = 1
        WHERE relnamespace = 'names'::regnamespace AND relkind = 'r'
    LOOP
        EXECUTE format('INSERT INTO %s (%s) SELECT i FROM generate_series(1, %s) AS i', t.name, t.col, t.n);
    END LOOP;
END $$;
COMMENT ON TABLE names."tables" IS E'line\n\\. \\connect x\n--\n-- Name: y; Type: TABLE\n';
COMMENT ON COLUMN names."tables"."table" IS '';
-- The user's own, called like ours.
CREATE SCHEMA pghaul;
CREATE TABLE pghaul.ledger (kind text, id int);
INSERT INTO pghaul.ledger VALUES ('chunk', 1);
CREATE TABLE pghaul.run (a int);
COMMENT ON SCHEMA pghaul IS 'the user''s';
CREATE SCHEMA "Public";
CREATE TABLE "Public".t (a int);
CREATE TABLE public.pghaul (a int);
INSERT INTO public.pghaul VALUES (1);
COMMENT ON SCHEMA public IS 'not the standard one';

REFRESH MATERIALIZED VIEW views.z_first;
REFRESH MATERIALIZED VIEW views.a_second;
REFRESH MATERIALIZED VIEW views.m_third;
ANALYZE shapes.large, shapes.measures, keys.indexed, types.texts;

---------------------------------------------------------------------------
-- Last: what watches over all of it

CREATE PUBLICATION all_of_it FOR ALL TABLES WITH (publish = 'insert, update');
CREATE PUBLICATION part_of_it FOR TABLE keys.a, ONLY shapes.parent;
CREATE EVENT TRIGGER guard ON ddl_command_end WHEN TAG IN ('CREATE TABLE', 'CREATE INDEX', 'ALTER TABLE')
    EXECUTE FUNCTION code.never_event();
CREATE EVENT TRIGGER guard_drop ON sql_drop EXECUTE FUNCTION code.never_event();
CREATE EVENT TRIGGER guard_off ON ddl_command_start EXECUTE FUNCTION code.never_event();
CREATE EVENT TRIGGER guard_replica ON ddl_command_start EXECUTE FUNCTION code.never_event();
CREATE EVENT TRIGGER guard_always ON table_rewrite EXECUTE FUNCTION code.never_event();
ALTER EVENT TRIGGER guard_off DISABLE;
ALTER EVENT TRIGGER guard_replica ENABLE REPLICA;
ALTER EVENT TRIGGER guard_always ENABLE ALWAYS;
COMMENT ON EVENT TRIGGER guard IS 'event trigger';
