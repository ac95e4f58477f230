/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Crew: the worker threads of all lanes.  Each has a seat, through which it
 * gets a task and hands it back; who holds a seat owns what is in it.
 *
 *     main thread --give--> worker --take--> main thread
 *
 * Workers open what they need (lane.h) before their first task and close it
 * when the crew is dismissed.  They block all signals: those are the main
 * thread's.
 */

#include "io/cleanup.h"
#include "io/err.h"
#include "loader/progress/progress.h"
#include "loader/work/lane.h"

struct crew;

/* Outcome of take: nothing has come back in time. */
enum { CREW_E_TIMEOUT = 1 };

struct crew_seat {
    unsigned lane, slot;
    void *task;
    /* As it comes back: */
    int r;         /* what work, or open, returned */
    int is_unable; /* it was open: the task has not been begun */
    struct err err;
};

/*
 * Starts the threads.  Where the system does not let us have as many as asked
 * for, fewer will do, if every lane has one; a note says so.  The lanes must be
 * those of the progress.
 */
int crew_new(struct crew **ret, const struct lane *lanes, unsigned n_lanes,
             struct progress *progress, struct err *err);

/* All seats must be back.  Waits until all workers have closed and ended. */
struct crew *crew_free(struct crew *c);
DEFINE_CLEANUP(struct crew *, crew_free)

/* How many workers the lane has got. */
unsigned crew_size(const struct crew *c, unsigned lane);

/* Only while it is the main thread's. */
struct crew_seat *crew_seat(struct crew *c, unsigned lane, unsigned slot);

/* Have the seat's task worked on. */
void crew_give(struct crew *c, struct crew_seat *seat);

/* Waits at most timeout_ms for a seat to come back. */
int crew_take(struct crew *c, struct crew_seat **ret, int timeout_ms);
