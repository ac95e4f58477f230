/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Aggregates of a table's columns, of the rows as COPY carries them, so that
 * both sides are counted in the same way whatever they are:
 *
 *     nulls     of every column
 *     length    of every column: bytes of all its values (text unescaped)
 *     sum, min, max
 *               of integers exactly; of binary dates and timestamps in their
 *               own units (days, microseconds since 2000); of floats and
 *               numerics as floating-point numbers, without NaN and infinities
 *     true      of booleans: how many
 *     distinct  when asked for: a sketch of the values (formats/sketch.h), 4 KiB
 *               a column
 *
 * The order of rows and how the table is cut do not matter; a floating sum may
 * differ by rounding, and that much is overlooked.
 *
 * One thread owns one; parts are merged.
 */

#include "formats/copy_row.h"
#include "io/cleanup.h"
#include "io/err.h"
#include "loader/catalog/catalog.h"
#include "loader/proof/accept.h"
#include "loader/proof/result.h"

struct aggregates;

/* Of the table's columns, in their order, in its format. */
int aggregates_new(struct aggregates **ret, const struct catalog_table *t,
                   int distinct, struct err *err);
struct aggregates *aggregates_free(struct aggregates *a);
DEFINE_CLEANUP(struct aggregates *, aggregates_free)

/* A piece of the stream's rows. */
int aggregates_piece(struct aggregates *a, const struct copy_piece *p,
                     struct err *err);

/* *into may be NULL: then it is from.  from is taken over. */
void aggregates_merge(struct aggregates **into, struct aggregates *from);

struct aggregates_pair {
    const struct aggregates *at[PROOF_ENDS]; /* NULL: of no rows */
    const struct catalog_table *table;       /* whose columns they are of */
    const char *schema, *name;               /* as the result has them */
    const struct accept *accept;             /* or NULL */
};

/* Tell what differs, column by column; the answer is how many columns. */
unsigned aggregates_compare(const struct aggregates_pair *p,
                            const struct proof_listener *listener);
