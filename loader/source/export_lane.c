/* SPDX-License-Identifier: PostgreSQL */
#include "loader/source/export_lane.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/staged_file.h"
#include "loader/bag/staged.h"
#include "loader/catalog/copy_sql.h"
#include "loader/pg/copy_out.h"
#include "loader/pg/session.h"
#include "loader/pg/snapshot.h"
#include "loader/source/export_task.h"
#include "loader/source/huge_row.h"
#include "loader/source/keeper/keeper.h"
#include "loader/source/plan/fingerprint.h"

/* libpq's buffer is as large as the largest message was; below this it is not
   worth a new connection. */
enum { LARGE_MESSAGE = 2 << 20 };

struct worker {
    const struct export_lane *lane;
    unsigned seat;
    struct progress_cell *cell;
    struct session *session; /* NULL, or in the snapshot */
    struct buffer_pool *pool;
    struct sink *sink;
    struct chunk_writer *writer;
    struct age_encoder *encoder; /* NULL: files are as they are */
    size_t largest;              /* message on this connection, in bytes */
    char label[160];             /* what is at hand, for people */
    uint64_t silent_ms; /* so long nothing of it has come; 0: it comes */
};

/* ---- worker thread ---- */

static struct worker *
worker_free(struct worker *w)
{
    if (!w)
        return NULL;
    session_free(w->session);
    age_encoder_free(w->encoder);
    chunk_writer_free(w->writer);
    sink_free(w->sink);
    buffer_pool_free(w->pool);
    free(w);
    return NULL;
}
DEFINE_CLEANUP(struct worker *, worker_free)

/*
 * Who waits for a stronger lock than the keeper's waits until the export ends,
 * and whoever comes after him waits behind him: so would we, for ever.
 */
#define QUEUE_NO_LONGER "SET lock_timeout = '10s'"

static int
join_snapshot(struct worker *w, struct err *err)
{
    const struct session_params p = {
        .conninfo = w->lane->conninfo,
        .side = SESSION_SOURCE,
        .purpose = "export",
        .stop = w->lane->stop,
    };
    int r;

    r = keeper_join(w->lane->dir, w->lane->snapshot, &w->session, &p, err);
    return r ? r : session_exec(w->session, QUEUE_NO_LONGER, err);
}

static int
open_worker(void *arg, unsigned index, struct progress_cell *cell, void **ret,
            struct err *err)
{
    struct export_lane *lane = arg;
    cleanup_(worker_freep) struct worker *w = NULL;
    int r;

    w = calloc(1, sizeof *w);
    if (!w)
        return err_nomem(err);
    w->lane = lane;
    w->seat = index;
    w->cell = cell;
    r = buffer_pool_new(&w->pool, BUFFER_PIECE, EXPORT_LANE_BUFFERS, err);
    if (!r)
        r = sink_choice_open(&w->sink, lane->sink, w->pool, index, err);
    if (!r)
        r = chunk_writer_new(&w->writer, err);
    if (!r && lane->recipients)
        r = age_encoder_new(&w->encoder, err);
    if (!r)
        r = join_snapshot(w, err);
    if (!r)
        *ret = take(w);
    return r;
}

/* What is not read fills the socket, and the source stops sending. */
static int
hold_back(struct worker *w, size_t *untold, size_t len, struct err *err)
{
    size_t n = *untold += len;

    if (n < THROTTLE_STEP)
        return 0;
    *untold = 0;
    return throttle_take(w->lane->throttle, w->seat, n, err);
}

/* What the source is at is shown; we go on waiting, unless it is gone. */
static int
look_into_stall(struct worker *w, struct err *err)
{
    PGconn *conn = session_conn(w->session);
    const struct stall_question q = {
        .conninfo = w->lane->conninfo,
        .stop = w->lane->stop,
        .host = PQhost(conn),
        .port = PQport(conn),
        .pid = PQbackendPID(conn),
        .what = w->label,
        .silent_ms = w->silent_ms += STALL_AFTER_MS,
    };

    int r = stalls_ask(w->lane->stalls, w->seat, &q, err);

    if (r)
        copy_out_abandon(w->session);
    return r;
}

static void
end_stall(struct worker *w)
{
    if (w->silent_ms > 0)
        stalls_over(w->lane->stalls, w->seat);
    w->silent_ms = 0;
}

static unsigned
patience(const struct worker *w)
{
    return w->lane->stalls ? STALL_AFTER_MS : 0;
}

/* However long it takes. */
static int
begin(struct worker *w, const char *sql, struct err *err)
{
    int r = copy_out_send(w->session, sql, err);

    if (r)
        return r;
    do
        r = copy_out_begun_within(w->session, patience(w), err);
    while (r == COPY_OUT_E_STALLED && !(r = look_into_stall(w, err)));
    end_stall(w);
    return r;
}

static int
hear(struct worker *w, char **data, size_t *len, struct err *err)
{
    int r;

    do
        r = copy_out_next_within(w->session, patience(w), data, len, err);
    while (r == COPY_OUT_E_STALLED && !(r = look_into_stall(w, err)));
    end_stall(w);
    return r;
}

/* The COPY stream into the chunk file, message by message. */
static int
pump(struct worker *w, struct err *err)
{
    cleanup_(session_freememp) char *data = NULL;
    size_t len, untold = 0;
    int r;

    for (;;) {
        r = hear(w, &data, &len, err);
        if (r)
            return r == COPY_OUT_E_END ? 0 : r;
        if (len > w->largest)
            w->largest = len;
        r = chunk_writer_add(w->writer, data, len, err);
        data = session_freemem(data);
        if (!r && w->lane->throttle)
            r = hold_back(w, &untold, len, err);
        if (r) {
            copy_out_abandon(w->session);
            return r;
        }
        progress_at(w->cell, chunk_writer_raw_len(w->writer),
                    chunk_writer_rows(w->writer));
    }
}

static int
hint_about_locks(struct err *err)
{
    if (strcmp(err->sqlstate, "55P03") == 0) /* lock_not_available */
        err_hint(err, "Another session waits for a stronger lock on this "
                      "table, until the export has ended: see pg_locks at the "
                      "source.  Cancel it, and run this again.");
    return -1;
}

/* From where rows are written they go to the disk, encrypted or not. */
static int
begin_file(struct worker *w, const struct chunk_head *head,
           const struct bytes_out *out, struct err *err)
{
    int r = 0;

    if (w->encoder) {
        r = age_encoder_begin(w->encoder, w->lane->recipients, out, err);
        out = age_encoder_out(w->encoder);
    }
    return r ? r : chunk_writer_begin(w->writer, head, out, err);
}

static int
end_file(struct worker *w, struct chunk_totals *ret, struct err *err)
{
    int r = chunk_writer_end(w->writer, ret, err);

    return r || !w->encoder ? r : age_encoder_end(w->encoder, err);
}

static int
copy_chunk(struct worker *w, struct catalog_chunk *k, struct staged_file *file,
           struct err *err)
{
    struct chunk_head head = {
        .chunk = k->id,
        .table = k->table->id,
        .lsn = w->lane->lsn,
        .format = k->table->format,
        .codec = w->lane->codec,
        .n_columns = k->table->n_columns,
    };
    const struct copy_sql_range range = copy_sql_range(k);
    char *sql;
    int r;

    memcpy(head.run, w->lane->run, sizeof head.run);
    sql = copy_sql_out(w->session, k->table, &range);
    if (!sql)
        return err_nomem(err);
    r = begin_file(w, &head, staged_file_out(file), err);
    if (!r)
        r = begin(w, sql, err);
    free(sql);
    if (r)
        return hint_about_locks(err);
    r = pump(w, err);
    /* The keeper's locks may have been lost for a moment. */
    if (!r && k->table->kind == CATALOG_TABLE)
        r = fingerprint_check(w->session, k->table, err);
    return r ? r : end_file(w, &k->totals, err);
}

/* What the chunk's file is called, and the directory that it is in. */
static int
name_file(const struct export_lane *lane, struct catalog_chunk *k,
          int *ret_dir_fd, struct err *err)
{
    const char *encrypted = lane->recipients ? STAGED_ENCRYPTED : "";
    const struct catalog_table *t = k->table;
    char table[RUN_DIR_NAME];
    int n;

    run_dir_table_name(table, t->id, t->name);
    free(k->file);
    if (t->kind == CATALOG_TABLE)
        n = asprintf(&k->file, "tables/%s/%" PRIu64 "%s%s", table, k->id,
                     t->format == COPY_BINARY ? EXPORT_TASK_BINARY
                                              : EXPORT_TASK_TEXT,
                     encrypted);
    else
        n = asprintf(&k->file, "large-objects/%" PRIu64 "%s.copy.lz4%s", k->id,
                     t->kind == CATALOG_LARGE_OBJECTS ? "" : "-metadata",
                     encrypted);
    if (n < 0) {
        k->file = NULL;
        return err_nomem(err);
    }
    return t->kind == CATALOG_TABLE
               ? run_dir_open_table(lane->dir, table, ret_dir_fd, err)
               : run_dir_open_large_objects(lane->dir, ret_dir_fd, err);
}

static int
stage_chunk(struct worker *w, struct catalog_chunk *k, struct err *err)
{
    cleanup_(staged_file_freep) struct staged_file *file = NULL;
    struct staged_file_params p = {.sink = w->sink, .pool = w->pool};
    struct staged_file_seal seal;
    int r;

    r = name_file(w->lane, k, &p.dir_fd, err);
    if (r)
        return r;
    p.name = strrchr(k->file, '/') + 1;
    p.expected_len = k->n_bytes / 2; /* what LZ4 makes of most data */

    r = staged_file_open(&file, &p, err);
    if (!r)
        r = copy_chunk(w, k, file, err);
    if (!r)
        r = staged_file_commit(file, &seal, err);
    if (!r) {
        progress_stored(w->cell, seal.len);
        k->file_len = seal.len;
        memcpy(k->sha256, seal.sha256, sizeof k->sha256);
    }
    file = staged_file_free(file);
    close(p.dir_fd);
    return r;
}

/*
 * A row may have been too large.  The failure has ended our transaction, so
 * the question is asked on a new connection; when that fails, what was said
 * first is what counts.
 */
static int
judge_size(struct worker *w, struct export_task *t, struct err *err)
{
    struct err other;
    int fits = 0, r;

    r = join_snapshot(w, &other);
    if (!r)
        r = huge_row_name(w->session, t->chunk, err, &other);
    if (!r && t->may_go_over)
        r = huge_row_fits_binary(w->session, t->chunk->table, &fits, &other);
    if (r || !fits)
        return -1;
    t->goes_over = 1;
    return 0;
}

/* What libpq has taken for a large row it gives back with the connection. */
static void
let_memory_go(struct worker *w)
{
    if (w->largest < LARGE_MESSAGE)
        return;
    w->session = session_free(w->session);
    w->largest = 0;
}

static int
work(void *arg, void *task, struct err *err)
{
    struct worker *w = arg;
    struct export_task *t = task;
    struct catalog_chunk *k = t->chunk;
    int r = 0;

    snprintf(w->label, sizeof w->label, "%s.%s #%" PRIu64, k->table->schema,
             k->table->name, k->id);
    progress_begin(w->cell, w->label, k->n_bytes);
    progress_of(w->cell, k->table->id, k->id);
    if (!w->session || !snapshot_is_joined(w->session))
        r = join_snapshot(w, err);
    if (w->lane->throttle)
        throttle_enter(w->lane->throttle, w->seat);
    if (!r)
        r = stage_chunk(w, k, err);
    if (r && k->table->kind == CATALOG_TABLE && huge_row_is_suspected(err))
        r = judge_size(w, t, err);
    if (w->lane->throttle)
        throttle_leave(w->lane->throttle, w->seat);
    let_memory_go(w);
    progress_end(w->cell, r == 0 && !t->goes_over);
    return r;
}

static void
close_worker(void *arg)
{
    worker_free(arg);
}

const struct lane_ops export_lane_ops = {
    .name = "export",
    .fetch = export_task_fetch,
    .record = export_task_record,
    .give_up = export_task_give_up,
    .free_task = export_task_free,
    .beat = export_task_beat,
    .open = open_worker,
    .work = work,
    .close = close_worker,
    .judge = lane_judge,
};
