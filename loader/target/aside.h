/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Aside: what is in the way of rows in existing tables, taken away for the
 * time of the load and put back exactly as it was.
 *
 *     trigger     disabled; put back as it was: origin, replica or always
 *     constraint  dropped; added again, which checks the rows
 *     index       dropped (when asked to); made again
 *
 * A thing and the SQL that puts it back are one transaction: the SQL is a row
 * of the ledger schema's table "aside".  So whatever happens to us, the target
 * itself knows how it was: the next load, or abort, puts it back.
 */

#include "io/err.h"
#include "loader/catalog/catalog.h"
#include "loader/pg/session.h"
#include "loader/target/ledger.h"

struct aside_params {
    const struct ledger *ledger;
    int replica; /* rows come with session_replication_role = replica, so that
                    only triggers that fire even so are in the way */
    int indexes; /* those, too, that serve no constraint */
};

/* The tables are those of PLACES. */
int aside_put(const struct aside_params *p, struct session *s, struct err *err);

/* What is aside becomes entries: an index when its table is loaded, the
   others when all are. */
int aside_add_entries(const struct ledger *l, struct session *s,
                      struct catalog *c, struct err *err);

/* Put back what is aside now: the load is given up. */
int aside_put_back(const struct ledger *l, struct session *s, unsigned *ret_n,
                   struct err *err);
