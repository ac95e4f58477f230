/* SPDX-License-Identifier: PostgreSQL */
#include "loader/source/keeper/keeper.h"

#include "loader/catalog/capture.h"
#include "loader/cli/copying.h"
#include "loader/cli/selecting.h"

/* The operand: a slot that is there already, from this log position. */
static int
parse_operand(const struct options *o, uint64_t *ret, struct err *err)
{
    const char *text = o->operands[0];

    if (text && (!o->slot || capture_parse_lsn(text, ret)))
        return err_set(err, ERR_USAGE, "invalid log position \"%s\"", text);
    return 0;
}

static int
run(const struct command_context *ctx, struct err *err)
{
    const struct options *o = ctx->options;
    cleanup_(run_dir_freep) struct run_dir *dir = NULL;
    cleanup_(selection_freep) struct selection *selection = NULL;
    struct keeper_params p = {
        .conninfo = o->source,
        .hours = o->keeper_hours,
        .slot = o->slot,
        .plugin = copying_plugin(o),
        .publication = o->publication,
        .slot_timeout_s = o->slot_timeout,
        .stop = ctx->stop,
    };
    int r;

    r = parse_operand(o, &p.slot_lsn, err);
    if (!r)
        r = selecting(&selection, o, err);
    p.selection = selection;
    if (!r)
        r = run_dir_open(&dir, o->dir, RUN_DIR_LOOK, err);
    return r ? r : keeper_run(dir, &p, err);
}

const struct command command_keeper = {
    .name = "keeper",
    .summary = "hold the snapshot of an export",
    .description = "Started by export and clone; not to be started by hand.",
    .operands = "[LSN]",
    .max_operands = 1,
    .requires = OPTION_SET(source) | OPTION_SET(dir),
    .takes = OPTION_SET(json) | OPTION_SET(cdc) | OPTION_SET(slot) |
             OPTION_SET(publication) | OPTION_SET(plugin) |
             OPTION_SET(slot_timeout) | OPTION_SET(keeper_hours) |
             SELECTING_OPTIONS,
    .run = run,
};
