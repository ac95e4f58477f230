/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Refresh: materialized views of a target that had its schema, which show the
 * rows of before.
 *
 *     those of the run      that have rows at the source
 *     those of the target   that have rows and, as the server knows, show rows
 *                           of the run's tables
 *
 * One after the other, those first that others are made of.  What reads a table
 * in a function's body only, the server does not know.
 */

#include "io/err.h"
#include "loader/catalog/catalog.h"
#include "loader/pg/session.h"
#include "loader/progress/progress.h"

/* Those that are to be refreshed, of a session: (oid, schema, name, rank). */
#define REFRESHED "pg_temp.pghaul_refreshed"

/* List them; PLACES is there. */
int refresh_list(struct session *s, struct catalog *c, struct err *err);

/* They become entries, behind what was put aside. */
int refresh_add_entries(struct session *s, struct catalog *c, struct err *err);

/* Or they are not to be: note each, and forget the list. */
int refresh_none(struct session *s, struct progress *p, struct err *err);
