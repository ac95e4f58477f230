/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Scheduler: who works next, what is tried again and when it is over, as a
 * pure function of what has happened.  It waits for nothing and asks nobody,
 * not even for the time, so a seeded simulation can drive it through years of
 * failures.
 *
 * Work flows in lanes (export, load, ...); a lane has slots, one a worker:
 *
 *     IDLE --FETCH--> ASKED --found: RUN--> BUSY --done: RECORD-------> IDLE
 *                       |                   |  ^ --failed: GIVE_UP----> IDLE
 *                       |              again|  |RUN
 *                       +--dry--> IDLE      v  |
 *                                          PARKED (back-off)
 *
 *     BUSY --unable: PUT_BACK--> RESTING (back-off) --> IDLE
 *
 * A worker that cannot begin (no connection is left for it) hands its task to
 * the others of its lane, for as long as one of them is at work, and is asked
 * again later; what was put back is fetched before anything else.  The last
 * one keeps its task, as one that failed and may be tried again.
 *
 * A lane is asked by one slot at a time, and on while there is something.  A
 * dry lane is asked again when something was recorded or given up anywhere,
 * since that may have made work ready.  A limit on how many slots of it may
 * have a task can be set, and lifted, at any time; what is in hand already may
 * go on.  The whole:
 *
 *     WORKING --stop, or a failure that concerns all--> DRAINING
 *        | all lanes dry, all slots idle                   | all slots idle
 *        v                                                 v
 *     COMPLETE                                          DRAINED
 *
 * While draining nothing new is begun and what is parked is dropped, as is a
 * task that fails and might have been tried again.
 *
 * A failure concerns all when it is FATAL, and when a lane has used up the
 * tries of more tasks in a row than it has slots: then the server is gone, and
 * going on would only count every remaining task as lost, slowly.
 */

#include <stdint.h>

#include "io/cleanup.h"
#include "io/err.h"

struct scheduler;

enum {
    SCHEDULER_LANES = 4,
    SCHEDULER_TRIES = 10,       /* of one task, before it is given up: with the
                             back-off about a minute, a server's restart */
    SCHEDULER_BACKOFF_MS = 200, /* doubled each time, with jitter */
    SCHEDULER_BACKOFF_MAX_MS = 30000,
    SCHEDULER_DRAIN_MS = 10000, /* then what is in hand is cancelled */
};

struct scheduler_params {
    unsigned n_lanes;
    unsigned n_slots[SCHEDULER_LANES];
    unsigned drain_ms; /* 0: SCHEDULER_DRAIN_MS */
    uint64_t seed;     /* of the jitter */
};

enum scheduler_event_kind {
    SCHEDULER_BEGIN,  /* first of all */
    SCHEDULER_FOUND,  /* answer to FETCH: slot has a task */
    SCHEDULER_DRY,    /* answer to FETCH: nothing ready in the lane */
    SCHEDULER_DONE,   /* slot's task succeeded */
    SCHEDULER_AGAIN,  /* slot's task failed; trying again may help */
    SCHEDULER_UNABLE, /* slot could not even begin its task; others may */
    SCHEDULER_FAILED, /* slot's task failed; others may go on */
    SCHEDULER_FATAL,  /* slot's task failed, and so will the others */
    SCHEDULER_STOP,   /* stop working; any number of times */
    SCHEDULER_TICK,   /* time has passed */
    SCHEDULER_LIMIT,  /* so many of the lane's slots may have a task; also
                         before BEGIN */
};

struct scheduler_event {
    enum scheduler_event_kind kind;
    unsigned lane, slot;
    unsigned limit; /* with LIMIT; 0: nothing is begun */
    uint64_t now_ms;
};

enum scheduler_action_kind {
    SCHEDULER_FETCH,    /* look for a task for the slot, first among those put
                          back; answer FOUND or DRY */
    SCHEDULER_RUN,      /* have the slot's task worked on (again) */
    SCHEDULER_RECORD,   /* it is done: write that down */
    SCHEDULER_GIVE_UP,  /* it failed for good: write that down */
    SCHEDULER_DROP,     /* forget it, as if never fetched: we are draining */
    SCHEDULER_PUT_BACK, /* keep it for another FETCH of the lane; when it is
                           over, what was not fetched is dropped */
    SCHEDULER_CANCEL,   /* draining took too long: interrupt all in hand */
    SCHEDULER_FINISH,   /* over: nothing is in hand */
};

struct scheduler_action {
    enum scheduler_action_kind kind;
    unsigned lane, slot;
};

struct scheduler_actions {
    const struct scheduler_action *list; /* valid until the next step */
    unsigned n;
};

int scheduler_new(struct scheduler **ret, const struct scheduler_params *p,
                  struct err *err);
struct scheduler *scheduler_free(struct scheduler *s);
DEFINE_CLEANUP(struct scheduler *, scheduler_free)

/* Cannot fail; an event that does not fit the state is a bug (assert).  The
   actions are to be taken in their order. */
struct scheduler_actions scheduler_step(struct scheduler *s,
                                        const struct scheduler_event *e);

/* When the next TICK is needed; UINT64_MAX: none. */
uint64_t scheduler_wake_ms(const struct scheduler *s);

/* How long to wait after the nth failure in a row (from 1); half of it is
   chance, so that workers that failed together do not come back together. */
uint64_t scheduler_backoff_ms(unsigned n, uint64_t random);

/* Stopped short: DRAINING or DRAINED. */
int scheduler_draining(const struct scheduler *s);
