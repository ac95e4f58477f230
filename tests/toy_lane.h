/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Toy: a lane whose work is a function of the test.  Everything a drive must
 * keep to is asserted by it: who calls what on which thread, that a task is
 * recorded once, that all are freed and all workers closed.
 */

#include <pthread.h>
#include <stdatomic.h>

#include "io/stop.h"
#include "loader/work/drive.h"

enum { TOY_MAX_TASKS = 2000 };

struct toy_task {
    struct toy *toy;
    unsigned number; /* 0... */
    unsigned n_tries;
};

struct toy {
    unsigned n_tasks;
    int (*work)(struct toy_task *t, struct err *err);
    int (*open)(struct toy *toy, struct err *err);             /* may be NULL */
    int (*allow)(void *toy, unsigned *ret_n, struct err *err); /* the same */
    const struct toy *after; /* a task is ready when its namesake there is
                                recorded; NULL: at once */
    struct stop *stop;
    pthread_t main_thread;
    /* From this task on the catalogue is broken; -1: never. */
    int fetch_fails, record_fails, give_up_fails;
    struct err why; /* of the last give_up */
    unsigned n_fetched, n_recorded, n_given_up, n_freed;
    atomic_uint n_worked, n_begun, n_open, n_opened;
    unsigned n_allowed, n_asked; /* for allow's use */
    char is_recorded[TOY_MAX_TASKS];
};

/*
 * n_tasks that are worked on by does.  What its failures mean goes by their
 * class: ERR_SERVER asks to be tried again, ERR_CORRUPT costs the task, all
 * else concerns all.
 */
void toy_make(struct toy *toy, unsigned n_tasks,
              int (*does)(struct toy_task *t, struct err *err));

/* Drive the toys side by side, to their end. */
int toy_drive(struct toy *toys, unsigned n_toys, unsigned n_workers,
              struct drive_result *ret, struct err *err);

/* What many do: nothing, and nothing for 20 ms. */
int toy_succeed(struct toy_task *t, struct err *err);
int toy_nap(struct toy_task *t, struct err *err);

extern const struct lane_ops toy_ops;
