-- SPDX-License-Identifier: PostgreSQL
--
-- The data that ./run bench moves: psql -v scale=1 gives about 1.5 GB on disk
-- with the indexes.  Every value is made out of its row's number, so that
-- every run and every server has the same.
--
--     narrow    four ints, nothing but overhead a row
--     mixed     what tables of events look like, about 200 bytes a row
--     wide      a few KB of text a row, half of it chance, most of it in TOAST
--     tiny_<n>  300 tables that cost a round trip, not bytes

\set ON_ERROR_STOP on
SET client_min_messages = warning;
SET synchronous_commit = off;
SET max_parallel_workers_per_gather = 0;

-- n to 31 bits that look like chance; the same on every version of the server.
CREATE FUNCTION pg_temp.mix(n bigint) RETURNS int
    LANGUAGE sql IMMUTABLE
    RETURN ((n * 2654435761) % 2147483647)::int;

CREATE TABLE narrow (
    id int,
    account int NOT NULL,
    points int NOT NULL,
    day int);
INSERT INTO narrow
    SELECT i, pg_temp.mix(i) % 100000, pg_temp.mix(i * 7),
        CASE WHEN i % 10 > 0 THEN i / 5000 END
    FROM generate_series(1, (:scale * 10000000)::int) AS i;
ALTER TABLE narrow ADD PRIMARY KEY (id);
CREATE INDEX narrow_by_account ON narrow (account);

CREATE TABLE mixed (
    id bigint GENERATED ALWAYS AS IDENTITY,
    kind int NOT NULL,
    at timestamptz NOT NULL,
    amount numeric(14, 2),
    title text NOT NULL,
    attributes jsonb,
    reference uuid NOT NULL,
    hash text NOT NULL);
INSERT INTO mixed OVERRIDING SYSTEM VALUE
    SELECT i, pg_temp.mix(i) % 40,
        '2024-01-01 UTC'::timestamptz + pg_temp.mix(i) % 90000000 * '1s'::interval,
        CASE WHEN i % 8 > 0 THEN pg_temp.mix(i * 3) / 100.0 END,
        'order ' || i || ' of customer ' || pg_temp.mix(i) % 5000,
        jsonb_build_object('seen', i % 3 = 0, 'score', pg_temp.mix(i) % 1000,
            'tag', 'tag-' || pg_temp.mix(i * 5) % 50),
        md5('reference ' || i)::uuid, md5('hash ' || i)
    FROM generate_series(1, (:scale * 2500000)::bigint) AS i;
SELECT setval('mixed_id_seq', max(id)) FROM mixed \g /dev/null
ALTER TABLE mixed ADD PRIMARY KEY (id);
CREATE INDEX mixed_by_time ON mixed (at);
ALTER TABLE mixed ADD UNIQUE (reference);

CREATE TABLE wide (
    id int,
    title text NOT NULL,
    body text);
INSERT INTO wide
    SELECT i, 'page ' || i,
        (SELECT string_agg(md5(i || ' ' || j) ||
                ' was found where it had been the day before, and so: ', '')
            FROM generate_series(1, 10 + pg_temp.mix(i) % 120) AS j)
    FROM generate_series(1, (:scale * 40000)::int) AS i;
ALTER TABLE wide ADD PRIMARY KEY (id);

SELECT format('CREATE TABLE tiny_%s (id int PRIMARY KEY, name text);'
    'INSERT INTO tiny_%1$s SELECT i, md5(i::text) FROM generate_series(1, %2$s) AS i',
    n, n % 20)
    FROM generate_series(1, 300) AS n \gexec

-- As a table is that has been there for a while: no hint bits left to set.
VACUUM (FREEZE, ANALYZE);
