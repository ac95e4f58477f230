/* SPDX-License-Identifier: PostgreSQL */
#include "loader/proof/verify.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loader/catalog/copy_sql.h"
#include "loader/pg/copy_out.h"
#include "loader/pg/pooler.h"
#include "loader/pg/session.h"
#include "loader/pg/snapshot.h"

/* A table of which some ranges are in work; at most one a worker, and one.
   The first of a family stands for all of it. */
struct open_table {
    struct open_table *next;
    struct catalog_table *table;
    uint64_t n_tables;
    struct digest exported;
    struct digest found;
    uint64_t n_blocks, step, at; /* ranges still to be handed out */
    uint64_t chunk;              /* of large objects: the last that was */
    unsigned n_out;              /* ranges in work */
    int all_out;
    char *why; /* the first failure */
};

struct verify {
    struct verify_params params;
    struct catalog *catalog;
    struct session *session;
    struct snapshot *snapshot;
    struct open_table *tables; /* the first is the one being cut */
    uint64_t last;             /* number of the last table fetched */
    uint64_t total;            /* bytes, for the progress */
};

struct task {
    struct open_table *table; /* the worker reads ->table->table only */
    uint64_t lo, hi;
    uint64_t n_bytes; /* estimate */
    struct digest found;
};

struct worker {
    const struct verify *verify;
    struct session *session;
    struct progress_cell *cell;
    struct copy_rows *rows;
    struct digester *digester;
};

/* ---- tables ---- */

static void
open_table_free(struct open_table *t)
{
    if (!t)
        return;
    catalog_table_free(t->table);
    free(t->why);
    free(t);
}

/* All of it was read, or given up: say so and forget it. */
static void
close_table(struct verify *v, struct open_table *t)
{
    const struct catalog_table *c = t->table;
    struct verify_result result = {
        .schema = c->root_name ? c->root_schema : c->schema,
        .name = c->root_name ? c->root_name : c->name,
        .n_tables = t->n_tables,
        .verdict = t->why                                  ? VERIFY_FAILED
                   : digest_equal(&t->exported, &t->found) ? VERIFY_EQUAL
                                                           : VERIFY_DIFFERS,
        .exported = t->exported,
        .found = t->found,
        .why = t->why,
    };
    struct open_table **at = &v->tables;

    v->params.tell(v->params.arg, &result);
    while (*at != t)
        at = &(*at)->next;
    *at = t->next;
    open_table_free(t);
}

/*
 * Blocks and bytes, and whether blocks can be addressed.  Of what lies below a
 * root the largest partition's blocks: a range of blocks is one of each.
 */
#define MEASURES                                                               \
    "SELECT pg_catalog.max(pg_catalog.pg_relation_size(c.oid)"                 \
    "  / pg_catalog.current_setting('block_size')::int),"                      \
    " pg_catalog.sum(pg_catalog.pg_table_size(c.oid)),"                        \
    " pg_catalog.bool_and(coalesce(am.amname = 'heap', false))"                \
    " FROM pg_catalog.pg_class c"                                              \
    " LEFT JOIN pg_catalog.pg_am am ON am.oid = c.relam "

#define NAMED                                                                  \
    "(SELECT x.oid FROM pg_catalog.pg_class x"                                 \
    " JOIN pg_catalog.pg_namespace n ON n.oid = x.relnamespace"                \
    " WHERE n.nspname = $1 AND x.relname = $2)"

static const char measure_table[] = MEASURES "WHERE c.oid = " NAMED;

static const char measure_root[] =
    MEASURES "WHERE c.oid IN (SELECT relid"
             " FROM pg_catalog.pg_partition_tree(" NAMED ") WHERE isleaf)";

/* Into how many ranges?  A table that is missing gets one, whose reader will
   say so. */
static int
measure(struct verify *v, struct open_table *t, struct err *err)
{
    const struct catalog_table *c = t->table;
    const char *const of_table[] = {c->schema, c->name};
    const char *const of_root[] = {c->root_schema, c->root_name};
    cleanup_(session_clearp) PGresult *res = NULL;
    uint64_t n_bytes = 0, n_ranges = 1;
    int r;

    r = session_query_params(v->session,
                             c->root_name ? measure_root : measure_table, 2,
                             c->root_name ? of_root : of_table, &res, err);
    if (r)
        return r;
    if (PQgetvalue(res, 0, 2)[0] == 't' &&
        session_server_version(v->session) >= 140000) {
        t->n_blocks = strtoull(PQgetvalue(res, 0, 0), NULL, 10);
        n_bytes = strtoull(PQgetvalue(res, 0, 1), NULL, 10);
    }
    if (t->n_blocks > 0)
        n_ranges = n_bytes / v->params.range_size + 1;
    t->step = t->n_blocks / n_ranges + 1;
    return 0;
}

/* Add what the table should hold. */
static int
add_totals(struct verify *v, struct open_table *t, uint64_t table,
           struct err *err)
{
    struct chunk_totals totals;
    int r = catalog_table_totals(v->catalog, table, &totals, err);

    if (r == CATALOG_E_NONE)
        return err_set(err, ERR_CORRUPT,
                       "the run catalogue lacks chunks of table \"%s.%s\"",
                       t->table->schema, t->table->name);
    if (r)
        return r;
    digest_add(&t->exported, &totals.digest);
    t->n_tables++;
    return 0;
}

static int
add_totals_of_family(struct verify *v, struct open_table *t, struct err *err)
{
    uint64_t table = 0;
    int r;

    for (;;) {
        r = catalog_next_of_family(v->catalog, t->table, table, &table, err);
        if (r)
            return r == CATALOG_E_NONE ? 0 : r;
        r = add_totals(v, t, table, err);
        if (r)
            return r;
    }
}

/* The next table that is to be read: of a family the first. */
static int
next_table(struct verify *v, struct catalog_table **ret, struct err *err)
{
    uint64_t last = v->last, first;
    int r;

    for (;;) {
        cleanup_(catalog_table_freep) struct catalog_table *t = NULL;

        r = catalog_next_table(v->catalog, last, &t, err);
        if (r)
            return r;
        last = first = t->id;
        if (t->root_name)
            r = catalog_next_of_family(v->catalog, t, 0, &first, err);
        if (r)
            return r;
        if (first == t->id && t->kind != CATALOG_LARGE_OBJECT_METADATA) {
            *ret = take(t);
            return 0;
        }
    }
}

/* Open the next table; CATALOG_E_NONE when there is no more. */
static int
open_next(struct verify *v, struct err *err)
{
    struct open_table *t;
    int r;

    t = calloc(1, sizeof *t);
    if (!t)
        return err_nomem(err);
    r = next_table(v, &t->table, err);
    if (!r)
        r = t->table->root_name ? add_totals_of_family(v, t, err)
                                : add_totals(v, t, t->table->id, err);
    if (!r && t->table->kind == CATALOG_TABLE)
        r = measure(v, t, err);
    if (r) {
        open_table_free(t);
        return r;
    }
    v->last = t->table->id;
    t->next = v->tables;
    v->tables = t;
    return 0;
}

/* ---- main thread ---- */

static void
cut_blocks(struct open_table *t, struct task *task)
{
    task->lo = t->at;
    t->at += t->step;
    t->all_out = t->at >= t->n_blocks;
    task->hi = t->all_out ? CATALOG_OPEN_END : t->at;
    task->n_bytes = t->n_blocks ? t->table->n_bytes * t->step / t->n_blocks
                                : t->table->n_bytes;
}

/* As they were exported: the chunks' ranges are all the OIDs there are. */
static int
cut_large_objects(struct verify *v, struct open_table *t, struct task *task,
                  struct err *err)
{
    cleanup_(catalog_chunk_freep) struct catalog_chunk *k = NULL;
    int r;

    r = catalog_next_chunk(v->catalog, t->table->id, t->chunk, &k, err);
    if (r)
        return r == CATALOG_E_NONE
                   ? err_set(err, ERR_CORRUPT,
                             "the run catalogue lacks chunks of large objects")
                   : r;
    task->lo = k->lo;
    task->hi = k->hi;
    task->n_bytes = k->n_bytes;
    t->chunk = k->id;
    t->all_out = k->hi == CATALOG_OPEN_END;
    return 0;
}

static int
fetch(void *arg, void **ret, struct err *err)
{
    struct verify *v = arg;
    struct open_table *t;
    struct task *task;
    int r;

    if (!v->tables || v->tables->all_out) {
        r = open_next(v, err);
        if (r)
            return r == CATALOG_E_NONE ? LANE_E_DRY : r;
    }
    task = calloc(1, sizeof *task);
    if (!task)
        return err_nomem(err);
    t = v->tables;
    task->table = t;
    if (t->table->kind == CATALOG_LARGE_OBJECTS) {
        r = cut_large_objects(v, t, task, err);
        if (r) {
            free(task);
            return r;
        }
    } else {
        cut_blocks(t, task);
    }
    t->n_out++;
    *ret = task;
    return 0;
}

static void
settle(struct verify *v, struct open_table *t)
{
    if (--t->n_out == 0 && t->all_out)
        close_table(v, t);
}

static int
record(void *arg, void *task, struct err *err)
{
    struct task *k = task;

    (void)err;
    digest_add(&k->table->found, &k->found);
    settle(arg, k->table);
    return 0;
}

static int
give_up(void *arg, void *task, const struct err *why, struct err *err)
{
    struct open_table *t = ((struct task *)task)->table;

    if (!t->why) {
        t->why = strdup(why->message);
        if (!t->why)
            return err_nomem(err);
    }
    t->all_out = 1; /* one range is enough to know */
    settle(arg, t);
    return 0;
}

static void
free_task(void *task)
{
    free(task);
}

/* ---- worker thread ---- */

static struct worker *
worker_free(struct worker *w)
{
    if (!w)
        return NULL;
    session_free(w->session);
    copy_rows_free(w->rows);
    digester_free(w->digester);
    free(w);
    return NULL;
}
DEFINE_CLEANUP(struct worker *, worker_free)

/* What is compared are bytes: they must be in the encoding of the staged. */
static int
join_snapshot(struct worker *w, struct err *err)
{
    const struct verify *v = w->verify;
    const struct session_params p = {
        .conninfo = v->params.conninfo,
        .side = SESSION_TARGET,
        .purpose = "verify",
        .encoding = v->params.facts->encoding,
        .stop = v->params.stop,
    };

    return snapshot_join(&w->session, &p, snapshot_id(v->snapshot), err);
}

static int
open_worker(void *arg, unsigned index, struct progress_cell *cell, void **ret,
            struct err *err)
{
    cleanup_(worker_freep) struct worker *w = NULL;
    int r;

    (void)index;
    w = calloc(1, sizeof *w);
    if (!w)
        return err_nomem(err);
    w->verify = arg;
    w->cell = cell;
    r = copy_rows_new(&w->rows, COPY_TEXT, 0, err);
    if (!r)
        r = digester_new(&w->digester, err);
    if (!r)
        r = join_snapshot(w, err);
    if (!r)
        *ret = take(w);
    return r;
}

static int
digest_stream(struct worker *w, struct err *err)
{
    cleanup_(session_freememp) char *data = NULL;
    uint64_t n_read = 0;
    size_t len;
    int r;

    for (;;) {
        r = copy_out_next(w->session, &data, &len, err);
        if (r)
            return r == COPY_OUT_E_END ? copy_rows_end(w->rows, err) : r;
        r = digester_feed(w->digester, w->rows, data, len, err);
        data = session_freemem(data);
        if (r) {
            copy_out_abandon(w->session);
            return r;
        }
        n_read += len;
        progress_at(w->cell, n_read, copy_rows_count(w->rows));
    }
}

static int
digest_range(struct worker *w, struct task *k, struct err *err)
{
    const struct catalog_table *t = k->table->table;
    const struct copy_sql_range range = {.lo = k->lo, .hi = k->hi};
    char *sql;
    int r;

    copy_rows_reset(w->rows, t->format, t->n_columns);
    digester_reset(w->digester);
    sql = copy_sql_loaded(w->session, t, &range);
    if (!sql)
        return err_nomem(err);
    r = copy_out_begin(w->session, sql, err);
    free(sql);
    if (!r)
        r = digest_stream(w, err);
    if (!r)
        k->found = digester_get(w->digester);
    return r;
}

static int
work(void *arg, void *task, struct err *err)
{
    struct worker *w = arg;
    struct task *k = task;
    const struct catalog_table *t = k->table->table;
    char label[160];
    int r = 0;

    snprintf(label, sizeof label, "%s.%s", t->schema, t->name);
    progress_begin(w->cell, label, k->n_bytes);
    progress_of(w->cell, t->id, 0);
    if (!snapshot_is_joined(w->session))
        r = join_snapshot(w, err);
    if (!r)
        r = digest_range(w, k, err);
    progress_end(w->cell, r == 0);
    return r;
}

static void
close_worker(void *arg)
{
    worker_free(arg);
}

static const struct lane_ops verify_lane_ops = {
    .name = "verify",
    .fetch = fetch,
    .record = record,
    .give_up = give_up,
    .free_task = free_task,
    .open = open_worker,
    .work = work,
    .close = close_worker,
    .judge = lane_judge,
};

/* ---- begin and end ---- */

int
verify_begin(struct verify **ret, const struct verify_params *p,
             struct catalog *c, struct err *err)
{
    const struct session_params session = {
        .conninfo = p->conninfo,
        .side = SESSION_TARGET,
        .purpose = "verify",
        .encoding = p->facts->encoding,
        .stop = p->stop,
    };
    cleanup_(verify_freep) struct verify *v = NULL;
    struct catalog_counts n;
    int r;

    v = calloc(1, sizeof *v);
    if (!v)
        return err_nomem(err);
    v->params = *p;
    v->catalog = c;
    r = catalog_count(c, &n, err);
    if (!r)
        r = pooler_require_none(&session, err);
    if (!r)
        r = session_open(&v->session, &session, err);
    if (!r)
        r = snapshot_take(&v->snapshot, v->session, err);
    if (r)
        return r;
    v->total = n.planned_bytes;
    *ret = take(v);
    return 0;
}

struct verify *
verify_free(struct verify *v)
{
    struct open_table *t;

    if (!v)
        return NULL;
    while ((t = v->tables)) {
        v->tables = t->next;
        open_table_free(t);
    }
    snapshot_free(v->snapshot);
    session_free(v->session);
    free(v);
    return NULL;
}

struct lane
verify_lane(struct verify *v)
{
    return (struct lane){
        .ops = &verify_lane_ops,
        .arg = v,
        .n_workers = v->params.jobs,
        .total = v->total,
    };
}
