/* SPDX-License-Identifier: PostgreSQL */
#include "loader/cli/archiving.h"

#include "loader/archive/workdir.h"

/* The workplace's context is ours. */
static int
work(struct workplace *w, struct err *err)
{
    struct archiving *a = (struct archiving *)w->ctx;
    int r = facts_read(&a->facts, w->catalog, err);

    w->called = a->where;
    if (!r)
        r = a->work(a, w, err);
    facts_clear(&a->facts);
    return r;
}

int
archiving_do(struct archiving *a, const struct command_context *ctx,
             struct err *err)
{
    const struct archive_in_params p = {.where = ctx->options->operands[0],
                                        .stop = ctx->stop};
    cleanup_(archive_in_freep) struct archive_in *archive = NULL;
    cleanup_(workdir_freep) struct workdir *dir = NULL;
    int r;

    a->where = p.where;
    r = archive_in_open(&archive, &p, err);
    if (!r)
        r = workdir_open(&dir, archive, ctx->options->dir, err);
    if (r)
        return r;
    a->archive = archive;
    a->options = *ctx->options;
    a->options.dir = workdir_path(dir);
    a->ctx = *ctx;
    a->ctx.options = &a->options;
    return workplace_do(&a->ctx, RUN_DIR_OPEN, work, err);
}
