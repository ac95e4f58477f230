/* SPDX-License-Identifier: PostgreSQL */
#include "loader/target/load_lane.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/dir.h"
#include "loader/pg/pooler.h"
#include "loader/target/load_chunk.h"
#include "loader/target/load_large_objects.h"
#include "loader/target/silence.h"

/* One of the two is set. */
struct task {
    struct load_lane *lane;
    struct catalog_chunk *chunk;
    struct catalog_entry *entry;
};

/* ---- main thread ---- */

static void
free_task(void *arg)
{
    struct task *t = arg;
    const struct staged_source *from;

    if (!t)
        return;
    from = &t->lane->source;
    if (t->chunk && from->ops && from->ops->done)
        from->ops->done(from->arg, t->chunk->id);
    t->lane->n_entries -= t->entry != NULL;
    catalog_chunk_free(t->chunk);
    catalog_entry_free(t->entry);
    free(t);
}

/*
 * What follows on the rows of all tables (foreign keys, triggers) must not be
 * there when rows come again, and at the end all must be there.  So before
 * each, what the catalogue remembers is settled with the target.
 */
static int
settle(struct load_lane *lane, struct err *err)
{
    enum catalog_stage stage;
    int r = catalog_stage(lane->catalog, &stage, NULL, err);

    if (r || stage <= lane->settled)
        return r;
    r = lane->settle(lane->settle_arg, err);
    return r ? r : catalog_stage(lane->catalog, &lane->settled, NULL, err);
}

static int
take_entry(struct load_lane *lane, struct task *t, struct err *err)
{
    int r;

    if (lane->n_entries >= lane->index_jobs)
        return CATALOG_E_NONE; /* asked again when one of them is done */
    r = catalog_take_entry(lane->catalog, &t->entry, err);
    lane->n_entries += r == 0;
    return r;
}

/* From a pipe: what comes next, unless nobody wants it any more. */
static int
take_in_order(struct load_lane *lane, struct catalog_chunk **ret,
              struct err *err)
{
    const struct staged_source *from = &lane->source;
    uint64_t chunk;
    int r;

    while ((chunk = from->ops->next(from->arg))) {
        r = catalog_take_this_to_load(lane->catalog, chunk, ret, err);
        if (r == 0)
            return from->ops->hand_out(from->arg, err);
        if (r != CATALOG_E_NONE)
            return r == CATALOG_E_WAITS ? CATALOG_E_NONE : r;
        from->ops->pass_over(from->arg);
    }
    return CATALOG_E_NONE;
}

static int
take_chunk(struct load_lane *lane, struct catalog_chunk **ret, struct err *err)
{
    const struct staged_source *from = &lane->source;

    return from->ops && from->ops->next
               ? take_in_order(lane, ret, err)
               : catalog_take_to_load(lane->catalog, lane->max_per_table, ret,
                                      err);
}

/* Indexes first: the largest may take longer than all that is left. */
static int
fetch(void *arg, void **ret, struct err *err)
{
    struct load_lane *lane = arg;
    struct task *t;
    int r;

    r = settle(lane, err);
    if (r)
        return r;
    t = calloc(1, sizeof *t);
    if (!t)
        return err_nomem(err);
    t->lane = lane;
    r = take_entry(lane, t, err);
    if (r == CATALOG_E_NONE)
        r = take_chunk(lane, &t->chunk, err);
    if (r) {
        free_task(t);
        return r == CATALOG_E_NONE ? LANE_E_DRY : r;
    }
    *ret = t;
    return 0;
}

/* The target has committed it, and the catalogue knows: nobody needs it. */
static int
discard(const struct load_lane *lane, const struct catalog_chunk *k,
        struct err *err)
{
    cleanup_(freep) char *path = NULL;

    if (asprintf(&path, "data/%s", k->file) < 0) {
        path = NULL;
        return err_nomem(err);
    }
    return dir_remove(run_dir_fd(lane->dir), path, err);
}

static int
record(void *arg, void *task, struct err *err)
{
    struct load_lane *lane = arg;
    const struct task *t = task;
    int r;

    if (t->chunk) {
        r = catalog_chunk_loaded(lane->catalog, t->chunk->id, err);
        return r || !lane->discard ? r : discard(lane, t->chunk, err);
    }
    return catalog_entry_done(lane->catalog, t->entry->id, err);
}

static int
give_up(void *arg, void *task, const struct err *why, struct err *err)
{
    struct load_lane *lane = arg;
    const struct task *t = task;

    lane->mourn(lane->settle_arg);
    if (t->chunk)
        return catalog_table_failed(lane->catalog, t->chunk->table->id, why,
                                    err);
    return catalog_entry_failed(lane->catalog, t->entry->id, why, err);
}

/* ---- sessions ---- */

/*
 * A commit waits for the disk: what it did goes into our catalogue, and a
 * target that crashes and comes back while we are at work must not know less.
 * Sorting for an index may use more memory than the server's modest default.
 * Who names a target wants it written to, whatever is its default.
 */
static const char settings[] =
    "SET synchronous_commit = on;"
    "SET default_transaction_read_only = off;"
    "SET check_function_bodies = off;"
    "SELECT pg_catalog.set_config('maintenance_work_mem', '256MB', false)"
    " FROM pg_catalog.pg_settings"
    " WHERE name = 'maintenance_work_mem' AND setting::int8 < 262144";

static struct session_params
session_params(const struct load_lane *lane)
{
    return (struct session_params){
        .conninfo = lane->conninfo,
        .side = SESSION_TARGET,
        .purpose = "load",
        .encoding = lane->encoding,
        .stores = 1,
        .stop = lane->stop,
    };
}

int
load_lane_require_way(const struct load_lane *lane, struct err *err)
{
    const struct session_params p = session_params(lane);

    return pooler_require_none(&p, err);
}

int
load_lane_connect(const struct load_lane *lane, struct session **s,
                  struct err *err)
{
    const struct session_params p = session_params(lane);
    int r;

    r = *s ? session_reopen(*s, err) : session_open(s, &p, err);
    if (!r)
        r = session_exec(*s, settings, err);
    if (!r)
        r = silence_event_triggers(*s, err);
    if (!r && lane->replica)
        r = session_exec(*s, "SET session_replication_role = replica", err);
    return r;
}

/* ---- worker thread ---- */

static struct load_chunk *
worker_free(struct load_chunk *w)
{
    if (!w)
        return NULL;
    session_free(w->session);
    chunk_reader_free(w->reader);
    copy_rows_free(w->rows);
    digester_free(w->digester);
    load_batch_free(w->batch);
    free(w);
    return NULL;
}
DEFINE_CLEANUP(struct load_chunk *, worker_free)

static int
open_worker(void *arg, unsigned index, struct progress_cell *cell, void **ret,
            struct err *err)
{
    cleanup_(worker_freep) struct load_chunk *w = NULL;
    int r;

    (void)index;
    w = calloc(1, sizeof *w);
    if (!w)
        return err_nomem(err);
    w->lane = arg;
    w->cell = cell;
    r = chunk_reader_new(&w->reader, err);
    if (!r)
        r = copy_rows_new(&w->rows, COPY_TEXT, 0, err);
    if (!r)
        r = digester_new(&w->digester, err);
    if (!r)
        r = load_lane_connect(w->lane, &w->session, err);
    if (!r)
        *ret = take(w);
    return r;
}

void
load_lane_hint_roles(struct err *err)
{
    /* undefined_object: of what a dump names, roles are what is not in it */
    if (strcmp(err->sqlstate, "42704") == 0 && !err->hint[0])
        err_hint(err, "Roles are not part of a database: export and load "
                      "with --roles, create them first, or use --no-owner and "
                      "--no-acl.");
}

int
load_lane_entry(const struct load_lane *lane, struct session *s,
                enum ledger_kind kind, const struct catalog_entry *entry,
                struct err *err)
{
    const struct ledger_row row = {.kind = kind, .id = entry->id};
    struct err ignored;
    int r;

    r = session_exec(s,
                     kind == LEDGER_PRE_DATA
                         ? "BEGIN; SET LOCAL synchronous_commit = off"
                         : "BEGIN",
                     err);
    if (r)
        return r;
    r = ledger_claim(&lane->ledger, s, &row, err);
    if (!r)
        r = session_exec(s, entry->sql, err);
    if (!r)
        return session_exec(s, "COMMIT", err);
    session_exec(s, "ROLLBACK", &ignored);
    if (r == LEDGER_E_ALREADY)
        return 0;
    load_lane_hint_roles(err);
    return r;
}

static void
begin_showing(struct load_chunk *w, const struct task *t)
{
    char label[160];

    if (t->chunk)
        snprintf(label, sizeof label, "%s.%s #%" PRIu64,
                 t->chunk->table->schema, t->chunk->table->name, t->chunk->id);
    else
        snprintf(label, sizeof label, "%s %s", t->entry->type, t->entry->name);
    progress_begin(w->cell, label, t->chunk ? t->chunk->n_bytes : 0);
    if (!t->chunk) {
        progress_of(w->cell, t->entry->table, 0);
        return;
    }
    progress_of(w->cell, t->chunk->table->id, t->chunk->id);
    progress_stored(w->cell, t->chunk->file_len);
}

static int
work_once(struct load_chunk *w, const struct task *t, struct err *err)
{
    int r = 0;

    begin_showing(w, t);
    if (PQtransactionStatus(session_conn(w->session)) != PQTRANS_IDLE)
        r = load_lane_connect(w->lane, &w->session, err);
    if (!r && t->chunk)
        r = load_chunk(w, t->chunk, err);
    else if (!r)
        r = load_lane_entry(w->lane, w->session, LEDGER_POST_DATA, t->entry,
                            err);
    progress_end(w->cell, r == 0);
    return r;
}

static int
work(void *arg, void *task, struct err *err)
{
    struct load_chunk *w = arg;

    for (unsigned n = 0;; n++) {
        int r = work_once(w, task, err);

        if (r == 0 && n > 0)
            room_found(w->lane->room);
        if (r >= 0 || !room_lacks(w->lane->room, err))
            return r;
        progress_begin(w->cell, "waiting for room", 0);
        r = room_nap(w->lane->room, n, err);
        progress_end(w->cell, 0);
        if (r)
            return r;
    }
}

static void
close_worker(void *arg)
{
    worker_free(arg);
}

static int
beat(void *arg, struct err *err)
{
    struct load_lane *lane = arg;

    (void)err;
    room_tell(lane->room, lane->progress);
    return 0;
}

/* Where the disk is full for one it is for all; who is to wait has waited. */
static enum lane_verdict
judge(const struct err *err)
{
    return room_is_short(err) ? LANE_FATAL : lane_judge(err);
}

const struct lane_ops load_lane_ops = {
    .name = "load",
    .fetch = fetch,
    .record = record,
    .give_up = give_up,
    .free_task = free_task,
    .beat = beat,
    .open = open_worker,
    .work = work,
    .close = close_worker,
    .judge = judge,
};
