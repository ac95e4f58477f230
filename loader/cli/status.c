/* SPDX-License-Identifier: PostgreSQL */
#include "loader/cli/account.h"

static int
tell_status(struct workplace *w, struct err *err)
{
    struct facts f = {0};
    int r;

    r = facts_read(&f, w->catalog, err);
    if (!r)
        r = account_status(w, &f, err);
    facts_clear(&f);
    return r;
}

static int
run(const struct command_context *ctx, struct err *err)
{
    return workplace_do(ctx, RUN_DIR_LOOK, tell_status, err);
}

const struct command command_status = {
    .name = "status",
    .summary = "say where a run is",
    .description = "Looks at the run directory only, also while another "
                   "command is at work in it.",
    .requires = OPTION_SET(dir),
    .takes = OPTION_SET(json),
    .run = run,
};
