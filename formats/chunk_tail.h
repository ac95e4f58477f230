/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Tail of a chunk file: the index of its frames and the totals, in memory and
 * as bytes; for chunk_writer and chunk_reader alone.
 *
 *     +---------------------------------+
 *     | header of the skippable frame   |
 *     | marks                           |
 *     | footer, of fixed length         | says how many marks there are
 *     +---------------------------------+ end of the file
 */

#include <stddef.h>
#include <stdint.h>

#include "formats/chunk.h"
#include "formats/frame.h"

enum {
    CHUNK_TAIL_MARK = 24,
    CHUNK_TAIL_FOOTER = 72,
    CHUNK_TAIL_MAX = FRAME_SKIP_HEADER + CHUNK_INDEX_MAX * CHUNK_TAIL_MARK +
                     CHUNK_TAIL_FOOTER,
};

/* A frame that the index knows. */
struct chunk_mark {
    uint64_t offset;     /* in the file */
    uint64_t raw_offset; /* in the COPY stream */
    uint64_t n_rows;     /* that ended before it */
};

struct chunk_tail {
    struct chunk_totals totals;
    uint64_t head_sum; /* of the head that it belongs to */
    uint32_t stride;   /* frames 0, stride, 2 * stride... have marks */
    uint32_t n_marks;
    struct chunk_mark marks[CHUNK_INDEX_MAX];
};

void chunk_tail_reset(struct chunk_tail *t);

/* Count the next frame, which begins at mark. */
void chunk_tail_add(struct chunk_tail *t, const struct chunk_mark *mark);

/* Returns the length. */
size_t chunk_tail_put(unsigned char to[CHUNK_TAIL_MAX],
                      const struct chunk_tail *t);

/* Length of the tail that ends in footer; 0 when that is none. */
size_t chunk_tail_len(const unsigned char footer[CHUNK_TAIL_FOOTER]);

/*
 * NULL, or a sentence that says what is wrong with it.  len is what
 * chunk_tail_len() said; offset where in the file the tail is.
 */
const char *chunk_tail_get(const unsigned char *from, size_t len,
                           uint64_t offset, struct chunk_tail *ret);
