/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Fingerprint: what a table was like when it was planned, as
 * "<file node> <number>:<type> <number>:<type> ...", a pair for each column
 * that is copied, in that order.  Types are OIDs, of a domain what it stands
 * for.
 *
 * A snapshot shows old rows of the catalogues, but COPY goes by what they are
 * now: a column dropped and added again has another number, and its old
 * values are gone.  So what is compared is what the server makes of the same
 * names now, by its answer to a query that reads no row.  Names are those by
 * which we ask; collations do not change a row's bytes.
 */

#include <stdio.h>

#include "io/err.h"
#include "loader/catalog/catalog.h"
#include "loader/pg/session.h"

/* Write one. */
void fingerprint_table(FILE *f, const char *file_node);
void fingerprint_column(FILE *f, const char *number, const char *type);

/*
 * Is the table still what it was?  ERR_REFUSED with its name and what has
 * changed.  s has read from the table in its transaction, and so holds a lock
 * on it: what is right now was right when its rows were read.
 */
int fingerprint_check(struct session *s, const struct catalog_table *t,
                      struct err *err);
