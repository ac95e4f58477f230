/* SPDX-License-Identifier: PostgreSQL */
#include <jansson.h>
#include <stdio.h>

#include "io/cleanup.h"
#include "loader/cli/findings_print.h"
#include "loader/cli/selecting.h"
#include "loader/source/check/preflight.h"

static void
print_json(const struct findings *f)
{
    json_t *all = json_pack("{s:o}", "findings", findings_json(f));

    json_dumpf(all, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(all);
}

static int
run(const struct command_context *ctx, struct err *err)
{
    cleanup_(findings_clear) struct findings f = {0};
    const struct options *o = ctx->options;
    cleanup_(selection_freep) struct selection *selection = NULL;
    struct preflight_params params = {
        .source = o->source,
        .target = o->target,
        .dir = o->dir,
        .jobs = o->jobs,
        .no_owner = o->no_owner,
        .no_acl = o->no_acl,
        .roles = o->roles,
        .stop = ctx->stop,
    };
    int r = selecting(&selection, o, err);

    params.selection = selection;
    if (!r)
        r = preflight_run(&params, &f, err);
    if (r)
        return r;
    if (o->json)
        print_json(&f);
    else
        findings_print(&f, o->quiet);
    if (f.n_errors == 0)
        return 0;
    return err_set(err, ERR_REFUSED, "%u finding%s in the way of a copy",
                   f.n_errors, f.n_errors == 1 ? " is" : "s are");
}

const struct command command_check = {
    .name = "check",
    .summary = "find out whether it can be done, and what to change",
    .description =
        "Tries what the copy does: exports a snapshot and imports it on "
        "another connection, locks every table for a moment.  Looks at "
        "versions, privileges, limits and room, with --target there too.  "
        "Changes nothing."
        "\n\n"
        "Each finding is ok, a warning (it can be done), or an error; with an "
        "error the exit status is 6.",
    .requires = OPTION_SET(source),
    .takes = OPTION_SET(target) | OPTION_SET(dir) | OPTION_SET(jobs) |
             OPTION_SET(no_owner) | OPTION_SET(no_acl) | OPTION_SET(roles) |
             SELECTING_OPTIONS | OPTION_SET(json) | OPTION_SET(quiet),
    .run = run,
    .verdict = ERR_REFUSED,
};
