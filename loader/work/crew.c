/* SPDX-License-Identifier: PostgreSQL */
#include "loader/work/crew.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "io/queue.h"
#include "loader/work/scheduler.h"

struct worker {
    struct crew_seat seat;
    const struct lane *lane;
    struct progress_cell *cell;
    struct queue *mailbox; /* of the seat, nothing else: holds at most one */
    struct queue *back;    /* borrowed; has room for all seats */
    pthread_t thread;
    /* The thread's own: */
    int is_open;
    void *self;
};

struct crew {
    struct queue *back;
    unsigned n_lanes;
    struct team {
        struct worker *workers; /* NULL when there are none */
        unsigned n_wanted, n_started;
    } teams[SCHEDULER_LANES];
};

/* ---- the worker's thread ---- */

static int
do_task(struct worker *w)
{
    const struct lane_ops *ops = w->lane->ops;
    struct crew_seat *seat = &w->seat;
    int r;

    if (!w->is_open) {
        r = ops->open(w->lane->arg, seat->slot, w->cell, &w->self, &seat->err);
        seat->is_unable = r < 0;
        if (r < 0)
            return r;
        w->is_open = 1;
    }
    return ops->work(w->self, seat->task, &seat->err);
}

static void *
live(void *arg)
{
    struct worker *w = arg;
    void *item;

    while (queue_pop(w->mailbox, &item, -1) == 0) {
        w->seat.r = do_task(w);
        queue_push(w->back, &w->seat);
    }
    if (w->is_open)
        w->lane->ops->close(w->self);
    return NULL;
}

/* ---- the main thread ---- */

/* The number of an error of pthread_create(), or 0. */
static int
start_thread(struct worker *w)
{
    sigset_t all, old;
    int r;

    /* A thread begins with its creator's mask: no moment without. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    r = pthread_create(&w->thread, NULL, live, w);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return r;
}

/* 0; <0; or >0: the system has no more threads for us. */
static int
start(struct crew *c, unsigned lane, struct err *err)
{
    struct team *team = &c->teams[lane];
    struct worker *w = &team->workers[team->n_started];
    int r;

    if (queue_new(&w->mailbox, 1, err) < 0)
        return -1;
    r = start_thread(w);
    if (r == 0) {
        team->n_started++;
        return 0;
    }
    w->mailbox = queue_free(w->mailbox);
    return r == EAGAIN ? r : err_sys(err, r, "could not start a worker");
}

/* One of each lane in turn, so that all get their share of a few. */
static int
start_all(struct crew *c, unsigned n_most, struct err *err)
{
    for (unsigned i = 0; i < n_most; i++) {
        for (unsigned j = 0; j < c->n_lanes; j++) {
            int r = i < c->teams[j].n_wanted ? start(c, j, err) : 0;

            if (r)
                return r;
        }
    }
    return 0;
}

static int
make_do(const struct crew *c, struct progress *progress, struct err *err)
{
    unsigned n_wanted = 0, n_started = 0;

    for (unsigned i = 0; i < c->n_lanes; i++) {
        n_wanted += c->teams[i].n_wanted;
        n_started += c->teams[i].n_started;
        if (c->teams[i].n_wanted > 0 && c->teams[i].n_started == 0) {
            err_sys(err, EAGAIN, "could not start a worker");
            return err_hint(err, "Raise the limit on processes (ulimit -u, "
                                 "or pids.max of the control group).");
        }
    }
    progress_note(progress,
                  "only %u of %u workers could be started: too many threads",
                  n_started, n_wanted);
    return 0;
}

static int
make_team(struct crew *c, unsigned lane, const struct lane *l,
          struct progress *progress, struct err *err)
{
    struct team *team = &c->teams[lane];

    team->n_wanted = l->n_workers;
    team->workers = calloc(l->n_workers + 1, sizeof *team->workers);
    if (!team->workers)
        return err_nomem(err);
    for (unsigned i = 0; i < l->n_workers; i++) {
        team->workers[i] = (struct worker){
            .seat = {.lane = lane, .slot = i},
            .lane = l,
            .cell = progress_cell(progress, lane, i),
            .back = c->back,
        };
    }
    return 0;
}

int
crew_new(struct crew **ret, const struct lane *lanes, unsigned n_lanes,
         struct progress *progress, struct err *err)
{
    cleanup_(crew_freep) struct crew *c = NULL;
    unsigned n_most = 0, n_all = 0;
    int r;

    assert(n_lanes <= SCHEDULER_LANES);

    c = calloc(1, sizeof *c);
    if (!c)
        return err_nomem(err);
    c->n_lanes = n_lanes;
    for (unsigned i = 0; i < n_lanes; i++) {
        n_all += lanes[i].n_workers;
        if (n_most < lanes[i].n_workers)
            n_most = lanes[i].n_workers;
    }
    r = queue_new(&c->back, n_all + 1, err);
    for (unsigned i = 0; r == 0 && i < n_lanes; i++)
        r = make_team(c, i, &lanes[i], progress, err);
    if (r == 0)
        r = start_all(c, n_most, err);
    if (r > 0)
        r = make_do(c, progress, err);
    if (r < 0)
        return r;

    *ret = take(c);
    return 0;
}

/* All are told before any is waited for: they close side by side. */
struct crew *
crew_free(struct crew *c)
{
    if (!c)
        return NULL;
    for (unsigned i = 0; i < c->n_lanes; i++) {
        for (unsigned j = 0; j < c->teams[i].n_started; j++)
            queue_close(c->teams[i].workers[j].mailbox);
    }
    for (unsigned i = 0; i < c->n_lanes; i++) {
        for (unsigned j = 0; j < c->teams[i].n_started; j++) {
            pthread_join(c->teams[i].workers[j].thread, NULL);
            queue_free(c->teams[i].workers[j].mailbox);
        }
        free(c->teams[i].workers);
    }
    queue_free(c->back);
    free(c);
    return NULL;
}

unsigned
crew_size(const struct crew *c, unsigned lane)
{
    return c->teams[lane].n_started;
}

struct crew_seat *
crew_seat(struct crew *c, unsigned lane, unsigned slot)
{
    assert(slot < c->teams[lane].n_started);
    return &c->teams[lane].workers[slot].seat;
}

void
crew_give(struct crew *c, struct crew_seat *seat)
{
    queue_push(c->teams[seat->lane].workers[seat->slot].mailbox, seat);
}

int
crew_take(struct crew *c, struct crew_seat **ret, int timeout_ms)
{
    void *item;

    if (queue_pop(c->back, &item, timeout_ms) != 0)
        return CREW_E_TIMEOUT;
    *ret = item;
    return 0;
}
