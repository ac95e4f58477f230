/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Reading: a worker's way to the rows of both sides, row by row as COPY writes
 * them, whether a server sends them or they lie in a bag.
 *
 * Memory: what libpq needs for the largest row, or a frame of the bag.
 */

#include "formats/copy_rows.h"
#include "io/cleanup.h"
#include "io/err.h"
#include "io/throttle.h"
#include "loader/catalog/catalog.h"
#include "loader/progress/progress.h"
#include "loader/proof/sampling.h"
#include "loader/proof/side.h"

struct reading;

/* All borrowed. */
struct reading_params {
    const struct proof_pair *pair;
    struct progress_cell *cell;
    struct throttle *throttle; /* of the guarded end; NULL: none */
    unsigned seat;             /* in the throttle */
};

/* Which rows. */
struct reading_range {
    enum proof_end end;
    /* Where they are, in which format and order of columns. */
    const struct catalog_table *table;
    /* Blocks, OIDs, or a condition; or, in a bag, the chunk that was staged. */
    const struct catalog_chunk *chunk;
    const struct sampling *sample; /* of these rows these; NULL: all */
};

int reading_new(struct reading **ret, const struct reading_params *p,
                struct err *err);
struct reading *reading_free(struct reading *r);
DEFINE_CLEANUP(struct reading *, reading_free)

/* Connect to the servers: at once, so that who gets no connection can be told
   from what cannot be read. */
int reading_open(struct reading *r, struct err *err);

/* A session of the side, which is a server, in its snapshot; the reading's. */
int reading_session(struct reading *r, enum proof_end end, struct session **ret,
                    struct err *err);

/* Hand over every row, in the pieces in which it comes.  What visit answers, if
   it is not 0, ends it and is returned. */
int reading_rows(struct reading *r, const struct reading_range *range,
                 int (*visit)(void *arg, const struct copy_piece *p,
                              struct err *err),
                 void *arg, struct err *err);

/* Bytes of COPY streams so far. */
uint64_t reading_n_bytes(const struct reading *r);
