/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/* The query behind inventory.h, for servers of any version. */

#include "io/err.h"
#include "loader/pg/session.h"

/*
 * Begin a COPY of the lines, in their order (copy_out.h); the session is in a
 * transaction.  with is NULL, or a WITH clause as selection_sql() and
 * LEFT_OUT_GONE have it: what it finds gone is left out.
 */
int inventory_copy(struct session *s, const char *with, struct err *err);
