-- SPDX-License-Identifier: PostgreSQL
--
-- A small database in which each kind of thing to be loaded occurs: what
-- tests/fault.py copies a few thousand times.
CREATE TABLE customers (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL, note text);
CREATE TABLE orders (
    id serial PRIMARY KEY, customer bigint NOT NULL REFERENCES customers,
    amount numeric(10, 2), at timestamptz, doc jsonb);
CREATE TABLE log (at date NOT NULL, line text) PARTITION BY RANGE (at);
CREATE TABLE log_1 PARTITION OF log
    FOR VALUES FROM ('2024-01-01') TO ('2024-07-01');
CREATE TABLE log_2 PARTITION OF log
    FOR VALUES FROM ('2024-07-01') TO ('2025-01-01');
CREATE TABLE empty (a int);
INSERT INTO customers (name, note)
    SELECT 'customer ' || i, repeat(md5(i::text), 20)
    FROM generate_series(1, 4000) AS i;
INSERT INTO orders (customer, amount, at, doc)
    SELECT 1 + i % 4000, i * 0.37, timestamptz '2024-02-29 12:00Z'
        + i * interval '7.3 s', jsonb_build_object('n', i)
    FROM generate_series(1, 5000) AS i;
INSERT INTO log SELECT date '2024-01-01' + i % 366, 'line ' || i
    FROM generate_series(1, 3000) AS i;
CREATE INDEX ON orders (at) WHERE id % 2 = 0;
CREATE INDEX ON log (at);
CREATE MATERIALIZED VIEW totals AS
    SELECT customer, sum(amount) FROM orders GROUP BY 1;
CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'a trigger was fired'; END $$;
CREATE TRIGGER stop BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION stop();
SELECT setval('orders_id_seq', 30000, false);
ANALYZE;
