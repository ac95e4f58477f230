/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>

#include "loader/cli/workplace.h"
#include "loader/source/keeper.h"

static int
let_go(struct workplace *w, struct err *err)
{
    struct keeper_look keeper;
    int r;

    r = keeper_look(w->dir, &keeper, err);
    if (r < 0)
        return r;
    if (r == KEEPER_E_NONE) {
        puts("nothing to abort: no snapshot is held for this run");
        return 0;
    }
    r = keeper_end(w->dir, err);
    if (!r)
        printf("keeper %d has ended: the snapshot is gone, what is staged "
               "stays\n",
               (int)keeper.pid);
    return r;
}

static int
run(const struct command_context *ctx, struct err *err)
{
    return workplace_do(ctx, RUN_DIR_OPEN, let_go, err);
}

const struct command command_abort = {
    .name = "abort",
    .summary = "let the source go: end the keeper of an export",
    .description =
        "Ends the process that holds the snapshot of an unfinished export, "
        "and with it the locks and the transactions at the source.  The "
        "export cannot go on after that, only begin again (--start-over).",
    .requires = OPTION_SET(dir),
    .takes = 0,
    .run = run,
};
