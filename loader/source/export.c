/* SPDX-License-Identifier: PostgreSQL */
#include "loader/source/export.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loader/bag/catalog_json.h"
#include "loader/bag/seal.h"
#include "loader/pg/pooler.h"
#include "loader/source/export_private.h"
#include "loader/source/guard/pace.h"
#include "loader/source/guard/vitals.h"
#include "loader/source/keeper/slot_watch.h"

/* Nobody is at work any more. */
static void
let_go_of_source(struct export *x)
{
    const char *why;
    struct err err;

    if (!x->watch || !watch_must_let_go(x->watch, &why))
        return;
    pace_write_end(x->dir, why);
    if (keeper_end(x->dir, &err) || export_undo_capture(x, 0, &err))
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
    if (x->dump_fd >= 0)
        close(x->dump_fd);
    facts_clear(&x->facts);
    free(x);
    return NULL;
}

/* Go on with what is there, or begin anew. */
static int
decide(struct export *x, struct facts *now, struct err *err)
{
    int complete = 0, r = 0;

    if (x->facts.state != FACTS_NEW && !x->params.start_over) {
        r = export_require_same(x, now, err);
        if (!r)
            r = export_all_staged(x, &complete, err);
        if (r)
            return r;
        if (complete || !x->params.new_epoch)
            return complete ? export_sweep(x, err) : export_go_on(x, err);
        r = export_begin_epoch(x, now, err);
    } else {
        r = export_begin_new(x, now, err);
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
    x->dump_fd = -1;
    x->params.plan.selection = p->selection;
    x->dir = dir;
    x->catalog = c;
    session = export_session_params(x);

    r = facts_read(&x->facts, c, err);
    if (!r)
        r = catalog_forget_failures(c, err);
    if (!r)
        r = pooler_require_none(&session, err);
    if (!r)
        r = session_open(&x->session, &session, err);
    if (!r)
        r = export_learn(x, &now, err);
    if (!r)
        r = export_require_same_source(x, &now, err);
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
    if (export_all_staged(x, &complete, &ignored) || !complete)
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
        .recipients = x->params.recipients,
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
    const struct session_params p = export_session_params(x);
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
        r = export_start_keeper(x, &keeper, &err);
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

    r = export_all_staged(x, &complete, err);
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
    return x->facts.discards ? export_remove_staged(x, err) : 0;
}
