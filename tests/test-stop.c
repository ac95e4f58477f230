/* SPDX-License-Identifier: PostgreSQL */
#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "io/err.h"
#include "io/stop.h"

static struct stop *stop;

static void
make_stop(void)
{
    struct err err;

    cr_assert_eq(stop_new(&stop, &err), 0, "%s", err.message);
}

static void
free_stop(void)
{
    stop = stop_free(stop);
}

TestSuite(stop, .init = make_stop, .fini = free_stop);

static int
readable(void)
{
    struct pollfd p = {.fd = stop_fd(stop), .events = POLLIN};

    return poll(&p, 1, 0) == 1;
}

Test(stop, first_request_drains_and_the_second_means_now)
{
    cr_assert_eq(stop_level(stop), STOP_RUN);
    stop_request(stop);
    cr_assert_eq(stop_level(stop), STOP_DRAIN);
    stop_request(stop);
    cr_assert_eq(stop_level(stop), STOP_NOW);
    stop_request(stop);
    cr_assert_eq(stop_level(stop), STOP_NOW);
}

Test(stop, now_does_not_need_a_request_before)
{
    stop_now(stop);
    cr_assert_eq(stop_level(stop), STOP_NOW);
    cr_assert(readable());
}

Test(stop, level_never_falls)
{
    stop_now(stop);
    stop_request(stop);
    cr_assert_eq(stop_level(stop), STOP_NOW);
}

Test(stop, descriptor_is_readable_from_now_on_and_not_before)
{
    cr_assert_not(readable());
    stop_request(stop);
    cr_assert_not(readable());
    stop_request(stop);
    cr_assert(readable());
    cr_assert(readable(), "a poll must not drain it");
    stop_now(stop);
    cr_assert(readable());
}

Test(stop, check_fails_as_cancelled_only_when_the_level_is_now)
{
    struct err err;

    cr_assert_eq(stop_check(stop, &err), 0);
    stop_request(stop);
    cr_assert_eq(stop_check(stop, &err), 0);
    stop_request(stop);
    cr_assert_lt(stop_check(stop, &err), 0);
    cr_assert_eq(err.class, ERR_CANCELLED);
    cr_assert_str_eq(err.message, "stopped on request");
}

static void
on_signal(int sig)
{
    (void)sig;
    stop_request(stop);
}

static void
catch_signals(void)
{
    struct sigaction act = {.sa_handler = on_signal};

    cr_assert_eq(sigaction(SIGTERM, &act, NULL), 0);
    cr_assert_eq(sigaction(SIGINT, &act, NULL), 0);
}

Test(stop, request_from_a_signal_handler_wakes_a_thread_that_polls)
{
    struct pollfd p = {.fd = stop_fd(stop), .events = POLLIN};
    pid_t child, parent = getpid();
    int n;

    catch_signals();
    child = fork();
    if (child == 0) {
        usleep(20000);
        kill(parent, SIGTERM);
        usleep(20000);
        kill(parent, SIGINT);
        _exit(0);
    }
    do
        n = poll(&p, 1, 30000);
    while (n < 0 && errno == EINTR);
    cr_assert_eq(n, 1);
    cr_assert_eq(stop_level(stop), STOP_NOW);
}

enum { N_ROUNDS = 200 };

static void *
request_once(void *barrier)
{
    pthread_barrier_wait(barrier);
    stop_request(stop);
    return NULL;
}

Test(stop, two_requests_at_once_count_as_two)
{
    for (int round = 0; round < N_ROUNDS; round++) {
        pthread_t other;
        pthread_barrier_t barrier;

        free_stop();
        make_stop();
        pthread_barrier_init(&barrier, NULL, 2);
        cr_assert_eq(pthread_create(&other, NULL, request_once, &barrier), 0);
        request_once(&barrier);
        pthread_join(other, NULL);
        pthread_barrier_destroy(&barrier);
        cr_assert_eq(stop_level(stop), STOP_NOW);
        cr_assert(readable());
    }
}
