/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Large objects into the target, out of the rows of loader/catalog/large_objects.h.
 *
 * Contents: the rows of a frame become three arrays, the parameters of one
 * statement that makes the objects and writes into them.  An object that is
 * there already is ERR_REFUSED: nothing of it is overwritten.
 *
 * Metadata: the statements are executed as they are, a few hundred a
 * transaction, since each locks its object for the rest of it, and the
 * server's lock table is small.
 */

#include "loader/target/load_chunk.h"

/* In the caller's transaction. */
int load_large_objects(struct load_chunk *w, const struct catalog_chunk *k,
                       struct err *err);

/* In transactions of its own: may be done again.  When a statement fails the
   error names its object. */
int load_large_object_metadata(struct load_chunk *w,
                               const struct catalog_chunk *k, struct err *err);

struct load_batch *load_batch_free(struct load_batch *b);
