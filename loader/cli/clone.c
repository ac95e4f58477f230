/* SPDX-License-Identifier: PostgreSQL */
#include "loader/catalog/proven.h"
#include "loader/cli/account.h"
#include "loader/cli/copying.h"
#include "loader/cli/handing.h"

/* Both lanes side by side: a chunk is loaded when it is staged. */
static int
drive_both(struct workplace *w, struct export *x, struct load *l,
           struct err *err)
{
    cleanup_(vigil_freep) struct vigil *vigil = NULL;
    struct lane lanes[] = {export_lane(x), load_lane(l)};
    int r = copying_keep_vigil(&vigil, w, err);

    copying_watch(&lanes[1], vigil);
    if (!r)
        r = workplace_drive(w, lanes, 2, err);
    if (!r)
        r = export_finish(x, err);
    if (!r)
        r = handing_write(w, err);
    return r ? r : load_finish(l, err);
}

static struct export_params
export_params(const struct workplace *w, struct selection *selection)
{
    struct export_params p = copying_export_params(w, selection);

    p.max_staged = w->ctx->options->max_staged;
    p.discard = w->ctx->options->discard;
    return p;
}

/* What is staged is loaded by this very process: with a key that it makes for
   itself, so that the others' secrets need not be here. */
static int
require_match(const struct workplace *w, struct err *err)
{
    if (age_identities_match(w->identities, w->recipients))
        return 0;
    err_set(err, ERR_USAGE, "no identity given is that of a recipient");
    return err_hint(err, "This run could not be gone on with.  Give the secret "
                         "key of one of the recipients, or none.");
}

static int
make_keys(struct workplace *w, struct err *err)
{
    int r = keying_recipients(&w->recipients, w->ctx, err);

    if (r || !w->recipients)
        return r;
    r = keying_identities(&w->identities, w->ctx, err);
    if (!r)
        r = w->identities ? require_match(w, err)
                          : age_identities_new(&w->identities, err);
    return r ? r : age_identities_generate(w->identities, w->recipients, err);
}

static int
clone_into(struct workplace *w, struct err *err)
{
    cleanup_(selection_freep) struct selection *selection = NULL;
    cleanup_(export_freep) struct export *x = NULL;
    cleanup_(load_freep) struct load *l = NULL;
    struct load_params to;
    enum account_end end;
    struct export_params from;
    int r;

    r = selecting(&selection, w->ctx->options, err);
    if (!r)
        r = copying_confirm_load(w, err);
    if (r)
        return r;
    r = make_keys(w, err);
    if (r)
        return r;
    from = export_params(w, selection);
    r = export_begin(&x, &from, w->dir, w->catalog, err);
    if (r)
        return r;
    to = copying_load_params(w, export_facts(x));
    r = copying_open_keys(w, export_facts(x), err);
    if (!r)
        r = copying_note_retention(w, err);
    if (!r)
        r = handing_forget(w, err);
    if (!r)
        r = load_begin(&l, &to, w->dir, w->catalog, err);
    if (r)
        return r;
    if (!load_was_finished(l))
        r = proven_forget(w->catalog, err);
    if (r)
        return r;
    end = load_was_finished(l) ? ACCOUNT_NOTHING_TO_DO : ACCOUNT_DONE;
    if (end == ACCOUNT_DONE)
        r = drive_both(w, x, l, err);
    if (!r)
        r = export_discard(x, err);
    if (!r)
        r = account_copy(w, export_facts(x), "loaded", end, err);
    return r ? r : workplace_check_skips(w, err);
}

static int
run(const struct command_context *ctx, struct err *err)
{
    return workplace_do(ctx, RUN_DIR_CREATE, clone_into, err);
}

const struct command command_clone = {
    .name = "clone",
    .summary = "export and load at once",
    .description =
        "Does what export and load do, side by side: a chunk is loaded as "
        "soon as it is staged.  The staged files stay in the run directory, "
        "so that the same run can be verified, or loaded again elsewhere.\n\n"
        "Where the disk is small, --max-staged lets the export wait for the "
        "load when so much is staged and not yet loaded, and --discard "
        "removes each file as soon as its rows are committed in the target: "
        "then the run can be verified, but not be loaded again, and the "
        "directory is no bag.",
    .requires = OPTION_SET(source) | OPTION_SET(target) | OPTION_SET(dir),
    .takes = COPYING_EXPORT_OPTIONS | COPYING_LOAD_OPTIONS |
             COPYING_TALK_OPTIONS | OPTION_SET(max_staged) |
             OPTION_SET(discard),
    .run = run,
};
