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
#define moves_pghaul(...) server_run(moves_words(__VA_ARGS__))

#define moves_words(...)                                                       \
    (const char *const[])                                                      \
    {                                                                          \
        server_pghaul(), __VA_ARGS__, NULL                                     \
    }

/* It has ended with that status, and says the text on stderr. */
#define moves_assert_says(run, code, text)                                     \
    do {                                                                       \
        cr_assert_eq((run).status, code, "status %d: %s", (run).status,        \
                     (run).errors);                                            \
        cr_assert_not_null(strstr((run).errors, text), "%s", (run).errors);    \
    } while (0)

/* How many moments are tried: as many as PGHAUL_MOMENTS says, or a few. */
unsigned moves_moments(unsigned few);
/* Random moments, the same again with PGHAUL_SEED=n: for rand_r(). */
unsigned moves_seed(void);
/* Start the program, wait, and end it the hard way (or whatever signal).
   What it said is returned; it may have been faster. */
struct server_run moves_kill(const char *const argv[], unsigned after_us,
                             int signal);
/* Run it to its end, which must be 0, and say how long it took. */
unsigned moves_duration_us(const char *const argv[]);

/* Export source into dir and load it into target, with small chunks; fails
   the test unless both end with 0. */
void moves_export(const char *source, const char *dir);
void moves_load(const char *target, const char *dir);

/* The same rows in every table, the same schema by pg_dump's word, the same
   sequences: fails the test with what differs. */
void moves_assert_equal(const char *source, const char *target);

/* The schema alone, without ledgers. */
void moves_assert_same_schema(const char *source, const char *target);

/* The same rows by pghaul's own word. */
void moves_assert_verified(const char *target, const char *dir);

/* The rows alone. */
void moves_assert_same_tables(const char *source, const char *target);

/* server_await() */
void moves_wait_until(const char *conninfo, const char *sql);

/* Wait until an export has a staged file in its place; two minutes at most. */
void moves_wait_until_staged(const char *run_dir);

/* dir + "/" + name; lives as long as the test. */
const char *moves_path(const char *dir, const char *name);
