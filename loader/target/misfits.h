/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Misfits: do the run's tables find their place in an existing schema?
 *
 * Tables and columns are found by name; a column must have the type that it
 * has at the source, since rows may be staged in binary.  What the target has
 * besides is filled by its defaults, or is a misfit where there is none.
 */

#include "io/err.h"
#include "loader/pg/session.h"
#include "loader/run/catalog.h"
#include "loader/run/progress.h"

/* The run's tables and columns, as a temporary table of the session:
   (table_id, role, schema, name, position, column_name, type); a table without
   columns has one row with NULLs.  role: "own", "extension" (it has rows of
   its own), "root" (of a family, with the number of one of its tables,
   negative). */
#define TARGET_TABLES "pg_temp.pghaul_tables"

int misfits_list_tables(struct session *s, struct catalog *c, struct err *err);

/* ERR_REFUSED when there are any; each is noted. */
int misfits_find(struct session *s, struct progress *p, struct err *err);
