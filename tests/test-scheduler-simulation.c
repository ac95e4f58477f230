/* SPDX-License-Identifier: PostgreSQL */
#include <criterion/criterion.h>

#include "loader/work/scheduler.h"

/*
 * A simulated world around the scheduler: tasks, workers and the user are
 * dice.  What must hold in all worlds is asserted where it happens.
 */

enum { MAX_SLOTS = 6, MAX_TASKS = 40, MAX_STEPS = 50000 };

enum fate { UNBORN, READY, TAKEN, PUT_BACK, RECORDED, GIVEN_UP, DROPPED };

struct world {
    uint64_t random;
    uint64_t now_ms;
    struct scheduler *s;
    unsigned n_lanes, n_slots[SCHEDULER_LANES];
    unsigned n_tasks[SCHEDULER_LANES];
    struct task {
        enum fate fate;
        unsigned n_tries; /* by the slot that has it */
    } tasks[SCHEDULER_LANES][MAX_TASKS];
    /* What each slot will say next, and when. */
    struct hand {
        struct task *task;
        int is_due;
        uint64_t due_ms;
        struct scheduler_event event;
    } hands[SCHEDULER_LANES][MAX_SLOTS];
    unsigned again, failed, fatal; /* how often in 1000 tries */
    unsigned unable;               /* the same, of slots that have not begun */
    int is_open[SCHEDULER_LANES][MAX_SLOTS];
    unsigned limit[SCHEDULER_LANES];
    uint64_t limit_ms; /* when the next one comes */
    uint64_t stop_ms;  /* UINT64_MAX: never */
    int stopped, finished, cancelled;
    uint64_t trace; /* FNV-1a of all actions */
};

static unsigned
roll(struct world *w, unsigned sides)
{
    w->random = w->random * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(w->random >> 33) % sides;
}

static void
world_make(struct world *w, uint64_t seed)
{
    struct scheduler_params p = {.seed = seed};
    struct err err;

    *w = (struct world){.random = seed, .trace = 0xcbf29ce484222325};
    p.n_lanes = w->n_lanes = 1 + roll(w, SCHEDULER_LANES);
    for (unsigned i = 0; i < w->n_lanes; i++) {
        p.n_slots[i] = w->n_slots[i] = 1 + roll(w, MAX_SLOTS);
        w->n_tasks[i] = roll(w, MAX_TASKS + 1);
        /* A later lane's tasks become ready by what is done in the first. */
        for (unsigned j = 0; j < w->n_tasks[i]; j++)
            w->tasks[i][j].fate = i == 0 || roll(w, 2) ? READY : UNBORN;
    }
    w->again = roll(w, 3) ? roll(w, 300) : 1000;
    w->failed = roll(w, 100);
    w->fatal = roll(w, 4) ? 0 : roll(w, 50);
    w->unable = roll(w, 3) ? roll(w, 1000) : roll(w, 2) * 1000;
    w->limit_ms = roll(w, 2) ? UINT64_MAX : roll(w, 1000);
    for (unsigned i = 0; i < w->n_lanes; i++)
        w->limit[i] = MAX_SLOTS;
    w->stop_ms = roll(w, 3) ? UINT64_MAX : roll(w, 5000);
    cr_assert_eq(scheduler_new(&w->s, &p, &err), 0);
}

static void
hear(struct world *w, unsigned lane, unsigned slot,
     enum scheduler_event_kind kind, unsigned within_ms)
{
    struct hand *hand = &w->hands[lane][slot];

    cr_assert_not(hand->is_due, "one thing at a time");
    hand->is_due = 1;
    hand->due_ms = w->now_ms + roll(w, within_ms + 1);
    hand->event =
        (struct scheduler_event){.kind = kind, .lane = lane, .slot = slot};
}

/* What was put back comes first. */
static struct task *
choose(struct world *w, unsigned lane)
{
    static const enum fate order[] = {PUT_BACK, READY};

    for (unsigned k = 0; k < 2; k++) {
        for (unsigned i = 0; i < w->n_tasks[lane]; i++) {
            if (w->tasks[lane][i].fate == order[k])
                return &w->tasks[lane][i];
        }
    }
    return NULL;
}

/* The catalogue is asked now; its answer may be late. */
static void
fetch(struct world *w, unsigned lane, unsigned slot)
{
    struct hand *hand = &w->hands[lane][slot];
    unsigned n_in_hand = 0;

    cr_assert_not(w->stopped, "nothing new after a stop");
    cr_assert_null(hand->task);
    for (unsigned i = 0; i < w->n_slots[lane]; i++)
        n_in_hand += w->hands[lane][i].task != NULL;
    cr_assert_lt(n_in_hand, w->limit[lane], "the limit is kept");
    for (unsigned i = 0; i < w->n_slots[lane]; i++)
        cr_assert_not(w->hands[lane][i].is_due &&
                          w->hands[lane][i].event.kind <= SCHEDULER_DRY,
                      "a lane is asked one thing at a time");
    hand->task = choose(w, lane);
    if (hand->task) {
        hand->task->fate = TAKEN;
        hand->task->n_tries = 0;
    }
    hear(w, lane, slot, hand->task ? SCHEDULER_FOUND : SCHEDULER_DRY,
         roll(w, 2) ? 0 : 30);
}

static void
work(struct world *w, unsigned lane, unsigned slot)
{
    struct task *task = w->hands[lane][slot].task;
    unsigned dice = roll(w, 1000);
    enum scheduler_event_kind kind = SCHEDULER_DONE;

    cr_assert_not(w->stopped, "nothing again after a stop");
    cr_assert_not_null(task);
    cr_assert_leq(++task->n_tries, SCHEDULER_TRIES);
    if (!w->is_open[lane][slot] && roll(w, 1000) < w->unable) {
        hear(w, lane, slot, SCHEDULER_UNABLE, 100);
        return;
    }
    w->is_open[lane][slot] = 1;
    if (dice < w->fatal)
        kind = SCHEDULER_FATAL;
    else if (dice < w->fatal + w->failed)
        kind = SCHEDULER_FAILED;
    else if (dice < w->fatal + w->failed + w->again)
        kind = SCHEDULER_AGAIN;
    hear(w, lane, slot, kind, roll(w, 50) ? 300 : 3 * SCHEDULER_DRAIN_MS);
}

static void
let_go(struct world *w, unsigned lane, unsigned slot, enum fate fate)
{
    struct task **task = &w->hands[lane][slot].task;

    cr_assert_not_null(*task);
    cr_assert_eq((*task)->fate, TAKEN, "a task has one end");
    (*task)->fate = fate;
    *task = NULL;

    /* What is done makes some of the others ready. */
    for (unsigned i = 1; fate != DROPPED && i < w->n_lanes; i++) {
        struct task *other = &w->tasks[i][roll(w, MAX_TASKS)];

        if (other->fate == UNBORN && other < w->tasks[i] + w->n_tasks[i])
            other->fate = READY;
    }
}

/* Somebody else of the lane is at it, or has just been told to be. */
static void
put_back(struct world *w, unsigned lane, unsigned slot)
{
    struct task **task = &w->hands[lane][slot].task;
    int others = 0;

    cr_assert_not(w->stopped);
    cr_assert_not(w->is_open[lane][slot]);
    cr_assert_eq((*task)->fate, TAKEN);
    (*task)->fate = PUT_BACK;
    *task = NULL;
    for (unsigned i = 0; i < w->n_slots[lane]; i++)
        others += w->hands[lane][i].task != NULL;
    cr_assert_gt(others, 0, "the last one keeps its task");
}

static void
finish(struct world *w)
{
    cr_assert_not(w->finished, "finish is said once");
    w->finished = 1;
    for (unsigned i = 0; i < w->n_lanes; i++) {
        for (unsigned j = 0; j < w->n_slots[i]; j++)
            cr_assert(!w->hands[i][j].task && !w->hands[i][j].is_due);
    }
}

static void
follow(struct world *w, const struct scheduler_action *a)
{
    w->trace =
        (w->trace ^ (a->kind << 16 | a->lane << 8 | a->slot)) * 0x100000001b3;
    switch (a->kind) {
    case SCHEDULER_FETCH:
        fetch(w, a->lane, a->slot);
        break;
    case SCHEDULER_RUN:
        work(w, a->lane, a->slot);
        break;
    case SCHEDULER_RECORD:
        let_go(w, a->lane, a->slot, RECORDED);
        break;
    case SCHEDULER_GIVE_UP:
        let_go(w, a->lane, a->slot, GIVEN_UP);
        break;
    case SCHEDULER_DROP:
        cr_assert(w->stopped, "work is dropped only when draining");
        let_go(w, a->lane, a->slot, DROPPED);
        break;
    case SCHEDULER_PUT_BACK:
        put_back(w, a->lane, a->slot);
        break;
    case SCHEDULER_CANCEL:
        cr_assert(w->stopped && !w->cancelled);
        w->cancelled = 1;
        break;
    case SCHEDULER_FINISH:
        finish(w);
        break;
    }
}

static void
happen(struct world *w, struct scheduler_event e)
{
    struct scheduler_actions actions;

    e.now_ms = w->now_ms;
    actions = scheduler_step(w->s, &e);
    w->stopped = scheduler_draining(w->s);
    for (unsigned i = 0; i < actions.n; i++)
        follow(w, &actions.list[i]);
}

/* The next thing to happen: a slot's answer, the stop, or a tick. */
static void
advance(struct world *w)
{
    uint64_t next_ms = scheduler_wake_ms(w->s);
    struct scheduler_event e = {.kind = SCHEDULER_TICK};
    struct hand *next = NULL;

    if (w->limit_ms <= next_ms) {
        next_ms = w->limit_ms;
        e.kind = SCHEDULER_LIMIT;
    }
    if (w->stop_ms <= next_ms) {
        next_ms = w->stop_ms;
        e.kind = SCHEDULER_STOP;
    }
    for (unsigned i = 0; i < w->n_lanes; i++) {
        for (unsigned j = 0; j < w->n_slots[i]; j++) {
            struct hand *hand = &w->hands[i][j];

            if (hand->is_due && hand->due_ms < next_ms) {
                next_ms = hand->due_ms;
                next = hand;
            }
        }
    }
    cr_assert_neq(next_ms, UINT64_MAX, "something must be under way");
    if (next_ms > w->now_ms)
        w->now_ms = next_ms;
    if (next) {
        next->is_due = 0;
        e = next->event;
    } else if (e.kind == SCHEDULER_STOP) {
        /* Users press it twice. */
        w->stop_ms = w->stopped ? UINT64_MAX : w->now_ms + roll(w, 1000);
    } else if (e.kind == SCHEDULER_LIMIT) {
        e.lane = roll(w, w->n_lanes);
        e.limit = w->limit[e.lane] = roll(w, MAX_SLOTS + 1);
        w->limit_ms = w->now_ms + roll(w, 2000);
    }
    happen(w, e);
}

static uint64_t
live(uint64_t seed)
{
    struct world w;

    world_make(&w, seed);
    happen(&w, (struct scheduler_event){.kind = SCHEDULER_BEGIN});
    for (unsigned i = 0; !w.finished; i++) {
        cr_assert_lt(i, MAX_STEPS, "it ends");
        advance(&w);
    }
    for (unsigned i = 0; i < w.n_lanes; i++) {
        for (unsigned j = 0; j < w.n_tasks[i]; j++) {
            enum fate fate = w.tasks[i][j].fate;

            cr_assert_neq(fate, TAKEN);
            cr_assert(w.stopped || (fate != READY && fate != PUT_BACK),
                      "what became ready is done when nothing stops us");
        }
    }
    scheduler_free(w.s);
    return w.trace;
}

Test(scheduler_simulation, keeps_its_promises_in_every_simulated_run)
{
    for (uint64_t seed = 0; seed < 4000; seed++)
        live(seed);
}

Test(scheduler_simulation, does_the_same_when_the_same_happens)
{
    for (uint64_t seed = 0; seed < 200; seed++)
        cr_assert_eq(live(seed), live(seed));
    cr_assert_neq(live(1), live(2));
}
