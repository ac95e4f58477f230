/* SPDX-License-Identifier: PostgreSQL */
#include "loader/proof/verify.h"

#include <stdio.h>
#include <stdlib.h>

#include "formats/digest.h"
#include "io/clock.h"
#include "loader/proof/compared.h"
#include "loader/proof/narrow.h"
#include "loader/proof/reading.h"
#include "loader/proof/table_pairs.h"

struct verify {
    struct verify_params params;
    struct table_pairs *pairs;
    struct compared_params compared;
    struct compared *tables;    /* the first is the one being cut */
    struct compared *differing; /* their rows are to be looked for */
    uint64_t n_partly_repaired;
    uint64_t begun_ms;
    uint64_t total; /* bytes, for the progress */
};

/* A range is read, or the rows that differ are looked for. */
struct task {
    struct compared *of;
    struct compared_range range;
    struct narrow *narrow; /* NULL: the range */
    struct digest found;
    struct aggregates *aggregates; /* NULL: none are wanted */
    uint64_t n_bytes;              /* that were read */
};

struct worker {
    const struct verify *verify;
    struct reading *reading;
    struct progress_cell *cell;
    struct digester *digester;
    unsigned seat;
};

/* ---- main thread: the end of a table ---- */

/* Take it out of the list. */
static void
unlink_table(struct compared **list, struct compared *c)
{
    while (*list != c)
        list = &(*list)->next;
    *list = c->next;
    c->next = NULL;
}

/* It is known what it is: say so and forget it. */
static void
close_table(struct verify *v, struct compared *c)
{
    struct proof_table *t = &c->result;

    t->ms = clock_ms() - v->begun_ms - t->begun_ms;
    if (t->verdict == PROOF_DIFFERS || t->verdict == PROOF_MISSING)
        t->accepted = accept_table(v->params.accept, t);
    if (t->accepted)
        t->verdict = PROOF_ACCEPTED;
    proof_tell_table(v->params.listener, t);
    compared_free(c);
}

static void
compare_aggregates(const struct verify *v, struct compared *c)
{
    const struct aggregates_pair p = {
        .at = {c->aggregates[PROOF_LEFT], c->aggregates[PROOF_RIGHT]},
        .table = c->table,
        .schema = c->result.schema,
        .name = c->result.name,
        .accept = v->params.accept,
    };

    if (c->table->kind != CATALOG_TABLE)
        return;
    aggregates_compare(&p, v->params.listener);
    c->result.layers |= 1u << PROOF_AGGREGATES;
}

static int
settle(struct verify *v, struct compared *c, struct err *err)
{
    int was_read = !c->reason, r = 0;

    if (c->n_out > 0 || !compared_is_all_out(c))
        return 0;
    if (was_read)
        r = compared_judge(c, err);
    if (r)
        return r;
    if (was_read && v->params.aggregates)
        compare_aggregates(v, c);
    unlink_table(&v->tables, c);
    if (was_read && c->result.verdict == PROOF_DIFFERS) {
        c->next = v->differing;
        v->differing = c;
    } else {
        close_table(v, c);
    }
    return 0;
}

/* ---- main thread: rows that differ ---- */

static int
copy_statements(FILE *from, FILE *to, struct err *err)
{
    char piece[16384];
    size_t n;

    rewind(from);
    while ((n = fread(piece, 1, sizeof piece, from)) > 0)
        fwrite(piece, 1, n, to);
    return ferror(from) || ferror(to)
               ? err_set(err, ERR_SYSTEM, "could not write the statements")
               : 0;
}

/* What is in the way goes first. */
static int
record_repair(struct verify *v, const struct narrow *n, struct err *err)
{
    static const enum proof_row_kind order[] = {
        PROOF_ROW_EXTRA, PROOF_ROW_DIFFERING, PROOF_ROW_MISSING};
    int r = 0;

    for (unsigned i = 0; i < PROOF_N_ROW_KINDS && !r; i++)
        if (n->repair[order[i]])
            r = copy_statements(n->repair[order[i]], v->params.repair, err);
    v->n_partly_repaired +=
        v->params.repair && (n->is_partial || n->cannot_repair);
    return r;
}

static int
record_rows(struct verify *v, struct compared *c, struct narrow *n,
            struct err *err)
{
    struct proof_table *t = &c->result;
    int r = v->params.repair ? record_repair(v, n, err) : 0;

    t->rows.is_known = 1;
    t->rows.n_missing = n->n[PROOF_ROW_MISSING];
    t->rows.n_extra = n->n[PROOF_ROW_EXTRA];
    t->rows.n_differing = n->n[PROOF_ROW_DIFFERING];
    t->rows.n_shown = n->n_rows;
    for (unsigned i = 0; i < n->n_rows; i++) {
        n->rows[i].row.schema = t->schema;
        n->rows[i].row.name = t->name;
        proof_tell_row(v->params.listener, &n->rows[i].row);
    }
    return r;
}

/* The rows of a table that differs. */
static int
next_search(struct verify *v, struct task *task, struct err *err)
{
    struct compared *c = v->differing;
    int r;

    task->of = c;
    task->narrow = calloc(1, sizeof *task->narrow);
    if (!task->narrow)
        return err_nomem(err);
    r = narrow_prepare(task->narrow, c, v->params.n_shown,
                       v->params.repair != NULL, err);
    if (r)
        return r;
    unlink_table(&v->differing, c);
    c->next = v->tables; /* behind the one being cut */
    if (v->tables) {
        c->next = v->tables->next;
        v->tables->next = c;
    } else {
        v->tables = c;
    }
    return 0;
}

/* ---- main thread ---- */

static int
open_next(struct verify *v, struct err *err)
{
    struct table_pair pair = {0};
    struct compared *c;
    int r;

    r = table_pairs_next(v->pairs, &pair, err);
    if (!r)
        r = compared_new(&c, &v->compared, &pair, err);
    table_pair_clear(&pair);
    if (r)
        return r;
    c->result.begun_ms = clock_ms() - v->begun_ms;
    c->next = v->tables;
    v->tables = c;
    return 0;
}

/* The next range of the table that is being cut, or of one that comes after
   it. */
static int
next_range(struct verify *v, struct task *task, struct err *err)
{
    int r;

    for (;;) {
        struct compared *c = v->tables;

        if (v->differing)
            return next_search(v, task, err);
        if (c && !compared_is_all_out(c)) {
            r = compared_next(c, &task->range, err);
            task->of = c;
            if (r != COMPARED_E_NONE)
                return r;
            r = settle(v, c, err);
        } else {
            r = open_next(v, err);
            if (!r)
                r = settle(v, v->tables, err);
        }
        if (r)
            return r == TABLE_PAIRS_E_NONE ? LANE_E_DRY : r;
    }
}

static void
free_task(void *task)
{
    struct task *k = task;

    compared_range_clear(&k->range);
    aggregates_free(k->aggregates);
    if (k->narrow)
        narrow_clear(k->narrow);
    free(k->narrow);
    free(k);
}

static int
fetch(void *arg, void **ret, struct err *err)
{
    struct task *task = calloc(1, sizeof *task);
    int r;

    if (!task)
        return err_nomem(err);
    r = next_range(arg, task, err);
    if (r) {
        free_task(task);
        return r;
    }
    task->of->n_out++;
    *ret = task;
    return 0;
}

static int
record(void *arg, void *task, struct err *err)
{
    struct verify *v = arg;
    struct task *k = task;
    struct compared *c = k->of;
    int r;

    c->result.n_bytes += k->n_bytes;
    c->n_out--;
    if (!k->narrow) {
        digest_add(&c->result.at[k->range.end], &k->found);
        if (k->aggregates)
            aggregates_merge(&c->aggregates[k->range.end], take(k->aggregates));
        return settle(v, c, err);
    }
    r = record_rows(v, c, k->narrow, err);
    unlink_table(&v->tables, c);
    close_table(v, c);
    return r;
}

/* It is known that the table differs, and not how. */
static int
give_up_search(struct verify *v, struct compared *c, const struct err *why,
               struct err *err)
{
    cleanup_(freep) char *reason = NULL;

    if (asprintf(&reason, "%s (its rows could not be looked for: %s)",
                 c->reason, why->message) < 0)
        return err_nomem(err);
    c->result.reason = reason;
    unlink_table(&v->tables, c);
    close_table(v, c);
    return 0;
}

/* One range is enough to know. */
static int
give_up(void *arg, void *task, const struct err *why, struct err *err)
{
    struct task *k = task;
    struct compared *c = k->of;
    int r;

    c->n_out--;
    if (k->narrow)
        return give_up_search(arg, c, why, err);
    r = compared_conclude(c, PROOF_FAILED, err, "could not be read: %s",
                          why->message);
    return r ? r : settle(arg, c, err);
}

/* ---- worker thread ---- */

static struct worker *
worker_free(struct worker *w)
{
    if (!w)
        return NULL;
    reading_free(w->reading);
    digester_free(w->digester);
    free(w);
    return NULL;
}
DEFINE_CLEANUP(struct worker *, worker_free)

static struct throttle *
throttle_of(const struct verify *v)
{
    return v->params.watch ? watch_throttle(v->params.watch) : NULL;
}

static int
open_worker(void *arg, unsigned index, struct progress_cell *cell, void **ret,
            struct err *err)
{
    const struct verify *v = arg;
    const struct reading_params p = {
        .pair = v->params.pair,
        .cell = cell,
        .throttle = throttle_of(v),
        .seat = index,
    };
    cleanup_(worker_freep) struct worker *w = NULL;
    int r;

    w = calloc(1, sizeof *w);
    if (!w)
        return err_nomem(err);
    w->verify = v;
    w->cell = cell;
    w->seat = index;
    r = reading_new(&w->reading, &p, err);
    if (!r)
        r = digester_new(&w->digester, err);
    if (!r)
        r = reading_open(w->reading, err);
    if (!r)
        *ret = take(w);
    return r;
}

struct digesting {
    struct digester *digester;
    struct aggregates *aggregates; /* or NULL */
};

static int
digest_piece(void *arg, const struct copy_piece *p, struct err *err)
{
    struct digesting *d = arg;

    digester_piece(d->digester, p);
    return d->aggregates ? aggregates_piece(d->aggregates, p, err) : 0;
}

static int
digest_range(struct worker *w, struct task *k, struct err *err)
{
    const struct reading_range range = {
        .end = k->range.end,
        .table = &k->range.table,
        .chunk = k->range.chunk,
        .sample = k->range.sample,
    };
    cleanup_(aggregates_freep) struct aggregates *aggregates = NULL;
    struct digesting d = {.digester = w->digester};
    int r = 0;

    if (w->verify->params.aggregates && range.table->kind == CATALOG_TABLE)
        r = aggregates_new(&aggregates, range.table, w->verify->params.distinct,
                           err);
    if (r)
        return r;
    d.aggregates = aggregates;
    digester_reset(w->digester);
    r = reading_rows(w->reading, &range, digest_piece, &d, err);
    if (r)
        return r;
    k->found = digester_get(w->digester);
    k->aggregates = take(aggregates);
    return 0;
}

/* That the table differs is known; which rows, only who has a key learns where
   the bag is encrypted.  So this ends the search, and nothing else. */
static int
search(struct worker *w, struct narrow *n, struct err *err)
{
    int r = narrow_find(n, w->reading, err);

    if (r < 0 && err->class == ERR_REFUSED)
        err->class = ERR_DIFFERS;
    return r;
}

static int
work(void *arg, void *task, struct err *err)
{
    struct worker *w = arg;
    struct task *k = task;
    struct throttle *throttle = throttle_of(w->verify);
    const struct catalog_table *t =
        k->narrow ? k->narrow->table : &k->range.table;
    uint64_t before = reading_n_bytes(w->reading);
    char label[160];
    int r;

    snprintf(label, sizeof label, "%s.%s%s", t->schema, t->name,
             k->narrow ? " (rows)" : "");
    progress_begin(w->cell, label, k->range.n_bytes);
    if (throttle)
        throttle_enter(throttle, w->seat);
    r = k->narrow ? search(w, k->narrow, err) : digest_range(w, k, err);
    k->n_bytes = reading_n_bytes(w->reading) - before;
    if (throttle)
        throttle_leave(throttle, w->seat);
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

/* Bytes that will be read, as they were estimated. */
static int
estimate(struct verify *v, struct err *err)
{
    int r = 0;

    for (int end = 0; end < PROOF_ENDS && !r; end++) {
        const struct proof_side *side = v->params.pair->at[end];
        struct catalog_counts n;

        if (!proof_side_is_server(side) && !v->params.deep)
            continue;
        r = catalog_count(proof_side_catalog(side), &n, err);
        if (!r)
            v->total += n.planned_bytes;
    }
    return r;
}

int
verify_begin(struct verify **ret, const struct verify_params *p,
             struct err *err)
{
    cleanup_(verify_freep) struct verify *v = calloc(1, sizeof *v);
    int r;

    if (!v)
        return err_nomem(err);
    v->params = *p;
    v->params.deep |= p->aggregates;
    v->compared = (struct compared_params){.sides = p->pair,
                                           .deep = v->params.deep,
                                           .counts_only = p->counts_only,
                                           .sample_ppm = p->sample_ppm};
    v->begun_ms = clock_ms();
    r = table_pairs_new(&v->pairs, p->pair, err);
    if (!r)
        r = estimate(v, err);
    if (!r)
        *ret = take(v);
    return r;
}

struct verify *
verify_free(struct verify *v)
{
    struct compared *c;

    if (!v)
        return NULL;
    while ((c = v->tables ? v->tables : v->differing)) {
        unlink_table(v->tables ? &v->tables : &v->differing, c);
        compared_free(c);
    }
    table_pairs_free(v->pairs);
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
        .allow = v->params.watch ? watch_allow : NULL,
        .allow_arg = v->params.watch,
    };
}

uint64_t
verify_n_partly_repaired(const struct verify *v)
{
    return v->n_partly_repaired;
}
