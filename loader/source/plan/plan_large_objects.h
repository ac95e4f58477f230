/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The plan for large objects: their contents, and what belongs to them, cut
 * into chunks of neighbouring OIDs.  An object is never cut: one of 4 TB is a
 * chunk of that size.
 *
 * Up to PLAN_LARGE_OBJECTS_MEASURED their sizes are asked one by one, which
 * takes some 5 us each and finds those that may not be read; of more, chunks
 * are made by number and average size.  Memory does not grow with them.
 */

#include "io/err.h"
#include "loader/catalog/catalog.h"
#include "loader/pg/session.h"

enum { PLAN_LARGE_OBJECTS_MEASURED = 1000000 };

/* s is in the snapshot.  Nothing is added when there are none. */
int plan_large_objects(unsigned epoch, uint64_t chunk_size, struct session *s,
                       struct catalog *c, struct err *err);

/* They are left out by the user's wish: a skip that says how many. */
int plan_no_large_objects(struct session *s, struct catalog *c,
                          struct err *err);
