/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Watch: the guard at work over a lane.  It looks at what was measured, by the
 * keeper or by a gauge, asks the guard what follows, and has it done: by the drive, which
 * hands out no more tasks, and by the throttle, which holds back who is in the
 * midst of one.  What changes is said once, stalls too (stall.h); how it stands
 * is shown with the progress, and of an export written down for status (pace.h).
 *
 * It belongs to the main thread of the lane; the throttle to all.
 */

#include "io/cleanup.h"
#include "io/err.h"
#include "io/stop.h"
#include "io/throttle.h"
#include "loader/progress/progress.h"
#include "loader/run/run_dir.h"
#include "loader/source/guard/guard.h"
#include "loader/source/guard/stall.h"

struct watch;

/* What an end means: DETAIL and HINT, by whether the source is let go. */
struct watch_words {
    const char *detail[2], *hint[2];
};

/* All pointers are borrowed for as long as it lives. */
struct watch_params {
    /* The newest measurement. */
    void (*look)(void *arg, struct vitals *ret);
    void *look_arg;
    const struct watch_words *words;
    const struct run_dir *pace; /* where it is written down; NULL: nowhere */
    const struct guard_limits *limits;
    uint64_t max_rate; /* bytes a second; 0: no limit */
    unsigned n_workers;
    unsigned lane; /* its number in the progress */
    struct progress *progress;
    const struct stop *stop;
};

int watch_new(struct watch **ret, const struct watch_params *p,
              struct err *err);
struct watch *watch_free(struct watch *w);
DEFINE_CLEANUP(struct watch *, watch_free)

/* What the workers have to ask; NULL when nothing can hold them back. */
struct throttle *watch_throttle(struct watch *w);

/* Whom the workers tell what they wait for. */
struct stalls *watch_stalls(struct watch *w);

/* The lane's allow: ERR_REFUSED when a limit is the end. */
int watch_allow(void *watch, unsigned *ret_n, struct err *err);

/* The end was one after which the source is to be let go; *why (may be NULL)
   says why. */
int watch_must_let_go(const struct watch *w, const char **why);
