/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Analyze: statistics are no rows and no entries of pg_dump's, and nobody wants
 * a target without.
 *
 *     table        when its rows and indexes are there; where statistics were
 *                  carried over (carried.h) with the others, and only if it
 *                  has none
 *     the others   partitioned tables, parents and materialized views, side by
 *                  side, when all else is there
 *
 * Each table once: before PostgreSQL 18 ANALYZE of a partitioned table is that
 * of its partitions, too, so these are left to the topmost.  A tree with
 * foreign tables is not sampled as a whole, since that would ask their servers.
 */

#include "io/err.h"
#include "loader/catalog/catalog.h"
#include "loader/pg/session.h"

/* Which of the target's partitioned tables, parents and views are meant. */
enum analyze_scope {
    ANALYZE_ALL,     /* all are the run's */
    ANALYZE_LACKING, /* all, but those that have statistics when all else is
                        there, and need no others */
    ANALYZE_PLACES,  /* those above the tables of PLACES, and REFRESHED */
};

/* What is to be done, as entries of the catalogue. */
int analyze_add_entries(struct session *s, struct catalog *c,
                        enum analyze_scope scope, struct err *err);
