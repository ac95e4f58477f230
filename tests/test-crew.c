/* SPDX-License-Identifier: PostgreSQL */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/toy_lane.h"

static int
find_no_signal(struct toy_task *t, struct err *err)
{
    sigset_t blocked;

    (void)t;
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    if (!sigismember(&blocked, SIGINT) || !sigismember(&blocked, SIGTERM) ||
        !sigismember(&blocked, SIGHUP) || !sigismember(&blocked, SIGALRM))
        return err_set(err, ERR_CORRUPT, "a signal may come here");
    return 0;
}

Test(crew, signals_are_the_main_threads)
{
    struct drive_result result;
    struct toy toy;
    struct err err;

    toy_make(&toy, 1, find_no_signal);
    cr_assert_eq(toy_drive(&toy, 1, 1, &result, &err), 0);
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

Test(crew, fewer_threads_than_asked_for_will_do, .fini = allow_leak_checker)
{
    struct drive_result result;
    struct toy toys[2];
    struct err err;

    allow_threads(6);
    toy_make(&toys[0], 40, toy_nap);
    toy_make(&toys[1], 40, toy_nap);
    cr_assert_eq(toy_drive(toys, 2, 16, &result, &err), 0);
    cr_assert_eq(result.n_done, 80);
    cr_assert_leq(toys[0].n_opened + toys[1].n_opened, 5);
    cr_assert_geq(toys[0].n_opened, 1);
    cr_assert_geq(toys[1].n_opened, 1);
}

Test(crew, no_thread_at_all_is_an_error, .fini = allow_leak_checker)
{
    struct drive_result result;
    struct toy toy;
    struct err err;

    allow_threads(1);
    toy_make(&toy, 40, toy_nap);
    cr_assert_lt(toy_drive(&toy, 1, 16, &result, &err), 0);
    cr_assert_eq(err.sys, EAGAIN);
    cr_assert_str_eq(err.message, "could not start a worker: "
                                  "Resource temporarily unavailable");
    cr_assert_eq(toy.n_fetched, 0);
}
