/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Narrow: which rows of two tables are not the same?
 *
 *     1  both sides are read into digests of many buckets, by the rows' own
 *        digests; what is in equal buckets is equal.  Small tables skip this.
 *     2  both are read again; the rows of the other buckets are spilled
 *     3  and joined by their keys (spill.h)
 *
 * All differences are counted; of some, as many as are asked for, the values are
 * kept.  Memory: the buckets, and a part of the spill, whatever the table's size.
 */

#include <stdio.h>

#include "loader/proof/compared.h"
#include "loader/proof/reading.h"
#include "loader/proof/result.h"
#include "loader/proof/row_key.h"

/* A row that is shown; owns its texts. */
struct narrow_row {
    struct proof_row row; /* schema and name are the table's result's */
    struct proof_value *values;
};

struct narrow {
    /* Filled by who asks. */
    const struct proof_pair *pair;
    const struct catalog_table *table; /* columns and format of all ranges */
    struct compared_range *ranges;     /* of both sides; owned */
    size_t n_ranges;
    struct row_key key;
    enum proof_end server; /* which of the two can make text of values... */
    int has_server;        /* ...if any */
    struct digest at[PROOF_ENDS];
    uint64_t n_bytes; /* of both, about */
    unsigned n_wanted;
    int wants_repair;  /* the right side is a server... */
    int cannot_repair; /* ...which has other types */

    /* Filled by the search. */
    uint64_t n[PROOF_N_ROW_KINDS];
    struct narrow_row *rows;
    unsigned n_rows;
    FILE *repair[PROOF_N_ROW_KINDS]; /* unnamed temporary files, or NULL */
    int is_partial;                  /* not all differences have their values */
};

/* By the main thread: what is to be searched, of a table that differs; it must
   live as long.  wanted: so many rows to be shown. */
int narrow_prepare(struct narrow *n, struct compared *c, unsigned wanted,
                   int wants_repair, struct err *err);

/* By a worker; may be called again after a failure. */
int narrow_find(struct narrow *n, struct reading *reading, struct err *err);
void narrow_clear(struct narrow *n);
