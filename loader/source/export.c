/* SPDX-License-Identifier: PostgreSQL */
#include "loader/source/export.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "loader/bag/catalog_json.h"
#include "loader/bag/seal.h"
#include "loader/bag/staged.h"
#include "loader/catalog/large_objects.h"
#include "loader/inventory/inventory.h"
#include "loader/inventory/inventory_compare.h"
#include "loader/pg/conninfo.h"
#include "loader/pg/pooler.h"
#include "loader/pg/session.h"
#include "loader/progress/portrait.h"
#include "loader/source/export_lane.h"
#include "loader/source/guard/pace.h"
#include "loader/source/guard/vitals.h"
#include "loader/source/guard/watch.h"
#include "loader/source/keeper/keeper.h"
#include "loader/source/keeper/slot.h"
#include "loader/source/keeper/slot_watch.h"
#include "loader/source/plan/left_out.h"
#include "loader/source/plan/where.h"
#include "loader/source/roles.h"
#include "loader/source/schema_dump.h"
#include "loader/source/schema_text.h"

enum { LEFT_OUT_NAMED = 5 };

struct export
{
    struct export_params params;
    struct run_dir *dir;
    struct catalog *catalog;
    struct session *session;
    struct facts facts;
    struct export_lane lane;
    struct watch *watch;
};

/* ---- who the source is ---- */

static struct session_params
session_params(const struct export *x)
{
    return (struct session_params){
        .conninfo = x->params.conninfo,
        .side = SESSION_SOURCE,
        .purpose = "plan",
        .stop = x->params.stop,
    };
}

static int
copy_value(char **ret, const PGresult *res, int column, struct err *err)
{
    *ret = strdup(PQgetvalue(res, 0, column));
    return *ret ? 0 : err_nomem(err);
}

/* Identity, and a fresh id for the run, from the source itself. */
static int
learn(struct export *x, struct facts *f, struct err *err)
{
    cleanup_(session_clearp) PGresult *res = NULL;
    int r;

    r = session_query(x->session,
                      "SELECT (SELECT system_identifier"
                      "  FROM pg_catalog.pg_control_system()),"
                      " pg_catalog.current_database(),"
                      " pg_catalog.gen_random_uuid()",
                      &res, err);
    if (!r)
        r = copy_value(&f->system_id, res, 0, err);
    if (!r)
        r = copy_value(&f->database, res, 1, err);
    if (!r)
        r = copy_value(&f->run_id, res, 2, err);
    if (!r)
        r = conninfo_display(&f->source, x->params.conninfo, err);
    if (!r)
        r = portrait_log(progress_events(x->params.progress), "source",
                         x->session, err);
    if (r)
        return r;
    f->version = session_server_version(x->session);
    f->encoding = strdup(session_encoding(x->session));
    if (!f->encoding)
        return err_nomem(err);
    if (selection_is_all(x->params.selection) &&
        !selection_has_where(x->params.selection))
        return 0;
    f->selection = selection_text(x->params.selection);
    return f->selection ? 0 : err_nomem(err);
}

/* A directory belongs to one database of one cluster. */
static int
require_same_source(struct export *x, const struct facts *now, struct err *err)
{
    const struct facts *was = &x->facts;

    if (was->state == FACTS_NEW ||
        (strcmp(was->system_id, now->system_id) == 0 &&
         strcmp(was->database, now->database) == 0))
        return 0;
    err_set(err, ERR_REFUSED, "run directory \"%s\" is of another source",
            run_dir_path(x->dir));
    err_detail(err,
               "It holds database \"%s\" of cluster %s; this is \"%s\" of "
               "%s.",
               was->database, was->system_id, now->database, now->system_id);
    return err_hint(err, "Give each source a directory of its own.");
}

/* ---- a new snapshot ---- */

static int
keep_nothing(void *arg, const char *name, struct err *err)
{
    (void)arg;
    (void)name;
    (void)err;
    return 0;
}

static void
note_undone(void *arg, const char *what)
{
    progress_note(arg, "%s", what);
}

/* What was made at the source for older snapshots, and for this one; of this
   epoch and later ones (0: of all). */
static int
undo_capture(struct export *x, unsigned from_epoch, struct err *err)
{
    const struct capturing_undo u = {
        .conninfo = x->params.conninfo,
        .from_epoch = from_epoch,
        .tell = note_undone,
        .arg = x->params.progress,
    };

    return capturing_undo(&u, x->catalog, err);
}

/* ---- the end ---- */

/* Nobody is at work any more. */
static void
let_go_of_source(struct export *x)
{
    const char *why;
    struct err err;

    if (!x->watch || !watch_must_let_go(x->watch, &why))
        return;
    pace_write_end(x->dir, why);
    if (keeper_end(x->dir, &err) || undo_capture(x, 0, &err))
        progress_note(x->params.progress,
                      "the source could not be let go of: %s", err.message);
}

struct export *
export_free(struct export *x)
{
    if (!x)
        return NULL;
    let_go_of_source(x);
    watch_free(x->watch);
    session_free(x->session);
    facts_clear(&x->facts);
    free(x);
    return NULL;
}

/* Nothing of an older snapshot may stay, nor who keeps it. */
static int
clean_up(struct export *x, struct err *err)
{
    unsigned n;
    int r;

    r = keeper_end(x->dir, err);
    pace_remove(x->dir);
    if (!r)
        r = undo_capture(x, 0, err);
    if (!r)
        r = seal_remove(x->dir, err);
    if (!r)
        r = catalog_json_remove(x->dir, err);
    if (!r)
        r = catalog_clear(x->catalog, err);
    if (!r)
        r = roles_remove(x->dir, err);
    return r ? r : run_dir_sweep(x->dir, keep_nothing, NULL, &n, err);
}

/* What the database consists of, for who compares it with others. */
static int
write_inventory(struct export *x, struct facts *now, struct err *err)
{
    cleanup_(freep) char *gone = left_out_gone(x->params.selection);

    return gone ? inventory_write(x->dir, x->session, gone, now, err)
                : err_nomem(err);
}

/* The first few of what is another than it was. */
struct changes {
    unsigned n;
    char text[400];
};

static void
note_change(void *arg, const struct inventory_difference *d)
{
    struct changes *c = arg;
    size_t len = strlen(c->text);

    if (c->n++ < LEFT_OUT_NAMED)
        snprintf(c->text + len, sizeof c->text - len, "%s%s %s%s%s",
                 len ? ", " : "", d->kind, d->name, d->part[0] ? " " : "",
                 d->part);
}

static int
find_changes(struct export *x, struct changes *ret, struct err *err)
{
    cleanup_(freep) char *gone = left_out_gone(x->params.selection);
    struct inventory_comparison c = {.tell = note_change, .arg = ret};
    int r = gone ? inventory_of_run(&c.left, x->dir, &x->facts, err)
                 : err_nomem(err);

    if (!r)
        r = inventory_of_session(&c.right, x->session, gone, err);
    if (!r)
        r = inventory_compare(&c, err);
    inventory_free(c.left);
    inventory_free(c.right);
    return r;
}

/* Tables of two epochs are loaded into one schema. */
static int
require_same_schema(struct export *x, struct err *err)
{
    struct changes c = {0};
    int r = find_changes(x, &c, err);

    if (r || c.n == 0)
        return r;
    err_set(err, ERR_REFUSED,
            "the schema has changed since the first snapshot of this run");
    err_detail(err, "Another than it was is: %s%s", c.text,
               c.n > LEFT_OUT_NAMED ? "..." : "");
    return err_hint(err, "Undo the change and give --new-epoch again, or give "
                         "--start-over to throw away what is staged.");
}

static int
dump_schema(struct export *x, const struct keeper_look *keeper,
            struct facts *now, struct err *err)
{
    const struct schema_dump_params p = {
        .conninfo = x->params.conninfo,
        .snapshot = keeper->snapshots[0],
        .session = x->session,
        .selection = x->params.selection,
        .publications = x->params.plan.publications,
        .stop = x->params.stop,
    };
    int r;

    progress_phase_begin(x->params.progress, "schema");
    r = now->epoch > 1 ? require_same_schema(x, err) : 0;
    if (!r)
        r = write_inventory(x, now, err);
    if (!r)
        r = schema_dump(x->dir, &p, err);
    return progress_phase_end(x->params.progress, r, err);
}

/* What is to be copied, and the schema, out of the keeper's snapshot. */
static int
plan(struct export *x, const struct keeper_look *keeper, struct facts *now,
     struct err *err)
{
    const struct session_params p = session_params(x);
    int r;

    progress_phase_begin(x->params.progress, "plan");
    r = keeper_join(x->dir, keeper->origin, &x->session, &p, err);
    if (!r)
        r = planner_run(&x->params.plan, x->session, x->catalog, err);
    if (!r && x->params.roles)
        r = roles_write(x->dir, x->session, now, err);
    if (progress_phase_end(x->params.progress, r, err))
        return r;
    return dump_schema(x, keeper, now, err);
}

static int
write_down(struct export *x, const struct keeper_look *keeper,
           struct facts *now, struct err *err)
{
    int r;

    r = staged_digest(x->dir, "schema.dump", now->schema_sha256, err);
    if (!r)
        r = schema_text(x->dir, now, x->params.stop, err);
    if (r)
        return r;
    now->snapshot = strdup(keeper->origin);
    if (!now->snapshot)
        return err_nomem(err);
    now->discards = x->params.discard;
    now->state = FACTS_EXPORTING;
    r = catalog_begin(x->catalog, err);
    if (!r)
        r = facts_write(now, x->catalog, err);
    return r ? r : catalog_commit(x->catalog, err);
}

/* In a transaction, as every plan is, which must not be open any more when
   something is made. */
static int
plan_for_now(struct export *x, struct err *err)
{
    int r = session_exec(
        x->session, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", err);

    if (!r)
        r = planner_run(&x->params.plan, x->session, x->catalog, err);
    return r ? r : session_exec(x->session, "COMMIT", err);
}

/* A plan of this epoch is thrown away. */
static int
forget_plan(struct export *x, const struct facts *now, struct err *err)
{
    return now->epoch == 1
               ? catalog_clear(x->catalog, err)
               : catalog_keep_staged(x->catalog, now->epoch - 1, err);
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
        r = plan_for_now(x, err);
    if (!r)
        r = capturing_begin(x->session, &x->params.capture, now, x->catalog,
                            err);
    return r ? r : forget_plan(x, now, err);
}

static int
start_keeper(struct export *x, struct keeper_look *keeper, struct err *err)
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
    if (undo_capture(x, epoch, &failed) == 0)
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
        if (t->member == 0 && ++n <= LEFT_OUT_NAMED)
            progress_note(x->params.progress,
                          "changes of %s.%s will not be captured: %s",
                          t->schema, t->name, t->reason ? t->reason : "");
    }
    if (n > LEFT_OUT_NAMED)
        progress_note(x->params.progress,
                      "nor those of %" PRIu64 " other tables: see not_copied "
                      "in data/catalog.json",
                      n - LEFT_OUT_NAMED);
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
        r = start_keeper(x, &keeper, err);
    r = progress_phase_end(x->params.progress, r, err);
    if (!r)
        r = plan(x, &keeper, now, err);
    if (!r)
        r = confirm_capture(x, now->epoch, keeper.lsn, err);
    if (!r) {
        now->lsn = keeper.lsn;
        r = write_down(x, &keeper, now, err);
    }
    if (r)
        give_up(x, now->epoch, err);
    return r;
}

/* Of the epoch, with nothing of it left from before. */
static int
begin_snapshot(struct export *x, struct facts *now, struct err *err)
{
    int r;

    x->params.plan.epoch = now->epoch;
    r = take_snapshot(x, now, err);
    if (r != CAPTURING_E_MOVED)
        return r;
    progress_note(x->params.progress, "tables were made or dropped while the "
                                      "slot was made: trying again");
    r = forget_plan(x, now, err);
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
    for (int i = 0; i < PQntuples(res) && i < LEFT_OUT_NAMED; i++)
        progress_note(x->params.progress,
                      "foreign key %s may refer to rows that --where leaves "
                      "out: then the target cannot have it",
                      PQgetvalue(res, i, 0));
    if (PQntuples(res) > LEFT_OUT_NAMED)
        progress_note(x->params.progress, "so may %d other foreign keys",
                      PQntuples(res) - LEFT_OUT_NAMED);
    return 0;
}

static int
begin_new(struct export *x, struct facts *now, struct err *err)
{
    int r = selection_prepare(x->params.selection, x->session, err);

    now->epoch = 1;
    if (!r)
        r = note_open_keys(x, err);
    if (!r)
        r = clean_up(x, err);
    return r ? r : begin_snapshot(x, now, err);
}

/* ---- going on ---- */

static int
is_in_catalog(void *arg, const char *name, struct err *err)
{
    int found = 0, r;

    r = catalog_has_file(arg, name, &found, err);
    return r ? r : found;
}

/* What is written but not listed was never finished. */
static int
sweep(struct export *x, struct err *err)
{
    unsigned n = 0;
    int r = run_dir_sweep(x->dir, is_in_catalog, x->catalog, &n, err);

    if (!r && n > 0)
        progress_note(x->params.progress, "removed %u unfinished file%s", n,
                      n > 1 ? "s" : "");
    return r;
}

static int
all_staged(struct export *x, int *ret, struct err *err)
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
static int
go_on(struct export *x, struct err *err)
{
    const struct session_params p = session_params(x);
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
    return sweep(x, err);
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

/* ---- another epoch ---- */

static int
require_lost(struct export *x, struct err *err)
{
    const struct session_params p = session_params(x);
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
static int
begin_epoch(struct export *x, struct facts *now, struct err *err)
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
        r = undo_capture(x, now->epoch, err);
    if (!r)
        r = forget_plan(x, now, err);
    if (!r)
        r = sweep(x, err);
    if (!r)
        r = catalog_count(x->catalog, &n, err);
    if (r)
        return r;
    progress_note(x->params.progress,
                  "epoch %u: %" PRIu64 " tables stay as they are staged, all "
                  "others are read in a new snapshot",
                  now->epoch, n.n_tables);
    return begin_snapshot(x, now, err);
}

/* ---- the beginning ---- */

static int
require_same(struct export *x, const struct facts *now, struct err *err)
{
    int r = require_same_selection(x, now, err);

    if (!r && !x->params.new_epoch)
        r = capturing_require_same(x->params.cdc ? &x->params.capture : NULL,
                                   x->catalog, err);
    if (!r)
        r = require_roles(x, err);
    if (!r)
        r = require_publications(x, err);
    return r ? r : require_same_use(x, err);
}

/* Go on with what is there, or begin anew. */
static int
decide(struct export *x, struct facts *now, struct err *err)
{
    int complete = 0, r = 0;

    if (x->facts.state != FACTS_NEW && !x->params.start_over) {
        r = require_same(x, now, err);
        if (!r)
            r = all_staged(x, &complete, err);
        if (r)
            return r;
        if (complete || !x->params.new_epoch)
            return complete ? sweep(x, err) : go_on(x, err);
        r = begin_epoch(x, now, err);
    } else {
        r = begin_new(x, now, err);
    }
    if (r)
        return r;
    facts_clear(&x->facts);
    return facts_read(&x->facts, x->catalog, err);
}

/* What the keeper has measured; where it does not, the last one grows old. */
static void
look_at_vitals(void *dir, struct vitals *ret)
{
    struct err ignored;

    vitals_read(dir, ret, &ignored);
}

static int
begin_watch(struct export *x, struct err *err)
{
    static const struct watch_words words = {
        {"What is staged is kept, and the keeper holds the snapshot.",
         "The source is let go: snapshot, slot and publication of this run do "
         "not stay.  What is staged is kept, but nothing can be added to it."},
        {"Run this again when the source has recovered; it goes on in the same "
         "snapshot.  \"pghaul abort\" lets the source go.",
         "Raise the limit, or --jobs, and begin again with --start-over."},
    };
    const struct watch_params p = {
        .look = look_at_vitals,
        .look_arg = x->dir,
        .words = &words,
        .pace = x->dir,
        .limits = &x->params.limits,
        .max_rate = x->params.max_rate,
        .n_workers = x->params.jobs,
        .progress = x->params.progress,
        .stop = x->params.stop,
    };

    return watch_new(&x->watch, &p, err);
}

int
export_begin(struct export **ret, const struct export_params *p,
             struct run_dir *dir, struct catalog *c, struct err *err)
{
    cleanup_(export_freep) struct export *x = NULL;
    struct session_params session;
    struct facts now = {0};
    int r;

    x = calloc(1, sizeof *x);
    if (!x)
        return err_nomem(err);
    x->params = *p;
    x->params.plan.selection = p->selection;
    x->dir = dir;
    x->catalog = c;
    session = session_params(x);

    r = facts_read(&x->facts, c, err);
    if (!r)
        r = catalog_forget_failures(c, err);
    if (!r)
        r = pooler_require_none(&session, err);
    if (!r)
        r = session_open(&x->session, &session, err);
    if (!r)
        r = learn(x, &now, err);
    if (!r)
        r = require_same_source(x, &now, err);
    if (!r)
        r = vitals_require(x->session, guard_set(&p->limits), err);
    if (!r)
        r = decide(x, &now, err);
    if (!r)
        r = begin_watch(x, err);
    facts_clear(&now);
    /* Its transaction would hold the source's horizon, as the keeper does. */
    x->session = session_free(x->session);
    if (!r)
        *ret = take(x);
    return r;
}

const struct facts *
export_facts(const struct export *x)
{
    return &x->facts;
}

int
export_was_finished(const struct export *x)
{
    return x->facts.state == FACTS_STAGED;
}

/* A limit that is reached when all is staged, and only a load goes on, is
   none: what it was about is over. */
static int
allow(void *arg, unsigned *ret_n, struct err *err)
{
    struct export *x = arg;
    struct err ignored;
    int complete;

    if (!x->watch || watch_allow(x->watch, ret_n, err) == 0)
        return 0;
    if (all_staged(x, &complete, &ignored) || !complete)
        return -1;
    x->lane.throttle = NULL;
    x->lane.stalls = NULL;
    x->watch = watch_free(x->watch);
    keeper_end(x->dir, &ignored);
    return 0;
}

struct lane
export_lane(struct export *x)
{
    struct lane lane = {
        .ops = &export_lane_ops,
        .arg = &x->lane,
        .n_workers = x->params.jobs,
        .allow = allow,
        .allow_arg = x,
    };
    struct catalog_counts n;
    struct err ignored;

    x->lane = (struct export_lane){
        .catalog = x->catalog,
        .dir = x->dir,
        .conninfo = x->params.conninfo,
        .snapshot = x->facts.snapshot,
        .stop = x->params.stop,
        .lsn = x->facts.lsn,
        .codec = x->params.codec,
        .sink = x->params.sink,
        .throttle = watch_throttle(x->watch),
        .stalls = watch_stalls(x->watch),
        .may_go_over = x->params.plan.format == PLANNER_AUTO,
        .progress = x->params.progress,
        .max_staged = x->params.max_staged,
    };
    memcpy(x->lane.run, x->facts.run, sizeof x->lane.run);
    /* Only the progress is poorer when this fails. */
    if (catalog_count(x->catalog, &n, &ignored) == 0) {
        lane.total = n.planned_bytes;
        lane.done = n.staged_bytes_estimated;
    }
    return lane;
}

/* Where the source gives up slots that nobody uses, somebody uses it.  That it
   could not be done is said: the export itself is complete. */
static void
keep_slot(struct export *x)
{
    const struct session_params p = session_params(x);
    cleanup_(session_freep) struct session *s = NULL;
    struct keeper_look keeper;
    unsigned idle_s = 0;
    struct err err;
    int r;

    if (x->facts.lsn == 0)
        return;
    r = session_open(&s, &p, &err);
    if (!r)
        r = slot_watch_idle_limit(s, &idle_s, &err);
    if (!r && idle_s > 0)
        r = start_keeper(x, &keeper, &err);
    if (r)
        progress_note(x->params.progress,
                      "nobody keeps the slot from idling "
                      "out: %s",
                      err.message);
    else if (idle_s > 0)
        progress_note(x->params.progress,
                      "a keeper stays for %u hours at most: the source gives "
                      "up slots that are idle for %u s",
                      x->params.keeper_hours, idle_s);
}

static int
seal(struct export *x, struct err *err)
{
    int r = 0;

    /* One that was carried here may say more than we know. */
    if (!x->facts.discards &&
        (x->facts.state != FACTS_STAGED || !catalog_json_is_there(x->dir)))
        r = catalog_json_write(x->catalog, &x->facts, x->dir, err);
    if (!r)
        r = facts_set_state(x->catalog, FACTS_STAGED, err);
    if (r)
        return r;
    x->facts.state = FACTS_STAGED;
    return x->facts.discards ? 0
                             : seal_write(x->catalog, &x->facts, x->dir, err);
}

int
export_finish(struct export *x, struct err *err)
{
    int complete, r;

    r = all_staged(x, &complete, err);
    if (r || !complete)
        return r;
    /* The source is let go at once: a load may take days. */
    r = keeper_end(x->dir, err);
    if (r)
        return r;
    keep_slot(x);
    pace_remove(x->dir);
    if (x->facts.state == FACTS_STAGED && seal_is_there(x->dir))
        return 0;
    progress_phase_begin(x->params.progress, "seal");
    return progress_phase_end(x->params.progress, seal(x, err), err);
}

int
export_discard(struct export *x, struct err *err)
{
    unsigned n;

    return x->facts.discards
               ? run_dir_sweep(x->dir, keep_nothing, NULL, &n, err)
               : 0;
}
