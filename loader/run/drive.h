/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Drive: run lanes to their end.  It starts the workers, asks the scheduler
 * what to do after every event, does it, and draws the progress.  The calling
 * thread is the main thread of lane.h.
 *
 *      fetch              queue of tasks              work
 *     lane ----> drive ---------------------> workers
 *      ^           |  <---------------------
 *      +-----------+       queue of events
 *        record
 */

#include "io/err.h"
#include "io/stop.h"
#include "loader/run/lane.h"
#include "loader/run/progress.h"

struct drive_params {
    const struct lane *lanes;
    unsigned n_lanes;
    struct stop *stop;
    struct progress *progress;
};

struct drive_result {
    uint64_t n_done;
    uint64_t n_failed;
    struct err first; /* the first failure, class 0 when there was none */
};

/*
 * 0: all lanes are dry; *ret says whether tasks have failed.  <0: a failure
 * that concerned all, or the user's interrupt (ERR_CANCELLED).  In any case
 * all workers have ended and what they had done is recorded.
 */
int drive_run(const struct drive_params *p, struct drive_result *ret,
              struct err *err);
