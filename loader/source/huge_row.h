/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Rows near PostgreSQL's limit of 1 GiB for one message.  As text a bytea
 * doubles, so that a row that could be stored cannot be read; in binary it
 * often can.
 *
 * Which row it was the server does not say: it is looked for by the lengths of
 * its columns, which are known without reading them.
 */

#include <stdint.h>

#include "io/err.h"
#include "loader/catalog/catalog.h"
#include "loader/pg/session.h"

/* A COPY failed with this: can it have been for the size of a row? */
int huge_row_is_suspected(const struct err *why);

/*
 * Look for it.  s is in the snapshot, why is the COPY's failure, k the chunk.
 * 0: *why says which rows they are, how large, and what to do; 1: it was
 * something else, *why is as it was; <0: looking failed.
 */
enum { HUGE_ROW_E_NONE = 1 };
int huge_row_name(struct session *s, const struct catalog_chunk *k,
                  struct err *why, struct err *err);

/* Has every column of the table a binary form, at the source at least? */
int huge_row_fits_binary(struct session *s, const struct catalog_table *t,
                         int *ret, struct err *err);
