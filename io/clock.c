/* SPDX-License-Identifier: PostgreSQL */
#include "io/clock.h"

#include <assert.h>
#include <time.h>

uint64_t
clock_ns(void)
{
    struct timespec now;
    int r = clock_gettime(CLOCK_MONOTONIC, &now);

    assert(r == 0);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

uint64_t
clock_ms(void)
{
    return clock_ns() / 1000000;
}

void
clock_nap_us(unsigned us)
{
    struct timespec nap = {
        .tv_sec = us / 1000000,
        .tv_nsec = us % 1000000 * 1000,
    };

    clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, NULL);
}
