/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The planner's parts, private to planner*.c: tables with their columns, how a
 * table is cut into chunks, sequences, and what is not copied.
 */

#include <stdlib.h>

#include "loader/source/plan/planner.h"

struct planner {
    const struct planner_params *params;
    struct session *session; /* in the snapshot */
    struct catalog *catalog;
};

/* A table that is in the catalogue, to be cut. */
struct planner_cut {
    const struct catalog_table *table;
    uint64_t n_blocks;
    int by_block; /* a range of blocks can be read alone */
};

/* Outcome of is_staged: an earlier epoch has it. */
enum { PLANNER_E_STAGED = 1 };
int planner_is_staged(struct planner *p, uint32_t oid, struct err *err);

int planner_tables(struct planner *p, struct err *err);
int planner_chunks(struct planner *p, const struct planner_cut *cut,
                   struct err *err);
/* n key ranges, or fewer: down to one that is the whole table. */
int planner_key_ranges(struct planner *p, const struct catalog_table *t,
                       uint64_t n, struct err *err);
int planner_sequences(struct planner *p, struct err *err);
int planner_skips(struct planner *p, struct err *err);

/*
 * Behind selection_sql(): the leaves below what is partitioned by something that is
 * another in every database, as planner_roots (oid, root, root_schema,
 * root_name, columns, sound).  Their rows may belong into other leaves of the
 * copy, so they are loaded through root, the topmost such table above them.
 *
 * It is the hash of a value that depends on an OID (an enum's, a name's by
 * which it is an object, or of what is made of these) or on a collation that
 * is not deterministic.  What an expression yields is not looked into: where
 * its operator class takes many types it counts as such a value.
 *
 * Not sound are the leaves of a root some of which are foreign, or unlogged
 * when others are not: a row could come to be where a crash loses it, or on
 * another server.
 */
extern const char planner_roots[];

static inline uint64_t
planner_number(const PGresult *res, int line, int column)
{
    return strtoull(PQgetvalue(res, line, column), NULL, 10);
}

static inline int
planner_is_true(const PGresult *res, int line, int column)
{
    return PQgetvalue(res, line, column)[0] == 't';
}
