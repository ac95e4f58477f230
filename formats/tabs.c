/* SPDX-License-Identifier: PostgreSQL */
#include "formats/tabs.h"

#include <string.h>

/*
 * Sixteen bytes at a time, on every machine that the compiler knows.  One
 * memchr() a tab costs ten times as much where columns are narrow.
 */
typedef unsigned char lanes __attribute__((vector_size(16)));

/* So many ones fit into a lane. */
enum { BATCH = UINT8_MAX };

static unsigned
sum_of(const lanes *v)
{
    const uint64_t odd = 0x00ff00ff00ff00ff;
    uint64_t half[2], sums;

    memcpy(half, v, sizeof half);
    sums = (half[0] & odd) + (half[0] >> 8 & odd) + (half[1] & odd) +
           (half[1] >> 8 & odd);
    /* Four sums of 16 bits: the product's top has their total. */
    return (unsigned)(sums * 0x0001000100010001 >> 48);
}

/* Of n times sixteen bytes; n is at most BATCH. */
static unsigned
count_batch(const unsigned char *data, size_t n)
{
    lanes counts = {0}, v;

    for (; n > 0; n--, data += sizeof v) {
        memcpy(&v, data, sizeof v);
        counts -= (lanes)(v == '\t'); /* a lane that is equal holds -1 */
    }
    return sum_of(&counts);
}

uint64_t
tabs_count(const unsigned char *data, size_t len)
{
    uint64_t n_tabs = 0;
    size_t n;

    while (len >= sizeof(lanes)) {
        n = len / sizeof(lanes);
        n = n < BATCH ? n : BATCH;
        n_tabs += count_batch(data, n);
        data += n * sizeof(lanes);
        len -= n * sizeof(lanes);
    }
    for (; len > 0; len--)
        n_tabs += *data++ == '\t';
    return n_tabs;
}
