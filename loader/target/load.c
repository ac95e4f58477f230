/* SPDX-License-Identifier: PostgreSQL */
#include "loader/target/load.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loader/progress/portrait.h"
#include "loader/target/analyze.h"
#include "loader/target/budget.h"
#include "loader/target/carried.h"
#include "loader/target/ledger.h"
#include "loader/target/load_lane.h"
#include "loader/target/roles.h"
#include "loader/target/schema.h"
#include "loader/target/sequences.h"
#include "loader/target/silence.h"
#include "loader/work/retry.h"

struct load {
    struct load_params params;
    struct run_dir *dir;
    struct catalog *catalog;
    struct session *session;
    struct load_lane lane;
    struct room room;
    struct ledger_counts counts;
    unsigned n_naps; /* of the main thread, waiting for room */
    int backend_pid; /* the session's */
    int was_finished;
};

struct load *
load_free(struct load *x)
{
    if (!x)
        return NULL;
    session_free(x->session);
    room_clear(&x->room);
    free(x);
    return NULL;
}

/* ---- the schema ---- */

/* The ledger's name may be taken by a schema of the source. */
static int
require_other_name(const struct load *x, const struct catalog_entry *entry,
                   struct err *err)
{
    if (strcmp(entry->type, "SCHEMA") != 0 ||
        strcmp(entry->name, x->params.ledger_schema) != 0)
        return 0;
    err_set(err, ERR_REFUSED, "schema \"%s\" exists at the source, too",
            entry->name);
    return err_hint(err, "Make the target database anew, and choose another "
                         "name for the ledger with --ledger-schema.");
}

/* After what the server says about it. */
static int
name_entry(const struct catalog_entry *entry, struct err *err)
{
    struct err said = *err;

    return err_detail(err, "%s%sIt belongs to the schema's %s %s.", said.detail,
                      said.detail[0] ? "  " : "", entry->type, entry->name);
}

static int
restore_entry(void *arg, struct catalog_entry *entry, uint32_t oid,
              struct err *err)
{
    struct load *x = arg;
    int r = stop_check(x->params.stop, err);

    (void)oid;
    if (!r)
        r = require_other_name(x, entry, err);
    if (r)
        return r;
    r = load_lane_entry(&x->lane, x->session, LEDGER_PRE_DATA, entry, err);
    return r ? name_entry(entry, err) : 0;
}

/* An entry that waits for the data; an index or key for its table's only. */
static int
keep_entry(void *arg, struct catalog_entry *entry, uint32_t oid,
           struct err *err)
{
    struct load *x = arg;
    int r;

    if (oid) {
        r = catalog_table_by_oid(x->catalog, oid, &entry->table, err);
        if (r < 0)
            return r; /* E_NONE: it has no rows of its own */
    }
    return catalog_add_entry(x->catalog, entry, err);
}

static struct existing
existing(const struct load *x)
{
    return (struct existing){
        .wishes = &x->params.existing,
        .ledger = &x->lane.ledger,
        .catalog = x->catalog,
        .progress = x->params.progress,
    };
}

static int
add_existing(struct load *x, struct err *err)
{
    const struct existing e = existing(x);

    return existing_add_entries(&e, x->session, err);
}

/* Those of the source, or such as are gathered here. */
static int
add_statistics(struct load *x, enum analyze_scope scope, struct err *err)
{
    const struct carried_params p = {
        .dir = x->dir,
        .catalog = x->catalog,
        .facts = x->params.facts,
        .identities = x->params.identities,
        .stop = x->params.stop,
        .progress = x->params.progress,
        .target_major = session_server_version(x->session) / 10000,
    };
    int carried = 0, r = 0;

    if (scope == ANALYZE_ALL)
        r = carried_add_entries(&p, &carried, err);
    return r ? r
             : analyze_add_entries(x->session, x->catalog,
                                   carried ? ANALYZE_LACKING : scope, err);
}

/* What waits for the data goes into the catalogue, anew for each load; schema
   is NULL when the target has its own. */
static int
list_post_data(struct load *x, struct schema *schema, struct err *err)
{
    int r;

    r = catalog_begin(x->catalog, err);
    if (!r)
        r = catalog_forget_load(x->catalog, err);
    if (!r && schema)
        r = schema_each(schema, SCHEMA_POST_DATA, keep_entry, x, err);
    else if (!r)
        r = add_existing(x, err);
    if (!r && !x->params.no_analyze)
        r = add_statistics(x, schema ? ANALYZE_ALL : ANALYZE_PLACES, err);
    if (!r && x->params.roles)
        r = roles_add_database(&x->lane, x->params.facts, err);
    if (!r)
        return catalog_commit(x->catalog, err);
    catalog_roll_back(x->catalog); /* it is tried again */
    return r;
}

static int
require_publications(const struct load *x, struct err *err)
{
    int lacks, r;

    if (!x->params.publications)
        return 0;
    r = catalog_lacks_publications(x->catalog, &lacks, err);
    if (r || !lacks)
        return r;
    err_set(err, ERR_REFUSED, "the run holds no publications");
    return err_hint(err, "They are exported with --publications.");
}

static void
note_passed(const struct load *x, const struct schema *schema)
{
    unsigned n = schema_passed_publications(schema);

    if (n > 0)
        progress_note(x->params.progress,
                      "%u publication%s of the run %s not made: give "
                      "--publications",
                      n, n > 1 ? "s" : "", n > 1 ? "are" : "is");
}

static int
restore_schema(struct load *x, struct err *err)
{
    const struct schema_params p = {
        .dir = x->dir,
        .catalog = x->catalog,
        .stop = x->params.stop,
        .file = facts_schema_file(x->params.facts),
        .sha256 = x->params.facts->schema_sha256,
        .in_memory = x->params.facts->recipients != NULL,
        .identities = x->params.identities,
        .without = SCHEMA_DATA,
        .major = x->params.facts->version / 10000,
        .target_major = session_server_version(x->session) / 10000,
        .no_owner = x->params.no_owner,
        .no_acl = x->params.no_acl,
        .publications = x->params.publications,
    };
    cleanup_(schema_freep) struct schema *schema = NULL;
    int r;

    r = require_publications(x, err);
    if (!r)
        r = schema_open(&schema, &p, err);
    if (!r)
        note_passed(x, schema);
    if (!r)
        r = schema_each(schema, SCHEMA_PRE_DATA, restore_entry, x, err);
    if (!r)
        r = ledger_settle(&x->lane.ledger, x->session, err);
    if (!r)
        r = list_post_data(x, schema, err);
    return r;
}

/* ---- or what is there ---- */

static int
prepare_existing(struct load *x, struct err *err)
{
    const struct existing e = existing(x);
    int r = existing_begin(&e, x->session, &x->lane.replica, err);

    return r ? r : list_post_data(x, NULL, err);
}

static int
finish_existing(struct load *x, struct err *err)
{
    const struct existing e = existing(x);

    return existing_finish(&e, x->session, x->lane.replica, err);
}

/* ---- what the target says is done ---- */

/*
 * Mark it in the catalogue.  Chunks that are missing once triggers and foreign
 * keys are there cannot be loaded as they were.
 */
static int
read_ledger(struct load *x, struct err *err)
{
    enum catalog_stage stage = CATALOG_STAGE_TABLES;
    int rest_begun = 0, r;

    r = catalog_forget_marks(x->catalog, err);
    if (!r)
        r = ledger_read(&x->lane.ledger, x->session, x->catalog, err);
    if (!r)
        r = catalog_stage(x->catalog, &stage, &rest_begun, err);
    if (r || stage != CATALOG_STAGE_TABLES || !rest_begun || x->was_finished)
        return r;
    err_set(err, ERR_REFUSED, "the target has lost rows that were loaded");
    err_detail(err, "A crash of the server empties unlogged tables.  What "
                    "follows on the rows of all tables is there already.");
    return err_hint(err, "Make the target database anew, and load again.");
}

/* ---- a session that is lost, or a server that says "later" ---- */

static int
connect_once(void *arg, int again, struct err *err)
{
    struct load *x = arg;
    int r = load_lane_require_way(&x->lane, err);

    (void)again;
    if (!r)
        r = load_lane_connect(&x->lane, &x->session, err);
    if (!r)
        x->backend_pid = PQbackendPID(session_conn(x->session));
    return r;
}

/* A server that cannot be reached at all is not going to be soon: who has
   mistyped its name is not kept waiting. */
static int
has_answered(const struct err *why)
{
    return why->sqlstate[0] && session_retry_class(why) != SESSION_RETRY_NEVER;
}

/* The run is ours again, or still. */
static int
reconnect(struct load *x, struct err *err)
{
    int former = x->backend_pid;
    int r = load_lane_connect(&x->lane, &x->session, err);

    if (r)
        return r;
    x->backend_pid = PQbackendPID(session_conn(x->session));
    return ledger_outlive(&x->lane.ledger, x->session, former, err);
}

static int
resume(struct load *x, struct err *err)
{
    const struct existing e = existing(x);
    int finished, r = reconnect(x, err);

    if (!r)
        r = ledger_begin(&x->lane.ledger, x->session, x->params.facts->source,
                         &finished, err);
    return r || !x->params.into_existing ? r
                                         : existing_resume(&e, x->session, err);
}

static int
wait_for_room(void *arg, const struct err *why, struct err *err)
{
    struct load *x = arg;

    if (!room_lacks(&x->room, why))
        return 0;
    room_tell(&x->room, x->params.progress);
    return room_nap(&x->room, x->n_naps++, err) < 0 ? -1 : 1;
}

static int
persist(struct load *x, retry_step *step, struct err *err)
{
    const struct retry p = {
        .stop = x->params.stop,
        .progress = x->params.progress,
        .wait = wait_for_room,
    };
    int r = retry_do(&p, step, x, err);

    if (!r && x->n_naps > 0) {
        x->n_naps = 0;
        room_found(&x->room);
        room_tell(&x->room, x->params.progress);
    }
    return r;
}

/*
 * Our session is as old as the load.  If it is lost the server may have
 * crashed, which empties unlogged tables: what the catalogue remembers of them
 * may be wrong.
 */
static int
settle_once(void *arg, int again, struct err *err)
{
    struct load *x = arg;
    int r = again ? resume(x, err) : 0;

    if (!r)
        r = ledger_settle(&x->lane.ledger, x->session, err);
    return r || !again ? r : read_ledger(x, err);
}

static int
settle(void *arg, struct err *err)
{
    return persist(arg, settle_once, err);
}

/* Only the view is poorer when this cannot be written. */
static void
mourn(void *arg)
{
    struct load *x = arg;
    struct err ignored;

    x->counts.n_failures++;
    ledger_tell(&x->lane.ledger, x->session, &x->counts, &ignored);
}

/* ---- begin, lane, finish ---- */

static void
set_up_lane(struct load *x)
{
    const struct facts *f = x->params.facts;

    x->lane = (struct load_lane){
        .catalog = x->catalog,
        .dir = x->dir,
        .source = x->params.source ? *x->params.source
                                   : (struct staged_source){.dir = x->dir},
        .conninfo = x->params.conninfo,
        .encoding = f->encoding,
        .stop = x->params.stop,
        .ledger = {.schema = x->params.ledger_schema,
                   .run = f->run_id,
                   .into_existing = x->params.into_existing},
        .no_owner = x->params.no_owner,
        .no_acl = x->params.no_acl,
        .discard = f->discards,
        .room = &x->room,
        .progress = x->params.progress,
        .settle = settle,
        .settle_arg = x,
        .mourn = mourn,
    };
    if (!x->lane.source.identities)
        x->lane.source.identities = x->params.identities;
    memcpy(x->lane.run, f->run, sizeof x->lane.run);
}

/*
 * Before 16, writers of one table wait for each other whenever it is extended:
 * more than two are of no use.
 */
static unsigned
writers_per_table(const struct load *x)
{
    return session_server_version(x->session) >= 160000 || x->params.jobs < 2
               ? x->params.jobs
               : 2;
}

static int
count_workers(struct load *x, struct err *err)
{
    unsigned *jobs = &x->params.jobs;
    int r = budget_keep(x->session, x->params.progress, jobs, err);

    x->lane.max_per_table = writers_per_table(x);
    x->lane.index_jobs = x->params.index_jobs && x->params.index_jobs < *jobs
                             ? x->params.index_jobs
                             : *jobs;
    return r;
}

/* All that must be there before the first row. */
static int
prepare(struct load *x, struct err *err)
{
    const struct load_params *p = &x->params;
    int r = 0;

    progress_phase_begin(p->progress, "schema");
    if (p->roles)
        r = roles_restore(&x->lane, x->session, p->facts, p->progress, err);
    if (!r)
        r = p->into_existing ? prepare_existing(x, err)
                             : restore_schema(x, err);
    return progress_phase_end(p->progress, r, err);
}

/* Who looks at the ledger's view sees how much there is. */
static int
tell_counts(struct load *x, struct err *err)
{
    struct catalog_counts n;
    int r = catalog_count(x->catalog, &n, err);

    if (r)
        return r;
    x->counts = (struct ledger_counts){.n_chunks = n.n_chunks,
                                       .n_entries = n.n_entries};
    return ledger_tell(&x->lane.ledger, x->session, &x->counts, err);
}

static int
begin_once(void *arg, int again, struct err *err)
{
    struct load *x = arg;
    int r = 0;

    x->lane.replica = 0; /* until it is known that it may be */
    if (again)
        r = reconnect(x, err);
    else
        r = silence_tell(x->session, x->params.progress, err);
    if (!r)
        r = portrait_log(progress_events(x->params.progress), "target",
                         x->session, err);
    if (!r)
        r = catalog_forget_failures(x->catalog, err);
    if (!r)
        r = ledger_begin(&x->lane.ledger, x->session, x->params.facts->source,
                         &x->was_finished, err);
    if (!r && !x->was_finished)
        r = count_workers(x, err);
    if (!r && !x->was_finished)
        r = prepare(x, err);
    if (!r && !x->was_finished)
        r = tell_counts(x, err);
    return r ? r : read_ledger(x, err);
}

int
load_begin(struct load **ret, const struct load_params *p, struct run_dir *dir,
           struct catalog *c, struct err *err)
{
    const struct retry first = {
        .stop = p->stop, .progress = p->progress, .is_worth = has_answered};
    cleanup_(load_freep) struct load *x = NULL;
    int r;

    x = calloc(1, sizeof *x);
    if (!x)
        return err_nomem(err);
    x->params = *p;
    x->dir = dir;
    x->catalog = c;
    room_init(&x->room, p->on_full, p->stop);
    set_up_lane(x);

    r = retry_do(&first, connect_once, x, err);
    if (!r)
        r = persist(x, begin_once, err);
    if (!r)
        *ret = take(x);
    return r;
}

int
load_was_finished(const struct load *x)
{
    return x->was_finished;
}

struct lane
load_lane(struct load *x)
{
    struct lane lane = {
        .ops = &load_lane_ops,
        .arg = &x->lane,
        .n_workers = x->params.jobs,
    };
    struct catalog_counts n;
    struct err ignored;

    /* Only the progress is poorer when this fails. */
    if (catalog_count(x->catalog, &n, &ignored) == 0) {
        lane.total = n.planned_bytes;
        lane.done = n.loaded_bytes_estimated;
    }
    return lane;
}

static int
finish_once(void *arg, int again, struct err *err)
{
    struct load *x = arg;
    int r = again ? resume(x, err) : 0;

    if (!r)
        r = sequences_set(x->session, x->catalog, x->params.sequence_margin,
                          x->params.progress, err);
    if (!r && x->params.into_existing)
        r = finish_existing(x, err);
    return r ? r : ledger_finish(&x->lane.ledger, x->session, err);
}

int
load_finish(struct load *x, struct err *err)
{
    enum catalog_stage stage;
    int r = catalog_stage(x->catalog, &stage, NULL, err);

    if (!r && stage != CATALOG_STAGE_OVER)
        r = err_set(err, ERR_CORRUPT,
                    "the run catalogue says that not all is loaded");
    if (r)
        return r;
    progress_phase_begin(x->params.progress, "finish");
    r = persist(x, finish_once, err);
    return progress_phase_end(x->params.progress, r, err);
}
