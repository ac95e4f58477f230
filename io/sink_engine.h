/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * What an engine is to a sink.  For engines only: io/sink_*.c, and the faulty
 * one of the tests.
 *
 * An engine's struct has a struct sink first.  The sink counts operations and
 * bounds them to its depth, judges every answer and sends the rest of a short
 * write as a new submit of the same operation; the engine only carries.
 */

#include "io/sink.h"

struct sink_ops {
    const char *name;
    /* Take op over, to be handed back by wait().  <0: -errno, as below. */
    int (*submit)(struct sink *s, struct sink_op *op);
    /*
     * Wait for one of the operations submitted; *res is what pwrite(2) or
     * fdatasync(2) would say, or -errno.  <0: -errno, the engine itself is
     * dead and will be asked for nothing but free.
     */
    int (*wait)(struct sink *s, struct sink_op **op, int *res);
    /* Release what is the engine's own; NULL when there is nothing.  After
       it the kernel takes no new look at a buffer. */
    void (*free)(struct sink *s);
};

struct sink {
    const struct sink_ops *ops;
    const char *description;
    struct buffer_pool *pool; /* borrowed */
    struct sink_op *slots;    /* one an operation; buffer is NULL in the free */
    struct sink_op *free;
    struct sink_op *first, *last; /* queue of sink_enqueue() */
    unsigned depth;
    unsigned n_in_flight;
    int dead; /* 0, or the errno that ended the engine */
};

/* Where to go on with op: the bytes that are not yet accepted. */
static inline const unsigned char *
sink_op_data(const struct sink_op *op)
{
    return op->buffer->data + op->done;
}

static inline size_t
sink_op_len(const struct sink_op *op)
{
    return op->len - op->done;
}

static inline uint64_t
sink_op_offset(const struct sink_op *op)
{
    return op->offset + op->done;
}

/* Allocate an engine's struct of size bytes and make its sink ready; NULL
   when out of memory. */
void *sink_alloc(size_t size, const struct sink_ops *ops,
                 const struct sink_params *p);

/*
 * For engines that do their work in wait(): a submit that only queues, and
 * the operation that waits longest (there must be one).
 */
int sink_enqueue(struct sink *s, struct sink_op *op);
struct sink_op *sink_dequeue(struct sink *s);
