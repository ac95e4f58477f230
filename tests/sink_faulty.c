/* SPDX-License-Identifier: PostgreSQL */
#include "tests/sink_faulty.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "io/sink_engine.h"

struct sink_faulty {
    struct sink sink;
    struct sink *inner;
    const struct sink_fault *faults;
    size_t n_faults;
    unsigned counts[2]; /* by enum sink_kind */
};

static int
faulty_submit(struct sink *s, struct sink_op *op)
{
    struct sink_faulty *f = (struct sink_faulty *)s;

    return f->inner->ops->submit(f->inner, op);
}

static const struct sink_fault *
find_fault(const struct sink_faulty *f, enum sink_kind of)
{
    const unsigned n = f->counts[of];

    for (size_t i = 0; i < f->n_faults; i++) {
        const struct sink_fault *t = &f->faults[i];

        if (t->of == of && n >= t->nth &&
            (n == t->nth || (t->every && (n - t->nth) % t->every == 0)))
            return t;
    }
    return NULL;
}

/* Spoil what op wrote from byte n on; not through op->fd, which may be
   O_DIRECT. */
static void
scribble(const struct sink_op *op, size_t n)
{
    unsigned char dirt[4096];
    char path[64];
    size_t part;
    int fd;

    memset(dirt, 0xee, sizeof dirt);
    snprintf(path, sizeof path, "/proc/self/fd/%d", op->fd);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return; /* nothing of it was written */
    for (; n < sink_op_len(op); n += part) {
        part = sink_op_len(op) - n;
        if (part > sizeof dirt)
            part = sizeof dirt;
        if (pwrite(fd, dirt, part, (off_t)(sink_op_offset(op) + n)) < 0)
            break; /* beyond a limit, where nothing was written either */
    }
    close(fd);
}

static int
faulty_wait(struct sink *s, struct sink_op **op, int *res)
{
    struct sink_faulty *f = (struct sink_faulty *)s;
    const struct sink_fault *fault;
    enum sink_kind of;
    int r;

    r = f->inner->ops->wait(f->inner, op, res);
    if (r < 0)
        return r;
    of = (*op)->buffer ? SINK_WRITE : SINK_SYNC;
    f->counts[of]++;

    fault = find_fault(f, of);
    if (!fault || fault->res >= *res)
        return 0;
    *res = fault->res;
    if (of == SINK_WRITE)
        scribble(*op, *res < 0 ? 0 : (size_t)*res);
    return 0;
}

static void
faulty_free(struct sink *s)
{
    sink_free(((struct sink_faulty *)s)->inner);
}

static const struct sink_ops faulty_ops = {
    .name = "faulty",
    .submit = faulty_submit,
    .wait = faulty_wait,
    .free = faulty_free,
};

int
sink_new_faulty(struct sink **ret, struct sink *inner,
                const struct sink_params *p, const struct sink_fault *faults,
                size_t n_faults)
{
    struct sink_faulty *f = sink_alloc(sizeof *f, &faulty_ops, p);

    if (!f)
        return -1;
    f->inner = inner;
    f->faults = faults;
    f->n_faults = n_faults;
    *ret = &f->sink;
    return 0;
}

unsigned
sink_faulty_count(const struct sink *s, enum sink_kind of)
{
    return ((const struct sink_faulty *)s)->counts[of];
}
