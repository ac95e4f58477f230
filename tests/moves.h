/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Moves: what the tests of whole runs share.  A source with ordinary tables,
 * the program under test, and the judges of a copy.
 */

#include "tests/server.h"

/* A database that a shop could have: keys, foreign keys, indexes, a view, a
   trigger, sequences, partitions, mixed types, about 40,000 rows. */
const char *moves_source(void);

/* Run "pghaul WORDS..." (NULL ends them); output as in server.h. */
#define moves_pghaul(...)                                                      \
    server_run((const char *const[]){server_pghaul(), __VA_ARGS__, NULL})

/* Export source into dir and load it into target, with small chunks; fails
   the test unless both end with 0. */
void moves_export(const char *source, const char *dir);
void moves_load(const char *target, const char *dir);

/* The same rows in every table, the same schema by pg_dump's word, the same
   sequences: fails the test with what differs. */
void moves_assert_equal(const char *source, const char *target);

/* The schema alone, without ledgers. */
void moves_assert_same_schema(const char *source, const char *target);

/* The rows alone. */
void moves_assert_same_tables(const char *source, const char *target);

/* dir + "/" + name; lives as long as the test. */
const char *moves_path(const char *dir, const char *name);
