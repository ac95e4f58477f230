/* SPDX-License-Identifier: PostgreSQL */
#include "tests/toy_lane.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "io/clock.h"

static enum lane_verdict
judge(const struct err *err)
{
    return err->class == ERR_SERVER    ? LANE_AGAIN
           : err->class == ERR_CORRUPT ? LANE_FAILED
                                       : LANE_FATAL;
}

static int
fetch(void *arg, void **ret, struct err *err)
{
    struct toy *toy = arg;
    struct toy_task *t;

    cr_assert(pthread_equal(pthread_self(), toy->main_thread));
    if ((int)toy->n_fetched == toy->fetch_fails)
        return err_set(err, ERR_SYSTEM, "fetch is broken");
    if (toy->n_fetched == toy->n_tasks ||
        (toy->after && !toy->after->is_recorded[toy->n_fetched]))
        return LANE_E_DRY;
    t = calloc(1, sizeof *t);
    t->toy = toy;
    t->number = toy->n_fetched++;
    *ret = t;
    return 0;
}

static int
record(void *arg, void *task, struct err *err)
{
    struct toy *toy = arg;
    struct toy_task *t = task;

    cr_assert(pthread_equal(pthread_self(), toy->main_thread));
    if ((int)t->number == toy->record_fails)
        return err_set(err, ERR_SYSTEM, "record is broken");
    cr_assert_not(toy->is_recorded[t->number]);
    toy->is_recorded[t->number] = 1;
    toy->n_recorded++;
    return 0;
}

static int
give_up(void *arg, void *task, const struct err *why, struct err *err)
{
    struct toy *toy = arg;
    struct toy_task *t = task;

    cr_assert(pthread_equal(pthread_self(), toy->main_thread));
    if ((int)t->number == toy->give_up_fails)
        return err_set(err, ERR_SYSTEM, "give_up is broken");
    toy->why = *why;
    toy->n_given_up++;
    return 0;
}

static void
free_task(void *task)
{
    struct toy_task *t = task;

    t->toy->n_freed++;
    free(t);
}

struct worker {
    struct toy *toy;
    pthread_t thread;
};

static int
open_worker(void *arg, unsigned index, struct progress_cell *cell, void **ret,
            struct err *err)
{
    struct toy *toy = arg;
    struct worker *w;

    (void)index;
    progress_begin(cell, "opening", 1);
    progress_end(cell, 1);
    if (toy->open && toy->open(toy, err) < 0)
        return -1;
    w = malloc(sizeof *w);
    *w = (struct worker){toy, pthread_self()};
    toy->n_open++;
    toy->n_opened++;
    *ret = w;
    return 0;
}

static int
work(void *arg, void *task, struct err *err)
{
    struct worker *w = arg;
    struct toy_task *t = task;
    int r;

    cr_assert(pthread_equal(pthread_self(), w->thread));
    cr_assert_not(pthread_equal(pthread_self(), w->toy->main_thread));
    t->n_tries++;
    w->toy->n_begun++;
    r = w->toy->work(t, err);
    w->toy->n_worked++;
    return r;
}

static void
close_worker(void *arg)
{
    struct worker *w = arg;

    cr_assert(pthread_equal(pthread_self(), w->thread));
    w->toy->n_open--;
    free(w);
}

const struct lane_ops toy_ops = {
    .name = "toy",
    .fetch = fetch,
    .record = record,
    .give_up = give_up,
    .free_task = free_task,
    .open = open_worker,
    .work = work,
    .close = close_worker,
    .judge = judge,
};

void
toy_make(struct toy *toy, unsigned n_tasks,
         int (*does)(struct toy_task *t, struct err *err))
{
    *toy = (struct toy){
        .n_tasks = n_tasks,
        .work = does,
        .fetch_fails = -1,
        .record_fails = -1,
        .give_up_fails = -1,
    };
}

int
toy_drive(struct toy *toys, unsigned n_toys, unsigned n_workers,
          struct drive_result *ret, struct err *err)
{
    cleanup_(progress_freep) struct progress *progress = NULL;
    cleanup_(stop_freep) struct stop *stop = NULL;
    struct lane lanes[2];
    int r;

    cr_assert_eq(progress_new(&progress, PROGRESS_QUIET, err), 0);
    cr_assert_eq(stop_new(&stop, err), 0);
    for (unsigned i = 0; i < n_toys; i++) {
        toys[i].main_thread = pthread_self();
        toys[i].stop = stop;
        lanes[i] = (struct lane){.ops = &toy_ops,
                                 .arg = &toys[i],
                                 .n_workers = n_workers,
                                 .allow = toys[i].allow,
                                 .allow_arg = &toys[i]};
    }
    r = drive_run(&(struct drive_params){.lanes = lanes,
                                         .n_lanes = n_toys,
                                         .stop = stop,
                                         .progress = progress,
                                         .drain_ms = 300},
                  ret, err);
    for (unsigned i = 0; i < n_toys; i++) {
        cr_assert_eq(toys[i].n_freed, toys[i].n_fetched);
        cr_assert_eq(toys[i].n_open, 0);
        cr_assert_eq(toys[i].n_worked, toys[i].n_begun);
    }
    return r;
}

int
toy_succeed(struct toy_task *t, struct err *err)
{
    (void)t;
    (void)err;
    return 0;
}

int
toy_nap(struct toy_task *t, struct err *err)
{
    (void)t;
    (void)err;
    clock_nap_us(50000);
    return 0;
}
