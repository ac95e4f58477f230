/* SPDX-License-Identifier: PostgreSQL */
#include <errno.h>
#include <unistd.h>

#include "io/sink_engine.h"

static int
sync_wait(struct sink *s, struct sink_op **ret, int *res)
{
    struct sink_op *op = sink_dequeue(s);
    ssize_t n;

    if (op->buffer)
        n = pwrite(op->fd, sink_op_data(op), sink_op_len(op),
                   (off_t)sink_op_offset(op));
    else
        n = fdatasync(op->fd);

    *res = n < 0 ? -errno : (int)n;
    *ret = op;
    return 0;
}

static const struct sink_ops sync_ops = {
    .name = "sync",
    .submit = sink_enqueue,
    .wait = sync_wait,
};

int
sink_new_sync(struct sink **ret, const struct sink_params *p, struct err *err)
{
    struct sink *s = sink_alloc(sizeof *s, &sync_ops, p);

    if (!s)
        return err_nomem(err);
    *ret = s;
    return 0;
}
