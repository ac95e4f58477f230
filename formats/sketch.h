/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Sketch: how many different values there were, about, in 4 KiB whatever their
 * number (HyperLogLog; Flajolet, Fusy, Gandouet, Meunier 2007).
 *
 * The order of values and how often each came do not matter, and sketches of
 * parts merge into that of the whole: so equal sets of values have equal
 * sketches, and sketches that differ are of different sets.  The estimate is
 * exact but for a few in a hundred.
 */

#include <stddef.h>
#include <stdint.h>

enum { SKETCH_REGISTERS = 4096 };

struct sketch { /* begins as {0} */
    unsigned char registers[SKETCH_REGISTERS];
};

void sketch_add(struct sketch *s, const void *value, size_t len);
void sketch_merge(struct sketch *into, const struct sketch *from);
int sketch_is_equal(const struct sketch *a, const struct sketch *b);
uint64_t sketch_estimate(const struct sketch *s);
