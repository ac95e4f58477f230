/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Verify: is every row of the run in the target, once, and nothing else?
 *
 * Export has digested every row as it staged it.  The target is read back in
 * one snapshot, with the same COPY, in parallel ranges, into a digest of its
 * own.  Large objects are read in the same way: their contents, not to whom
 * they belong.  Digests do not depend on the order of rows or on how a table is cut,
 * so the two are equal when the tables are.  Tables that were loaded through
 * one root are compared as one: their rows may lie in other partitions now.
 *
 *     begin --lane (drive)--> finish --> free
 */

#include <stdint.h>

#include "formats/digest.h"
#include "io/cleanup.h"
#include "io/err.h"
#include "io/stop.h"
#include "loader/catalog/catalog.h"
#include "loader/catalog/facts.h"
#include "loader/work/lane.h"

struct verify;

enum verify_verdict {
    VERIFY_EQUAL,
    VERIFY_DIFFERS,
    VERIFY_FAILED, /* could not be compared, which proves nothing */
};

/* What became of one table, or of all n_tables below one root. */
struct verify_result {
    const char *schema, *name; /* the table's or the root's */
    uint64_t n_tables;
    enum verify_verdict verdict;
    struct digest exported; /* by the run */
    struct digest found;    /* in the target */
    const char *why;        /* with FAILED */
};

/* All pointers are borrowed for as long as the verification lives. */
struct verify_params {
    const char *conninfo; /* of the target */
    const struct facts *facts;
    unsigned jobs;
    uint64_t range_size; /* bytes of a table that one task reads */
    const struct stop *stop;
    /* Told of every table, by the main thread. */
    void (*tell)(void *arg, const struct verify_result *result);
    void *arg;
};

/* The run's export must be complete. */
int verify_begin(struct verify **ret, const struct verify_params *p,
                 struct catalog *c, struct err *err);
struct verify *verify_free(struct verify *v);
DEFINE_CLEANUP(struct verify *, verify_free)

struct lane verify_lane(struct verify *v);
