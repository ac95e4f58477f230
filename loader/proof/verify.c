/* SPDX-License-Identifier: PostgreSQL */
#include "loader/proof/verify.h"

#include <stdio.h>
#include <stdlib.h>

#include "formats/digest.h"
#include "io/clock.h"
#include "loader/proof/compared.h"
#include "loader/proof/reading.h"
#include "loader/proof/table_pairs.h"

struct verify {
    struct verify_params params;
    struct table_pairs *pairs;
    struct compared *tables; /* the first is the one being cut */
    uint64_t begun_ms;
    uint64_t total; /* bytes, for the progress */
};

struct task {
    struct compared *of;
    struct compared_range range;
    struct digest found;
    uint64_t n_bytes; /* that were read */
};

struct worker {
    const struct verify *verify;
    struct reading *reading;
    struct progress_cell *cell;
    struct digester *digester;
    unsigned seat;
};

/* ---- main thread ---- */

/* It is known what it is: say so and forget it. */
static void
close_table(struct verify *v, struct compared *c)
{
    struct compared **at = &v->tables;

    c->result.ms = clock_ms() - v->begun_ms - c->result.begun_ms;
    proof_tell_table(v->params.listener, &c->result);
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    compared_free(c);
}

static int
settle(struct verify *v, struct compared *c, struct err *err)
{
    int r = 0;

    if (c->n_out > 0 || !compared_is_all_out(c))
        return 0;
    if (!c->reason)
        r = compared_judge(c, v->params.pair, err);
    if (!r)
        close_table(v, c);
    return r;
}

static int
open_next(struct verify *v, struct err *err)
{
    struct table_pair pair = {0};
    struct compared *c;
    int r;

    r = table_pairs_next(v->pairs, &pair, err);
    if (!r)
        r = compared_new(&c, v->params.pair, &pair, v->params.deep, err);
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

        if (c && !compared_is_all_out(c)) {
            r = compared_next(c, v->params.pair, &task->range, err);
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

static int
fetch(void *arg, void **ret, struct err *err)
{
    struct task *task = calloc(1, sizeof *task);
    int r;

    if (!task)
        return err_nomem(err);
    r = next_range(arg, task, err);
    if (r) {
        free(task);
        return r;
    }
    task->of->n_out++;
    *ret = task;
    return 0;
}

static int
record(void *arg, void *task, struct err *err)
{
    struct task *k = task;
    struct compared *c = k->of;

    digest_add(&c->result.at[k->range.end], &k->found);
    c->result.n_bytes += k->n_bytes;
    c->n_out--;
    return settle(arg, c, err);
}

/* One range is enough to know. */
static int
give_up(void *arg, void *task, const struct err *why, struct err *err)
{
    struct compared *c = ((struct task *)task)->of;
    int r;

    r = compared_conclude(c, PROOF_FAILED, err, "could not be read: %s",
                          why->message);
    c->n_out--;
    return r ? r : settle(arg, c, err);
}

static void
free_task(void *task)
{
    compared_range_clear(&((struct task *)task)->range);
    free(task);
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

static int
open_worker(void *arg, unsigned index, struct progress_cell *cell, void **ret,
            struct err *err)
{
    const struct verify *v = arg;
    const struct reading_params p = {
        .pair = v->params.pair,
        .cell = cell,
        .throttle = v->params.throttle,
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

static int
digest_piece(void *arg, const struct copy_piece *p, struct err *err)
{
    struct worker *w = arg;

    (void)err;
    digester_piece(w->digester, p);
    return 0;
}

static int
digest_range(struct worker *w, struct task *k, struct err *err)
{
    const struct reading_range range = {
        .end = k->range.end,
        .table = &k->range.table,
        .chunk = k->range.chunk,
    };
    uint64_t before = reading_n_bytes(w->reading);
    int r;

    digester_reset(w->digester);
    r = reading_rows(w->reading, &range, digest_piece, w, err);
    if (r)
        return r;
    k->found = digester_get(w->digester);
    k->n_bytes = reading_n_bytes(w->reading) - before;
    return 0;
}

static int
work(void *arg, void *task, struct err *err)
{
    struct worker *w = arg;
    struct task *k = task;
    struct throttle *throttle = w->verify->params.throttle;
    const struct catalog_table *t = &k->range.table;
    char label[160];
    int r;

    snprintf(label, sizeof label, "%s.%s", t->schema, t->name);
    progress_begin(w->cell, label, k->range.n_bytes);
    progress_of(w->cell, t->id, 0);
    if (throttle)
        throttle_enter(throttle, w->seat);
    r = digest_range(w, k, err);
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
    while ((c = v->tables)) {
        v->tables = c->next;
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
    };
}
