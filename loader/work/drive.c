/* SPDX-License-Identifier: PostgreSQL */
#include "loader/work/drive.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "io/clock.h"
#include "loader/work/crew.h"
#include "loader/work/scheduler.h"

enum {
    /* How long a request to stop may go unnoticed, and a drawing wait. */
    POLL_MS = 100,
    /* Answers to FETCH and limits (one a lane each), a report, a stop, a
       tick. */
    MAX_EVENTS = 2 * SCHEDULER_LANES + 3,
};

struct drive {
    const struct drive_params *params;
    struct crew *crew;
    struct scheduler *scheduler;
    /* What the scheduler has not been told yet: a ring. */
    struct scheduler_event events[MAX_EVENTS];
    unsigned first_event, n_events;
    struct lane_state {
        unsigned allowed; /* as the scheduler was told */
        struct shelf {    /* tasks that were put back */
            void **tasks;
            unsigned n;
        } shelf;
    } lanes[SCHEDULER_LANES];
    int is_over;
    int in_trouble; /* a note has said so; until something succeeds */
    struct err why; /* we are stopped short; class 0: we are not */
    struct drive_result *result;
};

static struct scheduler_event *
tell(struct drive *d, enum scheduler_event_kind kind, unsigned lane,
     unsigned slot)
{
    unsigned i = (d->first_event + d->n_events) % MAX_EVENTS;

    assert(d->n_events < MAX_EVENTS);
    d->n_events++;
    d->events[i] =
        (struct scheduler_event){.kind = kind, .lane = lane, .slot = slot};
    return &d->events[i];
}

/* The first reason is the one that counts. */
static void
stop_short(struct drive *d, const struct err *why)
{
    if (d->why.class)
        return;
    d->why = *why;
    tell(d, SCHEDULER_STOP, 0, 0);
}

/* ---- what the scheduler wants done ---- */

static void
fetch(struct drive *d, struct crew_seat *seat)
{
    const struct lane *lane = &d->params->lanes[seat->lane];
    struct shelf *shelf = &d->lanes[seat->lane].shelf;
    struct err err;
    int r = LANE_E_DRY;

    if (shelf->n > 0) {
        seat->task = shelf->tasks[--shelf->n];
        r = 0;
    } else if (!d->why.class)
        r = lane->ops->fetch(lane->arg, &seat->task, &err);
    if (r < 0)
        stop_short(d, &err);
    tell(d, r == 0 ? SCHEDULER_FOUND : SCHEDULER_DRY, seat->lane, seat->slot);
}

static void
put_away(struct drive *d, struct crew_seat *seat)
{
    d->params->lanes[seat->lane].ops->free_task(seat->task);
    seat->task = NULL;
}

/* There is room for one of each slot. */
static void
put_back(struct drive *d, struct crew_seat *seat)
{
    struct shelf *shelf = &d->lanes[seat->lane].shelf;

    shelf->tasks[shelf->n++] = seat->task;
    seat->task = NULL;
}

static void
record(struct drive *d, struct crew_seat *seat)
{
    const struct lane *lane = &d->params->lanes[seat->lane];
    struct err err;

    if (lane->ops->record(lane->arg, seat->task, &err) < 0)
        stop_short(d, &err);
    else
        d->result->n_done++;
    put_away(d, seat);
}

static void
give_up(struct drive *d, struct crew_seat *seat)
{
    const struct lane *lane = &d->params->lanes[seat->lane];
    struct err err;

    if (d->result->n_failed++ == 0)
        d->result->first = seat->err;
    if (lane->ops->give_up(lane->arg, seat->task, &seat->err, &err) < 0)
        stop_short(d, &err);
    put_away(d, seat);
}

static void
follow(struct drive *d, const struct scheduler_action *a)
{
    struct crew_seat *seat = NULL;

    if (a->kind != SCHEDULER_CANCEL && a->kind != SCHEDULER_FINISH)
        seat = crew_seat(d->crew, a->lane, a->slot);

    switch (a->kind) {
    case SCHEDULER_FETCH:
        fetch(d, seat);
        break;
    case SCHEDULER_RUN:
        crew_give(d->crew, seat);
        break;
    case SCHEDULER_RECORD:
        record(d, seat);
        break;
    case SCHEDULER_GIVE_UP:
        give_up(d, seat);
        break;
    case SCHEDULER_DROP:
        put_away(d, seat);
        break;
    case SCHEDULER_PUT_BACK:
        put_back(d, seat);
        break;
    case SCHEDULER_CANCEL:
        stop_now(d->params->stop);
        break;
    case SCHEDULER_FINISH:
        d->is_over = 1;
        break;
    }
}

/* Tell the scheduler all there is, also what follows from its answers. */
static void
pump(struct drive *d)
{
    while (d->n_events > 0) {
        struct scheduler_event e = d->events[d->first_event];
        struct scheduler_actions actions;

        d->first_event = (d->first_event + 1) % MAX_EVENTS;
        d->n_events--;
        e.now_ms = clock_ms();
        actions = scheduler_step(d->scheduler, &e);
        for (unsigned i = 0; i < actions.n; i++)
            follow(d, &actions.list[i]);
    }
}

/* ---- what happens ---- */

static void
notice_stop(struct drive *d)
{
    struct err why;

    if (d->why.class || stop_level(d->params->stop) == STOP_RUN)
        return;
    err_set(&why, ERR_CANCELLED, "interrupted");
    stop_short(d, &why);
    if (stop_level(d->params->stop) == STOP_DRAIN)
        progress_note(d->params->progress,
                      "finishing what is in hand; interrupt again to stop "
                      "at once");
}

/* What a lane knows to be in vain is not finished, nor waited for. */
static void
ask_lanes(struct drive *d)
{
    for (unsigned i = 0; i < d->params->n_lanes && !d->why.class; i++) {
        const struct lane *lane = &d->params->lanes[i];
        struct err why;

        if (!lane->ops->beat || lane->ops->beat(lane->arg, &why) >= 0)
            continue;
        stop_short(d, &why);
        stop_now(d->params->stop);
    }
}

static enum scheduler_event_kind
judge(const struct drive *d, const struct crew_seat *seat)
{
    switch (d->params->lanes[seat->lane].ops->judge(&seat->err)) {
    case LANE_AGAIN:
        return seat->is_unable ? SCHEDULER_UNABLE : SCHEDULER_AGAIN;
    case LANE_FAILED:
        return SCHEDULER_FAILED;
    case LANE_FATAL:
        break;
    }
    return SCHEDULER_FATAL;
}

/* A server that is away for a minute is said to be, once. */
static void
note_trouble(struct drive *d, const struct crew_seat *seat)
{
    if (d->in_trouble || d->why.class)
        return;
    d->in_trouble = 1;
    progress_note(d->params->progress, "trying again: %s", seat->err.message);
}

static const char *
outcome(enum scheduler_event_kind kind, const char *of_worker)
{
    switch (kind) {
    case SCHEDULER_DONE:
        return of_worker;
    case SCHEDULER_AGAIN:
        return "again";
    case SCHEDULER_UNABLE:
        return "unable";
    default:
        return "failed";
    }
}

static void
log_task(struct drive *d, const struct crew_seat *seat,
         enum scheduler_event_kind kind)
{
    struct progress *p = d->params->progress;
    struct events_task t = {.outcome = "done"};

    /* Who could not even begin has nothing to tell but that. */
    if (progress_last(p, seat->lane, seat->slot, &t)) {
        if (kind == SCHEDULER_DONE)
            return;
        t.lane = d->params->lanes[seat->lane].ops->name;
        t.worker = seat->slot + 1;
        t.label = "";
        t.begun_ms = t.ended_ms = clock_ms();
    }
    t.outcome = outcome(kind, t.outcome);
    t.why = kind == SCHEDULER_DONE ? NULL : &seat->err;
    events_task(progress_events(p), &t);
}

static void
report(struct drive *d, const struct crew_seat *seat)
{
    enum scheduler_event_kind kind = SCHEDULER_DONE;

    if (seat->r < 0)
        kind = judge(d, seat);
    if (kind == SCHEDULER_AGAIN || kind == SCHEDULER_UNABLE)
        note_trouble(d, seat);
    if (kind == SCHEDULER_DONE)
        d->in_trouble = 0;
    log_task(d, seat, kind);

    tell(d, kind, seat->lane, seat->slot);
    pump(d);
    /* A failure that stopped all was dropped: its seat is not in use. */
    if (scheduler_draining(d->scheduler) && !d->why.class)
        d->why = seat->err;
}

/* What the lanes may do now. */
static void
ask_leave(struct drive *d)
{
    for (unsigned i = 0; i < d->params->n_lanes && !d->why.class; i++) {
        const struct lane *lane = &d->params->lanes[i];
        unsigned n = d->lanes[i].allowed;
        struct err why;

        if (!lane->allow)
            continue;
        if (lane->allow(lane->allow_arg, &n, &why) < 0) {
            stop_short(d, &why);
        } else if (n != d->lanes[i].allowed) {
            tell(d, SCHEDULER_LIMIT, i, 0)->limit = n;
            d->lanes[i].allowed = n;
            events_limit(progress_events(d->params->progress), lane->ops->name,
                         n);
        }
    }
}

static int
wait_ms(const struct drive *d)
{
    uint64_t now_ms = clock_ms(), wake_ms = scheduler_wake_ms(d->scheduler);

    if (wake_ms <= now_ms)
        return 0;
    return wake_ms - now_ms < POLL_MS ? (int)(wake_ms - now_ms) : POLL_MS;
}

static void
loop(struct drive *d)
{
    struct crew_seat *seat;

    ask_leave(d);
    if (d->why.class)
        return; /* a limit was reached already: nothing is begun */
    tell(d, SCHEDULER_BEGIN, 0, 0);
    pump(d);
    while (!d->is_over) {
        int r = crew_take(d->crew, &seat, wait_ms(d));

        /* First: what comes back may have failed because of it. */
        notice_stop(d);
        ask_lanes(d);
        if (r == 0)
            report(d, seat);
        ask_leave(d);
        if (scheduler_wake_ms(d->scheduler) <= clock_ms())
            tell(d, SCHEDULER_TICK, 0, 0);
        pump(d);
        progress_draw(d->params->progress);
        events_beat(progress_events(d->params->progress));
    }
}

static int
make_shelves(struct drive *d, const struct scheduler_params *sp,
             struct err *err)
{
    for (unsigned i = 0; i < sp->n_lanes; i++) {
        d->lanes[i].allowed = sp->n_slots[i];
        d->lanes[i].shelf.tasks = calloc(sp->n_slots[i] + 1, sizeof(void *));
        if (!d->lanes[i].shelf.tasks)
            return err_nomem(err);
    }
    return 0;
}

/* What nobody has fetched again, because we were stopped short. */
static void
clear_shelves(struct drive *d)
{
    for (unsigned i = 0; i < d->params->n_lanes; i++) {
        struct shelf *shelf = &d->lanes[i].shelf;

        while (shelf->n > 0)
            d->params->lanes[i].ops->free_task(shelf->tasks[--shelf->n]);
        free(shelf->tasks);
    }
}

static int
run(struct drive *d, struct err *err)
{
    const struct drive_params *p = d->params;
    cleanup_(scheduler_freep) struct scheduler *scheduler = NULL;
    cleanup_(crew_freep) struct crew *crew = NULL;
    struct scheduler_params sp = {
        .n_lanes = p->n_lanes,
        .drain_ms = p->drain_ms,
        .seed = clock_ns(),
    };
    int r;

    r = crew_new(&crew, p->lanes, p->n_lanes, p->progress, err);
    if (r < 0)
        return r;
    for (unsigned i = 0; i < p->n_lanes; i++)
        sp.n_slots[i] = crew_size(crew, i);
    r = scheduler_new(&scheduler, &sp, err);
    if (r == 0)
        r = make_shelves(d, &sp, err);
    if (r < 0)
        return r;

    d->crew = crew;
    d->scheduler = scheduler;
    loop(d);
    if (!d->why.class)
        return 0;
    *err = d->why;
    return -1;
}

/* "export"; "export, load" */
static void
name_lanes(const struct drive_params *p, char *to, size_t size)
{
    size_t n = 0;

    for (unsigned i = 0; i < p->n_lanes && n < size; i++)
        n += (size_t)snprintf(to + n, size - n, "%s%s", i ? ", " : "",
                              p->lanes[i].ops->name);
}

int
drive_run(const struct drive_params *p, struct drive_result *ret,
          struct err *err)
{
    struct drive d = {.params = p, .result = ret};
    char lanes[64] = "";
    int r = 0;

    *ret = (struct drive_result){0};
    if (stop_level(p->stop) != STOP_RUN)
        return err_set(err, ERR_CANCELLED, "interrupted");

    for (unsigned i = 0; r == 0 && i < p->n_lanes; i++)
        r = progress_lane(p->progress, p->lanes[i].ops->name,
                          p->lanes[i].n_workers, p->lanes[i].total,
                          p->lanes[i].done, err);
    name_lanes(p, lanes, sizeof lanes);
    progress_phase_begin(p->progress, lanes);
    if (r == 0)
        r = run(&d, err);
    clear_shelves(&d);
    progress_phase_end(p->progress, r, err);
    progress_finish(p->progress);
    return r;
}
