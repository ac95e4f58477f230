/* SPDX-License-Identifier: PostgreSQL */
#include "loader/cli/account.h"
#include "loader/cli/copying.h"
#include "loader/cli/handing.h"

static int
export_into(struct workplace *w, struct err *err)
{
    cleanup_(selection_freep) struct selection *selection = NULL;
    cleanup_(export_freep) struct export *x = NULL;
    enum account_end end;
    struct lane lane;
    struct export_params p;
    int r;

    r = selecting(&selection, w->ctx->options, err);
    if (r)
        return r;
    r = keying_recipients(&w->recipients, w->ctx, err);
    /* To compare the schema with that of the epochs before. */
    if (!r && w->ctx->options->new_epoch)
        r = keying_identities(&w->identities, w->ctx, err);
    if (r)
        return r;
    p = copying_export_params(w, selection);
    r = export_begin(&x, &p, w->dir, w->catalog, err);
    if (r)
        return r;
    end = export_was_finished(x) ? ACCOUNT_NOTHING_TO_DO : ACCOUNT_DONE;
    r = copying_note_retention(w, err);
    if (!r)
        r = handing_forget(w, err);
    if (r)
        return r;
    lane = export_lane(x);
    r = workplace_drive(w, &lane, 1, err);
    if (!r)
        r = export_finish(x, err);
    if (!r)
        r = handing_write(w, err);
    if (!r)
        r = account_copy(w, export_facts(x), "exported", end, err);
    return r ? r : workplace_check_skips(w, err);
}

static int
run(const struct command_context *ctx, struct err *err)
{
    return workplace_do(ctx, RUN_DIR_CREATE, export_into, err);
}

const struct command command_export = {
    .name = "export",
    .summary = "read one snapshot of a database into a run directory",
    .description =
        "Reads all tables of the source in one consistent snapshot, in "
        "parallel chunks, and stages them as compressed files, with the "
        "schema, in the run directory, which is made when it is missing.\n\n"
        "A keeper, a small process of its own, holds the snapshot until the "
        "export is complete: interrupted or killed at any instant, the same "
        "command goes on in the same snapshot.  When the snapshot is lost "
        "(the source was restarted) it says so and keeps what is staged; "
        "--start-over begins again.  Files of two snapshots are never "
        "mixed.\n\n"
        "A complete run is sealed as a BagIt bag, with a README.txt: "
        "sha256sum, "
        "lz4 and psql can check and read it.",
    .requires = OPTION_SET(source) | OPTION_SET(dir),
    .takes = COPYING_EXPORT_OPTIONS | COPYING_TALK_OPTIONS,
    .run = run,
};
