/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Budget: how many connections more a load may open to its target: those that
 * there are (headroom.h), but one is left for others.  Who is refused one later
 * tries again.
 */

#include "io/err.h"
#include "loader/pg/session.h"
#include "loader/progress/progress.h"

/* *jobs becomes less, and that is noted, when there are not as many.
   ERR_REFUSED when there is none. */
int budget_keep(struct session *s, struct progress *p, unsigned *jobs,
                struct err *err);
