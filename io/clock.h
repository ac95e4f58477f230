/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Time that only goes forward.  Nothing in this program is ordered or timed
 * by the wall clock, which jumps.
 */

#include <stdint.h>

/* Nanoseconds since some fixed point; CLOCK_MONOTONIC. */
uint64_t clock_ns(void);

/* Milliseconds of the same clock. */
uint64_t clock_ms(void);

/* Sleep; a signal may end it early. */
void clock_nap_us(unsigned us);
