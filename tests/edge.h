/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Edge cases: a database with every type and kind of object
 * (edge-cases.sql), and judges that work on any database: pg_dump for what
 * objects there are, the servers' own text for the rows.
 */

#include "tests/server.h"

/* edge-cases.sql has a schema "pghaul" of the user's, so the ledger is here. */
#define EDGE_LEDGER "the ledger"

/* A database of this server ("source") with all of it; made once for the
   program's tests and copied then. */
const char *edge_source(const char *server);

/* An empty database of this server, where its roles and tablespaces are. */
const char *edge_target(const char *server);

/* Equal by pg_dump's word, line by line; by the servers' text of every row of
   every table and materialized view; by every sequence's state, and every large
   object. */
void edge_assert_equal(const char *source, const char *target);

/* The rows of all tables alone. */
void edge_assert_same_rows(const char *source, const char *target);

/* What psql and lz4 make of a run directory, in a database of its own on this
   server, is equal to the source. */
void edge_assert_readable_by_hand(const char *source, const char *run_dir,
                                  const char *server);
