/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The COPY statements: one place that knows how a table and a range of it are
 * written in SQL.  Names are quoted by libpq for the session's connection;
 * the caller frees the answer (free); NULL when out of memory.
 */

#include <stdint.h>
#include <stdio.h>

#include "loader/catalog/catalog.h"
#include "loader/pg/session.h"

/* Blocks [lo, hi), OIDs of large objects, or the rows for which condition (SQL)
   is true. */
struct copy_sql_range {
    uint64_t lo, hi;
    const char *condition;
    const char *also; /* of these those for which this (SQL) is true, too */
};

struct copy_sql_range copy_sql_range(const struct catalog_chunk *k);

/* " WHERE ..." of the rows in the range that meet the condition (NULL: none);
   nothing when these are all. */
void copy_sql_where(FILE *f, const char *condition,
                    const struct copy_sql_range *range);

/* COPY of a range of the table's own rows that meet the table's condition, in
   the table's format. */
char *copy_sql_out(struct session *s, const struct catalog_table *t,
                   const struct copy_sql_range *range);

/* What was loaded: blocks [lo, hi) of each partition below the table's root,
   if it has one, else as above.  A condition counts only where other rows than
   ours are expected: in a table of an extension. */
char *copy_sql_loaded(struct session *s, const struct catalog_table *t,
                      const struct copy_sql_range *range);

/* COPY into the table or its root; frozen: WITH FREEZE, for a table that has
   none. */
char *copy_sql_in(struct session *s, const struct catalog_table *t, int frozen);
