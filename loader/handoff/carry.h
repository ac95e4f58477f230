/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Carry: the run's sequences go on on one server where they are on the other.
 * Replication does not do that.
 *
 * None is moved back, since the receiver may have had a reason to be further
 * (loader/target/sequences.h), unless it cycles.  The margin is a number of
 * values to leave out, for whoever gave out some that nobody has seen yet.
 */

#include <stdint.h>

#include "io/err.h"
#include "loader/catalog/catalog.h"
#include "loader/pg/session.h"

struct carry {
    struct session *from, *to;
    uint64_t margin;
};

struct carried {
    uint64_t n;         /* set */
    uint64_t n_missing; /* not there on one of the two (any more) */
};

int carry_sequences(const struct carry *x, struct catalog *c,
                    struct carried *ret, struct err *err);
