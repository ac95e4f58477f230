/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Places: where the run's rows go in the target, as a temporary table of a
 * session there, so that a question about all of them is one query.
 *
 *     (table_id, role, schema, name, position, column_name, type)
 *
 * A table without columns has one row with NULLs.  The role is "own";
 * "extension", when the table has rows of the extension's own besides; or
 * "root", of a family of partitions, with the number of one of them, negative.
 */

#include "io/err.h"
#include "loader/catalog/catalog.h"
#include "loader/pg/session.h"

#define PLACES "pg_temp.pghaul_places"

/* Fill it; and pg_temp.pghaul_sequences (schema, name). */
int places_list(struct session *s, struct catalog *c, struct err *err);

/* The table's own rows, in the target: ERR_REFUSED with this hint when there
   are any. */
int places_require_empty(struct session *s, const struct catalog_table *t,
                         const char *hint, struct err *err);

/* SQL that empties those that are there and the run's own, in one statement,
   since they may refer to each other. */
extern const char places_truncate[];
