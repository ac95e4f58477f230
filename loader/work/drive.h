/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Drive: run lanes to their end.  It asks the scheduler what to do after every
 * event, does it, and draws the progress.  The calling thread is the main
 * thread of lane.h; the workers are a crew.
 *
 *      fetch              give                 work
 *     lane ----> drive ------------> worker
 *      ^           |  <------------
 *      +-----------+     take
 *     record, give_up
 *
 * It stops short when the user asks to, when a failure concerns all (see
 * scheduler.h), and when the lane cannot fetch or write down: then what is in
 * hand may finish, and is interrupted (stop_now) when that takes too long.
 */

#include "io/err.h"
#include "io/stop.h"
#include "loader/progress/progress.h"
#include "loader/work/lane.h"

struct drive_params {
    const struct lane *lanes;
    unsigned n_lanes;
    struct stop *stop;
    struct progress *progress; /* without lanes; the drive makes them */
    unsigned drain_ms;         /* 0: SCHEDULER_DRAIN_MS */
};

struct drive_result {
    uint64_t n_done;
    uint64_t n_failed;
    struct err first; /* the first failure, class 0 when there was none */
};

/*
 * 0: all lanes are dry; *ret says whether tasks have failed.  <0: it was
 * stopped short, by what *err says (ERR_CANCELLED: by the user).  In any case
 * *ret is filled, all workers have ended, what they had done is recorded, and
 * the moving lines are gone.
 */
int drive_run(const struct drive_params *p, struct drive_result *ret,
              struct err *err);
