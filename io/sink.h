/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * A sink moves buffers into descriptors, several at a time.
 *
 * One engine a worker thread, used by that thread alone:
 *
 *     uring  io_uring; the first rung of the ladder that the kernel grants:
 *            SINGLE_ISSUER|DEFER_TASKRUN|SUBMIT_ALL, COOP_TASKRUN, no flags
 *     sync   pwrite(2): the reference, and what is used without io_uring
 *     null   takes everything and keeps nothing, for measuring
 *
 * (tests/ has a faulty one, which wraps another and changes its answers.)
 *
 * An operation's life:
 *
 *     FREE --write, sync--> SUBMITTED --take--> DONE --> FREE
 *                ^                |
 *                +--short, again--+
 *
 * What the engines share is here, once: a short write is followed by the
 * rest, -EAGAIN and -EINTR are tried again a bounded number of times, any
 * other error is final.  A sync is tried once and never again: the kernel
 * marks pages clean when it fails, so that a second one would lie.
 */

#include <stddef.h>
#include <stdint.h>

#include "io/buffer.h"
#include "io/cleanup.h"
#include "io/err.h"

struct sink;

/* Outcomes. */
enum {
    SINK_E_BUSY = 1, /* depth reached: reap, then write again */
    SINK_E_IDLE,     /* nothing in flight to wait for */
};

/*
 * One write or sync, as engines see it.  buffer is NULL for a sync.  When the
 * descriptor was opened with O_DIRECT, align is its block size: the rest of a
 * short write starts again at the last whole block.
 */
struct sink_op {
    struct buffer *buffer;
    const char *name; /* of the file, for messages; borrowed */
    int fd;
    unsigned align;
    size_t len;      /* bytes of buffer to write */
    size_t done;     /* of these, accepted */
    uint64_t offset; /* in the file, of the buffer's first byte */
    unsigned n_again;
};

/* What an engine provides.  All are called by the owning thread. */
struct sink_ops {
    const char *name;
    /* Hand op to the kernel.  <0: -errno, and op was not taken. */
    int (*submit)(struct sink *s, struct sink_op *op);
    /* Wait for one op; *res is what pwrite or fdatasync would say, or -errno.
       <0: -errno, the engine itself is dead. */
    int (*take)(struct sink *s, struct sink_op **op, int *res);
    void (*free)(struct sink *s);
};

struct sink_params {
    struct buffer_pool *pool; /* whose buffers will be written; borrowed */
    unsigned depth;           /* operations in flight, at most */
    int register_buffers;     /* uring: pin the pool's memory once */
};

/* Outcome of sink_new_uring(). */
enum { SINK_E_NO_URING = 16 }; /* *err says why and carries a hint */

int sink_new_uring(struct sink **ret, const struct sink_params *p,
                   struct err *err);
int sink_new_sync(struct sink **ret, const struct sink_params *p,
                  struct err *err);
int sink_new_null(struct sink **ret, const struct sink_params *p,
                  struct err *err);

/*
 * uring where the kernel allows it, else sync.  why, when not NULL, is filled
 * with the reason when uring was refused (class 0 when it was not).
 */
int sink_new_best(struct sink **ret, const struct sink_params *p,
                  struct err *why, struct err *err);

/* Waits for what is in flight: the kernel still reads from the buffers. */
struct sink *sink_free(struct sink *s);
DEFINE_CLEANUP(struct sink *, sink_free)

/* "uring (single issuer, deferred)", "sync" ...: for --version --verbose. */
const char *sink_describe(const struct sink *s);

/*
 * Write (*op).len bytes of (*op).buffer at (*op).offset.  Takes the buffer
 * over, unless the answer is E_BUSY, and gives it back to its pool when the
 * bytes are accepted.  Does not wait (uring) or is done at once (sync).
 */
int sink_write(struct sink *s, const struct sink_op *op, struct err *err);

/* Wait until one write is wholly done and retire it. */
int sink_reap(struct sink *s, struct err *err);

/*
 * Wait for all that is in flight, then fdatasync(2) through the engine, which
 * blocks no one but the caller.  After a failure of any write or sync the
 * file must be thrown away.
 */
int sink_sync(struct sink *s, int fd, const char *name, struct err *err);

unsigned sink_in_flight(const struct sink *s);
