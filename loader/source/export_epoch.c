/* SPDX-License-Identifier: PostgreSQL */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "loader/source/export_private.h"
#include "loader/source/keeper/slot.h"

static int
require_lost(struct export *x, struct err *err)
{
    const struct session_params p = export_session_params(x);
    struct err ignored;

    if (keeper_join(x->dir, x->facts.snapshot, &x->session, &p, &ignored) ==
        0) {
        err_set(err, ERR_REFUSED, "the snapshot of this run is not lost");
        return err_hint(err, "Go on in it: give the same command without "
                             "--new-epoch.");
    }
    return session_reopen(x->session, err);
}

/* Changes of all tables are captured, or of none. */
static int
require_same_kind(struct export *x, struct err *err)
{
    struct capture m = {0};
    int r = capture_read(&m, x->catalog, err);
    int captured = m.state != CAPTURE_NONE;

    capture_clear(&m);
    if (r || captured == !!x->params.cdc)
        return r;
    err_set(err, ERR_REFUSED, "this run was begun %s --cdc",
            captured ? "with" : "without");
    return err_hint(err, "Give --new-epoch %s it.",
                    captured ? "with" : "without");
}

/* What older slots have is of use only while they are there. */
static int
require_old_slots(struct export *x, struct err *err)
{
    struct capture m = {0};
    unsigned epoch = 0;
    int r;

    while (!(r = capture_next(x->catalog, epoch, &m, err)) &&
           m.epoch <= x->facts.epoch) {
        struct slot_look look;

        epoch = m.epoch;
        r = slot_look(x->session, m.slot, &look, err);
        if (r == SLOT_E_NONE || (!r && look.lost[0]))
            r = err_set(err, ERR_REFUSED,
                        "replication slot \"%s\" of epoch %u is lost", m.slot,
                        m.epoch);
        capture_clear(&m);
        if (r)
            return r < 0 && !err->hint[0]
                       ? err_hint(err, "Changes of the tables that are staged "
                                       "can not be captured any more: give "
                                       "--start-over.")
                       : r;
    }
    capture_clear(&m);
    return r < 0 ? r : 0;
}

/*
 * Tables that are wholly staged stay as they are, the others are read in a
 * new snapshot.  Killed in its midst the run is of the old epoch still, with
 * fewer tables, and this may be done again.
 */
int
export_begin_epoch(struct export *x, struct facts *now, struct err *err)
{
    struct catalog_counts n;
    int r = require_lost(x, err);

    if (!r)
        r = require_same_kind(x, err);
    if (!r)
        r = require_old_slots(x, err);
    if (!r)
        r = selection_prepare(x->params.selection, x->session, err);
    if (r)
        return r;
    now->epoch = x->facts.epoch + 1;
    free(now->run_id);
    now->run_id = strdup(x->facts.run_id);
    if (!now->run_id)
        return err_nomem(err);
    r = keeper_end(x->dir, err);
    if (!r)
        r = export_undo_capture(x, now->epoch, err);
    if (!r)
        r = export_forget_plan(x, now, err);
    if (!r)
        r = export_sweep(x, err);
    if (!r)
        r = catalog_count(x->catalog, &n, err);
    if (r)
        return r;
    progress_note(x->params.progress,
                  "epoch %u: %" PRIu64 " tables stay as they are staged, all "
                  "others are read in a new snapshot",
                  now->epoch, n.n_tables);
    return export_begin_snapshot(x, now, err);
}
