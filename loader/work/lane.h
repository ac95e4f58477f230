/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Lane: one kind of work, done by workers of one kind.  Export, load and
 * verify are lanes; clone runs export and load side by side.
 *
 * The main thread fetches tasks and writes down what became of them; worker
 * threads do them.  A task belongs to one of the two at a time, so nothing in
 * it needs a lock.
 */

#include "io/err.h"
#include "loader/progress/progress.h"

/* Outcome of fetch: nothing is ready (now). */
enum { LANE_E_DRY = 1 };

struct lane_ops {
    const char *name; /* heading in the progress */

    /* ---- main thread ---- */
    /* The next task. */
    int (*fetch)(void *lane, void **task, struct err *err);
    /* It is done: write that down. */
    int (*record)(void *lane, void *task, struct err *err);
    /* It has failed for good: write that down. */
    int (*give_up)(void *lane, void *task, const struct err *why,
                   struct err *err);
    void (*free_task)(void *task);
    /* Between all else, several times a second; may be NULL.  <0: the work is
       of no use any more, and is ended at once. */
    int (*beat)(void *lane, struct err *err);

    /* ---- worker thread ---- */
    /* Before the first task: connect, make the ring.  *worker is passed to
       work and close. */
    int (*open)(void *lane, unsigned index, struct progress_cell *cell,
                void **worker, struct err *err);
    /* Do the task, from its beginning, also when it was tried before. */
    int (*work)(void *worker, void *task, struct err *err);
    void (*close)(void *worker);

    /* What a failure of work or open means. */
    enum lane_verdict {
        LANE_AGAIN,  /* trying again may help */
        LANE_FAILED, /* this task is lost, others may go on */
        LANE_FATAL,  /* so will the others be */
    } (*judge)(const struct err *err);
};

struct lane {
    const struct lane_ops *ops;
    void *arg;
    unsigned n_workers;
    uint64_t total, done; /* estimated bytes, for the progress */
    /*
     * How many workers may be at work now, asked by the main thread at every
     * turn, at least ten times a second; NULL: all.  *ret_n comes with what
     * was allowed last.  0: none, until it says otherwise.  <0: what *err says ends the run, after what is in hand.
     */
    int (*allow)(void *allow_arg, unsigned *ret_n, struct err *err);
    void *allow_arg;
};

/*
 * The usual verdict: a server's answer by its retry class; damaged data costs
 * one task; a system error, a refusal, an interrupt concern all.
 */
enum lane_verdict lane_judge(const struct err *err);
