/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Poolers and load balancers: do all connections of this string reach one
 * server, and has each a server process of its own for as long as it lasts?
 *
 * A pooler that lends server processes for a transaction each would lose our
 * settings between two transactions, and pass them on to whoever comes next:
 * rows would be copied in another format, and the application's sessions
 * would have ours.  So this is asked before anything is set.
 *
 * One that lends them for a session each is no hindrance.
 */

#include "loader/pg/session.h"

/*
 * ERR_REFUSED with what is in the way; ERR_SERVER when nobody answers.  May
 * wait as long as a pooler lets its clients wait for a server process.
 */
int pooler_require_none(const struct session_params *p, struct err *err);
