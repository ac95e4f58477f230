/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * A sink moves buffers into descriptors, several at a time.
 *
 * One engine a worker thread, made and used by that thread alone:
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
 *     FREE --write, sync--> SUBMITTED --wait--> DONE --> FREE
 *                ^                |
 *                +--short, again--+
 *
 * What the engines share is here, once: a short write is followed by the
 * rest, -EAGAIN, -EINTR and -ECANCELED are tried again a bounded number of
 * times, any other error is final.  A sync is tried once and never again: the
 * kernel marks pages clean when it fails, so that a second one would lie.
 *
 * A sink outlives many files, but serves one at a time: a failure is told by
 * whatever call meets it.
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
 * One write, or one sync when buffer is NULL.  align is the block size of a
 * descriptor with O_DIRECT, of which len and offset are multiples, else 1:
 * the rest of a short write starts again at the last whole block.
 */
struct sink_op {
    struct buffer *buffer;
    const char *name; /* of the file, for messages; borrowed */
    int fd;
    unsigned align;
    size_t len;      /* bytes of buffer to write */
    uint64_t offset; /* in the file, of the buffer's first byte */

    /* The sink's own from here on. */
    size_t done;          /* of len, accepted */
    unsigned n_again;     /* tries since done last grew */
    struct sink_op *next; /* in the list of the free, or an engine's queue */
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

/* "uring (single issuer, deferred, registered buffers)", "sync" ...: for
   --version --verbose. */
const char *sink_describe(const struct sink *s);

/*
 * Write op->len bytes of op->buffer at op->offset.  Takes the buffer over,
 * unless the answer is E_BUSY, and gives it back to its pool when the bytes
 * are accepted or the write has failed.  Never waits for the disk: uring
 * hands it to the kernel, sync leaves it to the next reap.
 */
int sink_write(struct sink *s, const struct sink_op *op, struct err *err);

/* Wait until one write is wholly done, or has failed, and retire it. */
int sink_reap(struct sink *s, struct err *err);

/* Wait for all that is in flight, whatever becomes of it: after a failure,
   before the file is closed. */
void sink_drain(struct sink *s);

/*
 * Wait for all that is in flight, then fdatasync(2) through the engine.
 * After a failure of any write or sync the file must be thrown away; the sink
 * itself goes on to serve others.
 */
int sink_sync(struct sink *s, int fd, const char *name, struct err *err);

unsigned sink_in_flight(const struct sink *s);
