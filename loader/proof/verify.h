/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Verify: is every row of the one side on the other, once, and nothing else?
 *
 * Every row of a server is read in one snapshot, with the same COPY, in
 * parallel ranges, into a digest; of a bag the digests were computed as its rows
 * were staged, and only deep recomputes them from the files.  Digests do not
 * depend on the order of rows or on how a table is cut, so the two are equal
 * when the tables are.  Columns are taken by name, in the order of the left
 * side: neither their order nor dropped or generated ones matter.  Rows are
 * compared in the form that was staged; between servers in binary where both
 * know all of a table's types to be stable, else as text.
 *
 * Tables below one root are compared as one: their rows may lie in other
 * partitions now.  Large objects are compared by their contents, not by whom
 * they belong to.
 *
 *     table    READING --equal----------------------------------> told
 *                 |  \--only one side has it, failed, ...-------> told
 *                 +--differs--> its rows are looked for --------> told
 *
 *     begin --lane (drive)--> free
 */

#include <stdint.h>
#include <stdio.h>

#include "io/cleanup.h"
#include "io/err.h"
#include "loader/proof/accept.h"
#include "loader/proof/result.h"
#include "loader/proof/side.h"
#include "loader/source/guard/watch.h"
#include "loader/work/lane.h"

struct verify;

/* All pointers are borrowed for as long as the verification lives. */
struct verify_params {
    const struct proof_pair *pair;
    unsigned jobs;
    int deep;            /* read the files of bags, too */
    int counts_only;     /* the same number of rows is enough */
    int aggregates;      /* of columns are compared, too: this is deep */
    int distinct;        /* among them how many values there are */
    uint32_t sample_ppm; /* rows of a million to be compared; 0: all */
    unsigned n_shown;    /* rows that differ, of each table, at most */
    FILE *repair;        /* statements that would mend the right side go here,
                            which is a server; NULL: nobody wants them */
    const struct accept *accept; /* NULL: nothing */
    /* Limits on the guarded end; NULL: none. */
    struct watch *watch;
    const struct proof_listener *listener;
};

int verify_begin(struct verify **ret, const struct verify_params *p,
                 struct err *err);
struct verify *verify_free(struct verify *v);
DEFINE_CLEANUP(struct verify *, verify_free)

struct lane verify_lane(struct verify *v);

/* Tables whose differences were too many for all of their statements. */
uint64_t verify_n_partly_repaired(const struct verify *v);
