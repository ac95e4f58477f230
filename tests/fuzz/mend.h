/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Checksums made right again: behind them is where damage does harm, and no
 * fuzzer finds its way past them.  Who can write the file can make them.
 */

#include <xxhash.h>

#include "formats/chunk_head.h"
#include "formats/chunk_tail.h"
#include "formats/le.h"
#include "tests/fuzz/fuzz.h"

enum { MEND_FRAME_HEADER = 15 }; /* magic, FLG, BD, content's size, checksum */

/* The bit of a block's length that says it is not compressed. */
#define MEND_STORED 0x80000000u

/* Answers where the frame ends, or len. */
static inline size_t
mend_frame(uint8_t *data, size_t at, size_t len)
{
    size_t n;

    if (len - at < MEND_FRAME_HEADER)
        return len;
    data[at + MEND_FRAME_HEADER - 1] =
        (uint8_t)(XXH32(data + at + 4, MEND_FRAME_HEADER - 5, 0) >> 8);
    for (at += MEND_FRAME_HEADER; len - at >= 4; at += n + 4) {
        n = le32_get(data + at) & ~MEND_STORED;
        at += 4;
        if (n == 0)
            return at;
        if (n > len - at || len - at - n < 4)
            return len;
        le32_put(data + at + n, XXH32(data + at, n, 0));
    }
    return len;
}

static inline void
mend_frames(uint8_t *data, size_t len)
{
    for (size_t at = 0; at < len;)
        at = mend_frame(data, at, len);
}

/* As the writer would have summed what is there now. */
static inline void
mend_chunk(uint8_t *data, size_t len)
{
    size_t tail, at = CHUNK_HEAD_LEN;
    uint8_t *end = data + len;

    if (len < CHUNK_HEAD_LEN + CHUNK_TAIL_FOOTER)
        return;
    le64_put(data + CHUNK_HEAD_LEN - 8,
             XXH3_64bits(data + FRAME_SKIP_HEADER,
                         CHUNK_HEAD_LEN - FRAME_SKIP_HEADER - 8));
    tail = chunk_tail_len(end - CHUNK_TAIL_FOOTER);
    if (tail == 0 || tail > len - CHUNK_HEAD_LEN)
        return;
    while (at < len - tail)
        at = mend_frame(data, at, len - tail);
    le64_put(end - 24, chunk_head_sum(data));
    le64_put(end - 16, XXH3_64bits(end - tail + FRAME_SKIP_HEADER,
                                   tail - FRAME_SKIP_HEADER - 16));
}

/* What follows the first byte, which says whether its sums are made right; the
   caller frees. */
static inline char *
mend_copy(const uint8_t *data, size_t len, void (*mend)(uint8_t *, size_t),
          struct fuzz_memory *ret)
{
    char *copy = fuzz_string(data + 1, len - 1);

    if (data[0] & 1)
        mend((uint8_t *)copy, len - 1);
    *ret = (struct fuzz_memory){(uint8_t *)copy, len - 1};
    return copy;
}
