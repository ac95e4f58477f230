/* SPDX-License-Identifier: PostgreSQL */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>

#include "io/clock.h"
#include "io/throttle.h"

static struct stop *stop;
static struct throttle *throttle;
static struct err err;

static void
make(uint64_t bytes_per_s)
{
    cr_assert_eq(stop_new(&stop, &err), 0);
    cr_assert_eq(throttle_new(&throttle, bytes_per_s, stop, &err), 0);
}

static void
clear(void)
{
    throttle_free(throttle);
    stop_free(stop);
}

TestSuite(throttle, .fini = clear);

static void *
take_megabytes(void *arg)
{
    unsigned seat = *(unsigned *)arg;
    struct err e;

    throttle_enter(throttle, seat);
    for (unsigned i = 0; i < 2 << 20; i += THROTTLE_STEP)
        cr_assert_eq(throttle_take(throttle, seat, THROTTLE_STEP, &e), 0);
    throttle_leave(throttle, seat);
    return NULL;
}

Test(throttle, rate_is_that_of_all_together)
{
    unsigned seats[] = {0, 1, 63};
    pthread_t threads[3];
    uint64_t begun_ms = clock_ms(), ms;

    make(10 << 20);
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, take_megabytes, &seats[i]);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    ms = clock_ms() - begun_ms;
    cr_assert_geq(ms, 450, "6 MB, less a burst, at 10 MB/s: %d", (int)ms);
    cr_assert_leq(ms, 10000, "%d", (int)ms);
}

Test(throttle, who_has_been_idle_may_not_make_up_for_it)
{
    unsigned seat = 0;
    uint64_t begun_ms;

    make(10 << 20);
    cr_assert_eq(throttle_take(throttle, 0, THROTTLE_STEP, &err), 0);
    clock_nap_us(400000);
    begun_ms = clock_ms();
    take_megabytes(&seat);
    cr_assert_geq(clock_ms() - begun_ms, 80, "2 MB, less a burst of 1");
}

static atomic_uint n_past[THROTTLE_SEATS];

static void *
take_for_ever(void *arg)
{
    unsigned seat = *(unsigned *)arg;
    struct err e;

    throttle_enter(throttle, seat);
    while (throttle_take(throttle, seat, 1, &e) == 0) {
        n_past[seat]++;
        clock_nap_us(1000);
    }
    throttle_leave(throttle, seat);
    return NULL;
}

/* Let them settle; then: does this one move? */
static int
moves(unsigned seat)
{
    unsigned was;

    clock_nap_us(150000);
    was = n_past[seat];
    clock_nap_us(150000);
    return n_past[seat] > was;
}

Test(throttle, first_of_those_who_have_entered_go_on_and_the_others_wait)
{
    unsigned seats[] = {3, 7};
    pthread_t threads[2];

    make(0);
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, take_for_ever, &seats[i]);
    cr_assert(moves(3) && moves(7));
    throttle_allow(throttle, 1);
    cr_assert(moves(3));
    cr_assert_not(moves(7));
    throttle_allow(throttle, 0);
    cr_assert_not(moves(3));
    throttle_allow(throttle, 2);
    cr_assert(moves(3) && moves(7));
    throttle_allow(throttle, 0);
    stop_request(stop);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
}

Test(throttle, who_has_left_makes_room_for_the_next)
{
    make(0);
    throttle_allow(throttle, 1);
    throttle_enter(throttle, 0);
    throttle_enter(throttle, 1);
    cr_assert_eq(throttle_take(throttle, 0, 1, &err), 0);
    throttle_leave(throttle, 0);
    cr_assert_eq(throttle_take(throttle, 1, 1, &err), 0);
}

Test(throttle, who_is_held_back_gives_up_when_the_run_drains)
{
    make(0);
    throttle_enter(throttle, 0);
    stop_request(stop);
    cr_assert_eq(throttle_take(throttle, 0, 1, &err), 0, "this one may end");
    throttle_allow(throttle, 0);
    cr_assert_lt(throttle_take(throttle, 0, 1, &err), 0);
    cr_assert_eq(err.class, ERR_CANCELLED);
}

Test(throttle, wait_for_the_rate_ends_when_the_run_is_stopped_at_once)
{
    uint64_t begun_ms = clock_ms();

    make(1);
    cr_assert_eq(throttle_take(throttle, 0, 1000, &err), 0);
    stop_now(stop);
    cr_assert_lt(throttle_take(throttle, 0, 1, &err), 0);
    cr_assert_eq(err.class, ERR_CANCELLED);
    cr_assert_lt(clock_ms() - begun_ms, 5000);
}
