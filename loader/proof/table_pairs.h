/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Table pairs: which table of one side belongs to which of the other, by name.
 * First come all tables of the left side, each with its partner or without one,
 * then those of the right side that nobody asked for.
 *
 * Tables below one root (catalog.h) are one pair, whatever the partitions of the
 * other side are: only the first of them comes.  Where the left side is a part of
 * a database only, those that only the right side has do not come.
 *
 * What was asked for is a bit a table of the right side.
 */

#include "io/cleanup.h"
#include "io/err.h"
#include "loader/catalog/catalog.h"
#include "loader/proof/side.h"

struct table_pairs;

enum { TABLE_PAIRS_E_NONE = 1 };

struct table_pair {
    struct catalog_table *at[PROOF_ENDS]; /* owned; NULL: it has none */
    /* The right side has the root, but not these partitions of it: it is read
       through the root, and there is no table. */
    int through_root;
};

void table_pair_clear(struct table_pair *p);

int table_pairs_new(struct table_pairs **ret, const struct proof_pair *pair,
                    struct err *err);
struct table_pairs *table_pairs_free(struct table_pairs *p);
DEFINE_CLEANUP(struct table_pairs *, table_pairs_free)

/* E_NONE: there is no more.  By the main thread. */
int table_pairs_next(struct table_pairs *p, struct table_pair *ret,
                     struct err *err);
