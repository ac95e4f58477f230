/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Throttle: what threads that share a source may take from it together, in
 * bytes a second, and how many of them may take anything at all.
 *
 *     enter --take, take...--> leave
 *
 * The rate is one bucket for all.  It holds a tenth of a second's worth: who
 * has been idle may not make up for it.  Of the threads that have entered, the
 * first (by seat) go on, and the others are held back until one of those
 * leaves, so that what has been begun comes to its end.
 *
 * There are no locks: a thread that naps holds up nobody.
 */

#include <stddef.h>
#include <stdint.h>

#include "io/cleanup.h"
#include "io/err.h"
#include "io/stop.h"

struct throttle;

enum {
    THROTTLE_SEATS = 64,
    THROTTLE_STEP = 32 << 10, /* how much to take at once, or about */
};

/* bytes_per_s 0: as fast as can be.  stop is borrowed. */
int throttle_new(struct throttle **ret, uint64_t bytes_per_s,
                 const struct stop *stop, struct err *err);
struct throttle *throttle_free(struct throttle *t);
DEFINE_CLEANUP(struct throttle *, throttle_free)

/* So many may go on; at first all.  By any thread, at any time. */
void throttle_allow(struct throttle *t, unsigned n);

void throttle_enter(struct throttle *t, unsigned seat);
void throttle_leave(struct throttle *t, unsigned seat);

/*
 * Waits until these bytes may be taken.  ERR_CANCELLED: the run is stopped at
 * once, or it drains and this thread is held back: then it would not come to
 * its end.
 */
int throttle_take(struct throttle *t, unsigned seat, size_t n_bytes,
                  struct err *err);
