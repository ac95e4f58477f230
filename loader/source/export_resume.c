/* SPDX-License-Identifier: PostgreSQL */
#include <stdlib.h>
#include <string.h>

#include "loader/source/export_private.h"
#include "loader/source/guard/pace.h"

static int
is_in_catalog(void *arg, const char *name, struct err *err)
{
    int found = 0, r;

    r = catalog_has_file(arg, name, &found, err);
    return r ? r : found;
}

/* What is written but not listed was never finished. */
int
export_sweep(struct export *x, struct err *err)
{
    unsigned n = 0;
    int r = run_dir_sweep(x->dir, is_in_catalog, x->catalog, &n, err);

    if (!r && n > 0)
        progress_note(x->params.progress, "removed %u unfinished file%s", n,
                      n > 1 ? "s" : "");
    return r;
}

int
export_all_staged(struct export *x, int *ret, struct err *err)
{
    struct catalog_counts n;
    int r = catalog_count(x->catalog, &n, err);

    *ret = n.n_chunks_staged == n.n_chunks;
    return r;
}

static void
say_why_lost(const struct export *x, struct err *err)
{
    char why[GUARD_WORDS];

    pace_read_end(x->dir, why);
    if (why[0])
        err_detail(err, "The source was let go when a limit was reached: %s.",
                   why);
}

/* The same snapshot as before, or none. */
int
export_go_on(struct export *x, struct err *err)
{
    const struct session_params p = export_session_params(x);
    int r;

    r = keeper_join(x->dir, x->facts.snapshot, &x->session, &p, err);
    if (r && err->class == ERR_REFUSED && !err->hint[0]) {
        say_why_lost(x, err);
        return err_hint(err, "What is staged is kept.  Give --new-epoch to "
                             "read the tables that are not complete in a new "
                             "snapshot, or --start-over to throw all away.");
    }
    if (r)
        return r;
    progress_note(x->params.progress, "going on in snapshot %s",
                  x->facts.snapshot);
    return export_sweep(x, err);
}

/* Roles are read when the plan is made, or not at all. */
static int
require_roles(const struct export *x, struct err *err)
{
    if (!x->params.roles || x->facts.documents[FACTS_ROLES].present)
        return 0;
    err_set(err, ERR_REFUSED, "this export was begun without --roles");
    return err_hint(err, "Go on without, or give --start-over to throw away "
                         "what is staged.");
}

static int
require_publications(const struct export *x, struct err *err)
{
    int lacks, r;

    if (!x->params.plan.publications || x->params.new_epoch)
        return 0;
    r = catalog_lacks_publications(x->catalog, &lacks, err);
    if (r || !lacks)
        return r;
    err_set(err, ERR_REFUSED, "this export was begun without --publications");
    return err_hint(err, "Go on without, or give --start-over to throw away "
                         "what is staged.");
}

/* "--table=a --exclude-table=b" from the lines of a selection's text. */
static const char *
show_selection(char *text)
{
    if (!text || !*text)
        return "everything";
    for (char *c = text; *c; c++)
        if (*c == '\n')
            *c = c[1] ? ' ' : '\0';
    return text;
}

static int
require_same_selection(struct export *x, const struct facts *now,
                       struct err *err)
{
    cleanup_(freep) char *was = NULL, *is = NULL;

    if (strcmp(x->facts.selection ? x->facts.selection : "",
               now->selection ? now->selection : "") == 0)
        return 0;
    was = strdup(x->facts.selection ? x->facts.selection : "");
    is = strdup(now->selection ? now->selection : "");
    err_set(err, ERR_REFUSED, "this run was begun with another selection");
    err_detail(err, "It is of %s; this is %s.", show_selection(was),
               show_selection(is));
    return err_hint(err, "Give the options that it was begun with, or "
                         "--start-over to throw away what is staged.");
}

static const char *
show_recipients(const struct facts *f)
{
    return f->recipients ? f->recipients : "nobody";
}

/* Who is to read one half of a run must be able to read the other. */
static int
require_same_recipients(const struct export *x, const struct facts *now,
                        struct err *err)
{
    if (strcmp(show_recipients(&x->facts), show_recipients(now)) == 0)
        return 0;
    err_set(err, ERR_REFUSED, "this run was begun with other recipients");
    err_detail(err, "It is encrypted to %s; now it would be to %s.",
               show_recipients(&x->facts), show_recipients(now));
    return err_hint(err, "Give the recipients that it was begun with, or "
                         "--start-over to throw away what is staged.");
}

/* Nobody's files are removed who has not said so when the run was begun. */
static int
require_same_use(const struct export *x, struct err *err)
{
    if (!x->params.discard || x->facts.discards)
        return 0;
    err_set(err, ERR_REFUSED, "run %s was begun without --discard",
            x->facts.run_id);
    return err_hint(err, "Go on without it, or begin in another directory.");
}

int
export_require_same(struct export *x, const struct facts *now, struct err *err)
{
    int r = require_same_selection(x, now, err);

    if (!r)
        r = require_same_recipients(x, now, err);
    if (!r && !x->params.new_epoch)
        r = capturing_require_same(x->params.cdc ? &x->params.capture : NULL,
                                   x->catalog, err);
    if (!r)
        r = require_roles(x, err);
    if (!r)
        r = require_publications(x, err);
    return r ? r : require_same_use(x, err);
}
