/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Proven: what the last verification of a run came to, in the run catalogue,
 * for who comes after it.  Forgotten when something is loaded again.
 */

#include <stdint.h>

#include "io/err.h"
#include "loader/catalog/catalog.h"

/* Outcome: nothing was verified so far. */
enum { PROVEN_E_NONE = 1 };

struct proven {
    int equal;                 /* every table was read, and is */
    int64_t at;                /* when, in seconds since 1970 */
    char *system_id;           /* of the target's cluster */
    char *database;            /* its name there */
    uint64_t n_tables, n_rows; /* that are equal */
};

int proven_read(struct proven *ret, struct catalog *c, struct err *err);
void proven_clear(struct proven *p);
int proven_write(const struct proven *p, struct catalog *c, struct err *err);
int proven_forget(struct catalog *c, struct err *err);
