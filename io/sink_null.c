/* SPDX-License-Identifier: PostgreSQL */
#include "io/sink_engine.h"

static int
null_wait(struct sink *s, struct sink_op **ret, int *res)
{
    struct sink_op *op = sink_dequeue(s);

    *res = op->buffer ? (int)sink_op_len(op) : 0;
    *ret = op;
    return 0;
}

static const struct sink_ops null_ops = {
    .name = "null",
    .submit = sink_enqueue,
    .wait = null_wait,
};

int
sink_new_null(struct sink **ret, const struct sink_params *p, struct err *err)
{
    struct sink *s = sink_alloc(sizeof *s, &null_ops, p);

    if (!s)
        return err_nomem(err);
    *ret = s;
    return 0;
}
