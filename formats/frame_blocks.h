/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * How the content of a frame is cut into blocks; encoder and decoder agree.
 *
 *     FRAME_BLOCK, FRAME_BLOCK, ..., what is left, the last FRAME_STUB bytes
 *
 * The stub is always stored.  lz4 1.9.4, the program, asks for four bytes too
 * many behind a compressed block that has a checksum; behind the last block of
 * a frame they are the next frame's first, are lost, and the rest of the file
 * "undecodable".  Behind a stored block it counts right.
 */

#include <stddef.h>

#include "formats/frame.h"

enum { FRAME_STUB = 16 };

/* The length of the block that begins after done of len bytes. */
static inline size_t
frame_blocks_next(size_t len, size_t done)
{
    size_t body = len > FRAME_STUB ? len - FRAME_STUB : 0;

    if (done >= body)
        return len - done;
    return body - done < FRAME_BLOCK ? body - done : FRAME_BLOCK;
}
