/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Compared: a pair of tables while it is compared, and the ranges of it that
 * are still to be read, of each side as that side is cut.  The main thread's;
 * workers read what their task points to, which does not change.
 */

#include "io/err.h"
#include "loader/proof/aggregates.h"
#include "loader/proof/reading.h"
#include "loader/proof/result.h"
#include "loader/proof/sampling.h"
#include "loader/proof/side.h"
#include "loader/proof/table_pairs.h"

struct compared_params {
    const struct proof_pair *sides; /* borrowed */
    int deep;                       /* bags are read, too */
    int counts_only;                /* rows need not be the same */
    uint32_t sample_ppm;            /* 0: all rows */
};

struct compared {
    const struct compared_params *params;
    struct compared *next; /* the owner's */
    struct table_pair pair;
    /* What is read: its columns in this order, in this format. */
    struct catalog_table *table;
    struct proof_table result; /* its texts are those below */
    char *reason;
    struct compared_cut {
        uint64_t table, chunk; /* the last that was handed out */
        int is_over;
    } cut[PROOF_ENDS];
    struct sampling sampling;                  /* of no table: none is taken */
    struct aggregates *aggregates[PROOF_ENDS]; /* NULL: none are taken */
    unsigned n_out;                            /* tasks in work */
};

/* A range of it to be read, on its way through a worker. */
struct compared_range {
    enum proof_end end;
    struct catalog_table table; /* shallow: what to read and how */
    struct catalog_chunk *chunk;
    const struct sampling *sample; /* the compared's, or NULL */
    uint64_t n_bytes;              /* estimate */
};

/*
 * Takes the tables over from pair.  With a verdict already when there is
 * nothing to be read: only one side has it, a column is missing...
 */
int compared_new(struct compared **ret, const struct compared_params *p,
                 struct table_pair *pair, struct err *err);
struct compared *compared_free(struct compared *c);
DEFINE_CLEANUP(struct compared *, compared_free)

/* The next range; E_NONE when there is no more. */
enum { COMPARED_E_NONE = 1 };
int compared_next(struct compared *c, struct compared_range *ret,
                  struct err *err);
/* Hand out all of it again, also of a bag. */
void compared_rewind(struct compared *c);
void compared_range_clear(struct compared_range *r);
/* All has been handed out, or need not be. */
int compared_is_all_out(const struct compared *c);

/* It is that, for this reason; nothing more of it is handed out. */
int compared_conclude(struct compared *c, enum proof_verdict verdict,
                      struct err *err, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* All has been read: what do the digests say? */
int compared_judge(struct compared *c, struct err *err);
