/* SPDX-License-Identifier: PostgreSQL */
#include "loader/work/scheduler.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>

enum state {
    NEW,      /* until BEGIN */
    WORKING,  /* entered by BEGIN */
    DRAINING, /* entered by drain() */
    COMPLETE, /* entered by settle() from WORKING; FINISH has been said */
    DRAINED,  /* entered by settle() from DRAINING; FINISH has been said */
};

enum slot_state {
    IDLE,    /* has no task; ask() may turn it to ASKED */
    ASKED,   /* FETCH is out; FOUND or DRY follows */
    BUSY,    /* RUN is out; DONE, AGAIN, UNABLE, FAILED or FATAL follows */
    PARKED,  /* waits for wake_ms with its task; wake() or drain() follows */
    RESTING, /* was UNABLE: waits for wake_ms without one; wake() follows */
    N_SLOT_STATES,
};

struct slot {
    enum slot_state state;
    unsigned n_tries; /* of its task */
    unsigned n_rests; /* in a row */
    uint64_t wake_ms;
};

struct lane {
    struct slot *slots; /* a part of scheduler.slots */
    unsigned n_slots;
    unsigned limit;             /* how many may have a task */
    unsigned in[N_SLOT_STATES]; /* how many slots are in each state */
    unsigned n_put_back;        /* tasks that wait to be fetched again */
    unsigned n_exhausted;       /* tasks in a row that ran out of tries */
    /* scheduler.n_settled when it was last asked, and when that found nothing;
       as long as n_settled stays the same, asking again is no use. */
    uint64_t asked_at, dry_at;
};

struct scheduler {
    enum state state;
    struct lane lanes[SCHEDULER_LANES];
    unsigned n_lanes;
    unsigned n_slots;
    uint64_t n_settled; /* tasks recorded or given up */
    unsigned drain_ms;
    uint64_t cancel_ms; /* when DRAINING has taken too long; UINT64_MAX: it has
                           been said, or we are not draining */
    uint64_t random;
    struct slot *slots;
    struct scheduler_action *actions;
    unsigned n_actions;
    unsigned max_actions;
};

int
scheduler_new(struct scheduler **ret, const struct scheduler_params *p,
              struct err *err)
{
    cleanup_(scheduler_freep) struct scheduler *s = NULL;
    struct slot *next;

    assert(p->n_lanes <= SCHEDULER_LANES);

    s = calloc(1, sizeof *s);
    if (!s)
        return err_nomem(err);
    s->n_lanes = p->n_lanes;
    s->drain_ms = p->drain_ms ? p->drain_ms : SCHEDULER_DRAIN_MS;
    s->cancel_ms = UINT64_MAX;
    s->random = p->seed;
    for (unsigned i = 0; i < p->n_lanes; i++)
        s->n_slots += p->n_slots[i];

    /* A step says at most one thing about each slot, but for the one that the
       event is about, which may be asked again; and CANCEL, FINISH. */
    s->max_actions = s->n_slots + 3;
    s->slots = calloc(s->n_slots + 1, sizeof *s->slots);
    s->actions = calloc(s->max_actions, sizeof *s->actions);
    if (!s->slots || !s->actions)
        return err_nomem(err);

    next = s->slots;
    for (unsigned i = 0; i < p->n_lanes; i++) {
        s->lanes[i] = (struct lane){
            .slots = next,
            .n_slots = p->n_slots[i],
            .limit = UINT_MAX,
            .in = {[IDLE] = p->n_slots[i]},
            .dry_at = UINT64_MAX,
        };
        next += p->n_slots[i];
    }

    *ret = take(s);
    return 0;
}

struct scheduler *
scheduler_free(struct scheduler *s)
{
    if (!s)
        return NULL;
    free(s->slots);
    free(s->actions);
    free(s);
    return NULL;
}

static void
act(struct scheduler *s, enum scheduler_action_kind kind, unsigned lane,
    unsigned slot)
{
    assert(s->n_actions < s->max_actions);
    s->actions[s->n_actions++] =
        (struct scheduler_action){.kind = kind, .lane = lane, .slot = slot};
}

/* Every change of a slot's state goes through here. */
static void
turn(struct scheduler *s, unsigned lane, unsigned slot, enum slot_state to)
{
    static const unsigned allowed[] = {
        [IDLE] = 1 << ASKED,
        [ASKED] = 1 << IDLE | 1 << BUSY,
        [BUSY] = 1 << IDLE | 1 << PARKED | 1 << RESTING,
        [PARKED] = 1 << IDLE | 1 << BUSY,
        [RESTING] = 1 << IDLE,
    };
    struct lane *l = &s->lanes[lane];
    enum slot_state from = l->slots[slot].state;

    assert(allowed[from] & 1u << to);

    l->in[from]--;
    l->in[to]++;
    l->slots[slot].state = to;
}

/* Slots of the lane that have a task, or are about to get one. */
static unsigned
in_hand(const struct lane *l)
{
    return l->in[ASKED] + l->in[BUSY] + l->in[PARKED];
}

static void
run(struct scheduler *s, unsigned lane, unsigned slot)
{
    turn(s, lane, slot, BUSY);
    s->lanes[lane].slots[slot].n_tries++;
    act(s, SCHEDULER_RUN, lane, slot);
}

/* The slot's task is out of our hands: kind says how. */
static void
leave(struct scheduler *s, unsigned lane, unsigned slot,
      enum scheduler_action_kind kind)
{
    turn(s, lane, slot, IDLE);
    if (kind != SCHEDULER_DROP)
        s->n_settled++;
    act(s, kind, lane, slot);
}

static void
drain(struct scheduler *s, uint64_t now_ms)
{
    if (s->state != WORKING)
        return;
    s->state = DRAINING;
    s->cancel_ms = now_ms + s->drain_ms;

    for (unsigned i = 0; i < s->n_lanes; i++) {
        for (unsigned j = 0; j < s->lanes[i].n_slots; j++) {
            if (s->lanes[i].slots[j].state == PARKED)
                leave(s, i, j, SCHEDULER_DROP);
        }
    }
}

/* splitmix64: any seed will do, also 0. */
static uint64_t
next_random(struct scheduler *s)
{
    uint64_t z = s->random += 0x9e3779b97f4a7c15;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

uint64_t
scheduler_backoff_ms(unsigned n, uint64_t random)
{
    uint64_t ms = SCHEDULER_BACKOFF_MS;

    while (--n > 0 && ms < SCHEDULER_BACKOFF_MAX_MS)
        ms *= 2;
    if (ms > SCHEDULER_BACKOFF_MAX_MS)
        ms = SCHEDULER_BACKOFF_MAX_MS;
    return ms / 2 + random % (ms / 2 + 1);
}

static uint64_t
backoff_ms(struct scheduler *s, unsigned n)
{
    return scheduler_backoff_ms(n, next_random(s));
}

static void
found(struct scheduler *s, const struct scheduler_event *e)
{
    /* A stop may have come between question and answer. */
    if (s->state == DRAINING) {
        leave(s, e->lane, e->slot, SCHEDULER_DROP);
        return;
    }
    s->lanes[e->lane].slots[e->slot].n_tries = 0;
    run(s, e->lane, e->slot);
}

static void
dry(struct scheduler *s, const struct scheduler_event *e)
{
    turn(s, e->lane, e->slot, IDLE);
    s->lanes[e->lane].dry_at = s->lanes[e->lane].asked_at;
}

static void
settled(struct scheduler *s, const struct scheduler_event *e,
        enum scheduler_action_kind kind)
{
    s->lanes[e->lane].n_exhausted = 0;
    s->lanes[e->lane].slots[e->slot].n_rests = 0;
    leave(s, e->lane, e->slot, kind);
}

static void
fatal(struct scheduler *s, const struct scheduler_event *e)
{
    leave(s, e->lane, e->slot, SCHEDULER_DROP);
    drain(s, e->now_ms);
}

static void
again(struct scheduler *s, const struct scheduler_event *e)
{
    struct lane *lane = &s->lanes[e->lane];
    struct slot *slot = &lane->slots[e->slot];

    if (s->state == DRAINING) {
        leave(s, e->lane, e->slot, SCHEDULER_DROP);
    } else if (slot->n_tries < SCHEDULER_TRIES) {
        turn(s, e->lane, e->slot, PARKED);
        slot->wake_ms = e->now_ms + backoff_ms(s, slot->n_tries);
    } else if (++lane->n_exhausted > lane->n_slots) {
        fatal(s, e);
    } else {
        leave(s, e->lane, e->slot, SCHEDULER_GIVE_UP);
    }
}

/* Somebody who is at work can take the task over.  Those who have just been
   given one may be unable too, but then the last of them keeps his. */
static void
unable(struct scheduler *s, const struct scheduler_event *e)
{
    struct lane *lane = &s->lanes[e->lane];
    struct slot *slot = &lane->slots[e->slot];

    if (s->state == DRAINING || lane->in[BUSY] < 2) {
        again(s, e);
        return;
    }
    turn(s, e->lane, e->slot, RESTING);
    slot->wake_ms = e->now_ms + backoff_ms(s, ++slot->n_rests);
    lane->n_put_back++;
    act(s, SCHEDULER_PUT_BACK, e->lane, e->slot);
}

static void
wake(struct scheduler *s, uint64_t now_ms)
{
    for (unsigned i = 0; i < s->n_lanes; i++) {
        for (unsigned j = 0; j < s->lanes[i].n_slots; j++) {
            const struct slot *slot = &s->lanes[i].slots[j];

            if (slot->wake_ms > now_ms)
                continue;
            if (slot->state == PARKED)
                run(s, i, j);
            else if (slot->state == RESTING)
                turn(s, i, j, IDLE);
        }
    }
    if (s->cancel_ms <= now_ms) {
        s->cancel_ms = UINT64_MAX;
        act(s, SCHEDULER_CANCEL, 0, 0);
    }
}

static int
is_dry(const struct scheduler *s, const struct lane *l)
{
    return l->n_put_back == 0 && l->dry_at == s->n_settled;
}

static void
ask(struct scheduler *s, unsigned lane)
{
    struct lane *l = &s->lanes[lane];

    if (l->in[ASKED] > 0 || is_dry(s, l) || in_hand(l) >= l->limit)
        return;
    for (unsigned i = 0; i < l->n_slots; i++) {
        if (l->slots[i].state == IDLE) {
            turn(s, lane, i, ASKED);
            l->asked_at = s->n_settled;
            l->n_put_back -= l->n_put_back > 0;
            act(s, SCHEDULER_FETCH, lane, i);
            return;
        }
    }
}

/* Nothing is in hand and, unless we are draining, nothing left to begin: a
   lane that may not begin anything now is not over. */
static int
is_over(const struct scheduler *s)
{
    for (unsigned i = 0; i < s->n_lanes; i++) {
        const struct lane *l = &s->lanes[i];

        if (in_hand(l) > 0 ||
            (s->state == WORKING && l->n_slots > 0 && !is_dry(s, l)))
            return 0;
    }
    return 1;
}

/* What follows from the state after any event. */
static void
settle(struct scheduler *s)
{
    if (s->state == NEW || s->state == COMPLETE || s->state == DRAINED)
        return;
    for (unsigned i = 0; s->state == WORKING && i < s->n_lanes; i++)
        ask(s, i);
    if (is_over(s)) {
        s->state = s->state == WORKING ? COMPLETE : DRAINED;
        s->cancel_ms = UINT64_MAX;
        act(s, SCHEDULER_FINISH, 0, 0);
    }
}

/* Is this an event that can happen now? */
static int
fits(const struct scheduler *s, const struct scheduler_event *e)
{
    enum slot_state expected = BUSY;

    switch (e->kind) {
    case SCHEDULER_BEGIN:
        return s->state == NEW;
    case SCHEDULER_STOP:
    case SCHEDULER_TICK:
        return s->state != NEW;
    case SCHEDULER_LIMIT:
        return e->lane < s->n_lanes;
    case SCHEDULER_FOUND:
    case SCHEDULER_DRY:
        expected = ASKED;
        break;
    case SCHEDULER_DONE:
    case SCHEDULER_AGAIN:
    case SCHEDULER_UNABLE:
    case SCHEDULER_FAILED:
    case SCHEDULER_FATAL:
        break;
    }
    return e->lane < s->n_lanes && e->slot < s->lanes[e->lane].n_slots &&
           s->lanes[e->lane].slots[e->slot].state == expected;
}

struct scheduler_actions
scheduler_step(struct scheduler *s, const struct scheduler_event *e)
{
    assert(fits(s, e));

    s->n_actions = 0;
    switch (e->kind) {
    case SCHEDULER_BEGIN:
        s->state = WORKING;
        break;
    case SCHEDULER_FOUND:
        found(s, e);
        break;
    case SCHEDULER_DRY:
        dry(s, e);
        break;
    case SCHEDULER_DONE:
        settled(s, e, SCHEDULER_RECORD);
        break;
    case SCHEDULER_AGAIN:
        again(s, e);
        break;
    case SCHEDULER_UNABLE:
        unable(s, e);
        break;
    case SCHEDULER_FAILED:
        settled(s, e, SCHEDULER_GIVE_UP);
        break;
    case SCHEDULER_FATAL:
        fatal(s, e);
        break;
    case SCHEDULER_STOP:
        drain(s, e->now_ms);
        break;
    case SCHEDULER_TICK:
        wake(s, e->now_ms);
        break;
    case SCHEDULER_LIMIT:
        s->lanes[e->lane].limit = e->limit;
        break;
    }
    settle(s);
    return (struct scheduler_actions){.list = s->actions, .n = s->n_actions};
}

uint64_t
scheduler_wake_ms(const struct scheduler *s)
{
    uint64_t wake_ms = s->cancel_ms;

    for (unsigned i = 0; i < s->n_slots; i++) {
        if ((s->slots[i].state == PARKED || s->slots[i].state == RESTING) &&
            s->slots[i].wake_ms < wake_ms)
            wake_ms = s->slots[i].wake_ms;
    }
    return wake_ms;
}

int
scheduler_draining(const struct scheduler *s)
{
    return s->state == DRAINING || s->state == DRAINED;
}
