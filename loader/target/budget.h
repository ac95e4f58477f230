/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Budget: how many connections more a load may open to its target.
 *
 * max_connections less what is reserved and what is in use, and the limits of
 * the database and of the role, where they bind this role; one is left for
 * others.  A momentary figure: who is refused one later tries again.
 */

#include "io/err.h"
#include "loader/pg/session.h"
#include "loader/progress/progress.h"

/* *jobs becomes less, and that is noted, when there are not as many.
   ERR_REFUSED when there is none. */
int budget_keep(struct session *s, struct progress *p, unsigned *jobs,
                struct err *err);
