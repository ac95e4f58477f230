/* SPDX-License-Identifier: PostgreSQL */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>

#include "loader/work/scheduler.h"

/* What a step answers, as text: "record 0.1, fetch 0.1". */
static const char *
told(struct scheduler_actions actions)
{
    static const char *const names[] = {
        [SCHEDULER_FETCH] = "fetch",   [SCHEDULER_RUN] = "run",
        [SCHEDULER_RECORD] = "record", [SCHEDULER_GIVE_UP] = "give up",
        [SCHEDULER_DROP] = "drop",     [SCHEDULER_CANCEL] = "cancel",
        [SCHEDULER_FINISH] = "finish", [SCHEDULER_PUT_BACK] = "put back",
    };
    static char text[512];
    size_t len = 0;

    text[0] = '\0';
    for (unsigned i = 0; i < actions.n; i++) {
        const struct scheduler_action *a = &actions.list[i];

        len += (size_t)snprintf(text + len, sizeof text - len, "%s%s",
                                i ? ", " : "", names[a->kind]);
        if (a->kind < SCHEDULER_CANCEL)
            len += (size_t)snprintf(text + len, sizeof text - len, " %u.%u",
                                    a->lane, a->slot);
        cr_assert_lt(len, sizeof text);
    }
    return text;
}

static const char *
step_at(struct scheduler *s, uint64_t now_ms, enum scheduler_event_kind kind,
        unsigned lane, unsigned slot)
{
    return told(scheduler_step(
        s, &(struct scheduler_event){
               .kind = kind, .lane = lane, .slot = slot, .now_ms = now_ms}));
}

#define step(s, kind, lane, slot) step_at(s, 0, SCHEDULER_##kind, lane, slot)

static struct scheduler *
make(unsigned n_lanes, unsigned slots_0, unsigned slots_1)
{
    struct scheduler_params p = {.n_lanes = n_lanes,
                                 .n_slots = {slots_0, slots_1}};
    struct scheduler *s;
    struct err err;

    cr_assert_eq(scheduler_new(&s, &p, &err), 0);
    return s;
}

/* Lane 0 with n slots, all busy; lane 1, if any, dry. */
static struct scheduler *
make_busy(unsigned n_lanes, unsigned n)
{
    struct scheduler *s = make(n_lanes, n, 1);

    step(s, BEGIN, 0, 0);
    for (unsigned i = 0; i < n; i++)
        step(s, FOUND, 0, i);
    if (n_lanes > 1)
        step(s, DRY, 1, 0);
    return s;
}

Test(scheduler, nothing_to_do_is_over_at_once)
{
    cleanup_(scheduler_freep) struct scheduler *s = make(2, 1, 1);
    cleanup_(scheduler_freep) struct scheduler *none = make(0, 0, 0);

    cr_assert_str_eq(step(s, BEGIN, 0, 0), "fetch 0.0, fetch 1.0");
    cr_assert_str_eq(step(s, DRY, 0, 0), "");
    cr_assert_str_eq(step(s, DRY, 1, 0), "finish");
    cr_assert_not(scheduler_draining(s));
    cr_assert_str_eq(step(none, BEGIN, 0, 0), "finish");
}

Test(scheduler, lane_is_asked_slot_by_slot_as_long_as_there_is_something)
{
    cleanup_(scheduler_freep) struct scheduler *s = make(1, 3, 0);

    cr_assert_str_eq(step(s, BEGIN, 0, 0), "fetch 0.0");
    cr_assert_str_eq(step(s, FOUND, 0, 0), "run 0.0, fetch 0.1");
    cr_assert_str_eq(step(s, FOUND, 0, 1), "run 0.1, fetch 0.2");
    cr_assert_str_eq(step(s, DRY, 0, 2), "");
    cr_assert_str_eq(step(s, DONE, 0, 1), "record 0.1, fetch 0.1");
    cr_assert_str_eq(step(s, DRY, 0, 1), "");
    cr_assert_str_eq(step(s, DONE, 0, 0), "record 0.0, fetch 0.0");
    cr_assert_str_eq(step(s, DRY, 0, 0), "finish");
}

Test(scheduler, dry_lane_is_asked_again_when_something_is_done_in_another)
{
    cleanup_(scheduler_freep) struct scheduler *s = make_busy(2, 1);

    cr_assert_str_eq(step(s, DONE, 0, 0), "record 0.0, fetch 0.0, fetch 1.0");
    cr_assert_str_eq(step(s, DRY, 0, 0), "");
    cr_assert_str_eq(step(s, FOUND, 1, 0), "run 1.0");
    cr_assert_str_eq(step(s, FAILED, 1, 0),
                     "give up 1.0, fetch 0.0, fetch 1.0");
}

Test(scheduler, answer_that_was_overtaken_by_something_done_is_asked_for_again)
{
    cleanup_(scheduler_freep) struct scheduler *s = make(2, 1, 1);

    step(s, BEGIN, 0, 0);
    step(s, FOUND, 0, 0);
    cr_assert_str_eq(step(s, DONE, 0, 0), "record 0.0, fetch 0.0");
    cr_assert_str_eq(step(s, DRY, 0, 0), "");
    /* Lane 1 was asked before that task was recorded. */
    cr_assert_str_eq(step(s, DRY, 1, 0), "fetch 1.0");
    cr_assert_str_eq(step(s, DRY, 1, 0), "finish");
}

Test(scheduler, failed_task_is_tried_again_after_a_back_off_that_doubles)
{
    cleanup_(scheduler_freep) struct scheduler *s = make_busy(1, 1);
    uint64_t now = 1000, full = SCHEDULER_BACKOFF_MS;

    for (unsigned i = 1; i < SCHEDULER_TRIES; i++) {
        uint64_t wake;

        cr_assert_str_eq(step_at(s, now, SCHEDULER_AGAIN, 0, 0), "");
        wake = scheduler_wake_ms(s);
        cr_assert_geq(wake - now, full / 2);
        cr_assert_leq(wake - now, full);
        cr_assert_str_eq(step_at(s, wake - 1, SCHEDULER_TICK, 0, 0), "");
        cr_assert_str_eq(step_at(s, wake, SCHEDULER_TICK, 0, 0), "run 0.0");
        cr_assert_eq(scheduler_wake_ms(s), UINT64_MAX);
        now = wake;
        full = full * 2 > SCHEDULER_BACKOFF_MAX_MS ? SCHEDULER_BACKOFF_MAX_MS
                                                   : full * 2;
    }
    cr_assert_str_eq(step_at(s, now, SCHEDULER_AGAIN, 0, 0),
                     "give up 0.0, fetch 0.0");
}

Test(scheduler, slots_that_failed_together_do_not_come_back_together)
{
    cleanup_(scheduler_freep) struct scheduler *s = make_busy(1, 2);
    uint64_t first;

    step(s, AGAIN, 0, 0);
    first = scheduler_wake_ms(s);
    step_at(s, first, SCHEDULER_TICK, 0, 0);
    step(s, AGAIN, 0, 1);
    cr_assert_neq(scheduler_wake_ms(s), first);
}

/* One task that uses up all its tries; the answer to the last. */
static const char *
exhaust(struct scheduler *s)
{
    for (unsigned i = 1; i < SCHEDULER_TRIES; i++) {
        step(s, AGAIN, 0, 0);
        step_at(s, scheduler_wake_ms(s), SCHEDULER_TICK, 0, 0);
    }
    return step(s, AGAIN, 0, 0);
}

Test(scheduler, tries_used_up_by_one_task_after_another_stop_the_run)
{
    cleanup_(scheduler_freep) struct scheduler *s = make_busy(1, 1);

    cr_assert_str_eq(exhaust(s), "give up 0.0, fetch 0.0");
    step(s, FOUND, 0, 0);
    cr_assert_str_eq(exhaust(s), "drop 0.0, finish");
    cr_assert(scheduler_draining(s));
}

Test(scheduler, tries_used_up_with_a_success_in_between_do_not_stop_the_run)
{
    cleanup_(scheduler_freep) struct scheduler *s = make_busy(1, 1);

    exhaust(s);
    step(s, FOUND, 0, 0);
    step(s, DONE, 0, 0);
    step(s, FOUND, 0, 0);
    cr_assert_str_eq(exhaust(s), "give up 0.0, fetch 0.0");
}

Test(scheduler, stop_begins_nothing_new_and_lets_what_is_in_hand_finish)
{
    cleanup_(scheduler_freep) struct scheduler *s = make_busy(1, 3);

    step(s, AGAIN, 0, 2);
    cr_assert_str_eq(step(s, STOP, 0, 0), "drop 0.2");
    cr_assert(scheduler_draining(s));
    cr_assert_str_eq(step(s, STOP, 0, 0), "");
    cr_assert_str_eq(step(s, DONE, 0, 0), "record 0.0");
    cr_assert_str_eq(step(s, FAILED, 0, 1), "give up 0.1, finish");
    cr_assert(scheduler_draining(s));
    cr_assert_str_eq(step(s, STOP, 0, 0), "");
    cr_assert_str_eq(step(s, TICK, 0, 0), "");
}

Test(scheduler, task_found_after_the_stop_is_dropped)
{
    cleanup_(scheduler_freep) struct scheduler *s = make(1, 1, 0);

    step(s, BEGIN, 0, 0);
    cr_assert_str_eq(step(s, STOP, 0, 0), "");
    cr_assert_str_eq(step(s, FOUND, 0, 0), "drop 0.0, finish");
}

Test(scheduler, fatal_failure_drains_and_drops_what_might_be_tried_again)
{
    cleanup_(scheduler_freep) struct scheduler *s = make_busy(1, 4);

    step(s, AGAIN, 0, 3);
    cr_assert_str_eq(step(s, FATAL, 0, 0), "drop 0.0, drop 0.3");
    cr_assert_str_eq(step(s, AGAIN, 0, 1), "drop 0.1");
    cr_assert_str_eq(step(s, DONE, 0, 2), "record 0.2, finish");
}

Test(scheduler, draining_too_long_cancels_once)
{
    cleanup_(scheduler_freep) struct scheduler *s = make_busy(1, 1);

    step_at(s, 5, SCHEDULER_STOP, 0, 0);
    cr_assert_eq(scheduler_wake_ms(s), 5 + SCHEDULER_DRAIN_MS);
    cr_assert_str_eq(step_at(s, 4 + SCHEDULER_DRAIN_MS, SCHEDULER_TICK, 0, 0),
                     "");
    cr_assert_str_eq(step_at(s, 5 + SCHEDULER_DRAIN_MS, SCHEDULER_TICK, 0, 0),
                     "cancel");
    cr_assert_eq(scheduler_wake_ms(s), UINT64_MAX);
    cr_assert_str_eq(step_at(s, 6 + SCHEDULER_DRAIN_MS, SCHEDULER_TICK, 0, 0),
                     "");
    cr_assert_str_eq(step(s, FATAL, 0, 0), "drop 0.0, finish");
}

Test(scheduler, event_that_does_not_fit_is_a_bug, .signal = SIGABRT)
{
    struct scheduler *s = make(1, 1, 0);

    step(s, BEGIN, 0, 0);
    step(s, DONE, 0, 0);
}

/* ---- limits ---- */

static const char *
limit(struct scheduler *s, unsigned lane, unsigned n)
{
    return told(scheduler_step(
        s, &(struct scheduler_event){
               .kind = SCHEDULER_LIMIT, .lane = lane, .limit = n}));
}

Test(scheduler, limit_lets_what_is_in_hand_finish_and_begins_no_more_than_that)
{
    cleanup_(scheduler_freep) struct scheduler *s = make_busy(1, 3);

    cr_assert_str_eq(limit(s, 0, 1), "");
    cr_assert_str_eq(step(s, DONE, 0, 2), "record 0.2");
    cr_assert_str_eq(step(s, DONE, 0, 0), "record 0.0");
    cr_assert_str_eq(step(s, DONE, 0, 1), "record 0.1, fetch 0.0");
    cr_assert_str_eq(step(s, FOUND, 0, 0), "run 0.0");
    cr_assert_str_eq(limit(s, 0, 3), "fetch 0.1");
    cr_assert_str_eq(step(s, FOUND, 0, 1), "run 0.1, fetch 0.2");
}

Test(scheduler, lane_that_may_not_begin_anything_is_not_over)
{
    cleanup_(scheduler_freep) struct scheduler *s = make_busy(1, 1);

    limit(s, 0, 0);
    cr_assert_str_eq(step(s, DONE, 0, 0), "record 0.0");
    cr_assert_str_eq(step(s, TICK, 0, 0), "");
    cr_assert_str_eq(limit(s, 0, 1), "fetch 0.0");
    cr_assert_str_eq(step(s, DRY, 0, 0), "finish");
    cr_assert_str_eq(limit(s, 0, 0), "", "also when it is over");
}

Test(scheduler, stop_ends_a_lane_that_may_not_begin_anything)
{
    cleanup_(scheduler_freep) struct scheduler *s = make_busy(1, 1);

    limit(s, 0, 0);
    step(s, DONE, 0, 0);
    cr_assert_str_eq(step(s, STOP, 0, 0), "finish");
    cr_assert(scheduler_draining(s));
}

Test(scheduler, limit_of_a_lane_is_not_that_of_another)
{
    cleanup_(scheduler_freep) struct scheduler *s = make_busy(2, 1);

    limit(s, 0, 0);
    cr_assert_str_eq(step(s, DONE, 0, 0), "record 0.0, fetch 1.0");
    cr_assert_str_eq(step(s, FOUND, 1, 0), "run 1.0");
    cr_assert_str_eq(step(s, DONE, 1, 0), "record 1.0, fetch 1.0");
}

/* ---- workers that cannot begin ---- */

Test(scheduler, task_of_a_worker_that_cannot_begin_is_done_by_another)
{
    cleanup_(scheduler_freep) struct scheduler *s = make_busy(1, 2);
    uint64_t wake;

    cr_assert_str_eq(step(s, UNABLE, 0, 1), "put back 0.1");
    wake = scheduler_wake_ms(s);
    cr_assert_leq(wake, SCHEDULER_BACKOFF_MS);
    cr_assert_str_eq(step(s, DONE, 0, 0), "record 0.0, fetch 0.0");
    cr_assert_str_eq(step(s, FOUND, 0, 0), "run 0.0");
    /* One worker less, until it is asked again. */
    cr_assert_str_eq(step_at(s, wake, SCHEDULER_TICK, 0, 0), "fetch 0.1");
    cr_assert_str_eq(step(s, DRY, 0, 1), "");
    cr_assert_str_eq(step(s, DONE, 0, 0), "record 0.0, fetch 0.0");
    cr_assert_str_eq(step(s, DRY, 0, 0), "finish");
}

Test(scheduler, lane_that_was_dry_is_asked_for_what_was_put_back)
{
    cleanup_(scheduler_freep) struct scheduler *s = make(1, 3, 0);

    step(s, BEGIN, 0, 0);
    step(s, FOUND, 0, 0);
    step(s, FOUND, 0, 1);
    cr_assert_str_eq(step(s, DRY, 0, 2), "");
    cr_assert_str_eq(step(s, UNABLE, 0, 0), "put back 0.0, fetch 0.2");
    cr_assert_str_eq(step(s, FOUND, 0, 2), "run 0.2");
}

Test(scheduler, rest_of_a_worker_that_cannot_begin_doubles)
{
    cleanup_(scheduler_freep) struct scheduler *s = make_busy(1, 2);
    uint64_t now = 0, full = SCHEDULER_BACKOFF_MS;

    for (unsigned i = 0; i < 5; i++, full *= 2) {
        uint64_t wake;

        step_at(s, now, SCHEDULER_UNABLE, 0, 1);
        wake = scheduler_wake_ms(s);
        cr_assert_geq(wake - now, full / 2);
        cr_assert_leq(wake - now, full);
        now = wake;
        cr_assert_str_eq(step_at(s, now, SCHEDULER_TICK, 0, 0), "fetch 0.1");
        step_at(s, now, SCHEDULER_FOUND, 0, 1);
    }
}

Test(scheduler, one_who_cannot_begin_alone_keeps_its_task)
{
    cleanup_(scheduler_freep) struct scheduler *s = make_busy(1, 1);

    for (unsigned i = 1; i < SCHEDULER_TRIES; i++) {
        cr_assert_str_eq(step(s, UNABLE, 0, 0), "");
        cr_assert_str_eq(step_at(s, scheduler_wake_ms(s), SCHEDULER_TICK, 0, 0),
                         "run 0.0");
    }
    cr_assert_str_eq(step(s, UNABLE, 0, 0), "give up 0.0, fetch 0.0");
}

Test(scheduler, worker_that_cannot_begin_drops_its_task_when_draining)
{
    cleanup_(scheduler_freep) struct scheduler *s = make_busy(1, 3);

    step(s, UNABLE, 0, 2);
    step(s, STOP, 0, 0);
    cr_assert_str_eq(step(s, UNABLE, 0, 0), "drop 0.0");
    cr_assert_str_eq(step(s, DONE, 0, 1), "record 0.1, finish");
}
