/* SPDX-License-Identifier: PostgreSQL */
#include "formats/sketch.h"

#include <math.h>
#include <string.h>
#include <xxhash.h>

enum { INDEX_BITS = 12 };

/* The first bits choose a register, which keeps the longest run of zeros that
   the others began with: long runs are rare, and tell of many values. */
void
sketch_add(struct sketch *s, const void *value, size_t len)
{
    uint64_t hash = XXH3_64bits(value, len);
    uint64_t rest = hash << INDEX_BITS;
    unsigned char *r = &s->registers[hash >> (64 - INDEX_BITS)];
    int run = rest ? __builtin_clzll(rest) + 1 : 64 - INDEX_BITS + 1;

    if (run > *r)
        *r = (unsigned char)run;
}

void
sketch_merge(struct sketch *into, const struct sketch *from)
{
    for (unsigned i = 0; i < SKETCH_REGISTERS; i++)
        if (from->registers[i] > into->registers[i])
            into->registers[i] = from->registers[i];
}

int
sketch_is_equal(const struct sketch *a, const struct sketch *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

uint64_t
sketch_estimate(const struct sketch *s)
{
    const double m = SKETCH_REGISTERS, bias = 0.7213 / (1 + 1.079 / m);
    double sum = 0, estimate;
    unsigned n_empty = 0;

    for (unsigned i = 0; i < SKETCH_REGISTERS; i++) {
        sum += ldexp(1, -s->registers[i]);
        n_empty += s->registers[i] == 0;
    }
    estimate = bias * m * m / sum;
    /* Of few values the number of registers that none has met says more. */
    if (estimate <= 2.5 * m && n_empty > 0)
        estimate = m * log(m / n_empty);
    return (uint64_t)llround(estimate);
}
