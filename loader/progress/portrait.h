/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Portrait: what a server is, for the log (events.h): where it was found, its
 * version, and the settings that say why a copy was as fast as it was.
 */

#include "loader/pg/session.h"
#include "loader/progress/events.h"

/* side is "source" or "target".  The session must not be in a transaction that
   has failed; nothing is asked when there is no log. */
int portrait_log(struct events *e, const char *side, struct session *s,
                 struct err *err);
