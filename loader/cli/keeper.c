/* SPDX-License-Identifier: PostgreSQL */
#include "loader/source/keeper.h"

#include "loader/cli/command.h"

static int
run(const struct command_context *ctx, struct err *err)
{
    cleanup_(run_dir_freep) struct run_dir *dir = NULL;
    int r;

    r = run_dir_open(&dir, ctx->options->dir, RUN_DIR_LOOK, err);
    return r ? r : keeper_run(dir, ctx->options->source, ctx->stop, err);
}

const struct command command_keeper = {
    .name = "keeper",
    .summary = "hold the snapshot of an export",
    .description = "Started by export and clone; not to be started by hand.",
    .requires = OPTION_SET(source) | OPTION_SET(dir),
    .takes = OPTION_SET(json),
    .run = run,
};
