/* SPDX-License-Identifier: PostgreSQL */
#include <criterion/criterion.h>
#include <signal.h>
#include <sys/time.h>

#include "io/clock.h"

Test(clock, never_goes_back)
{
    uint64_t last = clock_ns();

    for (int i = 0; i < 100000; i++) {
        uint64_t now = clock_ns();

        cr_assert_geq(now, last);
        last = now;
    }
}

Test(clock, both_units_tell_the_same_time)
{
    uint64_t before = clock_ns(), ms = clock_ms(), after = clock_ns();

    cr_assert_geq(ms, before / 1000000);
    cr_assert_leq(ms, after / 1000000);
}

Test(clock, nap_lasts_as_long_as_asked)
{
    uint64_t begin = clock_ns();

    clock_nap_us(20000);
    cr_assert_geq(clock_ns() - begin, 20000000);
}

Test(clock, nap_may_be_longer_than_a_second)
{
    uint64_t begin = clock_ms();

    clock_nap_us(1050000);
    cr_assert_geq(clock_ms() - begin, 1049);
}

static void
on_alarm(int sig)
{
    (void)sig;
}

Test(clock, signal_ends_a_nap_early)
{
    struct itimerval soon = {.it_value.tv_usec = 10000};
    uint64_t begin = clock_ms();

    sigaction(SIGALRM, &(struct sigaction){.sa_handler = on_alarm}, NULL);
    setitimer(ITIMER_REAL, &soon, NULL);
    clock_nap_us(60000000);
    cr_assert_lt(clock_ms() - begin, 30000);
}
