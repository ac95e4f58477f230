/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Outlook: what an export would do, found out as the export finds it out, with
 * its planner in a snapshot, but without a keeper or a run directory, and
 * without keeping a lock: for who holds a stronger one it waits two seconds.
 * Nothing stays behind: the catalogue is an unnamed file.
 */

#include "io/stop.h"
#include "loader/catalog/catalog.h"
#include "loader/source/plan/planner.h"
#include "loader/source/plan/sample.h"

struct outlook_params {
    const char *conninfo;
    struct planner_params plan;  /* but for its selection */
    struct selection *selection; /* not prepared; or NULL: all */
    unsigned jobs;
    const struct stop *stop;
};

enum { OUTLOOK_LARGEST = 20 };

struct outlook_table {
    struct catalog_table *table; /* owned */
    struct catalog_cut cut;
    int64_t n_rows; /* by the source's statistics; -1: they do not say */
};

/* Begins as {0}. */
struct outlook {
    struct catalog *catalog; /* what would be copied, and what not */
    struct catalog_counts counts;
    uint64_t n_sequences;
    struct outlook_table largest[OUTLOOK_LARGEST]; /* the first ones */
    unsigned n_largest;
    uint64_t n_rows;      /* by the source's statistics, of all tables but */
    uint64_t n_uncounted; /* those of which they say nothing */
    uint64_t disk_bytes;  /* an estimate */
    struct catalog_table *sampled; /* NULL: there is too little to measure */
    struct sample sample;
    uint64_t ms; /* how long it would take at that rate; 0: not known */
};

/* The caller clears *ret in any case. */
int outlook_take(struct outlook *ret, const struct outlook_params *p,
                 struct err *err);
void outlook_clear(struct outlook *o);

/* What the staged files of tables of so many bytes will take: half of it,
   since rows compress, but there are no indexes. */
uint64_t outlook_disk(uint64_t table_bytes);
