/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Gauge: vitals of a server that we measure ourselves, every second or two,
 * over a session of its own, where no keeper does it for us.
 *
 * It belongs to one thread, which waits for the answer, for some seconds at
 * most.
 */

#include "io/cleanup.h"
#include "io/err.h"
#include "loader/pg/session.h"
#include "loader/source/guard/vitals.h"

struct gauge;

/* All pointers are borrowed for as long as it lives. */
struct gauge_params {
    const char *conninfo;
    enum session_side side;
    const struct stop *stop;
    struct session *in_snapshot; /* that the vitals are those of */
    unsigned set;                /* what must be measured: guard_set() */
};

/* ERR_REFUSED: this user may not measure that. */
int gauge_open(struct gauge **ret, const struct gauge_params *p,
               struct err *err);
struct gauge *gauge_free(struct gauge *g);
DEFINE_CLEANUP(struct gauge *, gauge_free)

/* The newest measurement; n is 0 when there was none yet.  A server that gives
   no answer is asked again over a new session, and the last one grows old. */
void gauge_look(void *gauge, struct vitals *ret);
