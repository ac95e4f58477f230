/* SPDX-License-Identifier: PostgreSQL */
#include "io/sink.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "io/clock.h"
#include "io/sink_engine.h"

enum {
    N_AGAIN_MAX = 100, /* with a nap between: a tenth of a second */
    AGAIN_NAP_US = 1000,
};

/* Outcome of judge(). */
enum { E_UNFINISHED = 1 };

void *
sink_alloc(size_t size, const struct sink_ops *ops, const struct sink_params *p)
{
    struct sink *s;

    assert(p->depth > 0);

    s = calloc(1, size);
    if (!s)
        return NULL;
    *s = (struct sink){
        .ops = ops,
        .description = ops->name,
        .pool = p->pool,
        .depth = p->depth,
        .slots = calloc(p->depth, sizeof *s->slots),
    };
    if (!s->slots) {
        free(s);
        return NULL;
    }
    for (unsigned i = 0; i < p->depth; i++) {
        s->slots[i].next = s->free;
        s->free = &s->slots[i];
    }
    return s;
}

struct sink *
sink_free(struct sink *s)
{
    if (!s)
        return NULL;

    sink_drain(s);
    if (s->ops->free)
        s->ops->free(s);

    /* Only an engine that died leaves any. */
    for (unsigned i = 0; i < s->depth; i++)
        buffer_put(s->slots[i].buffer);
    free(s->slots);
    free(s);
    return NULL;
}

int
sink_new_best(struct sink **ret, const struct sink_params *p, struct err *why,
              struct err *err)
{
    struct err refused = {0};
    int r;

    r = sink_new_uring(ret, p, &refused);
    if (why)
        *why = refused;
    return r == 0 ? 0 : sink_new_sync(ret, p, err);
}

const char *
sink_describe(const struct sink *s)
{
    return s->description;
}

unsigned
sink_in_flight(const struct sink *s)
{
    return s->n_in_flight;
}

static int
dead(const struct sink *s, struct err *err)
{
    return err_sys(err, s->dead, "could not go on writing through \"%s\"",
                   s->ops->name);
}

/* Put what in flight; there it stays, with its buffer, in a dead engine. */
static int
begin(struct sink *s, const struct sink_op *what, struct err *err)
{
    struct sink_op *op = s->free;

    assert(op); /* n_in_flight < depth */
    s->free = op->next;
    s->n_in_flight++;

    *op = *what;
    op->done = 0;
    op->n_again = 0;
    if (!s->dead)
        s->dead = -s->ops->submit(s, op);
    return s->dead ? dead(s, err) : 0;
}

static void
retire(struct sink *s, struct sink_op *op)
{
    op->buffer = buffer_put(op->buffer);
    op->next = s->free;
    s->free = op;
    s->n_in_flight--;
}

static int
write_failed(const struct sink_op *op, int sys, struct err *err)
{
    return err_sys(err, sys, "could not write \"%s\" at offset %" PRIu64,
                   op->name, sink_op_offset(op));
}

/* Nothing was written this time, because of sys (0: for no reason given). */
static int
judge_again(struct sink_op *op, int sys, struct err *err)
{
    if (++op->n_again < N_AGAIN_MAX) {
        clock_nap_us(AGAIN_NAP_US);
        return E_UNFINISHED;
    }
    write_failed(op, sys ? sys : EIO, err);
    return err_detail(err, "The kernel accepted nothing in %d attempts.",
                      N_AGAIN_MAX);
}

static int
judge_write(struct sink_op *op, int res, struct err *err)
{
    size_t done;

    switch (res) {
    case -EAGAIN:
    case -EINTR:
    case -ECANCELED:
        return judge_again(op, -res, err);
    }
    if (res < 0)
        return write_failed(op, -res, err);

    assert((size_t)res <= sink_op_len(op));
    done = op->done + (size_t)res;
    if (done == op->len)
        return 0;

    /*
     * A short write is not a failure: the kernel stops early at a signal or
     * when the disk is nearly full.  If the rest cannot be written either,
     * that attempt carries the real errno.
     */
    done -= done % op->align;
    if (done == op->done)
        return judge_again(op, 0, err);
    op->done = done;
    op->n_again = 0;
    return E_UNFINISHED;
}

/* What res means for op: 0 done, <0 failed, E_UNFINISHED submit it again. */
static int
judge(struct sink_op *op, int res, struct err *err)
{
    if (op->buffer)
        return judge_write(op, res, err);
    if (res < 0)
        return err_sys(err, -res, "could not sync \"%s\"", op->name);
    return 0;
}

/* Wait until one operation has come to its end.  <0: it failed. */
static int
land(struct sink *s, struct err *err)
{
    struct sink_op *op;
    int r, res;

    do {
        if (s->dead)
            return dead(s, err);
        r = s->ops->wait(s, &op, &res);
        if (r < 0) {
            s->dead = -r;
            return dead(s, err);
        }
        r = judge(op, res, err);
        if (r == E_UNFINISHED)
            s->dead = -s->ops->submit(s, op);
    } while (r == E_UNFINISHED);

    retire(s, op);
    return r;
}

int
sink_write(struct sink *s, const struct sink_op *op, struct err *err)
{
    assert(op->buffer && op->buffer->pool == s->pool);
    assert(op->len > 0 && op->len <= op->buffer->size);
    assert(op->len % op->align == 0 && op->offset % op->align == 0);

    if (s->n_in_flight == s->depth)
        return SINK_E_BUSY;
    return begin(s, op, err);
}

int
sink_reap(struct sink *s, struct err *err)
{
    return s->n_in_flight == 0 ? SINK_E_IDLE : land(s, err);
}

void
sink_drain(struct sink *s)
{
    struct err ignored;

    while (s->n_in_flight > 0 && !s->dead)
        land(s, &ignored);
}

int
sink_sync(struct sink *s, int fd, const char *name, struct err *err)
{
    int r;

    /* The kernel does not order a sync after writes in flight. */
    while (s->n_in_flight > 0) {
        r = land(s, err);
        if (r)
            return r;
    }

    r = begin(s, &(struct sink_op){.fd = fd, .name = name}, err);
    return r ? r : land(s, err);
}

int
sink_enqueue(struct sink *s, struct sink_op *op)
{
    op->next = NULL;
    if (s->first)
        s->last->next = op;
    else
        s->first = op;
    s->last = op;
    return 0;
}

struct sink_op *
sink_dequeue(struct sink *s)
{
    struct sink_op *op = s->first;

    assert(op);
    s->first = op->next;
    return op;
}
