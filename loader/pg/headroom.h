/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Headroom: how many connections more a server has for this role.
 *
 * max_connections less what is reserved and what is in use, and the limits of
 * the database and of the role, where they bind this role.  Of others' sessions
 * an ordinary role is not told what they are, so all with a database count.  A
 * momentary figure.
 */

#include "io/err.h"
#include "loader/pg/session.h"

struct headroom {
    long n;         /* may be less than 0 */
    char limit[64]; /* the tightest: "max_connections", "CONNECTION LIMIT of
                       the role" */
};

/* without_us: those of our own name (pghaul: <purpose>) do not count. */
int headroom_ask(struct session *s, int without_us, struct headroom *ret,
                 struct err *err);

/* Is it a limit of this role or database, not the server's? */
int headroom_is_personal(const struct headroom *h);
