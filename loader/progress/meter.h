/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Meter: how fast a counter has grown over the last ten seconds or so.  A pure
 * function of what it is told; the time is the caller's.
 */

#include <stdint.h>

enum { METER_SAMPLES = 10, METER_STEP_MS = 1000 };

/* Begins as {0}. */
struct meter {
    struct meter_reading {
        uint64_t ms;
        uint64_t n;
    } last, kept[METER_SAMPLES]; /* a ring: one a step */
    unsigned n_kept;             /* ever */
};

/* The counter stands at n.  It may fall, when work is lost. */
void meter_read(struct meter *m, uint64_t now_ms, uint64_t n);

/* How much a second, as of the last read; 0 as long as nobody can tell. */
uint64_t meter_per_s(const struct meter *m);
