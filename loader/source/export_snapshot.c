/* SPDX-License-Identifier: PostgreSQL */
#include <inttypes.h>
#include <stdlib.h>

#include "loader/bag/catalog_json.h"
#include "loader/bag/document.h"
#include "loader/bag/seal.h"
#include "loader/catalog/large_objects.h"
#include "loader/source/export_private.h"
#include "loader/source/guard/pace.h"
#include "loader/source/plan/where.h"

static int
keep_nothing(void *arg, const char *name, struct err *err)
{
    (void)arg;
    (void)name;
    (void)err;
    return 0;
}

int
export_remove_staged(struct export *x, struct err *err)
{
    unsigned n;

    return run_dir_sweep(x->dir, keep_nothing, NULL, &n, err);
}

static void
note_undone(void *arg, const char *what)
{
    progress_note(arg, "%s", what);
}

/* What was made at the source for older snapshots, and for this one; of this
   epoch and later ones (0: of all). */
int
export_undo_capture(struct export *x, unsigned from_epoch, struct err *err)
{
    const struct capturing_undo u = {
        .conninfo = x->params.conninfo,
        .from_epoch = from_epoch,
        .tell = note_undone,
        .arg = x->params.progress,
    };

    return capturing_undo(&u, x->catalog, err);
}

/* Nothing of an older snapshot may stay, nor who keeps it. */
static int
clean_up(struct export *x, struct err *err)
{
    int r;

    r = keeper_end(x->dir, err);
    pace_remove(x->dir);
    if (!r)
        r = export_undo_capture(x, 0, err);
    if (!r)
        r = seal_remove(x->dir, err);
    if (!r)
        r = catalog_json_remove(x->dir, err);
    if (!r)
        r = catalog_clear(x->catalog, err);
    if (!r)
        r = documents_remove(x->dir, err);
    return r ? r : export_remove_staged(x, err);
}

/* Publish what there is now; the plan for that is thrown away. */
static int
begin_capture(struct export *x, const struct facts *now, struct err *err)
{
    int r;

    if (!x->params.cdc)
        return 0;
    r = session_reopen(x->session, err);
    if (!r)
        r = export_plan_for_now(x, err);
    if (!r)
        r = capturing_begin(x->session, &x->params.capture, now, x->catalog,
                            err);
    return r ? r : export_forget_plan(x, now, err);
}

int
export_start_keeper(struct export *x, struct keeper_look *keeper,
                    struct err *err)
{
    struct keeper_params p = {
        .conninfo = x->params.conninfo,
        .selection = x->params.selection,
        .hours = x->params.keeper_hours,
        .slot_timeout_s = x->params.slot_timeout_s,
        .stop = x->params.stop,
        .progress = x->params.progress,
    };
    struct capture m = {0};
    int r = capture_read(&m, x->catalog, err);

    if (r)
        return r;
    if (m.state != CAPTURE_NONE) {
        p.slot = m.slot;
        p.plugin = m.plugin;
        p.publication = m.publication;
        p.slot_lsn = m.lsn;
    }
    r = keeper_start(x->dir, &p, keeper, err);
    capture_clear(&m);
    return r;
}

/* Nobody will come back for what was begun. */
static void
give_up(struct export *x, unsigned epoch, struct err *err)
{
    struct err ignored, failed;

    keeper_end(x->dir, &ignored);
    if (export_undo_capture(x, epoch, &failed) == 0)
        return;
    progress_note(x->params.progress, "%s", failed.message);
    err_hint(err, "A slot or a publication may be left at the source: run "
                  "\"pghaul abort --dir RUN --source S\".");
}

/* The first few of those that no change will follow. */
static int
note_left_out(struct export *x, unsigned epoch, struct err *err)
{
    uint64_t n = 0;
    uint32_t last = 0;
    int r;

    for (;;) {
        cleanup_(capture_table_freep) struct capture_table *t = NULL;

        r = capture_next_table(x->catalog, epoch, last, &t, err);
        if (r)
            break;
        last = t->oid;
        if (t->member == 0 && ++n <= EXPORT_NAMED)
            progress_note(x->params.progress,
                          "changes of %s.%s will not be captured: %s",
                          t->schema, t->name, t->reason ? t->reason : "");
    }
    if (n > EXPORT_NAMED)
        progress_note(x->params.progress,
                      "nor those of %" PRIu64 " other tables: see not_copied "
                      "in data/catalog.json",
                      n - EXPORT_NAMED);
    return r == CATALOG_E_NONE ? 0 : r;
}

static int
note_large_objects(struct export *x, struct err *err)
{
    uint64_t id;
    int r = catalog_table_by_oid(x->catalog, LARGE_OBJECTS_OID, &id, err);

    if (!r)
        progress_note(x->params.progress,
                      "changes of large objects will not be captured: logical "
                      "replication does not carry them");
    return r == CATALOG_E_NONE ? 0 : r;
}

static int
confirm_capture(struct export *x, unsigned epoch, uint64_t lsn, struct err *err)
{
    int r;

    if (!x->params.cdc)
        return 0;
    r = capturing_confirm(x->session, x->catalog, lsn, err);
    if (!r)
        r = note_left_out(x, epoch, err);
    return r ? r : note_large_objects(x, err);
}

static int
take_snapshot(struct export *x, struct facts *now, struct err *err)
{
    struct keeper_look keeper;
    int r;

    progress_phase_begin(x->params.progress, "snapshot");
    r = begin_capture(x, now, err);
    if (!r)
        r = export_start_keeper(x, &keeper, err);
    r = progress_phase_end(x->params.progress, r, err);
    if (!r)
        r = export_plan(x, &keeper, now, err);
    if (!r)
        r = confirm_capture(x, now->epoch, keeper.lsn, err);
    if (!r) {
        now->lsn = keeper.lsn;
        r = export_write_down(x, &keeper, now, err);
    }
    if (r)
        give_up(x, now->epoch, err);
    return r;
}

/* Of the epoch, with nothing of it left from before. */
int
export_begin_snapshot(struct export *x, struct facts *now, struct err *err)
{
    int r;

    x->params.plan.epoch = now->epoch;
    r = take_snapshot(x, now, err);
    if (r != CAPTURING_E_MOVED)
        return r;
    progress_note(x->params.progress, "tables were made or dropped while the "
                                      "slot was made: trying again");
    r = export_forget_plan(x, now, err);
    if (!r)
        r = take_snapshot(x, now, err);
    if (r != CAPTURING_E_MOVED)
        return r;
    err_set(err, ERR_REFUSED, "tables are made or dropped all the time");
    err_detail(err, "The publication never held exactly those that the "
                    "snapshot shows.");
    return err_hint(err, "Wait until that is over and run this again.");
}

/* What a condition may leave out, others' rows may refer to. */
static int
note_open_keys(struct export *x, struct err *err)
{
    cleanup_(session_clearp) PGresult *res = NULL;
    cleanup_(freep) char *sql = NULL;
    int r;

    if (!selection_has_where(x->params.selection))
        return 0;
    sql = where_query(x->params.selection, WHERE_OPEN_KEYS);
    r = sql ? session_query(x->session, sql, &res, err) : err_nomem(err);
    if (r)
        return r;
    for (int i = 0; i < PQntuples(res) && i < EXPORT_NAMED; i++)
        progress_note(x->params.progress,
                      "foreign key %s may refer to rows that --where leaves "
                      "out: then the target cannot have it",
                      PQgetvalue(res, i, 0));
    if (PQntuples(res) > EXPORT_NAMED)
        progress_note(x->params.progress, "so may %d other foreign keys",
                      PQntuples(res) - EXPORT_NAMED);
    return 0;
}

int
export_begin_new(struct export *x, struct facts *now, struct err *err)
{
    int r = selection_prepare(x->params.selection, x->session, err);

    now->epoch = 1;
    if (!r)
        r = note_open_keys(x, err);
    if (!r)
        r = clean_up(x, err);
    return r ? r : export_begin_snapshot(x, now, err);
}
