/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * What a selection leaves out, and what goes with it.
 *
 * With a relation goes what DROP ... CASCADE would drop with it: views on it,
 * foreign keys to it, functions that take its rows.  They are found in the
 * source's own dependencies, named as skips, and neither dumped nor loaded.
 * What cannot go without changing a table that is copied (a parent, the type
 * of a column, a default, a policy) is refused before anything is copied.
 */

#include "io/err.h"
#include "loader/catalog/catalog.h"
#include "loader/pg/session.h"
#include "loader/source/plan/selection.h"

/*
 * Write the skips: one a pattern and kind of relation, with the number of them
 * and a few names; one for each thing that goes with them.  The session is in
 * the snapshot.  ERR_REFUSED: what is copied needs what is left out.
 */
int left_out_record(const struct selection *selection, struct session *s,
                    struct catalog *c, struct err *err);

/* A WITH clause that finds "gone": what is left out and what goes with it, as
   inventory.h takes it.  The caller frees; NULL: no memory. */
char *left_out_gone(const struct selection *selection);

/* Options of pg_dump, and what to free; begins as {0}. */
struct left_out_options {
    char **words; /* ends in NULL; NULL when there are none */
    unsigned n;
    size_t len; /* bytes in all */
};

/* What makes pg_dump leave out the same.  ERR_REFUSED: it is more than a
   command line takes. */
int left_out_dump_options(const struct selection *selection, struct session *s,
                          struct left_out_options *ret, struct err *err);
void left_out_options_clear(struct left_out_options *o);
