/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Vigil: while a target is loaded, which may take days, are the run's slots
 * still there, and for how long?  One that is lost makes the rest of the load a
 * waste: that ends it at once, not at the hand-off.  One that will be lost soon
 * is said, while something can be done about it.
 *
 * It belongs to the main thread of a lane, which now and then waits for the
 * source's answer.  A source that gives none ends nothing.
 */

#include "io/cleanup.h"
#include "io/err.h"
#include "io/stop.h"
#include "loader/catalog/catalog.h"
#include "loader/progress/progress.h"

struct vigil;

/* All borrowed for as long as it lives. */
struct vigil_params {
    const char *conninfo; /* of the source */
    struct catalog *catalog;
    struct progress *progress;
    const struct stop *stop;
};

/* Of a run without slots it does nothing.  ERR_REFUSED: this is not the run's
   source. */
int vigil_begin(struct vigil **ret, const struct vigil_params *p,
                struct err *err);
struct vigil *vigil_free(struct vigil *v);
DEFINE_CLEANUP(struct vigil *, vigil_free)

/* The lane's allow: ERR_REFUSED when a slot is lost.  How many workers there
   are is not its business. */
int vigil_allow(void *vigil, unsigned *ret_n, struct err *err);
