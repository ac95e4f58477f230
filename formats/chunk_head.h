/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Head of a chunk file as bytes: for chunk_writer and chunk_reader alone.
 */

#include <stdint.h>

#include "formats/chunk.h"
#include "formats/frame.h"

/* With the header of the skippable frame. */
enum { CHUNK_HEAD_LEN = FRAME_SKIP_HEADER + 72 };

void chunk_head_put(unsigned char to[CHUNK_HEAD_LEN],
                    const struct chunk_head *head);

/* NULL, or a sentence that says what is wrong with it. */
const char *chunk_head_get(const unsigned char from[CHUNK_HEAD_LEN],
                           struct chunk_head *ret);

/* Its checksum; the tail repeats it. */
uint64_t chunk_head_sum(const unsigned char from[CHUNK_HEAD_LEN]);
