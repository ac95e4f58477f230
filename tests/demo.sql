-- SPDX-License-Identifier: PostgreSQL
--
-- A table of many types beside pgbench's, the same at every run.
-- A key for pgbench's history, as replication wants one.
ALTER TABLE pgbench_history ADD id bigserial PRIMARY KEY;

CREATE SCHEMA shop;
CREATE TYPE shop.state AS ENUM ('new', 'paid', 'sent');

CREATE TABLE shop.orders (
    id bigint GENERATED ALWAYS AS IDENTITY (INCREMENT BY 3) PRIMARY KEY,
    account int NOT NULL REFERENCES pgbench_accounts,
    state shop.state NOT NULL,
    amount numeric(12, 2),
    weight double precision,
    ordered timestamptz,
    note text,
    details jsonb,
    key uuid UNIQUE,
    label bytea,
    tags text[],
    gift boolean
);

INSERT INTO shop.orders (account, state, amount, weight, ordered, note,
                         details, key, label, tags, gift)
SELECT 1 + i % 800000,
       (ARRAY['new', 'paid', 'sent'])[1 + i % 3]::shop.state,
       CASE WHEN i % 1000 = 0 THEN 'NaN' ELSE i * 0.37 END,
       CASE WHEN i % 777 = 0 THEN '-Infinity' ELSE sqrt(i) END,
       CASE WHEN i % 999 = 0 THEN 'infinity'
            ELSE timestamptz '2024-02-29 12:00 UTC' + i * interval '7.31 s' END,
       CASE i % 10 WHEN 0 THEN NULL
                   WHEN 1 THEN ''
                   WHEN 2 THEN E'tab\t, newline\n, \\., quote "'' '
                   WHEN 3 THEN 'Straße №' || i || ' 東京 🐘'
                   ELSE 'order ' || md5(i::text) END,
       jsonb_build_object('n', i, 'price', i * 1.5, 'to', ARRAY['a', 'ü', NULL]),
       md5(i::text)::uuid,
       decode(md5(i::text), 'hex'),
       CASE WHEN i % 4 = 0 THEN NULL ELSE ARRAY['x', NULL, 'NULL', i::text] END,
       nullif(i % 3, 2) = 1
FROM generate_series(1, 300000) AS i;

CREATE INDEX orders_ordered ON shop.orders (ordered);
CREATE INDEX orders_new ON shop.orders (account) WHERE state = 'new';
CREATE VIEW shop.sent AS SELECT * FROM shop.orders WHERE state = 'sent';
