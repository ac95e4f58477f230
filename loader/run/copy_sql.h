/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The COPY statements: one place that knows how a table and a range of it are
 * written in SQL.  Names are quoted by libpq for the session's connection;
 * the caller frees the answer (free); NULL when out of memory.
 */

#include <stdint.h>

#include "loader/pg/session.h"
#include "loader/run/catalog.h"

/* COPY of blocks [lo, hi) of the table's own rows, in the table's format. */
char *copy_sql_out(struct session *s, const struct catalog_table *t,
                   uint64_t lo, uint64_t hi);

/* COPY into the table; frozen: WITH FREEZE. */
char *copy_sql_in(struct session *s, const struct catalog_table *t, int frozen);
