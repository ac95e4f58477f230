/* SPDX-License-Identifier: PostgreSQL */
#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "io/clock.h"
#include "loader/run/drive.h"

enum { MAX_TASKS = 2000 };

/* ---- a lane whose work is a function of the test ---- */

struct task {
    struct toy *toy;
    unsigned number; /* 0... */
    unsigned n_tries;
};

struct toy {
    unsigned n_tasks;
    int (*work)(struct task *t, struct err *err);
    int (*open)(struct toy *toy, struct err *err); /* may be NULL */
    const struct toy *after; /* a task is ready when its namesake there is
                                recorded; NULL: at once */
    struct stop *stop;
    pthread_t main_thread;
    /* From this task on the catalogue is broken; -1: never. */
    int fetch_fails, record_fails, give_up_fails;
    struct err why; /* of the last give_up */
    unsigned n_fetched, n_recorded, n_given_up, n_freed;
    atomic_uint n_worked, n_begun, n_open, n_opened;
    char is_recorded[MAX_TASKS];
};

/* Class 3 asks to be tried again, 4 costs the task, all else all. */
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
    struct task *t;

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
    struct task *t = task;

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
    struct task *t = task;

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
    struct task *t = task;

    t->toy->n_freed++;
    free(t);
}

struct toy_worker {
    struct toy *toy;
    pthread_t thread;
};

static int
open_worker(void *arg, unsigned index, struct progress_cell *cell, void **ret,
            struct err *err)
{
    struct toy *toy = arg;
    struct toy_worker *w;

    (void)index;
    progress_begin(cell, "opening", 1);
    progress_end(cell, 1);
    if (toy->open && toy->open(toy, err) < 0)
        return -1;
    w = malloc(sizeof *w);
    *w = (struct toy_worker){toy, pthread_self()};
    toy->n_open++;
    toy->n_opened++;
    *ret = w;
    return 0;
}

static int
work(void *arg, void *task, struct err *err)
{
    struct toy_worker *w = arg;
    struct task *t = task;
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
    struct toy_worker *w = arg;

    cr_assert(pthread_equal(pthread_self(), w->thread));
    w->toy->n_open--;
    free(w);
}

static const struct lane_ops toy_ops = {
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

static void
toy_make(struct toy *toy, unsigned n_tasks,
         int (*does)(struct task *t, struct err *err))
{
    *toy = (struct toy){
        .n_tasks = n_tasks,
        .work = does,
        .fetch_fails = -1,
        .record_fails = -1,
        .give_up_fails = -1,
    };
}

static int
drive(struct toy *toys, unsigned n_toys, unsigned n_workers,
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
        lanes[i] = (struct lane){
            .ops = &toy_ops, .arg = &toys[i], .n_workers = n_workers};
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

/* ---- what workers do ---- */

static int
succeed(struct task *t, struct err *err)
{
    (void)t;
    (void)err;
    return 0;
}

static int
nap(struct task *t, struct err *err)
{
    (void)t;
    (void)err;
    clock_nap_us(20000);
    return 0;
}

/* Every third is damaged. */
static int
fail_some(struct task *t, struct err *err)
{
    if (t->number % 3 == 1)
        return err_set(err, ERR_CORRUPT, "task %u is damaged", t->number);
    return 0;
}

Test(drive, every_task_is_done_and_recorded_once)
{
    struct drive_result result;
    struct toy toy;
    struct err err;

    toy_make(&toy, MAX_TASKS, succeed);
    cr_assert_eq(drive(&toy, 1, 4, &result, &err), 0);
    cr_assert_eq(toy.n_recorded, MAX_TASKS);
    cr_assert_eq(result.n_done, MAX_TASKS);
    cr_assert_eq(result.n_failed, 0);
    cr_assert_eq(result.first.class, 0);
}

Test(drive, workers_work_side_by_side)
{
    struct drive_result result;
    uint64_t begun_ms = clock_ms();
    struct toy toy;
    struct err err;

    toy_make(&toy, 40, nap);
    cr_assert_eq(drive(&toy, 1, 20, &result, &err), 0);
    cr_assert_lt(clock_ms() - begun_ms, 400, "and not one after the other");
}

Test(drive, worker_without_a_task_is_never_opened)
{
    struct drive_result result;
    struct toy toy;
    struct err err;

    toy_make(&toy, 2, nap);
    cr_assert_eq(drive(&toy, 1, 8, &result, &err), 0);
    cr_assert_eq(toy.n_opened, 2);
}

Test(drive, lane_goes_on_with_what_another_has_recorded)
{
    struct drive_result result;
    struct toy toys[2];
    struct err err;

    toy_make(&toys[0], 500, succeed);
    toy_make(&toys[1], 500, succeed);
    toys[1].after = &toys[0];
    cr_assert_eq(drive(toys, 2, 3, &result, &err), 0);
    cr_assert_eq(toys[1].n_recorded, 500);
    cr_assert_eq(result.n_done, 1000);
}

/* ---- failures ---- */

static int
succeed_at_the_third_try(struct task *t, struct err *err)
{
    return t->n_tries < 3 ? err_set(err, ERR_SERVER, "not yet") : 0;
}

Test(drive, task_is_tried_again_when_that_may_help)
{
    struct drive_result result;
    struct toy toy;
    struct err err;

    toy_make(&toy, 4, succeed_at_the_third_try);
    cr_assert_eq(drive(&toy, 1, 4, &result, &err), 0);
    cr_assert_eq(toy.n_worked, 12);
    cr_assert_eq(result.n_done, 4);
    cr_assert_eq(result.n_failed, 0);
}

Test(drive, failed_task_is_given_up_and_the_others_go_on)
{
    struct drive_result result;
    struct toy toy;
    struct err err;

    toy_make(&toy, 9, fail_some);
    cr_assert_eq(drive(&toy, 1, 1, &result, &err), 0);
    cr_assert_eq(result.n_done, 6);
    cr_assert_eq(result.n_failed, 3);
    cr_assert_eq(toy.n_given_up, 3);
    cr_assert_str_eq(result.first.message, "task 1 is damaged");
    cr_assert_str_eq(toy.why.message, "task 7 is damaged");
}

/* The first fails for all, while the second is at work. */
static int
fail_first_for_all(struct task *t, struct err *err)
{
    if (t->number > 0)
        return nap(t, err);
    while (t->toy->n_begun < 2)
        clock_nap_us(100);
    return err_set(err, ERR_SYSTEM, "disk is full");
}

Test(drive, failure_that_concerns_all_lets_the_others_finish)
{
    struct drive_result result;
    struct toy toy;
    struct err err;

    toy_make(&toy, 100, fail_first_for_all);
    cr_assert_lt(drive(&toy, 1, 2, &result, &err), 0);
    cr_assert_str_eq(err.message, "disk is full");
    cr_assert_eq(toy.n_recorded, 1);
    cr_assert_eq(toy.n_fetched, 2, "nothing new is begun");
    cr_assert_eq(result.n_done, 1);
    cr_assert_eq(result.n_failed, 0, "the task itself is not at fault");
}

static int
refuse_once(struct toy *toy, struct err *err)
{
    static atomic_uint n;

    (void)toy;
    return n++ == 0 ? err_set(err, ERR_SERVER, "too many clients") : 0;
}

static int
refuse_for_good(struct toy *toy, struct err *err)
{
    (void)toy;
    return err_set(err, ERR_REFUSED, "wrong server");
}

Test(drive, worker_that_could_not_open_tries_again)
{
    struct drive_result result;
    struct toy toy;
    struct err err;

    toy_make(&toy, 3, succeed);
    toy.open = refuse_once;
    cr_assert_eq(drive(&toy, 1, 1, &result, &err), 0);
    cr_assert_eq(result.n_done, 3);
    cr_assert_eq(toy.n_opened, 1);
}

Test(drive, opening_that_fails_for_all_is_the_end)
{
    struct drive_result result;
    struct toy toy;
    struct err err;

    toy_make(&toy, 3, succeed);
    toy.open = refuse_for_good;
    cr_assert_lt(drive(&toy, 1, 3, &result, &err), 0);
    cr_assert_eq(err.class, ERR_REFUSED);
    cr_assert_str_eq(err.message, "wrong server");
    cr_assert_eq(toy.n_worked, 0);
}

Test(drive, broken_catalogue_is_the_end_whatever_it_breaks_in)
{
    struct drive_result result;
    struct toy toy;
    struct err err;

    toy_make(&toy, 100, fail_some);
    toy.fetch_fails = 20;
    cr_assert_lt(drive(&toy, 1, 3, &result, &err), 0);
    cr_assert_str_eq(err.message, "fetch is broken");
    cr_assert_eq(toy.n_recorded + toy.n_given_up, 20, "what is done is kept");

    toy_make(&toy, 100, fail_some);
    toy.record_fails = 20;
    cr_assert_lt(drive(&toy, 1, 3, &result, &err), 0);
    cr_assert_str_eq(err.message, "record is broken");
    cr_assert_eq(result.n_done, toy.n_recorded);

    toy_make(&toy, 100, fail_some);
    toy.give_up_fails = 19;
    cr_assert_lt(drive(&toy, 1, 3, &result, &err), 0);
    cr_assert_str_eq(err.message, "give_up is broken");
    cr_assert_lt(toy.n_fetched, 25);
}

/* ---- stopping ---- */

/* The tenth stops, as a signal would. */
static int
stop_at_ten(struct task *t, struct err *err)
{
    if (t->number == 10)
        stop_request(t->toy->stop);
    return nap(t, err);
}

Test(drive, interrupt_finishes_what_is_in_hand_and_begins_nothing_new)
{
    struct drive_result result;
    struct toy toy;
    struct err err;

    toy_make(&toy, 1000, stop_at_ten);
    cr_assert_lt(drive(&toy, 1, 2, &result, &err), 0);
    cr_assert_eq(err.class, ERR_CANCELLED);
    cr_assert_str_eq(err.message, "interrupted");
    cr_assert_eq(toy.n_recorded, toy.n_worked);
    cr_assert_lt(toy.n_fetched, 30);
}

/* Works until it is interrupted. */
static int
hang(struct task *t, struct err *err)
{
    struct pollfd stopped = {stop_fd(t->toy->stop), POLLIN, 0};

    poll(&stopped, 1, 20000);
    return stop_check(t->toy->stop, err);
}

static int
stop_twice(struct task *t, struct err *err)
{
    if (t->number > 0)
        return hang(t, err);
    stop_request(t->toy->stop);
    stop_request(t->toy->stop);
    return 0;
}

Test(drive, second_interrupt_gives_up_what_is_in_hand, .timeout = 10)
{
    struct drive_result result;
    struct toy toy;
    struct err err;

    toy_make(&toy, 100, stop_twice);
    cr_assert_lt(drive(&toy, 1, 4, &result, &err), 0);
    cr_assert_str_eq(err.message, "interrupted");
    cr_assert_leq(result.n_done, 1);
    cr_assert_eq(result.n_failed, 0);
}

static int
fail_first_or_hang(struct task *t, struct err *err)
{
    return t->number > 0 ? hang(t, err)
                         : err_set(err, ERR_SYSTEM, "disk is full");
}

Test(drive, worker_that_does_not_finish_is_interrupted, .timeout = 10)
{
    struct drive_result result;
    struct toy toy;
    struct err err;

    toy_make(&toy, 4, fail_first_or_hang);
    cr_assert_lt(drive(&toy, 1, 2, &result, &err), 0);
    cr_assert_str_eq(err.message, "disk is full");
}

Test(drive, task_that_waits_for_another_try_is_dropped_by_an_interrupt)
{
    struct drive_result result;
    struct toy toys[2];
    struct err err;

    toy_make(&toys[0], 1, succeed_at_the_third_try);
    toy_make(&toys[1], 20, stop_at_ten);
    cr_assert_lt(drive(toys, 2, 1, &result, &err), 0);
    cr_assert_str_eq(err.message, "interrupted");
    cr_assert_eq(toys[0].n_recorded, 0);
    cr_assert_eq(toys[0].n_given_up, 0);
}

Test(drive, interrupt_before_the_beginning_begins_nothing)
{
    cleanup_(progress_freep) struct progress *progress = NULL;
    cleanup_(stop_freep) struct stop *stop = NULL;
    struct drive_result result;
    struct lane lane;
    struct toy toy;
    struct err err;

    toy_make(&toy, 3, succeed);
    lane = (struct lane){.ops = &toy_ops, .arg = &toy, .n_workers = 1};
    progress_new(&progress, PROGRESS_QUIET, &err);
    stop_new(&stop, &err);
    stop_request(stop);
    cr_assert_lt(drive_run(&(struct drive_params){.lanes = &lane,
                                                  .n_lanes = 1,
                                                  .stop = stop,
                                                  .progress = progress},
                           &result, &err),
                 0);
    cr_assert_eq(err.class, ERR_CANCELLED);
    cr_assert_eq(toy.n_fetched, 0);
}

/* ---- threads ---- */

static int
find_no_signal(struct task *t, struct err *err)
{
    sigset_t blocked;

    (void)t;
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    if (!sigismember(&blocked, SIGINT) || !sigismember(&blocked, SIGTERM) ||
        !sigismember(&blocked, SIGHUP) || !sigismember(&blocked, SIGALRM))
        return err_set(err, ERR_CORRUPT, "a signal may come here");
    return 0;
}

Test(drive, signals_are_the_main_threads)
{
    struct drive_result result;
    struct toy toy;
    struct err err;

    toy_make(&toy, 1, find_no_signal);
    cr_assert_eq(drive(&toy, 1, 1, &result, &err), 0);
    cr_assert_eq(result.n_failed, 0, "%s", result.first.message);
}

static void
set_thread_limit(rlim_t n)
{
    struct rlimit limit;

    getrlimit(RLIMIT_NPROC, &limit);
    limit.rlim_cur = n < limit.rlim_max ? n : limit.rlim_max;
    cr_assert_eq(setrlimit(RLIMIT_NPROC, &limit), 0);
}

/* Become a user whom nothing but this process belongs to, and who may have
   n threads: root may have any number. */
static void
allow_threads(rlim_t n)
{
    uid_t uid = 1u << 20 | (uid_t)getpid();

    if (geteuid() != 0)
        cr_skip_test("only root can become a user without processes");
    cr_assert_eq(setresuid(uid, uid, uid), 0);
    set_thread_limit(n);
}

/* The leak checker, which comes last, is a process that traces us. */
static void
allow_leak_checker(void)
{
    prctl(PR_SET_DUMPABLE, 1);
    set_thread_limit(RLIM_INFINITY);
}

Test(drive, fewer_threads_than_asked_for_will_do, .fini = allow_leak_checker)
{
    struct drive_result result;
    struct toy toys[2];
    struct err err;

    allow_threads(6);
    toy_make(&toys[0], 40, nap);
    toy_make(&toys[1], 40, nap);
    cr_assert_eq(drive(toys, 2, 16, &result, &err), 0);
    cr_assert_eq(result.n_done, 80);
    cr_assert_leq(toys[0].n_opened + toys[1].n_opened, 5);
    cr_assert_geq(toys[0].n_opened, 1);
    cr_assert_geq(toys[1].n_opened, 1);
}

Test(drive, no_thread_at_all_is_an_error, .fini = allow_leak_checker)
{
    struct drive_result result;
    struct toy toy;
    struct err err;

    allow_threads(1);
    toy_make(&toy, 40, nap);
    cr_assert_lt(drive(&toy, 1, 16, &result, &err), 0);
    cr_assert_eq(err.sys, EAGAIN);
    cr_assert_str_eq(err.message, "could not start a worker: "
                                  "Resource temporarily unavailable");
    cr_assert_eq(toy.n_fetched, 0);
}
