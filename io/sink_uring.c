/* SPDX-License-Identifier: PostgreSQL */
#include <assert.h>
#include <errno.h>
#include <liburing.h>
#include <stdio.h>

#include "io/clock.h"
#include "io/sink_engine.h"

enum {
    /*
     * A write that allocates is run by a kernel thread, of which io_uring
     * starts as many as it likes: eight were seen for one ring.  Two keep a
     * disk busy.
     */
    N_WORKERS_MAX = 2,
    N_REFUSED_MAX = 100, /* with a nap between: a tenth of a second */
    REFUSED_NAP_US = 1000,
};

struct sink_uring {
    struct sink sink;
    struct io_uring ring; /* ring_fd is -1 when there is none */
    unsigned n_queued;    /* in the ring, taken by the kernel or not yet */
    int fixed;            /* the pool's buffers are registered */
    const char *rung;
    char description[64];
};

/* Best first; a kernel that does not know a flag answers EINVAL. */
static const struct rung {
    unsigned flags;
    const char *name;
} ladder[] = {
    /* Linux 6.1: completions are processed when we ask for them only. */
    {IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
         IORING_SETUP_SUBMIT_ALL,
     "single issuer, deferred"},
    /* Linux 5.19: at least no interrupt for each. */
    {IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG, "cooperative"},
    {0, "plain"},
};

static const struct {
    int sys;
    const char *text;
} hints[] = {
    {EPERM, "io_uring is switched off by the sysctl kernel.io_uring_disabled, "
            "or refused by a seccomp profile such as a container's default."},
    {ENOSYS, "The kernel is older than 5.6, or a seccomp profile such as a "
             "container's default hides io_uring."},
    {EINVAL, "The kernel is too old for io_uring as it is used here."},
    {ENOMEM, "Raise the limit on locked memory (ulimit -l, RLIMIT_MEMLOCK)."},
    {EMFILE, "Raise the limit on open files (ulimit -n)."},
};

static int
no_uring(int sys, struct err *err)
{
    err_sys(err, sys, "could not set up io_uring");
    for (size_t i = 0; i < sizeof hints / sizeof *hints; i++)
        if (hints[i].sys == sys)
            err_hint(err, "%s", hints[i].text);
    return SINK_E_NO_URING;
}

/* 0, or the -errno of the kernel's refusal. */
static int
climb(struct sink_uring *u)
{
    const size_t n_rungs = sizeof ladder / sizeof *ladder;
    int r = -EINVAL;

    for (size_t i = 0; i < n_rungs && r == -EINVAL; i++) {
        r = io_uring_queue_init(u->sink.depth, &u->ring, ladder[i].flags);
        u->rung = ladder[i].name;
    }
    if (r < 0)
        u->ring.ring_fd = -1;
    return r;
}

/* Does the ring know the operations that we use? */
static int
knows_operations(struct io_uring *ring)
{
    static const int used[] = {IORING_OP_WRITE, IORING_OP_WRITE_FIXED,
                               IORING_OP_FSYNC};
    struct io_uring_probe *probe = io_uring_get_probe_ring(ring);
    int all = probe != NULL; /* before Linux 5.6 there is no asking */

    for (size_t i = 0; all && i < sizeof used / sizeof *used; i++)
        all = io_uring_opcode_supported(probe, used[i]);
    io_uring_free_probe(probe);
    return all;
}

/* What makes a ring better, and what it can do without. */
static void
tune(struct sink_uring *u, const struct sink_params *p)
{
    unsigned n_workers[2] = {N_WORKERS_MAX, N_WORKERS_MAX};

    io_uring_ring_dontfork(&u->ring);
    io_uring_register_ring_fd(&u->ring);
    io_uring_register_iowq_max_workers(&u->ring, n_workers);

    /* Refused (ENOMEM) beyond RLIMIT_MEMLOCK: 8 MiB a user by default. */
    u->fixed = p->register_buffers &&
               io_uring_register_buffers(&u->ring, buffer_pool_iov(p->pool),
                                         buffer_pool_count(p->pool)) == 0;
    snprintf(u->description, sizeof u->description, "uring (%s%s)", u->rung,
             u->fixed ? ", registered buffers" : "");
    u->sink.description = u->description;
}

static void
uring_free(struct sink *s)
{
    struct sink_uring *u = (struct sink_uring *)s;

    if (u->ring.ring_fd >= 0)
        io_uring_queue_exit(&u->ring);
}

static void
prepare(const struct sink_uring *u, struct io_uring_sqe *sqe,
        struct sink_op *op)
{
    if (!op->buffer)
        io_uring_prep_fsync(sqe, op->fd, IORING_FSYNC_DATASYNC);
    else if (u->fixed)
        io_uring_prep_write_fixed(sqe, op->fd, sink_op_data(op),
                                  (unsigned)sink_op_len(op), sink_op_offset(op),
                                  (int)op->buffer->index);
    else
        io_uring_prep_write(sqe, op->fd, sink_op_data(op),
                            (unsigned)sink_op_len(op), sink_op_offset(op));
    io_uring_sqe_set_data(sqe, op);
}

/* The kernel is short of memory, or wants completions taken first. */
static int
refused_for_now(int r)
{
    return r == -EAGAIN || r == -EBUSY;
}

static int
uring_submit(struct sink *s, struct sink_op *op)
{
    struct sink_uring *u = (struct sink_uring *)s;
    struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);
    int r;

    assert(sqe); /* the ring is as long as the sink is deep */
    prepare(u, sqe, op);
    u->n_queued++;

    /* What is refused for now stays in the ring: wait() submits it again. */
    r = io_uring_submit(&u->ring);
    return r >= 0 || refused_for_now(r) || r == -EINTR ? 0 : r;
}

/* Submit what is still to be, and wait for a completion or a signal. */
static int
enter(struct sink_uring *u, unsigned *n_refused)
{
    struct io_uring_cqe *cqe;
    int r;

    r = io_uring_submit_and_wait(&u->ring, 1);
    if (refused_for_now(r) && io_uring_sq_ready(&u->ring) < u->n_queued)
        r = io_uring_wait_cqe(&u->ring, &cqe); /* that makes room */
    if (refused_for_now(r) && ++*n_refused < N_REFUSED_MAX) {
        clock_nap_us(REFUSED_NAP_US);
        r = 0;
    }
    return r == -EINTR ? 0 : r;
}

static int
uring_wait(struct sink *s, struct sink_op **ret, int *res)
{
    struct sink_uring *u = (struct sink_uring *)s;
    struct io_uring_cqe *cqe;
    unsigned n_refused = 0;
    int r;

    while (io_uring_peek_cqe(&u->ring, &cqe) < 0) {
        r = enter(u, &n_refused);
        if (r < 0)
            return r;
    }
    *ret = io_uring_cqe_get_data(cqe);
    *res = cqe->res;
    io_uring_cqe_seen(&u->ring, cqe);
    u->n_queued--;
    return 0;
}

static const struct sink_ops uring_ops = {
    .name = "uring",
    .submit = uring_submit,
    .wait = uring_wait,
    .free = uring_free,
};

int
sink_new_uring(struct sink **ret, const struct sink_params *p, struct err *err)
{
    cleanup_(sink_freep) struct sink *s = NULL;
    struct sink_uring *u;
    int r;

    u = sink_alloc(sizeof *u, &uring_ops, p);
    if (!u)
        return err_nomem(err);
    s = &u->sink;

    r = climb(u);
    if (r == 0 && !knows_operations(&u->ring))
        r = -ENOSYS;
    if (r < 0)
        return no_uring(-r, err);

    tune(u, p);
    *ret = take(s);
    return 0;
}
