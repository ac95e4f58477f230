-- SPDX-License-Identifier: PostgreSQL
--
-- What the shop's customers do, beside pgbench's own payments.
\set account random(1, 800000)
\set order random(1, 300000)
INSERT INTO shop.orders (account, state, amount, ordered, note, tags)
    VALUES (:account, 'new', :order * 0.01, now(), 'from the shop',
            ARRAY['late', NULL]);
UPDATE shop.orders SET state = 'sent', details = details || '{"sent": true}'
    WHERE id = 1 + 3 * :order;
