/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * A pool of equal, page-aligned buffers, made at the start and never grown:
 * the bound on memory is n_buffers * piece bytes, whatever happens later.
 *
 * One thread owns a pool and its buffers.
 */

#include <stddef.h>
#include <sys/uio.h>

#include "io/cleanup.h"
#include "io/err.h"

struct buffer_pool;

struct buffer {
    unsigned char *data;
    size_t size;    /* room in data: the pool's piece */
    unsigned index; /* position in buffer_pool_iov(), for registration */
    struct buffer_pool *pool;
    struct buffer *next; /* in the pool's free list */
};

enum {
    BUFFER_PIECE = 512 << 10, /* large enough for O_DIRECT to be cheap, small
                                 enough that pinning pages is not dear */
    BUFFER_ALIGN = 4096,
};

/* piece: a multiple of BUFFER_ALIGN. */
int buffer_pool_new(struct buffer_pool **ret, size_t piece, unsigned n_buffers,
                    struct err *err);

/* All buffers must be back. */
struct buffer_pool *buffer_pool_free(struct buffer_pool *p);
DEFINE_CLEANUP(struct buffer_pool *, buffer_pool_free)

/* NULL when all are out: retire a write first. */
struct buffer *buffer_get(struct buffer_pool *p);

/* Back to its pool, once; returns NULL.  Accepts NULL. */
struct buffer *buffer_put(struct buffer *b);
DEFINE_CLEANUP(struct buffer *, buffer_put)

unsigned buffer_pool_count(const struct buffer_pool *p);

/* One iovec a buffer, in index order, for io_uring_register_buffers(). */
const struct iovec *buffer_pool_iov(const struct buffer_pool *p);
