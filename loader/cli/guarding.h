/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Guarding: the limits of the options on the server that a verification reads
 * (the source, where it is one of the two), measured by ourselves.
 */

#include "io/cleanup.h"
#include "io/err.h"
#include "loader/cli/workplace.h"
#include "loader/proof/side.h"
#include "loader/source/guard/gauge.h"
#include "loader/source/guard/watch.h"

struct guarding { /* begins as {0} */
    struct guard_limits limits;
    struct gauge *gauge;
    struct watch *watch; /* NULL: there are no limits */
};

/* ERR_USAGE: there are, and no server. */
int guarding_begin(struct guarding *g, const struct workplace *w,
                   const struct proof_pair *pair, struct err *err);
void guarding_end(struct guarding *g);
